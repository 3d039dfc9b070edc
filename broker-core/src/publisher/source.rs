//! Messages as they come, in the encoding of their publisher, and what they become for subscribers of their own protocol and of others.

use bytes::Bytes;

use super::kept::{Kept, range_in};
use crate::message::MetaParts;
use crate::routing::{NatsDelivery, Targets};
use crate::wire::convert;
use crate::wire::native::encode;
use crate::wire::nats::{self, Decoder, NatsLimits, headers_from_map, headers_to_map};

/// Of the line end behind a payload.
const LINE_END_BYTES: usize = 2;

/// A message to publish, in the encoding of one protocol: everything that the way of a message needs of it.
pub(crate) trait Source<'a>: Copy {
    /// Not validated.
    fn topic(&self) -> &'a [u8];

    /// About what it takes in an outbox.
    fn frame_bytes(&self) -> usize;

    /// What the topic's figures count.
    fn content_bytes(&self) -> usize;

    /// Whether it is to be retained.
    fn retain(&self) -> bool;

    /// Milliseconds after which it is not sent any more.
    fn ttl_ms(&self) -> Option<u64>;

    /// A large message in a buffer of its own, if one copy is all that it takes to serve these targets.
    fn shared(&self, targets: &Targets) -> Option<Shared>;

    /// Where it is to be found when the batch ends.
    fn kept(&self, input: &[u8], shared: Option<&Shared>) -> Kept;

    /// Appends `[topic, value]`.
    fn plain(&self, out: &mut Vec<u8>);

    /// Appends `[topic, value, meta]`. Called once for a message; more who want it get copies.
    fn with_meta(&self, time_unix_ms: u64, out: &mut Vec<u8>);

    /// The topics of the messages behind it in the input of the batch, as far as they are easily seen. A guess: nothing may depend on it.
    fn topics_behind(&self, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]>;

    /// What goes into a line of NATS and behind it. What has to be converted is written to `scratch`.
    fn text<'s>(&self, scratch: &'s mut TextScratch) -> Text<'s>
    where
        'a: 's;
}

/// A message of the native protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Not validated.
    pub(crate) topic: &'a [u8],
    /// `[topic, value]`.
    pub(crate) pair: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) meta: Option<MetaParts<'a>>,
    pub(crate) retain: bool,
    /// It is retained in that nothing is retained any more.
    pub(crate) clears: bool,
}

/// A message of the NATS protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NatsMessage<'a> {
    /// Not validated.
    pub(crate) subject: &'a [u8],
    /// Validated.
    pub(crate) reply: Option<&'a [u8]>,
    pub(crate) headers: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
    /// As in [`Publish`](crate::wire::nats::Publish).
    pub(crate) tail: &'a [u8],
}

/// A message as a text protocol has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'s> {
    pub(crate) reply: Option<&'s [u8]>,
    pub(crate) headers: Option<&'s [u8]>,
    pub(crate) payload: &'s [u8],
    /// As in [`Publish`](crate::wire::nats::Publish).
    pub(crate) tail: &'s [u8],
}

/// Where the parts of a [`Text`] are written that are not in the message.
#[derive(Debug, Default)]
pub(crate) struct TextScratch {
    payload: Vec<u8>,
    headers: Vec<u8>,
}

impl Text<'_> {
    /// The payload, and the headers where they go with it: what nats-server counts.
    #[inline]
    pub(crate) fn payload_bytes(&self, headers: bool) -> u64 {
        let headers = self.headers.filter(|_| headers).map_or(0, <[u8]>::len);
        (headers + self.payload.len()) as u64
    }

    /// Appends the message as it goes to a subscription.
    pub(crate) fn message(&self, topic: &[u8], to: &NatsDelivery, out: &mut Vec<u8>) {
        let headers = self.headers.filter(|_| to.headers);
        nats::encode::message(out, topic, to.sid.as_bytes(), self.reply, headers, self.payload);
    }
}

impl TextScratch {
    /// Gives back what is larger than `bytes_max`.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        for buffer in [&mut self.payload, &mut self.headers] {
            if buffer.capacity() > bytes_max {
                *buffer = Vec::new();
            }
        }
    }
}

/// A large message, copied once: for outboxes, and to be retained.
#[derive(Debug, Clone)]
pub(crate) enum Shared {
    /// `[topic, value]`.
    Pair(Bytes),
    /// For the first of [`Targets::nats`].
    Nats { frame: Bytes, payload: Bytes },
}

