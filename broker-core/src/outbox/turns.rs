//! How those who write to a connection take turns: who writes, what they make of how that ended, who goes on, and what wakes them. The sockets,
//! the tasks and the waiting are their owner's.
//!
//! Whoever leaves something behind leaves somebody who will see to it: the owner, who has been woken or has yet to look; or whoever is writing,
//! who looks again before giving the turn back.

use std::io::{self, IoSlice};
use std::mem;

use super::Outbox;
use super::flight::Written;

/// Who calls [`Outbox::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A publisher at the end of its batch. It gives up as soon as the socket takes no more.
    Publisher,
    /// The session's own writer, which alone goes on after that.
    Owner,
}

/// How a flush ended.
#[derive(Debug)]
#[must_use]
pub enum Flushed {
    /// Nothing waits.
    Idle,
    /// Somebody else is writing and will see to what waits.
    Busy,
    /// The socket takes no more: the owner goes on when it does.
    Blocked,
    /// The budget is spent: the owner goes on.
    More,
    /// The session ends and all is written: close the connection.
    Drained,
    /// The socket failed, now or earlier.
    Failed(io::Error),
}

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
    /// Writes what waits with `write`, which is called without a lock, until nothing waits, the socket takes no more
    /// ([`io::ErrorKind::WouldBlock`]), or about `budget` bytes are written. One caller at a time writes; the others are
    /// told [`Flushed::Busy`] and need not come again.
    pub fn flush(
        &self,
        writer: Writer,
        budget: usize,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Flushed {
        let mut flight = match self.under_lock(|queue| queue.begin(writer)) {
            Ok(flight) => flight,
            Err((flushed, room)) => {
                if room {
                    self.link.room();
                }
                return flushed;
            }
        };
        let mut written = Written::default();
        let mut spent = 0;
        let (flushed, room) = loop {
            let outcome = write(&flight.slices());
            match outcome {
                Ok(0) => {
                    let error = io::ErrorKind::WriteZero.into();
                    break self.under_lock(|queue| queue.broke(flight, written, error));
                }
                Ok(bytes) => {
                    flight.advance(bytes, &mut written);
                    spent += bytes;
                    if !flight.is_empty() && spent < budget {
                        continue;
                    }
                    let done = mem::take(&mut written);
                    match self.under_lock(|queue| queue.go_on(flight, done, spent < budget)) {
                        Ok(next) => flight = next,
                        Err(end) => break end,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    break self.under_lock(|queue| queue.put_back(flight, written, Flushed::Blocked));
                }
                Err(error) => break self.under_lock(|queue| queue.broke(flight, written, error)),
            }
        };
        if room {
            self.link.room();
        }
        flushed
    }

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
