//! The wildcard patterns as one compressed trie over their elements, in an arena.
//!
//! Owns the shape: insert splits a label where a branch leaves it, remove prunes what leads nowhere and joins what was
//! split, so that the shape depends on the branches that are in it and not on their history. Knows patterns only as numbers.
//! Matching is in `walk`.
//!
//! Invariants: the root is node 0 and is there while anything is; every other node leads to an end; a node over bytes with
//! nothing but one child over bytes does not exist; a star or a tail that ends a branch is no node but a kind of end; a node
//! has a mark if and only if it is below a star and has one behind it.

use super::node::{End, Link, Node, Rest, Step};
use super::slab::Slab;
use crate::pattern::element::Element;

/// The node that every branch begins at.
pub(super) const ROOT: u32 = 0;

#[derive(Debug)]
pub(super) struct Trie {
    pub(super) nodes: Slab<Node>,
    /// The numbers of nested stars, as small as they can be: they index the scratch.
    pub(super) marks: Slab<()>,
}

impl Trie {
    pub(super) const fn new() -> Self {
        Self { nodes: Slab::new(), marks: Slab::new() }
    }

    /// Adds a branch of a pattern. Complexity: its length.
    pub(super) fn insert(&mut self, branch: &[Element], pattern: u32) {
        if self.nodes.is_empty() {
            self.nodes.insert(Node::default());
        }
        let (way, rest) = way_and_rest(branch);
        let mut at = ROOT;
        let mut below_star = false;
        for element in way {
            let from = at;
            at = match step_of(element) {
                Some(step) => self.child_or_new(at, step),
                None => self.descend(at, bytes_of(element)),
            };
            if *element == Element::Star {
                self.mark(from, below_star);
                below_star = true;
            }
        }
        self.nodes[at].add_end(End::new(rest, pattern));
        self.mark(at, below_star);
    }

    /// Removes a branch that was added with this pattern. Complexity: its length.
    pub(super) fn remove(&mut self, branch: &[Element], pattern: u32) {
        let (way, rest) = way_and_rest(branch);
        let Some((mut path, mut at)) = self.path(way) else {
            debug_assert!(false, "a branch that was never inserted");
            return;
        };
        self.nodes[at].remove_end(End::new(rest, pattern));
        self.unmark(at);
        while self.nodes[at].is_dead() {
            self.nodes.take(at);
            let Some((parent, step)) = path.pop() else { return };
            self.nodes[parent].unlink(step);
            self.unmark(parent);
            at = parent;
        }
        if let Some(child) = self.nodes[at].merges_with() {
            let child = self.nodes.take(child);
            let node = &mut self.nodes[at];
            node.label.extend_from_slice(&child.label);
            *node = Node { label: std::mem::take(&mut node.label), ..child };
        }
    }

    /// Gives a node its mark, if it needs one and has none.
    fn mark(&mut self, node: u32, below_star: bool) {
        let node = &mut self.nodes[node];
        if below_star && node.mark == Link::NONE && node.has_star() {
            node.mark = Link::to(self.marks.insert(()));
        }
    }

    /// Takes a node's mark, if it has one and needs none.
    fn unmark(&mut self, node: u32) {
        let node = &mut self.nodes[node];
        if let Some(mark) = node.mark.get()
            && !node.has_star()
        {
            node.mark = Link::NONE;
            self.marks.take(mark);
        }
    }

    /// Each node on the way with the step that leaves it, and the node at its end.
    fn path<'p>(&self, way: &'p [Element]) -> Option<(Vec<(u32, Step<'p>)>, u32)> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut path = Vec::with_capacity(way.len() + 1);
        let mut at = ROOT;
        for element in way {
            if let Some(step) = step_of(element) {
                path.push((at, step));
                at = self.nodes[at].child(step)?;
            }
            let mut bytes = bytes_of(element);
            while let Some(&first) = bytes.first() {
                let step = Step::Literal(first);
                path.push((at, step));
                at = self.nodes[at].child(step)?;
                bytes = bytes.strip_prefix(&*self.nodes[at].label)?;
            }
        }
        Some((path, at))
    }

    fn child_or_new(&mut self, parent: u32, step: Step<'_>) -> u32 {
        if let Some(child) = self.nodes[parent].child(step) {
            return child;
        }
        let child = self.nodes.insert(Node::default());
        self.nodes[parent].link(step, child);
        child
    }

    /// The node that lies `bytes` behind `at`, made if there is none.
    fn descend(&mut self, mut at: u32, mut bytes: &[u8]) -> u32 {
        while let Some(&first) = bytes.first() {
            let Some(child) = self.nodes[at].child(Step::Literal(first)) else {
                let leaf = self.nodes.insert(Node { label: bytes.into(), ..Node::default() });
                self.nodes[at].link(Step::Literal(first), leaf);
                return leaf;
            };
            let label = &self.nodes[child].label;
            let common = label.iter().zip(bytes).take_while(|(left, right)| left == right).count();
            at = if common == label.len() { child } else { self.split(at, child, common) };
            bytes = bytes.get(common..).unwrap_or_default();
        }
        at
    }

    /// Puts a node of the first `length` bytes of the child's label between it and its parent.
    fn split(&mut self, parent: u32, child: u32, length: usize) -> u32 {
        let label = std::mem::take(&mut self.nodes[child].label);
        let (front, back) = label.split_at(length);
        self.nodes[child].label = back.into();
        let mut middle = Node { label: front.into(), ..Node::default() };
        if let Some(&first) = back.first() {
            middle.link(Step::Literal(first), child);
        }
        let middle = self.nodes.insert(middle);
        if let Some(&first) = front.first() {
            self.nodes[parent].link(Step::Literal(first), middle);
        }
        middle
    }
}

