//! Redis pub/sub in RESP 2: arrays of strings with lengths.
//!
//! A subscribed connection takes no PUBLISH, so publishers have connections of their own; each PUBLISH is answered with a number, which nobody
//! needs and somebody has to read.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};

use super::{Filter, Got, length, line, number};

/// The answer is `+PONG`, or an array once something is subscribed to.
pub(super) const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
/// Parts of an array, at most: a `pmessage` has four.
const PARTS_MAX: usize = 4;

fn array(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// `PUBLISH channel payload`
pub(super) fn publish(out: &mut Vec<u8>, channel: &str, payload: &[u8]) {
    array(out, &[b"PUBLISH", channel.as_bytes(), payload]);
}

/// `message channel payload`, or `pmessage pattern channel payload`
pub(super) fn delivered(out: &mut Vec<u8>, channel: &str, filter: &Filter, payload: &[u8]) {
    if filter.is_pattern() {
        array(out, &[b"pmessage", filter.text().as_bytes(), channel.as_bytes(), payload]);
    } else {
        array(out, &[b"message", channel.as_bytes(), payload]);
    }
}

/// `SUBSCRIBE channel` or `PSUBSCRIBE pattern`
pub(super) fn subscribe(out: &mut Vec<u8>, filter: &Filter) {
    let command: &[u8] = if filter.is_pattern() { b"PSUBSCRIBE" } else { b"SUBSCRIBE" };
    array(out, &[command, filter.text().as_bytes()]);
}

/// `UNSUBSCRIBE channel` or `PUNSUBSCRIBE pattern`
pub(super) fn unsubscribe(out: &mut Vec<u8>, filter: &Filter) {
    let command: &[u8] = if filter.is_pattern() { b"PUNSUBSCRIBE" } else { b"UNSUBSCRIBE" };
    array(out, &[command, filter.text().as_bytes()]);
}

/// One part of an array.
enum Part<'a> {
    Text(&'a [u8]),
    Number,
}

/// The frame at the start of `bytes`.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Got<'_>, usize)>> {
    let Some((&kind, _)) = bytes.split_first() else { return Ok(None) };
    ensure!(matches!(kind, b'+' | b'-' | b':' | b'$' | b'*'), "an unknown kind of value");
    let Some((line, used)) = line(bytes)? else { return Ok(None) };
    let text = line.get(1..).unwrap_or(&[]);
    let got = match kind {
        b'+' if text == b"PONG" => Got::Answer(0),
        b'+' | b':' => Got::Other,
        b'-' => Got::Refused(String::from_utf8_lossy(text).into_owned()),
        b'*' => return array_at(bytes, used, length(text)?),
        _ => bail!("a string that nobody asked for"),
    };
    Ok(Some((got, used)))
}

/// An array of `count` parts whose first line took `used` bytes. No part is an array.
fn array_at(bytes: &[u8], mut used: usize, count: usize) -> Result<Option<(Got<'_>, usize)>> {
    ensure!(count <= PARTS_MAX, "an array of {count} parts");
    let mut parts = [const { Part::Number }; PARTS_MAX];
    for place in parts.iter_mut().take(count) {
        let Some((part, length)) = part(bytes.get(used..).unwrap_or(&[]))? else { return Ok(None) };
        *place = part;
        used += length;
    }
    let got = match parts {
        [Part::Text(b"message"), Part::Text(channel), Part::Text(payload), _] if count == 3 => {
            message(channel, payload)?
        }
        [Part::Text(b"pmessage"), _, Part::Text(channel), Part::Text(payload)] => message(channel, payload)?,
        [Part::Text(b"pong"), ..] => Got::Answer(0),
        [Part::Text(b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe"), ..] => Got::Other,
        _ => bail!("an unknown event"),
    };
    Ok(Some((got, used)))
}

fn part(bytes: &[u8]) -> Result<Option<(Part<'_>, usize)>> {
    let Some((line, used)) = line(bytes)? else { return Ok(None) };
    match line.split_first() {
        Some((b'$', b"-1")) => Ok(Some((Part::Number, used))),
        Some((b'$', text)) => {
            let end = used + length(text)?;
            let Some(content) = bytes.get(used..end) else { return Ok(None) };
            let Some(tail) = bytes.get(end..end + 2) else { return Ok(None) };
            ensure!(tail == b"\r\n", "a string that is longer than it says");
            Ok(Some((Part::Text(content), end + 2)))
        }
        Some((b':', text)) => {
            number(text)?;
            Ok(Some((Part::Number, used)))
        }
        _ => bail!("an unknown kind of value in an array"),
    }
}

fn message<'a>(channel: &'a [u8], payload: &'a [u8]) -> Result<Got<'a>> {
    let topic = Cow::Borrowed(std::str::from_utf8(channel).context("a channel that is no text")?);
    Ok(Got::Message { topic, payload })
}
