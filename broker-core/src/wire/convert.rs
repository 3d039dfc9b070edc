//! What a native value becomes for subscribers of text protocols: the content of a str or a bin, and JSON for all else.
//!
//! Nothing here recurses: values nest as deep as the limits allow.

use std::fmt::Write;

use crate::wire::native::{Kind, head};

/// The bytes of one MessagePack value as the payload of a text protocol: where they are content of the value itself, a part of it, else
/// JSON, written to `scratch`, which is cleared.
pub(crate) fn payload<'a>(value: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if let Ok(Some(first)) = head(value)
        && matches!(first.kind, Kind::Str | Kind::Bin)
    {
        return value.get(first.header..first.header + first.content).unwrap_or_default();
    }
    let mut text = String::new();
    json(value, &mut text);
    scratch.clear();
    scratch.extend_from_slice(text.as_bytes());
    scratch
}

/// An array or a map that is open.
struct Open {
    /// Values that are still to come.
    left: u64,
    is_map: bool,
    /// The next one is its first.
    is_first: bool,
}

/// Appends one MessagePack value as JSON. What JSON does not have: a bin is a string of base64, an ext an object of `type` and `data`, a
/// float that is no number is null, the name of an entry that is not a str is its JSON as a string.
pub(crate) fn json(value: &[u8], out: &mut String) {
    let mut rest = value;
    let mut open: Vec<Open> = Vec::new();
    // Whole values only come here: an end before the end is a fault of the caller's, and ends the text.
    while let Ok(Some(first)) = head(rest) {
        let is_key = open.last_mut().is_some_and(separate(out));
        let Some((whole, behind)) = rest.split_at_checked(first.header + first.content) else { break };
        match first.kind {
            Kind::Array | Kind::Map if is_key => {
                let Some(end) = crate::wire::native::value_end(rest, usize::MAX).ok().flatten() else {
                    break;
                };
                let key = rest.get(..end).unwrap_or_default();
                string(out, &base64(key));
                rest = rest.get(end..).unwrap_or_default();
            }
            Kind::Array | Kind::Map => {
                let is_map = first.kind == Kind::Map;
                out.push(if is_map { '{' } else { '[' });
                rest = behind;
                open.push(Open { left: first.children, is_map, is_first: true });
            }
            kind => {
                scalar(kind, whole, first.header, is_key, out);
                rest = behind;
            }
        }
        while let Some(innermost) = open.last()
            && innermost.left == 0
        {
            out.push(if innermost.is_map { '}' } else { ']' });
            open.pop();
        }
        if open.is_empty() {
            break;
        }
    }
}

/// Writes what stands before the next value, and says whether that is the name of an entry.
fn separate(out: &mut String) -> impl FnOnce(&mut Open) -> bool + '_ {
    |open| {
        let is_key = open.is_map && open.left % 2 == 0;
        if open.is_map && !is_key {
            out.push(':');
        } else if !open.is_first {
            out.push(',');
        }
        open.is_first = false;
        open.left -= 1;
        is_key
    }
}

/// A value without children.
fn scalar(kind: Kind, whole: &[u8], header: usize, is_key: bool, out: &mut String) {
    let content = whole.get(header..).unwrap_or_default();
    if kind == Kind::Str {
        return string(out, &String::from_utf8_lossy(content));
    }
    if kind == Kind::Bin {
        return string(out, &base64(content));
    }
    let start = out.len();
    match kind {
        Kind::Nil => out.push_str("null"),
        Kind::Bool => out.push_str(if whole == [0xc3] { "true" } else { "false" }),
        Kind::Unsigned => number(out, &unsigned(whole)),
        Kind::Signed => number(out, &signed(whole)),
        Kind::Float => float(out, content),
        _ => {
            let (kind, data) =
                content.split_first().map_or((0, content), |(&kind, data)| (kind.cast_signed(), data));
            number(out, &format_args!("{{\"type\":{kind},\"data\":\"{}\"}}", base64(data)));
        }
    }
    if is_key {
        let text = out.split_off(start);
        string(out, &text);
    }
}

fn number(out: &mut String, number: &dyn std::fmt::Display) {
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok(), "writing into a String does not fail");
}

