//! Pieces of an outbox: whole frames in one buffer, with the count of messages in them, and the pieces that are being written.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Speech;
use crate::routing::Subscription;
use crate::wire::native::value_end;
use crate::wire::nats::message_end;

/// Copied frames are gathered in a buffer up to this size. A guess: at some ten KiB the cost
/// of a system call is small beside that of the copy.
pub(super) const GATHER_BYTES: usize = 16 << 10;

/// What one write may take. Bounds the bytes that a session holds beyond its outbox's limit.
const FLIGHT_BYTES: usize = 256 << 10;

/// Subscriptions that a chunk counts for: they are looked up one by one.
const TALLIED_MAX: usize = 16;

/// Slices in one write; far below the system's limit of 1,024.
pub(super) const FLIGHT_CHUNKS: usize = 64;

/// Frames to append, in the form that costs least to keep.
#[derive(Debug)]
pub(crate) enum Frames<'a> {
    /// Small: a copy is cheaper than a reference count and a slice of its own.
    Copied(&'a [u8]),
    /// Large, for several subscribers.
    Shared(&'a Bytes),
    /// Large, for this one.
    Owned(Vec<u8>),
}

impl Frames<'_> {
    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Frames::Copied(bytes) => bytes,
            Frames::Shared(bytes) => bytes,
            Frames::Owned(bytes) => bytes,
        }
    }
}

/// How many messages of which subscription. Nearly always of one.
pub(super) type Tally = SmallVec<[(Arc<Subscription>, u64); 1]>;

pub(super) fn count(tally: &mut Tally, subscription: &Arc<Subscription>, messages: u64) {
    match tally.iter_mut().find(|(counted, _)| Arc::ptr_eq(counted, subscription)) {
        Some((_, total)) => *total += messages,
        None => tally.push((Arc::clone(subscription), messages)),
    }
}

/// Whole frames, one after another.
#[derive(Debug)]
pub(super) struct Chunk {
    body: Body,
    /// The messages in it; none in answers and events, which are never dropped.
    pub(super) tally: Tally,
}

#[derive(Debug)]
enum Body {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    /// Of `frames`, which go behind `last`. A copy goes into a buffer of `spare`, if there is one, and behind a filled chunk into a large one;
    /// elsewhere that would be much for little.
    pub(super) fn new(frames: Frames<'_>, last: Option<&Chunk>, spare: &mut Vec<Vec<u8>>) -> Self {
        let gathering = |spare: &mut Vec<Vec<u8>>| {
            let filled = last.is_some_and(Chunk::is_filled);
            spare.pop().or_else(|| filled.then(|| Vec::with_capacity(GATHER_BYTES)))
        };
        let body = match frames {
            Frames::Copied(bytes) if let Some(mut buffer) = gathering(spare) => {
                buffer.extend_from_slice(bytes);
                Body::Owned(buffer)
            }
            Frames::Copied(bytes) => Body::Owned(bytes.to_vec()),
            Frames::Shared(bytes) => Body::Shared(bytes.clone()),
            Frames::Owned(bytes) => Body::Owned(bytes),
        };
        Chunk { body, tally: Tally::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Owned(bytes) => bytes,
            Body::Shared(bytes) => bytes,
        }
    }

    /// Its buffer, empty, if it is one to gather in.
    pub(super) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.body {
            Body::Owned(mut buffer) if buffer.capacity() == GATHER_BYTES => {
                buffer.clear();
                Some(buffer)
            }
            _ => None,
        }
    }

    /// Whether it was gathered and holds at least half of what it can.
    fn is_filled(&self) -> bool {
        matches!(&self.body, Body::Owned(gathered) if gathered.len() >= GATHER_BYTES / 2)
    }

    pub(super) fn is_control(&self) -> bool {
        self.tally.is_empty()
    }

    pub(super) fn messages(&self) -> u64 {
        self.tally.iter().map(|(_, messages)| messages).sum()
    }

    /// Copies more frames behind these, if there is room and it pays.
    pub(super) fn gather(&mut self, frames: &Frames<'_>) -> bool {
        if self.tally.len() >= TALLIED_MAX {
            return false;
        }
        match (&mut self.body, frames) {
            (Body::Owned(gathered), Frames::Copied(more)) if gathered.len() + more.len() <= GATHER_BYTES => {
                gathered.extend_from_slice(more);
                true
            }
            _ => false,
        }
    }
}

/// What is being written: taken out of the waiting ones, so that nothing drops it in the middle of a frame.
#[derive(Debug, Default)]
pub(super) struct Flight {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that have gone.
    offset: usize,
    bytes: usize,
}

/// What has been written.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Written {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Moves chunks over until this is a good write. Returns the bytes that were moved, and how many of them are answers and events.
    pub(super) fn load(&mut self, waiting: &mut VecDeque<Chunk>) -> (usize, usize) {
        let (mut moved, mut control) = (0, 0);
        while self.chunks.len() < FLIGHT_CHUNKS {
            let Some(next) = waiting.front() else { break };
            let bytes = next.bytes().len();
            if self.bytes + bytes > FLIGHT_BYTES && !self.chunks.is_empty() {
                break;
            }
            moved += bytes;
            control += if next.is_control() { bytes } else { 0 };
            self.bytes += bytes;
            self.chunks.extend(waiting.pop_front());
        }
        (moved, control)
    }

    pub(super) fn slices(&self) -> SmallVec<[IoSlice<'_>; 8]> {
        let mut skip = self.offset;
        let rest = |chunk| Chunk::bytes(chunk).get(std::mem::take(&mut skip)..).unwrap_or_default();
        self.chunks.iter().map(rest).map(IoSlice::new).collect()
    }

    /// So many bytes are written.
    pub(super) fn advance(&mut self, bytes: usize, written: &mut Written) {
        written.bytes += bytes as u64;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.offset += bytes;
        while let Some(first) = self.chunks.front() {
            let length = first.bytes().len();
            if self.offset < length {
                return;
            }
            self.offset -= length;
            written.messages += first.messages();
            self.chunks.pop_front();
        }
    }

    /// Gives up. Returns the messages that were written whole after all, and those that were not.
    pub(super) fn abandon(&mut self, speech: Speech) -> (u64, u64) {
        let messages: u64 = self.chunks.iter().map(Chunk::messages).sum();
        let whole =
            self.chunks.front().filter(|chunk| !chunk.is_control()).map_or(0, |chunk| {
                whole_frames(chunk.bytes().get(..self.offset).unwrap_or_default(), speech)
            });
        *self = Flight::default();
        (whole, messages.saturating_sub(whole))
    }

    /// An idle session holds no buffer.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.chunks);
    }
}

/// How many frames end within `bytes`.
fn whole_frames(mut bytes: &[u8], speech: Speech) -> u64 {
    let end = |bytes: &[u8]| match speech {
        Speech::Native => value_end(bytes, usize::MAX).ok().flatten(),
        Speech::Nats => message_end(bytes),
    };
    let mut frames = 0;
    while let Some(end) = end(bytes) {
        frames += 1;
        bytes = bytes.get(end..).unwrap_or_default();
    }
    frames
}

/// Gives back a queue that a burst made large.
pub(super) fn shrink(queue: &mut VecDeque<Chunk>) {
    if queue.capacity() > 4 {
        *queue = VecDeque::new();
    }
}
