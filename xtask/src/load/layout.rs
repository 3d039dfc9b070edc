//! How the messages of a run begin when they arrive, so that one is recognised by comparing its first bytes.
//!
//! A message that has other bytes there is not refused here: the general decoder (`protocol.rs`) looks at it then.

use std::collections::HashMap;

use anyhow::{Result, ensure};

use super::payload::Payload;
use super::protocol::{Filter, Wire};
use super::stamp::Stamp;

/// How the frames of one topic begin when they arrive.
#[derive(Debug)]
struct Layout {
    /// The first 16 bytes under `mask`: a frame is never shorter, and one compare of 16 bytes is cheaper than a call.
    want: u128,
    mask: u128,
    /// All bytes before the payload; the part behind the first 16 is compared separately.
    head: Vec<u8>,
    /// Where the payload ends, and where the frame does.
    payload_end: usize,
    frame_bytes: usize,
}

/// The frames that a subscriber expects: one layout for each topic of the run that it gets.
#[derive(Debug)]
pub(crate) struct Layouts {
    wire: Wire,
    by_number: Vec<Option<Layout>>,
    by_topic: HashMap<String, u32>,
    payload: Payload,
}

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame of the expected layout, of so many bytes; `intact` if its payload is right.
    Whole { stamp: Stamp, bytes: usize, intact: bool },
    /// The beginning of one.
    Part,
    /// Something else.
    Other,
}

impl Layout {
    fn new(wire: Wire, topic: &str, filter: &Filter, payload: &Payload) -> Result<Self> {
        let mut head = Vec::new();
        wire.delivered(&mut head, topic, filter, &payload.blank())?;
        let frame_bytes = head.len();
        let payload_end = frame_bytes - wire.tail_bytes();
        head.truncate(payload_end - payload.size());
        let (mut want, mut mask) = ([0_u8; 16], [0_u8; 16]);
        for ((want, mask), byte) in want.iter_mut().zip(&mut mask).zip(&head) {
            (*want, *mask) = (*byte, 0xff);
        }
        Ok(Self {
            want: u128::from_ne_bytes(want),
            mask: u128::from_ne_bytes(mask),
            head,
            payload_end,
            frame_bytes,
        })
    }
}

impl Layouts {
    /// The messages of `topics` as a subscriber with `filters` gets them.
    ///
    /// # Errors
    /// If a pattern cannot be said in the protocol, or if a message would come more than once because it matches two of them.
    pub(crate) fn new(wire: Wire, topics: &[String], filters: &[Filter], payload: Payload) -> Result<Self> {
        let mut by_number = Vec::with_capacity(topics.len());
        let mut by_topic = HashMap::with_capacity(topics.len());
        for (number, topic) in (0..).zip(topics) {
            let mut layout = None;
            let said = wire.topic(topic);
            if !wire.delivers_per_subscription() {
                // They all look the same, whatever was subscribed to.
                let filter = Filter::new(wire, 1, "*")?;
                layout = Some(Layout::new(wire, &said, &filter, &payload)?);
            }
            for filter in filters.iter().filter(|_| wire.delivers_per_subscription()) {
                if !filter.accepts(wire, topic)? {
                    continue;
                }
                ensure!(
                    layout.is_none(),
                    "two patterns of one subscriber match {topic}: with {} its messages would come twice",
                    wire.name()
                );
                layout = Some(Layout::new(wire, &said, filter, &payload)?);
            }
            by_number.push(layout);
            by_topic.insert(said.into_owned(), number);
        }
        Ok(Self { wire, by_number, by_topic, payload })
    }

