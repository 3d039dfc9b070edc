//! The state of an outbox, under its lock: what waits, who has the turn to write, what was missed.
//!
//! Owns the bookkeeping; writing itself is `outbox`'s, without the lock.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;

use super::chunk::{Chunk, Flight, Frames, GATHER_BYTES, Written, count, shrink};
use super::lag::Lag;
use super::{Flushed, OutboxStats, Policy, ROOM_BYTES, Speech, Writer};
use crate::reason::CloseReason;
use crate::routing::Subscription;
use crate::wire::{native, nats};

/// `Lagged` events that are appended at once.
const LAG_BYTES: usize = 32 << 10;

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

#[derive(Default)]
pub(super) struct Queue {
    speech: Speech,
    waiting: VecDeque<Chunk>,
    /// All that waits.
    pub(super) waiting_bytes: usize,
    /// Of that, answers and events.
    pub(super) control_bytes: usize,
    /// Buffers of what was dropped, while the subscriber does not catch up. Twenty such outboxes that took new ones held their publisher up
    /// for 5 ms again and again, in the kernel, which zeroed pages of 2 MiB (measured).
    spare: Vec<Vec<u8>>,
    flight: Flight,
    turn: Turn,
    /// The socket took no more, and something has waited since.
    blocked: bool,
    /// The session said `Hello`: it is told what it missed.
    pub(super) tells: bool,
    /// Missed and not told yet.
    lag: Lag,
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
    pub(super) fn speaking(speech: Speech) -> Self {
        Queue { speech, ..Queue::default() }
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

    /// The bound is met. True if `bytes` more may be appended all the same.
    pub(super) fn make_room(
        &mut self,
        bytes: usize,
        bytes_max: usize,
        subscription: &Arc<Subscription>,
        messages: u64,
    ) -> bool {
        self.skip(bytes_max);
        if subscription.policy == Policy::Disconnect {
            self.miss(subscription, messages);
            self.end(CloseReason::SlowConsumer);
            return false;
        }
        // What is larger than the bound waits alone, but not behind more answers than a session may leave unread.
        let alone = bytes > bytes_max && self.control_bytes < ROOM_BYTES;
        let room = alone || self.waiting_bytes + bytes <= bytes_max;
        if !room {
            self.miss(subscription, messages);
        }
        room
    }

    /// Drops the messages that wait, and counts them.
    fn skip(&mut self, bytes_max: usize) {
        for chunk in mem::take(&mut self.waiting) {
            if chunk.is_control() {
                self.waiting.push_back(chunk);
                continue;
            }
            self.waiting_bytes -= chunk.bytes().len();
            for (subscription, messages) in &chunk.tally {
                self.miss(subscription, *messages);
            }
            self.spare.extend(chunk.into_buffer());
        }
        self.spare.truncate(bytes_max / GATHER_BYTES + 1);
    }

    fn miss(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        self.stats.lagged += messages;
        if self.tells {
            self.lag.count(subscription, messages);
        }
    }

    /// Tells what was missed, before the next message. What would take too much room is told as soon as there is some.
    pub(super) fn tell_lag(&mut self) {
        if self.lag.is_empty() {
            return;
        }
        let mut frames = Vec::new();
        while let Some((subscription, missed)) = self.lag.pop() {
            native::encode::lagged(&mut frames, subscription.pattern.as_str(), missed);
            if frames.len() >= LAG_BYTES {
                break;
            }
        }
        self.append(Frames::Owned(frames), None);
    }

    pub(super) fn append(&mut self, frames: Frames<'_>, messages: Option<(&Arc<Subscription>, u64)>) {
        let bytes = frames.len();
        self.waiting_bytes += bytes;
        if messages.is_none() {
            self.control_bytes += bytes;
        }
        let last = self.waiting.back_mut().filter(|last| last.is_control() == messages.is_none());
        if !last.is_some_and(|last| last.gather(&frames)) {
            let chunk = Chunk::new(frames, self.waiting.back(), &mut self.spare);
            self.waiting.push_back(chunk);
        }
        if let (Some((subscription, messages)), Some(last)) = (messages, self.waiting.back_mut()) {
            count(&mut last.tally, subscription, messages);
        }
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        if self.ending.is_some() {
            return;
        }
        if self.tells {
            while !self.lag.is_empty() {
                self.tell_lag();
            }
            let mut frame = Vec::new();
            native::encode::goodbye(&mut frame, reason.name(), &reason.to_string());
            self.append(Frames::Owned(frame), None);
        }
        if self.speech == Speech::Nats
            && let Some(text) = reason.nats_error()
        {
            let mut line = Vec::new();
            nats::encode::err(&mut line, &text);
            self.append(Frames::Owned(line), None);
        }
        self.ending = Some(reason);
    }

    /// Whether somebody else can take a message sooner.
    pub(super) fn is_behind(&self) -> bool {
        self.blocked || self.failed || self.ending.is_some()
    }

    /// Takes the turn and what to write, or says why not.
    pub(super) fn begin(&mut self, writer: Writer) -> Result<Flight, Flushed> {
        if self.failed {
            return Err(Flushed::Failed(io::ErrorKind::NotConnected.into()));
        }
        match (self.turn, writer) {
            (Turn::Free, _) | (Turn::Owners, Writer::Owner) => self.load().ok_or_else(|| self.rest()),
            _ => Err(Flushed::Busy),
        }
    }

    fn load(&mut self) -> Option<Flight> {
        if self.waiting.is_empty() && self.flight.is_empty() && self.ending.is_none() {
            self.tell_lag();
        }
        let (moved, control) = self.flight.load(&mut self.waiting);
        self.waiting_bytes -= moved;
        self.control_bytes -= control;
        if self.flight.is_empty() {
            return None;
        }
        self.turn = Turn::Taken;
        Some(mem::take(&mut self.flight))
    }

    /// Nothing waits: the turn is free.
    fn rest(&mut self) -> Flushed {
        self.turn = Turn::Free;
        self.blocked = false;
        self.spare = Vec::new();
        shrink(&mut self.waiting);
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
        self.load().ok_or_else(|| {
            let flushed = self.rest();
            (flushed, self.makes_room())
        })
    }

    /// The owner has to go on.
    pub(super) fn put_back(&mut self, flight: Flight, written: Written, flushed: Flushed) -> (Flushed, bool) {
        self.flight = flight;
        self.turn = Turn::Owners;
        self.blocked |= matches!(flushed, Flushed::Blocked);
        self.wrote(written);
        if self.failed {
            return self.gave_up();
        }
        (flushed, self.makes_room())
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
        let lost = lost + self.waiting.iter().map(Chunk::messages).sum::<u64>();
        self.waiting = VecDeque::new();
        self.spare = Vec::new();
        self.waiting_bytes = 0;
        self.control_bytes = 0;
        self.stats.lost += lost;
        lost
    }

    fn wrote(&mut self, written: Written) {
        self.stats.messages_out += written.messages;
        self.stats.bytes_out += written.bytes;
    }

    pub(super) fn room_for(&self, bytes: usize, bytes_max: usize) -> bool {
        self.waiting_bytes == 0 || self.waiting_bytes + bytes <= ROOM_BYTES.min(bytes_max)
    }

    fn makes_room(&mut self) -> bool {
        // The bound is at least what a session asks room for, and then nothing need wait.
        let room = self.wants_room.is_some_and(|bytes| self.room_for(bytes, ROOM_BYTES));
        room && self.wants_room.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use glob_tree::Pattern;

    use super::*;
    use crate::routing::SubscriptionOptions;

    /// Cause: a batch whose first message found somebody writing counted as noted, though nobody had to flush for it. Effect: if the writer was done
    /// before the batch's second message, that one stayed in the outbox until the next batch; the load test missed the last few of a
    /// million messages. Fix: only a batch that is told to flush counts.
    #[test]
    fn a_batch_that_met_a_writer_flushes_what_it_appends_after_it() {
        let mut queue = Queue { turn: Turn::Taken, ..Queue::default() };
        assert!(!queue.touch(7), "the writer looks again");
        queue.turn = Turn::Free;
        assert!(queue.touch(7), "nobody else will");
        assert!(!queue.touch(7), "once is enough");
        assert!(queue.touch(8));
    }

    /// Cause: every skip gave its buffers back. Effect: twenty outboxes that were never read held their publisher up for 5 ms, again and
    /// again, while the system zeroed new pages. Fix: the buffers stay until the subscriber has caught up.
    #[test]
    fn a_skip_keeps_its_buffers_and_no_more_than_the_bound() {
        const BYTES_MAX: usize = 256 << 10;
        let pattern = Pattern::glob("t").unwrap();
        let subscription = Arc::new(Subscription::new(pattern, SubscriptionOptions::default()));
        let mut queue = Queue::default();
        for number in 0..10_000_usize {
            // Now and then a large one between them, which is not gathered.
            let large = Frames::Owned(vec![0; 5000]);
            let frames = if number % 100 == 99 { large } else { Frames::Copied(&[0; 1000]) };
            let bytes = frames.len();
            if queue.waiting_bytes + bytes > BYTES_MAX {
                assert!(queue.make_room(bytes, BYTES_MAX, &subscription, 1));
                assert!(queue.spare.len() >= BYTES_MAX / GATHER_BYTES / 2, "{} kept", queue.spare.len());
                assert!(queue.spare.len() <= BYTES_MAX / GATHER_BYTES + 1, "{} kept", queue.spare.len());
            }
            queue.append(frames, Some((&subscription, 1)));
        }
        assert!(queue.stats.lagged > 9_000);
        assert!(matches!(queue.rest(), Flushed::Idle));
        assert_eq!(queue.spare.capacity(), 0);
    }
}
