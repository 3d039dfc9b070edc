//! One topic.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use glob_tree::Scratch;

use crate::message::{MetaParts, Now};
use crate::publisher::{Message, Source, TextScratch};
use crate::routing::{RoutingTable, Stamp, Subscription, Targets};
use crate::sync::lock;
use crate::wire::native::encode;

/// The stamp of a topic that is no longer known.
pub(crate) const GONE: u64 = u64::MAX;

/// A topic with more targets than this does not keep them: a million topics must not hold a hundred targets each, and a wide
/// fan-out costs more than finding its targets.
const CACHED_TARGETS_MAX: usize = 16;

/// What the meta of a retained message takes beside headers and key.
const META_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Topic {
    name: Box<str>,
    /// [`Stamp::exact`] of its routes; [`GONE`] when it is no longer known.
    exact: AtomicU64,
    /// When it was last published to, in the order of publishes.
    touched: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `[topic, value]` of the retained message; empty if there is none.
    pair: Stored,
    value_bytes: usize,
    meta: Option<Box<KeptMeta>>,
    time_unix_ms: u64,
    /// [`RoutingTable::changes`] when it was published: subscriptions since then have not got it.
    changes: u64,
    messages: u64,
    bytes: u64,
    last_bytes: usize,
    route: Option<(Stamp, Arc<Targets>)>,
}

/// What else is kept of a retained message.
#[derive(Debug)]
struct KeptMeta {
    reply: Option<Box<str>>,
    headers: Option<Box<[u8]>>,
    key: Option<Box<[u8]>>,
}

/// What a batch published to a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) now: Now,
    /// [`RoutingTable::changes`] of the batch.
    pub(crate) changes: u64,
    pub(crate) messages: u64,
    /// Of all values.
    pub(crate) bytes: u64,
    /// Of the last value.
    pub(crate) last_bytes: usize,
    /// The last one to retain, if there was one.
    pub(crate) retained: Option<Retained<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Retained<'a> {
    pub(crate) pair: Pair<'a>,
    pub(crate) value_bytes: usize,
    pub(crate) meta: Option<MetaParts<'a>>,
}

