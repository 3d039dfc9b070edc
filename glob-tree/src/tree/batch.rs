//! Many texts, asked for together: at hand, or prepared.
//!
//! Owns what can be done before: the texts' hashes, and for a [`Batch`] an order in which neighbours lead through the same nodes. What it
//! saves is waiting for memory: lookups that do not depend on each other run side by side, and a node is read again while it is near.

use std::hash::BuildHasher;
use std::hint::black_box;

use super::families::Place;
use super::scratch::Lookup;
use super::{GlobTree, Known, Scratch, hasher};

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
        for items in batch.items.chunks(SIDE_BY_SIDE) {
            let asked = items.iter().map(|item| (batch.text(item), item.hash));
            let place = |at: usize| items.get(at).map_or(0, |item| item.index);
            steps += self.matches_some(asked, scratch, |at, value| visit(place(at), value));
        }
        steps
    }

    /// Calls `visit` with the place of a text and a value, for every text and every value whose pattern matches it, one text after
    /// the other. As [`matches`](Self::matches) for each of them, without waiting for the memory of one before that of the next.
    pub fn matches_each<'t>(
        &'t self,
        texts: &[&str],
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &'t V),
    ) -> u64 {
        let mut steps = 0;
        let has_exact = !self.exact.is_empty();
        for (first, texts) in (0..).step_by(SIDE_BY_SIDE).zip(texts.chunks(SIDE_BY_SIDE)) {
            let mut hashes = [0; SIDE_BY_SIDE];
            if has_exact {
                hashes.iter_mut().zip(texts).for_each(|(hash, text)| *hash = hasher().hash_one(text));
            }
            let asked = texts.iter().copied().zip(hashes);
            steps += self.matches_some(asked, scratch, |at, value| visit(first + at, value));
        }
        steps
    }

    /// Up to [`SIDE_BY_SIDE`] texts, each with its hash.
    fn matches_some<'t, 'a>(
        &'t self,
        asked: impl Iterator<Item = (&'a str, u64)>,
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &'t V),
    ) -> u64 {
        let mut texts = 0;
        // Each step for all of them, so that nothing but reads is between two reads: as many as the processor takes are under way at once.
        let mut known: [Known<'a>; SIDE_BY_SIDE] = std::array::from_fn(|_| Known::default());
        for (known, (text, hash)) in known.iter_mut().zip(asked) {
            (known.text, known.exact) = (text, self.exact.get_hashed(text, hash));
            texts += 1;
        }
        let known = known.get_mut(..texts).unwrap_or_default();
        scratch.lookups.clear();
        for (text, known) in known.iter().enumerate() {
            let lookup = |place: Place| Lookup { text, place, hash: place.hash(known.text, hasher()) };
            scratch.lookups.extend(self.families.places(known.text).map(lookup));
        }
        for lookup in &scratch.lookups {
            let Some(known) = known.get_mut(lookup.text) else { break };
            known.look_up(&self.families, lookup.place, lookup.hash);
        }
        let found = known.iter().flat_map(|known| known.exact.iter().chain(&known.families));
        let values = |&id: &u32| self.entries[id].as_ref().map_or(0, |entry| entry.values.values().len());
        black_box(found.map(values).sum::<usize>());
        let mut steps = 0;
        for (at, known) in known.iter().enumerate() {
            steps += self.matches_from(known, scratch, |value| visit(at, value));
        }
        steps
    }
}
