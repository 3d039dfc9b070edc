//! The messages that a publisher sends, encoded once: a [`Batch`] patches numbers and times in place and is written as it is.

use anyhow::{Context, Result};

use super::payload::Payload;
use super::protocol::{Filter, Wire, ask_topic};
use super::stamp::Stamp;

/// Which frames a publisher sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// What a server takes.
    Publish,
    /// What a server takes, with where the answer goes.
    Request,
    /// What a subscriber gets because of its filters: to the relay, which copies it as it is.
    Delivered(Vec<Filter>),
}

/// The frame of one message, and where its payload begins.
fn frame(wire: Wire, outgoing: &Outgoing, topic: &str, payload: &Payload) -> Result<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    if *outgoing == Outgoing::Request {
        return request(wire, topic, payload);
    }
    let said = wire.topic(topic);
    match outgoing {
        Outgoing::Publish | Outgoing::Request => wire.publish(&mut out, &said, &payload.blank())?,
        Outgoing::Delivered(filters) => {
            for filter in filters {
                if out.is_empty() && filter.accepts(wire, topic)? {
                    wire.delivered(&mut out, &said, filter, &payload.blank())?;
                }
            }
        }
    }
    let payload_at = out.len().saturating_sub(wire.tail_bytes() + payload.size());
    Ok((out, payload_at))
}

/// The frame of one request, whose answer comes on `topic`. The payload is not at its end in every protocol.
fn request(wire: Wire, topic: &str, payload: &Payload) -> Result<(Vec<u8>, usize)> {
    let number = topic.rsplit_once('/').map_or(topic, |(_, number)| number);
    let asked = ask_topic(number.parse().context("a reply topic without a number")?);
    let mut out = Vec::new();
    wire.request(&mut out, &wire.topic(&asked), &wire.topic(topic), &payload.blank())?;
    let blank = payload.blank();
    let at = out
        .windows(blank.len())
        .position(|window| window == blank)
        .context("a request without its payload")?;
    Ok((out, at))
}

/// Frames ready to send, for one publisher. The topics of its cycle follow one another; a slice that begins at any
/// of them is ready too.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each frame begins, and at last where the last one ends.
    starts: Vec<usize>,
    /// From the start of a frame to its payload, by position in the cycle.
    payloads: Vec<usize>,
    payload: Payload,
    messages_max: usize,
}

impl Batch {
    /// Frames for `topics` in turn, at least one, and as many as fit into `bytes_max`.
    pub(crate) fn new(
        wire: Wire,
        outgoing: &Outgoing,
        topics: &[&str],
        payload: Payload,
        bytes_max: usize,
    ) -> Result<Self> {
        let cycle: Vec<(Vec<u8>, usize)> =
            topics.iter().map(|topic| frame(wire, outgoing, topic, &payload)).collect::<Result<_>>()?;
        let longest = cycle.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or(1).max(1);
        let messages_max = (bytes_max / longest).max(1);
        let mut batch = Self {
            bytes: Vec::new(),
            starts: vec![0],
            payloads: cycle.iter().map(|&(_, payload_at)| payload_at).collect(),
            payload,
            messages_max,
        };
        for (bytes, _) in cycle.iter().cycle().take(messages_max + cycle.len() - 1) {
            batch.bytes.extend_from_slice(bytes);
            batch.starts.push(batch.bytes.len());
        }
        Ok(batch)
    }

    /// How many messages it can hold.
    pub(crate) fn messages_max(&self) -> usize {
        self.messages_max
    }

    /// The frames of `count` messages from `first` on, meant to be sent by `publisher` at `intended(number)` and handed over `now`.
    /// `count` above [`messages_max`](Self::messages_max) is cut.
    pub(crate) fn fill(
        &mut self,
        publisher: u16,
        first: u64,
        count: usize,
        now: u64,
        intended: impl Fn(u64) -> u64,
    ) -> std::ops::Range<usize> {
        let cycle = self.payloads.len();
        // Fits: it is smaller than `cycle`.
        let phase = usize::try_from(first % cycle as u64).unwrap_or(0);
        let end = phase + count.min(self.messages_max);
        let starts = self.starts.get(phase..=end).unwrap_or(&[]);
        let (Some(&from), Some(&to)) = (starts.first(), starts.last()) else { return 0..0 };
        let payloads = self.payloads.iter().cycle().skip(phase);
        for (number, (start, payload_at)) in (first..).zip(starts.iter().take(end - phase).zip(payloads)) {
            let stamp = Stamp { publisher, number, intended: intended(number), sent: now };
            if let Some(place) = self.bytes.get_mut(start + payload_at..) {
                self.payload.stamp(place, stamp);
            }
        }
        from..to
    }

    /// The bytes that [`fill`](Self::fill) told of.
    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or(&[])
    }
}
