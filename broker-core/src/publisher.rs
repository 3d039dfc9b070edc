//! The way of a message from a session to the outboxes: the hot path.
//!
//! A publisher works in batches, one for each read of its session. Within a batch consecutive messages to the same targets are gathered
//! into a *run*, which is handed to each outbox at once: a lock and a reference count for each run, not for each message. What
//! is retained is taken from the batch's input at its end, once for each topic. At the very end each outbox that was touched is
//! flushed, once.

mod cache;
mod run;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use glob_tree::Scratch;

use self::cache::{Kept, KeptMeta, Pending, RouteCache, Where};
use self::run::Run;
use crate::broker::Broker;
use crate::message::{MetaParts, Now};
use crate::outbox::Outbox;
use crate::routing::RoutingTable;
use crate::topic::{self, TopicError};
use crate::topics::{News, Pair, Retained};

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

/// Publishes for one session.
#[derive(Debug, Default)]
pub struct Publisher {
    cache: RouteCache,
    run: Run,
    touched: Vec<Arc<Outbox>>,
    scratch: Scratch,
    /// The session in the upper half, a count in the lower: no two batches are the same.
    batch: u64,
    /// Messages so far.
    sequence: u64,
    /// Bytes of this batch that go to somebody.
    bytes: usize,
    /// Hand-overs of this batch.
    work: usize,
}

/// One message to publish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Not validated.
    pub(crate) topic: &'a [u8],
    /// `[topic, value]`.
    pub(crate) pair: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) meta: Option<MetaParts<'a>>,
    pub(crate) retain: bool,
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
    /// For the session of this number.
    pub fn new(session: u64) -> Self {
        Publisher { batch: (session << 32) + 1, ..Publisher::default() }
    }

    /// Publishes one message. Returns how many sessions it goes to. `trusted` may publish to reserved topics.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        batch: Batch<'_>,
        message: &Message<'_>,
        trusted: bool,
    ) -> Result<usize, Refused> {
        let slot = match self.cache.find(message.topic, batch.table) {
            Some(slot) => slot,
            None => self.resolve(batch, message.topic, trusted)?,
        };
        let Some(entry) = self.cache.get_mut(slot) else { return Ok(0) };
        self.sequence += 1;
        entry.pending.sequence = self.sequence;
        entry.pending.messages += 1;
        entry.pending.bytes += message.value.len() as u64;
        entry.pending.last_bytes = message.value.len();
        let receivers = entry.targets.len();
        let is_shared = receivers > 0 && message.pair.len() >= SHARED_BYTES_MIN;
        let shared = is_shared.then(|| Bytes::copy_from_slice(message.pair));
        if message.retain && entry.retains {
            let pair = match &shared {
                Some(shared) => Some(Where::Shared(shared.clone())),
                None => range_in(batch.input, message.pair).map(Where::Input),
            };
            let meta = message.meta.and_then(|meta| kept_meta(batch.input, &meta));
            entry.pending.kept = pair.map(|pair| Kept { pair, value_bytes: message.value.len(), meta });
        }
        if receivers > 0 {
            if !self.run.takes(&entry.targets, message.pair.len(), shared.is_some()) {
                let targets = Arc::clone(&entry.targets);
                self.commit_run();
                self.run.start(targets, message.pair.len(), batch);
            }
            self.run.push(message, shared, batch.now.unix_ms);
            self.bytes += message.pair.len();
        }
        self.cache.touch(slot);
        Ok(receivers)
    }

    /// Hands the run to its outboxes.
    pub(crate) fn commit_run(&mut self) {
        self.work += self.run.commit(self.batch, &mut self.touched);
    }

    /// Whether the batch has done so much that it should end here: others wait for the table, or an outbox could come to its bound for
    /// no other reason than that it has not been flushed.
    pub(crate) fn is_spent(&self, batch: Batch<'_>) -> bool {
        self.work >= WORK_MAX || self.bytes >= batch.broker.limits().outbox_bytes_max / 2
    }

    /// Ends the part of a batch that the table was held for: hands over what is gathered, and takes in what is retained.
    pub(crate) fn commit(&mut self, batch: Batch<'_>) {
        self.commit_run();
        self.run.shrink();
        self.cache.sort_touched();
        while let Some(slot) = self.cache.pop_touched() {
            self.take_in(batch, slot);
        }
        batch.broker.topics().evict();
    }

    /// Ends the batch: flushes each outbox that was touched. No lock may be held.
    pub(crate) fn flush(&mut self) {
        self.batch += 1;
        self.work = 0;
        self.bytes = 0;
        let inline = self.touched.len() <= FLUSHED_INLINE_MAX;
        for outbox in self.touched.drain(..) {
            if inline { outbox.link().flush_now(&outbox) } else { outbox.link().wake() }
        }
        if self.touched.capacity() > 1024 {
            self.touched = Vec::new();
        }
    }

    /// The topic is not in the cache, or not as it is now.
    #[cold]
    fn resolve(&mut self, batch: Batch<'_>, name: &[u8], trusted: bool) -> Result<usize, Refused> {
        let name = topic::validate(name, batch.broker.limits().topic_bytes_max).map_err(Refused::Topic)?;
        if topic::is_reserved(name) && !trusted {
            return Err(Refused::Reserved);
        }
        let (slot, leaves) = self.cache.place_for(name);
        if leaves {
            self.take_in(batch, slot);
        }
        let steps = self.cache.resolve(slot, name, batch, &mut self.scratch);
        self.work += usize::try_from(steps).unwrap_or(usize::MAX) / STEPS_PER_WORK;
        Ok(slot)
    }

    /// Tells the topic in `slot` what was published to it.
    fn take_in(&mut self, batch: Batch<'_>, slot: usize) {
        let Some(entry) = self.cache.get_mut(slot) else { return };
        let pending = std::mem::take(&mut entry.pending);
        if pending.messages == 0 || !entry.retains {
            return;
        }
        let retained = pending.kept.as_ref().and_then(|kept| {
            let pair = match &kept.pair {
                Where::Input(range) => Pair::Copied(batch.input.get(range.clone())?),
                Where::Shared(shared) => Pair::Shared(shared),
            };
            let part = |range: &Option<Range<usize>>| batch.input.get(range.clone()?);
            let meta = kept.meta.as_deref().map(|meta| MetaParts {
                reply: part(&meta.reply).and_then(|reply| std::str::from_utf8(reply).ok()),
                headers: part(&meta.headers),
                key: part(&meta.key),
            });
            Some(Retained { pair, value_bytes: kept.value_bytes, meta })
        });
        batch.broker.topics().publish(&entry.topic, &pending.news(batch, retained));
    }
}

impl Pending {
    fn news<'a>(&self, batch: Batch<'_>, retained: Option<Retained<'a>>) -> News<'a> {
        News {
            now: batch.now,
            changes: batch.table.changes(),
            messages: self.messages,
            bytes: self.bytes,
            last_bytes: self.last_bytes,
            retained,
        }
    }
}

/// Where `part` lies in `input`, if it does.
fn range_in(input: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(input.as_ptr().addr())?;
    let end = start + part.len();
    (end <= input.len()).then_some(start..end)
}

/// Where the parts of `meta` that are retained lie in `input`, if there are any.
fn kept_meta(input: &[u8], meta: &MetaParts<'_>) -> Option<Box<KeptMeta>> {
    let range = |part: Option<&[u8]>| range_in(input, part?);
    let kept = || KeptMeta {
        reply: range(meta.reply.map(str::as_bytes)),
        headers: range(meta.headers),
        key: range(meta.key),
    };
    (!meta.is_empty()).then(|| Box::new(kept()))
}
