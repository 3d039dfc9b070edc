//! One topic.

use std::sync::Arc;

use super::ledger::Ledger;
use super::order::NOWHERE;
use super::retained::{Retained, Retention, Slot};
use crate::message::Now;
use crate::outbox::NEVER;
use crate::publisher::{Message, Source, TextScratch};
use crate::routing::{RoutingTable, Stamp, Subscription, Targets};
use crate::rules::Retaining;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// The stamp of a topic that is no longer known.
///
/// A topic goes under the locks of its shard and its own, at any time; publishers read the stamp under neither, and may read it a moment too early. Then their
/// route is right nevertheless, because no subscription changes while they hold the table, and [`Topic::update`] finds out under the topic's lock. A
/// subscription made later has met the topic while it was known, and raised its stamp, or has taken the shard's lock after it went: whoever holds the table
/// behind it reads the one or the other, and never the stamp from before.
pub(crate) const GONE: u64 = u64::MAX;

/// A topic with more targets than this does not keep them: a million topics must not hold a hundred targets each, and a wide
/// fan-out costs more than finding its targets.
const CACHED_TARGETS_MAX: usize = 16;

/// What the meta of a retained message takes beside headers and key.
const META_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Topic {
    name: Box<str>,
    /// What the rules say of it, if it is not what is usual.
    retaining: Option<Box<Retaining>>,
    /// [`Stamp::exact`] of its routes; [`GONE`] when it is no longer known.
    exact: AtomicU64,
    /// When it was last published to, in the order of publishes.
    touched: AtomicU64,
    /// [`RoutingTable::changes`] of the last batch that published to it, noted before the batch hands anything over: subscriptions
    /// since then have not got its message.
    announced: AtomicU64,
    place_by_age: AtomicU32,
    place_by_deadline: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    retained: Slot,
    /// When that was published, in the order of publishes.
    kept_at: u64,
    /// When it was last published to.
    time_unix_ms: u64,
    messages: u64,
    bytes: u64,
    /// No more than this can tell.
    last_bytes: u32,
    route: Option<(Stamp, Arc<Targets>)>,
    /// Its key in [`Ledger::deadlines`], or that of whoever has just taken it out there; [`NEVER`] if it is not there.
    deadline_key: u64,
}

/// What a batch published to a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) now: Now,
    pub(crate) messages: u64,
    /// Of all values.
    pub(crate) bytes: u64,
    /// Of the last value.
    pub(crate) last_bytes: usize,
    /// What the last one to be retained does, if there was one.
    pub(crate) retention: Option<Retention<'a>>,
}

/// What became of the news of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The topic has them.
    In,
    /// The topic has them, and no message any more.
    Cleared,
    /// The topic is not known any more.
    Not,
}

/// What is shown of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// Its name.
    pub topic: String,
    /// Messages published since it became known.
    pub messages: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Bytes of the newest value.
    pub size: usize,
    /// When it was last published to.
    pub time_unix_ms: u64,
    /// The retained value, if there is one of at most the bytes asked for.
    pub value: Option<Vec<u8>>,
}

impl Topic {
    pub(super) fn new(name: &str, retaining: Retaining) -> Self {
        Topic {
            name: name.into(),
            retaining: (retaining != Retaining::USUAL).then(|| Box::new(retaining)),
            exact: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            announced: AtomicU64::new(0),
            place_by_age: AtomicU32::new(NOWHERE),
            place_by_deadline: AtomicU32::new(NOWHERE),
            state: Mutex::default(),
        }
    }

