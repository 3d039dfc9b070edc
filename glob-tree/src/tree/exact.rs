//! The patterns without wildcards, by the text that they match.
//!
//! Owns one hash lookup. Several patterns may match one text (`a` and `\a`): they are a list through their entries, which is the
//! tree's; here is its first one. The text is shared with the pattern.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Texts, each with the entry that is the first of its list.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    table: HashTable<(Arc<str>, u32)>,
}

impl Exact {
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, text: &str, hasher: &RandomState) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        self.get_hashed(text, hasher.hash_one(text))
    }

    /// As [`get`](Self::get), of a text whose hash is known.
    #[inline]
    pub(super) fn get_hashed(&self, text: &str, hash: u64) -> Option<u32> {
        self.table.find(hash, |own| *own.0 == *text).map(|own| own.1)
    }

    /// Makes `first` the first entry of a text. Returns the one that was.
    pub(super) fn set(&mut self, text: &Arc<str>, first: u32, hasher: &RandomState) -> Option<u32> {
        let entry = self.table.entry(
            hasher.hash_one(&**text),
            |own| *own.0 == **text,
            |own| hasher.hash_one(&*own.0),
        );
        match entry {
            Entry::Occupied(mut slot) => Some(std::mem::replace(&mut slot.get_mut().1, first)),
            Entry::Vacant(slot) => {
                slot.insert((Arc::clone(text), first));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, text: &str, hasher: &RandomState) {
        if let Ok(entry) = self.table.find_entry(hasher.hash_one(text), |own| *own.0 == *text) {
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}
