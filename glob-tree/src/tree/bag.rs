//! The values of one pattern.
//!
//! Owns "each value once" at a cost that does not grow with their number: a few are compared one after another, many are found by
//! their hash. Invariant: `places` is there if and only if there are more than [`FEW`] values, and then names each of them.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::change::REBUILD_SPARSITY;

/// So many values are compared one after another. (Measured: a hash costs about as much as eight comparisons.)
const FEW: usize = 8;

/// Values that differ from each other.
#[derive(Clone, Debug)]
pub(super) struct Bag<V> {
    values: SmallVec<[V; 1]>,
    /// Where in `values` each is, by its hash.
    places: Option<Box<HashTable<u32>>>,
}

impl<V> Bag<V> {
    pub(super) fn of(value: V) -> Self {
        Self { values: SmallVec::from_buf([value]), places: None }
    }

    pub(super) fn values(&self) -> &[V] {
        &self.values
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.values.capacity() + self.places.as_ref().map_or(0, |places| places.capacity())
    }
}

impl<V: Eq + Hash> Bag<V> {
    /// Where the value is.
    pub(super) fn find(&self, value: &V, hasher: &impl BuildHasher) -> Option<usize> {
        let Some(places) = &self.places else { return self.values.iter().position(|own| own == value) };
        let equal = |place: &u32| self.values.get(*place as usize) == Some(value);
        places.find(hasher.hash_one(value), equal).map(|place| *place as usize)
    }

    /// Adds a value that is not there.
    ///
    /// # Panics
    /// With 2^32 values.
    pub(super) fn push(&mut self, value: V, hasher: &impl BuildHasher) {
        self.values.push(value);
        if self.places.is_some() {
            self.place(self.values.len() - 1, hasher);
        } else if self.values.len() > FEW {
            self.places = Some(Box::default());
            (0..self.values.len()).for_each(|at| self.place(at, hasher));
        }
    }

    fn place(&mut self, at: usize, hasher: &impl BuildHasher) {
        let Self { values, places } = self;
        let (Some(value), Some(places)) = (values.get(at), places) else { return };
        let place = u32::try_from(at).expect("a pattern has fewer than 2^32 values");
        let hash = |place: &u32| values.get(*place as usize).map_or(0, |value| hasher.hash_one(value));
        places.insert_unique(hasher.hash_one(value), place, hash);
    }

    /// Takes the value that [`find`](Self::find) found here; the last one takes its place.
    pub(super) fn take(&mut self, at: usize, hasher: &impl BuildHasher) -> V {
        let last = self.values.len() - 1;
        let removed = self.values.swap_remove(at);
        if let Some(places) = &mut self.places {
            if let Ok(entry) = places.find_entry(hasher.hash_one(&removed), |place| *place as usize == at) {
                entry.remove();
            }
            if let Some(moved) = self.values.get(at)
                && let Some(place) = places.find_mut(hasher.hash_one(moved), |place| *place as usize == last)
            {
                // What was the last one is not past `at`, which fits.
                *place = u32::try_from(at).unwrap_or(u32::MAX);
            }
            if last <= FEW {
                self.places = None;
            }
        }
        if self.values.len() * REBUILD_SPARSITY <= self.values.capacity() {
            self.values.shrink_to_fit();
            if let Some(places) = &mut self.places {
                let values = &self.values;
                places.shrink_to_fit(|place| {
                    values.get(*place as usize).map_or(0, |value| hasher.hash_one(value))
                });
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::RandomState;

    use super::*;

    #[test]
    fn a_bag_does_what_a_set_does() {
        let hasher = RandomState::new();
        let mut bag = Bag::of(0);
        let mut set = HashSet::from([0]);
        let mut random = 1_u64;
        for round in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Up to a thousand values, and down to a few, again and again.
            let range = if round / 4000 % 2 == 0 { 1000 } else { 10 };
            let value = (random >> 33) % range;
            if let Some(at) = bag.find(&value, &hasher) {
                assert_eq!(bag.values()[at], value);
                if set.len() > 1 {
                    assert_eq!(bag.take(at, &hasher), value);
                    assert!(set.remove(&value));
                }
            } else {
                bag.push(value, &hasher);
                assert!(set.insert(value));
            }
            if range == 10 && set.len() > 5 {
                let value = bag.values()[0];
                assert!(bag.find(&value, &hasher) == Some(0) && set.remove(&bag.take(0, &hasher)));
            }
            assert_eq!((bag.values().len(), bag.places.is_some()), (set.len(), set.len() > FEW));
        }
        assert!(bag.values().iter().all(|value| set.contains(value)));
    }
}
