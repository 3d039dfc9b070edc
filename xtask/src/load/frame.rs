//! The messages of a load test: what stands in a payload, and the frames around it, both ways.
//!
//! A payload is a MessagePack bin of a fixed size. Its first 16 bytes are the [`Stamp`]; the rest is filler that the receiver
//! checks. Frames are encoded once: [`Batch`] patches numbers and times in place, [`Layouts`] recognises a received frame by its
//! first bytes. Neither builds a MessagePack value. What does not look as expected is left to the general decoder
//! (`receive.rs`), never guessed at.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use broker_core::wire::native::{PublishOptions, encode};

/// Bytes of a [`Stamp`], and so of the smallest payload.
pub(crate) const STAMP_BYTES: usize = 16;
/// Messages whose number is a multiple of this have their whole filler compared, the others its last 8 bytes: comparing all of
/// it would cost the generator more than the relay needs (measured at 128 B, 1 to 100).
const FULL_CHECK_EVERY: u64 = 64;
/// Where the publisher's number begins in the first eight bytes of a stamp.
const NUMBER_BITS: u32 = 48;

/// What a payload says of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publisher of the run, from 0.
    pub(crate) publisher: u16,
    /// Which of its messages, from 0; 48 bits.
    pub(crate) number: u64,
    /// When it was meant to be sent, nanoseconds on the run's clock.
    pub(crate) time: u64,
}

impl Stamp {
    /// The first bytes of the payload.
    pub(crate) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let first = self.number | (u64::from(self.publisher) << NUMBER_BITS);
        (u128::from(first) | (u128::from(self.time) << 64)).to_le_bytes()
    }

    /// The stamp in the first bytes of a payload.
    #[expect(clippy::cast_possible_truncation, reason = "each part is cut out at its width")]
    pub(crate) fn from_bytes(bytes: [u8; STAMP_BYTES]) -> Self {
        let both = u128::from_le_bytes(bytes);
        let first = both as u64;
        Self {
            publisher: (first >> NUMBER_BITS) as u16,
            number: first & ((1 << NUMBER_BITS) - 1),
            time: (both >> 64) as u64,
        }
    }
}

/// What stands behind the stamp in a payload of `size` bytes.
fn filler(size: usize) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "a pattern of bytes is wanted")]
    (STAMP_BYTES..size).map(|i| (i.wrapping_mul(31) >> 2) as u8 | 1).collect()
}

/// The header of a bin of `size` bytes, in the shortest encoding.
fn bin_header(size: usize) -> Result<Vec<u8>> {
    Ok(match (u8::try_from(size), u16::try_from(size), u32::try_from(size)) {
        (Ok(n), ..) => vec![0xc4, n],
        (_, Ok(n), _) => [&[0xc5][..], &n.to_be_bytes()].concat(),
        (.., n) => [&[0xc6][..], &n?.to_be_bytes()].concat(),
    })
}

/// One payload as a MessagePack value, its stamp zero.
fn value(size: usize) -> Result<Vec<u8>> {
    ensure!(
        size >= STAMP_BYTES,
        "a payload has at least {STAMP_BYTES} bytes, for its number and time; not {size}"
    );
    let mut value = bin_header(size)?;
    value.extend_from_slice(&[0; STAMP_BYTES]);
    value.extend_from_slice(&filler(size));
    Ok(value)
}

/// Which frames a publisher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// `{"Publish": [[topic, value]]}`, to a broker.
    Publish,
    /// `[topic, value]`, to the relay, which copies it to the subscribers as it is.
    Bare,
}

/// The frame of one message, and where its stamp begins.
fn frame(outgoing: Outgoing, topic: &str, size: usize) -> Result<(Vec<u8>, usize)> {
    let value = value(size)?;
    let mut out = Vec::new();
    match outgoing {
        Outgoing::Publish => encode::publish(&mut out, topic, &value, &PublishOptions::default()),
        Outgoing::Bare => encode::message(&mut out, topic, &value),
    }
    let stamp_at = out.len() - size;
    Ok((out, stamp_at))
}

/// Frames ready to send, for one publisher. The topics of its cycle follow one another; a slice that begins at any
/// of them is ready too.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each frame begins, and at last where the last one ends.
    starts: Vec<usize>,
    /// From the start of a frame to its stamp, by position in the cycle.
    stamps: Vec<usize>,
    messages_max: usize,
}

