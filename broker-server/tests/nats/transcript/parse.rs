//! The text of transcripts, and what it means.

use crate::support::Setting;

/// One row: a server, and what is said to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Of its first line, from 1.
    pub(crate) line: usize,
    pub(crate) flags: Vec<String>,
    pub(crate) settings: Vec<Setting>,
    /// Only one of the servers answers so.
    pub(crate) only: Option<Only>,
    /// With the number of its line each.
    pub(crate) steps: Vec<(usize, Step)>,
}

/// A server that answers as no other does. The reason stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Ours,
    NatsServer,
}

/// One line of a row. The first field is the name of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Send(char, Vec<u8>),
    Expect(char, Vec<u8>),
    InAnyOrder(char, Vec<Vec<u8>>),
    Closed(char),
    LeftOpen(char),
}

impl Step {
    pub(crate) fn connection(&self) -> char {
        match self {
            Step::Send(name, _)
            | Step::Expect(name, _)
            | Step::InAnyOrder(name, _)
            | Step::Closed(name)
            | Step::LeftOpen(name) => *name,
        }
    }
}

/// The rows of a file.
pub(crate) fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            assert!(rows.iter().all(|row| row.name != name), "line {number}: two rows {name:?}");
            rows.push(Row { name: name.to_owned(), line: number, ..Row::default() });
            continue;
        }
        let row = rows.last_mut().unwrap_or_else(|| panic!("line {number}: no row yet"));
        if let Some(directive) = line.strip_prefix("-- ") {
            direct(row, directive, number);
        } else {
            step(row, line, number);
        }
    }
    rows
}

fn direct(row: &mut Row, directive: &str, number: usize) {
    let (name, value) = directive.split_once(": ").unwrap_or_else(|| panic!("line {number}: {directive}"));
    let words = value.split_whitespace();
    match name {
        "flags" => row.flags = words.map(str::to_owned).collect(),
        "settings" => {
            let pair = |word: &str| {
                let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("line {number}: {word}"));
                (name.to_owned(), value.to_owned())
            };
            row.settings = words.map(pair).collect();
        }
        "ours" => row.only = Some(Only::Ours),
        "nats-server" => row.only = Some(Only::NatsServer),
        _ => panic!("line {number}: what is {name:?}?"),
    }
}

fn step(row: &mut Row, line: &str, number: usize) {
    let mut letters = line.chars();
    let name = letters.next().filter(char::is_ascii_lowercase);
    let name = name.unwrap_or_else(|| panic!("line {number}: it begins with a connection's name: {line}"));
    let rest = letters.as_str();
    // One space stands between the mark and the text; a line without a text has none.
    let text = |mark: &str| {
        let text = rest.strip_prefix(mark)?;
        (text.is_empty() || text.starts_with(' '))
            .then(|| unescape(text.get(1..).unwrap_or_default(), number))
    };
    let with_end = |bytes: Vec<u8>| [&bytes[..], b"\r\n"].concat();
    let step = if rest == "<!" {
        Step::Closed(name)
    } else if rest == ".." {
        Step::LeftOpen(name)
    } else if let Some(bytes) = text(">>") {
        Step::Send(name, bytes)
    } else if let Some(bytes) = text(">") {
        Step::Send(name, with_end(bytes))
    } else if let Some(bytes) = text("<~") {
        let bytes = with_end(bytes);
        if let Some((_, Step::InAnyOrder(of, lines))) = row.steps.last_mut()
            && *of == name
        {
            lines.push(bytes);
            return;
        }
        Step::InAnyOrder(name, vec![bytes])
    } else if let Some(bytes) = text("<") {
        Step::Expect(name, with_end(bytes))
    } else {
        panic!("line {number}: {line}")
    };
    row.steps.push((number, step));
}

fn unescape(text: &str, number: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        rest = &rest[at + 1..];
        let kind = rest.chars().next().unwrap_or_else(|| panic!("line {number}: a lone backslash"));
        rest = &rest[kind.len_utf8()..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            '(' => {
                let (inner, after) = rest.split_once(')').unwrap_or_else(|| panic!("line {number}: no )"));
                let (count, unit) = inner.split_once('*').unwrap_or_else(|| panic!("line {number}: no *"));
                bytes.extend(unit.repeat(count.parse().unwrap()).bytes());
                rest = after;
            }
            other => panic!("line {number}: what is \\{other}?"),
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Bytes as a transcript writes them: the inverse of what [`parse`] does with `\`.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        let run = rest.iter().take_while(|other| **other == byte).count();
        if run >= 40 && byte.is_ascii_alphanumeric() {
            text.extend(["\\(", &run.to_string(), "*", &char::from(byte).to_string(), ")"]);
            rest = &rest[run..];
            continue;
        }
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.extend(["\\x".to_owned(), format!("{byte:02x}")]),
        }
        rest = &rest[1..];
    }
    text
}

#[test]
fn a_transcript_is_read_as_it_is_written() {
    let text = "# a comment\n== one\n-- flags: --user a --pass b\n-- settings: x=1 y=2\n\n\
        a> PING\na>> p\\x69ng\\n\nb<~ 1\nb<~ 2\na< PONG\\(3*ab)\na<\na<!\nb..\n== two\n-- ours: because\n";
    let rows = parse(text);
    assert_eq!((rows[0].name.as_str(), rows[0].line, rows[1].line), ("one", 2, 14));
    assert_eq!(rows[0].flags, ["--user", "a", "--pass", "b"]);
    assert_eq!(rows[0].settings, [("x".into(), "1".into()), ("y".into(), "2".into())]);
    assert_eq!((rows[0].only, rows[1].only), (None, Some(Only::Ours)));
    let steps: Vec<_> = rows[0].steps.iter().map(|(_, step)| step.clone()).collect();
    assert_eq!(
        steps,
        [
            Step::Send('a', b"PING\r\n".to_vec()),
            Step::Send('a', b"ping\n".to_vec()),
            Step::InAnyOrder('b', vec![b"1\r\n".to_vec(), b"2\r\n".to_vec()]),
            Step::Expect('a', b"PONGababab\r\n".to_vec()),
            Step::Expect('a', b"\r\n".to_vec()),
            Step::Closed('a'),
            Step::LeftOpen('b'),
        ]
    );
    for bytes in [&b"a\\b\r\n\t\0\xff"[..], &[b'a'; 50], b""] {
        assert_eq!(unescape(&escape(bytes), 0), bytes);
    }
}
