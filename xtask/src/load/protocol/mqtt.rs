//! MQTT 3.1.1 with QoS 0: packets with a length in front. A message looks the same both ways.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};

use super::{FRAME_BYTES_MAX, Filter, Got, Greeting};

/// PINGREQ; the answer is a PINGRESP. With a keep-alive time of 0 nobody has to send one.
pub(super) const PING: &[u8] = &[0xc0, 0];
/// Bytes of a packet's length, at most.
const LENGTH_BYTES_MAX: usize = 4;
/// CONNECT, the name and the level of the protocol, a clean session, no keep-alive time.
const CONNECT: &[u8] = b"\x00\x04MQTT\x04\x02\x00\x00";

/// A packet of type and flags `first`.
fn packet(out: &mut Vec<u8>, first: u8, parts: &[&[u8]]) -> Result<()> {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    ensure!(length < 1 << (7 * LENGTH_BYTES_MAX), "a packet of {length} bytes is too long for MQTT");
    out.push(first);
    loop {
        // Fits: seven bits.
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// The length of a text, as it stands before it.
fn text_length(text: &str) -> Result<[u8; 2]> {
    let length = u16::try_from(text.len()).context("a text of more than 65535 bytes is too long for MQTT")?;
    Ok(length.to_be_bytes())
}

/// PUBLISH, QoS 0: from the publisher and to the subscriber.
pub(super) fn publish(out: &mut Vec<u8>, topic: &str, payload: &[u8]) -> Result<()> {
    packet(out, 0x30, &[&text_length(topic)?, topic.as_bytes(), payload])
}

/// A number for a packet that is answered; 0 is not allowed.
fn packet_number(filter: &Filter) -> [u8; 2] {
    let number = (filter.number() - 1) % u32::from(u16::MAX) + 1;
    u16::try_from(number).unwrap_or(1).to_be_bytes()
}

/// SUBSCRIBE, QoS 0. A group is a prefix of the topic filter, as in MQTT 5; servers take it in 3.1.1 as well.
pub(super) fn subscribe(out: &mut Vec<u8>, filter: &Filter, group: Option<&str>) -> Result<()> {
    let text = match group {
        Some(group) => Cow::Owned(format!("$share/{group}/{}", filter.text())),
        None => Cow::Borrowed(filter.text()),
    };
    packet(out, 0x82, &[&packet_number(filter), &text_length(&text)?, text.as_bytes(), &[0]])
}

/// UNSUBSCRIBE
pub(super) fn unsubscribe(out: &mut Vec<u8>, filter: &Filter) -> Result<()> {
    let text = filter.text();
    packet(out, 0xa2, &[&packet_number(filter), &text_length(text)?, text.as_bytes()])
}

/// CONNECT; `name` is the client's, which has to be unique.
pub(super) fn connect(out: &mut Vec<u8>, name: &str) -> Result<()> {
    packet(out, 0x10, &[CONNECT, &text_length(name)?, name.as_bytes()])
}

/// The length of the packet at the start of `bytes`, and where its content begins; `None` if that is not there yet.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, &byte) in bytes.iter().skip(1).take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            ensure!(length <= FRAME_BYTES_MAX, "{length} bytes announced, {FRAME_BYTES_MAX} are allowed");
            return Ok(Some((length, index + 2)));
        }
    }
    ensure!(bytes.len() <= LENGTH_BYTES_MAX, "a length of more than {LENGTH_BYTES_MAX} bytes");
    Ok(None)
}

/// The frame at the start of `bytes`.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Got<'_>, usize)>> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    ensure!(matches!(first >> 4, 2 | 3 | 9 | 11 | 13), "an unknown kind of packet");
    let Some((length, at)) = header(bytes)? else { return Ok(None) };
    let Some(content) = bytes.get(at..at + length) else { return Ok(None) };
    let got = match (first >> 4, content) {
        (2, [_, 0]) => Got::Greeting(Greeting::default()),
        (2, [_, code]) => Got::Refused(refusal(*code).to_owned()),
        (3, _) => message(first, content)?,
        (9, [_, _, codes @ ..]) if codes.iter().any(|&code| code >= 0x80) => {
            Got::Refused("a subscribe is not allowed".to_owned())
        }
        (9, [_, _, _, ..]) | (11, [_, _]) => Got::Other,
        (13, []) => Got::Answer(0),
        _ => bail!("a packet of the wrong length"),
    };
    Ok(Some((got, at + length)))
}

fn message(first: u8, content: &[u8]) -> Result<Got<'_>> {
    ensure!(first & 0b110 == 0, "a message of another QoS than the subscribe asked for");
    let (length, rest) = content.split_first_chunk::<2>().context("a message without topic")?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (topic, payload) = rest.split_at_checked(length).context("a message without topic")?;
    let topic = Cow::Borrowed(std::str::from_utf8(topic).context("a topic that is no text")?);
    Ok(Got::Message { topic, payload })
}

/// What the code of a CONNACK means.
fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it does not speak MQTT 3.1.1",
        2 => "it does not like the client's name",
        3 => "it is not available",
        4 => "wrong user or password",
        5 => "not authorised",
        _ => "it says no, and gives an unknown reason",
    }
}
