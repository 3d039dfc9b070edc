//! `broker topics`: the topics that have a retained message.
//!
//! Subscribes with the retained messages and reads up to a round trip: the answer to a flush comes after all of them, so
//! the list is complete, however long it is. `!system/topics` would show 1,000 at most. Invariant: a list of which the broker
//! or this program had to drop a part is never passed off as a whole one.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use broker_client::{Message, SubscribeOptions, Subscription};

use crate::{
    args,
    exit::{Exit, Failure},
    print::{Paint, Palette, json, text, time},
    session::{Connection, Session},
};

/// How many messages may wait here. The broker keeps no more topics than this by default; it bounds one last look into the queue too.
const WAITING_MESSAGES_MAX: usize = 1 << 20;

/// How many bytes of messages may wait here. Guessed: a terminal's machine has them to spare for a second.
const WAITING_BYTES_MAX: usize = 512 << 20;

/// A value is shown up to this length, in characters: the rest of the line on a wide terminal.
const VALUE_CHARS_MAX: usize = 64;

/// Topics are aligned up to this length, in characters.
const TOPIC_CHARS_ALIGNED_MAX: usize = 48;

/// Prints one line a topic, in the order of the topics.
///
/// # Errors
/// The pattern is none, the broker does not answer in time, or the list is not complete.
pub(crate) async fn run(arguments: &args::Topics, session: &mut Session) -> Result<(), Failure> {
    let timeout = session.answer_timeout();
    let connection = session.connect().await?;
    let options = SubscribeOptions::new()
        .meta(true)
        .buffer_messages(WAITING_MESSAGES_MAX)
        .buffer_bytes(WAITING_BYTES_MAX);
    let mut messages = connection
        .client
        .subscribe_with(&arguments.pattern, options)
        .await
        .map_err(|error| Failure::from(error).context(&arguments.pattern))?;
    let collected = collect(&mut messages, &connection, timeout, arguments.json).await?;
    if collected.is_empty() {
        session.notes.note(format_args!("no retained message matches {}", arguments.pattern));
    }
    let palette = session.out.palette();
    let now_ms = time::now_ms();
    let longest = collected.keys().map(|topic| text::clean(topic).chars().count()).max().unwrap_or(0);
    for (topic, row) in &collected {
        let line = if arguments.json {
            row.json(topic, now_ms)
        } else {
            row.pretty(topic, longest.min(TOPIC_CHARS_ALIGNED_MAX), palette, now_ms)
        };
        session.out.line(&line)?;
    }
    session.out.flush()?;
    match messages.missed() {
        0 => Ok(()),
        missed => {
            let missed = text::count(missed, "message");
            let text = format_args!("the list is not complete: {missed} dropped on the way");
            Err(Failure::new(Exit::Error, text).hint("name fewer topics"))
        }
    }
}

/// Gives up when nothing comes for `timeout`: a long list may take longer.
async fn collect(
    messages: &mut Subscription,
    connection: &Connection,
    timeout: Duration,
    whole_values: bool,
) -> Result<BTreeMap<String, Row>, Failure> {
    let mut topics = BTreeMap::new();
    let mut keep = |message: &Message| {
        topics.insert(message.topic().to_string(), Row::new(message, whole_values));
    };
    let mut flush = std::pin::pin!(connection.client.flush());
    loop {
        let message = tokio::select! {
            biased;
            answer = &mut flush => {
                answer?;
                break;
            }
            message = messages.recv() => message,
            () = tokio::time::sleep(timeout) => {
                let text = format_args!("the list is not complete, and nothing came for {timeout:?}");
                return Err(Failure::timed_out(text));
            }
        };
        match message {
            Some(message) => keep(&message),
            None => return Err(connection.lost().await),
        }
    }
    // What came before the answer waits here by now. Not until nothing comes: topics may be published to faster than this reads.
    for _ in 0..WAITING_MESSAGES_MAX {
        let Some(message) = messages.try_recv() else { break };
        keep(&message);
    }
    Ok(topics)
}

