//! What is being written: taken out of what waits, so that nothing drops it in the middle of a frame.

use std::collections::VecDeque;
use std::io::IoSlice;

use smallvec::SmallVec;

use super::chunk::{Chunk, GATHER_BYTES, Kind, Label};
use super::waiting::shrink;
use super::{Policy, Speech};
use crate::wire::native::value_end;
use crate::wire::nats::message_extent;

/// What one write may take. Bounds the bytes that a session holds beyond its outbox's limit.
const FLIGHT_BYTES: usize = 256 << 10;

/// Slices in one write; far below the system's limit of 1,024.
pub(super) const FLIGHT_CHUNKS: usize = 64;

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

    /// Whether a chunk of so many bytes still makes this a good write.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.chunks.is_empty() || self.chunks.len() < FLIGHT_CHUNKS && self.bytes + bytes <= FLIGHT_BYTES
    }

    /// Takes a chunk over. Single messages are gathered, so that they do not take a slice each.
    pub(super) fn load(&mut self, mut chunk: Chunk) {
        self.bytes += chunk.bytes().len();
        if chunk.kind == Kind::Newest {
            chunk.kind = Kind::Messages(Policy::Conflate);
            let messages = chunk.subscription().map(|owner| (owner, 1));
            let label = Label { kind: chunk.kind, messages, expires_ms: chunk.expires_ms };
            let last = self.chunks.back_mut();
            if last.is_some_and(|last| last.gather(&chunk.frames(), label, GATHER_BYTES)) {
                return;
            }
        }
        self.chunks.push_back(chunk);
    }

    /// Whether it holds messages under the policy `conflate`, and none under others.
    pub(super) fn is_conflated(&self) -> bool {
        let is_kind = |kind| self.chunks.iter().any(|chunk| chunk.kind == kind);
        let is_fit = |kind| matches!(kind, Kind::Control | Kind::Lag | Kind::Messages(Policy::Conflate));
        is_kind(Kind::Messages(Policy::Conflate)) && self.chunks.iter().all(|chunk| is_fit(chunk.kind))
    }

    /// Gives back what has not begun, last first. What is left may turn out to be written whole, if that ended between two frames.
    pub(super) fn unload(&mut self, speech: Speech) -> (Vec<Chunk>, Written) {
        let begun = usize::from(self.offset > 0);
        let mut chunks: Vec<Chunk> = self.chunks.drain(begun.min(self.chunks.len())..).rev().collect();
        if let Some(first) = self.chunks.front_mut()
            && first.kind == Kind::Messages(Policy::Conflate)
        {
            chunks.extend(first.split_off(self.offset, speech));
        }
        let mut written = Written::default();
        self.advance(0, &mut written);
        self.bytes = self.chunks.front().map_or(0, |first| first.bytes().len() - self.offset);
        (chunks, written)
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
        Speech::Nats => message_extent(bytes).map(|extent| extent.bytes),
    };
    let mut frames = 0;
    while let Some(end) = end(bytes) {
        frames += 1;
        bytes = bytes.get(end..).unwrap_or_default();
    }
    frames
}
