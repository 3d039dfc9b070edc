//! The retained message of one topic, as it is kept.

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::MetaParts;
use crate::outbox::NEVER;
use crate::wire::native::encode;

/// What a publish does to the retained message of its topic.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Retention<'a> {
    /// It is the new one.
    Keep(Retained<'a>),
    /// There is to be none.
    Clear,
}

/// A message to retain.
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

/// The message of a topic, if there is one.
#[derive(Debug)]
pub(super) struct Slot {
    /// `[topic, value]`; empty if there is none.
    pair: Stored,
    /// No larger one is kept.
    value_bytes: u32,
    meta: Option<Box<KeptMeta>>,
    pub(super) time_unix_ms: u64,
    /// From then on it does not hold any more; [`NEVER`] is far away.
    pub(super) due_monotonic_ms: u64,
}

/// `[topic, value]` as it is kept. Four words: there may be a million of them.
#[derive(Debug)]
enum Stored {
    /// Small: in a buffer that the next one takes over.
    Own(Vec<u8>),
    /// The same, and only the content of its value, a bin.
    OwnContent(Vec<u8>),
    /// Large: shared with the outboxes that it still waits in.
    Shared(Box<Bytes>),
    /// The same, and only the content of its value, a bin: a part of a frame of another protocol.
    Content(Box<Bytes>),
}

/// What else is kept of a message.
#[derive(Debug)]
struct KeptMeta {
    reply: Option<Box<str>>,
    headers: Option<Box<[u8]>>,
    key: Option<Box<[u8]>>,
}

impl Slot {
    /// Takes the place of the one before it, for as long as nothing else is said.
    pub(super) fn keep(&mut self, retained: &Retained<'_>, time_unix_ms: u64) {
        self.pair.replace(retained.pair);
        self.value_bytes = u32::try_from(retained.value_bytes).unwrap_or(u32::MAX);
        self.meta = retained.meta.as_ref().and_then(KeptMeta::of);
        self.time_unix_ms = time_unix_ms;
        self.due_monotonic_ms = NEVER;
    }

    /// Forgets the message.
    pub(super) fn clear(&mut self) {
        *self = Slot::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.pair, Stored::Own(bytes) if bytes.is_empty())
    }

    /// Whether there is a message that holds.
    pub(super) fn holds(&self, monotonic_ms: u64) -> bool {
        !self.is_empty() && monotonic_ms < self.due_monotonic_ms
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.pair.capacity() + self.meta.as_ref().map_or(0, |meta| meta.bytes())
    }

    /// Bytes of the value.
    pub(super) fn value_bytes(&self) -> usize {
        self.value_bytes as usize
    }

    /// `[topic, value]`, made where it is not kept.
    pub(super) fn pair(&self, name: &str) -> Cow<'_, [u8]> {
        let content: &[u8] = match &self.pair {
            Stored::Own(bytes) => return Cow::Borrowed(bytes),
            Stored::Shared(bytes) => return Cow::Borrowed(bytes),
            Stored::OwnContent(content) => content,
            Stored::Content(content) => content,
        };
        let mut pair = Vec::with_capacity(name.len() + content.len() + encode::BIN_MESSAGE_OVERHEAD);
        encode::bin_message(&mut pair, name, content);
        Cow::Owned(pair)
    }

    /// The value in what [`Slot::pair`] gave.
    pub(super) fn value_in<'p>(&self, pair: &'p [u8]) -> &'p [u8] {
        pair.get(pair.len().saturating_sub(self.value_bytes())..).unwrap_or_default()
    }

    /// What its publisher gave beside topic and value, with the time that is left.
    pub(super) fn meta(&self, monotonic_ms: u64) -> MetaParts<'_> {
        let kept = self.meta.as_deref();
        let due_ms = Some(self.due_monotonic_ms).filter(|due_ms| *due_ms != NEVER);
        MetaParts {
            reply: kept.and_then(|kept| kept.reply.as_deref()),
            headers: kept.and_then(|kept| kept.headers.as_deref()),
            key: kept.and_then(|kept| kept.key.as_deref()),
            ttl_ms: due_ms.map(|due_ms| due_ms.saturating_sub(monotonic_ms)),
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot { pair: Stored::default(), value_bytes: 0, meta: None, time_unix_ms: 0, due_monotonic_ms: NEVER }
    }
}

impl KeptMeta {
    fn of(meta: &MetaParts<'_>) -> Option<Box<KeptMeta>> {
        let MetaParts { reply, headers, key, .. } = *meta;
        (reply.is_some() || headers.is_some() || key.is_some()).then(|| {
            Box::new(KeptMeta {
                reply: reply.map(Box::from),
                headers: headers.map(Box::from),
                key: key.map(Box::from),
            })
        })
    }

    fn bytes(&self) -> usize {
        let kept = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len());
        self.reply.as_ref().map_or(0, |reply| reply.len()) + kept(&self.headers) + kept(&self.key)
    }
}

impl Stored {
    fn capacity(&self) -> usize {
        match self {
            Stored::Own(bytes) | Stored::OwnContent(bytes) => bytes.capacity(),
            Stored::Shared(bytes) | Stored::Content(bytes) => bytes.len(),
        }
    }

    fn replace(&mut self, pair: Pair<'_>) {
        *self = match pair {
            Pair::Shared(bytes) => Stored::Shared(Box::new(bytes.clone())),
            Pair::SharedContent(bytes) => Stored::Content(Box::new(bytes.clone())),
            Pair::Copied(bytes) => Stored::Own(self.copied(bytes)),
            Pair::Content(content) => Stored::OwnContent(self.copied(content)),
        };
    }

    /// A copy in its own buffer, unless that is too small or far too large.
    fn copied(&mut self, bytes: &[u8]) -> Vec<u8> {
        let is_fit =
            |own: &Vec<u8>| own.capacity() >= bytes.len() && own.capacity() / 4 <= bytes.len().max(64);
        let mut buffer = match std::mem::take(self) {
            Stored::Own(own) | Stored::OwnContent(own) if is_fit(&own) => own,
            _ => Vec::with_capacity(bytes.len()),
        };
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }
}

impl Default for Stored {
    fn default() -> Self {
        Stored::Own(Vec::new())
    }
}
