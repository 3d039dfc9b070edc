//! A MessagePack value as compact JSON, coloured by type where a terminal shows it.
//!
//! Invariants: the text is valid JSON on one line, whatever the value; no control character, and none that reorders text,
//! is in it unescaped; an object's keys stand in the order in which they were published. What JSON cannot say is an object
//! with one key that begins with `$`: see [`write_value`].

use std::fmt::Write as _;

use rmpv::ValueRef;

use super::{Paint, Palette, text};
use crate::value::{DEPTH_MAX, hex};

/// Appends the value as JSON.
///
/// Bytes are `{"$bin": hex}`, extensions `{"$ext": [type, hex]}`, a string that is not UTF-8 `{"$str": hex}`, a number that is
/// not finite `{"$float": "NaN"}`, and a value that is not one MessagePack value, or is nested deeper than this program follows,
/// `{"$msgpack": hex}` of all of it. A map's key that is not a string is its own JSON text, as a string.
pub(crate) fn write_value(out: &mut String, msgpack: &[u8], palette: Palette) {
    let mut rest = msgpack;
    match rmpv::decode::read_value_ref_with_max_depth(&mut rest, DEPTH_MAX) {
        Ok(value) if rest.is_empty() => Writer { out, palette }.value(&value),
        _ => Writer { out, palette }.special("$msgpack", |out| string(out, &hex(msgpack))),
    }
}

/// The value as JSON without colour.
pub(crate) fn to_text(msgpack: &[u8]) -> String {
    let mut out = String::new();
    write_value(&mut out, msgpack, Palette::plain());
    out
}

/// Appends a JSON string, quotes included.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if text::is_unsafe(char) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// Appends bytes as JSON: a string where they are UTF-8, else `{"$bin": hex}`.
pub(crate) fn text_or_bytes(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => Writer { out, palette: Palette::plain() }.special("$bin", |out| string(out, &hex(bytes))),
    }
}

/// Recursive: the depth is bounded by [`DEPTH_MAX`], which the reader checked.
struct Writer<'a> {
    out: &'a mut String,
    palette: Palette,
}

