//! The forms of one message: pretty for people, a JSON object on a line for programs, raw for pipes.
//!
//! Invariant: one message is one line, in `pretty` and in `json`.

use std::collections::BTreeMap;

use broker_client::Message;
use clap::ValueEnum;
use rmpv::ValueRef;

use super::{Paint, Palette, json, text, time};
use crate::value::DEPTH_MAX;

/// How messages are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people: time, topic and value
    #[default]
    Pretty,
    /// For programs: one JSON object a message, on one line
    Json,
    /// The value alone: the content of a string or of bytes, JSON for other values
    Raw,
    /// The value alone in MessagePack, one after another: what `pub --format msgpack` reads
    Msgpack,
}

/// A message as it is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What it was published to.
    pub topic: &'a str,
    /// Its value in MessagePack.
    pub value: &'a [u8],
    /// When the broker took it, in milliseconds since 1970.
    pub time: Option<u64>,
    /// Where answers go.
    pub reply: Option<&'a str>,
    /// Its headers.
    pub headers: Option<&'a BTreeMap<String, String>>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Sent because of the subscription, not because it was published now.
    pub retained: bool,
}

impl<'a> From<&'a Message> for View<'a> {
    fn from(message: &'a Message) -> Self {
        let meta = message.meta();
        View {
            topic: message.topic(),
            value: message.value(),
            time: meta.map(|meta| meta.time),
            reply: message.reply(),
            headers: meta.map(|meta| &meta.headers).filter(|headers| !headers.is_empty()),
            key: meta.and_then(|meta| meta.key.as_deref()),
            retained: meta.is_some_and(|meta| meta.retained),
        }
    }
}

impl View<'_> {
    /// Time, topic and value; with `details` also what else there is to know of the message.
    pub(crate) fn pretty(&self, palette: Palette, now_ms: u64, details: bool) -> String {
        let mut line = String::new();
        if let Some(time) = self.time {
            palette.paint(&mut line, Paint::Dim, &time::clock(time, now_ms));
            line.push_str("  ");
        }
        palette.paint(&mut line, Paint::Topic, &text::clean(self.topic));
        line.push_str("  ");
        json::write_value(&mut line, self.value, palette);
        if details {
            let mut fields = String::new();
            self.meta_fields(&mut fields);
            if let Some(fields) = fields.strip_prefix(',') {
                line.push_str("  ");
                palette.paint(&mut line, Paint::Dim, &format!("{{{fields}}}"));
            }
        }
        line
    }

    /// An object with `topic`, `value`, and those of `time`, `reply`, `headers`, `key`, `retained` that apply.
    pub(crate) fn json(&self) -> String {
        let mut line = String::from("{\"topic\":");
        json::string(&mut line, self.topic);
        line.push_str(",\"value\":");
        json::write_value(&mut line, self.value, Palette::plain());
        if let Some(time) = self.time {
            line.push_str(",\"time\":");
            line.push_str(&time.to_string());
        }
        self.meta_fields(&mut line);
        line.push('}');
        line
    }

    /// Each with a comma in front.
    fn meta_fields(&self, out: &mut String) {
        if let Some(reply) = self.reply {
            out.push_str(",\"reply\":");
            json::string(out, reply);
        }
        if let Some(headers) = self.headers {
            out.push_str(",\"headers\":{");
            for (index, (name, value)) in headers.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json::string(out, name);
                out.push(':');
                json::string(out, value);
            }
            out.push('}');
        }
        if let Some(key) = self.key {
            out.push_str(",\"key\":");
            json::text_or_bytes(out, key);
        }
        if self.retained {
            out.push_str(",\"retained\":true");
        }
    }
}

/// The content of a string or of bytes; other values as JSON.
pub(crate) fn raw(msgpack: &[u8]) -> Vec<u8> {
    let mut rest = msgpack;
    match rmpv::decode::read_value_ref_with_max_depth(&mut rest, DEPTH_MAX) {
        Ok(ValueRef::String(text)) if rest.is_empty() => text.as_bytes().to_vec(),
        Ok(ValueRef::Binary(bytes)) if rest.is_empty() => bytes.to_vec(),
        _ => json::to_text(msgpack).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{InputFormat, encode_text, from_argument};

    const NOON: u64 = 43_200_000;

    fn view<'a>(topic: &'a str, value: &'a [u8]) -> View<'a> {
        View { topic, value, time: Some(NOON), reply: None, headers: None, key: None, retained: false }
    }

    #[test]
    fn pretty_is_time_topic_value() {
        let value = from_argument("{\"Foo\": 0.5}", InputFormat::Json).unwrap();
        assert_eq!(
            view("my-topic", &value).pretty(Palette::plain(), NOON, true),
            "12:00:00.000Z  my-topic  {\"Foo\":0.5}"
        );
        assert_eq!(
            view("my-topic", &[0xc3]).pretty(Palette::coloured(), NOON, false),
            "\x1b[2m12:00:00.000Z\x1b[0m  \x1b[1mmy-topic\x1b[0m  \x1b[33mtrue\x1b[0m"
        );
    }

    #[test]
    fn pretty_never_hands_a_terminal_what_a_publisher_wrote() {
        let value = encode_text("\x1b[2J\u{9b}2J");
        let line = view("a\x1b[31m\r\nb", &value).pretty(Palette::plain(), NOON, true);
        assert!(!line.contains(text::is_unsafe), "{line:?}");
    }

    #[test]
    fn details_are_what_applies() {
        let headers =
            BTreeMap::from([("unit".to_string(), "°C".to_string()), ("a\n".to_string(), String::new())]);
        let view = View {
            reply: Some("!inbox/1"),
            headers: Some(&headers),
            key: Some(b"k"),
            retained: true,
            ..view("t", &[0xc0])
        };
        let meta = r#""reply":"!inbox/1","headers":{"a\n":"","unit":"°C"},"key":"k","retained":true"#;
        assert_eq!(view.pretty(Palette::plain(), NOON, true), format!("12:00:00.000Z  t  null  {{{meta}}}"));
        assert_eq!(view.pretty(Palette::plain(), NOON, false), "12:00:00.000Z  t  null");
        assert_eq!(view.json(), format!(r#"{{"topic":"t","value":null,"time":43200000,{meta}}}"#));
    }

    #[test]
    fn json_is_one_object_on_a_line() {
        let value = encode_text("a\n\x1b");
        let line = View { key: Some(b"\xff"), time: None, ..view("t\"\n", &value) }.json();
        assert_eq!(line, r#"{"topic":"t\"\n","value":"a\n\u001b","key":{"$bin":"ff"}}"#);
    }

    #[test]
    fn raw_is_the_content() {
        for (text, format, expected) in [
            ("hi\nthere", InputFormat::Text, b"hi\nthere".to_vec()),
            ("00ff", InputFormat::Hex, vec![0, 255]),
            ("[1, \"a\"]", InputFormat::Json, b"[1,\"a\"]".to_vec()),
            ("null", InputFormat::Json, b"null".to_vec()),
        ] {
            assert_eq!(raw(&from_argument(text, format).unwrap()), expected, "{text}");
        }
        assert_eq!(raw(b"\xa2\xff\x00"), b"\xff\x00");
        assert_eq!(raw(b"\x01\x02"), b"{\"$msgpack\":\"0102\"}");
    }
}
