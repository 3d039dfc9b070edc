//! The way of a message from a session to the outboxes: the hot path.
//!
//! A publisher works in batches, one for each read of its session. Within a batch consecutive messages to the same targets are gathered
//! into a *run*, which is handed to each outbox at once: a lock and a reference count for each run, not for each message. What
//! is retained is taken from the batch's input at its end, once for each topic. At the very end each outbox that was touched is
//! flushed, once.

mod ahead;
mod cache;
mod kept;
mod others;
mod run;
mod source;

use std::sync::Arc;

use self::ahead::Ahead;
use self::cache::{Pending, RouteCache};
use self::run::Run;
pub(crate) use self::source::{Message, NatsMessage, Source, TextScratch};
use crate::broker::Broker;
use crate::message::Now;
use crate::outbox::Outbox;
use crate::routing::{RoutingTable, Target};
use crate::topic::{self, TopicError};
use crate::topics::{News, Retention};

/// Up to so many outboxes are written to by the publisher itself, which saves a task switch; more are left to their owners, who share
/// the work between the cores.
const FLUSHED_INLINE_MAX: usize = 4;

/// A message of this size or more is not gathered with others: if it goes to somebody it is copied once, into a buffer that outboxes and
/// the retained message share.
const SHARED_BYTES_MIN: usize = 16 << 10;

/// Hand-overs of a run to an outbox in one batch: about a millisecond of work.
const WORK_MAX: usize = 16_384;

/// Steps of the pattern index that take as long as one hand-over.
const STEPS_PER_WORK: usize = 16;

/// So many messages in a row to topics that are not in the cache, and the next ones will be like them. (Guessed.)
const SCAN_MIN: u64 = 64;

/// Publishes for one session.
#[derive(Debug, Default)]
pub struct Publisher {
    cache: RouteCache,
    run: Run,
    effects: Effects,
    /// The outbox of its session; none for the server itself, which is never held back.
    home: Option<Arc<Outbox>>,
    ahead: Ahead,
    /// The session whose subscriptions do not get what it publishes here: its own, if it does not want to hear itself.
    except: Option<u64>,
    /// The session in the upper half, a count in the lower: no two batches are the same.
    batch: u64,
    /// Messages so far.
    sequence: u64,
    /// Messages to topics that were not in the cache.
    missed: Streak,
    /// Bytes of this batch that go to somebody.
    bytes: usize,
    /// Hand-overs of this batch.
    work: usize,
}

/// Counts the messages in a row to which the same happened.
#[derive(Debug, Default)]
struct Streak {
    /// The number of the last of them.
    last: u64,
    count: u64,
}

impl Streak {
    /// It happened to message `number`. Returns to how many right before it.
    fn next(&mut self, number: u64) -> u64 {
        self.count = if number == self.last + 1 { self.count + 1 } else { 0 };
        self.last = number;
        self.count
    }
}

/// What a batch leaves to do when it ends.
#[derive(Debug, Default)]
struct Effects {
    /// To be flushed.
    touched: Vec<Arc<Outbox>>,
    /// Subscriptions that have had their last message.
    ended: Vec<Target>,
    /// They hold the publisher back.
    held: Vec<Arc<Outbox>>,
    /// In them something waits for its time.
    due: Vec<Arc<Outbox>>,
}

/// What all messages of a batch share: the input that they borrow from, the time, and the broker with its table held for reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) table: &'a RoutingTable,
    pub(crate) now: Now,
    /// What messages of the batch lie in, so that a place in it can stand for one.
    pub(crate) input: &'a [u8],
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Topic(TopicError),
    /// Only the server publishes there.
    Reserved,
}

impl Publisher {
    /// For the session of this number. It is never held back: see [`Policy::Block`](crate::Policy::Block).
    pub fn new(session: u64) -> Self {
        Publisher { batch: (session << 32) + 1, ..Publisher::default() }
    }

    /// For the session of this outbox.
    pub(crate) fn of(home: &Arc<Outbox>) -> Self {
        Publisher { home: Some(Arc::clone(home)), ..Publisher::new(home.session()) }
    }