impl Writer<'_> {
    fn value(&mut self, value: &ValueRef<'_>) {
        match value {
            ValueRef::Nil => self.plain(Paint::Null, "null"),
            ValueRef::Boolean(value) => self.plain(Paint::Bool, if *value { "true" } else { "false" }),
            ValueRef::Integer(value) => self.plain(Paint::Number, &value.to_string()),
            ValueRef::F32(value) => {
                self.float(value.is_finite(), f64::from(*value), serde_json::to_string(value));
            }
            ValueRef::F64(value) => self.float(value.is_finite(), *value, serde_json::to_string(value)),
            ValueRef::String(value) => match value.as_str() {
                Some(text) => self.paint(Paint::Text, |out| string(out, text)),
                None => self.special("$str", |out| string(out, &hex(value.as_bytes()))),
            },
            ValueRef::Binary(bytes) => self.special("$bin", |out| string(out, &hex(bytes))),
            ValueRef::Ext(kind, bytes) => self.special("$ext", |out| {
                // Writing to a String does not fail.
                let _ = write!(out, "[{kind},\"{}\"]", hex(bytes));
            }),
            ValueRef::Array(values) => {
                self.out.push('[');
                for (index, value) in values.iter().enumerate() {
                    self.comma(index);
                    self.value(value);
                }
                self.out.push(']');
            }
            ValueRef::Map(entries) => {
                self.out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comma(index);
                    self.key(key);
                    self.value(value);
                }
                self.out.push('}');
            }
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
    }

    fn key(&mut self, key: &ValueRef<'_>) {
        let other;
        let name = match key {
            ValueRef::String(text) if text.is_str() => text.as_str().unwrap_or_default(),
            _ => {
                let mut text = String::new();
                Writer { out: &mut text, palette: Palette::plain() }.value(key);
                other = text;
                &other
            }
        };
        self.paint(Paint::Key, |out| string(out, name));
        self.out.push(':');
    }

    /// JSON has no word for a number that is not finite.
    fn float(&mut self, finite: bool, value: f64, text: serde_json::Result<String>) {
        match text {
            Ok(text) if finite => self.plain(Paint::Number, &text),
            _ => {
                let name = if value.is_nan() {
                    "NaN"
                } else if value > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                };
                self.special("$float", |out| string(out, name));
            }
        }
    }

    fn special(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        self.paint(Paint::Special, |out| {
            out.push('{');
            string(out, key);
            out.push(':');
            write(out);
            out.push('}');
        });
    }

    fn plain(&mut self, paint: Paint, text: &str) {
        self.paint(paint, |out| out.push_str(text));
    }

    fn paint(&mut self, paint: Paint, write: impl FnOnce(&mut String)) {
        self.out.push_str(self.palette.start(paint));
        write(self.out);
        self.out.push_str(self.palette.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{InputFormat, from_argument};

    /// `msgpack` in hexadecimal digits.
    #[track_caller]
    fn check(msgpack: &str, expected: &str) {
        let value = match from_argument(msgpack, InputFormat::Hex) {
            // Without the two bytes of the `bin 8` header: the digits themselves.
            Ok(bin) => bin[2..].to_vec(),
            Err(error) => panic!("{msgpack}: {error}"),
        };
        let text = to_text(&value);
        assert_eq!(text, expected, "{msgpack}");
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(parsed.is_ok(), "{text} is JSON");
    }

    #[test]
    fn values_that_json_has() {
        check("c0", "null");
        check("c2", "false");
        check("c3", "true");
        check("07", "7");
        check("ff", "-1");
        check("cfffffffffffffffff", "18446744073709551615");
        check("d38000000000000000", "-9223372036854775808");
        check("cb3fe0000000000000", "0.5");
        check("cb4000000000000000", "2.0");
        check("ca3dcccccd", "0.1");
        check("a0", "\"\"");
        check("a26869", "\"hi\"");
        check("90", "[]");
        check("930102c0", "[1,2,null]");
        check("80", "{}");
        check("82a16201a1619102", "{\"b\":1,\"a\":[2]}");
    }

    #[test]
    fn values_that_json_has_not() {
        check("c4020aff", "{\"$bin\":\"0aff\"}");
        check("a2ff00", "{\"$str\":\"ff00\"}");
        check("d4052a", "{\"$ext\":[5,\"2a\"]}");
        check("d6ff00000001", "{\"$ext\":[-1,\"00000001\"]}");
        check("cb7ff8000000000000", "{\"$float\":\"NaN\"}");
        check("cb7ff0000000000000", "{\"$float\":\"Infinity\"}");
        check("caff800000", "{\"$float\":\"-Infinity\"}");
        check("82 01 02 91c3 c0", "{\"1\":2,\"[true]\":null}");
        check("81 c401aa 01", "{\"{\\\"$bin\\\":\\\"aa\\\"}\":1}");
    }

    #[test]
    fn what_is_no_value_is_shown_as_it_is() {
        check("92 01", "{\"$msgpack\":\"9201\"}");
        check("01 02", "{\"$msgpack\":\"0102\"}");
        check("", "{\"$msgpack\":\"\"}");
        let deep = [vec![0x91; 100_000], vec![1]].concat();
        assert!(to_text(&deep).starts_with("{\"$msgpack\":\"9191"));
    }

    #[test]
    fn what_moves_a_cursor_or_turns_text_around_is_escaped() {
        let value = crate::value::encode_text("\x1b[2J\x07\u{9b}\u{7f}\u{202e}a\u{e0041}\n\t\"\\ä");
        assert_eq!(
            to_text(&value),
            "\"\\u001b[2J\\u0007\\u009b\\u007f\\u202ea\\udb40\\udc41\\n\\t\\\"\\\\ä\""
        );
    }

    #[test]
    fn colours_go_by_type_and_end() {
        let mut out = String::new();
        let value = from_argument("{\"a\":[1,\"x\",null,true]}", InputFormat::Json);
        write_value(&mut out, &value.unwrap_or_default(), Palette::coloured());
        assert_eq!(
            out,
            "{\x1b[34m\"a\"\x1b[0m:[\x1b[36m1\x1b[0m,\x1b[32m\"x\"\x1b[0m,\x1b[2mnull\x1b[0m,\x1b[33mtrue\x1b[0m]}"
        );
    }
}