impl Batch {
    /// Frames for `topics` in turn, at least one, and as many as fit into `bytes_max`.
    pub(crate) fn new(outgoing: Outgoing, topics: &[&str], size: usize, bytes_max: usize) -> Result<Self> {
        let cycle: Vec<(Vec<u8>, usize)> =
            topics.iter().map(|topic| frame(outgoing, topic, size)).collect::<Result<_>>()?;
        let longest = cycle.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or(1);
        let messages_max = (bytes_max / longest).max(1);
        let mut batch = Self {
            bytes: Vec::new(),
            starts: vec![0],
            stamps: cycle.iter().map(|&(_, stamp_at)| stamp_at).collect(),
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

    /// The frames of `count` messages from `first` on, sent by `publisher` at `time(number)`. `count` above
    /// [`messages_max`](Self::messages_max) is cut.
    pub(crate) fn fill(
        &mut self,
        publisher: u16,
        first: u64,
        count: usize,
        time: impl Fn(u64) -> u64,
    ) -> std::ops::Range<usize> {
        let cycle = self.stamps.len();
        // Fits: it is smaller than `cycle`.
        let phase = usize::try_from(first % cycle as u64).unwrap_or(0);
        let end = phase + count.min(self.messages_max);
        let starts = self.starts.get(phase..=end).unwrap_or(&[]);
        let (Some(&from), Some(&to)) = (starts.first(), starts.last()) else { return 0..0 };
        let stamps = self.stamps.iter().cycle().skip(phase);
        for (number, (start, stamp_at)) in (first..).zip(starts.iter().take(end - phase).zip(stamps)) {
            let stamp = Stamp { publisher, number, time: time(number) };
            if let Some(place) = self.bytes.get_mut(start + stamp_at..).and_then(<[u8]>::first_chunk_mut) {
                *place = stamp.to_bytes();
            }
        }
        from..to
    }

    /// The bytes that [`fill`](Self::fill) told of.
    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or(&[])
    }
}

/// How the frames of one topic begin when they arrive.
#[derive(Debug)]
struct Layout {
    /// The first 16 bytes under `mask`: a frame is never shorter, and one compare of 16 bytes is cheaper than a call.
    want: u128,
    mask: u128,
    /// All bytes before the stamp; the part behind the first 16 is compared separately.
    head: Vec<u8>,
    frame_bytes: usize,
}

/// The frames that a subscriber expects, one layout for each topic of the run.
#[derive(Debug)]
pub(crate) struct Layouts {
    by_number: Vec<Layout>,
    by_topic: HashMap<String, u32>,
    filler: Vec<u8>,
    /// The last eight bytes of a payload that has filler that long.
    tail: Option<[u8; 8]>,
}

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame of the expected layout, of so many bytes; `intact` if its filler is right.
    Whole { stamp: Stamp, bytes: usize, intact: bool },
    /// The beginning of one.
    Part,
    /// Something else.
    Other,
}

impl Layouts {
    /// The layouts of `topics` with payloads of `size` bytes.
    pub(crate) fn new(topics: &[String], size: usize) -> Result<Self> {
        let mut by_number = Vec::with_capacity(topics.len());
        for topic in topics {
            let (mut frame, stamp_at) = frame(Outgoing::Bare, topic, size)?;
            let frame_bytes = frame.len();
            frame.truncate(stamp_at);
            let (mut want, mut mask) = ([0_u8; 16], [0_u8; 16]);
            for ((want, mask), byte) in want.iter_mut().zip(&mut mask).zip(&frame) {
                (*want, *mask) = (*byte, 0xff);
            }
            by_number.push(Layout {
                want: u128::from_ne_bytes(want),
                mask: u128::from_ne_bytes(mask),
                head: frame,
                frame_bytes,
            });
        }
        let filler = filler(size);
        let by_topic = topics.iter().cloned().zip(0..).collect();
        Ok(Self { by_number, by_topic, tail: filler.last_chunk().copied(), filler })
    }

    /// The number of a topic.
    pub(crate) fn topic(&self, name: &str) -> Option<u32> {
        self.by_topic.get(name).copied()
    }

    /// Bytes of one message as delivered on the topic that takes most.
    pub(crate) fn frame_bytes_max(&self) -> usize {
        self.by_number.iter().map(|layout| layout.frame_bytes).max().unwrap_or(0)
    }

