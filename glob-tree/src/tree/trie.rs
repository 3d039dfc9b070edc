//! The wildcard patterns as one compressed trie over their elements, in an arena.
//!
//! Owns the shape: insert splits a label where a branch leaves it, remove prunes what leads nowhere and joins what was
//! split, so that the shape depends on the branches that are in it and not on their history. Knows patterns only as numbers.
//! Matching is in `walk`.
//!
//! Invariants: the root is node 0 and is there while anything is; every other node leads to an end; a node over bytes with
//! nothing but one child over bytes does not exist; a star, a tail or a token that ends a branch is no node but a kind of end; a node
//! has a mark if and only if it is below a star (or a run, or directories) and has a star behind it; a way over a run or over directories
//! has a mark.

use smallvec::SmallVec;

use super::children::Kind;
use super::label::{Label, Labels};
use super::node::{End, Link, Node, Rest, Step};
use super::slab::Slab;
use crate::pattern::code::{ANY, Branch, Element, STAR, TOKEN};

/// The node that every branch begins at.
pub(super) const ROOT: u32 = 0;

#[derive(Clone, Debug)]
pub(super) struct Trie {
    pub(super) nodes: Slab<Node>,
    /// The numbers of nested stars, as small as they can be: they index the scratch.
    pub(super) marks: Slab<()>,
}

impl Trie {
    pub(super) const fn new() -> Self {
        Self { nodes: Slab::new(), marks: Slab::new() }
    }

    /// Adds a branch of a pattern; one that it has already changes nothing. Complexity: its length.
    pub(super) fn insert(&mut self, mut branch: Branch<'_>, pattern: u32, labels: &mut Labels) {
        if self.nodes.is_empty() {
            self.nodes.insert(Node::default());
        }
        let mut at = ROOT;
        let mut below_star = false;
        let mut rest = Rest::Nothing;
        while let Some(element) = branch.read() {
            if let Some(asked) = rest_of(element, branch) {
                rest = asked;
                break;
            }
            let from = at;
            at = match element {
                Element::Literal(bytes) => self.descend(at, bytes, labels),
                _ => step_of(element).map_or(at, |step| self.child_or_new(at, step)),
            };
            if element == Element::Star {
                self.mark(from, below_star);
            }
            below_star |= matches!(element, Element::Star | Element::Run(_) | Element::Directories(_));
        }
        self.nodes[at].add_end(End::new(rest, pattern));
        self.mark(at, below_star);
    }