    /// Until when it is held back by the outboxes that it published to, in monotonic milliseconds; `None` if it is not. No lock may be held.
    pub(crate) fn held_until(&mut self, now: Now) -> Option<u64> {
        let session = self.batch >> 32;
        let mut until_ms = None;
        self.effects.held.retain(|outbox| {
            let holds = outbox.holds(session, now);
            until_ms = until_ms.into_iter().chain(holds).min();
            holds.is_some()
        });
        until_ms
    }

    /// Its session ends: what it published and is held back is missed.
    pub(crate) fn end(&mut self) {
        let session = self.batch >> 32;
        self.effects.held.drain(..).for_each(|outbox| outbox.leave_line(session));
    }

    /// Whether the session gets what it publishes itself, where it subscribed to it.
    pub(crate) fn set_echo(&mut self, echo: bool) {
        let session = self.batch >> 32;
        let except = (!echo).then_some(session);
        if self.except != except {
            self.except = except;
            self.cache.forget_all();
        }
    }

    /// Publishes one message. Returns how many places it goes to: sessions, subscriptions of NATS clients, groups. `trusted` may publish to
    /// reserved topics.
    #[inline]
    pub(crate) fn publish<'a, M: Source<'a>>(
        &mut self,
        batch: Batch<'a>,
        message: &M,
        trusted: bool,
    ) -> Result<usize, Refused> {
        let slot = match self.cache.find(message.topic(), batch.table) {
            Some(slot) => slot,
            None => self.resolve(batch, message, trusted)?,
        };
        Ok(self.publish_in(slot, batch, message))
    }

    /// The name of the topic of the last message; empty if there was none.
    #[inline]
    pub(crate) fn last_topic(&self) -> &[u8] {
        self.cache.last_name()
    }

    /// As [`Publisher::publish`], where the topic is known to be that of the last message.
    #[inline]
    pub(crate) fn publish_again<'a, M: Source<'a>>(
        &mut self,
        batch: Batch<'a>,
        message: &M,
    ) -> Result<usize, Refused> {
        match self.cache.find_last(batch.table) {
            Some(slot) => Ok(self.publish_in(slot, batch, message)),
            None => self.publish(batch, message, false),
        }
    }

    #[inline]
    fn publish_in<'a, M: Source<'a>>(&mut self, slot: usize, batch: Batch<'a>, message: &M) -> usize {
        let Some(entry) = self.cache.get_mut(slot) else { return 0 };
        self.sequence += 1;
        entry.pending.sequence = self.sequence;
        entry.pending.messages += 1;
        entry.pending.bytes += message.content_bytes() as u64;
        entry.pending.last_bytes = message.content_bytes();
        let receivers = entry.targets.len();
        let bytes = message.frame_bytes();
        if receivers > 0 && (bytes >= SHARED_BYTES_MIN || message.ttl_ms().is_some()) {
            self.publish_alone(slot, batch, message);
            return receivers;
        }
        if entry.keeps && message.retain() {
            entry.pending.kept = message.kept(batch.input, None);
        }
        if receivers > 0 {
            if !self.run.takes(&entry.targets, bytes) {
                let targets = Arc::clone(&entry.targets);
                self.commit_run();
                self.run.start(targets, bytes, batch, self.batch);
            }
            self.run.push(message, slot, batch.now.unix_ms);
            self.bytes += bytes;
        }
        self.cache.touch(slot, batch.table.changes());
        receivers
    }

    /// The rest of [`Publisher::publish_in`] for a message that is not gathered with others.
    #[inline(never)]
    fn publish_alone<'a, M: Source<'a>>(&mut self, slot: usize, batch: Batch<'a>, message: &M) {
        let Some(entry) = self.cache.get_mut(slot) else { return };
        let is_large = message.frame_bytes() >= SHARED_BYTES_MIN;
        let shared = if is_large { message.shared(&entry.targets) } else { None };
        if entry.keeps && message.retain() {
            entry.pending.kept = message.kept(batch.input, shared.as_ref());
        }
        let targets = Arc::clone(&entry.targets);
        self.cache.touch(slot, batch.table.changes());
        self.commit_run();
        self.run.start(targets, message.frame_bytes(), batch, self.batch);
        self.run.push_alone(message, slot, shared, batch.now);
        self.commit_run();
        self.bytes += message.frame_bytes();
    }

