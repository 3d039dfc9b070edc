//! `max_rate`: of each topic, the newest message of those that come too soon, until its time has come.
//!
//! Times are in microseconds of the monotonic clock, which itself counts milliseconds: a rate above a thousand a second lets as many through
//! in one of them as belong there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::chunk::Chunk;
use crate::routing::Subscription;

/// What a topic takes beside the bytes of its message: a key, a slot, a place in the order. A guess, rounded up.
const SLOT_BYTES: usize = 192;

/// Topics of which nothing waits are forgotten when there are so many, or twice as many as after the last time.
const SWEEP_MIN: usize = 64;

/// Forgetting them is not worth waking up for more often than this, in microseconds.
const SWEEP_US: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Limiter {
    slots: HashMap<Arc<[u8]>, Slot>,
    /// When what waits is due. An entry is stale unless its slot waits for this very time.
    due: BinaryHeap<Reverse<(u64, Arc<[u8]>)>>,
    /// What waits, with its share of the slots.
    bytes: usize,
    waiting: usize,
    sweep_at: usize,
    /// When the broker will come, as far as it was told.
    told_us: Option<u64>,
}

#[derive(Debug)]
struct Slot {
    /// When the topic may send next.
    due_us: u64,
    waiting: Option<Chunk>,
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Offer {
    /// It goes at once.
    Send(Chunk),
    /// It waits, in the place of another or of none.
    Wait,
}

impl Limiter {
    /// Messages that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A message of this topic, of a subscription that wants one in `interval_us`. Beside it, the number of messages that it makes needless.
    pub(super) fn offer(
        &mut self,
        topic: &[u8],
        chunk: Chunk,
        now_us: u64,
        interval_us: u64,
    ) -> (Offer, u64) {
        self.sweep(now_us);
        let known = self.slots.get_key_value(topic).map(|(key, _)| Arc::clone(key));
        let key = known.unwrap_or_else(|| topic.into());
        let slot = self.slots.entry(Arc::clone(&key)).or_insert(Slot { due_us: 0, waiting: None });
        let older = slot.waiting.take();
        let replaced = u64::from(older.is_some());
        if let Some(older) = &older {
            self.bytes -= cost(older);
            self.waiting -= 1;
        }
        // Within this millisecond is soon enough for what may come many times in it.
        let slack_us = if interval_us < 1000 { 999 } else { 0 };
        if slot.due_us <= now_us + slack_us {
            slot.due_us = next_due(slot.due_us, now_us, interval_us);
            return (Offer::Send(chunk), replaced);
        }
        self.bytes += cost(&chunk);
        self.waiting += 1;
        slot.waiting = Some(chunk);
        if older.is_none() {
            self.due.push(Reverse((slot.due_us, key)));
        }
        (Offer::Wait, replaced)
    }

    /// A newer message of this topic went another way. True if one waited.
    pub(super) fn supersede(&mut self, topic: &[u8]) -> bool {
        let Some(older) = self.slots.get_mut(topic).and_then(|slot| slot.waiting.take()) else {
            return false;
        };
        self.bytes -= cost(&older);
        self.waiting -= 1;
        true
    }

