//! What goes on from a node with many ways on, or with classes.
//!
//! Owns a table that refuses a byte no child begins with by one bit.

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::Link;
use crate::pattern::class::Class;
use crate::pattern::code::{ANY, STAR, TOKEN};

/// A key that no way has: neither a byte of a text nor the opcode of a step.
pub(super) const KEYS_END: u8 = 0xff;

/// The ways on.
#[derive(Debug, Default)]
pub(super) struct Children {
    pub(super) literals: Literals,
    pub(super) any: Link,
    pub(super) star: Link,
    pub(super) token: Link,
    /// Sorted by class.
    pub(super) classes: Vec<ClassChild>,
}

#[derive(Debug)]
pub(super) struct ClassChild {
    /// The class's ASCII part, here so that most tests need no other memory.
    pub(super) ascii: u128,
    pub(super) class: Arc<Class>,
    pub(super) node: u32,
}

impl Children {
    /// Whether the way with this key is over bytes.
    pub(super) fn is_literal(key: u8) -> bool {
        key < ANY
    }

    pub(super) fn get(&self, key: u8) -> Link {
        match key {
            ANY => self.any,
            STAR => self.star,
            TOKEN => self.token,
            byte => self.literals.get(byte).map_or(Link::NONE, Link::to),
        }
    }

    pub(super) fn set(&mut self, key: u8, child: Link) {
        match key {
            ANY => self.any = child,
            STAR => self.star = child,
            TOKEN => self.token = child,
            byte => self.literals.set(byte, child),
        }
    }

    pub(super) fn key_count(&self) -> usize {
        let others = [self.any, self.star, self.token].iter().filter(|link| link.get().is_some()).count();
        self.literals.nodes.len() + others
    }

    pub(super) fn has_keys(&self) -> bool {
        self.key_count() > 0
    }

    /// Takes all ways out but the classes.
    pub(super) fn take_keys(&mut self) -> SmallVec<[(u8, u32); 4]> {
        let keys = (0..KEYS_END).filter_map(|key| Some((key, self.get(key).get()?))).collect();
        *self = Self { classes: std::mem::take(&mut self.classes), ..Self::default() };
        keys
    }

    pub(super) fn get_class(&self, class: &Arc<Class>) -> Option<u32> {
        let at = self.find_class(class).ok()?;
        self.classes.get(at).map(|child| child.node)
    }

    fn find_class(&self, class: &Arc<Class>) -> Result<usize, usize> {
        self.classes.binary_search_by(|child| child.class.cmp(class))
    }

    pub(super) fn set_class(&mut self, class: &Arc<Class>, child: Link) {
        let found = self.find_class(class);
        match (found, child.get()) {
            (Ok(at), Some(node)) => {
                if let Some(child) = self.classes.get_mut(at) {
                    child.node = node;
                }
            }
            (Ok(at), None) => {
                self.classes.remove(at);
            }
            (Err(at), Some(node)) => {
                self.classes.insert(at, ClassChild { ascii: class.ascii(), class: Arc::clone(class), node });
            }
            (Err(_), None) => {}
        }
    }
}

/// The children over bytes, by the first byte of their labels: a bit for each byte that there is, and the children in the
/// order of the bits.
#[derive(Debug, Default)]
pub(super) struct Literals {
    bits: [u64; 4],
    /// How many bits are set in the words before each.
    before: [u8; 4],
    nodes: SmallVec<[u32; 4]>,
}

impl Literals {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, byte: u8) -> Option<u32> {
        // The bit first: most bytes of a text have no child, and then nothing is to be counted.
        if !self.has(byte) {
            return None;
        }
        self.nodes.get(self.rank(byte)).copied()
    }

    /// A bit for each of at most 64 bytes that a child begins with, the first byte's lowest. Free of branches, which would be
    /// guessed wrong at every other byte.
    pub(super) fn positions(&self, bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |positions, &byte| positions << 1 | u64::from(self.has(byte)))
    }

    fn set(&mut self, byte: u8, child: Link) {
        let rank = self.rank(byte);
        match (self.has(byte), child.get()) {
            (true, Some(node)) => {
                if let Some(slot) = self.nodes.get_mut(rank) {
                    *slot = node;
                }
            }
            (true, None) => {
                self.nodes.remove(rank);
                self.flip(byte);
            }
            (false, Some(node)) => {
                self.nodes.insert(rank, node);
                self.flip(byte);
            }
            (false, None) => {}
        }
    }

    fn has(&self, byte: u8) -> bool {
        self.word(byte) >> (byte & 63) & 1 == 1
    }

    /// How many children there are for lower bytes.
    fn rank(&self, byte: u8) -> usize {
        let lower = self.word(byte) & ((1 << (byte & 63)) - 1);
        let before = self.before.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        usize::from(before) + lower.count_ones() as usize
    }

    fn word(&self, byte: u8) -> u64 {
        self.bits.get(usize::from(byte >> 6)).copied().unwrap_or(0)
    }

    fn flip(&mut self, byte: u8) {
        if let Some(word) = self.bits.get_mut(usize::from(byte >> 6)) {
            *word ^= 1_u64 << (byte & 63);
        }
        let mut count = 0;
        for (before, word) in self.before.iter_mut().zip(&self.bits) {
            *before = count;
            // At most 64 in each word; what comes after the last one, where 256 would be too many, is not kept.
            count = count.wrapping_add(u8::try_from(word.count_ones()).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hold_every_byte() {
        let mut literals = Literals::default();
        for byte in (0..=u8::MAX).rev() {
            literals.set(byte, Link::to(u32::from(byte) + 1000));
        }
        assert!((0..=u8::MAX).all(|byte| literals.get(byte) == Some(u32::from(byte) + 1000)));
        for byte in (0..=u8::MAX).step_by(2) {
            literals.set(byte, Link::NONE);
            literals.set(byte, Link::NONE);
        }
        literals.set(77, Link::to(7));
        for byte in 0..=u8::MAX {
            let expected = match byte {
                77 => Some(7),
                odd if odd % 2 == 1 => Some(u32::from(byte) + 1000),
                _ => None,
            };
            assert_eq!(literals.get(byte), expected, "{byte}");
        }
        for byte in 0..=u8::MAX {
            literals.set(byte, Link::NONE);
        }
        assert!(literals.is_empty());
    }
}
