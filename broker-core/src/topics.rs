//! Every topic that is known: its retained message, its figures, its cached targets.
//!
//! Bounded in count and bytes. At the bound the topic that was published to least recently goes first, exactly: a heap
//! holds for each topic a time at which it was published to, which a publish does not touch; the eviction brings it up to date as it
//! comes to the top. A topic that went is told by its stamp, so that caches that still hold it ask again.

mod eviction;
mod topic;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

use self::eviction::Eviction;
pub use self::topic::TopicInfo;
pub(crate) use self::topic::{GONE, News, Pair, Retained, Topic};
use crate::Limits;
use crate::sync::lock;

/// Tables under locks of their own, so that publishers to new topics seldom meet.
const SHARDS: usize = 16;

/// The figures of all topics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Topics known.
    pub topics: usize,
    /// Bytes kept for them: names and retained messages.
    pub retained_bytes: usize,
    /// Topics dropped at the bound.
    pub evicted: u64,
}

#[derive(Debug)]
pub(crate) struct Topics {
    shards: [Mutex<HashTable<Arc<Topic>>>; SHARDS],
    hasher: RandomState,
    messages_max: usize,
    bytes_max: usize,
    count: AtomicUsize,
    bytes: AtomicUsize,
    evicted: AtomicU64,
    /// The order of publishes.
    clock: AtomicU64,
    eviction: Mutex<Eviction>,
}

impl Topics {
    pub(crate) fn new(limits: &Limits) -> Self {
        Topics {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            messages_max: limits.retained_messages_max,
            bytes_max: limits.retained_bytes_max,
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            clock: AtomicU64::new(0),
            eviction: Mutex::default(),
        }
    }

    /// The topic of this name, if it is known.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        let hash = self.hasher.hash_one(name);
        lock(self.shard(hash)).find(hash, |topic| topic.name() == name).cloned()
    }

    /// The topic of this name, which is known from now on.
    pub(crate) fn get_or_insert(&self, name: &str) -> Arc<Topic> {
        let hash = self.hasher.hash_one(name);
        let mut shard = lock(self.shard(hash));
        if let Some(topic) = shard.find(hash, |topic| topic.name() == name) {
            return Arc::clone(topic);
        }
        let topic = Arc::new(Topic::new(name));
        topic.touch(self.clock.fetch_add(1, Relaxed));
        shard.insert_unique(hash, Arc::clone(&topic), |topic| self.hasher.hash_one(topic.name()));
        drop(shard);
        self.count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(topic.name().len(), Relaxed);
        lock(&self.eviction).insert(Arc::clone(&topic));
        topic
    }

    /// Takes in what a batch published to a topic.
    pub(crate) fn publish(&self, topic: &Arc<Topic>, news: &News<'_>) {
        topic.touch(self.clock.fetch_add(1, Relaxed));
        let Some((before, after)) = topic.update(news) else {
            // It went since it was looked up: the message starts it anew.
            let again = self.get_or_insert(topic.name());
            if let Some((before, after)) = again.update(news) {
                self.resize(before, after);
            }
            return;
        };
        self.resize(before, after);
    }

    fn resize(&self, before: usize, after: usize) {
        if after > before {
            self.bytes.fetch_add(after - before, Relaxed);
        } else if before > after {
            self.bytes.fetch_sub(before - after, Relaxed);
        }
    }

    /// Whether a bound is exceeded.
    fn is_over(&self) -> bool {
        self.count.load(Relaxed) > self.messages_max || self.bytes.load(Relaxed) > self.bytes_max
    }

    /// Drops topics until the bounds hold. Called once a batch, after it.
    pub(crate) fn evict(&self) {
        while self.is_over() {
            let Some(topic) = lock(&self.eviction).pop_oldest() else { return };
            let hash = self.hasher.hash_one(topic.name());
            let mut shard = lock(self.shard(hash));
            let removed =
                shard.find_entry(hash, |other| Arc::ptr_eq(other, &topic)).map(OccupiedEntry::remove).is_ok();
            drop(shard);
            if removed {
                self.count.fetch_sub(1, Relaxed);
                self.bytes.fetch_sub(topic.name().len() + topic.retire(), Relaxed);
                self.evicted.fetch_add(1, Relaxed);
            }
        }
    }

    /// Calls `visit` with every topic, a part at a time under a lock: it must be quick.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<Topic>)) {
        for shard in &self.shards {
            lock(shard).iter().for_each(&mut visit);
        }
    }

    pub(crate) fn stats(&self) -> TopicStats {
        TopicStats {
            topics: self.count.load(Relaxed),
            retained_bytes: self.bytes.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Arc<Topic>>> {
        // The table itself uses the low and the top bits of the hash.
        let [first, ..] = &self.shards;
        self.shards.get((hash >> 32) as usize % SHARDS).unwrap_or(first)
    }
}
