//! The policy `conflate`: of each topic the newest message waits, from when the subscriber is behind until it has caught up.
//!
//! Owns when messages are taken apart, and what goes when all topics together are too many. Where they wait is `newest`'s, and until when they
//! are left as they came is `late`'s.

use std::sync::Arc;

use super::admit::Parcel;
use super::chunk::{Frames, Label};
use super::newest::Message;
use super::queue::Queue;
use crate::routing::Subscription;

/// How much is taken apart at once: so many times what waits of all topics, in these bounds. The more, the fewer messages are looked up; but it takes
/// memory beside them, and its publisher waits for it. Measured with 1,000 and 10,000 topics of 128 B.
const LATE_SHARE: usize = 4;
const LATE_BYTES_MIN: usize = 64 << 10;
const LATE_BYTES_MAX: usize = 1 << 20;

/// Outboxes that get the same messages take them apart at different times, so that no publisher waits for all of them at once: their limits
/// are from half of that on in so many steps.
const LATE_STEPS: usize = 16;

impl Queue {
    /// What the policy makes of messages.
    pub(super) fn admit_conflated(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) {
        self.conflates = true;
        if self.waiting.newest.is_none() {
            if !self.is_blocked() && self.fits(frames.len()) {
                return self.append(frames, parcel.label());
            }
            self.conflate();
        }
        // Of several in a row to one topic only the last is kept: a subscriber that reads nothing costs its publishers little.
        let newest = parcel.newest.filter(|_| parcel.messages > 1).and_then(|at| frames.bytes().get(at..));
        match newest {
            Some(newest) => {
                self.losses.miss(parcel.subscription, parcel.messages - 1);
                let label = Label::messages(parcel.subscription, 1, parcel.expires_ms);
                self.waiting.append_late(Frames::Copied(newest), label);
            }
            None => self.waiting.append_late(frames, parcel.label()),
        }
        let waiting_bytes = self.waiting.bytes();
        let late_bytes = self.waiting.late.bytes;
        let is_much = late_bytes > self.late_bytes_max(waiting_bytes - late_bytes);
        if is_much || waiting_bytes > self.bytes_max || !self.line.is_empty() {
            self.settle();
        }
    }

    fn late_bytes_max(&self, waiting_bytes: usize) -> usize {
        let share = waiting_bytes.saturating_mul(LATE_SHARE).clamp(LATE_BYTES_MIN, LATE_BYTES_MAX);
        let step = LATE_STEPS + self.spread % LATE_STEPS;
        share.min(self.bytes_max / 4) / (2 * LATE_STEPS) * step
    }

    /// Takes apart what has come since that was done last.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.waiting.late.chunks > 0 {
            self.take_apart();
        }
    }

    fn take_apart(&mut self) {
        let late = self.waiting.take_late();
        let Some(newest) = &self.waiting.newest else { return };
        let mut latest = newest.latest(&late);
        self.losses.miss_all(&latest.take_missed());
        for message in latest {
            self.renew(message);
        }
        self.waiting.keep_buffers(late);
    }

    /// Puts a message in the place of the one of its topic that waits, if one does.
    fn renew(&mut self, message: Message<'_>) {
        // What stands in line may be of the same topic, and older.
        if !self.line.is_empty() && !self.waiting.knows(&message) {
            return self.losses.miss(message.owner, 1);
        }
        let losses = &mut self.losses;
        self.waiting.renew(message, &mut |owner: &Arc<Subscription>| losses.miss(owner, 1));
        self.keep_bound();
    }

    /// Begins to keep the newest of each topic alone.
    pub(super) fn conflate(&mut self) {
        let losses = &mut self.losses;
        self.waiting.conflate(self.speech, |owner, messages| losses.miss(owner, messages));
        self.keep_bound();
    }

    /// Drops the topics that were touched first, while all together are too many.
    pub(super) fn keep_bound(&mut self) {
        while self.waiting.bytes() > self.bytes_max {
            let Some(chunk) = self.waiting.take_oldest_newest() else { break };
            let bytes = chunk.bytes().len();
            if self.has_place_alone(bytes) && self.line.is_empty() {
                self.waiting.put_newest(chunk);
                break;
            }
            self.losses.miss_chunk(&chunk);
        }
    }
}
