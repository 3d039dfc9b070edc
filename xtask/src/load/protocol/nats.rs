//! NATS: lines of text, payloads of announced length. Subscriptions have numbers, which come back with each message.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{Filter, Got, Greeting, length, line};

/// The answer is a PONG.
pub(super) const PING: &[u8] = b"PING\r\n";
/// The answer to a PING.
pub(super) const PONG: &[u8] = b"PONG\r\n";

/// What is read of an INFO.
#[derive(Debug, Deserialize)]
struct Info {
    max_payload: Option<u64>,
    #[serde(default)]
    tls_required: bool,
}

/// `PUB subject length`
pub(super) fn publish(out: &mut Vec<u8>, subject: &str, payload: &[u8]) {
    out.extend_from_slice(format!("PUB {subject} {}\r\n", payload.len()).as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// `PUB subject reply length`
pub(super) fn request(out: &mut Vec<u8>, subject: &str, reply: &str, payload: &[u8]) {
    publish(out, &format!("{subject} {reply}"), payload);
}

/// Where the answer to a whole `MSG` goes, if it says so.
pub(super) fn reply(message: &[u8]) -> Result<Option<&str>> {
    let Some((line, _)) = line(message)? else { return Ok(None) };
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
    let [_, _, _, reply, _] = words.as_slice() else { return Ok(None) };
    Ok(Some(std::str::from_utf8(reply).context("a reply that is no text")?))
}

/// `MSG subject sid length`
pub(super) fn delivered(out: &mut Vec<u8>, subject: &str, sid: u32, payload: &[u8]) {
    out.extend_from_slice(format!("MSG {subject} {sid} {}\r\n", payload.len()).as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// `SUB subject [group] sid`
pub(super) fn subscribe(out: &mut Vec<u8>, filter: &Filter, group: Option<&str>) {
    let (group, blank) = group.map_or(("", ""), |group| (group, " "));
    out.extend_from_slice(format!("SUB {} {group}{blank}{}\r\n", filter.text(), filter.number()).as_bytes());
}

/// `UNSUB sid`
pub(super) fn unsubscribe(out: &mut Vec<u8>, sid: u32) {
    out.extend_from_slice(format!("UNSUB {sid}\r\n").as_bytes());
}

/// `CONNECT {…}`: no answers to each command, no checks of each subject.
pub(super) fn connect(out: &mut Vec<u8>, name: &str) -> Result<()> {
    let options = serde_json::json!({
        "verbose": false,
        "pedantic": false,
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": 1,
        "name": name,
    });
    out.extend_from_slice(b"CONNECT ");
    serde_json::to_writer(&mut *out, &options)?;
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The frame at the start of `bytes`.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Got<'_>, usize)>> {
    let Some((line, used)) = line(bytes)? else { return Ok(None) };
    let (operation, rest) =
        line.iter().position(|&byte| byte == b' ').map_or((line, &[][..]), |at| line.split_at(at));
    let got = match operation {
        b"MSG" => return message(rest, bytes, used),
        b"PING" => Got::Ping,
        b"PONG" => Got::Answer(0),
        b"+OK" => Got::Other,
        b"-ERR" => Got::Refused(String::from_utf8_lossy(rest).trim().trim_matches('\'').to_owned()),
        b"INFO" => {
            let Info { max_payload, tls_required } =
                serde_json::from_slice(rest).context("its INFO is not what it should be")?;
            Got::Greeting(Greeting {
                payload_bytes_max: max_payload,
                needs_tls: tls_required,
                ..Greeting::default()
            })
        }
        _ => bail!("an unknown operation"),
    };
    Ok(Some((got, used)))
}

/// A message whose first line took `used` bytes and ended with `arguments`.
fn message<'a>(arguments: &'a [u8], bytes: &'a [u8], used: usize) -> Result<Option<(Got<'a>, usize)>> {
    let mut words = arguments.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (subject, sid) = (words.next(), words.next());
    let (third, fourth) = (words.next(), words.next());
    // With four of them, the third is where answers go.
    let size = fourth.or(third).context("too few arguments")?;
    ensure!(words.next().is_none(), "too many arguments");
    let (subject, _sid) = (subject.context("no subject")?, sid.context("no sid")?);
    let end = used + length(size)?;
    let Some(payload) = bytes.get(used..end) else { return Ok(None) };
    let Some(tail) = bytes.get(end..end + 2) else { return Ok(None) };
    ensure!(tail == b"\r\n", "a message that is longer than it says");
    let topic = Cow::Borrowed(std::str::from_utf8(subject).context("a subject that is no text")?);
    Ok(Some((Got::Message { topic, payload }, end + 2)))
}
