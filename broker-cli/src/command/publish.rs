//! `broker pub`: publishes an argument, or what comes on standard input.
//!
//! Invariant: success is only what the broker confirmed. The run ends with a flush, which tells of every message that was refused
//! or lost on the way; an input that is wrong in its middle does not keep what came before it from being flushed.

use std::io::{self, IsTerminal};

use broker_client::{Client, PublishOptions};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{
    args,
    exit::{Exit, Failure},
    input,
    print::{Output, text},
    session::{Connection, Session},
    value::{self, InputFormat},
};

/// Publishes everything and waits until the broker has confirmed it.
///
/// # Errors
/// The value is none, the broker refused a message, or it went away.
pub(crate) async fn run(arguments: &args::Publish, session: &mut Session) -> Result<(), Failure> {
    let value = match arguments.value.as_deref() {
        None | Some("-") => None,
        Some(_) if arguments.whole => {
            return Err(Failure::new(Exit::Usage, "--whole is about standard input, and there is a value")
                .hint("leave out the value, or --whole"));
        }
        Some(text) => Some(argument(text, arguments.format)?),
    };
    let connection = session.connect().await?;
    let mut publisher = Publisher::new(arguments, &connection.client);
    let result = if let Some(value) = value {
        publisher.publish(&value, &mut session.out).await
    } else {
        if io::stdin().is_terminal() {
            let what = if arguments.whole { "all of it is one message" } else { "each line is a message" };
            session.notes.note(format_args!("reading standard input: {what}, Ctrl-D ends"));
        }
        let input = input::read_values(arguments.format, arguments.whole);
        publish_input(input, &mut publisher, &connection, &mut session.out).await
    };
    let sent = text::count(publisher.published, "message");
    // The first error is the cause; the flush of a connection that is lost says only so.
    result.and(flush(&connection.client, session.answer_timeout()).await)?;
    session.notes.detail(format_args!("published {sent} to {}", arguments.topic));
    Ok(())
}

/// A value that was given on the command line.
///
/// # Errors
/// It is none in this format: wrong usage.
pub(crate) fn argument(text: &str, format: InputFormat) -> Result<Vec<u8>, Failure> {
    value::from_argument(text, format).map_err(|error| Failure::new(Exit::Usage, error).context("the value"))
}

async fn publish_input(
    mut input: mpsc::Receiver<input::Batch>,
    publisher: &mut Publisher<'_>,
    connection: &Connection,
    out: &mut Output,
) -> Result<(), Failure> {
    loop {
        let batch = tokio::select! {
            batch = input.recv() => batch,
            // Whoever feeds the pipe may be silent for hours: tell at once.
            failure = connection.lost() => return Err(failure),
        };
        let Some(batch) = batch else { return Ok(()) };
        for value in batch? {
            publisher.publish(&value, out).await?;
        }
    }
}

/// Waits for the broker to confirm everything. The wait is for a sign of life, not for the transfer: it is as long as something goes out.
async fn flush(client: &Client, timeout: Duration) -> Result<(), Failure> {
    let mut flush = std::pin::pin!(client.flush());
    let mut sent = client.stats().bytes_out;
    loop {
        if let Ok(result) = tokio::time::timeout(timeout, &mut flush).await {
            return Ok(result?);
        }
        let now = client.stats().bytes_out;
        if now == sent {
            let text = format_args!("the broker did not confirm within {timeout:?}");
            return Err(Failure::timed_out(text));
        }
        sent = now;
    }
}

struct Publisher<'a> {
    client: &'a Client,
    topic: &'a str,
    options: Option<PublishOptions>,
    count: u64,
    confirm: bool,
    pacer: Option<Pacer>,
    published: u64,
}

impl<'a> Publisher<'a> {
    fn new(arguments: &'a args::Publish, client: &'a Client) -> Self {
        Publisher {
            client,
            topic: &arguments.topic,
            options: options(arguments),
            count: arguments.count,
            confirm: arguments.confirm,
            pacer: arguments.rate.map(Pacer::new),
            published: 0,
        }
    }

    async fn publish(&mut self, value: &[u8], out: &mut Output) -> Result<(), Failure> {
        for _ in 0..self.count {
            if let Some(pacer) = &mut self.pacer {
                pacer.wait().await;
            }
            if self.confirm {
                let options = self.options.clone().unwrap_or_default();
                let sessions = self.client.publish_raw_confirmed(self.topic, value, options).await?;
                out.line(&sessions.to_string())?;
                out.flush()?;
            } else if let Some(options) = &self.options {
                self.client.publish_raw_with(self.topic, value, options.clone()).await?;
            } else {
                self.client.publish_raw(self.topic, value).await?;
            }
            self.published += 1;
        }
        Ok(())
    }
}

/// `None` where the defaults do: such messages go out without options, the shortest way.
fn options(arguments: &args::Publish) -> Option<PublishOptions> {
    let plain = !arguments.no_retain && arguments.headers.is_empty() && arguments.key.is_none();
    if plain && arguments.ttl.is_none() {
        return None;
    }
    let mut options = PublishOptions::new();
    if arguments.no_retain {
        options = options.retain(false);
    }
    for (name, value) in &arguments.headers {
        options = options.header(name, value);
    }
    if let Some(key) = &arguments.key {
        options = options.key(key.as_bytes());
    }
    if let Some(ttl) = arguments.ttl {
        options = options.ttl(ttl);
    }
    Some(options)
}

/// A steady schedule: message n is due n intervals after the first, whatever the ones before it took.
struct Pacer {
    per_second: f64,
    start: Option<Instant>,
    sent: u64,
}

impl Pacer {
    fn new(per_second: f64) -> Self {
        Pacer { per_second, start: None, sent: 0 }
    }

    async fn wait(&mut self) {
        // The schedule begins with the first message, which may come long after the program's start.
        let start = *self.start.get_or_insert_with(Instant::now);
        tokio::time::sleep_until(start + self.due()).await;
        self.sent += 1;
    }

    /// When the next message is due, from the start.
    fn due(&self) -> Duration {
        // Exact up to 2^53 messages.
        #[allow(clippy::cast_precision_loss)]
        let seconds = self.sent as f64 / self.per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift() {
        let mut pacer = Pacer::new(3.0);
        for (sent, due_ms) in [(0, 0), (1, 333), (3, 1_000), (3_000_000, 1_000_000_000)] {
            pacer.sent = sent;
            assert_eq!(pacer.due().as_millis(), due_ms, "{sent}");
        }
    }

    #[test]
    fn a_schedule_that_never_comes_is_no_panic() {
        let pacer = Pacer { sent: u64::MAX, ..Pacer::new(1e-7) };
        assert!(pacer.due() > Duration::from_secs(u64::from(u32::MAX)));
    }

    #[tokio::test]
    async fn waiting_counts() {
        let mut pacer = Pacer::new(1e12);
        pacer.wait().await;
        pacer.wait().await;
        assert_eq!(pacer.sent, 2);
    }
}
