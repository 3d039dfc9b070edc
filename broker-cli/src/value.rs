//! What a person types or pipes, turned into a message's value: one MessagePack value, as bytes.
//!
//! Owns the input formats of `pub`, `req` and `reply`. Does not read anything itself (that is `input`) and does not print.
//! Invariant: what comes out is exactly one MessagePack value, nested at most [`DEPTH_MAX`] deep.

use std::fmt;

use clap::ValueEnum;
use rmpv::Value;

/// Deepest nesting that is read or printed, in levels: what the protocol allows a value to have, and a few more so that the
/// broker is the one to refuse.
pub(crate) const DEPTH_MAX: usize = 160;

/// How the text of a value is to be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// JSON if it parses as JSON; else text; else, if it is not UTF-8, bytes
    #[default]
    Auto,
    /// JSON, refused if it does not parse
    Json,
    /// text: always a string, also where it looks like a number
    Text,
    /// bytes written as hexadecimal digits, with white space between them if you like
    Hex,
    /// MessagePack: on standard input its very bytes, as an argument in hexadecimal digits
    Msgpack,
}

/// Why something is not a value in the format that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ValueError {
    /// Not JSON; the text is the parser's.
    Json(String),
    /// Not UTF-8, where text or JSON was asked for.
    NotUtf8 {
        /// Offset of the first byte that is wrong.
        offset: usize,
    },
    /// Not a hexadecimal digit.
    NotHex {
        /// Offset of it, in bytes.
        offset: usize,
    },
    /// An odd number of hexadecimal digits.
    HexOdd {
        /// How many there were.
        digits: usize,
    },
    /// Not MessagePack; the text is the parser's.
    Msgpack(String),
    /// One MessagePack value, and something behind it.
    MsgpackTrailing {
        /// Length of the first value in bytes.
        value: usize,
        /// How many bytes follow it.
        rest: usize,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Json(why) => write!(f, "not JSON: {why}"),
            ValueError::NotUtf8 { offset } => write!(f, "not UTF-8 at byte {offset}"),
            ValueError::NotHex { offset } => write!(f, "not a hexadecimal digit at byte {offset}"),
            ValueError::HexOdd { digits } => write!(f, "an odd number of hexadecimal digits ({digits})"),
            ValueError::Msgpack(why) => write!(f, "not MessagePack: {why}"),
            ValueError::MsgpackTrailing { value, rest } => {
                write!(f, "one MessagePack value of {value} bytes, and {rest} more bytes behind it")
            }
        }
    }
}

impl std::error::Error for ValueError {}

/// One MessagePack value from an argument of the command line.
///
/// # Errors
/// The text is not a value in this format.
pub(crate) fn from_argument(text: &str, format: InputFormat) -> Result<Vec<u8>, ValueError> {
    match format {
        InputFormat::Msgpack => checked_msgpack(parse_hex(text.as_bytes())?),
        _ => from_bytes(text.as_bytes(), format),
    }
}

/// One MessagePack value from bytes that were read: a line, or a whole input.
///
/// # Errors
/// The bytes are not a value in this format.
pub(crate) fn from_bytes(bytes: &[u8], format: InputFormat) -> Result<Vec<u8>, ValueError> {
    match format {
        InputFormat::Auto => Ok(match std::str::from_utf8(bytes) {
            Err(_) => encode(&Value::Binary(bytes.to_vec())),
            Ok(text) => match parse_json(text) {
                Ok(value) => encode(&value),
                Err(_) => encode_text(text),
            },
        }),
        InputFormat::Json => Ok(encode(&parse_json(utf8(bytes)?)?)),
        InputFormat::Text => Ok(encode_text(utf8(bytes)?)),
        InputFormat::Hex => Ok(encode(&Value::Binary(parse_hex(bytes)?))),
        InputFormat::Msgpack => checked_msgpack(bytes.to_vec()),
    }
}

/// The MessagePack string of a text.
pub(crate) fn encode_text(text: &str) -> Vec<u8> {
    encode(&Value::from(text))
}

/// A value as MessagePack, each part in its shortest encoding.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match rmpv::encode::write_value(&mut out, value) {
        Ok(()) => out,
        Err(error) => unreachable!("writing to memory does not fail: {error}"),
    }
}

/// The digits of bytes, lower case, without separators: the inverse of the format `hex`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Keeps the order of an object's keys, which `serde_json::Value` would sort.
fn parse_json(text: &str) -> Result<Value, ValueError> {
    serde_json::from_str(text).map_err(|error| ValueError::Json(error.to_string()))
}

fn utf8(bytes: &[u8]) -> Result<&str, ValueError> {
    std::str::from_utf8(bytes).map_err(|error| ValueError::NotUtf8 { offset: error.valid_up_to() })
}

