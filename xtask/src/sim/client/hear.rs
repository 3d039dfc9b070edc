//! What clients make of what arrives: frames and lines, told to the oracle.

use broker_core::wire::native::{Event, FrameScanner, Meta, WireLimits};

use super::Client;
use crate::sim::effect::{Answer, FALSE, NIL, Seen, SeenMeta, TRUE};
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
            let taken = if self.native {
                event(rest, session, taken_up_ms, oracle)
            } else {
                said(rest, session, taken_up_ms, oracle)
            };
            let Some(taken) = taken else { break };
            at += taken;
            self.tags.take(taken);
        }
        self.incoming.drain(..at);
    }
}

/// One frame of a native session. `None` if it is not whole.
fn event(bytes: &[u8], session: usize, taken_up_ms: Option<u64>, oracle: &mut Oracle) -> Option<usize> {
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
            let meta = meta.map(|meta| SeenMeta {
                retained: meta.retained,
                time_ms: meta.time,
                ttl_ms: meta.ttl_ms,
            });
            let (topic, value) = (message.topic, message.value);
            oracle.received(session, &Seen { place: 0, topic, value, meta, taken_up_ms });
        }
        Ok(Event::Lagged { pattern, missed }) => oracle.told(session, pattern, missed),
        Ok(Event::Welcome(_)) => oracle.answered(session, &Answer::Welcome),
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

/// One line of a NATS session. `None` if it is not whole.
fn said(bytes: &[u8], session: usize, taken_up_ms: Option<u64>, oracle: &mut Oracle) -> Option<usize> {
    let (line, taken) = wire::line(bytes)?;
    match line {
        Line::Message { subject, sid, payload } => {
            let seen = Seen { place: sid, topic: subject, value: payload, meta: None, taken_up_ms };
            oracle.received(session, &seen);
        }
        Line::Pong => oracle.answered(session, &Answer::Pong),
        Line::Err(text) => oracle.said_error(session, text),
        Line::Info => {}
        Line::Other(text) => {
            oracle.fail(Promise::Order, format!("session {session} got the line '{text}'"));
        }
    }
    Some(taken)
}
