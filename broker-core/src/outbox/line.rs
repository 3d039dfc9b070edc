//! The policy `block`: what found the outbox full stands in line beside it, and whose it is publishes nothing more before it is in.
//!
//! The line keeps the order of all publishers. A publisher has at most two runs in it, because it is not served meanwhile: so the line is bounded by
//! the publishers as their read buffers are.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Outbox;
use super::chunk::Chunk;

/// The coarse clock is late by up to this, in milliseconds: the period of whoever sets it where nothing happens.
const CLOCK_LATE_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Line {
    held: VecDeque<Held>,
    bytes: usize,
    /// When the socket took something last; or since when it was to be written to, if that is later.
    took_ms: u64,
    /// That was read from the clock, and has not been corrected: it was then or later.
    took: bool,
    /// It took nothing for too long: until it is empty, it skips.
    lapsed: bool,
}

#[derive(Debug)]
struct Held {
    /// The outbox of the publisher's session; none for the broker itself, which is not held back.
    home: Option<Arc<Outbox>>,
    chunk: Chunk,
}

impl Line {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_lapsed(&self) -> bool {
        self.lapsed
    }

    /// Puts messages behind all others. `stuck_ms` is since when the socket takes nothing, if it is known not to: then the time does not run from
    /// now, because those who are held back one after another by many such sessions would wait for each.
    pub(super) fn push(
        &mut self,
        chunk: Chunk,
        home: Option<&Arc<Outbox>>,
        stuck_ms: Option<u64>,
        now_ms: u64,
    ) {
        if self.held.is_empty() {
            self.took_ms = stuck_ms.unwrap_or(now_ms);
            self.took = stuck_ms.is_some();
        }
        self.bytes += chunk.bytes().len();
        self.held.push_back(Held { home: home.cloned(), chunk });
    }

    pub(super) fn front(&self) -> Option<&Chunk> {
        self.held.front().map(|held| &held.chunk)
    }

    /// The first in line, and its publisher if it has nothing more there.
    pub(super) fn pop(&mut self) -> Option<(Chunk, Option<Arc<Outbox>>)> {
        let Held { home, chunk } = self.held.pop_front()?;
        self.bytes -= chunk.bytes().len();
        let released = home.filter(|home| !self.holds(home.session()));
        Some((chunk, released))
    }

    /// Whether something of this session stands in it.
    pub(super) fn holds(&self, session: u64) -> bool {
        self.held.iter().any(|held| held.is_of(session))
    }

    /// Takes out what is of this session.
    pub(super) fn leave(&mut self, session: u64) -> Vec<Chunk> {
        let (left, stays) = self.held.drain(..).partition(|held| held.is_of(session));
        self.held = stays;
        let left: VecDeque<Held> = left;
        let left: Vec<Chunk> = left.into_iter().map(|held| held.chunk).collect();
        self.bytes -= left.iter().map(|chunk| chunk.bytes().len()).sum::<usize>();
        left
    }

    /// The socket took something.
    pub(super) fn took(&mut self, now_ms: u64) {
        self.took_ms = self.took_ms.max(now_ms);
        self.took = true;
    }

    /// When it will have lasted too long, as far as is known at `now_ms`.
    pub(super) fn until_ms(&mut self, now_ms: u64, block_ms: u64) -> u64 {
        if std::mem::take(&mut self.took) {
            // The clock may have been late then, and nobody must be given up too early.
            self.took_ms = now_ms.min(self.took_ms + CLOCK_LATE_MS).max(self.took_ms);
        }
        self.took_ms.saturating_add(block_ms)
    }

    pub(super) fn lapse(&mut self) {
        self.lapsed = true;
    }

    /// Nothing waits.
    pub(super) fn rest(&mut self) {
        *self = Line::default();
    }
}

impl Held {
    fn is_of(&self, session: u64) -> bool {
        self.home.as_ref().is_some_and(|home| home.session() == session)
    }
}
