//! Frames from their parts, in the shortest encoding. Each function appends one frame to a buffer of the caller's.

use std::collections::BTreeMap;

use rmp::encode as put;

use super::{Hello, Welcome};
use crate::outbox::Policy;

/// The options of a `Subscribe` as a client writes them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::exhaustive_structs)]
pub struct SubscribeOptions {
    /// Asks for an answer.
    pub id: Option<u64>,
    /// What happens when the outbox is full; the server's default if `None`.
    pub policy: Option<Policy>,
    /// Whether retained messages are wanted. Default true.
    pub retained: bool,
    /// Whether messages are to come with a third element. Default false.
    pub meta: bool,
    /// Messages a second of each topic, at the most; all of them if `None`.
    pub max_rate: Option<f64>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        SubscribeOptions { id: None, policy: None, retained: true, meta: false, max_rate: None }
    }
}

/// The options of a `Publish` as a client writes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct PublishOptions<'a> {
    /// Asks for an answer.
    pub id: Option<u64>,
    /// The topic that answers go to.
    pub reply: Option<&'a str>,
    /// Names and values that go with the message.
    pub headers: Option<&'a BTreeMap<String, String>>,
    /// What the message is about, where topics are not enough.
    pub key: Option<&'a [u8]>,
    /// Whether the message is retained; if `None`, it is unless it has a reply topic.
    pub retain: Option<bool>,
    /// For how long the message holds, in milliseconds; for ever if `None`.
    pub ttl_ms: Option<u64>,
}

/// `{"Hello": [{…}]}`
pub fn hello(out: &mut Vec<u8>, hello: &Hello) {
    frame(out, "Hello", 1);
    serialize(out, hello);
}

/// `{"Welcome": [{…}]}`
pub fn welcome(out: &mut Vec<u8>, welcome: &Welcome) {
    frame(out, "Welcome", 1);
    serialize(out, welcome);
}

/// `{"Subscribe": [pattern, {…}]}`
pub fn subscribe(out: &mut Vec<u8>, pattern: &str, options: &SubscribeOptions) {
    subscribe_in_group(out, pattern, None, options);
}

/// As [`subscribe`], as a member of a group.
pub fn subscribe_in_group(out: &mut Vec<u8>, pattern: &str, group: Option<&str>, options: &SubscribeOptions) {
    let SubscribeOptions { id, policy, retained, meta, max_rate } = *options;
    let entries = [id.is_some(), policy.is_some(), !retained, meta, group.is_some(), max_rate.is_some()];
    options_frame(out, "Subscribe", 1, &entries, |out| str(out, pattern));
    id_entry(out, id);
    if let Some(policy) = policy {
        str(out, "policy");
        str(out, policy.name());
    }
    if !retained {
        str(out, "retained");
        bool(out, false);
    }
    if meta {
        str(out, "meta");
        bool(out, true);
    }
    if let Some(group) = group {
        str(out, "group");
        str(out, group);
    }
    if let Some(max_rate) = max_rate {
        str(out, "max_rate");
        float(out, max_rate);
    }
}

/// `{"Unsubscribe": [pattern, {…}]}`
pub fn unsubscribe(out: &mut Vec<u8>, pattern: &str, id: Option<u64>) {
    options_frame(out, "Unsubscribe", 1, &[id.is_some()], |out| str(out, pattern));
    id_entry(out, id);
}

/// `{"Clear": [pattern, {…}]}`
pub fn clear(out: &mut Vec<u8>, pattern: &str, id: Option<u64>) {
    options_frame(out, "Clear", 1, &[id.is_some()], |out| str(out, pattern));
    id_entry(out, id);
}

/// `{"Publish": [[topic, value], {…}]}`; `value` is one MessagePack value.
pub fn publish(out: &mut Vec<u8>, topic: &str, value: &[u8], options: &PublishOptions<'_>) {
    let PublishOptions { id, reply, headers, key, retain, ttl_ms } = *options;
    let entries =
        [id.is_some(), reply.is_some(), headers.is_some(), key.is_some(), retain.is_some(), ttl_ms.is_some()];
    options_frame(out, "Publish", 1, &entries, |out| message(out, topic, value));
    id_entry(out, id);
    if let Some(reply) = reply {
        str(out, "reply");
        str(out, reply);
    }
    if let Some(headers) = headers {
        str(out, "headers");
        map(out, headers.len());
        for (name, value) in headers {
            str(out, name);
            str(out, value);
        }
    }
    if let Some(key) = key {
        str(out, "key");
        bin(out, key);
    }
    if let Some(retain) = retain {
        str(out, "retain");
        bool(out, retain);
    }
    if let Some(ttl_ms) = ttl_ms {
        str(out, "ttl");
        unsigned(out, ttl_ms);
    }
}

