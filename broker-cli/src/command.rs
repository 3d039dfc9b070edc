//! The commands: one file each; here is what they have in common.
//!
//! Owns the order of every run: work, or a signal; then what is buffered goes out and the broker hears goodbye; then the exit code.

mod clear;
mod completions;
mod metrics;
mod ping;
mod publish;
mod reply;
mod request;
mod subscribe;
mod topics;

use crate::{
    args::{Arguments, Command},
    exit::{Exit, Failure},
    interrupt,
    session::Session,
};

/// Runs the command and says how it ended; what went wrong is on standard error by then.
pub(crate) async fn run(arguments: &Arguments) -> Exit {
    let mut session = Session::new(arguments);
    let notes = session.notes;
    let result = match interrupt::listen() {
        Ok(signal) => tokio::select! {
            result = dispatch(&arguments.command, &mut session) => result,
            exit = signal => Err(Failure::silent(exit.unwrap_or(Exit::Interrupted))),
        },
        Err(error) => Err(Failure::new(Exit::Error, format_args!("cannot listen for signals: {error}"))),
    };
    let finished = session.finish().await;
    match result.and(finished) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            notes.failure(&failure);
            failure.exit()
        }
    }
}

async fn dispatch(command: &Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Publish(arguments) => publish::run(arguments, session).await,
        Command::Subscribe(arguments) => subscribe::run(arguments, session).await,
        Command::Request(arguments) => request::run(arguments, session).await,
        Command::Reply(arguments) => reply::run(arguments, session).await,
        Command::Topics(arguments) => topics::run(arguments, session).await,
        Command::Clear(arguments) => clear::run(arguments, session).await,
        Command::Metrics(arguments) => metrics::run(arguments, session).await,
        Command::Ping(arguments) => ping::run(arguments, session).await,
        Command::Completions(arguments) => completions::run(arguments, session),
    }
}
