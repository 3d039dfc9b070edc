//! Topics by a number, the least first: when they were published to, or when their message is due to go.
//!
//! A binary heap that knows where each topic stands in it, so that a topic can leave it, or move forward, at any time: it holds each topic
//! once at the most, and none that is no longer known.

use std::sync::Arc;

use super::Topic;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The place of a topic that is not in the order.
pub(super) const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Order {
    /// The children of the entry at n are at 2n + 1 and 2n + 2.
    entries: Vec<Entry>,
    /// Where a topic notes its place in this order. Read and written by nobody else.
    place: fn(&Topic) -> &AtomicU32,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) topic: Arc<Topic>,
}

impl Order {
    pub(super) fn new(place: fn(&Topic) -> &AtomicU32) -> Self {
        Order { entries: Vec::new(), place }
    }

    /// The least key.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.first().map(|entry| entry.key)
    }

    /// Takes the topic in, or lowers its key if that is higher.
    pub(super) fn lower(&mut self, topic: &Arc<Topic>, key: u64) {
        let known = (self.place)(topic).load(Relaxed);
        let at = if known == NOWHERE {
            self.entries.push(Entry { key, topic: Arc::clone(topic) });
            self.note(self.entries.len() - 1);
            self.entries.len() - 1
        } else {
            known as usize
        };
        if let Some(entry) = self.entries.get_mut(at) {
            entry.key = entry.key.min(key);
        }
        self.rise(at);
    }

    /// Takes out the one with the least key.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.take(0)
    }

    pub(super) fn remove(&mut self, topic: &Topic) {
        let place = (self.place)(topic).load(Relaxed);
        if place != NOWHERE {
            self.take(place as usize);
        }
    }

    fn take(&mut self, at: usize) -> Option<Entry> {
        if at >= self.entries.len() {
            return None;
        }
        let taken = self.entries.swap_remove(at);
        (self.place)(&taken.topic).store(NOWHERE, Relaxed);
        if at < self.entries.len() {
            self.note(at);
            self.rise(at);
            self.sink(at);
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        Some(taken)
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.key(parent) <= self.key(at) {
                return;
            }
            self.swap(parent, at);
            at = parent;
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let child = if self.key(right) < self.key(left) { right } else { left };
            if self.key(at) <= self.key(child) {
                return;
            }
            self.swap(at, child);
            at = child;
        }
    }

    /// The key at a place; the highest there is if the heap ends before. (No entry sinks below that.)
    fn key(&self, at: usize) -> u64 {
        self.entries.get(at).map_or(u64::MAX, |entry| entry.key)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.entries.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&self, at: usize) {
        if let Some(entry) = self.entries.get(at) {
            // A store of topics that comes near 2^32 has run out of memory long before.
            (self.place)(&entry.topic).store(u32::try_from(at).unwrap_or(NOWHERE), Relaxed);
        }
    }
}
