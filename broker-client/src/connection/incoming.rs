//! What the server said: every whole frame that has been read, in order.
//!
//! The router is locked once for all frames of a read. Invariant: each frame has its effect exactly once, also if one
//! behind it breaks the connection.

use std::sync::MutexGuard;

use broker_core::wire::native::{Event as ServerEvent, MessageRef, Meta, WireError};
use bytes::Buf;

use super::wire::{End, Wire};
use crate::{
    ConnectionError, Event, LaggedBy, SubscribeError,
    link::{Answer, Awaiter, Failure},
    router::Router,
    shared::Shared,
    sync::lock,
};

impl Wire {
    /// Handles every whole frame in `incoming` and leaves the rest.
    pub(super) fn handle_incoming(&mut self, shared: &Shared) -> Result<(), End> {
        let mut turn =
            Turn { shared, router: lock(&shared.router), messages: 0, leaving: self.has_taken_leave() };
        let mut at = 0;
        let outcome = loop {
            let rest = self.incoming.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            let len = match self.scanner.scan(rest) {
                Ok(Some(len)) => len,
                Ok(None) => break Ok(()),
                Err(error) => break Err(protocol(&error)),
            };
            at += len;
            if let Err(end) = turn.handle(rest.get(..len).unwrap_or_default()) {
                break Err(end);
            }
        };
        turn.finish();
        self.incoming.advance(at);
        outcome
    }
}

/// The frames of one read.
struct Turn<'a> {
    shared: &'a Shared,
    router: MutexGuard<'a, Router>,
    messages: u64,
    /// `Close` was sent.
    leaving: bool,
}

impl Turn<'_> {
    fn handle(&mut self, frame: &[u8]) -> Result<(), End> {
        match ServerEvent::parse(frame).map_err(|error| protocol(&error))? {
            ServerEvent::Message(message) => self.deliver(message)?,
            ServerEvent::Ok { id, result } => self.answer(id, &Ok(number(result)?))?,
            ServerEvent::Err { id: Some(id), code, text } => {
                self.answer(id, &Err(Failure::Refused { code, text: text.to_owned() }))?;
            }
            ServerEvent::Err { id: None, code, text } => self.refused(code, text),
            ServerEvent::Lagged { pattern, missed } => self.lagged(pattern, missed),
            ServerEvent::Ping => self.shared.with_link(crate::link::Link::pong),
            ServerEvent::Goodbye { reason: "closed", .. } if self.leaving => return Err(End::Done),
            ServerEvent::Goodbye { reason, detail } => {
                let (reason, detail) = (reason.to_owned(), detail.to_owned());
                return Err(End::Broken(ConnectionError::Goodbye { reason, detail }));
            }
            ServerEvent::Welcome(_) => return Err(violation("a second Welcome")),
            // A Pong is a sign of life and nothing else; what later versions say, they say to others.
            _ => {}
        }
        Ok(())
    }

    fn deliver(&mut self, message: MessageRef<'_>) -> Result<(), End> {
        let meta = message.meta.map(Meta::parse).transpose().map_err(|error| protocol(&error))?;
        self.messages += 1;
        self.router.deliver(message.topic, message.value, meta);
        Ok(())
    }

    fn answer(&mut self, id: u64, answer: &Answer) -> Result<(), End> {
        let awaiter = lock(&self.shared.link).answered(id);
        match awaiter {
            None => return Err(violation("an answer that nobody awaits, or out of order")),
            Some(Awaiter::Probe) => {}
            // Whoever gave up waiting does not want to know.
            Some(Awaiter::Call(sender)) => drop(sender.send(answer.clone())),
            Some(Awaiter::Subscriptions(pattern, ids)) => match answer {
                Ok(_) => self.router.confirm(&pattern, &ids),
                Err(Failure::Refused { code, text }) => {
                    let error = SubscribeError::Refused { code: *code, text: text.clone() };
                    if self.router.refuse(&pattern, &ids, &error) {
                        let (pattern, code, text) = (pattern.to_string(), *code, text.clone());
                        self.shared.hub.send(&Event::SubscriptionLost { pattern, code, text });
                    }
                }
                // The server only says Ok or Err.
                Err(Failure::Disconnected | Failure::Closed(_)) => {}
            },
        }
        Ok(())
    }

    fn refused(&mut self, code: u16, text: &str) {
        self.shared.counters.refused.add(1);
        {
            let mut link = lock(&self.shared.link);
            link.loss.refused += 1;
            link.loss.code = code;
            text.clone_into(&mut link.loss.text);
        }
        self.shared.hub.send(&Event::Refused { code, text: text.to_owned() });
    }

    fn lagged(&mut self, pattern: &str, missed: u64) {
        self.shared.counters.missed_at_server.add(missed);
        self.router.missed_at_server(pattern, missed);
        self.shared.hub.send(&Event::Lagged { pattern: pattern.to_owned(), missed, by: LaggedBy::Server });
    }

    /// Shows the messages to their subscriptions and tells what had to go.
    fn finish(mut self) {
        self.shared.counters.messages_in.add(self.messages);
        for (pattern, missed) in self.router.commit() {
            self.shared.counters.missed_here.add(missed);
            let lagged = Event::Lagged { pattern: pattern.to_string(), missed, by: LaggedBy::Client };
            self.shared.hub.send(&lagged);
        }
    }
}

/// The result of a command: a number for a publish; 0 stands for nil. Nothing is asked that is answered otherwise.
fn number(result: &[u8]) -> Result<u64, End> {
    let result: Option<u64> =
        rmp_serde::from_slice(result).map_err(|_| violation("a result that is no number"))?;
    Ok(result.unwrap_or(0))
}

fn protocol(error: &WireError) -> End {
    End::Broken(ConnectionError::Protocol(error.to_string()))
}

fn violation(what: &str) -> End {
    End::Broken(ConnectionError::Protocol(what.to_owned()))
}
