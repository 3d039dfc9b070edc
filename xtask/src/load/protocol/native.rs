//! The native protocol, and the part of it that lbroker speaks. A payload is a MessagePack bin.

use std::borrow::Cow;

use anyhow::Result;
use broker_core::wire::native::{
    Event, FrameScanner, Hello, PublishOptions, SubscribeOptions, VERSION, encode,
};

use super::{Got, Greeting, Terms};

/// `{"Pong": []}`
pub(super) const PONG: &[u8] = b"\x81\xa4Pong\x90";

/// The header of a bin of `size` bytes, in the shortest encoding.
pub(super) fn bin(payload: &[u8]) -> Vec<u8> {
    let size = payload.len();
    let header = match (u8::try_from(size), u16::try_from(size)) {
        (Ok(n), _) => vec![0xc4, n],
        (_, Ok(n)) => [&[0xc5][..], &n.to_be_bytes()].concat(),
        // Above 4 GiB there is no such value; a frame is far smaller (`FRAME_BYTES_MAX`).
        _ => [&[0xc6][..], &u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()].concat(),
    };
    [&header, payload].concat()
}

/// The content of a bin; empty for any other value.
fn content(value: &[u8]) -> &[u8] {
    let header = match value.first() {
        Some(0xc4) => 2,
        Some(0xc5) => 3,
        Some(0xc6) => 5,
        _ => return &[],
    };
    value.get(header..).unwrap_or(&[])
}

/// `{"Publish": [[topic, payload]]}`
pub(super) fn publish(out: &mut Vec<u8>, topic: &str, payload: &[u8]) {
    encode::publish(out, topic, &bin(payload), &PublishOptions::default());
}

/// `[topic, payload]`
pub(super) fn delivered(out: &mut Vec<u8>, topic: &str, payload: &[u8]) {
    encode::message(out, topic, &bin(payload));
}

/// `{"Subscribe": [pattern, {"retained": false}]}`, and in it what the terms say.
pub(super) fn subscribe(out: &mut Vec<u8>, pattern: &str, terms: Terms<'_>) {
    let options = SubscribeOptions { retained: false, policy: terms.policy, ..SubscribeOptions::default() };
    encode::subscribe_in_group(out, pattern, terms.group, &options);
}

/// `{"Subscribe": [pattern]}`
pub(super) fn subscribe_bare(out: &mut Vec<u8>, pattern: &str) {
    encode::subscribe(out, pattern, &SubscribeOptions::default());
}

/// `{"Unsubscribe": [pattern]}`
pub(super) fn unsubscribe(out: &mut Vec<u8>, pattern: &str) {
    encode::unsubscribe(out, pattern, None);
}

/// `{"Hello": [{…}]}`
pub(super) fn hello(out: &mut Vec<u8>, name: &str) {
    encode::hello(out, &Hello { version: VERSION, name: Some(name.to_owned()), auth: None });
}

/// `{"Ping": [{"id": number}]}`
pub(super) fn ping(out: &mut Vec<u8>, number: u64) {
    encode::ping(out, Some(number));
}

/// The frame at the start of `bytes`.
pub(super) fn next<'a>(scanner: &mut FrameScanner, bytes: &'a [u8]) -> Result<Option<(Got<'a>, usize)>> {
    let Some(length) = scanner.scan(bytes)? else { return Ok(None) };
    let got = match Event::parse(bytes.get(..length).unwrap_or(&[]))? {
        Event::Message(message) => {
            Got::Message { topic: Cow::Borrowed(message.topic), payload: content(message.value) }
        }
        Event::Welcome(welcome) => Got::Greeting(Greeting {
            outbox_bytes_max: Some(welcome.outbox_bytes_max),
            ..Greeting::default()
        }),
        Event::Ok { id, .. } => Got::Answer(id),
        Event::Err { code, text, .. } => Got::Refused(format!("error {code}: {text}")),
        Event::Lagged { missed, .. } => Got::Lagged(missed),
        Event::Ping => Got::Ping,
        Event::Goodbye { reason, detail } => Got::Refused(format!("goodbye: {reason}: {detail}")),
        // The answer to a ping without number, and events of later versions.
        _ => Got::Other,
    };
    Ok(Some((got, length)))
}