    /// Looks for a frame of topic number `topic` at the start of `bytes`.
    #[inline]
    pub(crate) fn find(&self, topic: u32, bytes: &[u8]) -> Found {
        let Some(layout) = self.by_number.get(topic as usize) else { return Found::Other };
        let Some(first) = bytes.first_chunk::<16>() else {
            let known = layout.head.get(..bytes.len().min(layout.head.len())).unwrap_or(&[]);
            return if bytes.starts_with(known) { Found::Part } else { Found::Other };
        };
        if u128::from_ne_bytes(*first) & layout.mask != layout.want {
            return Found::Other;
        }
        let head_bytes = layout.head.len();
        if head_bytes > 16 {
            let there = bytes.get(16..head_bytes.min(bytes.len())).unwrap_or(&[]);
            if !layout.head.get(16..).is_some_and(|rest| rest.starts_with(there)) {
                return Found::Other;
            }
        }
        let Some(payload) = bytes.get(head_bytes..layout.frame_bytes) else { return Found::Part };
        match self.payload(payload) {
            Some((stamp, intact)) => Found::Whole { stamp, bytes: layout.frame_bytes, intact },
            None => Found::Other,
        }
    }

    /// The stamp of a payload, and whether the rest of it is as it was sent.
    #[inline]
    pub(crate) fn payload(&self, payload: &[u8]) -> Option<(Stamp, bool)> {
        let (stamp, rest) = payload.split_first_chunk::<STAMP_BYTES>()?;
        let stamp = Stamp::from_bytes(*stamp);
        let intact = match self.tail {
            Some(tail) if !stamp.number.is_multiple_of(FULL_CHECK_EVERY) => rest.last_chunk() == Some(&tail),
            _ => rest == self.filler,
        };
        Some((stamp, intact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_stamp_survives_its_bytes() {
        for (publisher, number, time) in
            [(0, 0, 0), (65_535, (1 << 48) - 1, u64::MAX), (7, 1_234_567_890, 42)]
        {
            let stamp = Stamp { publisher, number, time };
            assert_eq!(Stamp::from_bytes(stamp.to_bytes()), stamp);
        }
    }

    #[test]
    fn what_a_batch_sends_is_found_again() {
        let names = ["a", "load/17", "a-topic-longer-than-sixteen-bytes"];
        for size in [16, 20, 128, 255, 256, 70_000] {
            let layouts = Layouts::new(&topics(&names), size).unwrap();
            let mut batch = Batch::new(Outgoing::Bare, &names, size, 4 * (size + 50)).unwrap();
            let mut number = 0;
            for count in [1, 2, 3, 4, 1] {
                let range = batch.fill(9, number, count, |n| n * 100);
                let mut bytes = batch.bytes(range);
                while !bytes.is_empty() {
                    let topic = u32::try_from(number % 3).unwrap();
                    let want = Stamp { publisher: 9, number, time: number * 100 };
                    let Found::Whole { stamp, bytes: length, intact } = layouts.find(topic, bytes) else {
                        panic!("message {number} of {size} bytes not found");
                    };
                    assert_eq!((stamp, intact), (want, true));
                    assert_eq!(layouts.find((topic + 1) % 3, bytes), Found::Other);
                    bytes = &bytes[length..];
                    number += 1;
                }
            }
            assert_eq!(number, 11);
        }
    }

    #[test]
    fn every_proper_prefix_is_a_part() {
        for topic in ["a", "a-topic-longer-than-sixteen-bytes"] {
            let layouts = Layouts::new(&topics(&[topic]), 40).unwrap();
            let mut batch = Batch::new(Outgoing::Bare, &[topic], 40, 1).unwrap();
            let range = batch.fill(1, 5, 1, |_| 3);
            let bytes = batch.bytes(range);
            for end in 0..bytes.len() {
                assert_eq!(layouts.find(0, &bytes[..end]), Found::Part, "{end} bytes of {topic}");
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let layouts = Layouts::new(&topics(&["t"]), 100).unwrap();
        let mut batch = Batch::new(Outgoing::Bare, &["t"], 100, 1).unwrap();
        let range = batch.fill(1, 64, 1, |_| 3);
        let bytes = batch.bytes(range).to_vec();
        let head = bytes.len() - 100;
        for at in (0..head).chain(head + STAMP_BYTES..bytes.len()) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            match layouts.find(0, &changed) {
                Found::Other => assert!(at < head),
                Found::Whole { intact, .. } => assert!(at >= head && !intact, "byte {at}"),
                Found::Part => panic!("byte {at}"),
            }
        }
    }

    #[test]
    fn a_payload_has_room_for_its_stamp() {
        assert!(Batch::new(Outgoing::Publish, &["t"], 15, 1).is_err());
        assert!(Batch::new(Outgoing::Publish, &["t"], 16, 1).is_ok());
    }
}
