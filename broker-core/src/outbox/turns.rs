//! What those who write to a connection make of how their flush ended: who goes on, and what wakes them. The sockets, the tasks and the waiting
//! are their owner's.
//!
//! Whoever leaves something behind leaves somebody who will see to it: the owner, who has been woken or has yet to look; or whoever is writing,
//! who looks again before giving the turn back.

use std::io::{self, IoSlice};

use super::{Flushed, Outbox, Writer};

/// What the session's own writer waits for before it writes again. Whichever it is, whoever wakes it does so by a note that stays until it is read.
#[derive(Debug)]
#[must_use]
pub enum WriterNext {
    /// That somebody wakes it.
    Woken,
    /// Its next turn: it has written long enough, and others wait.
    Turn,
    /// That the socket takes something, or somebody wakes it.
    Writable,
    /// That the socket takes something, and not for long: the session has ended.
    Farewell,
    /// Nothing: the connection is over. Why, if the socket failed.
    Close(Option<io::Error>),
}

impl Outbox {
    /// A publisher writes what the socket takes at once, and about `budget` bytes at the most. True if the owner is to be woken, and goes on.
    pub fn write_as_publisher(
        &self,
        budget: usize,
        write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> bool {
        match self.flush(Writer::Publisher, budget, write) {
            Flushed::Idle => false,
            // The owner may be waiting for a socket that takes nothing, and would not learn of the end.
            Flushed::Busy => self.ending().is_some(),
            Flushed::Blocked | Flushed::More | Flushed::Drained | Flushed::Failed(_) => true,
        }
    }

    /// The session's own writer writes what there is, about `budget` bytes at the most.
    pub fn write_as_owner(
        &self,
        budget: usize,
        write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> WriterNext {
        // Before the flush: who ends the session after that wakes the writer.
        let ending = self.ending().is_some();
        match self.flush(Writer::Owner, budget, write) {
            Flushed::Idle | Flushed::Busy => WriterNext::Woken,
            Flushed::More => WriterNext::Turn,
            Flushed::Blocked if ending => WriterNext::Farewell,
            Flushed::Blocked => WriterNext::Writable,
            Flushed::Drained => WriterNext::Close(None),
            Flushed::Failed(error) => WriterNext::Close(Some(error)),
        }
    }
}
