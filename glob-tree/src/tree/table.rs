//! A few ways on from a node, by key: a byte of a text, or the opcode of an element, which is no byte of a text.
//!
//! Owns a flat table that is searched without a branch for each key. Invariant: opcodes come first, then bytes, then what is empty.

use super::node::Link;
use crate::pattern::code::OPCODES;

/// A key that no way has: neither a byte of a text nor the opcode of a step.
pub(super) const NO_KEY: u8 = 0xff;
/// Keys that one word holds.
const WORD_BYTES: usize = size_of::<u64>();

/// Up to `N` ways on.
#[derive(Clone, Debug)]
pub(super) struct Table<const N: usize> {
    nodes: [Link; N],
    keys: [u8; N],
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        Self { nodes: [Link::NONE; N], keys: [NO_KEY; N] }
    }
}

impl<const N: usize> Table<N> {
    #[inline]
    pub(super) fn get(&self, key: u8) -> Option<u32> {
        self.nodes.get(self.find(key)?)?.get()
    }

    /// The keys with their nodes, opcodes first.
    #[inline]
    pub(super) fn ways(&self) -> impl Iterator<Item = (u8, u32)> {
        self.keys.iter().zip(&self.nodes).map_while(|(&key, node)| Some((key, node.get()?)))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.first().is_none_or(|key| *key == NO_KEY)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.iter().take_while(|key| **key != NO_KEY).count()
    }

    /// The only node, if there is one.
    pub(super) fn only(&self) -> Option<(u8, u32)> {
        let mut ways = self.ways();
        ways.next().filter(|_| ways.next().is_none())
    }

    #[inline]
    pub(super) fn keys(&self) -> [u8; N] {
        self.keys
    }

    /// Where the key is. Compares all keys at once, because which of them it is cannot be guessed.
    #[inline]
    fn find(&self, key: u8) -> Option<usize> {
        if N < WORD_BYTES {
            return self.keys.iter().position(|own| *own == key);
        }
        // Words that overlap where the keys are no whole number of them.
        let (first, last) = (self.keys.first_chunk()?, self.keys.last_chunk()?);
        match (matching(*first, key), matching(*last, key)) {
            (0, 0) => None,
            (0, found) => Some(N - WORD_BYTES + found.trailing_zeros() as usize / 8),
            (found, _) => Some(found.trailing_zeros() as usize / 8),
        }
    }

    /// False, and nothing changes, if there is no room.
    pub(super) fn set(&mut self, key: u8, node: u32) -> bool {
        if let Some(own) = self.find(key).and_then(|at| self.nodes.get_mut(at)) {
            *own = Link::to(node);
            return true;
        }
        let end = self.len();
        let at = if key >= OPCODES { 0 } else { end };
        let (Some(keys), Some(nodes)) = (self.keys.get_mut(at..=end), self.nodes.get_mut(at..=end)) else {
            return false;
        };
        keys.rotate_right(1);
        nodes.rotate_right(1);
        if let ([own_key, ..], [own_node, ..]) = (keys, nodes) {
            *own_key = key;
            *own_node = Link::to(node);
        }
        true
    }

    pub(super) fn remove(&mut self, key: u8) {
        let Some(at) = self.find(key) else { return };
        if let (Some(keys), Some(nodes)) = (self.keys.get_mut(at..), self.nodes.get_mut(at..)) {
            keys.rotate_left(1);
            nodes.rotate_left(1);
        }
        if let (Some(key), Some(node)) = (self.keys.last_mut(), self.nodes.last_mut()) {
            *key = NO_KEY;
            *node = Link::NONE;
        }
    }
}

/// The highest bit of each byte that is `key`; right up to the first one, the lowest, which is all that is asked for.
#[inline]
fn matching(bytes: [u8; WORD_BYTES], key: u8) -> u64 {
    let differences = u64::from_le_bytes(bytes) ^ (LOW * u64::from(key));
    differences.wrapping_sub(LOW) & !differences & HIGH
}

const LOW: u64 = u64::from_le_bytes([0x01; WORD_BYTES]);
const HIGH: u64 = u64::from_le_bytes([0x80; WORD_BYTES]);

/// A bit for each of at most 64 bytes that is one of the keys, the first byte's lowest. Free of branches, which would be guessed wrong
/// at every other byte.
pub(super) fn positions<const N: usize>(keys: [u8; N], bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut last = [NO_KEY; WORD_BYTES];
    if let Some(last) = last.get_mut(..rest.len()) {
        last.copy_from_slice(rest);
    }
    let mut found = 0;
    for (at, word) in words.iter().chain([&last]).enumerate().take(WORD_BYTES) {
        let word = u64::from_le_bytes(*word);
        let same = keys.iter().fold(0, |same, &key| {
            let differences = word ^ (LOW * u64::from(key));
            // Right for every byte, as `matching` is not: no borrow runs from one into the next.
            same | !(((differences & !HIGH) + !HIGH) | differences | !HIGH)
        });
        // Gathers the highest bits of the eight bytes.
        let bits = (same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        found |= bits << (at * WORD_BYTES);
    }
    // The bytes that are only there to fill the last word.
    found & u64::MAX.unbounded_shr(64 - u32::try_from(bytes.len()).unwrap_or(64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const N: usize>() {
        let all = [0xf9, b'a', 0, b'b', 0x80, 0xf8, 0xc3, b'`', 0xf4, 1, 0x7f];
        let mut table = Table::<N>::default();
        let node = |at: usize| 1000 + u32::try_from(at).unwrap();
        for (at, &key) in all.iter().enumerate() {
            assert_eq!(table.set(key, node(at)), at < N);
            assert_eq!(table.len(), (at + 1).min(N));
            for (other, &key) in all.iter().enumerate() {
                assert_eq!(table.get(key), (other <= at && other < N).then_some(node(other)), "{key}");
            }
        }
        let opcodes = table.ways().take_while(|way| way.0 >= OPCODES).count();
        assert!(table.ways().skip(opcodes).all(|way| way.0 < OPCODES));
        assert!(table.set(all[1], 77) && table.get(all[1]) == Some(77));
        for (at, &key) in all.iter().enumerate() {
            table.remove(key);
            assert_eq!(table.get(key), None);
            assert_eq!(table.len(), N.saturating_sub(at + 1));
        }
        assert!(table.is_empty());
        assert!(table.set(5, 6) && table.only() == Some((5, 6)));
    }

    #[test]
    fn positions_are_those_of_the_keys() {
        let mut bytes: Vec<u8> =
            (0..64).map(|at| [b'a', 0, b'`', 0x80, b'b', 0xe1, 1][at * at % 7]).collect();
        for length in (0..=64).rev() {
            bytes.truncate(length);
            for keys in [[b'a', NO_KEY, NO_KEY], [b'a', b'b', 0], [0x80, 0xe1, b'x'], [NO_KEY; 3]] {
                let expected = |at: &usize| keys.contains(&bytes[*at]);
                let expected: u64 = (0..length).filter(expected).map(|at| 1 << at).sum();
                assert_eq!(positions(keys, &bytes), expected, "{keys:?} in {bytes:?}");
            }
        }
    }

    #[test]
    fn a_table_holds_as_many_as_it_has_room_for() {
        check::<3>();
        check::<8>();
        check::<10>();
    }
}
