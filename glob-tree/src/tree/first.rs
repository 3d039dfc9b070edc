//! The bytes that the children of a node begin with, and where in a text they are: what a star looks for.

use super::node::FEW;
use super::table::{self, NO_KEY};
use crate::pattern::code::OPCODES;

/// The bytes that the children of a node begin with, as a scan of a star looks for them.
#[derive(Clone, Copy, Debug)]
pub(super) enum FirstBytes {
    Few([u8; FEW]),
    Many(ByteSet),
}

impl FirstBytes {
    pub(super) fn remove(&mut self, byte: u8) {
        match self {
            Self::Few(keys) => keys.iter_mut().filter(|key| **key == byte).for_each(|key| *key = NO_KEY),
            Self::Many(set) => set.remove(byte),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(keys) => keys.iter().all(|key| *key >= OPCODES),
            Self::Many(set) => set.is_empty(),
        }
    }

    /// A bit for each of at most 64 bytes that is one of them, the first byte's lowest.
    pub(super) fn positions(&self, bytes: &[u8]) -> u64 {
        match self {
            Self::Few([first, NO_KEY, NO_KEY]) => table::positions([*first], bytes),
            Self::Few(keys) => table::positions(*keys, bytes),
            Self::Many(set) => set.positions(bytes),
        }
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet(pub(super) [u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: Self = Self([0; 4]);

    #[inline]
    pub(super) fn has(&self, byte: u8) -> bool {
        self.word(byte) >> (byte & 63) & 1 == 1
    }

    pub(super) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1_u64 << (byte & 63);
        }
    }

    pub(super) fn remove(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word &= !(1_u64 << (byte & 63));
        }
    }

    /// A bit for each of at most 64 bytes that is in the set, the first byte's lowest. Free of branches, which would be
    /// guessed wrong at every other byte.
    pub(super) fn positions(&self, bytes: &[u8]) -> u64 {
        let some = |bytes: &[u8]| {
            bytes.iter().zip(0..).fold(0, |found, (&byte, at)| found | u64::from(self.has(byte)) << at)
        };
        // Eight at once, none of which waits for another.
        let (words, rest) = bytes.as_chunks::<8>();
        let found = words.iter().zip(0..).fold(0, |found, (word, at)| found | some(word) << (8 * at));
        found | some(rest).unbounded_shl(u32::try_from(8 * words.len()).unwrap_or(u32::MAX))
    }

    /// Whether no byte of a text is in it.
    pub(super) fn is_empty(&self) -> bool {
        // UTF-8 has no byte from the first opcode on: they are the highest ones.
        let [lower @ .., last] = self.0;
        lower == [0; 3] && last & (u64::MAX >> (u8::MAX - OPCODES + 1)) == 0
    }

    pub(super) fn word(&self, byte: u8) -> u64 {
        self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0)
    }
}
