//! Topics that a session published to lately, with their targets: a hit takes no lock.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Batch;
use super::kept::Kept;
use crate::routing::{RoutingTable, Stamp, Targets};
use crate::topic;
use crate::topics::{GONE, Topic};

/// How many topics a session remembers. Enough for a sensor hub; bounds what an idle session holds to some hundred KiB.
const ENTRIES_MAX: usize = 1024;

/// How many of them are of topics that go by. Their messages are not told before they leave: the less lies between, the nearer are both.
const SCANNED_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct RouteCache {
    entries: Vec<Entry>,
    /// Indices into `entries`, by the hash of the topic's name.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The entry of the last message: the next one often goes to the same topic.
    last: usize,
    /// Which entry goes next when the cache is full.
    hand: usize,
    /// Entries with news since the last commit, each once.
    touched: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) topic: Arc<Topic>,
    pub(super) targets: Arc<Targets>,
    stamp: Stamp,
    /// The topic is known: it has figures, and perhaps a retained message.
    pub(super) known: bool,
    /// What is published to it is retained.
    pub(super) keeps: bool,
    pub(super) pending: Pending,
    touched: bool,
}

/// What was published since the topic was last told.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The number of the last message.
    pub(super) sequence: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) last_bytes: usize,
    /// The message to retain.
    pub(super) kept: Kept,
}

impl RouteCache {
    /// The entry of a topic, if it is here and holds still.
    #[inline]
    pub(super) fn find(&mut self, name: &[u8], table: &RoutingTable) -> Option<usize> {
        let is_it = |entry: &Entry| entry.topic.name().as_bytes() == name;
        if !self.entries.get(self.last).is_some_and(is_it) {
            let hash = self.hasher.hash_one(name);
            let found = self.index.find(hash, |&slot| self.entries.get(slot as usize).is_some_and(is_it))?;
            self.last = *found as usize;
        }
        self.entries.get(self.last).filter(|entry| entry.holds(table)).map(|_| self.last)
    }

    /// The name of the entry that was found last.
    #[inline]
    pub(super) fn last_name(&self) -> &[u8] {
        self.entries.get(self.last).map_or(b"", |entry| entry.topic.name().as_bytes())
    }

    /// The entry that was found last, if it holds still.
    #[inline]
    pub(super) fn find_last(&self, table: &RoutingTable) -> Option<usize> {
        self.entries.get(self.last).filter(|entry| entry.holds(table)).map(|_| self.last)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Entry> {
        self.entries.get_mut(slot)
    }

    /// Notes that the entry has news, and tells its topic: before a message of them is handed to anybody. `changes` are the table's.
    #[inline]
    pub(super) fn touch(&mut self, slot: usize, changes: u64) {
        if let Some(entry) = self.entries.get_mut(slot)
            && !entry.touched
        {
            entry.touched = true;
            entry.topic.announce(changes);
            self.touched.push(u32::try_from(slot).unwrap_or_default());
        }
    }

    /// Puts the entries with news into the order in which [`RouteCache::pop_touched`] gives them: the one that was published to least recently
    /// first.
    pub(super) fn sort_touched(&mut self) {
        let entries = &self.entries;
        let sequence = |slot: &u32| entries.get(*slot as usize).map(|entry| entry.pending.sequence);
        self.touched.sort_unstable_by_key(|slot| Reverse(sequence(slot)));
    }

    pub(super) fn pop_touched(&mut self) -> Option<usize> {
        let slot = self.touched.pop()? as usize;
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.touched = false;
        }
        Some(slot)
    }

    /// Where the entry of a topic is or will be. True if the entry there has to leave, or to be made anew: it may have news.
    ///
    /// `scanned`: the last messages all went to topics that were not here. Then a few places are used again and again, near in memory, and what is
    /// in the others stays.
    pub(super) fn place_for(&mut self, name: &str, scanned: bool) -> (usize, bool) {
        let hash = self.hasher.hash_one(name.as_bytes());
        let is_it =
            |&slot: &u32| self.entries.get(slot as usize).is_some_and(|entry| entry.topic.name() == name);
        if let Some(&slot) = self.index.find(hash, is_it) {
            return (slot as usize, true);
        }
        if self.entries.len() < ENTRIES_MAX {
            return (self.entries.len(), false);
        }
        self.hand = (self.hand + 1) % if scanned { SCANNED_MAX } else { ENTRIES_MAX };
        (self.hand, true)
    }

    /// Fills the place of a topic with what holds now. `find` asks the index.
    pub(super) fn resolve(
        &mut self,
        slot: usize,
        name: &str,
        except: Option<u64>,
        batch: Batch<'_>,
        find: impl FnOnce() -> Arc<Targets>,
    ) {
        let known = !topic::is_inbox(name);
        let topic = if known { batch.broker.topics().get_or_insert(name) } else { Topic::unknown(name) };
        let (mut stamp, targets) = topic.route(batch.table, except, find);
        if !known {
            // Nobody raises the stamp of a topic that is not known: any change will do.
            stamp.exact = batch.table.changes();
        }
        let touched = self.entries.get(slot).is_some_and(|entry| entry.touched);
        if touched {
            // The place has been noted already, for another topic.
            topic.announce(batch.table.changes());
        }
        let keeps = topic.keeps();
        let entry = Entry { topic, targets, stamp, known, keeps, pending: Pending::default(), touched };
        self.forget(slot);
        let hasher = &self.hasher;
        match self.entries.get_mut(slot) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        let hash = hasher.hash_one(name.as_bytes());
        let entries = &self.entries;
        self.index.insert_unique(hash, u32::try_from(slot).unwrap_or_default(), |&slot| {
            entries.get(slot as usize).map_or(0, |entry| hasher.hash_one(entry.topic.name().as_bytes()))
        });
        self.last = slot;
    }

    /// Makes the routes of all entries anew when they are asked for next.
    pub(super) fn forget_all(&mut self) {
        for entry in &mut self.entries {
            entry.stamp = Stamp::default();
        }
    }

    /// Takes the entry in `slot`, if there is one, out of the index.
    fn forget(&mut self, slot: usize) {
        let Some(entry) = self.entries.get(slot) else { return };
        let hash = self.hasher.hash_one(entry.topic.name().as_bytes());
        if let Ok(found) = self.index.find_entry(hash, |&other| other as usize == slot) {
            found.remove();
        }
    }
}

impl Entry {
    #[inline]
    fn holds(&self, table: &RoutingTable) -> bool {
        let exact = if self.known { self.topic.exact() } else { table.changes() };
        // Nobody raises the stamp of a topic that is gone, though it may have been gone when the route was made.
        exact != GONE && self.stamp == Stamp { wild: table.wild(), exact }
    }
}
