//! A msgpack value as JSON-like text, in pieces that a view can colour.
//!
//! What JSON cannot say is in angle brackets: `<bin 3 B: 01 02 03>`, `<ext 5, 2 B: 0a 0b>`. Every piece is clean
//! ([`text::clean`]). The work is bounded by what is asked for, not by the value.

use super::msgpack::{Reader, Token};
use super::text;

/// Nesting that is followed; the broker refuses values that are deeper.
const DEPTH_MAX: usize = 128;
/// Bytes of a `bin` or an extension that are shown.
const BYTES_SHOWN: usize = 48;

/// What a piece of text is, for colouring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The key of a map.
    Key,
    /// A string.
    Text,
    /// A number.
    Number,
    /// nil, true, false.
    Literal,
    /// Bytes and extensions.
    Binary,
    /// Brackets, commas, colons.
    Punctuation,
    /// A remark of the viewer, not part of the value: `…`.
    Note,
}

/// Text of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Clean text.
    pub text: String,
}

/// A line of pieces.
pub type PieceLine = Vec<Piece>;

/// The value on one line, about `columns` characters of it.
pub fn line(value: &[u8], columns: usize) -> PieceLine {
    let mut printer = Printer::new(columns, None);
    printer.print(value);
    printer.lines.pop().unwrap_or_default()
}

/// [`line()`] as plain text, cut to `columns`.
pub fn line_text(value: &[u8], columns: usize) -> String {
    let text: String = line(value, columns).into_iter().map(|piece| piece.text).collect();
    text::fit(&text, columns)
}

/// The value over several lines, indented, about `characters` of it.
pub fn pretty(value: &[u8], characters: usize) -> Vec<PieceLine> {
    let mut printer = Printer::new(characters, Some(2));
    printer.print(value);
    printer.lines
}

/// A container that is being printed.
struct Open {
    map: bool,
    /// Tokens still to come: twice the entries of a map.
    left: u64,
    first: bool,
}

struct Printer {
    lines: Vec<PieceLine>,
    /// Characters that may still be printed.
    budget: usize,
    /// Columns per level, or `None` for one line.
    indent: Option<usize>,
    open: Vec<Open>,
}

impl Printer {
    fn new(budget: usize, indent: Option<usize>) -> Self {
        Self { lines: vec![Vec::new()], budget, indent, open: Vec::new() }
    }

    fn print(&mut self, value: &[u8]) {
        let mut reader = Reader::new(value);
        loop {
            let key = self.before();
            let token = reader.next_token();
            if token == Token::Cut || self.budget == 0 || self.open.len() >= DEPTH_MAX {
                self.push(Kind::Note, text::ELLIPSIS);
                return;
            }
            self.token(token, key);
            if self.close() {
                return;
            }
        }
    }

    /// What stands before the next token; says whether it is a key.
    fn before(&mut self) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let key = open.map && open.left.is_multiple_of(2);
        let first = std::mem::replace(&mut open.first, false);
        if open.map && !key {
            self.push(Kind::Punctuation, ": ");
        } else if first {
            self.new_line();
        } else if self.indent.is_some() {
            self.push(Kind::Punctuation, ",");
            self.new_line();
        } else {
            self.push(Kind::Punctuation, ", ");
        }
        key
    }

    fn token(&mut self, token: Token<'_>, key: bool) {
        match token {
            Token::Nil => self.push(Kind::Literal, "null"),
            Token::Bool(value) => self.push(Kind::Literal, if value { "true" } else { "false" }),
            Token::Unsigned(n) => self.push(Kind::Number, &n.to_string()),
            Token::Signed(n) => self.push(Kind::Number, &n.to_string()),
            Token::Float32(n) => self.push(Kind::Number, &format!("{n:?}")),
            Token::Float64(n) => self.push(Kind::Number, &format!("{n:?}")),
            Token::Str(bytes, length) => {
                let kind = if key { Kind::Key } else { Kind::Text };
                let quoted = quote(bytes, self.budget, length > bytes.len());
                self.push(kind, &quoted);
            }
            Token::Bin(bytes, length) => {
                self.push(Kind::Binary, &hex(&format!("bin {length} B"), bytes, length));
            }
            Token::Ext(kind, bytes, length) => {
                self.push(Kind::Binary, &hex(&format!("ext {kind}, {length} B"), bytes, length));
            }
            Token::Array(length) => {
                self.push(Kind::Punctuation, "[");
                self.open.push(Open { map: false, left: u64::from(length) + 1, first: true });
            }
            Token::Map(length) => {
                self.push(Kind::Punctuation, "{");
                self.open.push(Open { map: true, left: 2 * u64::from(length) + 1, first: true });
            }
            Token::Cut => {}
        }
    }

    /// Counts the token that was printed and closes what is full; says whether that was all.
    fn close(&mut self) -> bool {
        while let Some(open) = self.open.last_mut() {
            open.left -= 1;
            if open.left > 0 {
                return false;
            }
            let (map, empty) = (open.map, open.first);
            self.open.pop();
            if !empty {
                self.new_line();
            }
            self.push(Kind::Punctuation, if map { "}" } else { "]" });
        }
        true
    }

    fn new_line(&mut self) {
        if let Some(indent) = self.indent {
            self.lines.push(Vec::new());
            let columns = indent * self.open.len();
            if columns > 0 {
                self.push(Kind::Punctuation, &" ".repeat(columns));
            }
        }
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.budget = self.budget.saturating_sub(text.len());
        if let Some(line) = self.lines.last_mut() {
            match line.last_mut() {
                Some(piece) if piece.kind == kind => piece.text.push_str(text),
                _ => line.push(Piece { kind, text: text.to_owned() }),
            }
        }
    }
}