/// `{"Ping": []}` or `{"Ping": [{"id": id}]}`
pub fn ping(out: &mut Vec<u8>, id: Option<u64>) {
    options_frame(out, "Ping", 0, &[id.is_some()], |_| {});
    id_entry(out, id);
}

/// `{"Pong": []}`
pub fn pong(out: &mut Vec<u8>) {
    frame(out, "Pong", 0);
}

/// `{"Close": []}`
pub fn close(out: &mut Vec<u8>) {
    frame(out, "Close", 0);
}

/// `[topic, value]`; `value` is one MessagePack value.
pub fn message(out: &mut Vec<u8>, topic: &str, value: &[u8]) {
    array(out, 2);
    str(out, topic);
    out.extend_from_slice(value);
}

/// `[topic, content]`, with the content as a bin: what a payload of a text protocol becomes.
pub(crate) fn bin_message(out: &mut Vec<u8>, topic: &str, content: &[u8]) {
    array(out, 2);
    str(out, topic);
    bin(out, content);
}

/// What a bin of so many bytes takes.
pub(crate) const fn bin_bytes(content_bytes: usize) -> usize {
    content_bytes
        + match content_bytes {
            0..=0xff => 2,
            0x100..=0xffff => 3,
            _ => 5,
        }
}

/// What [`bin_message`] takes beside topic and content, at the most.
pub(crate) const BIN_MESSAGE_OVERHEAD: usize = 11;

/// `{"Ok": [id, result]}`; `result` is one MessagePack value.
pub fn ok(out: &mut Vec<u8>, id: u64, result: &[u8]) {
    frame(out, "Ok", 2);
    unsigned(out, id);
    out.extend_from_slice(result);
}

/// `{"Err": [id, code, text]}`
pub fn err(out: &mut Vec<u8>, id: Option<u64>, code: u16, text: &str) {
    frame(out, "Err", 3);
    match id {
        Some(id) => unsigned(out, id),
        None => nil(out),
    }
    unsigned(out, u64::from(code));
    str(out, text);
}

/// `{"Lagged": [{"pattern": pattern, "missed": missed}]}`
pub fn lagged(out: &mut Vec<u8>, pattern: &str, missed: u64) {
    frame(out, "Lagged", 1);
    map(out, 2);
    str(out, "pattern");
    str(out, pattern);
    str(out, "missed");
    unsigned(out, missed);
}

/// `{"Goodbye": [reason, detail]}`
pub fn goodbye(out: &mut Vec<u8>, reason: &str, detail: &str) {
    frame(out, "Goodbye", 2);
    str(out, reason);
    str(out, detail);
}

/// The head of a map of one entry: the name, and an array of so many arguments.
fn frame(out: &mut Vec<u8>, name: &str, arguments: usize) {
    map(out, 1);
    str(out, name);
    array(out, arguments);
}

/// A frame whose last argument is a map with as many entries as `entries` has true, left out if that is none.
fn options_frame(
    out: &mut Vec<u8>,
    name: &str,
    arguments: usize,
    entries: &[bool],
    body: impl FnOnce(&mut Vec<u8>),
) {
    let count = entries.iter().filter(|&&given| given).count();
    frame(out, name, arguments + usize::from(count > 0));
    body(out);
    if count > 0 {
        map(out, count);
    }
}

fn id_entry(out: &mut Vec<u8>, id: Option<u64>) {
    if let Some(id) = id {
        str(out, "id");
        unsigned(out, id);
    }
}

fn serialize<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    let done = value.serialize(&mut serializer);
    debug_assert!(done.is_ok(), "a struct of numbers and strings always serializes into a Vec");
}

pub(crate) fn str(out: &mut Vec<u8>, text: &str) {
    infallible(&put::write_str(out, text));
}

pub(crate) fn bin(out: &mut Vec<u8>, content: &[u8]) {
    infallible(&put::write_bin(out, content));
}

pub(crate) fn unsigned(out: &mut Vec<u8>, number: u64) {
    infallible(&put::write_uint(out, number));
}

pub(crate) fn float(out: &mut Vec<u8>, number: f64) {
    infallible(&put::write_f64(out, number));
}

pub(crate) fn bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

pub(crate) fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// The header of an array. Lengths come from what is in memory or from small tables: they fit 32 bits.
pub(crate) fn array(out: &mut Vec<u8>, length: usize) {
    infallible(&put::write_array_len(out, u32::try_from(length).unwrap_or(u32::MAX)));
}

/// The header of a map.
pub(crate) fn map(out: &mut Vec<u8>, entries: usize) {
    infallible(&put::write_map_len(out, u32::try_from(entries).unwrap_or(u32::MAX)));
}

/// Writing into a `Vec` does not fail: the error type is there for sockets and files.
fn infallible<T, E>(written: &Result<T, E>) {
    debug_assert!(written.is_ok(), "writing into a Vec does not fail");
}
