//! What waits in an outbox, in the order in which it will be written: chunks, each with a number that it keeps while others go.
//!
//! Owns the bytes and their count. What is dropped and when is said elsewhere.

use std::collections::VecDeque;
use std::mem;

use super::Policy;
use super::chunk::{Chunk, Frames, GATHER_BYTES, Kind, Label};
use super::late::Late;
use super::newest::Newest;

/// The number of the first chunk of all. Far from both ends: chunks are also put back in front.
const FIRST: u64 = 1 << 62;

/// Holes are closed when there are so many, and more of them than chunks.
const GONE_MAX: usize = 64;

pub(super) struct Waiting {
    chunks: VecDeque<Chunk>,
    /// The number of the first of them.
    first: u64,
    /// What they take of the bound.
    bytes: usize,
    /// Of that, answers and events.
    control_bytes: usize,
    /// Chunks that are none any more.
    gone: usize,
    /// Chunks of messages under other policies than `conflate`.
    pub(super) others: usize,
    /// No chunk before this one is under the policy `drop-oldest`.
    oldest: u64,
    /// Where the newest message of each topic is, while that is all that is kept.
    pub(super) newest: Option<Box<Newest>>,
    pub(super) late: Late,
    /// Buffers of what was dropped, while the subscriber does not catch up. Twenty such outboxes that took new ones held their publisher up
    /// for 5 ms again and again, in the kernel, which zeroed pages of 2 MiB (measured).
    spare: Vec<Vec<u8>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            chunks: VecDeque::new(),
            first: FIRST,
            bytes: 0,
            control_bytes: 0,
            gone: 0,
            others: 0,
            oldest: FIRST,
            newest: None,
            late: Late::default(),
            spare: Vec::new(),
        }
    }
}

impl Waiting {
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn control_bytes(&self) -> usize {
        self.control_bytes
    }

    /// Whether answers and events are all that waits.
    pub(super) fn is_control(&self) -> bool {
        self.bytes == self.control_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn messages(&self) -> u64 {
        self.chunks.iter().map(Chunk::messages).sum()
    }

    /// Appends frames, gathering them with the last ones up to `gather_max` bytes.
    #[inline]
    pub(super) fn append(&mut self, frames: Frames<'_>, label: Label<'_>, gather_max: usize) {
        let bytes = frames.len();
        let gathered = self.chunks.back_mut().is_some_and(|last| last.gather(&frames, label, gather_max));
        if gathered {
            self.bytes += bytes;
            self.control_bytes += if label.kind == Kind::Control { bytes } else { 0 };
        } else {
            let chunk = Chunk::new(frames, label, self.chunks.back(), &mut self.spare);
            self.push_back(chunk);
        }
    }

    pub(super) fn push_back(&mut self, chunk: Chunk) {
        self.count(&chunk);
        self.chunks.push_back(chunk);
    }

    /// Puts a chunk before all others.
    pub(super) fn push_front(&mut self, chunk: Chunk) {
        self.count(&chunk);
        self.chunks.push_front(chunk);
        self.first -= 1;
        self.oldest = self.first;
        if let Some(newest) = &mut self.newest {
            newest.oldest = self.first;
        }
    }

    pub(super) fn front(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(super) fn pop_front(&mut self) -> Option<Chunk> {
        let front = self.chunks.front()?;
        if front.kind == Kind::Newest {
            self.forget(self.first);
        }
        let chunk = self.chunks.pop_front()?;
        self.first += 1;
        self.discount(&chunk);
        self.trim();
        Some(chunk)
    }

    pub(super) fn pop_back(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_back()?;
        self.discount(&chunk);
        Some(chunk)
    }

    /// The number that the next chunk will have.
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }

    /// The number of the first chunk.
    pub(super) fn first_number(&self) -> u64 {
        self.first
    }

    pub(super) fn get(&self, number: u64) -> Option<&Chunk> {
        self.chunks.get(place(number, self.first))
    }

    /// Changes a chunk, and what it counts for.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Chunk)) {
        let place = place(number, self.first);
        let Some(mut chunk) = self.chunks.get_mut(place).map(|chunk| mem::replace(chunk, Chunk::gone()))
        else {
            return;
        };
        self.discount(&chunk);
        change(&mut chunk);
        self.count(&chunk);
        if let Some(hole) = self.chunks.get_mut(place) {
            *hole = chunk;
        }
    }

    /// Puts a newer message in the place of the one that waits of its topic.
    pub(super) fn renew_at(&mut self, number: u64, frame: Frames<'_>, expires_ms: u64) {
        let place = place(number, self.first);
        if let Some(chunk) = self.chunks.get_mut(place).filter(|chunk| chunk.kind == Kind::Newest) {
            self.bytes -= chunk.cost();
            chunk.renew(frame, expires_ms);
            self.bytes += chunk.cost();
        }
    }