fn unsigned(whole: &[u8]) -> u64 {
    match whole {
        &[fix] => u64::from(fix),
        [_, digits @ ..] => big_endian(digits),
        [] => 0,
    }
}

fn signed(whole: &[u8]) -> i64 {
    match *whole {
        [fix] => i64::from(fix.cast_signed()),
        [_, a] => i64::from(a.cast_signed()),
        [_, a, b] => i64::from(i16::from_be_bytes([a, b])),
        [_, a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
        [_, ref digits @ ..] => big_endian(digits).cast_signed(),
        [] => 0,
    }
}

fn float(out: &mut String, content: &[u8]) {
    // The shorter one is not widened: 0.1 stays 0.1.
    let text = match content {
        &[a, b, c, d] => serde_json::to_string(&f32::from_be_bytes([a, b, c, d])),
        _ => serde_json::to_string(&f64::from_bits(big_endian(content))),
    };
    out.push_str(text.as_deref().unwrap_or("null"));
}

fn big_endian(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, &digit| number << 8 | u64::from(digit))
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => number(out, &format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// With padding, in the alphabet of RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = ALPHABET
                .get((bits >> (18 - 6 * place) & 63) as usize)
                .map_or('=', |&digit| char::from(digit));
            out.push(if place <= three.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], expected: &str) {
        let mut text = String::new();
        json(value, &mut text);
        assert_eq!(text, expected, "{value:x?}");
        serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
    }

    #[test]
    fn every_kind_of_value_has_json() {
        for (value, expected) in [
            (&b"\x07"[..], "7"),
            (b"\xcc\xff", "255"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xff", "-1"),
            (b"\xd0\x80", "-128"),
            (b"\xd1\xff\x00", "-256"),
            (b"\xd2\xff\xff\xff\xff", "-1"),
            (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
            (b"\xc0", "null"),
            (b"\xc2", "false"),
            (b"\xc3", "true"),
            (b"\xca\x3d\xcc\xcc\xcd", "0.1"),
            (b"\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00", "0.5"),
            (b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "null"),
            (b"\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "1e+300"),
            (b"\xa5a\"\\\n\x01", r#""a\"\\\n\u0001""#),
            (b"\xa1\xff", "\"\u{fffd}\""),
            (b"\xc4\x00", r#""""#),
            (b"\xc4\x01M", r#""TQ==""#),
            (b"\xc4\x02Ma", r#""TWE=""#),
            (b"\xc4\x03Man", r#""TWFu""#),
            (b"\xc4\x04\xfb\xff\xbf\xff", r#""+/+//w==""#),
            (b"\xd4\x05\x4d", r#"{"type":5,"data":"TQ=="}"#),
            (b"\xc7\x00\xff", r#"{"type":-1,"data":""}"#),
            (b"\x90", "[]"),
            (b"\x80", "{}"),
            (b"\x93\x01\x90\x91\x02", "[1,[],[2]]"),
            (b"\x82\xa1a\x92\x01\x80\xa1b\x81\xa1c\xc0", r#"{"a":[1,{}],"b":{"c":null}}"#),
            (b"\x83\x01\xa1x\xc0\xc2\xc4\x01M\x80", r#"{"1":"x","null":false,"TQ==":{}}"#),
            (b"\x81\x91\x01\x02", r#"{"kQE=":2}"#),
            (b"\xdc\x00\x01\xde\x00\x01\xd9\x01k\x07", r#"[{"k":7}]"#),
        ] {
            check(value, expected);
        }
    }

    #[test]
    fn depth_takes_no_stack() {
        let work = || {
            let mut deep = b"\x91".repeat(100_000);
            deep.push(0x90);
            let mut text = String::new();
            json(&deep, &mut text);
            assert_eq!(text.len(), 200_002);
        };
        std::thread::Builder::new().stack_size(64 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn content_is_not_copied() {
        let mut scratch = Vec::new();
        assert_eq!(payload(b"\xa2hi", &mut scratch), b"hi");
        assert_eq!(payload(b"\xc5\x00\x02hi", &mut scratch), b"hi");
        assert_eq!(scratch.capacity(), 0);
        assert_eq!(payload(b"\x91\x01", &mut scratch), b"[1]");
        assert_eq!(payload(b"\x02", &mut scratch), b"2");
    }
}
