//! A vector whose slots are used again: what the tree's nodes and patterns live in.
//!
//! Owns identifiers: a slot keeps its number until it is taken, and a taken slot holds `T::default()`, which owns no memory.
//! When the last one is taken the capacity is given back; giving back part of it is the tree's decision.

use std::ops::{Index, IndexMut};

/// Values under numbers that stay the same.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many slots there are, used or not: all numbers are below it.
    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Every slot; those not in use hold the default.
    pub(super) fn slots(&self) -> &[T] {
        &self.slots
    }

    pub(super) fn into_slots(self) -> Vec<T> {
        self.slots
    }

    /// # Panics
    /// With 2^32 - 1 values, which are some hundred gigabytes of nodes.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self[id] = value;
            return id;
        }
        let id = u32::try_from(self.slots.len()).ok().filter(|&id| id != u32::MAX);
        let id = id.expect("fewer than 2^32 - 1 values in a tree");
        self.slots.push(value);
        id
    }

    /// Takes a value that is there.
    pub(super) fn take(&mut self, id: u32) -> T {
        let value = std::mem::take(&mut self[id]);
        self.free.push(id);
        if self.free.len() == self.slots.len() {
            *self = Self::new();
        }
        value
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity() + self.free.capacity()
    }
}

// The one place that indexes. A number comes from `insert` and goes nowhere but into the tree, so one that is out of range is
// a fault of the tree, and to go on with another node would deliver to the wrong subscriber.
#[expect(clippy::indexing_slicing, reason = "see above")]
impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.slots[id as usize]
    }
}

#[expect(clippy::indexing_slicing, reason = "see above")]
impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.slots[id as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_given_back() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..10).map(|value| slab.insert(Some(value))).collect();
        assert_eq!(slab.take(ids[3]), Some(3));
        assert_eq!((slab.len(), slab.slot_count(), slab[3]), (9, 10, None));
        assert_eq!(slab.insert(Some(30)), 3);
        for id in ids {
            slab.take(id);
        }
        assert_eq!((slab.len(), slab.slot_count(), slab.capacity()), (0, 0, 0));
    }
}