    /// The next message that is due, if one is. Its topic may send again after the interval of its subscription.
    pub(super) fn pop_due(&mut self, now_us: u64) -> Option<Chunk> {
        while let Some(Reverse((due_us, _))) = self.due.peek()
            && *due_us <= now_us
        {
            let chunk = self.pop_first(now_us);
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }

    /// The message that has waited longest, due or not.
    pub(super) fn pop_longest(&mut self, now_us: u64) -> Option<Chunk> {
        while !self.due.is_empty() {
            let chunk = self.pop_first(now_us);
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }

    /// Takes the first entry out of the order, and its message, if it is not stale.
    fn pop_first(&mut self, now_us: u64) -> Option<Chunk> {
        let Reverse((due_us, key)) = self.due.pop()?;
        let slot = self.slots.get_mut(&key).filter(|slot| slot.due_us == due_us)?;
        let chunk = slot.waiting.take()?;
        slot.due_us = next_due(due_us, now_us, interval_us(&chunk));
        self.bytes -= cost(&chunk);
        self.waiting -= 1;
        Some(chunk)
    }

    /// Puts back what could not be sent. It is due again after the interval.
    pub(super) fn put_back(&mut self, topic: &[u8], chunk: Chunk) {
        let Some((key, _)) = self.slots.get_key_value(topic) else { return };
        let key = Arc::clone(key);
        let Some(slot) = self.slots.get_mut(topic) else { return };
        self.bytes += cost(&chunk);
        self.waiting += 1;
        self.due.push(Reverse((slot.due_us, key)));
        slot.waiting = Some(chunk);
    }

    /// What waits of the subscriptions that are wanted, the longest first.
    pub(super) fn take_where(&mut self, is_wanted: impl Fn(&Arc<Subscription>) -> bool) -> Vec<Chunk> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let is_taken = |chunk: &Chunk| chunk.subscription().is_some_and(&is_wanted);
        let mut taken = Vec::new();
        for slot in self.slots.values_mut() {
            if slot.waiting.as_ref().is_some_and(is_taken) {
                taken.extend(slot.waiting.take().map(|chunk| (slot.due_us, chunk)));
            }
        }
        taken.sort_by_key(|(due_us, _)| *due_us);
        self.waiting -= taken.len();
        self.bytes -= taken.iter().map(|(_, chunk)| cost(chunk)).sum::<usize>();
        taken.into_iter().map(|(_, chunk)| chunk).collect()
    }

    /// When somebody has to come, if that is sooner than the broker knows of.
    pub(super) fn take_news(&mut self) -> Option<u64> {
        let due_us = self.next_us()?;
        if self.told_us.is_some_and(|told_us| told_us <= due_us) {
            return None;
        }
        self.told_us = Some(due_us);
        self.told_us
    }

    /// Whether [`Limiter::take_news`] has some.
    pub(super) fn has_news(&self) -> bool {
        let sooner = |due_us| self.told_us.is_none_or(|told_us| due_us < told_us);
        self.next_us().is_some_and(sooner)
    }

    /// The broker has come: forgets what it was told, and the topics that nothing waits of.
    pub(super) fn came(&mut self, now_us: u64) {
        self.told_us = None;
        if self.waiting == 0 {
            self.slots.retain(|_, slot| slot.due_us > now_us);
            self.due.clear();
            if self.slots.is_empty() {
                *self = Limiter::default();
            }
        }
    }

    fn next_us(&self) -> Option<u64> {
        match self.due.peek() {
            // Stale ones lead to a look too many, no more.
            Some(Reverse((due_us, _))) => Some(*due_us),
            None if self.slots.is_empty() => None,
            None => self.told_us.or_else(|| {
                let last_us = self.slots.values().map(|slot| slot.due_us).max();
                last_us.map(|last_us| last_us.saturating_add(SWEEP_US))
            }),
        }
    }

    fn sweep(&mut self, now_us: u64) {
        if self.slots.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.slots.retain(|_, slot| slot.waiting.is_some() || slot.due_us > now_us);
            self.sweep_at = 2 * self.slots.len();
        }
    }
}

fn next_due(due_us: u64, now_us: u64, interval_us: u64) -> u64 {
    // What was allowed before this millisecond is not made up for.
    let from_us = if interval_us < 1000 { due_us.max(now_us) } else { now_us };
    from_us.saturating_add(interval_us)
}

/// Microseconds between two messages of a topic that the owner of this message wants, rounded up.
fn interval_us(chunk: &Chunk) -> u64 {
    let rate = chunk.subscription().and_then(|owner| owner.max_rate);
    rate.map_or(0, |rate| rate.interval_ns().div_ceil(1000))
}

fn cost(chunk: &Chunk) -> usize {
    chunk.bytes().len() + SLOT_BYTES
}