/// The newest message of a topic. Keeps of its value what will be printed, not the block of memory it came in.
struct Row {
    size: usize,
    time_ms: u64,
    value: Value,
}

enum Value {
    /// MessagePack.
    Whole(Box<[u8]>),
    /// JSON that was too long.
    Clipped(Box<str>),
}

impl Row {
    fn new(message: &Message, whole_values: bool) -> Self {
        let time_ms = message.meta().map_or(0, |meta| meta.time);
        Row { size: message.value().len(), time_ms, value: Value::new(message.value(), whole_values) }
    }

    fn age(&self, now_ms: u64) -> Duration {
        // The clocks of two machines differ: what is from the future is from now.
        Duration::from_millis(now_ms.saturating_sub(self.time_ms))
    }

    /// Topic, size, age, value, separated by two spaces or more.
    fn pretty(&self, topic: &str, topic_width: usize, palette: Palette, now_ms: u64) -> String {
        let topic = text::clean(topic);
        let mut line = String::new();
        palette.paint(&mut line, Paint::Topic, &topic);
        for _ in topic.chars().count()..topic_width {
            line.push(' ');
        }
        let (size, age) = (text::size(self.size), text::age(self.age(now_ms)));
        palette.paint(&mut line, Paint::Dim, &format!("  {size:>10}  {age:>4}"));
        line.push_str("  ");
        match &self.value {
            Value::Whole(value) => json::write_value(&mut line, value, palette),
            Value::Clipped(text) => line.push_str(text),
        }
        line
    }

    /// An object with `topic`, `size` in bytes, `age_ms`, `time` and `value`.
    fn json(&self, topic: &str, now_ms: u64) -> String {
        let mut line = String::from("{\"topic\":");
        json::string(&mut line, topic);
        let (size, age_ms, time_ms) = (self.size, self.age(now_ms).as_millis(), self.time_ms);
        // Writing to a String does not fail.
        let _ = write!(line, ",\"size\":{size},\"age_ms\":{age_ms},\"time\":{time_ms},\"value\":");
        match &self.value {
            Value::Whole(value) => json::write_value(&mut line, value, Palette::plain()),
            Value::Clipped(text) => json::string(&mut line, text),
        }
        line.push('}');
        line
    }
}

impl Value {
    fn new(msgpack: &[u8], whole: bool) -> Self {
        if !whole {
            let text = json::to_text(msgpack);
            let clipped = text::clip(&text, VALUE_CHARS_MAX);
            if clipped.len() < text.len() {
                return Value::Clipped(clipped.into());
            }
        }
        Value::Whole(msgpack.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::encode_text;

    fn row(msgpack: &[u8], whole: bool) -> Row {
        Row { size: msgpack.len(), time_ms: 1_000, value: Value::new(msgpack, whole) }
    }

    #[test]
    fn pretty_is_topic_size_age_value() {
        let line = row(&[0xc3], false).pretty("a/b", 6, Palette::plain(), 64_999);
        assert_eq!(line, "a/b            1 B   63s  true");
        // Longer than aligned, and from a clock that is ahead.
        let line = row(&[0xc3], false).pretty("a/b", 2, Palette::plain(), 0);
        assert_eq!(line, "a/b         1 B    0s  true");
    }

    #[test]
    fn long_values_are_clipped_for_people_and_whole_for_programs() {
        let long = encode_text(&"x".repeat(1000));
        let line = row(&long, false).pretty("t", 0, Palette::plain(), 1_000);
        assert!(line.ends_with(&format!("  \"{}…", "x".repeat(VALUE_CHARS_MAX - 2))), "{line}");
        let line = row(&long, true).json("t", 1_500);
        let value = "x".repeat(1000);
        assert_eq!(
            line,
            format!(r#"{{"topic":"t","size":1003,"age_ms":500,"time":1000,"value":"{value}"}}"#)
        );
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        let line = row(&encode_text("\x1b[2J"), false).pretty("a\x1b[31m\n", 9, Palette::plain(), 0);
        assert!(!line.contains(text::is_unsafe), "{line:?}");
    }
}
