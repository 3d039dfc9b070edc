//! Figures over HTTP, with the paths and field names of nats-server, so that its tools work: `/varz`, `/connz`, `/subsz`, `/healthz`.
//!
//! Owns the accepting and the routes; what each page says is the business of the module of its name. Pages show; nothing can be changed through
//! them. Invariant: a client that sends half a request, or none, or does not read its page, is cut off, and there are only so many at a time.

mod connz;
mod patience;
mod query;
mod reply;
mod subsz;
#[cfg(test)]
mod tests;
mod varz;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, Response};
use axum::routing::get;
use broker_core::Now;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use self::patience::Patient;
use self::query::Pairs;
use crate::config;
use crate::connection::Shared;
use crate::listener::accept_all;
use crate::sync::lock;
use crate::usage::CpuMeter;

/// Clients at a time: people and collectors, not traffic.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for the head of a request, and be silent between two. Collectors ask every 15 s or more often.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to read a page, once the system takes no more of it at once: until then the page is held in memory. Guessed; a
/// slow line has a megabyte in a few seconds.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the pages are made from.
#[derive(Debug)]
pub(crate) struct Monitor {
    shared: Arc<Shared>,
    nats: config::Nats,
    nats_address: Option<SocketAddr>,
    http_address: Option<SocketAddr>,
    connections_max: usize,
    started: Now,
    cpu: CpuMeter,
    /// Cancelled when the server takes nobody any more.
    accepting: CancellationToken,
    /// How often each page was asked for.
    requests: Mutex<BTreeMap<&'static str, u64>>,
}

impl Monitor {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        nats: &config::Nats,
        nats_address: Option<SocketAddr>,
        http_address: Option<SocketAddr>,
        connections_max: usize,
        accepting: &CancellationToken,
    ) -> Self {
        Monitor {
            shared: Arc::clone(shared),
            nats: nats.clone(),
            nats_address,
            http_address,
            connections_max,
            started: shared.clock.now(),
            cpu: CpuMeter::start(),
            accepting: accepting.clone(),
            requests: Mutex::default(),
        }
    }

    fn now(&self) -> Now {
        self.shared.clock.now()
    }

    fn server_id(&self) -> String {
        self.shared.nats.options(false).server_id.clone()
    }

    fn count(&self, path: &'static str) {
        *lock(&self.requests).entry(path).or_default() += 1;
    }

    fn requests(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.requests).clone()
    }
}

/// Serves until `stop`. Each client is a task of `tasks`.
pub(crate) async fn run(
    listener: TcpListener,
    monitor: Arc<Monitor>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let router = router(monitor);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let clients = stop.clone();
    let take = |stream, peer: SocketAddr| {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            debug!(%peer, "refused: too many connections to the monitoring port");
            return;
        };
        let (router, stop) = (router.clone(), clients.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = serve(stream, router, PAGE_TIMEOUT) => {}
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    };
    accept_all(listener, stop, take).await;
}

async fn serve(stream: TcpStream, router: Router, page_timeout: Duration) {
    let stream = Patient::new(stream, page_timeout);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        debug!(%error, "a client of the monitoring port went wrong");
    }
}

fn router(monitor: Arc<Monitor>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/varz", get(varz))
        .route("/connz", get(connz))
        .route("/subsz", get(subsz))
        .route("/subscriptionsz", get(subsz))
        .route("/healthz", get(healthz))
        .fallback(async || reply::text(StatusCode::NOT_FOUND, "404 page not found\n"))
        .with_state(monitor)
}

async fn index(State(monitor): State<Arc<Monitor>>) -> Html<&'static str> {
    monitor.count("/");
    Html(concat!(
        "<!doctype html><title>broker-server</title><h1>broker-server</h1><ul>",
        "<li><a href=varz>General</a><li><a href=connz>Connections</a><li><a href=\"connz?state=closed\">Closed connections</a>",
        "<li><a href=\"subsz?subs=1\">Subscriptions</a><li><a href=healthz>Health</a></ul>",
    ))
}

async fn varz(State(monitor): State<Arc<Monitor>>, Query(pairs): Query<Pairs>) -> Response {
    monitor.count("/varz");
    reply::json(&varz::page(&monitor), &pairs)
}

async fn connz(State(monitor): State<Arc<Monitor>>, Query(pairs): Query<Pairs>) -> Response {
    monitor.count("/connz");
    match connz::Options::read(&pairs) {
        Ok(options) => reply::json(&connz::page(&monitor, &options), &pairs),
        Err(wrong) => reply::text(StatusCode::BAD_REQUEST, wrong),
    }
}

async fn subsz(State(monitor): State<Arc<Monitor>>, Query(pairs): Query<Pairs>) -> Response {
    monitor.count("/subsz");
    match subsz::Options::read(&pairs) {
        Ok(options) => reply::json(&subsz::page(&monitor, &options), &pairs),
        Err(wrong) => reply::text(StatusCode::BAD_REQUEST, wrong),
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

async fn healthz(State(monitor): State<Arc<Monitor>>) -> Response {
    monitor.count("/healthz");
    let leaving = monitor.accepting.is_cancelled();
    let health = if leaving {
        Health { status: "unavailable", error: Some("the server accepts no more connections") }
    } else {
        Health { status: "ok", error: None }
    };
    reply::health(if leaving { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, &health)
}