    /// Removes a branch that was added with this pattern; one that is gone already changes nothing. (A pattern may have one branch
    /// twice.) Complexity: its length.
    pub(super) fn remove(&mut self, branch: Branch<'_>, pattern: u32) {
        let Some((mut path, mut at, rest)) = self.path(branch) else { return };
        if !self.nodes[at].remove_end(End::new(rest, pattern)) {
            return;
        }
        self.unmark(at);
        while self.nodes[at].is_dead() {
            self.nodes.take(at);
            let Some((parent, step)) = path.pop() else { return };
            if let Some(mark) = self.nodes[parent].unlink(step).get() {
                self.marks.take(mark);
            }
            self.unmark(parent);
            at = parent;
        }
        if let Some(child) = self.nodes[at].merges_with() {
            let mut child = self.nodes.take(child);
            let node = &mut self.nodes[at];
            child.label = Label::from(&*[&*node.label, &*child.label].concat());
            *node = child;
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

    /// Each node on the way with the step that leaves it, the node at its end, and what is asked of the text there.
    fn path<'p>(&self, mut branch: Branch<'p>) -> Option<(Path<'p>, u32, Rest)> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut path = Path::new();
        let mut at = ROOT;
        while let Some(element) = branch.read() {
            if let Some(rest) = rest_of(element, branch) {
                return Some((path, at, rest));
            }
            if let Some(step) = step_of(element) {
                path.push((at, step));
                at = self.nodes[at].child(step)?;
            } else if let Element::Literal(mut bytes) = element {
                while let Some(&first) = bytes.first() {
                    let step = Step::Key(first);
                    path.push((at, step));
                    at = self.nodes[at].child(step)?;
                    bytes = bytes.strip_prefix(&*self.nodes[at].label)?;
                }
            }
        }
        Some((path, at, Rest::Nothing))
    }

    fn child_or_new(&mut self, parent: u32, step: Step<'_>) -> u32 {
        if let Some(child) = self.nodes[parent].child(step) {
            return child;
        }
        let child = self.nodes.insert(Node::behind(step));
        let mark = if step.needs_mark() { Link::to(self.marks.insert(())) } else { Link::NONE };
        self.nodes[parent].link(step, child, mark);
        child
    }

    /// The node that lies `bytes` behind `at`, made if there is none.
    fn descend(&mut self, mut at: u32, mut bytes: &[u8], labels: &mut Labels) -> u32 {
        while let Some(&first) = bytes.first() {
            let Some(child) = self.nodes[at].child(Step::Key(first)) else {
                let leaf = self.nodes.insert(Node::with_label(labels.label(bytes)));
                self.nodes[at].link(Step::Key(first), leaf, Link::NONE);
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
        // The front gets memory of its own, because the back may go before it.
        let mut middle = Node::with_label(Label::from(label.get(..length).unwrap_or_default()));
        let front = middle.label.first().copied();
        let back = label.without_first(length);
        if let Some(&first) = back.first() {
            middle.link(Step::Key(first), child, Link::NONE);
        }
        self.nodes[child].label = back;
        let middle = self.nodes.insert(middle);
        if let Some(first) = front {
            self.nodes[parent].link(Step::Key(first), middle, Link::NONE);
        }
        middle
    }
}

/// Nodes, each with the step that leaves it.
type Path<'p> = SmallVec<[(u32, Step<'p>); 16]>;

/// What an element asks of the rest of the text, if it is the last one and no node.
fn rest_of(element: Element<'_>, behind: Branch<'_>) -> Option<Rest> {
    match element {
        Element::Star if behind.is_empty() => Some(Rest::Anything),
        Element::Tail => Some(Rest::Something),
        Element::Token if behind.is_empty() => Some(Rest::Token),
        _ => None,
    }
}

/// The step that an element is. None for a literal, which may be several; and for a tail, which is none.
fn step_of(element: Element<'_>) -> Option<Step<'_>> {
    match element {
        Element::Any => Some(Step::Key(ANY)),
        Element::Class(class) => Some(Step::Class(Kind::One, class)),
        Element::Run(class) => Some(Step::Class(Kind::Run, class)),
        Element::Directories(class) => Some(Step::Class(Kind::Directories, class)),
        Element::Star => Some(Step::Key(STAR)),
        Element::Token => Some(Step::Key(TOKEN)),
        Element::Literal(_) | Element::Tail => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    fn insert(trie: &mut Trie, text: &str, end: u32) {
        let mut labels = Labels::default();
        Pattern::glob(text).unwrap().each_branch(|branch| trie.insert(branch, end, &mut labels));
    }

    fn remove(trie: &mut Trie, text: &str, end: u32) {
        Pattern::glob(text).unwrap().each_branch(|branch| trie.remove(branch, end));
    }

    fn trie(texts: &[&str]) -> Trie {
        let mut trie = Trie::new();
        for (end, text) in (0..).zip(texts) {
            insert(&mut trie, text, end);
        }
        trie
    }

    #[test]
    fn labels_split_and_join() {
        // The root and "abc"; that a star follows is said by the end.
        let mut trie = trie(&["abc*"]);
        assert_eq!(trie.nodes.len(), 2);
        insert(&mut trie, "abd*", 1); // "ab" between, "d" beside "c"
        assert_eq!(trie.nodes.len(), 4);
        insert(&mut trie, "ab*", 2);
        assert_eq!(trie.nodes.len(), 4);
        remove(&mut trie, "abd*", 1);
        assert_eq!(trie.nodes.len(), 3);
        remove(&mut trie, "ab*", 2);
        assert_eq!(trie.nodes.len(), 2, "`ab` and `c` are one again");
        remove(&mut trie, "abc*", 0);
        assert_eq!((trie.nodes.len(), trie.nodes.capacity()), (0, 0));
    }

    #[test]
    fn only_what_is_between_two_stars_has_a_mark() {
        let mut trie = trie(&["a*", "a*b*", "a*bc*d*", "?*", "a*bcx", "*"]);
        assert_eq!(trie.marks.len(), 3, "b, bc, d");
        insert(&mut trie, "a*b*x", 9);
        insert(&mut trie, "a**b*", 8);
        assert_eq!(trie.marks.len(), 3, "b has one");
        remove(&mut trie, "a*b*", 1);
        remove(&mut trie, "a**b*", 8);
        assert_eq!(trie.marks.len(), 3, "the star of `a*b*x` is still there");
        remove(&mut trie, "a*b*x", 9);
        assert_eq!(trie.marks.len(), 2);
        remove(&mut trie, "a*bc*d*", 2);
        assert_eq!(trie.marks.slot_count(), 0);
    }

    #[test]
    fn a_mark_goes_where_its_node_goes() {
        let mut trie = trie(&["*abc*"]);
        insert(&mut trie, "*abd", 1); // splits
        assert_eq!(trie.marks.len(), 1);
        remove(&mut trie, "*abd", 1); // joins
        assert_eq!(trie.marks.len(), 1);
        remove(&mut trie, "*abc*", 0);
        assert_eq!((trie.marks.slot_count(), trie.nodes.len()), (0, 0));
    }

    #[test]
    fn a_branch_that_others_pass_through_keeps_them() {
        let mut trie = trie(&["*a", "*ab", "*a?", "*a[xy]z", "*abc"]);
        let nodes = trie.nodes.len();
        insert(&mut trie, "*a[xy]q*", 9);
        remove(&mut trie, "*a[xy]q*", 9);
        assert_eq!(trie.nodes.len(), nodes);
        remove(&mut trie, "*a", 0);
        assert_eq!(trie.nodes.len(), nodes, "`*ab`, `*a?` and `*a[xy]z` still part there");
    }
}
