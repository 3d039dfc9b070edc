//! `broker metrics`: what the broker publishes about itself each second; lbroker's `log-metrics`.
//!
//! A second's metrics come as one message each, close together. Invariant: a metric that comes again, or a pause, begins the
//! next second, so that each line of `--json` holds one second and no name twice.

use std::{collections::BTreeMap, time::Duration};

use broker_client::{Message, SubscribeOptions, Subscription};

use crate::{
    args,
    exit::{Exit, Failure},
    print::{Paint, Palette, json, text, time},
    session::Session,
};

const PREFIX: &str = "!system/metrics/";

/// A pause of this length ends a second's metrics: much longer than between two of them, much shorter than to the next second.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints the metrics each second until a signal, or once.
///
/// # Errors
/// No broker, or one that publishes no metrics.
pub(crate) async fn run(arguments: &args::Metrics, session: &mut Session) -> Result<(), Failure> {
    let timeout = session.answer_timeout();
    let connection = session.connect().await?;
    let options = SubscribeOptions::new().meta(true);
    let mut seconds = Seconds {
        messages: connection.client.subscribe_with(&format!("{PREFIX}*"), options).await?,
        next: None,
    };
    loop {
        let second = match tokio::time::timeout(timeout, seconds.recv()).await {
            Ok(Some(second)) => second,
            Ok(None) => return Err(connection.lost().await),
            Err(_) => {
                let text = format_args!("the broker published no metrics within {timeout:?}");
                return Err(Failure::new(Exit::TimedOut, text));
            }
        };
        if arguments.json {
            session.out.line(&second.json())?;
        } else {
            session.out.bytes(second.lines(session.out.palette(), time::now_ms()).as_bytes())?;
        }
        session.out.flush()?;
        if arguments.once {
            return Ok(());
        }
    }
}

/// The metrics of one second.
#[derive(Default)]
struct Second {
    /// The newest of their times.
    time_ms: u64,
    /// Name to value in MessagePack.
    values: BTreeMap<String, Vec<u8>>,
}

impl Second {
    /// False if the name is there already.
    fn add(&mut self, name: &str, value: &[u8], time_ms: u64) -> bool {
        if self.values.contains_key(name) {
            return false;
        }
        self.values.insert(name.to_string(), value.to_vec());
        self.time_ms = self.time_ms.max(time_ms);
        true
    }

    /// Time, name and value of each, one on a line.
    fn lines(&self, palette: Palette, now_ms: u64) -> String {
        let width = self.values.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        let clock = time::clock(self.time_ms, now_ms);
        let mut lines = String::new();
        for (name, value) in &self.values {
            palette.paint(&mut lines, Paint::Dim, &clock);
            lines.push_str("  ");
            palette.paint(&mut lines, Paint::Topic, &format!("{:width$}", text::clean(name)));
            lines.push_str("  ");
            json::write_value(&mut lines, value, palette);
            lines.push('\n');
        }
        lines
    }

    /// An object: `time`, then each name with its value.
    fn json(&self) -> String {
        let mut line = format!("{{\"time\":{}", self.time_ms);
        for (name, value) in &self.values {
            line.push(',');
            json::string(&mut line, name);
            line.push(':');
            json::write_value(&mut line, value, Palette::plain());
        }
        line.push('}');
        line
    }
}

struct Seconds {
    messages: Subscription,
    /// The first of the next second.
    next: Option<Message>,
}

impl Seconds {
    /// `None` when the connection is closed.
    async fn recv(&mut self) -> Option<Second> {
        let mut second = Second::default();
        let mut message = match self.next.take() {
            Some(message) => message,
            None => self.messages.recv().await?,
        };
        loop {
            let name = message.topic().strip_prefix(PREFIX).unwrap_or_default();
            let time_ms = message.meta().map_or(0, |meta| meta.time);
            if !second.add(name, message.value(), time_ms) {
                self.next = Some(message);
                return Some(second);
            }
            match tokio::time::timeout(PAUSE, self.messages.recv()).await {
                Ok(Some(following)) => message = following,
                // A pause, or the end: the end comes again with the next call.
                Ok(None) | Err(_) => return Some(second),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_each_name_once() {
        let mut second = Second::default();
        assert!(second.add("messages-in", &[7], 1_000));
        assert!(second.add("cpu", &[0xca, 0x3d, 0xcc, 0xcc, 0xcd], 1_001));
        assert!(!second.add("cpu", &[8], 2_000));
        assert_eq!(second.json(), r#"{"time":1001,"cpu":0.1,"messages-in":7}"#);
        assert_eq!(
            second.lines(Palette::plain(), 0),
            "00:00:01.001Z  cpu          0.1\n00:00:01.001Z  messages-in  7\n"
        );
    }
}
