//! Requests and replies: a message that says where its answer goes, in protocols that can say so, and by agreement in the others.
//!
//! The agreement: the request on `load/ask/N` is answered on `!inbox/loadtest/N`, so that a responder that is told nothing knows too. Those are
//! topics that this project's broker does not retain.

use std::borrow::Cow;

use anyhow::{Context, Result};
use broker_core::wire::native::{Event, Meta, PublishOptions, SubscribeOptions, encode};

use super::{Decoder, Filter, Got, Terms, Wire, native, nats};

/// Where requests are published: a number follows.
const ASK: &str = "load/ask/";
/// Where their answers go: a number follows.
const REPLY: &str = "!inbox/loadtest/";

/// What stands at the start of some bytes that a server sent to a responder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// A request, and where its answer goes, as the protocol says it.
    Request { reply: Cow<'a, str>, payload: &'a [u8] },
    /// The server asks for a sign of life.
    Ping,
    /// The server refuses something, or is about to close.
    Refused(String),
    /// What nobody waits for.
    Other,
}

/// The topic of requests number `number`.
pub(crate) fn ask_topic(number: usize) -> String {
    format!("{ASK}{number}")
}

/// The topic of their answers.
pub(crate) fn reply_topic(number: usize) -> String {
    format!("{REPLY}{number}")
}

impl Wire {
    /// Appends a request whose answer goes to `reply`; both topics are said as in [`topic`](Self::topic).
    pub(crate) fn request(self, out: &mut Vec<u8>, topic: &str, reply: &str, payload: &[u8]) -> Result<()> {
        match self {
            Self::Native => {
                let options = PublishOptions { reply: Some(reply), ..PublishOptions::default() };
                encode::publish(out, topic, &native::bin(payload), &options);
                Ok(())
            }
            Self::Nats => {
                nats::request(out, topic, reply, payload);
                Ok(())
            }
            // Nothing in the message says it: it is agreed.
            Self::Lbroker | Self::Redis | Self::Mqtt => self.publish(out, topic, payload),
        }
    }

    /// Whether a request itself says where its answer goes.
    fn says_reply(self) -> bool {
        matches!(self, Self::Native | Self::Nats)
    }

    /// Appends a responder's subscribe.
    pub(crate) fn subscribe_to_requests(self, out: &mut Vec<u8>, filter: &Filter) -> Result<()> {
        if self == Self::Native {
            let options = SubscribeOptions { retained: false, meta: true, ..SubscribeOptions::default() };
            encode::subscribe(out, filter.text(), &options);
            return Ok(());
        }
        self.subscribe(out, filter, Terms::default())
    }
}

impl Decoder {
    /// As [`next`](Decoder::next), for a responder.
    pub(crate) fn next_request<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Asked<'a>, usize)>> {
        let wire = self.wire;
        let Some((got, length)) = self.next(bytes)? else { return Ok(None) };
        let frame = bytes.get(..length).unwrap_or(&[]);
        let asked = match got {
            Got::Message { topic, payload } => {
                Asked::Request { reply: reply_of(wire, frame, &topic)?, payload }
            }
            Got::Ping => Asked::Ping,
            Got::Refused(text) => Asked::Refused(text),
            _ => Asked::Other,
        };
        Ok(Some((asked, length)))
    }
}

/// Where the answer to the message in `frame` goes.
fn reply_of<'a>(wire: Wire, frame: &'a [u8], topic: &str) -> Result<Cow<'a, str>> {
    if wire.says_reply() {
        let reply = match wire {
            Wire::Native => native_reply(frame)?.map(Cow::Owned),
            _ => nats::reply(frame)?.map(Cow::Borrowed),
        };
        return reply.context("a request that does not say where its answer goes");
    }
    let number = topic.rsplit_once('/').map_or(topic, |(_, number)| number);
    Ok(Cow::Owned(format!("{REPLY}{number}")))
}

fn native_reply(frame: &[u8]) -> Result<Option<String>> {
    match Event::parse(frame)? {
        Event::Message(message) => Ok(message.meta.map(Meta::parse).transpose()?.and_then(|meta| meta.reply)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_where_its_answer_goes() {
        let message = b"MSG load.ask.3 1 !inbox.loadtest.3 2\r\nhi\r\n";
        let (asked, length) = Decoder::new(Wire::Nats).next_request(message).unwrap().unwrap();
        assert_eq!(asked, Asked::Request { reply: "!inbox.loadtest.3".into(), payload: b"hi" });
        assert_eq!(length, message.len());

        // ["load/ask/3", bin "hi", {"reply": "!inbox/loadtest/3"}]
        let mut message = vec![0x93, 0xaa];
        message.extend_from_slice(b"load/ask/3\xc4\x02hi\x82\xa4time\x01\xa5reply\xb1!inbox/loadtest/3");
        let (asked, length) = Decoder::new(Wire::Native).next_request(&message).unwrap().unwrap();
        assert_eq!(asked, Asked::Request { reply: reply_topic(3).into(), payload: b"hi" });
        assert_eq!(length, message.len());
        assert!(Decoder::new(Wire::Nats).next_request(b"MSG load.ask.3 1 2\r\nhi\r\n").is_err());
    }

    #[test]
    fn where_it_cannot_be_said_it_is_agreed() {
        let mut message = Vec::new();
        let filter = Filter::new(Wire::Redis, 1, &ask_topic(12)).unwrap();
        Wire::Redis.delivered(&mut message, &ask_topic(12), &filter, b"hi").unwrap();
        let (asked, _) = Decoder::new(Wire::Redis).next_request(&message).unwrap().unwrap();
        assert_eq!(asked, Asked::Request { reply: reply_topic(12).into(), payload: b"hi" });
    }

    #[test]
    fn what_is_asked_has_the_payload_at_its_end() {
        for wire in [Wire::Native, Wire::Nats, Wire::Redis, Wire::Mqtt] {
            let (mut out, payload) = (Vec::new(), [7; 40]);
            wire.request(&mut out, "load/ask/1", "!inbox/loadtest/1", &payload).unwrap();
            assert!(out.windows(40).any(|window| window == payload), "{wire:?}");
        }
    }
}
