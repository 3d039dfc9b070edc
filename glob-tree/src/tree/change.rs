//! Patterns and values that come and go.
//!
//! Owns which structures a pattern goes to, that it leaves all of them, and when memory is given back.

use std::hash::{BuildHasher, Hash};
use std::mem;

use super::bag::Bag;
use super::families::family_of;
use super::label::Labels;
use super::node::{End, Link};
use super::suffix::Backwards;
use super::{Entry, GlobTree, hasher};
use crate::pattern::Pattern;

/// With fewer slots than this nothing is rebuilt for memory's sake: they are some tens of kilobytes. (Guessed.)
const REBUILD_SLOTS_MIN: usize = 1024;
/// A rebuild comes when at most one slot in this many is used, so at least three removals pay for each insert of it.
pub(super) const REBUILD_SPARSITY: usize = 4;

impl<V: Eq + Hash> GlobTree<V> {
    /// Adds a value to a pattern. False, and nothing changes, if the pattern has an equal one.
    ///
    /// Complexity: length of the pattern × combinations of its alternatives. The sizes of the tree and of the pattern's values count only
    /// as in a hash table, whose growth is paid by many.
    pub fn insert(&mut self, pattern: &Pattern, value: V) -> bool {
        let Some(entry) = self.find(pattern).and_then(|id| self.entries[id].as_mut()) else {
            let [mark, previous, next] = [Link::NONE; 3];
            self.place(Entry { pattern: pattern.clone(), values: Bag::of(value), mark, previous, next });
            return true;
        };
        let new = entry.values.find(&value, hasher()).is_none();
        if new {
            entry.values.push(value, hasher());
            self.len += 1;
        }
        new
    }

    /// Takes a value from a pattern, if it is there. With its last value the pattern goes, and what only it needed.
    ///
    /// Complexity: as for [`insert`](Self::insert), on average over many: now and then, when three quarters of the memory have
    /// come to be unused, what is left is built anew. Nothing is left of an empty tree.
    pub fn remove(&mut self, pattern: &Pattern, value: &V) -> Option<V> {
        let id = self.find(pattern)?;
        let entry = self.entries[id].as_mut()?;
        let at = entry.values.find(value, hasher())?;
        let removed = entry.values.take(at, hasher());
        self.len -= 1;
        if entry.values.values().is_empty() {
            self.displace(id);
        }
        Some(removed)
    }
}

impl<V> GlobTree<V> {
    /// Gives an entry its place in everything that finds it.
    fn place(&mut self, mut entry: Entry<V>) {
        let pattern = entry.pattern.clone();
        if pattern.combinations() > 1 {
            entry.mark = Link::to(self.marks.insert(()));
        }
        self.len += entry.values.values().len();
        let id = self.entries.insert(Some(entry));
        assert!(id < End::PATTERNS_END, "a tree has fewer than 2^30 patterns");
        if let Some(literal) = pattern.shared_literal() {
            let next = self.exact.set(literal, id, hasher()).map_or(Link::NONE, Link::to);
            self.join(Link::to(id), next);
        }
        let mut labels = Labels::default();
        pattern.each_branch(|branch| {
            if let Some((parent, rest)) = family_of(branch) {
                self.families.insert(parent, rest, id, hasher());
            } else if let Some(back) = Backwards::of(branch) {
                self.suffixes.insert(back.branch(), id, &mut labels);
            } else {
                self.trie.insert(branch, id, &mut labels);
            }
        });
        let entries = &self.entries;
        let hash = |id: &u32| entries[*id].as_ref().map_or(0, |entry| hasher().hash_one(&entry.pattern));
        self.index.insert_unique(hasher().hash_one(&pattern), id, hash);
    }

    /// Makes two entries, or ends, neighbours in a list of entries that match the same text.
    fn join(&mut self, left: Link, right: Link) {
        if let Some(entry) = left.get().and_then(|id| self.entries[id].as_mut()) {
            entry.next = right;
        }
        if let Some(entry) = right.get().and_then(|id| self.entries[id].as_mut()) {
            entry.previous = left;
        }
    }

    /// Takes an entry out of everything that finds it.
    fn displace(&mut self, id: u32) {
        let Some(Entry { pattern, mark, previous, next, .. }) = self.entries.take(id) else { return };
        if let Ok(slot) = self.index.find_entry(hasher().hash_one(&pattern), |own| *own == id) {
            slot.remove();
        }
        if let Some(mark) = mark.get() {
            self.marks.take(mark);
        }
        if let Some(literal) = pattern.shared_literal() {
            self.join(previous, next);
            match (previous.get(), next.get()) {
                (None, None) => self.exact.remove(literal, hasher()),
                (None, Some(next)) => drop(self.exact.set(literal, next, hasher())),
                (Some(_), _) => {}
            }
        }
        pattern.each_branch(|branch| {
            if let Some((parent, rest)) = family_of(branch) {
                self.families.remove(parent, rest, hasher());
            } else if let Some(back) = Backwards::of(branch) {
                self.suffixes.remove(back.branch(), id);
            } else {
                self.trie.remove(branch, id);
            }
        });
        self.give_back();
    }

    /// Builds the tree anew where most of its memory is unused, and lets go of all where nothing is left.
    fn give_back(&mut self) {
        let sparse = |used: usize, slots: usize| {
            slots >= REBUILD_SLOTS_MIN && used.saturating_mul(REBUILD_SPARSITY) <= slots
        };
        let rebuild = self.entries.is_empty()
            || sparse(self.entries.len(), self.entries.slot_count())
            || sparse(self.trie.nodes.len(), self.trie.nodes.slot_count())
            || sparse(self.suffixes.nodes.len(), self.suffixes.nodes.slot_count());
        if rebuild {
            let old = mem::replace(self, Self { reserved: self.reserved, ..Self::new() });
            for entry in old.entries.into_slots().into_iter().flatten() {
                self.place(Entry { mark: Link::NONE, previous: Link::NONE, next: Link::NONE, ..entry });
            }
        }
    }
}
