//! Every topic that is known: its retained message, its figures, its cached targets.
//!
//! Bounded in count and bytes. At the bound the topic that was published to least recently goes first, exactly: an order holds for each
//! topic a time at which it was published to, which a publish does not touch; the eviction brings it up to date as it comes to the
//! front. A topic also goes when its message is cleared or has outlived its time, so that what nobody keeps takes nobody's place. A topic
//! that went is told by its stamp, so that caches that still hold it ask again.
//!
//! Locks are taken in this order: a shard, a topic, an order.

mod ledger;
mod order;
mod retained;
mod shard;
mod topic;
mod walk;

use std::hash::BuildHasher;
use std::sync::Arc;

use self::ledger::Ledger;
use self::order::Order;
pub(crate) use self::retained::{Pair, Retained, Retention};
use self::shard::{NameHasher, Shard};
use self::topic::Taken;
pub use self::topic::TopicInfo;
pub(crate) use self::topic::{GONE, News, Topic};
pub(crate) use self::walk::Walk;
use crate::Limits;
use crate::rules::TopicRules;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// Parts under locks of their own, so that publishers to new topics seldom meet, and a part that grows is soon done with: 4,000 topics of a million
/// are a quarter of a millisecond (derived).
const SHARDS: usize = 256;

/// Topics that [`Topics::expire`] looks at in one call: less than a millisecond.
const EXPIRED_AT_ONCE: usize = 512;

/// Topics that are taken from a shard at once where all are looked at.
const TAKEN_AT_ONCE: usize = 1024;

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
    /// Retained messages that outlived their time.
    pub expired: u64,
    /// Retained messages that were cleared.
    pub cleared: u64,
    /// Messages that were not retained because their value is too large.
    pub oversized: u64,
}

#[derive(Debug)]
pub(crate) struct Topics {
    shards: [Mutex<Shard>; SHARDS],
    hasher: NameHasher,
    rules: TopicRules,
    ledger: Ledger,
    /// The order of publishes.
    clock: AtomicU64,
    /// Every topic, by a time that is not later than its last publish.
    ages: Mutex<Order>,
}

