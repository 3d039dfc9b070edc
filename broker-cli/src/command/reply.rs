//! `broker reply`: answers requests, one after another.
//!
//! Invariant: every request gets an answer or a word on standard error; a command that fails, hangs or prints too much is
//! answered with an error and does not end the replier.

mod exec;

use broker_client::{Client, Message, PublishError, SubscribeOptions};
use rmpv::Value;
use tokio::time::{Duration, error::Elapsed};

use crate::{
    args,
    command::publish::argument,
    exit::{Exit, Failure},
    input,
    print::message::raw,
    session::{Session, WhenLost},
    value::{self, InputFormat},
};

/// Answers requests until `--count`, `--timeout`, a signal, or the end of the connection.
///
/// # Errors
/// The pattern or the value is none, the connection is lost.
pub(crate) async fn run(arguments: &args::Reply, session: &mut Session) -> Result<(), Failure> {
    let answerer = Answerer::new(arguments)?;
    let connection = session.connect_to_listen(WhenLost::from_option(arguments.reconnect)).await?;
    let options = SubscribeOptions::new().meta(true).retained(false);
    let mut requests = connection
        .client
        .subscribe_with(&arguments.pattern, options)
        .await
        .map_err(|error| Failure::from(error).context(&arguments.pattern))?;
    let notes = session.notes;
    notes.note(format_args!("answering requests on {}, Ctrl-C ends", arguments.pattern));
    let mut done = 0;
    while arguments.count.is_none_or(|count| done < count) {
        let Ok(request) = within(session.timeout, requests.recv()).await else {
            let timeout = session.timeout.unwrap_or_default();
            return Err(Failure::new(Exit::TimedOut, format_args!("no request within {timeout:?}")));
        };
        let Some(request) = request else { return Err(connection.lost().await) };
        let Some(reply) = request.reply() else {
            notes.warn(format_args!("a message on {} asks for no answer", request.topic()));
            continue;
        };
        let answer = match answerer.answer(&request).await {
            Ok(answer) => answer,
            Err(why) => {
                notes.warn(format_args!(
                    "the request on {} is answered with an error: {why}",
                    request.topic()
                ));
                error_value(&why)
            }
        };
        match respond(&connection.client, &request, &answer).await? {
            None => notes.detail(format_args!("answered {} at {reply}", request.topic())),
            Some(error) => {
                notes.warn(format_args!("no answer to the request on {}: {error}", request.topic()));
            }
        }
        done += 1;
    }
    Ok(connection.client.flush().await?)
}

async fn within<T>(timeout: Option<Duration>, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, future).await,
        None => Ok(future.await),
    }
}

/// Sends the answer. An answer that cannot be sent, because it is too large for example, is replaced by an error; what even that met
/// is returned.
async fn respond(client: &Client, request: &Message, answer: &[u8]) -> Result<Option<PublishError>, Failure> {
    let is_over =
        |error: &PublishError| matches!(error, PublishError::Closed(_) | PublishError::Disconnected);
    match client.respond_raw(request, answer).await {
        Ok(()) => Ok(None),
        Err(error) if is_over(&error) => Err(error.into()),
        Err(error) => match client.respond_raw(request, &error_value(&error.to_string())).await {
            Err(error) if is_over(&error) => Err(error.into()),
            _ => Ok(Some(error)),
        },
    }
}

/// What a requester gets instead of an answer: a map with the key `error`.
fn error_value(why: &str) -> Vec<u8> {
    value::encode(&Value::Map(vec![("error".into(), why.into())]))
}

/// Where answers come from.
enum Answerer {
    Value(Vec<u8>),
    Echo,
    Exec { command: exec::Exec, format: InputFormat },
}

impl Answerer {
    fn new(arguments: &args::Reply) -> Result<Self, Failure> {
        let args::Answer { value, echo: _, exec } = &arguments.answer;
        let format = arguments.format;
        // Exactly one of the three is given: the arguments' group sees to that.
        Ok(match (value, exec) {
            (Some(text), _) => Answerer::Value(argument(text, format)?),
            (None, Some(command)) => {
                let command = exec::Exec { command: command.clone(), timeout: arguments.exec_timeout };
                Answerer::Exec { command, format }
            }
            (None, None) => Answerer::Echo,
        })
    }

    async fn answer(&self, request: &Message) -> Result<Vec<u8>, String> {
        match self {
            Answerer::Value(value) => Ok(value.clone()),
            Answerer::Echo => Ok(request.value().to_vec()),
            Answerer::Exec { command, format } => {
                let printed = command
                    .run(request.topic(), raw(request.value()))
                    .await
                    .map_err(|error| error.to_string())?;
                value::from_bytes(input::without_line_end(&printed, *format), *format)
                    .map_err(|error| format!("what the command printed is {error}"))
            }
        }
    }
}