    /// Hands the run to its outboxes.
    pub(crate) fn commit_run(&mut self) {
        self.work += self.run.commit(self.batch, self.home.as_ref(), &mut self.effects);
    }

    /// Whether the batch has done so much that it should end here: others wait for the table, or an outbox could come to its bound for
    /// no other reason than that it has not been flushed; or the publisher is held back.
    pub(crate) fn is_spent(&self, batch: Batch<'_>) -> bool {
        self.work >= WORK_MAX
            || self.bytes >= batch.broker.limits().outbox_bytes_max / 2
            || !self.effects.held.is_empty()
    }

    /// Ends the part of a batch that the table was held for: hands over what is gathered, and takes in what is retained.
    pub(crate) fn commit(&mut self, batch: Batch<'_>) {
        self.commit_run();
        self.run.shrink();
        self.ahead.forget();
        self.cache.sort_touched();
        while let Some(slot) = self.cache.pop_touched() {
            self.take_in(batch, slot);
        }
        batch.broker.topics().evict();
    }

    /// Ends the batch: ends the subscriptions that have had their last message, and flushes each outbox that was touched. Returns how many of those
    /// were left to others. No lock may be held.
    pub(crate) fn flush(&mut self, broker: &Broker) -> usize {
        let Effects { touched, ended, due, .. } = &mut self.effects;
        if !ended.is_empty() {
            broker.end_targets(std::mem::take(ended));
        }
        self.batch += 1;
        self.work = 0;
        self.bytes = 0;
        let left = flush_all(touched);
        if touched.capacity() > 1024 {
            *touched = Vec::new();
        }
        for outbox in std::mem::take(due) {
            broker.pending().note(&outbox);
        }
        left
    }

    /// The topic is not in the cache, or not as it is now.
    #[cold]
    fn resolve<'a, M: Source<'a>>(
        &mut self,
        batch: Batch<'a>,
        message: &M,
        trusted: bool,
    ) -> Result<usize, Refused> {
        let name = topic::validate(message.topic(), batch.broker.limits().topic_bytes_max)
            .map_err(Refused::Topic)?;
        if topic::is_reserved(name) && !trusted {
            return Err(Refused::Reserved);
        }
        let is_scan = self.missed.next(self.sequence) >= SCAN_MIN;
        let (slot, leaves) = self.cache.place_for(name, is_scan);
        if leaves {
            self.take_in(batch, slot);
        }
        self.run.forget_heads();
        let mut steps = 0;
        self.cache.resolve(slot, name, self.except, batch, || {
            let behind = message.topics_behind(batch.input);
            let (targets, asked) = self.ahead.route(name, self.sequence, self.except, batch, behind);
            steps = asked;
            targets
        });
        self.work += usize::try_from(steps).unwrap_or(usize::MAX) / STEPS_PER_WORK;
        Ok(slot)
    }

    /// Tells the topic in `slot` what was published to it.
    fn take_in(&mut self, batch: Batch<'_>, slot: usize) {
        let Some(entry) = self.cache.get_mut(slot) else { return };
        let pending = std::mem::take(&mut entry.pending);
        if pending.messages == 0 || !entry.known {
            return;
        }
        let mut headers = Vec::new();
        let retention = pending.kept.retention(batch.input, &mut headers);
        batch.broker.topics().publish(&entry.topic, &pending.news(batch, retention));
    }
}

/// Has what was pushed written, by this thread where that is little work. Returns how many outboxes were left to others.
pub(crate) fn flush_all(outboxes: &mut Vec<Arc<Outbox>>) -> usize {
    let inline = outboxes.len() <= FLUSHED_INLINE_MAX;
    let left = if inline { 0 } else { outboxes.len() };
    for outbox in outboxes.drain(..) {
        if inline { outbox.link().flush_now(&outbox) } else { outbox.link().flush_soon(&outbox) }
    }
    left
}

impl Pending {
    fn news<'a>(&self, batch: Batch<'_>, retention: Option<Retention<'a>>) -> News<'a> {
        News {
            now: batch.now,
            messages: self.messages,
            bytes: self.bytes,
            last_bytes: self.last_bytes,
            retention,
        }
    }
}