    /// Takes a chunk out. The numbers of the others hold until the next call of [`Waiting::close_holes`].
    pub(super) fn take_out(&mut self, number: u64) -> Option<Chunk> {
        let place = place(number, self.first);
        if self.get(number)?.kind == Kind::Newest {
            self.forget(number);
        }
        let chunk = mem::replace(self.chunks.get_mut(place)?, Chunk::gone());
        self.discount(&chunk);
        self.gone += 1;
        self.trim();
        Some(chunk)
    }

    /// The oldest chunk of messages under `drop-oldest`, taken out.
    pub(super) fn take_oldest(&mut self) -> Option<Chunk> {
        let is_it = |chunk: &Chunk| chunk.kind == Kind::Messages(Policy::DropOldest);
        let number = self.find_from(self.oldest, is_it)?;
        self.oldest = number + 1;
        self.take_out(number)
    }

    /// The first chunk from this number on that is wanted.
    pub(super) fn find_from(&self, number: u64, is_wanted: impl Fn(&Chunk) -> bool) -> Option<u64> {
        let number = number.max(self.first);
        let skipped = place(number, self.first);
        let found = self.chunks.iter().skip(skipped).position(is_wanted)?;
        Some(number + found as u64)
    }

    /// Drops every chunk that `is_dropped`, telling `dropped` of it, and keeps their buffers for later: as many as `bytes_max` holds.
    pub(super) fn drop_where(
        &mut self,
        bytes_max: usize,
        is_dropped: impl Fn(&Chunk) -> bool,
        mut dropped: impl FnMut(&Chunk),
    ) {
        for chunk in self.start_over() {
            if is_dropped(&chunk) {
                dropped(&chunk);
                self.spare.extend(chunk.into_buffer());
            } else if chunk.kind != Kind::Gone {
                self.push_back(chunk);
            }
        }
        self.spare.truncate(bytes_max / GATHER_BYTES + 1);
        self.reindex();
    }

    /// Keeps the buffers of these chunks for what comes in their place.
    pub(super) fn keep_buffers(&mut self, chunks: Vec<Chunk>) {
        self.spare = chunks.into_iter().filter_map(Chunk::into_buffer).collect();
    }

    /// Everything, in order. What is pushed back gets new numbers; an index has to be made anew.
    pub(super) fn start_over(&mut self) -> VecDeque<Chunk> {
        debug_assert!(self.late.chunks == 0, "what is late is taken apart first");
        let (newest, spare) = (self.newest.take(), mem::take(&mut self.spare));
        let old = mem::replace(self, Waiting { newest, spare, ..Waiting::default() });
        old.chunks
    }

    /// Closes the holes where there are many. Numbers change.
    pub(super) fn close_holes(&mut self) {
        if self.gone > GONE_MAX && self.gone * 2 > self.chunks.len() {
            for chunk in self.start_over() {
                if chunk.kind != Kind::Gone {
                    self.push_back(chunk);
                }
            }
            self.reindex();
        }
    }

    /// Nothing waits: gives back what a burst made large.
    pub(super) fn rest(&mut self) {
        self.spare = Vec::new();
        self.newest = None;
        shrink(&mut self.chunks);
    }

    pub(super) fn clear(&mut self) {
        *self = Waiting::default();
    }

    /// A hole is never the first.
    fn trim(&mut self) {
        while self.chunks.front().is_some_and(|chunk| chunk.kind == Kind::Gone) {
            self.chunks.pop_front();
            self.first += 1;
            self.gone -= 1;
        }
    }

    fn count(&mut self, chunk: &Chunk) {
        self.bytes += chunk.cost();
        self.control_bytes += if chunk.is_control() { chunk.cost() } else { 0 };
        self.others += usize::from(is_other(chunk));
    }

    fn discount(&mut self, chunk: &Chunk) {
        self.bytes -= chunk.cost();
        self.control_bytes -= if chunk.is_control() { chunk.cost() } else { 0 };
        self.others -= usize::from(is_other(chunk));
    }

    #[cfg(test)]
    pub(super) fn spare(&self) -> (usize, usize) {
        (self.spare.len(), self.spare.capacity())
    }
}

fn place(number: u64, first: u64) -> usize {
    number.checked_sub(first).and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX)
}

fn is_other(chunk: &Chunk) -> bool {
    matches!(chunk.kind, Kind::Messages(policy) if policy != Policy::Conflate)
}

/// Gives back a queue that a burst made large.
pub(super) fn shrink(queue: &mut VecDeque<Chunk>) {
    if queue.capacity() > 4 {
        *queue = VecDeque::new();
    }
}