/// `[topic, value]` as it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pair<'a> {
    /// Somewhere else: to be copied.
    Copied(&'a [u8]),
    /// In a buffer of its own.
    Shared(&'a Bytes),
    /// Only the content of its value, a bin, somewhere else.
    Content(&'a [u8]),
    /// The same in a buffer of its own.
    SharedContent(&'a Bytes),
}

/// `[topic, value]` as it is kept.
#[derive(Debug)]
enum Stored {
    /// Small: in a buffer that the next one takes over.
    Own(Vec<u8>),
    /// Large: shared with the outboxes that it still waits in.
    Shared(Bytes),
    /// Large, and only the content of its value, a bin: a part of a frame of another protocol, shared likewise.
    Content(Bytes),
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
    pub(super) fn new(name: &str) -> Self {
        Topic {
            name: name.into(),
            exact: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// A topic that nobody knows: for reply addresses.
    pub(crate) fn unknown(name: &str) -> Arc<Self> {
        Arc::new(Topic::new(name))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn exact(&self) -> u64 {
        self.exact.load(Relaxed)
    }

    /// A subscription without a wildcard to this topic begins or ends. The table is held for writing, so no route is being made.
    pub(crate) fn raise(&self) {
        if self.exact() != GONE {
            self.exact.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn touch(&self, clock: u64) {
        self.touched.fetch_max(clock, Relaxed);
    }

    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Relaxed)
    }

    /// The targets without those of the session `except`, from the last time if nothing changed since, and the steps that the index took for
    /// them.
    pub(crate) fn route(
        &self,
        table: &RoutingTable,
        except: Option<u64>,
        scratch: &mut Scratch,
    ) -> (Stamp, Arc<Targets>, u64) {
        let stamp = Stamp { wild: table.wild(), exact: self.exact() };
        if except.is_some() {
            let (targets, steps) = table.route(&self.name, except, scratch);
            return (stamp, targets, steps);
        }
        let mut state = lock(&self.state);
        if let Some((of, targets)) = &state.route
            && *of == stamp
        {
            return (stamp, Arc::clone(targets), 0);
        }
        let (targets, steps) = table.route(&self.name, None, scratch);
        state.route = (targets.len() <= CACHED_TARGETS_MAX).then(|| (stamp, Arc::clone(&targets)));
        (stamp, targets, steps)
    }

    /// Takes in what was published. Returns the bytes retained before and after, or nothing if the topic is gone.
    pub(super) fn update(&self, news: &News<'_>) -> Option<(usize, usize)> {
        let mut state = lock(&self.state);
        if self.exact() == GONE {
            return None;
        }
        let before = state.retained_bytes();
        state.messages += news.messages;
        state.bytes += news.bytes;
        state.last_bytes = news.last_bytes;
        state.time_unix_ms = news.now.unix_ms;
        if let Some(retained) = &news.retained {
            state.retain(&self.name, retained);
            state.changes = news.changes;
        }
        Some((before, state.retained_bytes()))
    }

    /// It is no longer known. Returns the bytes that were retained.
    pub(super) fn retire(&self) -> usize {
        let mut state = lock(&self.state);
        self.exact.store(GONE, Relaxed);
        let bytes = state.retained_bytes();
        state.pair = Stored::default();
        state.meta = None;
        state.route = None;
        bytes
    }

    /// Appends the retained message as a frame of the subscription's, if there is one that was published before the table's change
    /// `before`.
    pub(crate) fn retained_frame(&self, before: u64, subscription: &Subscription, out: &mut Vec<u8>) -> bool {
        let state = lock(&self.state);
        if state.changes >= before {
            return false;
        }
        let pair = state.pair.pair(&self.name);
        if pair.is_empty() {
            return false;
        }
        let kept = state.meta.as_deref();
        let parts = MetaParts {
            reply: kept.and_then(|kept| kept.reply.as_deref()),
            headers: kept.and_then(|kept| kept.headers.as_deref()),
            key: kept.and_then(|kept| kept.key.as_deref()),
            ttl_ms: None,
        };
        let value = state.value_in(&pair);
        if let Some(delivery) = &subscription.nats {
            // A subscription that has just begun has no bound.
            delivery.claim(1);
            let topic = self.name.as_bytes();
            let message = Message { topic, pair: &pair, value, meta: Some(parts), retain: true };
            message.text(&mut TextScratch::default()).message(topic, delivery, out);
        } else if subscription.meta {
            parts.message(out, &self.name, value, state.time_unix_ms, true);
        } else {
            out.extend_from_slice(&pair);
        }
        true
    }

    /// About how long [`Topic::retained_frame`] is.
    pub(crate) fn retained_bytes(&self) -> usize {
        let state = lock(&self.state);
        state.retained_bytes() + META_BYTES
    }

    pub(crate) fn info(&self, value_bytes_max: usize) -> TopicInfo {
        let state = lock(&self.state);
        let is_wanted = (1..=value_bytes_max).contains(&state.value_bytes);
        let value = is_wanted.then(|| state.value_in(&state.pair.pair(&self.name)).to_vec());
        TopicInfo {
            topic: self.name.to_string(),
            messages: state.messages,
            bytes: state.bytes,
            size: state.last_bytes,
            time_unix_ms: state.time_unix_ms,
            value: value.filter(|value| !value.is_empty()),
        }
    }
}

impl KeptMeta {
    fn bytes(&self) -> usize {
        let kept = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len());
        self.reply.as_ref().map_or(0, |reply| reply.len()) + kept(&self.headers) + kept(&self.key)
    }
}

impl State {
    fn retained_bytes(&self) -> usize {
        self.pair.capacity() + self.meta.as_ref().map_or(0, |meta| meta.bytes())
    }

    /// The value of the retained message, whose pair this is.
    fn value_in<'p>(&self, pair: &'p [u8]) -> &'p [u8] {
        pair.get(pair.len().saturating_sub(self.value_bytes)..).unwrap_or_default()
    }

    fn retain(&mut self, name: &str, retained: &Retained<'_>) {
        self.pair.replace(name, retained.pair);
        self.value_bytes = retained.value_bytes;
        self.meta = retained.meta.filter(|meta| !meta.is_empty()).map(|meta| {
            Box::new(KeptMeta {
                reply: meta.reply.map(Box::from),
                headers: meta.headers.map(Box::from),
                key: meta.key.map(Box::from),
            })
        });
    }
}

impl Stored {
    /// `[topic, value]`, made where it is not kept.
    fn pair(&self, name: &str) -> Cow<'_, [u8]> {
        match self {
            Stored::Own(bytes) => Cow::Borrowed(bytes),
            Stored::Shared(bytes) => Cow::Borrowed(bytes),
            Stored::Content(content) => {
                let mut pair = Vec::with_capacity(name.len() + content.len() + encode::BIN_MESSAGE_OVERHEAD);
                encode::bin_message(&mut pair, name, content);
                Cow::Owned(pair)
            }
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Stored::Own(bytes) => bytes.capacity(),
            Stored::Shared(bytes) | Stored::Content(bytes) => bytes.len(),
        }
    }

    fn replace(&mut self, name: &str, pair: Pair<'_>) {
        *self = match pair {
            Pair::Shared(bytes) => Stored::Shared(bytes.clone()),
            Pair::SharedContent(bytes) => Stored::Content(bytes.clone()),
            Pair::Copied(bytes) => {
                let mut buffer = self.take_buffer(bytes.len());
                buffer.extend_from_slice(bytes);
                Stored::Own(buffer)
            }
            Pair::Content(content) => {
                let mut buffer = self.take_buffer(name.len() + content.len() + encode::BIN_MESSAGE_OVERHEAD);
                encode::bin_message(&mut buffer, name, content);
                Stored::Own(buffer)
            }
        };
    }

    /// An empty buffer for so many bytes: its own, unless that is too small or far too large.
    fn take_buffer(&mut self, bytes: usize) -> Vec<u8> {
        match std::mem::take(self) {
            Stored::Own(mut own) if own.capacity() >= bytes && own.capacity() / 4 <= bytes.max(64) => {
                own.clear();
                own
            }
            _ => Vec::with_capacity(bytes),
        }
    }
}

impl Default for Stored {
    fn default() -> Self {
        Stored::Own(Vec::new())
    }
}