    /// The messages of very many topics, each of which is said to match one filter: that is not checked.
    pub(crate) fn of_each<'a>(
        wire: Wire,
        topics: &[String],
        payload: Payload,
        filter_of: impl Fn(&str) -> Result<&'a Filter>,
    ) -> Result<Self> {
        let mut by_number = Vec::with_capacity(topics.len());
        let mut by_topic = HashMap::with_capacity(topics.len());
        for (number, topic) in (0..).zip(topics) {
            let said = wire.topic(topic);
            by_number.push(Some(Layout::new(wire, &said, filter_of(topic)?, &payload)?));
            by_topic.insert(said.into_owned(), number);
        }
        Ok(Self { wire, by_number, by_topic, payload })
    }

    /// The protocol.
    pub(crate) fn wire(&self) -> Wire {
        self.wire
    }

    /// The number of a topic, as the protocol says it.
    pub(crate) fn topic(&self, name: &str) -> Option<u32> {
        self.by_topic.get(name).copied()
    }

    /// Bytes of one message as delivered on the topic that takes most.
    pub(crate) fn frame_bytes_max(&self) -> usize {
        self.by_number.iter().flatten().map(|layout| layout.frame_bytes).max().unwrap_or(0)
    }

    /// Looks for a frame of topic number `topic` at the start of `bytes`.
    #[inline]
    pub(crate) fn find(&self, topic: u32, bytes: &[u8]) -> Found {
        let Some(Some(layout)) = self.by_number.get(topic as usize) else { return Found::Other };
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
        let Some(frame) = bytes.get(..layout.frame_bytes) else { return Found::Part };
        match frame.get(head_bytes..layout.payload_end).and_then(|payload| self.payload.check(payload)) {
            Some((stamp, intact)) => Found::Whole { stamp, bytes: layout.frame_bytes, intact },
            None => Found::Other,
        }
    }

    /// The stamp of a payload, and whether the rest of it is as it was sent.
    pub(crate) fn payload(&self, payload: &[u8]) -> Option<(Stamp, bool)> {
        self.payload.check(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::{Batch, Outgoing};

    const WIRES: [Wire; 5] = [Wire::Native, Wire::Lbroker, Wire::Nats, Wire::Redis, Wire::Mqtt];
    const NAMES: [&str; 3] = ["a", "load/17", "a-topic-longer-than-sixteen-bytes"];

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn layouts(wire: Wire, topics: &[&str], globs: &[&str], size: usize) -> Layouts {
        let filters = Filter::all(wire, &strings(globs)).unwrap();
        Layouts::new(wire, &strings(topics), &filters, Payload::new(size, false).unwrap()).unwrap()
    }

    fn batch(wire: Wire, topics: &[&str], globs: &[&str], size: usize, bytes_max: usize) -> Batch {
        let outgoing = Outgoing::Delivered(Filter::all(wire, &strings(globs)).unwrap());
        Batch::new(wire, &outgoing, topics, Payload::new(size, false).unwrap(), bytes_max).unwrap()
    }

    #[test]
    fn what_a_batch_sends_is_found_again() {
        for wire in WIRES {
            for globs in [&["*"][..], &NAMES] {
                for size in [16, 20, 128, 255, 256, 70_000] {
                    let layouts = layouts(wire, &NAMES, globs, size);
                    let mut batch = batch(wire, &NAMES, globs, size, 4 * (size + 150));
                    let mut number = 0;
                    for count in [1, 2, 3, 4, 1] {
                        let range = batch.fill(9, number, count, 0, |n| n * 100);
                        let mut bytes = batch.bytes(range);
                        while !bytes.is_empty() {
                            let topic = u32::try_from(number % 3).unwrap();
                            let time = number * 100;
                            let want = Stamp { publisher: 9, number, intended: time, sent: time };
                            let Found::Whole { stamp, bytes: length, intact } = layouts.find(topic, bytes)
                            else {
                                panic!("message {number} of {size} bytes not found, {wire:?}");
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
        }
    }

    #[test]
    fn every_proper_prefix_is_a_part() {
        for wire in WIRES {
            for topic in ["a", "a-topic-longer-than-sixteen-bytes"] {
                let layouts = layouts(wire, &[topic], &[topic], 40);
                let mut batch = batch(wire, &[topic], &[topic], 40, 1);
                let range = batch.fill(1, 5, 1, 3, |_| 3);
                let bytes = batch.bytes(range);
                for end in 0..bytes.len() {
                    assert_eq!(layouts.find(0, &bytes[..end]), Found::Part, "{end} of {topic}, {wire:?}");
                }
            }
        }
    }

    #[test]
    fn a_changed_head_is_something_else() {
        for wire in WIRES {
            let layouts = layouts(wire, &["t"], &["t"], 100);
            let mut batch = batch(wire, &["t"], &["t"], 100, 1);
            let range = batch.fill(1, 64, 1, 3, |_| 3);
            let bytes = batch.bytes(range).to_vec();
            let head = bytes.len() - 100 - wire.tail_bytes();
            for at in 0..head {
                let mut changed = bytes.clone();
                changed[at] ^= 0x40;
                assert_eq!(layouts.find(0, &changed), Found::Other, "byte {at}, {wire:?}");
            }
        }
    }

    #[test]
    fn two_patterns_for_one_topic_are_refused_where_they_cost_a_copy() {
        for wire in WIRES {
            let filters = Filter::all(wire, &strings(&["load/1", "load/*"])).unwrap();
            let payload = Payload::new(16, false).unwrap();
            let layouts = Layouts::new(wire, &strings(&["load/1"]), &filters, payload);
            assert_eq!(layouts.is_err(), wire.delivers_per_subscription(), "{wire:?}");
        }
    }

    #[test]
    fn a_topic_that_was_not_asked_for_has_no_layout() {
        let layouts = layouts(Wire::Nats, &["a", "b"], &["a"], 16);
        assert_eq!((layouts.topic("a"), layouts.topic("b")), (Some(0), Some(1)));
        assert_eq!(layouts.find(1, b"MSG b 1 16\r\n0123456789abcdef\r\n"), Found::Other);
    }
}
