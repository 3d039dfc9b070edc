//! The state of an outbox, under its lock: what waits, who has the turn to write, what was missed.
//!
//! Owns the bookkeeping; writing itself is `outbox`'s, without the lock, and what a policy does is `admit`'s.

use std::io;
use std::mem;
use std::sync::Arc;

use super::admit::Parcel;
use super::chunk::{Frames, GATHER_BYTES, Kind, Label, NEVER};
use super::flight::{Flight, Written};
use super::limiter::Limiter;
use super::line::Line;
use super::losses::Losses;
use super::waiting::Waiting;
use super::{Flushed, Outbox, OutboxStats, Policy, ROOM_BYTES, Readiness, Speech, Writer};
use crate::clock::CoarseClock;
use crate::limits::Limits;
use crate::reason::CloseReason;
use crate::routing::Subscription;
use crate::wire::{native, nats};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// Nobody writes.
    #[default]
    Free,
    /// Somebody has taken the flight out.
    Taken,
    /// Bytes are left, and only the owner may go on.
    Owners,
}

/// Of a socket that took no more.
#[derive(Debug, Clone, Copy)]
struct Blocked {
    /// When it was found so with all that it had taken by then; or later, for the clock may have been late.
    since_ms: u64,
    /// What it had taken.
    bytes_out: u64,
}

pub(super) struct Queue {
    pub(super) speech: Speech,
    pub(super) bytes_max: usize,
    /// Tells it from other outboxes, where they are not all to do something at the same time.
    pub(super) spread: usize,
    /// See [`Limits::block_ms`].
    pub(super) block_ms: u64,
    pub(super) waiting: Waiting,
    /// Up to so much may wait for messages to be appended without another look: the bound, or nothing while one is needed.
    open_bytes: usize,
    flight: Flight,
    turn: Turn,
    /// The socket took no more, and something has waited since.
    blocked: Option<Blocked>,
    /// It had messages under the policy `conflate`.
    pub(super) conflates: bool,
    pub(super) line: Line,
    pub(super) limiter: Option<Box<Limiter>>,
    pub(super) losses: Losses,
    /// Publishers that may go on, and have not been told.
    pub(super) released: Vec<Arc<Outbox>>,
    /// Nothing more is accepted.
    pub(super) ending: Option<CloseReason>,
    /// The socket is of no use.
    pub(super) failed: bool,
    /// The session waits for room for so many bytes.
    pub(super) wants_room: Option<usize>,
    /// The batch that appended last, so that a batch notes each outbox once.
    batch: u64,
    pub(super) stats: OutboxStats,
}

impl Queue {
    pub(super) fn new(speech: Speech, bytes_max: usize) -> Self {
        Queue {
            speech,
            bytes_max,
            spread: 0,
            block_ms: Limits::default().block_ms,
            waiting: Waiting::default(),
            open_bytes: bytes_max,
            flight: Flight::default(),
            turn: Turn::Free,
            blocked: None,
            conflates: false,
            line: Line::default(),
            limiter: None,
            losses: Losses::default(),
            released: Vec::new(),
            ending: None,
            failed: false,
            wants_room: None,
            batch: 0,
            stats: OutboxStats::default(),
        }
    }

    /// From now on it goes by this clock.
    pub(super) fn attach(&mut self, clock: &Arc<CoarseClock>, block_ms: u64) {
        self.losses.clock = Arc::clone(clock);
        self.block_ms = block_ms;
    }

    /// Whether the batch has to see that this outbox is flushed. Whoever has the turn will look again before it gives it back, so that a
    /// subscriber that does not read costs its publishers no wake-up.
    pub(super) fn touch(&mut self, batch: u64) -> bool {
        if self.ending.is_some() {
            return true;
        }
        // A batch that found somebody writing has noted nothing: it may find the turn free at its next message.
        self.turn == Turn::Free && mem::replace(&mut self.batch, batch) != batch
    }

    /// Appends messages, or leaves that to their policy. True if their publisher is held back.
    #[inline]
    pub(super) fn push(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) -> bool {
        if parcel.subscription.wants_fewer || self.waiting.bytes() + frames.len() > self.open_bytes {
            let held = self.admit(frames, parcel);
            self.tune();
            return held;
        }
        self.tell_lag();
        self.append(frames, parcel.label());
        false
    }

