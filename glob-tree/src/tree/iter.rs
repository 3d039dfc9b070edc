//! Going through a tree's pairs, and through one pattern's values.

use std::iter::FusedIterator;
use std::slice;

use super::{Entry, GlobTree};
use crate::pattern::Pattern;

/// Every pair of pattern and value: [`GlobTree::iter`].
#[derive(Debug)]
pub struct Iter<'t, V> {
    entries: slice::Iter<'t, Option<Entry<V>>>,
    /// The pattern at hand and what is left of its values.
    current: Option<(&'t Pattern, slice::Iter<'t, V>)>,
    left: usize,
}

impl<'t, V> Iter<'t, V> {
    pub(super) fn new(tree: &'t GlobTree<V>) -> Self {
        Self { entries: tree.entries.slots().iter(), current: None, left: tree.len }
    }
}

impl<'t, V> Iterator for Iter<'t, V> {
    type Item = (&'t Pattern, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((pattern, values)) = &mut self.current
                && let Some(value) = values.next()
            {
                self.left -= 1;
                return Some((pattern, value));
            }
            let entry = self.entries.find_map(Option::as_ref)?;
            self.current = Some((&entry.pattern, entry.values.values().iter()));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<V> ExactSizeIterator for Iter<'_, V> {}
impl<V> FusedIterator for Iter<'_, V> {}

/// The values of one pattern: [`GlobTree::values_of`].
#[derive(Debug)]
pub struct Values<'t, V> {
    values: slice::Iter<'t, V>,
}

impl<'t, V> Values<'t, V> {
    pub(super) fn new(values: &'t [V]) -> Self {
        Self { values: values.iter() }
    }
}

impl<'t, V> Iterator for Values<'t, V> {
    type Item = &'t V;

    fn next(&mut self) -> Option<&'t V> {
        self.values.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.values.size_hint()
    }
}

impl<V> ExactSizeIterator for Values<'_, V> {}
impl<V> FusedIterator for Values<'_, V> {}
