//! Many patterns, each with its values: which of them match this text?
//!
//! Owns the public map, the identity of patterns and values, the reserved first character, and in which structures a text is looked for.
//! Patterns come and go in `change`; the wildcard patterns' shape is in `trie`, matching them in `walk`.
//!
//! Invariants: an entry has at least one value; it is in `index`, and in the list of its text in `exact` if its pattern is a literal,
//! else once per branch in `families`, `suffixes` or `trie`; it has a mark if and only if it has several combinations.

mod bag;
mod batch;
mod change;
mod children;
mod exact;
mod families;
mod first;
mod iter;
mod label;
mod node;
mod scratch;
mod slab;
mod suffix;
mod table;
mod trie;
mod walk;

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::ControlFlow;
use std::sync::OnceLock;

use self::bag::Bag;
pub use self::batch::Batch;
use self::exact::Exact;
use self::families::{Families, Known, Place};
pub use self::iter::{Iter, Values};
use self::node::Link;
pub use self::scratch::Scratch;
use self::slab::Slab;
use self::trie::Trie;
use crate::pattern::Pattern;
use hashbrown::HashTable;

/// A map from patterns to values that changes while it is asked which values' patterns match a text.
///
/// A pattern can have several values and a value several patterns; a pair of the two is there once.
#[derive(Clone)]
pub struct GlobTree<V> {
    reserved: Option<char>,
    entries: Slab<Option<Entry<V>>>,
    /// Each pattern's entry.
    index: HashTable<u32>,
    /// The entries whose patterns match one text only.
    exact: Exact,
    /// The branches that are a literal and a last token or a tail, by that literal.
    families: Families,
    /// The branches that are a star and a literal, from their ends: `*.log` is the way `gol.` and a star.
    suffixes: Trie,
    /// All other branches.
    trie: Trie,
    /// The numbers of entries that can be found twice, as small as they can be: they index the scratch.
    marks: Slab<()>,
    /// Pairs of pattern and value.
    len: usize,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    pattern: Pattern,
    values: Bag<V>,
    mark: Link,
    /// Of a literal, the entries before and behind it in the list of those that match the same text.
    previous: Link,
    next: Link,
}

/// The keys of all hashes: one for the process, so that a [`Batch`] is prepared for every tree.
fn hasher() -> &'static RandomState {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    HASHER.get_or_init(RandomState::new)
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
            index: HashTable::new(),
            exact: Exact::default(),
            families: Families::default(),
            suffixes: Trie::new(),
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

    /// The reserved first character: see [`with_reserved`](Self::with_reserved).
    pub fn reserved(&self) -> Option<char> {
        self.reserved
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
        self.trie.nodes.len() + self.suffixes.nodes.len()
    }

    /// Every pair of pattern and value, in no particular order; the values of one pattern come one after another.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter::new(self)
    }

    /// The values of one pattern.
    pub fn values_of(&self, pattern: &Pattern) -> Values<'_, V> {
        Values::new(self.entry(pattern).map_or(&[], |entry| entry.values.values()))
    }

    /// Calls `visit` with every value whose pattern matches the whole of `text`, once for each pair of pattern and value, in no
    /// particular order. Returns the steps that it took, for a metric or a bound.
    ///
    /// Complexity: see the [crate's documentation](crate#complexity). No allocation once `scratch` is warm.
    pub fn matches<'t>(&'t self, text: &str, scratch: &mut Scratch, visit: impl FnMut(&'t V)) -> u64 {
        let mut known = Known { text, exact: self.exact.get(text, hasher()), ..Known::default() };
        for place in self.families.places(text) {
            known.look_up(&self.families, place, place.hash(text, hasher()));
        }
        self.matches_from(&known, scratch, visit)
    }

    /// Puts every value whose pattern matches the whole of `text` behind what is in `found`: as [`matches`](Self::matches).
    pub fn matches_into<'t, F>(&'t self, text: &str, scratch: &mut Scratch, found: &mut F) -> u64
    where
        F: Extend<&'t V>,
    {
        self.matches(text, scratch, |value| found.extend([value]))
    }

    /// As [`matches`](Self::matches), where it is known what the tables hold for `text`.
    fn matches_from<'t>(
        &'t self,
        known: &Known<'_>,
        scratch: &mut Scratch,
        mut visit: impl FnMut(&'t V),
    ) -> u64 {
        let Scratch { walk, found, visited, .. } = scratch;
        let text = known.text;
        let mut steps = 1;
        let mut same = known.exact;
        while let Some(entry) = same.and_then(|id| self.entries[id].as_ref()) {
            steps += 1;
            entry.values.values().iter().for_each(&mut visit);
            same = entry.next.get();
        }
        // Collected first and visited then: reads that do not wait for each other are worth more than the detour.
        found.clear();
        found.extend_from_slice(&known.families);
        steps += known.lookups + known.families.len() as u64;
        let hides = self.hides(text);
        let mut hit = |id| {
            found.push(id);
            ControlFlow::Continue(())
        };
        if !hides {
            steps += self.suffixes.walk_back(text, &mut hit);
        }
        steps += self.trie.walk(text, hides, walk, &mut hit);
        visited.begin(self.marks.slot_count());
        for &id in &*found {
            let Some(entry) = &self.entries[id] else { continue };
            if !entry.is_hidden(hides) && entry.mark.get().is_none_or(|mark| visited.insert(mark)) {
                entry.values.values().iter().for_each(&mut visit);
            }
        }
        steps
    }

    /// Whether a pattern matches `text`. Stops at the first one.
    pub fn is_match(&self, text: &str, scratch: &mut Scratch) -> bool {
        let mut places = self.families.places(text);
        let in_family =
            |place: Place| self.families.get(text, place, place.hash(text, hasher())).next().is_some();
        if self.exact.get(text, hasher()).is_some() || places.any(in_family) {
            return true;
        }
        let matched = Cell::new(false);
        let hides = self.hides(text);
        let mut hit = |id| {
            matched.set(self.entries[id].as_ref().is_some_and(|entry| !entry.is_hidden(hides)));
            if matched.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if !hides {
            self.suffixes.walk_back(text, &mut hit);
        }
        if !matched.get() {
            self.trie.walk(text, hides, &mut scratch.walk, hit);
        }
        matched.get()
    }

    /// Whether patterns that begin with a wildcard do not match `text`.
    fn hides(&self, text: &str) -> bool {
        self.reserved.is_some_and(|first| text.starts_with(first))
    }

    fn find(&self, pattern: &Pattern) -> Option<u32> {
        let equal = |id: &u32| self.entries[*id].as_ref().is_some_and(|entry| entry.pattern == *pattern);
        self.index.find(hasher().hash_one(pattern), equal).copied()
    }

    fn entry(&self, pattern: &Pattern) -> Option<&Entry<V>> {
        self.entries[self.find(pattern)?].as_ref()
    }
}

impl<V: Eq + Hash> GlobTree<V> {
    /// Whether the pattern has this value.
    pub fn contains(&self, pattern: &Pattern, value: &V) -> bool {
        self.entry(pattern).is_some_and(|entry| entry.values.find(value, hasher()).is_some())
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
