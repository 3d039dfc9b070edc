//! `broker clear`: has the broker forget the retained messages of topics.

use crate::{args, exit::Failure, session::Session};

/// Prints how many there were.
///
/// # Errors
/// The pattern is none, or the broker refuses it, does not answer in time or went away.
pub(crate) async fn run(arguments: &args::Clear, session: &mut Session) -> Result<(), Failure> {
    let timeout = session.answer_timeout();
    let connection = session.connect().await?;
    let Ok(cleared) = tokio::time::timeout(timeout, connection.client.clear(&arguments.pattern)).await else {
        let text = format_args!("the broker did not answer within {timeout:?}");
        return Err(Failure::timed_out(text));
    };
    let cleared = cleared.map_err(|error| Failure::from(error).context(&arguments.pattern))?;
    session.out.line(&cleared.to_string())
}
