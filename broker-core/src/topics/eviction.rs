//! Which topic was published to least recently.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Topic;

/// Every topic once, with a time that is not later than its last publish.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Debug)]
struct Entry {
    touched: u64,
    topic: Arc<Topic>,
}

impl Eviction {
    pub(super) fn insert(&mut self, topic: Arc<Topic>) {
        self.heap.push(Reverse(Entry { touched: topic.touched(), topic }));
    }

    /// Removes the one whose last publish is the longest ago. The times in the heap are bounds from below, so one that is up to date at the
    /// top is the least of all.
    pub(super) fn pop_oldest(&mut self) -> Option<Arc<Topic>> {
        loop {
            let Reverse(Entry { touched, topic }) = self.heap.pop()?;
            if topic.touched() == touched {
                return Some(topic);
            }
            self.insert(topic);
        }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.touched.cmp(&other.touched)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
