//! `broker req`: a request and its answer.

use crate::{
    args,
    command::publish::argument,
    exit::Failure,
    input,
    print::{
        json,
        message::{OutputFormat, View, raw},
    },
    session::Session,
};

/// Sends the request and prints the first answer.
///
/// # Errors
/// Nobody answers on this topic, or nobody answers in time.
pub(crate) async fn run(arguments: &args::Request, session: &mut Session) -> Result<(), Failure> {
    let value = match arguments.value.as_deref() {
        None | Some("-") => input::read_whole(arguments.format).await?,
        Some(text) => argument(text, arguments.format)?,
    };
    let connection = session.connect().await?;
    let answer = connection.client.request_raw(&arguments.topic, &value).await?;
    match arguments.output {
        OutputFormat::Pretty => {
            let mut line = String::new();
            json::write_value(&mut line, answer.value(), session.out.palette());
            session.out.line(&line)
        }
        OutputFormat::Json => session.out.line(&View::from(&answer).json()),
        OutputFormat::Raw => {
            session.out.bytes(&raw(answer.value()))?;
            session.out.bytes(b"\n")
        }
        OutputFormat::Msgpack => session.out.bytes(answer.value()),
    }
}