fn parse_hex(text: &[u8]) -> Result<Vec<u8>, ValueError> {
    let skip = if text.starts_with(b"0x") || text.starts_with(b"0X") { 2 } else { 0 };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut digits = 0_usize;
    let mut high = 0;
    for (offset, &byte) in text.iter().enumerate().skip(skip).filter(|(_, byte)| !byte.is_ascii_whitespace())
    {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(ValueError::NotHex { offset }),
        };
        if digits.is_multiple_of(2) {
            high = digit << 4;
        } else {
            bytes.push(high | digit);
        }
        digits += 1;
    }
    if digits.is_multiple_of(2) { Ok(bytes) } else { Err(ValueError::HexOdd { digits }) }
}

/// The same bytes, if they are exactly one value: they go out as they came in, in the encoding that their writer chose.
fn checked_msgpack(bytes: Vec<u8>) -> Result<Vec<u8>, ValueError> {
    let mut rest = bytes.as_slice();
    rmpv::decode::read_value_ref_with_max_depth(&mut rest, DEPTH_MAX)
        .map_err(|error| ValueError::Msgpack(error.to_string()))?;
    match rest.len() {
        0 => Ok(bytes),
        rest => Err(ValueError::MsgpackTrailing { value: bytes.len() - rest, rest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the MessagePack value in hexadecimal digits, or the text of the error.
    #[track_caller]
    fn check(format: InputFormat, text: &[u8], expected: &str) {
        let got = match from_bytes(text, format) {
            Ok(value) => hex(&value),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected, "{format:?} {}", String::from_utf8_lossy(text));
    }

    #[test]
    fn auto_is_json_then_text_then_bytes() {
        use InputFormat::Auto;
        check(Auto, b"true", "c3");
        check(Auto, b"null", "c0");
        check(Auto, b"0", "00");
        check(Auto, b"-1", "ff");
        check(Auto, b"300", "cd012c");
        check(Auto, b"18446744073709551615", "cfffffffffffffffff");
        check(Auto, b"0.5", "cb3fe0000000000000");
        check(Auto, b" 7 ", "07");
        check(Auto, b"\"hi\"", "a26869");
        check(Auto, b"hi", "a26869");
        check(Auto, b"", "a0");
        check(Auto, b"{\"Foo\": 0.5}", "81a3466f6fcb3fe0000000000000");
        check(Auto, b"{\"Foo\": 0.5", "ab7b22466f6f223a20302e35");
        check(Auto, b"1 2", "a3312032");
        check(Auto, "ä".as_bytes(), "a2c3a4");
        check(Auto, b"\xff\xfe", "c402fffe");
    }

    #[test]
    fn json_keeps_the_order_of_keys() {
        check(InputFormat::Json, b"{\"b\":1,\"a\":[2,null]}", "82a16201a1619202c0");
    }

    #[test]
    fn json_is_strict() {
        check(InputFormat::Json, b"hi", "not JSON: expected value at line 1 column 1");
        check(InputFormat::Json, b"", "not JSON: EOF while parsing a value at line 1 column 0");
        check(InputFormat::Json, b"\"\xff\"", "not UTF-8 at byte 1");
    }

    #[test]
    fn json_nested_without_end_is_an_error_and_not_a_crash() {
        let deep = "[".repeat(100_000);
        assert!(matches!(from_bytes(deep.as_bytes(), InputFormat::Json), Err(ValueError::Json(_))));
        assert_eq!(from_bytes(deep.as_bytes(), InputFormat::Auto), Ok(encode_text(&deep)));
    }

    #[test]
    fn text_is_always_a_string() {
        check(InputFormat::Text, b"true", "a474727565");
        check(InputFormat::Text, b"", "a0");
        check(InputFormat::Text, b"a\xff", "not UTF-8 at byte 1");
    }

    #[test]
    fn hex_is_bytes() {
        use InputFormat::Hex;
        check(Hex, b"", "c400");
        check(Hex, b"00ff", "c40200ff");
        check(Hex, b"0xDE ad\nbe ef", "c404deadbeef");
        check(Hex, b"abc", "an odd number of hexadecimal digits (3)");
        check(Hex, b"0g", "not a hexadecimal digit at byte 1");
        check(Hex, b"0x0x", "not a hexadecimal digit at byte 3");
    }

    #[test]
    fn msgpack_is_passed_on_byte_for_byte() {
        use InputFormat::Msgpack;
        check(Msgpack, b"\xd9\x02hi", "d9026869");
        check(Msgpack, b"\x01\x02", "one MessagePack value of 1 bytes, and 1 more bytes behind it");
        assert!(matches!(from_bytes(b"\x92\x01", Msgpack), Err(ValueError::Msgpack(_))));
        assert!(matches!(from_bytes(b"", Msgpack), Err(ValueError::Msgpack(_))));
        assert!(matches!(from_bytes(&vec![0x91; 100_000], Msgpack), Err(ValueError::Msgpack(_))));
    }

    #[test]
    fn msgpack_as_an_argument_is_hexadecimal() {
        assert_eq!(from_argument("93 01 02 03", InputFormat::Msgpack), Ok(vec![0x93, 1, 2, 3]));
        assert_eq!(from_argument("hi", InputFormat::Msgpack), Err(ValueError::NotHex { offset: 0 }));
        assert_eq!(from_argument("true", InputFormat::Auto), Ok(vec![0xc3]));
    }
}
