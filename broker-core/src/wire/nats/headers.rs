//! The block of headers of HPUB and HMSG, and the map of str to str that native messages have instead.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::wire::native::{Reader, encode};

/// How a block begins.
const VERSION: &str = "NATS/1.0";

/// The names that the clients of NATS give to what stands behind the version.
const STATUS: &str = "Status";
const DESCRIPTION: &str = "Description";

/// Appends a block of headers as a map of str to str. Values of the same name are joined by commas; what is not UTF-8 is replaced;
/// a line without a name is none.
pub fn headers_to_map(block: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(block);
    let mut lines = text.lines();
    let mut entries: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let status = lines.next().and_then(|first| first.strip_prefix(VERSION)).unwrap_or_default().trim();
    if !status.is_empty() {
        let (code, description) = status.split_once(' ').unwrap_or((status, ""));
        entries.push((STATUS, code.into()));
        if !description.trim().is_empty() {
            entries.push((DESCRIPTION, description.trim().into()));
        }
    }
    // A block may hold a hundred thousand names: none is looked for among the others one by one.
    let mut places: HashMap<&str, usize> = entries.iter().map(|&(name, _)| name).zip(0..).collect();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            continue;
        }
        let place = *places.entry(name).or_insert(entries.len());
        match entries.get_mut(place) {
            Some((_, values)) => {
                let joined = values.to_mut();
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => entries.push((name, value.into())),
        }
    }
    encode::map(out, entries.len());
    for (name, value) in &entries {
        encode::str(out, name);
        encode::str(out, value);
    }
}

/// Appends a map of str to str as a block of headers. What would end a line or a name is replaced, so that no value can say more than it
/// should.
pub fn headers_from_map(map: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(VERSION.as_bytes());
    out.extend_from_slice(b"\r\n");
    let mut reader = Reader::new(map);
    // The map was checked when it came: an entry that cannot be read ends it.
    for _ in 0..reader.map("a map of headers").unwrap_or(0) {
        let (Ok(name), Ok(value)) = (reader.str("a header's name"), reader.str("a header's value")) else {
            break;
        };
        if name.is_empty() {
            continue;
        }
        let is_separator = |byte: u8| byte == b':' || byte == b' ' || byte.is_ascii_control();
        out.extend(name.bytes().map(|byte| if is_separator(byte) { b'_' } else { byte }));
        out.extend_from_slice(b": ");
        out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
