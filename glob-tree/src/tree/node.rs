//! One node of the trie: how it is reached, what ends in it, what goes on from it.
//!
//! Owns the layout, chosen for the walk and for memory: a node is one cache line, and most need nothing else. Up to three ways on
//! are in the line itself; more of them, and classes, are in [`Children`]. Knows nothing of the arena; children are numbers.
//!
//! Invariants: the label of a node that is reached over bytes is not empty; of all others it is. Ways on over keys are in `few` if
//! there are at most three, else all in `children`; `children` is there only for more than three, or for classes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::children::{Children, KEYS_END};
use super::label::Label;
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
    /// Of no branch. (Nothing asks for a rest of 3.)
    const NONE: Self = Self(u32::MAX);

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

/// The branches that end in a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends<'t> {
    None,
    One(End),
    Many(&'t BTreeSet<End>),
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Node {
    /// The bytes between the parent and here.
    pub(super) label: Label,
    pub(super) few: Few,
    pub(super) children: Option<Box<Children>>,
    /// All ends, if there are several.
    #[expect(
        clippy::box_collection,
        reason = "few nodes have it, and one word fits into the line where three do not"
    )]
    ends: Option<Box<BTreeSet<End>>>,
    /// The end, if there is one.
    end: End,
    /// Below a star, of a node with a star behind it (a child or an end): its place in the scratch, because the node can be reached
    /// again and again, and that star counts only once.
    pub(super) mark: Link,
}

/// The way from a node to one child.
#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    /// Over a label that begins with this byte, or over the element with this opcode: no byte of a text is one.
    Key(u8),
    Class(&'p Arc<Class>),
}

impl Default for Node {
    fn default() -> Self {
        Self {
            label: Label::default(),
            few: Few::default(),
            children: None,
            ends: None,
            end: End::NONE,
            mark: Link::NONE,
        }
    }
}

impl Node {
    pub(super) fn with_label(label: Label) -> Self {
        Self { label, ..Self::default() }
    }

    pub(super) fn child(&self, step: Step<'_>) -> Option<u32> {
        let children = self.children.as_ref();
        match step {
            Step::Key(key) => {
                self.few.get(key).or_else(|| children.and_then(|children| children.get(key).get()))
            }
            Step::Class(class) => children.and_then(|children| children.get_class(class)),
        }
    }

    /// Nothing ends here and nothing goes on.
    pub(super) fn is_dead(&self) -> bool {
        self.has_no_end() && self.few.is_empty() && self.children.is_none()
    }

    /// The only child, if the node is nothing but the way to it over more bytes.
    pub(super) fn merges_with(&self) -> Option<u32> {
        if self.label.is_empty() || !self.has_no_end() || self.children.is_some() {
            return None;
        }
        self.few.only_literal()
    }

    pub(super) fn link(&mut self, step: Step<'_>, child: u32) {
        match step {
            Step::Class(class) => self.children.get_or_insert_default().set_class(class, Link::to(child)),
            Step::Key(key) => {
                let spilled = self.children.as_mut().filter(|children| children.has_keys());
                if let Some(children) = spilled {
                    children.set(key, Link::to(child));
                } else if !self.few.set(key, child) {
                    let children = self.children.get_or_insert_default();
                    for (key, node) in self.few.take() {
                        children.set(key, Link::to(node));
                    }
                    children.set(key, Link::to(child));
                }
            }
        }
    }

    pub(super) fn unlink(&mut self, step: Step<'_>) {
        let Some(children) = &mut self.children else {
            if let Step::Key(key) = step {
                self.few.remove(key);
            }
            return;
        };
        match step {
            Step::Class(class) => children.set_class(class, Link::NONE),
            Step::Key(key) if children.has_keys() => {
                children.set(key, Link::NONE);
                if children.key_count() <= FEW {
                    for (key, node) in children.take_keys() {
                        self.few.set(key, node);
                    }
                }
            }
            Step::Key(key) => self.few.remove(key),
        }
        if !children.has_keys() && children.classes.is_empty() {
            self.children = None;
        }
    }

    pub(super) fn ends(&self) -> Ends<'_> {
        match &self.ends {
            Some(ends) => Ends::Many(ends),
            None if self.end == End::NONE => Ends::None,
            None => Ends::One(self.end),
        }
    }

    pub(super) fn add_end(&mut self, end: End) {
        if let Some(ends) = &mut self.ends {
            ends.insert(end);
        } else if self.end == End::NONE {
            self.end = end;
        } else if self.end != end {
            let first = std::mem::replace(&mut self.end, End::NONE);
            self.ends = Some(Box::new(BTreeSet::from([first, end])));
        }
    }

    /// Whether it was there.
    pub(super) fn remove_end(&mut self, end: End) -> bool {
        let Some(ends) = &mut self.ends else {
            let there = self.end == end;
            if there {
                self.end = End::NONE;
            }
            return there;
        };
        let there = ends.remove(&end);
        if ends.len() == 1
            && let Some(last) = ends.pop_first()
        {
            self.end = last;
            self.ends = None;
        }
        there
    }

    fn has_no_end(&self) -> bool {
        matches!(self.ends(), Ends::None)
    }

    /// Whether a star is behind it.
    pub(super) fn has_star(&self) -> bool {
        self.has_star_end() || self.child(Step::Key(crate::pattern::code::STAR)).is_some()
    }

    fn has_star_end(&self) -> bool {
        match self.ends() {
            Ends::None => false,
            Ends::One(end) => end.rest() == Rest::Anything,
            Ends::Many(ends) => {
                let first = End::new(Rest::Anything, 0);
                ends.range(first..).next().is_some_and(|end| end.rest() == Rest::Anything)
            }
        }
    }
}

