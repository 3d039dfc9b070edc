//! What clients make of what arrives: frames and lines, told to the oracle.

use broker_core::wire::native::{Event, FrameScanner, Meta, WireLimits};

use super::Client;
use crate::sim::config::TOPICS;
use crate::sim::effect::{Answer, FALSE, NIL, Seen, SeenMeta, TRUE};
use crate::sim::extras::Extras;
use crate::sim::oracle::Oracle;
use crate::sim::rule::Promise;
use crate::sim::socket::Tags;
use crate::sim::wire::{self, Line};

impl Client {
    /// Takes in what was read.
    pub(in crate::sim) fn take(&mut self, bytes: &[u8], tags: Tags, session: usize, oracle: &mut Oracle) {
        self.incoming.extend_from_slice(bytes);
        self.tags.append(tags);
        let mut at = 0;
        while let Some(rest) = self.incoming.get(at..).filter(|rest| !rest.is_empty()) {
            let taken_up_ms = self.tags.first_ms();
            let mut reply = None;
            let taken = if self.native {
                event(rest, session, taken_up_ms, oracle, &mut reply)
            } else {
                said(rest, session, taken_up_ms, oracle, &mut reply)
            };
            // Somebody wants an answer: the next publish is one.
            let asked = reply.and_then(|reply| TOPICS.iter().position(|topic| *topic == reply));
            self.asked.extend(asked.filter(|_| self.asked.len() < ASKED_MAX));
            let Some(taken) = taken else { break };
            at += taken;
            self.tags.take(taken);
        }
        self.incoming.drain(..at);
    }
}

/// The headers of what tells that nobody got a request.
const UNHEARD: &str = "NATS/1.0 503\r\n\r\n";

/// Requests that a client has in mind.
const ASKED_MAX: usize = 3;

/// One frame of a native session, and the reply address in it. `None` if it is not whole.
fn event(
    bytes: &[u8],
    session: usize,
    taken_up_ms: Option<u64>,
    oracle: &mut Oracle,
    reply: &mut Option<String>,
) -> Option<usize> {
    let mut scanner = FrameScanner::new(WireLimits::default());
    let frame_bytes = match scanner.scan(bytes) {
        Ok(end) => end?,
        Err(error) => {
            oracle.fail(Promise::Order, format!("session {session} got bytes that are no frame: {error}"));
            return Some(bytes.len());
        }
    };
    let frame = bytes.get(..frame_bytes).unwrap_or_default();
    match Event::parse(frame) {
        Ok(Event::Message(message)) => {
            let meta = message.meta.and_then(|meta| Meta::parse(meta).ok());
            let seen_meta = meta.as_ref().map(|meta| SeenMeta {
                retained: meta.retained,
                time_ms: meta.time,
                ttl_ms: meta.ttl_ms,
            });
            let extras = meta.map(|meta| Extras {
                reply: meta.reply,
                headers: meta.headers.into_iter().collect(),
                key: meta.key,
            });
            reply.clone_from(&extras.as_ref().and_then(|extras| extras.reply.clone()));
            let (topic, value, extras) = (message.topic, message.value, extras.as_ref());
            oracle.received(session, &Seen { place: 0, topic, value, meta: seen_meta, extras, taken_up_ms });
        }
        Ok(Event::Lagged { pattern, missed }) => oracle.told(session, pattern, missed),
        Ok(Event::Welcome(welcome)) => oracle.welcomed(session, &welcome),
        Ok(Event::Ok { id, result }) => {
            let result = match *result {
                [0xc0] | [] => NIL,
                [0xc2] => FALSE,
                [0xc3] => TRUE,
                [number] => u64::from(number),
                [_, ref digits @ ..] => {
                    digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit))
                }
            };
            oracle.answered(session, &Answer::Ok { id, result, subscribed: None });
        }
        Ok(Event::Err { id, code, .. }) => oracle.answered(session, &Answer::Err { id, code }),
        Ok(Event::Pong) => oracle.answered(session, &Answer::Pong),
        Ok(Event::Goodbye { reason, .. }) => oracle.said_goodbye(session, reason),
        other => oracle.fail(Promise::Order, format!("session {session} got {other:?}")),
    }
    Some(frame_bytes)
}

/// One line of a NATS session, and the reply address in it. `None` if it is not whole.
fn said(
    bytes: &[u8],
    session: usize,
    taken_up_ms: Option<u64>,
    oracle: &mut Oracle,
    asked: &mut Option<String>,
) -> Option<usize> {
    let (line, taken) = wire::line(bytes)?;
    match line {
        Line::Message { subject, sid, headers: Some(UNHEARD), payload: b"", .. } => {
            oracle.was_unheard(session, sid, subject);
        }
        Line::Message { subject, sid, reply, headers, payload } => {
            let reply = reply.map(str::to_owned);
            asked.clone_from(&reply);
            let headers = headers.map(|block| Extras::read_block(block).unwrap_or_else(no_block));
            let extras = Extras { reply, headers: headers.unwrap_or_default(), key: None };
            let (meta, extras) = (None, Some(&extras));
            let seen = Seen { place: sid, topic: subject, value: payload, meta, extras, taken_up_ms };
            oracle.received(session, &seen);
        }
        Line::Pong => {
            oracle.answered(session, &Answer::Pong);
            oracle.came_in(session);
        }
        Line::Err(text) => oracle.said_error(session, text),
        Line::Info => {}
        Line::Other(text) => {
            oracle.fail(Promise::Order, format!("session {session} got the line '{text}'"));
        }
    }
    Some(taken)
}

/// What no block of headers says.
fn no_block() -> Vec<(String, String)> {
    vec![("no block".to_owned(), String::new())]
}