/// A string as JSON writes it, clean, about `budget` characters of it.
fn quote(bytes: &[u8], budget: usize, cut: bool) -> String {
    // A character takes up to 4 bytes: this is enough of them to fill the budget.
    let shown = bytes.get(..bytes.len().min(budget.saturating_mul(4).saturating_add(4))).unwrap_or(bytes);
    let mut out = String::from("\"");
    let mut whole = !cut && shown.len() == bytes.len();
    for c in String::from_utf8_lossy(shown).chars() {
        if out.len() > budget {
            whole = false;
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => text::push_clean(&mut out, c),
        }
    }
    out.push_str(if whole { "\"" } else { text::ELLIPSIS });
    out
}

fn hex(label: &str, bytes: &[u8], length: usize) -> String {
    let shown = bytes.get(..bytes.len().min(BYTES_SHOWN)).unwrap_or(bytes);
    let between = if shown.is_empty() { "" } else { ": " };
    let cut = if shown.len() < length { " …" } else { "" };
    format!("<{label}{between}{}{cut}>", text::hex(shown, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn msgpack(json: &str) -> Vec<u8> {
        rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        assert_eq!(line_text(&msgpack(json), 200), expected);
    }

    #[test]
    fn one_line() {
        check("true", "true");
        check("null", "null");
        check("{}", "{}");
        check("[]", "[]");
        check(r#"{"Foo": 0.5}"#, r#"{"Foo": 0.5}"#);
        check(
            "[1, -2, 3.0, [], [[4]], {\"a\": {\"b\": []}}]",
            "[1, -2, 3.0, [], [[4]], {\"a\": {\"b\": []}}]",
        );
        check(r#""quote \" slash \\ line \n""#, r#""quote \" slash \\ line \n""#);
        assert_eq!(line_text(&[0xc4, 2, 0xde, 0xad], 80), "<bin 2 B: de ad>");
        assert_eq!(line_text(&[0xd5, 7, 1, 2], 80), "<ext 7, 2 B: 01 02>");
        assert_eq!(line_text(&[0xca, 0x3d, 0xcc, 0xcc, 0xcd], 80), "0.1");
        assert_eq!(line_text(&[0x92, 1], 80), "[1, …");
        assert_eq!(line_text(&[], 80), "…");
    }

    #[test]
    fn hostile_strings_are_escaped() {
        assert_eq!(line_text(b"\xa5\x1b[2Jx", 80), "\"\\u{1b}[2Jx\"");
        assert_eq!(line_text(b"\x81\xa3\xe2\x80\xae\xa1\x9b", 80), "{\"\\u{202e}\": \"\u{fffd}\"}");
    }

    #[test]
    fn indented() {
        let lines: Vec<String> = pretty(&msgpack(r#"{"a": [1, 2], "b": {}, "c": "x"}"#), 1000)
            .into_iter()
            .map(|line| line.into_iter().map(|piece| piece.text).collect())
            .collect();
        assert_eq!(lines.join("\n"), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": \"x\"\n}");
    }

    #[test]
    fn keys_and_values_are_told_apart() {
        let kinds: Vec<Kind> =
            line(&msgpack(r#"{"a": "b"}"#), 80).into_iter().map(|piece| piece.kind).collect();
        assert_eq!(kinds, [Kind::Punctuation, Kind::Key, Kind::Punctuation, Kind::Text, Kind::Punctuation]);
    }

    #[test]
    fn the_work_is_bounded_by_what_is_shown() {
        let mut long = vec![0xdd, 0xff, 0xff, 0xff, 0xff];
        long.extend(std::iter::repeat_n(1, 1 << 20));
        assert!(line_text(&long, 40).ends_with('…'));
        let mut deep = vec![0x91; 100_000];
        deep.push(1);
        assert!(pretty(&deep, 1_000_000).len() <= DEPTH_MAX + 2);
        let text = msgpack(&format!("\"{}\"", "x".repeat(100_000)));
        assert!(line(&text, 50).iter().map(|piece| piece.text.len()).sum::<usize>() < 120);
    }

    #[test]
    fn every_prefix_and_every_flipped_byte_prints_something() {
        let whole = msgpack(r#"{"a": [1, 2.5, null], "b": {"c": "d\u001b"}, "e": true}"#);
        for end in 0..whole.len() {
            assert!(line_text(&whole[..end], 80).ends_with('…'), "{end}");
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[end] = byte;
                assert!(!line_text(&changed, 80).chars().any(text::is_unsafe));
            }
        }
    }
}
