//! `broker sub`: prints messages as they come.
//!
//! Invariant: what is printed is handed on before the command waits for more, so that a pipe sees each message at once; and
//! lag is told, while it happens and in sum at the end.

mod combine;

use broker_client::{Client, Message, SubscribeError, SubscribeOptions, Subscription};
use futures_util::{FutureExt, StreamExt, stream::SelectAll};
use tokio::time::Instant;

use crate::{
    args,
    exit::{Exit, Failure},
    print::{
        Notes, Output,
        message::{OutputFormat, View, raw},
        text, time,
    },
    session::{Connection, Session, WhenLost},
};

/// Prints messages until `--count`, `--timeout`, a signal, or the end of the connection.
///
/// # Errors
/// A pattern is none, the time is up before the messages were there, the connection is lost.
pub(crate) async fn run(arguments: &args::Subscribe, session: &mut Session) -> Result<(), Failure> {
    if arguments.null && arguments.format != OutputFormat::Raw {
        return Err(Failure::new(Exit::Usage, "--null is about the values of --format raw")
            .hint("the other formats never hold a new line inside a message"));
    }
    let connection = session.connect_to_listen(WhenLost::from_option(arguments.reconnect)).await?;
    let mut messages = subscribe(arguments, &connection.client).await?;
    for subscription in &messages {
        session.notes.detail(format_args!("subscribed to {}", subscription.pattern()));
    }
    let deadline = session.timeout.map(|timeout| Instant::now() + timeout);
    let printer = Printer { format: arguments.format, null: arguments.null, notes: session.notes };
    let mut left = Left { messages: arguments.count, printed: 0 };
    let result = print_all(&mut messages, &connection, deadline, &printer, &mut left, &mut session.out).await;
    let missed: u64 = messages.iter().map(Subscription::missed).sum();
    if missed > 0 {
        session.notes.warn(format_args!("missed {} in all", text::count(missed, "message")));
    }
    match result {
        Ok(End::Counted) => Ok(()),
        // Whoever gives only a time wants to see what comes in it; nothing at all is not what anybody waits for.
        Ok(End::TimeIsUp) if arguments.count.is_none() && left.printed > 0 => Ok(()),
        Ok(End::TimeIsUp) => {
            let wanted = arguments.count.unwrap_or(1);
            Err(Failure::new(
                Exit::TimedOut,
                format_args!("time is up after {} of {wanted} messages", left.printed),
            ))
        }
        Err(failure) => Err(failure),
    }
}

/// Together where that is possible, so that no message comes twice; else each pattern on its own.
async fn subscribe(arguments: &args::Subscribe, client: &Client) -> Result<SelectAll<Subscription>, Failure> {
    let mut options = SubscribeOptions::new().meta(true).retained(!arguments.no_retained);
    if let Some(group) = &arguments.group {
        options = options.group(group);
    }
    if let Some(policy) = arguments.policy {
        options = options.policy(policy);
    }
    if let Some(max_rate) = arguments.max_rate {
        options = options.max_rate(max_rate);
    }
    if let Some(combined) = combine::combine(&arguments.patterns).filter(|it| *it != arguments.patterns) {
        match subscribe_each(&combined, &options, client).await {
            Ok(all) => return Ok(all),
            // Too complex together, or one of them is wrong: on its own it is named in the error.
            Err((SubscribeError::Pattern(_) | SubscribeError::Refused { .. }, _)) => {}
            Err((error, _)) => return Err(error.into()),
        }
    }
    subscribe_each(&arguments.patterns, &options, client)
        .await
        .map_err(|(error, pattern)| Failure::from(error).context(pattern))
}

/// Says of which pattern an error is.
async fn subscribe_each(
    patterns: &[String],
    options: &SubscribeOptions,
    client: &Client,
) -> Result<SelectAll<Subscription>, (SubscribeError, String)> {
    let mut all = SelectAll::new();
    for pattern in patterns {
        match client.subscribe_with(pattern, options.clone()).await {
            Ok(subscription) => all.push(subscription),
            Err(error) => return Err((error, pattern.clone())),
        }
    }
    Ok(all)
}

/// Why the printing ended.
enum End {
    Counted,
    TimeIsUp,
}

struct Left {
    /// `None` for no end.
    messages: Option<u64>,
    printed: u64,
}

async fn print_all(
    messages: &mut SelectAll<Subscription>,
    connection: &Connection,
    deadline: Option<Instant>,
    printer: &Printer,
    left: &mut Left,
    out: &mut Output,
) -> Result<End, Failure> {
    loop {
        let message = if let Some(message) = messages.next().now_or_never() {
            message
        } else {
            out.flush()?;
            tokio::select! {
                message = messages.next() => message,
                () = sleep_until(deadline) => return Ok(End::TimeIsUp),
            }
        };
        // Subscriptions end with the connection, after what had arrived.
        let Some(message) = message else { return Err(connection.lost().await) };
        printer.print(&message, out)?;
        left.printed += 1;
        if left.messages.is_some_and(|count| left.printed >= count) {
            return Ok(End::Counted);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(End::TimeIsUp);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

struct Printer {
    format: OutputFormat,
    null: bool,
    notes: Notes,
}

impl Printer {
    fn print(&self, message: &Message, out: &mut Output) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Pretty => {
                let line = View::from(message).pretty(out.palette(), time::now_ms(), self.notes.is_verbose());
                out.line(&line)
            }
            OutputFormat::Json => out.line(&View::from(message).json()),
            OutputFormat::Raw => {
                out.bytes(&raw(message.value()))?;
                out.bytes(if self.null { b"\0" } else { b"\n" })
            }
            OutputFormat::Msgpack => out.bytes(message.value()),
        }
    }
}
