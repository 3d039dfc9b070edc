//! Many patterns, each with its values: which of them match this text?
//!
//! Owns the public map, the identity of patterns and values, the exact patterns (a hash table), the reserved first
//! character, and when memory is given back. The wildcard patterns' shape is in `trie`, matching them in `walk`.
//!
//! Invariants: an entry has at least one value and its values differ; it is in `index`, and in `exact` if its pattern is a literal,
//! else once per branch in `trie`; it has a mark if and only if it has several combinations.

mod children;
mod iter;
mod label;
mod node;
mod scratch;
mod slab;
mod trie;
mod walk;

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::ops::ControlFlow;

use smallvec::SmallVec;

pub use self::iter::{Iter, Values};
use self::label::Labels;
use self::node::{End, Link};
pub use self::scratch::Scratch;
use self::slab::Slab;
use self::trie::Trie;
use crate::pattern::Pattern;

/// With fewer slots than this nothing is rebuilt for memory's sake: they are some tens of kilobytes. (Guessed.)
const REBUILD_SLOTS_MIN: usize = 1024;
/// A rebuild comes when at most one slot in this many is used, so at least three removals pay for each insert of it.
const REBUILD_SPARSITY: usize = 4;

/// A map from patterns to values that changes while it is asked which values' patterns match a text.
///
/// A pattern can have several values and a value several patterns; a pair of the two is there once. Values are compared with
/// `==`, one after another, so where one pattern has thousands of them, keep those in a value of your own.
pub struct GlobTree<V> {
    reserved: Option<char>,
    entries: Slab<Option<Entry<V>>>,
    /// Each pattern's entry.
    index: HashMap<Pattern, u32>,
    /// The entries whose patterns match this text only: `\a` and `a` are two of them.
    exact: HashMap<Box<str>, SmallVec<[u32; 1]>>,
    trie: Trie,
    /// The numbers of entries that can be found twice, as small as they can be: they index the scratch.
    marks: Slab<()>,
    /// Pairs of pattern and value.
    len: usize,
}

#[derive(Debug)]
struct Entry<V> {
    pattern: Pattern,
    values: SmallVec<[V; 1]>,
    mark: Link,
}

impl<V> Entry<V> {
    /// Whether it is, where patterns that begin with a wildcard are.
    fn is_hidden(&self, hides: bool) -> bool {
        hides && self.pattern.begins_with_wildcard()
    }
}

impl<V> GlobTree<V> {
    /// An empty tree without a reserved character.
    pub fn new() -> Self {
        Self {
            reserved: None,
            entries: Slab::new(),
            index: HashMap::new(),
            exact: HashMap::new(),
            trie: Trie::new(),
            marks: Slab::new(),
            len: 0,
        }
    }

    /// An empty tree in which a text that begins with `first` is not matched by a pattern that
    /// [begins with a wildcard](Pattern::begins_with_wildcard).
    pub fn with_reserved(first: char) -> Self {
        Self { reserved: Some(first), ..Self::new() }
    }

    /// The number of pairs of pattern and value.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of patterns: each counts once, however many values it has.
    pub fn pattern_count(&self) -> usize {
        self.entries.len()
    }

    /// The number of nodes that hold the wildcard patterns: 0 without any, and otherwise set by the patterns alone, not by their
    /// history. The live states of a query are among them.
    pub fn node_count(&self) -> usize {
        self.trie.nodes.len()
    }

