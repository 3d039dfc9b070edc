//! One node of the trie: how it is reached, what ends in it, what goes on from it.
//!
//! Owns the layout, chosen for the walk and for memory: a node is one cache line, and most need nothing else. Up to three ways on
//! are in the line itself; more of them, and classes, are in [`Children`]. Knows nothing of the arena; children are numbers.
//!
//! Invariants: the label of a node that is reached over bytes is not empty; of all others it is. Ways on over keys are in `few` if
//! there are at most three, else all in `children`; `children` is there only for more than three, or for classes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::children::{Children, ClassChild, Kind, Ways};
use super::label::Label;
use super::table::Table;
use crate::pattern::class::Class;
use crate::pattern::code::{OPCODES, STAR};

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
    /// It is one token: the branch ends with one.
    Token = 3,
}

impl End {
    const REST_SHIFT: u32 = 30;
    const PATTERN_MASK: u32 = (1 << Self::REST_SHIFT) - 1;
    /// Patterns have lower numbers than this.
    pub(super) const PATTERNS_END: u32 = Self::PATTERN_MASK;
    /// Of no branch: no pattern has the highest number.
    const NONE: Self = Self(u32::MAX);

    pub(super) fn new(rest: Rest, pattern: u32) -> Self {
        debug_assert!(pattern < Self::PATTERNS_END, "the tree keeps its patterns below");
        Self((rest as u32) << Self::REST_SHIFT | pattern)
    }

    pub(super) fn rest(self) -> Rest {
        match self.0 >> Self::REST_SHIFT {
            0 => Rest::Nothing,
            1 => Rest::Anything,
            2 => Rest::Something,
            _ => Rest::Token,
        }
    }

    pub(super) fn pattern(self) -> u32 {
        self.0 & Self::PATTERN_MASK
    }
}

/// The branches that end in a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends<'t> {
    None,
    One(End),
    Many(&'t BTreeSet<End>),
}

#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Node {
    /// The bytes between the parent and here.
    pub(super) label: Label,
    pub(super) few: Table<FEW>,
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
    Class(Kind, &'p Arc<Class>),
}

impl Step<'_> {
    pub(super) fn needs_mark(self) -> bool {
        matches!(self, Self::Class(Kind::Run | Kind::Directories, _))
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            label: Label::default(),
            few: Table::default(),
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

    /// A node that is reached over this step.
    pub(super) fn behind(step: Step<'_>) -> Self {
        let is_star = matches!(step, Step::Key(STAR));
        Self::with_label(if is_star { Label::STAR } else { Label::default() })
    }

    pub(super) fn child(&self, step: Step<'_>) -> Option<u32> {
        match step {
            Step::Key(key) => self.next(key),
            Step::Class(kind, class) => {
                self.children.as_ref().and_then(|children| children.get_class(kind, class))
            }
        }
    }

    /// The child over this key.
    #[inline]
    pub(super) fn next(&self, key: u8) -> Option<u32> {
        self.ways().get(key)
    }

    /// The ways on over keys.
    #[inline]
    pub(super) fn ways(&self) -> Ways<'_> {
        match &self.children {
            // All of them are in the one or in the other.
            Some(children) if self.few.is_empty() => children.ways(),
            _ => Ways::Few(&self.few),
        }
    }

    #[inline]
    pub(super) fn classes(&self) -> &[ClassChild] {
        self.children.as_ref().map_or(&[], |children| children.classes())
    }

    /// Whether nothing but stars is behind it, so that to reach it once is enough.
    pub(super) fn is_spent(&self) -> bool {
        let ends = match self.ends() {
            Ends::None => true,
            Ends::One(end) => end.rest() == Rest::Anything,
            Ends::Many(_) => false,
        };
        ends && self.children.is_none() && self.few.ways().all(|way| way.0 == STAR)
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
        self.few.only().filter(|way| way.0 < OPCODES).map(|way| way.1)
    }

    /// Makes `child` what a step leads to. `mark` is for those that need one: see [`Step::needs_mark`].
    pub(super) fn link(&mut self, step: Step<'_>, child: u32, mark: Link) {
        let scanned = self.label.is_star();
        match step {
            Step::Class(kind, class) => {
                self.children.get_or_insert_default().set_class(kind, class, child, mark);
            }
            Step::Key(key) => {
                if let Some(children) = self.children.as_mut().filter(|children| children.key_count() > 0) {
                    children.set(key, child, scanned);
                } else if !self.few.set(key, child) {
                    let children = self.children.get_or_insert_default();
                    for (key, node) in std::mem::take(&mut self.few).ways() {
                        children.set(key, node, scanned);
                    }
                    children.set(key, child, scanned);
                }
            }
        }
    }

    /// Returns the mark of the step.
    pub(super) fn unlink(&mut self, step: Step<'_>) -> Link {
        let mut mark = Link::NONE;
        let Some(children) = &mut self.children else {
            if let Step::Key(key) = step {
                self.few.remove(key);
            }
            return mark;
        };
        match step {
            Step::Class(kind, class) => mark = children.remove_class(kind, class),
            Step::Key(key) if children.key_count() > 0 => {
                children.remove(key);
                if children.key_count() <= FEW {
                    for (key, node) in children.take_keys().ways() {
                        self.few.set(key, node);
                    }
                }
            }
            Step::Key(key) => self.few.remove(key),
        }
        if children.is_empty() {
            self.children = None;
        }
        mark
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
        self.has_star_end() || self.next(STAR).is_some()
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
            node.link(Step::Key(key), u32::from(key) + 1000, Link::NONE);
            for (at, key) in keys.into_iter().enumerate() {
                let expected = (at <= count).then_some(u32::from(key) + 1000);
                assert_eq!(node.child(Step::Key(key)), expected, "{key}");
            }
        }
        node.link(Step::Key(b'a'), 7, Link::NONE);
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
        node.link(Step::Class(Kind::One, &class), 1, Link::NONE);
        node.link(Step::Class(Kind::Run, &class), 3, Link::to(5));
        for key in [b'a', b'b', b'c', b'd'] {
            node.link(Step::Key(key), 2, Link::NONE);
        }
        for key in [b'a', b'b', b'c', b'd'] {
            node.unlink(Step::Key(key));
        }
        assert_eq!(node.child(Step::Class(Kind::One, &class)), Some(1));
        assert_eq!(node.unlink(Step::Class(Kind::One, &class)), Link::NONE);
        assert_eq!(node.child(Step::Class(Kind::Run, &class)), Some(3));
        assert_eq!(node.unlink(Step::Class(Kind::Run, &class)), Link::to(5));
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
