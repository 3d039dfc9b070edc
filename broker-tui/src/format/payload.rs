//! The whole of a message's value as lines: as JSON, as text, or as a hex dump.
//!
//! Used to draw the payload pane and to know how far it can be scrolled, so both agree.

use super::msgpack::{Reader, Token};
use super::text;
use super::value::{self, Kind, Piece, PieceLine};

/// Characters of a value that are laid out; more than that nobody scrolls through.
const CHARACTERS_MAX: usize = 128 * 1024;

/// How a payload is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadFormat {
    /// JSON-like text, indented.
    #[default]
    Json,
    /// The content of a string or of bytes as text; other values as JSON on one line.
    Text,
    /// The msgpack bytes themselves.
    Hex,
}

impl PayloadFormat {
    /// The next one in the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Json => Self::Text,
            Self::Text => Self::Hex,
            Self::Hex => Self::Json,
        }
    }

    /// What it is called on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }
}

/// The lines of `value`, none wider than `columns`.
pub fn lines(value: &[u8], format: PayloadFormat, columns: usize) -> Vec<PieceLine> {
    let columns = columns.max(1);
    let lines = match format {
        PayloadFormat::Json => value::pretty(value, CHARACTERS_MAX),
        PayloadFormat::Text => as_text(value),
        PayloadFormat::Hex => return hex_dump(value, columns),
    };
    lines.into_iter().flat_map(|line| wrap(line, columns)).collect()
}

fn as_text(value: &[u8]) -> Vec<PieceLine> {
    let (Token::Str(content, _) | Token::Bin(content, _)) = Reader::new(value).next_token() else {
        return vec![value::line(value, CHARACTERS_MAX)];
    };
    let shown = content.get(..content.len().min(CHARACTERS_MAX)).unwrap_or(content);
    String::from_utf8_lossy(shown)
        .lines()
        .map(|line| vec![Piece { kind: Kind::Text, text: text::clean(line).into_owned() }])
        .collect()
}

/// Offset, bytes, characters; 16 to a line, or 8 or 4 where it is narrow.
fn hex_dump(bytes: &[u8], columns: usize) -> Vec<PieceLine> {
    let per_line = [16, 8, 4].into_iter().find(|n| 10 + 4 * n <= columns).unwrap_or(2);
    let shown = bytes.get(..bytes.len().min(CHARACTERS_MAX / 4)).unwrap_or(bytes);
    let dump = |(i, chunk): (usize, &[u8])| {
        let mut hex = text::hex(chunk, " ");
        hex.push(' ');
        hex.push_str(&"   ".repeat(per_line - chunk.len()));
        let readable =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '·' };
        vec![
            Piece { kind: Kind::Note, text: format!("{:08x}  ", i * per_line) },
            Piece { kind: Kind::Binary, text: hex },
            Piece { kind: Kind::Text, text: chunk.iter().map(readable).collect() },
        ]
    };
    shown.chunks(per_line).enumerate().map(dump).collect()
}

/// Breaks a line into lines of at most `columns`.
fn wrap(line: PieceLine, columns: usize) -> Vec<PieceLine> {
    let mut lines = vec![Vec::new()];
    let mut room = columns;
    for piece in line {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            let head = text::take(rest, room);
            if head.is_empty() {
                if room == columns {
                    // A character wider than the pane: leave it out rather than loop.
                    break;
                }
                lines.push(Vec::new());
                room = columns;
                continue;
            }
            room -= text::width(head);
            rest = rest.get(head.len()..).unwrap_or_default();
            if let Some(line) = lines.last_mut() {
                line.push(Piece { kind: piece.kind, text: head.to_owned() });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], format: PayloadFormat, columns: usize, expected: &[&str]) {
        let got: Vec<String> = lines(value, format, columns)
            .into_iter()
            .map(|line| line.into_iter().map(|piece| piece.text).collect())
            .collect();
        assert_eq!(got, expected);
        assert!(got.iter().all(|line| text::width(line) <= columns || columns < 18));
    }

    #[test]
    fn shows_each_format() {
        check(b"\xa2hi", PayloadFormat::Json, 20, &["\"hi\""]);
        check(b"\xa5a\nb\x1bc", PayloadFormat::Text, 20, &["a", "b\\u{1b}c"]);
        check(b"\xc4\x02hi", PayloadFormat::Text, 20, &["hi"]);
        check(b"\x92\x01\xc3", PayloadFormat::Text, 20, &["[1, true]"]);
        check(b"\xa2hi", PayloadFormat::Hex, 26, &["00000000  a2 68 69    ·hi"]);
    }

    #[test]
    fn wraps_at_the_width_of_the_pane() {
        check(b"\xa6abcdef", PayloadFormat::Json, 3, &["\"ab", "cde", "f\""]);
        check(&[], PayloadFormat::Text, 1, &["…"]);
        let wide = rmp_serde::to_vec("気温").unwrap();
        check(&wide, PayloadFormat::Text, 2, &["気", "温"]);
        check(&wide, PayloadFormat::Text, 1, &[""]);
    }

    #[test]
    fn cycles() {
        let format = PayloadFormat::default();
        assert_eq!(format.next().next().next(), format);
    }
}