/// The elements that are nodes, and what the branch asks of the text behind them.
fn way_and_rest(branch: &[Element]) -> (&[Element], Rest) {
    match branch {
        [way @ .., Element::Star] => (way, Rest::Anything),
        [way @ .., Element::Tail] => (way, Rest::Something),
        _ => (branch, Rest::Nothing),
    }
}

/// The step that an element is. None for a literal, which may be several; and for a tail, which is none.
fn step_of(element: &Element) -> Option<Step<'_>> {
    match element {
        Element::Any => Some(Step::Any),
        Element::Class(class) => Some(Step::Class(class)),
        Element::Star => Some(Step::Star),
        Element::Token => Some(Step::Token),
        Element::Literal(_) | Element::Tail => None,
    }
}

fn bytes_of(element: &Element) -> &[u8] {
    if let Element::Literal(literal) = element { literal.as_bytes() } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    fn branch(text: &str) -> Box<[Element]> {
        Pattern::glob(text).unwrap().branches()[0].clone()
    }

    fn trie(texts: &[&str]) -> Trie {
        let mut trie = Trie::new();
        for (end, text) in (0..).zip(texts) {
            trie.insert(&branch(text), end);
        }
        trie
    }

    #[test]
    fn labels_split_and_join() {
        // The root and "abc"; that a star follows is said by the end.
        let mut trie = trie(&["abc*"]);
        assert_eq!(trie.nodes.len(), 2);
        trie.insert(&branch("abd*"), 1); // "ab" between, "d" beside "c"
        assert_eq!(trie.nodes.len(), 4);
        trie.insert(&branch("ab*"), 2);
        assert_eq!(trie.nodes.len(), 4);
        trie.remove(&branch("abd*"), 1);
        assert_eq!(trie.nodes.len(), 3);
        trie.remove(&branch("ab*"), 2);
        assert_eq!(trie.nodes.len(), 2, "`ab` and `c` are one again");
        trie.remove(&branch("abc*"), 0);
        assert_eq!((trie.nodes.len(), trie.nodes.capacity()), (0, 0));
    }

    #[test]
    fn only_what_is_between_two_stars_has_a_mark() {
        let mut trie = trie(&["a*", "a*b*", "a*bc*d*", "?*", "a*bcx", "*"]);
        assert_eq!(trie.marks.len(), 3, "b, bc, d");
        trie.insert(&branch("a*b*x"), 9);
        trie.insert(&branch("a**b*"), 8);
        assert_eq!(trie.marks.len(), 3, "b has one");
        trie.remove(&branch("a*b*"), 1);
        trie.remove(&branch("a**b*"), 8);
        assert_eq!(trie.marks.len(), 3, "the star of `a*b*x` is still there");
        trie.remove(&branch("a*b*x"), 9);
        assert_eq!(trie.marks.len(), 2);
        trie.remove(&branch("a*bc*d*"), 2);
        assert_eq!(trie.marks.slot_count(), 0);
    }

    #[test]
    fn a_mark_goes_where_its_node_goes() {
        let mut trie = trie(&["*abc*"]);
        trie.insert(&branch("*abd"), 1); // splits
        assert_eq!(trie.marks.len(), 1);
        trie.remove(&branch("*abd"), 1); // joins
        assert_eq!(trie.marks.len(), 1);
        trie.remove(&branch("*abc*"), 0);
        assert_eq!((trie.marks.slot_count(), trie.nodes.len()), (0, 0));
    }

    #[test]
    fn a_branch_that_others_pass_through_keeps_them() {
        let mut trie = trie(&["*a", "*ab", "*a?", "*a[xy]z", "*abc"]);
        let nodes = trie.nodes.len();
        trie.insert(&branch("*a[xy]q*"), 9);
        trie.remove(&branch("*a[xy]q*"), 9);
        assert_eq!(trie.nodes.len(), nodes);
        trie.remove(&branch("*a"), 0);
        assert_eq!(trie.nodes.len(), nodes, "`*ab`, `*a?` and `*a[xy]z` still part there");
    }
}
