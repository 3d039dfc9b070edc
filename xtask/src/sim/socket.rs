//! A connection's socket: two pipes of bounded size, which take and give what chance allows, and fail when the client has gone; and the
//! [`Link`] through which the broker writes, as in `broker-server/src/connection/link.rs`.

use std::cmp::min;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};

use broker_core::outbox::{Link, Outbox};
use fastrand::Rng;

use super::world;

#[derive(Debug)]
pub(super) struct Socket {
    peer: usize,
    inline_bytes: usize,
    nested: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    rng: Rng,
    capacity: usize,
    partial: u32,
    /// What the client wrote and the server has not read.
    pub(super) to_server: VecDeque<u8>,
    /// What the server wrote and the client has not read.
    pub(super) to_client: VecDeque<u8>,
    /// When what is in `to_client` was taken up, in runs of bytes.
    pub(super) tags: Tags,
    /// What the broker is about to write, and when it took that up, where it matters.
    offered: Option<(Vec<u8>, Tags)>,
    /// The client says no more; what it wrote is still there.
    pub(super) ended: bool,
    /// The client is gone: writes fail.
    pub(super) broken: bool,
    /// The server shut it down.
    pub(super) shut: bool,
    /// Permits, as a `Notify` keeps one.
    pub(super) writer_woken: bool,
    pub(super) room_told: bool,
    /// A write was refused or cut short.
    pub(super) cuts: u64,
    pub(super) refusals: u64,
}

/// Times, for so many bytes each.
#[derive(Debug, Default)]
pub(super) struct Tags {
    runs: VecDeque<(usize, u64)>,
}

impl Tags {
    fn push(&mut self, bytes: usize, at_ms: u64) {
        if bytes > 0 {
            self.runs.push_back((bytes, at_ms));
        }
    }

    pub(super) fn append(&mut self, mut more: Tags) {
        self.runs.append(&mut more.runs);
    }

    /// Those of the first bytes, which go.
    pub(super) fn take(&mut self, mut bytes: usize) -> Tags {
        let mut taken = Tags::default();
        while let Some((run, at_ms)) = self.runs.front_mut().filter(|_| bytes > 0) {
            let part = min(bytes, *run);
            taken.push(part, *at_ms);
            bytes -= part;
            *run -= part;
            if *run == 0 {
                self.runs.pop_front();
            }
        }
        taken
    }

    /// That of the first byte.
    pub(super) fn first_ms(&self) -> Option<u64> {
        self.runs.front().map(|(_, at_ms)| *at_ms)
    }
}

impl Socket {
    pub(super) fn new(peer: usize, seed: u64, config: &super::config::Config) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            capacity: config.socket_bytes,
            partial: config.partial,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            tags: Tags::default(),
            offered: config.is_timed().then(Default::default),
            ended: false,
            broken: false,
            shut: false,
            writer_woken: false,
            room_told: false,
            cuts: 0,
            refusals: 0,
        };
        Socket { peer, inline_bytes: config.inline_bytes, nested: config.nested, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the socket takes at once. Somebody else may go first, and somebody else after it, as on other threads.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.state().offer(slices);
        let between = self.state().chance(self.nested);
        if between {
            world::step_between();
        }
        let outcome = self.state().write(slices);
        world::note_write(self.peer, &outcome);
        outcome
    }
}

impl State {
    /// Notes when the broker took up what it is about to write: now, but for what it tried to write before.
    fn offer(&mut self, slices: &[IoSlice<'_>]) {
        let Some((before, tags)) = &mut self.offered else { return };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let same = bytes.iter().zip(before.iter()).take_while(|(one, other)| one == other).count();
        *tags = tags.take(same);
        tags.push(bytes.len() - same, world::clock_ms());
        *before = bytes;
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.u32(..one_in.max(1)) == 0
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.broken || self.shut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let room = self.room();
        if room == 0 {
            self.refusals += 1;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut taken = min(offered, room);
        if taken > 1 && self.chance(self.partial) {
            taken = self.rng.usize(1..=taken);
        }
        self.cuts += u64::from(taken < offered);
        if let Some((bytes, tags)) = &mut self.offered {
            bytes.drain(..taken.min(bytes.len()));
            self.tags.append(tags.take(taken));
        }
        let mut left = taken;
        for slice in slices {
            let part = slice.get(..min(left, slice.len())).unwrap_or_default();
            self.to_client.extend(part);
            left -= part.len();
        }
        Ok(taken)
    }

    /// What a write would take.
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.to_client.len())
    }

    /// What the client can write.
    pub(super) fn room_to_server(&self) -> usize {
        // A client that pipes a large frame through must come to its end.
        self.capacity.saturating_sub(self.to_server.len())
    }
}

impl Link for Socket {
    fn flush_now(&self, outbox: &Outbox) {
        if outbox.write_as_publisher(self.inline_bytes, |slices| self.try_write(slices)) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.state().writer_woken = true;
    }

    fn room(&self) {
        self.state().room_told = true;
    }
}