    /// Every pair of pattern and value, in no particular order; the values of one pattern come one after another.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter::new(self)
    }

    /// The values of one pattern.
    pub fn values_of(&self, pattern: &Pattern) -> Values<'_, V> {
        Values::new(self.entry(pattern).map_or(&[], |entry| &entry.values))
    }

    /// Calls `visit` with every value whose pattern matches the whole of `text`, once for each pair of pattern and value, in no
    /// particular order. Returns the steps that it took, for a metric or a bound.
    ///
    /// Complexity: see the [crate's documentation](crate#complexity). No allocation once `scratch` is warm.
    pub fn matches<'t>(&'t self, text: &str, scratch: &mut Scratch, mut visit: impl FnMut(&'t V)) -> u64 {
        let Scratch { walk, found, visited } = scratch;
        let exact = self.exact(text);
        exact.iter().flat_map(|&id| self.values_at(id)).for_each(&mut visit);

        // Collected first and visited then: reads that do not wait for each other are worth more than the detour.
        found.clear();
        let hides = self.hides(text);
        let steps = self.trie.walk(text, hides, walk, |id| {
            found.push(id);
            ControlFlow::Continue(())
        });
        visited.begin(self.marks.slot_count());
        for &id in &*found {
            let Some(entry) = &self.entries[id] else { continue };
            if !entry.is_hidden(hides) && entry.mark.get().is_none_or(|mark| visited.insert(mark)) {
                entry.values.iter().for_each(&mut visit);
            }
        }
        1 + exact.len() as u64 + steps
    }

    /// Whether a pattern matches `text`. Stops at the first one.
    pub fn is_match(&self, text: &str, scratch: &mut Scratch) -> bool {
        if !self.exact(text).is_empty() {
            return true;
        }
        let mut matched = false;
        let hides = self.hides(text);
        self.trie.walk(text, hides, &mut scratch.walk, |id| {
            matched = self.entries[id].as_ref().is_some_and(|entry| !entry.is_hidden(hides));
            if matched { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        matched
    }

    /// The entries of the literals that are `text`. None of them begins with a wildcard.
    fn exact(&self, text: &str) -> &[u32] {
        if self.exact.is_empty() {
            return &[];
        }
        self.exact.get(text).map_or(&[], SmallVec::as_slice)
    }

    /// Whether patterns that begin with a wildcard do not match `text`.
    fn hides(&self, text: &str) -> bool {
        self.reserved.is_some_and(|first| text.starts_with(first))
    }

    fn values_at(&self, id: u32) -> &[V] {
        self.entries[id].as_ref().map_or(&[], |entry| &entry.values)
    }

    fn entry(&self, pattern: &Pattern) -> Option<&Entry<V>> {
        self.entries[*self.index.get(pattern)?].as_ref()
    }

    /// Gives an entry its place in everything that finds it.
    fn place(&mut self, mut entry: Entry<V>) {
        let pattern = entry.pattern.clone();
        if pattern.combinations() > 1 {
            entry.mark = Link::to(self.marks.insert(()));
        }
        self.len += entry.values.len();
        let id = self.entries.insert(Some(entry));
        assert!(id < End::PATTERNS_END, "a tree has fewer than 2^30 patterns");
        if let Some(literal) = pattern.literal() {
            self.exact.entry(literal.into()).or_default().push(id);
        }
        let mut labels = Labels::default();
        pattern.each_branch(|branch| self.trie.insert(branch, id, &mut labels));
        self.index.insert(pattern, id);
    }

    /// Takes an entry out of everything that finds it.
    fn displace(&mut self, id: u32) {
        let Some(Entry { pattern, mark, .. }) = self.entries.take(id) else { return };
        self.index.remove(&pattern);
        if let Some(mark) = mark.get() {
            self.marks.take(mark);
        }
        if let Some(literal) = pattern.literal()
            && let Some(ids) = self.exact.get_mut(literal)
        {
            ids.retain(|own| *own != id);
            if ids.is_empty() {
                self.exact.remove(literal);
            }
        }
        pattern.each_branch(|branch| self.trie.remove(branch, id));
        self.give_back();
    }

    /// Builds the tree anew where most of its memory is unused, and lets go of all where nothing is left.
    fn give_back(&mut self) {
        let sparse = |used: usize, slots: usize| {
            slots >= REBUILD_SLOTS_MIN && used.saturating_mul(REBUILD_SPARSITY) <= slots
        };
        let rebuild = self.entries.is_empty()
            || sparse(self.entries.len(), self.entries.slot_count())
            || sparse(self.trie.nodes.len(), self.trie.nodes.slot_count());
        if rebuild {
            let old = mem::replace(self, Self { reserved: self.reserved, ..Self::new() });
            for entry in old.entries.into_slots().into_iter().flatten() {
                self.place(entry);
            }
        }
    }
}

impl<V: Eq> GlobTree<V> {
    /// Adds a value to a pattern. False, and nothing changes, if the pattern has an equal one.
    ///
    /// Complexity: length of the pattern × combinations of its alternatives, and the values of the pattern.
    pub fn insert(&mut self, pattern: &Pattern, value: V) -> bool {
        let id = self.index.get(pattern).copied();
        match id.and_then(|id| self.entries[id].as_mut()) {
            Some(entry) if entry.values.contains(&value) => return false,
            Some(entry) => {
                entry.values.push(value);
                self.len += 1;
            }
            None => {
                let mut values = SmallVec::new();
                values.push(value);
                self.place(Entry { pattern: pattern.clone(), values, mark: Link::NONE });
            }
        }
        true
    }

    /// Takes a value from a pattern, if it is there. With its last value the pattern goes, and what only it needed.
    ///
    /// Complexity: as for [`insert`](Self::insert), on average over many: now and then, when three quarters of the memory have
    /// come to be unused, what is left is built anew. Nothing is left of an empty tree.
    pub fn remove(&mut self, pattern: &Pattern, value: &V) -> Option<V> {
        let id = self.index.get(pattern).copied()?;
        let entry = self.entries[id].as_mut()?;
        let at = entry.values.iter().position(|own| own == value)?;
        let removed = entry.values.swap_remove(at);
        self.len -= 1;
        if entry.values.is_empty() {
            self.displace(id);
        } else if entry.values.len() * REBUILD_SPARSITY <= entry.values.capacity() {
            entry.values.shrink_to_fit();
        }
        Some(removed)
    }

    /// Whether the pattern has this value.
    pub fn contains(&self, pattern: &Pattern, value: &V) -> bool {
        self.entry(pattern).is_some_and(|entry| entry.values.contains(value))
    }
}

impl<V> Default for GlobTree<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> fmt::Debug for GlobTree<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobTree")
            .field("patterns", &self.pattern_count())
            .field("values", &self.len)
            .field("nodes", &self.node_count())
            .finish_non_exhaustive()
    }
}

impl<'t, V> IntoIterator for &'t GlobTree<V> {
    type Item = (&'t Pattern, &'t V);
    type IntoIter = Iter<'t, V>;

    fn into_iter(self) -> Iter<'t, V> {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