    /// A topic that nobody knows: for reply addresses.
    pub(crate) fn unknown(name: &str) -> Arc<Self> {
        Arc::new(Topic::new(name, Retaining { keeps: false, ttl_ms: None }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether what is published to it is retained.
    pub(crate) fn keeps(&self) -> bool {
        self.retaining.as_ref().is_none_or(|retaining| retaining.keeps)
    }

    pub(super) fn place_by_age(&self) -> &AtomicU32 {
        &self.place_by_age
    }

    pub(super) fn place_by_deadline(&self) -> &AtomicU32 {
        &self.place_by_deadline
    }

    pub(crate) fn exact(&self) -> u64 {
        self.exact.load(Relaxed)
    }

    /// A subscription without a wildcard to this topic begins or ends. The table is held for writing, so no route is being made.
    pub(crate) fn raise(&self) {
        // In one step: it may go at this very moment, and stays gone then. In two, what is gone and raised would be 0, as if it were new.
        let _gone = self.exact.fetch_update(Relaxed, Relaxed, |exact| (exact != GONE).then(|| exact + 1));
    }

    pub(super) fn touch(&self, clock: u64) {
        self.touched.fetch_max(clock, Relaxed);
    }

    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Relaxed)
    }

    /// A batch is about to hand messages of this topic over. `changes` are the table's, which the batch holds.
    pub(crate) fn announce(&self, changes: u64) {
        self.announced.store(changes, Relaxed);
    }

    /// Whether nothing was published to it since the table's change `since`, so that its retained message is the newest for a subscription of
    /// that change. Under the lock of a subscriber's outbox the answer holds for whatever is in that outbox.
    pub(crate) fn is_quiet_since(&self, since: u64) -> bool {
        self.announced.load(Relaxed) < since && self.exact() != GONE
    }

    /// The targets without those of the session `except`: from the last time if nothing changed since, else from `find`, which asks the
    /// index.
    pub(crate) fn route(
        &self,
        table: &RoutingTable,
        except: Option<u64>,
        find: impl FnOnce() -> Arc<Targets>,
    ) -> (Stamp, Arc<Targets>) {
        let stamp = Stamp { wild: table.wild(), exact: self.exact() };
        if except.is_some() {
            return (stamp, find());
        }
        let mut state = lock(&self.state);
        if let Some((of, targets)) = &state.route
            && *of == stamp
        {
            return (stamp, Arc::clone(targets));
        }
        let targets = find();
        state.route = (targets.len() <= CACHED_TARGETS_MAX).then(|| (stamp, Arc::clone(&targets)));
        (stamp, targets)
    }

    /// Takes in what was published.
    pub(super) fn update(self: &Arc<Self>, news: &News<'_>, ledger: &Ledger) -> Taken {
        let mut state = lock(&self.state);
        if self.exact() == GONE {
            return Taken::Not;
        }
        state.messages += news.messages;
        state.bytes += news.bytes;
        state.last_bytes = u32::try_from(news.last_bytes).unwrap_or(u32::MAX);
        state.time_unix_ms = news.now.unix_ms;
        let before = state.retained.bytes();
        let taken = match &news.retention {
            None => return Taken::In,
            Some(Retention::Keep(retained)) if retained.value_bytes > ledger.value_bytes_max => {
                // What was kept is not the newest any more.
                state.retained.clear();
                ledger.oversized.fetch_add(1, Relaxed);
                Taken::In
            }
            Some(Retention::Keep(retained)) => {
                self.keep(&mut state, retained, news.now, ledger);
                Taken::In
            }
            Some(Retention::Clear) => {
                if state.retained.holds(news.now.monotonic_ms) {
                    ledger.cleared.fetch_add(1, Relaxed);
                }
                state.retained.clear();
                Taken::Cleared
            }
        };
        ledger.resize(before, state.retained.bytes());
        taken
    }

    fn keep(self: &Arc<Self>, state: &mut State, retained: &Retained<'_>, now: Now, ledger: &Ledger) {
        state.retained.keep(retained, now.unix_ms);
        state.kept_at = self.touched();
        let ttl_ms = retained
            .meta
            .and_then(|meta| meta.ttl_ms)
            .or(self.retaining.as_ref().and_then(|retaining| retaining.ttl_ms));
        let Some(ttl_ms) = ttl_ms else { return };
        let due_ms = now.monotonic_ms.saturating_add(ttl_ms);
        state.retained.due_monotonic_ms = due_ms;
        self.note_deadline(state, due_ms, ledger);
    }

    fn note_deadline(self: &Arc<Self>, state: &mut State, due_ms: u64, ledger: &Ledger) {
        if due_ms < state.deadline_key {
            state.deadline_key = due_ms;
            lock(&ledger.deadlines).lower(self, due_ms);
        }
    }

    /// It was taken out of [`Ledger::deadlines`] and is still known: puts it back if its message has a time to live.
    pub(super) fn put_off(self: &Arc<Self>, ledger: &Ledger) {
        let mut state = lock(&self.state);
        state.deadline_key = NEVER;
        if self.exact() != GONE && state.retained.due_monotonic_ms != NEVER {
            let due_ms = state.retained.due_monotonic_ms;
            self.note_deadline(&mut state, due_ms, ledger);
        }
    }

    /// It is no longer known, if `may` says so of its state. False if it stays, or had gone before.
    pub(super) fn retire(&self, ledger: &Ledger, may: impl FnOnce(&State) -> bool) -> bool {
        let mut state = lock(&self.state);
        if self.exact() == GONE || !may(&state) {
            return false;
        }
        self.exact.store(GONE, Relaxed);
        if self.place_by_deadline.load(Relaxed) != NOWHERE {
            lock(&ledger.deadlines).remove(self);
        }
        ledger.bytes.fetch_sub(self.name.len() + state.retained.bytes(), Relaxed);
        ledger.count.fetch_sub(1, Relaxed);
        *state = State::default();
        true
    }

    /// Appends the retained message as a frame of the subscription's, if there is one that holds and that was published before the table's change
    /// `before`. Returns until when it holds.
    pub(crate) fn retained_frame(
        &self,
        now: Now,
        before: u64,
        subscription: &Subscription,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        let state = lock(&self.state);
        let retained = &state.retained;
        if !self.is_quiet_since(before) || !retained.holds(now.monotonic_ms) {
            return None;
        }
        let pair = retained.pair(&self.name);
        let value = retained.value_in(&pair);
        let parts = retained.meta(now.monotonic_ms);
        if let Some(delivery) = &subscription.nats {
            let topic = self.name.as_bytes();
            let message =
                Message { topic, pair: &pair, value, meta: Some(parts), retain: true, clears: false };
            message.text(&mut TextScratch::default()).message(topic, delivery, out);
        } else if subscription.meta {
            parts.message(out, &self.name, value, retained.time_unix_ms, true);
        } else {
            out.extend_from_slice(&pair);
        }
        Some(retained.due_monotonic_ms)
    }

    /// About how long [`Topic::retained_frame`] is.
    pub(crate) fn retained_bytes(&self) -> usize {
        lock(&self.state).retained.bytes() + META_BYTES
    }

    pub(crate) fn info(&self, value_bytes_max: usize) -> TopicInfo {
        let state = lock(&self.state);
        let is_wanted = (1..=value_bytes_max).contains(&state.retained.value_bytes());
        let value = is_wanted.then(|| state.retained.value_in(&state.retained.pair(&self.name)).to_vec());
        TopicInfo {
            topic: self.name.to_string(),
            messages: state.messages,
            bytes: state.bytes,
            size: state.last_bytes as usize,
            time_unix_ms: state.time_unix_ms,
            value: value.filter(|value| !value.is_empty()),
        }
    }
}

impl State {
    /// Whether there is no message.
    pub(super) fn is_empty(&self) -> bool {
        self.retained.is_empty()
    }

    /// When its message was published, in the order of publishes.
    pub(super) fn kept_at(&self) -> u64 {
        self.kept_at
    }

    /// Whether there is a message that holds.
    pub(super) fn holds(&self, monotonic_ms: u64) -> bool {
        self.retained.holds(monotonic_ms)
    }
}

impl Default for State {
    fn default() -> Self {
        State {
            retained: Slot::default(),
            kept_at: 0,
            time_unix_ms: 0,
            messages: 0,
            bytes: 0,
            last_bytes: 0,
            route: None,
            deadline_key: NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be a million, and what is new to the process costs more to get than to fill. With the counts of its `Arc` it fits a size that
    /// allocators have.
    #[test]
    fn a_topic_is_small() {
        assert!(size_of::<Topic>() + 2 * size_of::<usize>() <= 224, "{}", size_of::<Topic>());
    }
}
