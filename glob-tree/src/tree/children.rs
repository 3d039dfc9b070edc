//! What goes on from a node with many ways on, or with classes.
//!
//! Owns three sizes: some ways in one cache line, many behind a bit for each byte, classes one after another. What a scan looks for is in
//! `first`. Invariant: ways are in `some` if there are at most [`SOME`] and no star scans for them, else all in `more`; `more` is there
//! only for these, or for classes.

use std::sync::Arc;

use super::first::{ByteSet, FirstBytes};
use super::node::{FEW, Link};
use super::table::Table;
use crate::pattern::class::Class;
use crate::pattern::code::OPCODES;

/// As many ways on as fill one cache line together with the pointer to more: enough for the ten digits.
const SOME: usize = 10;

/// The ways on of a node that has no room for them.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Children {
    some: Table<SOME>,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct More {
    literals: Literals,
    /// They are scanned for, so they stay here while they are more than a node has room for.
    scanned: bool,
    /// Those over elements. There are no more of them than this.
    elements: Table<FEW>,
    /// Sorted by class.
    classes: Vec<ClassChild>,
}

#[derive(Clone, Debug)]
pub(super) struct ClassChild {
    /// The class's ASCII part, here so that most tests need no other memory.
    pub(super) ascii: u128,
    pub(super) class: Arc<Class>,
    pub(super) node: u32,
    /// Of all but [`Kind::One`]: its place in the scratch, where it is kept how far the way has been followed.
    pub(super) mark: Link,
    pub(super) kind: Kind,
}

/// What a way over a class takes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One character of the class.
    One,
    /// Any run of them.
    Run,
    /// Any number of such runs, each with the character behind it, which is not in the class.
    Directories,
}

impl ClassChild {
    fn cmp(&self, kind: Kind, class: &Class) -> std::cmp::Ordering {
        self.kind.cmp(&kind).then_with(|| (*self.class).cmp(class))
    }

    /// The one character that is not in the class of a path.
    pub(super) fn separator(&self) -> u8 {
        u8::try_from((!self.ascii).trailing_zeros()).unwrap_or(u8::MAX)
    }
}

impl Children {
    /// The ways over keys: there are more than a node has room for.
    #[inline]
    pub(super) fn ways(&self) -> Ways<'_> {
        match &self.more {
            Some(more) if self.some.is_empty() => Ways::Many(more),
            _ => Ways::Some(&self.some),
        }
    }

    /// The ways over elements but classes.
    #[inline]
    pub(super) fn elements(&self) -> impl Iterator<Item = (u8, u32)> {
        let some = self.some.ways().take_while(|way| way.0 >= OPCODES);
        some.chain(self.more.iter().flat_map(|more| more.elements.ways()))
    }

    #[inline]
    pub(super) fn classes(&self) -> &[ClassChild] {
        self.more.as_ref().map_or(&[], |more| &more.classes)
    }

    /// `scanned`: by a star, which wants to know all bytes that children begin with; `Literals` has them ready.
    pub(super) fn set(&mut self, key: u8, node: u32, scanned: bool) {
        if let Some(more) = self.more.as_mut().filter(|more| more.has_keys()) {
            more.set(key, Link::to(node));
        } else if scanned || !self.some.set(key, node) {
            let more = self.more.get_or_insert_default();
            more.scanned = scanned;
            for (key, node) in std::mem::take(&mut self.some).ways() {
                more.set(key, Link::to(node));
            }
            more.set(key, Link::to(node));
        }
    }

    pub(super) fn remove(&mut self, key: u8) {
        let Some(more) = self.more.as_mut().filter(|more| more.has_keys()) else {
            self.some.remove(key);
            return;
        };
        more.set(key, Link::NONE);
        if more.key_count() <= if more.scanned { FEW } else { SOME } {
            for (key, node) in more.take_keys() {
                self.some.set(key, node);
            }
            self.shrink();
        }
    }

    pub(super) fn key_count(&self) -> usize {
        self.some.len() + self.more.as_ref().map_or(0, |more| more.key_count())
    }

    /// Takes all ways out but the classes. There are not more than `SOME`.
    pub(super) fn take_keys(&mut self) -> Table<SOME> {
        std::mem::take(&mut self.some)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.some.is_empty() && self.more.is_none()
    }

    fn shrink(&mut self) {
        if self.more.as_ref().is_some_and(|more| !more.has_keys() && more.classes.is_empty()) {
            self.more = None;
        }
    }

    pub(super) fn get_class(&self, kind: Kind, class: &Class) -> Option<u32> {
        let classes = self.classes();
        let at = classes.binary_search_by(|child| child.cmp(kind, class)).ok()?;
        classes.get(at).map(|child| child.node)
    }

    pub(super) fn set_class(&mut self, kind: Kind, class: &Arc<Class>, node: u32, mark: Link) {
        let classes = &mut self.more.get_or_insert_default().classes;
        if let Err(at) = classes.binary_search_by(|child| child.cmp(kind, class)) {
            let class = Arc::clone(class);
            classes.insert(at, ClassChild { ascii: class.ascii(), class, node, mark, kind });
        }
    }

    /// Returns its mark.
    pub(super) fn remove_class(&mut self, kind: Kind, class: &Class) -> Link {
        let Some(more) = &mut self.more else { return Link::NONE };
        let Ok(at) = more.classes.binary_search_by(|child| child.cmp(kind, class)) else { return Link::NONE };
        let removed = more.classes.remove(at);
        self.shrink();
        removed.mark
    }
}