/// How many ways on a node has room for in itself.
pub(super) const FEW: usize = 3;

/// Up to three ways on. Sorted by key; a key that no way has is 255.
#[derive(Debug)]
pub(super) struct Few {
    nodes: [Link; FEW],
    keys: [u8; FEW],
}

impl Default for Few {
    fn default() -> Self {
        Self { nodes: [Link::NONE; FEW], keys: [KEYS_END; FEW] }
    }
}

impl Few {
    #[inline]
    pub(super) fn get(&self, key: u8) -> Option<u32> {
        self.ways().find(|way| way.0 == key).map(|way| way.1)
    }

    /// The keys with their nodes.
    #[inline]
    pub(super) fn ways(&self) -> impl Iterator<Item = (u8, u32)> {
        self.keys.iter().zip(&self.nodes).map_while(|(&key, node)| Some((key, node.get()?)))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.keys == [KEYS_END; FEW]
    }

    /// A bit for each of at most 64 bytes that is a key, the first byte's lowest.
    pub(super) fn positions(&self, bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |positions, byte| positions << 1 | u64::from(self.keys.contains(byte)))
    }

    fn only_literal(&self) -> Option<u32> {
        match (self.keys, self.nodes) {
            ([key, KEYS_END, KEYS_END], [node, ..]) if Children::is_literal(key) => node.get(),
            _ => None,
        }
    }

    /// False, and nothing changes, if there is no room.
    fn set(&mut self, key: u8, node: u32) -> bool {
        if let Some(at) = self.keys.iter().position(|own| *own == key) {
            if let Some(own) = self.nodes.get_mut(at) {
                *own = Link::to(node);
            }
            return true;
        }
        let [.., last] = self.keys;
        if last != KEYS_END {
            return false;
        }
        let at = self.keys.partition_point(|own| *own < key);
        if let (Some(keys), Some(nodes)) = (self.keys.get_mut(at..), self.nodes.get_mut(at..)) {
            keys.rotate_right(1);
            nodes.rotate_right(1);
            if let ([own_key, ..], [own_node, ..]) = (keys, nodes) {
                *own_key = key;
                *own_node = Link::to(node);
            }
        }
        true
    }

    fn remove(&mut self, key: u8) {
        let Some(at) = self.keys.iter().position(|own| *own == key) else { return };
        if let (Some(keys), Some(nodes)) = (self.keys.get_mut(at..), self.nodes.get_mut(at..)) {
            keys.rotate_left(1);
            nodes.rotate_left(1);
        }
        self.keys[FEW - 1] = KEYS_END;
        self.nodes[FEW - 1] = Link::NONE;
    }

    fn take(&mut self) -> impl Iterator<Item = (u8, u32)> + use<> {
        let Self { keys, nodes } = std::mem::take(self);
        keys.into_iter().zip(nodes).filter_map(|(key, node)| Some((key, node.get()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_one_cache_line() {
        assert_eq!(size_of::<Node>(), 64);
    }

    #[test]
    fn ways_on_move_out_and_in_again() {
        let mut node = Node::default();
        let keys = [b'm', b'a', 0xf9, b'z', b'b'];
        for (count, key) in (0..).zip(keys) {
            assert_eq!(node.children.is_some(), count > FEW);
            node.link(Step::Key(key), u32::from(key) + 1000);
            for (at, key) in keys.into_iter().enumerate() {
                let expected = (at <= count).then_some(u32::from(key) + 1000);
                assert_eq!(node.child(Step::Key(key)), expected, "{key}");
            }
        }
        node.link(Step::Key(b'a'), 7);
        for (left, key) in (0..keys.len()).rev().zip(keys) {
            node.unlink(Step::Key(key));
            assert_eq!(node.child(Step::Key(key)), None);
            assert_eq!(node.children.is_some(), left > FEW);
        }
        assert!(node.is_dead());
    }

    #[test]
    fn classes_stay_beside_few_others() {
        let class = Arc::new(Class::new(vec![(97, 99)], false));
        let mut node = Node::default();
        node.link(Step::Class(&class), 1);
        for key in [b'a', b'b', b'c', b'd'] {
            node.link(Step::Key(key), 2);
        }
        for key in [b'a', b'b', b'c', b'd'] {
            node.unlink(Step::Key(key));
        }
        assert_eq!(node.child(Step::Class(&class)), Some(1));
        node.unlink(Step::Class(&class));
        assert!(node.is_dead());
    }

    #[test]
    fn ends_are_a_set() {
        let mut node = Node::default();
        let ends = [End::new(Rest::Something, 1), End::new(Rest::Nothing, 9), End::new(Rest::Anything, 3)];
        for end in ends.iter().chain(&ends) {
            node.add_end(*end);
        }
        assert!(matches!(node.ends(), Ends::Many(set) if set.len() == 3) && node.has_star());
        assert!(node.remove_end(ends[2]) && !node.remove_end(ends[2]) && !node.has_star());
        assert!(node.remove_end(ends[0]));
        assert!(matches!(node.ends(), Ends::One(end) if end == ends[1]));
        assert!(!node.remove_end(ends[0]) && node.remove_end(ends[1]) && node.is_dead());
    }
}
