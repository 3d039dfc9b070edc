//! Answers: JSON as nats-server writes it, or a line of text.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::query::{Pairs, first};

/// Letters of the name of a function that a page of another origin may ask for.
const CALLBACK_BYTES_MAX: usize = 128;

/// A page. With the parameter `callback` it is a script that calls the function of that name, as nats-server's pages are.
pub(super) fn json<T: Serialize>(page: &T, pairs: &Pairs) -> Response {
    let Ok(body) = serde_json::to_vec_pretty(page) else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written");
    };
    match first(pairs, "callback") {
        None => answer(StatusCode::OK, "application/json", body),
        Some(name) if is_function(name) => {
            let script = [name.as_bytes(), b"(", &body, b")"].concat();
            answer(StatusCode::OK, "application/javascript", script)
        }
        Some(_) => text(StatusCode::BAD_REQUEST, "the callback is not the name of a function"),
    }
}

/// A page on one line.
pub(super) fn health<T: Serialize>(status: StatusCode, page: &T) -> Response {
    answer(status, "application/json", serde_json::to_vec(page).unwrap_or_default())
}

/// A sentence.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    answer(status, "text/plain; charset=utf-8", text.into().into_bytes())
}

fn answer(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Nothing else goes into a script.
fn is_function(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= CALLBACK_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
}
