//! A part of the topics, under a lock of its own: by name, and in places that can be walked over some at a time.
//!
//! A topic keeps its place as long as it is known, so that a walk from the first place to the last meets every topic that is known all
//! the while, once, whatever comes and goes meanwhile.

use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;

use super::Topic;

/// Hashes names: the same ones for the same seed, so that a run can be played again.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameHasher {
    pub(super) seed: u64,
}

impl BuildHasher for NameHasher {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        // `SipHash` with a secret at the start of what is hashed is as good as with a secret key.
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher
    }
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    table: HashTable<Known>,
    places: Vec<Option<Arc<Topic>>>,
    /// Places of nobody.
    free: Vec<u32>,
}

/// A topic that is here: enough of the hash of its name that a table that grows reads nothing else, and its place.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u32,
    place: u32,
}

impl Known {
    /// What the table goes by: the lower half of a hash, in both halves, because the table looks at both ends.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

/// The half of a hash that is kept.
#[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
fn half(hash: u64) -> u32 {
    hash as u32
}

impl Shard {
    pub(super) fn find(&self, hash: u64, name: &str) -> Option<&Arc<Topic>> {
        let (places, hash) = (&self.places, half(hash));
        let is_it = |known: &Known| {
            known.hash == hash && topic_at(places, known.place).is_some_and(|topic| topic.name() == name)
        };
        topic_at(places, self.table.find(Known::spread(hash), is_it)?.place)
    }

    /// Takes in a topic that is not here.
    pub(super) fn insert(&mut self, hash: u64, topic: Arc<Topic>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(free) = self.places.get_mut(place as usize) {
            *free = Some(topic);
        }
        let hash = half(hash);
        self.table
            .insert_unique(Known::spread(hash), Known { hash, place }, |known| Known::spread(known.hash));
    }

    /// Takes out this very topic, if it is here.
    pub(super) fn remove(&mut self, hash: u64, topic: &Arc<Topic>) {
        let places = &self.places;
        let is_it =
            |known: &Known| topic_at(places, known.place).is_some_and(|other| Arc::ptr_eq(other, topic));
        let Ok(found) = self.table.find_entry(Known::spread(half(hash)), is_it) else { return };
        let (Known { place, .. }, _) = found.remove();
        if let Some(taken) = self.places.get_mut(place as usize) {
            *taken = None;
        }
        self.free.push(place);
        if self.table.is_empty() {
            *self = Shard::default();
        }
    }

    /// Appends the topics in the next `most` places from `from` on. Returns the place behind them; nothing at the end.
    pub(super) fn part(&self, from: usize, most: usize, found: &mut Vec<Arc<Topic>>) -> Option<usize> {
        let end = from.saturating_add(most).min(self.places.len());
        found.extend(self.places.get(from..end).unwrap_or_default().iter().flatten().cloned());
        (end < self.places.len()).then_some(end)
    }
}

fn topic_at(places: &[Option<Arc<Topic>>], place: u32) -> Option<&Arc<Topic>> {
    places.get(place as usize)?.as_ref()
}