    /// Notes whether messages may be appended without another look.
    pub(super) fn tune(&mut self) {
        let limited = self.limiter.as_ref().is_some_and(|limiter| limiter.waiting() > 0);
        let is_open = self.line.is_empty() && self.waiting.newest.is_none() && !limited;
        self.open_bytes = if is_open { self.bytes_max } else { 0 };
    }

    /// Tells what was missed, before the next message. What would take too much room is told as soon as there is some.
    #[inline]
    pub(super) fn tell_lag(&mut self) {
        if self.losses.has_behind() {
            let chunk = self.losses.tell_behind();
            self.waiting.push_back(chunk);
        }
    }

    #[inline]
    pub(super) fn append(&mut self, frames: Frames<'_>, label: Label<'_>) {
        let gather_max = match label.kind {
            // What goes at once must not be all there is.
            Kind::Messages(Policy::DropOldest) => GATHER_BYTES.min(self.bytes_max / 4),
            _ => GATHER_BYTES,
        };
        self.waiting.append(frames, label, gather_max);
    }

    pub(super) fn append_control(&mut self, frame: &[u8]) {
        self.settle();
        self.append(Frames::Copied(frame), Label::CONTROL);
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        if self.ending.is_some() {
            return;
        }
        self.release_early(None);
        self.close_line();
        self.settle();
        if self.ending.is_some() {
            // What was released met the bound under the policy `disconnect`.
            return;
        }
        if self.losses.tells {
            while self.losses.has_behind() {
                self.tell_lag();
            }
            let mut frame = Vec::new();
            native::encode::goodbye(&mut frame, reason.name(), &reason.to_string());
            self.append(Frames::Owned(frame), Label::CONTROL);
        }
        if self.speech == Speech::Nats
            && let Some(text) = reason.nats_error()
        {
            let mut line = Vec::new();
            nats::encode::err(&mut line, &text);
            self.append(Frames::Owned(line), Label::CONTROL);
        }
        self.ending = Some(reason);
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Since when, or later, the socket is known to take nothing. Not while it takes something, nor while somebody tries.
    pub(super) fn stuck_ms(&self) -> Option<u64> {
        let blocked = self.blocked.filter(|_| self.turn == Turn::Owners)?;
        (blocked.bytes_out == self.stats.bytes_out).then_some(blocked.since_ms)
    }

    fn block(&mut self) {
        let bytes_out = self.stats.bytes_out;
        if self.blocked.is_none_or(|blocked| blocked.bytes_out != bytes_out) {
            let since_ms = self.losses.now().monotonic_ms;
            self.blocked = Some(Blocked { since_ms, bytes_out });
        }
    }

    /// Whether somebody else can take a message sooner.
    pub(super) fn readiness(&self) -> Readiness {
        if !self.line.is_empty() {
            Readiness::Holding
        } else if self.is_blocked() || self.failed || self.ending.is_some() {
            Readiness::Behind
        } else {
            Readiness::Ready
        }
    }

    /// Takes the turn and what to write, or says why not and whether somebody waits for the room.
    pub(super) fn begin(&mut self, writer: Writer) -> Result<Flight, (Flushed, bool)> {
        if self.failed {
            return Err((Flushed::Failed(io::ErrorKind::NotConnected.into()), false));
        }
        match (self.turn, writer) {
            (Turn::Free, _) | (Turn::Owners, Writer::Owner) => self.load_or_rest(),
            _ => Err((Flushed::Busy, false)),
        }
    }

    fn load_or_rest(&mut self) -> Result<Flight, (Flushed, bool)> {
        self.load().ok_or_else(|| {
            let flushed = self.rest();
            (flushed, self.makes_room())
        })
    }

    fn load(&mut self) -> Option<Flight> {
        self.settle();
        if self.waiting.is_empty() && self.flight.is_empty() && self.ending.is_none() {
            self.tell_lag();
        }
        self.fill();
        // Until the flight is full: whoever stands in line must not be held back for room that there is.
        while self.advance_line(false) {
            self.fill();
        }
        if self.flight.is_empty() {
            return None;
        }
        self.turn = Turn::Taken;
        Some(mem::take(&mut self.flight))
    }

    /// Moves chunks over until this is a good write, but for those that are no longer worth it.
    fn fill(&mut self) {
        while let Some(next) = self.waiting.front() {
            let (bytes, expires_ms) = (next.bytes().len(), next.expires_ms);
            if expires_ms != NEVER && expires_ms <= self.losses.now().monotonic_ms {
                let expired = self.waiting.pop_front();
                if let Some(expired) = expired {
                    self.losses.expire(&expired);
                }
                continue;
            }
            if !self.flight.takes(bytes) {
                return;
            }
            self.tell_ahead();
            let Some(next) = self.waiting.pop_front() else { return };
            self.flight.load(next);
        }
        self.tell_ahead();
    }

    /// Tells what was missed before what waits.
    fn tell_ahead(&mut self) {
        while self.losses.has_ahead() {
            let chunk = self.losses.tell_ahead();
            self.flight.load(chunk);
            // All of it before the end, otherwise the rest comes with the next flight.
            if self.ending.is_none() {
                return;
            }
        }
    }

    /// Nothing waits: the turn is free.
    fn rest(&mut self) -> Flushed {
        self.turn = Turn::Free;
        self.blocked = None;
        self.waiting.rest();
        self.line.rest();
        self.losses.recover();
        self.flight.shrink();
        if self.ending.is_some() { Flushed::Drained } else { Flushed::Idle }
    }

    /// A write is done: the next one, or how it ends and whether somebody waits for the room.
    pub(super) fn go_on(
        &mut self,
        flight: Flight,
        written: Written,
        may: bool,
    ) -> Result<Flight, (Flushed, bool)> {
        if !may {
            return Err(self.put_back(flight, written, Flushed::More));
        }
        self.flight = flight;
        self.wrote(written);
        if self.failed {
            return Err(self.gave_up());
        }
        self.load_or_rest()
    }

    /// The owner has to go on.
    pub(super) fn put_back(&mut self, flight: Flight, written: Written, flushed: Flushed) -> (Flushed, bool) {
        self.flight = flight;
        self.turn = Turn::Owners;
        self.wrote(written);
        if self.failed {
            return self.gave_up();
        }
        if matches!(flushed, Flushed::Blocked) {
            self.block();
            self.conflate_flight();
        }
        (flushed, self.makes_room())
    }

    /// The socket takes no more: what has not begun to be written is out of date before it does, where only the newest of each topic is wanted.
    fn conflate_flight(&mut self) {
        if !self.conflates || self.waiting.others > 0 || !self.flight.is_conflated() {
            return;
        }
        self.settle();
        self.conflate();
        let (chunks, written) = self.flight.unload(self.speech);
        self.wrote(written);
        let (speech, losses) = (self.speech, &mut self.losses);
        for chunk in chunks {
            if chunk.kind == Kind::Lag {
                // A newer message may come to stand before it, and one such event would join it with each write.
                losses.tell_again_ahead(&chunk);
                continue;
            }
            self.waiting.put_back(chunk, speech, &mut |owner: &Arc<Subscription>| losses.miss(owner, 1));
        }
        self.keep_bound();
    }

    /// The outbox was abandoned while this was being written.
    fn gave_up(&mut self) -> (Flushed, bool) {
        self.fail();
        (Flushed::Failed(io::ErrorKind::NotConnected.into()), self.wants_room.take().is_some())
    }

    pub(super) fn broke(&mut self, flight: Flight, written: Written, error: io::Error) -> (Flushed, bool) {
        self.flight = flight;
        self.wrote(written);
        self.end(CloseReason::Transport(error.to_string()));
        self.fail();
        (Flushed::Failed(error), self.wants_room.take().is_some())
    }

    pub(super) fn fail(&mut self) -> u64 {
        self.failed = true;
        let (whole, lost) = self.flight.abandon(self.speech);
        self.stats.messages_out += whole;
        let lost = lost + self.waiting.messages();
        self.waiting.clear();
        self.stats.lost += lost;
        lost
    }

    fn wrote(&mut self, written: Written) {
        self.stats.messages_out += written.messages;
        self.stats.bytes_out += written.bytes;
        if written.bytes > 0 && !self.line.is_empty() {
            self.line.took(self.losses.now().monotonic_ms);
        }
    }

    pub(super) fn room_for(&self, bytes: usize, bytes_max: usize) -> bool {
        let waiting_bytes = self.waiting.bytes();
        self.line.is_empty() && (waiting_bytes == 0 || waiting_bytes + bytes <= ROOM_BYTES.min(bytes_max))
    }

    fn makes_room(&mut self) -> bool {
        // The bound is at least what a session asks room for, and then nothing need wait.
        let room = self.wants_room.is_some_and(|bytes| self.room_for(bytes, ROOM_BYTES));
        room && self.wants_room.take().is_some()
    }
}

#[cfg(test)]
mod tests;
