//! The obvious implementation, a list of pairs, and the tree beside it: whatever is done is done to both, and they must agree.
//!
//! Owns what holds for every tree at every moment. Whoever uses it says what is done, and which matcher is the obvious one.

use glob_tree::{Batch, GlobTree, Pattern, Scratch};

/// What says whether a pattern matches a text, in a tree with this reserved character.
pub(crate) type Matcher = fn(&Pattern, &str, Option<char>) -> bool;

pub(crate) struct Beside {
    tree: GlobTree<u8>,
    pairs: Vec<(Pattern, u8)>,
    reserved: Option<char>,
    scratch: Scratch,
    matcher: Matcher,
    /// As many branches as a pattern with alternatives can have.
    combinations_max: usize,
}

impl Beside {
    pub(crate) fn new(reserved: Option<char>, combinations_max: usize, matcher: Matcher) -> Self {
        let tree = reserved.map_or_else(GlobTree::new, GlobTree::with_reserved);
        Self { tree, pairs: Vec::new(), reserved, scratch: Scratch::default(), matcher, combinations_max }
    }

    fn find(&self, pattern: &Pattern, value: u8) -> Option<usize> {
        self.pairs.iter().position(|(own, own_value)| *own_value == value && own == pattern)
    }

    pub(crate) fn insert(&mut self, pattern: &Pattern, value: u8) {
        let new = self.find(pattern, value).is_none();
        assert_eq!(self.tree.contains(pattern, &value), !new);
        assert_eq!(self.tree.insert(pattern, value), new, "{pattern:?}");
        if new {
            self.pairs.push((pattern.clone(), value));
        }
        self.count();
    }

    pub(crate) fn remove(&mut self, pattern: &Pattern, value: u8) {
        let at = self.find(pattern, value);
        assert_eq!(self.tree.remove(pattern, &value), at.map(|_| value), "{pattern:?}");
        at.map(|at| self.pairs.swap_remove(at));
        assert!(!self.tree.contains(pattern, &value));
        self.count();
    }

    fn count(&self) {
        assert_eq!((self.tree.len(), self.tree.is_empty()), (self.pairs.len(), self.pairs.is_empty()));
    }

    /// In every form of a query.
    pub(crate) fn ask(&mut self, text: &str) {
        let mut found: Vec<u8> = Vec::new();
        let steps = self.tree.matches_into(text, &mut self.scratch, &mut found);
        found.sort_unstable();
        let matching = self.pairs.iter().filter(|(pattern, _)| (self.matcher)(pattern, text, self.reserved));
        let mut expected: Vec<u8> = matching.map(|(_, value)| *value).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text:?} against {:?}", self.pairs);
        assert_eq!(self.tree.is_match(text, &mut self.scratch), !expected.is_empty());
        self.hold_against_ceiling(steps, text, expected.len());

        let batch: Batch = ["a", "", text, "a.b", "b.a"].into_iter().collect();
        let mut found = Vec::new();
        self.tree.matches_batch(&batch, &mut self.scratch, |at, value| found.push((at, *value)));
        found.retain(|(at, _)| *at == 2);
        found.sort_unstable();
        assert!(found.iter().map(|found| found.1).eq(expected.iter().copied()), "{text:?} in a batch");

        let mut found = Vec::new();
        self.tree.matches_each(&["a", text, "", "a.b", text], &mut self.scratch, |at, value| {
            found.push((at, *value));
        });
        assert!(found.is_sorted_by_key(|(at, _)| *at), "one text after the other");
        for place in [1, 4] {
            let of_text = found.iter().filter(|(at, _)| *at == place);
            let mut of_text: Vec<u8> = of_text.map(|(_, value)| *value).collect();
            of_text.sort_unstable();
            assert_eq!(of_text, expected, "{text:?} beside others");
        }
    }

    /// The documentation's ceiling, with what the labels and the branches can be at most.
    fn hold_against_ceiling(&self, steps: u64, text: &str, found: usize) {
        let combinations =
            |pattern: &Pattern| if pattern.as_str().contains('{') { self.combinations_max } else { 1 };
        let branches: usize = self.pairs.iter().map(|(pattern, _)| combinations(pattern)).sum();
        let label_bytes: usize =
            self.pairs.iter().map(|(pattern, _)| combinations(pattern) * pattern.as_str().len()).sum();
        let ceiling =
            (text.len() + 1) * (4 * self.tree.node_count() + label_bytes / 16) + 2 * branches + found + 1;
        assert!(steps <= ceiling as u64, "{steps} steps, at most {ceiling}: {text:?} in {:?}", self.pairs);
    }

    /// The tree is one that never held anything else; when all is removed nothing is left of it.
    pub(crate) fn end(mut self) {
        let mut fresh = GlobTree::new();
        for (pattern, value) in &self.pairs {
            fresh.insert(pattern, *value);
        }
        assert_eq!(self.tree.node_count(), fresh.node_count(), "{:?}", self.pairs);
        let listed = |tree: &GlobTree<u8>| {
            let mut pairs: Vec<_> =
                tree.iter().map(|(pattern, value)| format!("{pattern:?} {value}")).collect();
            pairs.sort_unstable();
            pairs
        };
        assert_eq!(listed(&self.tree), listed(&fresh));
        while let Some((pattern, value)) = self.pairs.first().cloned() {
            self.remove(&pattern, value);
        }
        assert_eq!((self.tree.len(), self.tree.pattern_count(), self.tree.node_count()), (0, 0, 0));
    }
}