impl Topics {
    /// What a walk comes by first follows from `seed`, which peers must not know: they could give all topics one hash.
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Topics {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: NameHasher { seed },
            rules: limits.topic_rules.clone(),
            ledger: Ledger::new(limits),
            clock: AtomicU64::new(0),
            ages: Mutex::new(Order::new(Topic::place_by_age)),
        }
    }

    /// The topic of this name, if it is known.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        let hash = self.hasher.hash_one(name);
        lock(self.shard(hash)).find(hash, name).cloned()
    }

    /// The topic of this name, which is known from now on.
    pub(crate) fn get_or_insert(&self, name: &str) -> Arc<Topic> {
        let hash = self.hasher.hash_one(name);
        if let Some(topic) = lock(self.shard(hash)).find(hash, name) {
            return Arc::clone(topic);
        }
        // There may be many rules: nobody waits for them.
        let topic = Arc::new(Topic::new(name, self.rules.retaining(name)));
        let mut shard = lock(self.shard(hash));
        if let Some(topic) = shard.find(hash, name) {
            return Arc::clone(topic);
        }
        topic.touch(self.tick());
        shard.insert(hash, Arc::clone(&topic));
        self.ledger.count.fetch_add(1, Relaxed);
        self.ledger.bytes.fetch_add(topic.name().len(), Relaxed);
        // Under the shard's lock, so that whoever removes the topic finds it in the order, too.
        lock(&self.ages).lower(&topic, topic.touched());
        topic
    }

    /// Takes in what a batch published to a topic.
    pub(crate) fn publish(&self, topic: &Arc<Topic>, news: &News<'_>) {
        topic.touch(self.tick());
        match topic.update(news, &self.ledger) {
            Taken::In => {}
            Taken::Cleared => drop(self.remove(topic, topic::State::is_empty)),
            Taken::Not => {
                // It went since it was looked up: the message starts it anew.
                let again = self.get_or_insert(topic.name());
                again.touch(self.tick());
                if again.update(news, &self.ledger) == Taken::Cleared {
                    self.remove(&again, topic::State::is_empty);
                }
            }
        }
    }

    /// The topic is not known any more, if `may` says so of its state. False if it stays, or had gone before.
    fn remove(&self, topic: &Arc<Topic>, may: impl FnOnce(&topic::State) -> bool) -> bool {
        let hash = self.hasher.hash_one(topic.name());
        let mut shard = lock(self.shard(hash));
        if !topic.retire(&self.ledger, may) {
            return false;
        }
        shard.remove(hash, topic);
        lock(&self.ages).remove(topic);
        true
    }

    /// Drops topics until the bounds hold. Called once a batch, after it.
    pub(crate) fn evict(&self) {
        while self.ledger.is_over() {
            let Some(topic) = self.pop_oldest() else { return };
            if self.remove(&topic, |_| true) {
                self.ledger.evicted.fetch_add(1, Relaxed);
            }
        }
    }

    /// The topic whose last publish is the longest ago. The times in the order are bounds from below, so one that is up to date at the front is
    /// the least of all.
    fn pop_oldest(&self) -> Option<Arc<Topic>> {
        let mut ages = lock(&self.ages);
        loop {
            let entry = ages.pop()?;
            if entry.topic.touched() == entry.key {
                return Some(entry.topic);
            }
            ages.lower(&entry.topic, entry.topic.touched());
        }
    }

    /// Forgets messages that have outlived their time, some at a time. True if there may be more of them.
    pub(crate) fn expire(&self, monotonic_ms: u64) -> bool {
        for _ in 0..EXPIRED_AT_ONCE {
            let due = {
                let mut deadlines = lock(&self.ledger.deadlines);
                if deadlines.first().is_none_or(|due_ms| due_ms > monotonic_ms) {
                    return false;
                }
                deadlines.pop()
            };
            let Some(due) = due else { return false };
            let is_over = |state: &topic::State| !state.is_empty() && !state.holds(monotonic_ms);
            if self.remove(&due.topic, is_over) {
                self.ledger.expired.fetch_add(1, Relaxed);
            } else {
                due.topic.put_off(&self.ledger);
            }
        }
        true
    }

    /// Forgets the message of a topic, if it was published before the [`Topics::tick`] of `before`. True if there was one.
    pub(crate) fn clear(&self, topic: &Arc<Topic>, monotonic_ms: u64, before: u64) -> bool {
        let cleared = self.remove(topic, |state| state.kept_at() < before && state.holds(monotonic_ms));
        self.ledger.cleared.fetch_add(u64::from(cleared), Relaxed);
        cleared
    }

    /// A number in the order of publishes.
    pub(crate) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Relaxed)
    }

    /// Appends the topics in the next `most` places of a shard. Returns where to go on: a shard and a place in it; nothing at the end.
    fn part(
        &self,
        shard: usize,
        place: usize,
        most: usize,
        found: &mut Vec<Arc<Topic>>,
    ) -> Option<(usize, usize)> {
        match lock(self.shards.get(shard)?).part(place, most, found) {
            Some(place) => Some((shard, place)),
            None => (shard + 1 < SHARDS).then_some((shard + 1, 0)),
        }
    }

    /// Calls `visit` with every topic. No lock is held meanwhile.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Arc<Topic>)) {
        let (mut at, mut taken) = (Some((0, 0)), Vec::new());
        while let Some((shard, place)) = at {
            at = self.part(shard, place, TAKEN_AT_ONCE, &mut taken);
            taken.drain(..).for_each(&mut visit);
        }
    }

    pub(crate) fn stats(&self) -> TopicStats {
        self.ledger.stats()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The shard itself goes by the lower half of the hash.
        let [first, ..] = &self.shards;
        self.shards.get((hash >> 32) as usize % SHARDS).unwrap_or(first)
    }
}
