//! One node of the trie: how it is reached, what ends in it, what goes on from it.
//!
//! Owns the layout, chosen for the walk: a leaf is one cache line, and a byte that no child begins with is refused by one
//! bit of the children's map. Knows nothing of the arena; children are numbers.
//!
//! Invariant: the label of a node that is reached over bytes is not empty; of all others it is.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::pattern::class::Class;

/// The number of a node or a mark, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u32);

impl Link {
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn to(id: u32) -> Self {
        Self(id)
    }

    pub(super) fn get(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::NONE
    }
}

/// A branch that ends in a node: what it asks of the rest of the text, in the upper two bits, and the number of its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End(u32);

/// What an end asks of the rest of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rest {
    /// There is none.
    Nothing = 0,
    /// None, or any: the branch ends with a star.
    Anything = 1,
    /// There is one: it ends with a tail.
    Something = 2,
}

impl End {
    const REST_SHIFT: u32 = 30;
    /// Patterns have lower numbers than this.
    pub(super) const PATTERNS_END: u32 = 1 << Self::REST_SHIFT;

    pub(super) fn new(rest: Rest, pattern: u32) -> Self {
        debug_assert!(pattern < Self::PATTERNS_END, "the tree keeps its patterns below");
        Self((rest as u32) << Self::REST_SHIFT | pattern)
    }

    pub(super) fn rest(self) -> Rest {
        match self.0 >> Self::REST_SHIFT {
            0 => Rest::Nothing,
            1 => Rest::Anything,
            _ => Rest::Something,
        }
    }

    pub(super) fn pattern(self) -> u32 {
        self.0 & (Self::PATTERNS_END - 1)
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Node {
    /// The bytes between the parent and here.
    pub(super) label: SmallVec<[u8; 16]>,
    /// Sorted, so those that ask for no rest come first.
    pub(super) ends: SmallVec<[End; 4]>,
    pub(super) children: Option<Box<Children>>,
    /// Below a star, of a node with a star behind it (a child or an end): its place in the scratch, because the node can be reached
    /// again and again, and that star counts only once.
    pub(super) mark: Link,
}

/// What goes on from a node.
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

/// The way from a node to one child.
#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    /// Over a label that begins with this byte.
    Literal(u8),
    Any,
    Class(&'p Arc<Class>),
    Star,
    Token,
}

impl Node {
    pub(super) fn child(&self, step: Step<'_>) -> Option<u32> {
        self.children.as_ref()?.get(step)
    }

    /// Nothing ends here and nothing goes on.
    pub(super) fn is_dead(&self) -> bool {
        self.ends.is_empty() && self.children.is_none()
    }

    /// The only child, if the node is nothing but the way to it over more bytes.
    pub(super) fn merges_with(&self) -> Option<u32> {
        if self.label.is_empty() || !self.ends.is_empty() {
            return None;
        }
        self.children.as_ref()?.only_literal()
    }

    pub(super) fn link(&mut self, step: Step<'_>, child: u32) {
        self.children.get_or_insert_default().set(step, Link::to(child));
    }

    pub(super) fn unlink(&mut self, step: Step<'_>) {
        if let Some(children) = &mut self.children {
            children.set(step, Link::NONE);
            if children.is_empty() {
                self.children = None;
            }
        }
    }

    pub(super) fn add_end(&mut self, end: End) {
        if let Err(at) = self.ends.binary_search(&end) {
            self.ends.insert(at, end);
        }
    }

    pub(super) fn remove_end(&mut self, end: End) {
        if let Ok(at) = self.ends.binary_search(&end) {
            self.ends.remove(at);
            if self.ends.is_empty() {
                self.ends = SmallVec::new();
            }
        }
    }

    /// Whether a star is behind it.
    pub(super) fn has_star(&self) -> bool {
        self.has_end(Rest::Anything) || self.child(Step::Star).is_some()
    }

    pub(super) fn has_end(&self, rest: Rest) -> bool {
        let at = self.ends.partition_point(|end| end.rest() < rest);
        self.ends.get(at).is_some_and(|end| end.rest() == rest)
    }
}

impl Children {
    fn get(&self, step: Step<'_>) -> Option<u32> {
        match step {
            Step::Literal(byte) => self.literals.get(byte),
            Step::Any => self.any.get(),
            Step::Star => self.star.get(),
            Step::Token => self.token.get(),
            Step::Class(class) => {
                self.find_class(class).ok().and_then(|at| self.classes.get(at)).map(|child| child.node)
            }
        }
    }

    fn set(&mut self, step: Step<'_>, child: Link) {
        match step {
            Step::Literal(byte) => self.literals.set(byte, child),
            Step::Any => self.any = child,
            Step::Star => self.star = child,
            Step::Token => self.token = child,
            Step::Class(class) => self.set_class(class, child),
        }
    }

    fn find_class(&self, class: &Arc<Class>) -> Result<usize, usize> {
        self.classes.binary_search_by(|child| child.class.cmp(class))
    }

    fn set_class(&mut self, class: &Arc<Class>, child: Link) {
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

    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.has_literals_only()
    }

    fn has_literals_only(&self) -> bool {
        [self.any, self.star, self.token] == [Link::NONE; 3] && self.classes.is_empty()
    }

    fn only_literal(&self) -> Option<u32> {
        match *self.literals.nodes {
            [child] if self.has_literals_only() => Some(child),
            _ => None,
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
    fn a_leaf_is_one_cache_line() {
        assert!(size_of::<Node>() <= 64, "{}", size_of::<Node>());
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
        assert!(literals.is_empty());
    }
}
