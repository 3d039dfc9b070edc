//! A connection that is not there: takes as many bytes as it is told to, in pieces of any size, blocks, and fails.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use broker_core::outbox::{Link, Outbox};

/// The other end of an outbox, and the flags by which it tells its owner.
#[derive(Debug, Default)]
pub struct Socket {
    state: Mutex<State>,
    told: Condvar,
    /// [`Link::room`] was called.
    room: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that it takes before it blocks.
    takes: usize,
    /// Bytes that one write takes at the most.
    piece: usize,
    failed: bool,
    /// [`Link::wake`] was called, or a publisher left bytes.
    woken: bool,
    /// Writes until the next one is interrupted.
    until_interrupted: u32,
    written: Vec<u8>,
}

impl Socket {
    /// One that takes everything, `piece` bytes at a time.
    pub fn open(piece: usize) -> Self {
        Socket {
            state: Mutex::new(State { takes: usize::MAX, piece, ..State::default() }),
            ..Socket::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with this lock held")
    }

    /// From now on it takes `takes` bytes, `piece` at a time.
    pub fn take(&self, takes: usize, piece: usize) {
        let mut state = self.state();
        (state.takes, state.piece) = (takes, piece);
    }

    /// Every write from now on fails.
    pub fn fail(&self) {
        self.state().failed = true;
    }

    /// Whether a write would not block.
    pub fn is_writable(&self) -> bool {
        let state = self.state();
        state.failed || state.takes > 0
    }

    /// Takes the note that [`Link::wake`] left.
    pub fn take_woken(&self) -> bool {
        std::mem::take(&mut self.state().woken)
    }

    /// Waits until there is such a note, or until `limit` is over. The note stays.
    pub fn wait_woken(&self, limit: Duration) {
        let state = self.state();
        let waited = self.told.wait_timeout_while(state, limit, |state| !state.woken);
        drop(waited.expect("no test panics with this lock held"));
    }

    /// Takes the note that [`Link::room`] left.
    pub fn take_room(&self) -> bool {
        self.room.swap(false, SeqCst)
    }

    /// What the peer received from `offset` on.
    pub fn received(&self, offset: usize) -> Vec<u8> {
        self.state().written.get(offset..).unwrap_or_default().to_vec()
    }

    /// How much that is from the start.
    pub fn received_bytes(&self) -> usize {
        self.state().written.len()
    }

    /// One write, as a socket does it that does not block.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        assert!(slices.iter().any(|slice| !slice.is_empty()), "a write of nothing");
        if state.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.until_interrupted == 0 {
            state.until_interrupted = 7;
            return Err(io::ErrorKind::Interrupted.into());
        }
        state.until_interrupted -= 1;
        let mut left = state.takes.min(state.piece);
        if left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = state.written.len();
        for slice in slices {
            let bytes = slice.len().min(left);
            state.written.extend_from_slice(&slice[..bytes]);
            left -= bytes;
        }
        let bytes = state.written.len() - before;
        state.takes -= if state.takes == usize::MAX { 0 } else { bytes };
        Ok(bytes)
    }
}

/// What the server's own link does.
impl Link for Socket {
    fn flush_now(&self, outbox: &Outbox) {
        if outbox.write_as_publisher(64 << 10, |slices| self.write(slices)) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.state().woken = true;
        self.told.notify_all();
    }

    fn room(&self) {
        self.room.store(true, SeqCst);
    }
}