impl<'a> Source<'a> for Message<'a> {
    #[inline]
    fn topic(&self) -> &'a [u8] {
        self.topic
    }

    #[inline]
    fn frame_bytes(&self) -> usize {
        self.pair.len()
    }

    #[inline]
    fn content_bytes(&self) -> usize {
        self.value.len()
    }

    #[inline]
    fn retain(&self) -> bool {
        self.retain
    }

    #[inline]
    fn ttl_ms(&self) -> Option<u64> {
        self.meta.as_ref()?.ttl_ms
    }

    #[inline]
    fn shared(&self, _: &Targets) -> Option<Shared> {
        Some(Shared::Pair(Bytes::copy_from_slice(self.pair)))
    }

    #[inline]
    fn kept(&self, input: &[u8], shared: Option<&Shared>) -> Kept {
        if self.clears {
            return Kept::cleared();
        }
        let kept = match shared {
            Some(Shared::Pair(pair)) => Kept::shared_pair(pair.clone(), self.value.len()),
            _ => Kept::pair(input, self.pair, self.value.len()),
        };
        match &self.meta {
            Some(meta) => kept.with_meta(input, meta),
            None => kept,
        }
    }

    #[inline]
    fn plain(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pair);
    }

    fn topics_behind(&self, _: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }

    fn with_meta(&self, time_unix_ms: u64, out: &mut Vec<u8>) {
        let topic = std::str::from_utf8(self.topic).unwrap_or_default();
        self.meta.unwrap_or_default().message(out, topic, self.value, time_unix_ms, false);
    }

    fn text<'s>(&self, scratch: &'s mut TextScratch) -> Text<'s>
    where
        'a: 's,
    {
        let meta = self.meta.unwrap_or_default();
        // A reply that no line can hold is none.
        let reply = meta.reply.filter(|reply| !reply.contains(' ')).map(str::as_bytes);
        scratch.headers.clear();
        let headers = meta.headers.map(|map| {
            headers_from_map(map, &mut scratch.headers);
            &*scratch.headers
        });
        Text { reply, headers, payload: convert::payload(self.value, &mut scratch.payload), tail: &[] }
    }
}

impl<'a> Source<'a> for NatsMessage<'a> {
    #[inline]
    fn topic(&self) -> &'a [u8] {
        self.subject
    }

    #[inline]
    fn frame_bytes(&self) -> usize {
        let extra = self.reply.map_or(0, <[u8]>::len) + self.headers.map_or(0, <[u8]>::len);
        self.subject.len() + self.payload.len() + extra + encode::BIN_MESSAGE_OVERHEAD
    }

    #[inline]
    fn content_bytes(&self) -> usize {
        self.payload.len()
    }

    #[inline]
    fn retain(&self) -> bool {
        self.reply.is_none()
    }

    #[inline]
    fn ttl_ms(&self) -> Option<u64> {
        None
    }

    #[cold]
    fn shared(&self, targets: &Targets) -> Option<Shared> {
        if !targets.plain.is_empty() {
            let mut pair = Vec::with_capacity(self.frame_bytes());
            self.plain(&mut pair);
            return Some(Shared::Pair(Bytes::from(pair)));
        }
        let to = targets.nats.first()?;
        let headers = self.headers.filter(|_| to.headers);
        let mut frame =
            Vec::with_capacity(self.frame_bytes() + to.sid.len() + nats::encode::MESSAGE_OVERHEAD);
        nats::encode::message(&mut frame, self.subject, &to.sid, self.reply, headers, self.payload);
        let frame = Bytes::from(frame);
        let end = frame.len() - LINE_END_BYTES;
        Some(Shared::Nats { payload: frame.slice(end - self.payload.len()..end), frame })
    }

    #[inline]
    fn kept(&self, input: &[u8], shared: Option<&Shared>) -> Kept {
        let value_bytes = encode::bin_bytes(self.payload.len());
        let kept = match shared {
            Some(Shared::Pair(pair)) => Kept::shared_pair(pair.clone(), value_bytes),
            Some(Shared::Nats { payload, .. }) => Kept::shared_content(payload.clone(), value_bytes),
            None => Kept::content(input, self.payload, value_bytes),
        };
        // A message with a reply is not retained.
        match self.headers {
            Some(block) => kept.with_block(input, block),
            None => kept,
        }
    }

    fn plain(&self, out: &mut Vec<u8>) {
        encode::bin_message(out, std::str::from_utf8(self.subject).unwrap_or_default(), self.payload);
    }

    fn topics_behind(&self, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let decoder = Decoder::new(NatsLimits::default());
        let mut rest = range_in(input, self.tail).and_then(|tail| input.get(tail.end..)).unwrap_or_default();
        std::iter::from_fn(move || {
            let plain = decoder.plain(rest, b"")?;
            rest = rest.get(plain.frame_bytes..)?;
            Some(plain.subject)
        })
    }

    fn with_meta(&self, time_unix_ms: u64, out: &mut Vec<u8>) {
        let topic = std::str::from_utf8(self.subject).unwrap_or_default();
        let mut map = Vec::new();
        let headers = self.headers.map(|block| {
            headers_to_map(block, &mut map);
            &*map
        });
        let reply = self.reply.and_then(|reply| std::str::from_utf8(reply).ok());
        let mut value = Vec::with_capacity(encode::bin_bytes(self.payload.len()));
        encode::bin(&mut value, self.payload);
        MetaParts { reply, headers, ..MetaParts::default() }.message(out, topic, &value, time_unix_ms, false);
    }

    #[inline]
    fn text<'s>(&self, _: &'s mut TextScratch) -> Text<'s>
    where
        'a: 's,
    {
        Text { reply: self.reply, headers: self.headers, payload: self.payload, tail: self.tail }
    }
}
