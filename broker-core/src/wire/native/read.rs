//! A cursor over one whole frame: the small typed reads that commands and events are parsed with.

use super::WireError;
use super::skip::{Head, Kind, head, value_end};

/// Reads one value after another from a slice that is known to hold whole values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn head(&self, expected: &'static str) -> Result<Head, WireError> {
        head(self.rest)?.ok_or(WireError::Unexpected { expected, found: "nothing" })
    }

    /// The kind of the next value, which is not consumed.
    pub(crate) fn kind(&self) -> Result<Kind, WireError> {
        Ok(self.head("a value")?.kind)
    }

    /// The next value, whole.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], WireError> {
        let end = value_end(self.rest, usize::MAX)?.ok_or(WireError::Truncated)?;
        let (value, rest) = self.rest.split_at_checked(end).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(value)
    }

    /// The header of an array: how many values follow.
    pub(crate) fn array(&mut self, expected: &'static str) -> Result<u64, WireError> {
        self.nested(Kind::Array, expected)
    }

    /// The header of a map: how many entries follow.
    pub(crate) fn map(&mut self, expected: &'static str) -> Result<u64, WireError> {
        Ok(self.nested(Kind::Map, expected)? / 2)
    }

    fn nested(&mut self, kind: Kind, expected: &'static str) -> Result<u64, WireError> {
        let head = self.head(expected)?;
        if head.kind != kind {
            return Err(WireError::Unexpected { expected, found: head.kind.name() });
        }
        self.rest = self.rest.get(head.header..).ok_or(WireError::Truncated)?;
        Ok(head.children)
    }

    /// The content of a str, UTF-8 or not.
    pub(crate) fn str_bytes(&mut self, expected: &'static str) -> Result<&'a [u8], WireError> {
        self.content(expected, |kind| kind == Kind::Str)
    }

    /// The content of a str.
    pub(crate) fn str(&mut self, expected: &'static str) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.str_bytes(expected)?).map_err(|_| WireError::NotUtf8)
    }

    /// The content of a str or a bin.
    pub(crate) fn bytes(&mut self, expected: &'static str) -> Result<&'a [u8], WireError> {
        self.content(expected, |kind| matches!(kind, Kind::Str | Kind::Bin))
    }

    fn content(
        &mut self,
        expected: &'static str,
        accept: impl Fn(Kind) -> bool,
    ) -> Result<&'a [u8], WireError> {
        let head = self.head(expected)?;
        if !accept(head.kind) {
            return Err(WireError::Unexpected { expected, found: head.kind.name() });
        }
        let body = self.rest.get(head.header..).ok_or(WireError::Truncated)?;
        let (content, rest) = body.split_at_checked(head.content).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(content)
    }

    /// A number from 0 on, in whichever width or signedness it was written.
    pub(crate) fn unsigned(&mut self, expected: &'static str) -> Result<u64, WireError> {
        let found = self.head(expected)?;
        let value = self.value()?;
        let wrong = WireError::Unexpected { expected, found: found.kind.name() };
        match (found.kind, value) {
            (Kind::Unsigned, &[fix]) => Ok(u64::from(fix)),
            (Kind::Unsigned, [_, digits @ ..]) => Ok(big_endian(digits)),
            // A signed encoding of a number that is not negative: its first digit has no sign bit.
            (Kind::Signed, [_, digits @ ..]) if digits.first().is_some_and(|&digit| digit < 0x80) => {
                Ok(big_endian(digits))
            }
            (Kind::Signed, _) => Err(WireError::Unexpected { expected, found: "a negative number" }),
            _ => Err(wrong),
        }
    }

    /// A number of any kind; a large integer to the nearest float.
    pub(crate) fn number(&mut self, expected: &'static str) -> Result<f64, WireError> {
        let found = self.head(expected)?;
        if found.kind != Kind::Float {
            #[allow(clippy::cast_precision_loss, reason = "to the nearest float, as is said")]
            return self.unsigned(expected).map(|number| number as f64);
        }
        let digits = self.value()?.get(1..).unwrap_or_default();
        let single = || digits.try_into().map(|single| f64::from(f32::from_be_bytes(single)));
        digits.try_into().map(f64::from_be_bytes).or_else(|_| single()).map_err(|_| WireError::Truncated)
    }

    /// True or false.
    pub(crate) fn bool(&mut self, expected: &'static str) -> Result<bool, WireError> {
        let found = self.head(expected)?;
        match self.value()? {
            [0xc2] => Ok(false),
            [0xc3] => Ok(true),
            _ => Err(WireError::Unexpected { expected, found: found.kind.name() }),
        }
    }
}

/// Whether a value says nothing: a nil, or a str or bin without content.
pub(crate) fn is_empty_value(value: &[u8]) -> bool {
    match head(value) {
        Ok(Some(head)) => {
            head.kind == Kind::Nil || matches!(head.kind, Kind::Str | Kind::Bin) && head.content == 0
        }
        _ => false,
    }
}

fn big_endian(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, &digit| number << 8 | u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_width() {
        for (bytes, number) in [
            (&b"\x07"[..], Some(7)),
            (b"\xcc\xff", Some(255)),
            (b"\xcd\x01\x00", Some(256)),
            (b"\xce\x00\x01\x00\x00", Some(65_536)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Some(u64::MAX)),
            (b"\xd0\x07", Some(7)),
            (b"\xd3\x00\x00\x00\x00\x00\x00\x01\x00", Some(256)),
            (b"\xd0\xff", None),
            (b"\xff", None),
            (b"\xa17", None),
            (b"\xc0", None),
        ] {
            assert_eq!(Reader::new(bytes).unsigned("a number").ok(), number, "{bytes:x?}");
        }
    }

    #[test]
    fn numbers_of_every_kind() {
        for (bytes, number) in [
            (&b"\x07"[..], Some(7.0)),
            (b"\xd1\x01\x00", Some(256.0)),
            (b"\xca\x3f\x00\x00\x00", Some(0.5)),
            (b"\xcb\xc0\x00\x00\x00\x00\x00\x00\x00", Some(-2.0)),
            (b"\xff", None),
            (b"\xa17", None),
            (b"\xc0", None),
        ] {
            assert_eq!(Reader::new(bytes).number("a number").ok(), number, "{bytes:x?}");
        }
    }

    #[test]
    fn empty_values() {
        for (value, is_empty) in [
            (&b"\xc0"[..], true),
            (b"\xa0", true),
            (b"\xd9\x00", true),
            (b"\xda\x00\x00", true),
            (b"\xdb\x00\x00\x00\x00", true),
            (b"\xc4\x00", true),
            (b"\xc5\x00\x00", true),
            (b"\xc6\x00\x00\x00\x00", true),
            (b"\xa1 ", false),
            (b"\xc4\x01\x00", false),
            (b"\x00", false),
            (b"\xc2", false),
            (b"\x90", false),
            (b"\x80", false),
            (b"\xc7\x00\x05", false),
            (b"", false),
        ] {
            assert_eq!(is_empty_value(value), is_empty, "{value:x?}");
        }
    }

    #[test]
    fn a_cut_value_is_an_error_and_not_a_panic() {
        for bytes in [&b""[..], b"\xa5ab", b"\xc4", b"\x92\x01", b"\xcf\x01"] {
            assert!(Reader::new(bytes).value().is_err(), "{bytes:x?}");
        }
    }
}