impl More {
    #[inline]
    fn get(&self, key: u8) -> Option<u32> {
        if key >= OPCODES { self.elements.get(key) } else { self.literals.get(key) }
    }

    fn set(&mut self, key: u8, child: Link) {
        match child.get() {
            _ if key < OPCODES => self.literals.set(key, child),
            Some(node) => {
                let room = self.elements.set(key, node);
                debug_assert!(room, "there are three elements that are keys");
            }
            None => self.elements.remove(key),
        }
    }

    fn key_count(&self) -> usize {
        self.literals.nodes.len() + self.elements.len()
    }

    fn has_keys(&self) -> bool {
        self.key_count() > 0
    }

    fn take_keys(&mut self) -> Vec<(u8, u32)> {
        let Literals { bytes, nodes, .. } = std::mem::take(&mut self.literals);
        let literals = (0..=u8::MAX).filter(|byte| bytes.has(*byte)).zip(nodes);
        std::mem::take(&mut self.elements).ways().chain(literals).collect()
    }
}

/// The ways on from a node over keys, in whichever size they are: who asks for many of them finds out once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ways<'n> {
    Few(&'n Table<FEW>),
    Some(&'n Table<SOME>),
    Many(&'n More),
}

impl Ways<'_> {
    #[expect(
        clippy::inline_always,
        reason = "a call for each byte of a text costs as much as what it does (measured)"
    )]
    #[inline(always)]
    pub(super) fn get(self, key: u8) -> Option<u32> {
        match self {
            Self::Few(table) => table.get(key),
            Self::Some(table) => table.get(key),
            Self::Many(more) => more.get(key),
        }
    }

    /// The bytes that children begin with.
    #[inline]
    pub(super) fn first_bytes(self) -> FirstBytes {
        match self {
            Self::Few(table) => FirstBytes::Few(table.keys()),
            Self::Some(table) => {
                let mut bytes = ByteSet::EMPTY;
                // Opcodes and what is empty are beyond all bytes of a text: that they are in the set makes no difference.
                table.keys().into_iter().for_each(|key| bytes.insert(key));
                FirstBytes::Many(bytes)
            }
            Self::Many(more) => FirstBytes::Many(more.literals.bytes),
        }
    }
}

/// The children over bytes, by the first byte of their labels: a bit for each byte that there is, and the children in the
/// order of the bits.
#[derive(Clone, Debug, Default)]
struct Literals {
    bytes: ByteSet,
    /// How many bits are set in the words before each.
    before: [u8; 4],
    nodes: Vec<u32>,
}

impl Literals {
    #[inline]
    fn get(&self, byte: u8) -> Option<u32> {
        // The bit first: most bytes of a text have no child, and then nothing is to be counted.
        if !self.bytes.has(byte) {
            return None;
        }
        self.nodes.get(self.rank(byte)).copied()
    }

    fn set(&mut self, byte: u8, child: Link) {
        let rank = self.rank(byte);
        match (self.bytes.has(byte), child.get()) {
            (true, Some(node)) => {
                if let Some(slot) = self.nodes.get_mut(rank) {
                    *slot = node;
                }
            }
            (true, None) => {
                self.nodes.remove(rank);
                self.bytes.remove(byte);
            }
            (false, Some(node)) => {
                self.nodes.insert(rank, node);
                self.bytes.insert(byte);
            }
            (false, None) => {}
        }
        let mut count = 0;
        for (before, word) in self.before.iter_mut().zip(&self.bytes.0) {
            *before = count;
            // At most 64 in each word; what comes after the last one, where 256 would be too many, is not kept.
            count = count.wrapping_add(u8::try_from(word.count_ones()).unwrap_or(0));
        }
    }

    /// How many children there are for lower bytes.
    fn rank(&self, byte: u8) -> usize {
        let lower = self.bytes.word(byte) & ((1 << (byte & 63)) - 1);
        let before = self.before.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        usize::from(before) + lower.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_ways_on_are_one_cache_line() {
        assert_eq!(size_of::<Children>(), 64);
    }

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
        assert!(literals.nodes.is_empty() && literals.bytes == ByteSet::EMPTY);
    }

    #[test]
    fn bytes_that_children_begin_with_are_found_in_any_size() {
        let mut children = Children::default();
        for count in 0..40 {
            let mut bytes = ByteSet::EMPTY;
            if let FirstBytes::Many(found) = children.ways().first_bytes() {
                bytes = found;
            }
            assert!((0..OPCODES).all(|byte| bytes.has(byte) == (byte < count)), "{count}");
            assert_eq!(bytes.is_empty(), count == 0);
            children.set(count, 7, false);
        }
        assert_eq!(ByteSet::EMPTY.positions(b"abc"), 0);
        let mut bytes = ByteSet::EMPTY;
        bytes.insert(b'b');
        assert_eq!(bytes.positions(b"abcb"), 0b1010);
    }
}
