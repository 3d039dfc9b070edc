//! Many texts, prepared to be asked for together.
//!
//! Owns what can be done before: the texts' hashes, and an order in which neighbours lead through the same nodes. What it saves is
//! waiting for memory: lookups that do not depend on each other run side by side, and a node is read again while it is near.

use std::hash::BuildHasher;

use super::{GlobTree, Scratch, hasher};

/// So many exact lookups run side by side. (Measured: 8 is slower, 64 no faster.)
const SIDE_BY_SIDE: usize = 32;

/// Texts to ask for, together and perhaps again and again: [`GlobTree::matches_batch`]. Not bound to a tree.
///
/// ```
/// use glob_tree::{Batch, GlobTree, Pattern, Scratch};
///
/// let mut tree = GlobTree::new();
/// tree.insert(&Pattern::glob("*.log").unwrap(), 'l');
/// tree.insert(&Pattern::glob("a/*").unwrap(), 'a');
///
/// let batch: Batch = ["b.txt", "a/x.log", "x.log"].into_iter().collect();
/// let mut found = Vec::new();
/// tree.matches_batch(&batch, &mut Scratch::default(), |at, value| found.push((at, *value)));
/// found.sort_unstable();
/// assert_eq!(found, [(1, 'a'), (1, 'l'), (2, 'l')]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// One text behind the other, in their order.
    texts: String,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    hash: u64,
    /// Where its text is.
    start: usize,
    end: usize,
    /// Its place among the texts as they were given.
    index: usize,
}

impl Batch {
    /// The number of texts.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn text(&self, item: &Item) -> &str {
        self.texts.get(item.start..item.end).unwrap_or_default()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Batch {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut batch = Self::default();
        batch.extend(texts);
        batch
    }
}

/// Sorts all texts anew: add many at once.
impl<T: AsRef<str>> Extend<T> for Batch {
    fn extend<I: IntoIterator<Item = T>>(&mut self, texts: I) {
        for text in texts {
            let (text, start) = (text.as_ref(), self.texts.len());
            self.texts.push_str(text);
            let (hash, index) = (hasher().hash_one(text), self.items.len());
            self.items.push(Item { hash, start, end: self.texts.len(), index });
        }
        let Self { texts, items } = self;
        items.sort_unstable_by_key(|item| (texts.get(item.start..item.end), item.index));
        // In the order in which they are asked for, so that they are read one after another.
        let mut sorted = String::with_capacity(texts.len());
        for item in items {
            let start = sorted.len();
            sorted.push_str(texts.get(item.start..item.end).unwrap_or_default());
            (item.start, item.end) = (start, sorted.len());
        }
        *texts = sorted;
    }
}

impl<V> GlobTree<V> {
    /// Calls `visit` with the place of a text in the batch and a value, for every text and every value whose pattern matches it, in no
    /// particular order. As [`matches`](Self::matches) for each of the texts.
    pub fn matches_batch<'t>(
        &'t self,
        batch: &Batch,
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &'t V),
    ) -> u64 {
        let mut steps = 0;
        let mut exact = [None; SIDE_BY_SIDE];
        for items in batch.items.chunks(SIDE_BY_SIDE) {
            for (exact, item) in exact.iter_mut().zip(items) {
                *exact = self.exact.get_hashed(batch.text(item), item.hash);
            }
            for (exact, item) in exact.iter().zip(items) {
                let (text, index) = (batch.text(item), item.index);
                steps += self.matches_from(*exact, text, scratch, |value| visit(index, value));
            }
        }
        steps
    }
}
