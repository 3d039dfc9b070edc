//! One subscriber: takes bytes as they arrive, tells messages from events, and keeps the books.
//!
//! No socket here but for the answer to a ping. Never trusting: a message of an unknown publisher, on a topic that was not asked for, or with changed
//! bytes is counted as corrupt; a frame that is no message and no event ends the run with an error.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use broker_core::wire::native::{Event, FrameScanner, MessageRef, WireLimits, encode};

use super::flow::Flow;
use super::frame::{Found, Layouts, Stamp};
use super::latency::Latencies;
use super::tracker::{Counts, Expected, Tracker};

/// One publisher as a subscriber sees it.
#[derive(Debug)]
pub(crate) struct Source {
    expected: Arc<Expected>,
    /// The topics that the publisher sends to in turn, by number.
    cycle: Arc<[u32]>,
    flow: Arc<Flow>,
    /// The subscriber's place in the flow.
    slot: usize,
    tracker: Tracker,
    /// In the list of those whose progress has to be told.
    dirty: bool,
}

impl Source {
    /// Tells the flow what the subscriber waits for first.
    pub(crate) fn new(expected: Arc<Expected>, cycle: Arc<[u32]>, flow: Arc<Flow>, slot: usize) -> Self {
        let tracker = Tracker::new(&expected);
        flow.advance(slot, tracker.next());
        Self { expected, cycle, flow, slot, tracker, dirty: false }
    }

    fn topic_of(&self, number: u64) -> Option<u32> {
        match &*self.cycle {
            [topic] => Some(*topic),
            cycle => usize::try_from(number % cycle.len() as u64).ok().and_then(|at| cycle.get(at)).copied(),
        }
    }
}

/// What became of a subscriber's messages, over the whole run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Books {
    /// What arrived, and how.
    pub(crate) counts: Counts,
    /// Messages that it was to get.
    pub(crate) expected: u64,
    /// Of these, those that never came.
    pub(crate) missing: u64,
    /// Messages that the broker said it had skipped.
    pub(crate) skipped: u64,
}

/// What to do when the server asks for a sign of life.
#[derive(Debug)]
pub(crate) enum Pong {
    /// Write it: nobody else writes to this socket.
    Here,
    /// Let the publisher of the same connection write it, between two of its frames.
    Publisher(Arc<AtomicBool>),
}

/// A subscriber.
#[derive(Debug)]
pub(crate) struct Subscriber {
    name: String,
    layouts: Arc<Layouts>,
    sources: Vec<Option<Source>>,
    scanner: FrameScanner,
    /// The topic that the next message is probably on.
    guess: u32,
    dirty: Vec<u16>,
    delivered: u64,
    skipped: u64,
    corrupt: u64,
    pong: Pong,
    pong_due: bool,
}

impl Subscriber {
    /// A subscriber that expects what `sources` say, by the number of the publisher.
    pub(crate) fn new(name: String, layouts: Arc<Layouts>, sources: Vec<Option<Source>>, pong: Pong) -> Self {
        let guess =
            sources.iter().flatten().find_map(|source| source.topic_of(source.tracker.next())).unwrap_or(0);
        Self {
            name,
            layouts,
            sources,
            scanner: FrameScanner::new(WireLimits { frame_bytes_max: 64 << 20, ..WireLimits::default() }),
            guess,
            dirty: Vec::new(),
            delivered: 0,
            skipped: 0,
            corrupt: 0,
            pong,
            pong_due: false,
        }
    }

    /// What it is called in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Messages that arrived.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether everything that was sent and expected has come or been passed. Meaningful once all publishers have stopped.
    pub(crate) fn is_complete(&self) -> bool {
        self.sources.iter().flatten().all(|source| source.tracker.is_past(source.flow.sent()))
    }

    /// What became of its messages. Meaningful once all publishers have stopped.
    pub(crate) fn books(&self) -> Books {
        let mut books = Books { skipped: self.skipped, ..Books::default() };
        books.counts.corrupt = self.corrupt;
        for source in self.sources.iter().flatten() {
            let sent = source.flow.sent();
            books.counts += source.tracker.counts();
            books.expected += source.expected.count_below(sent);
            books.missing += source.tracker.missing(&source.expected, sent);
        }
        books
    }

    /// Handles every whole frame in `bytes`, which were read at `now`, and returns how many bytes that were.
    pub(crate) fn take(&mut self, bytes: &[u8], now: u64, latencies: &mut Latencies) -> Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.layouts.find(self.guess, rest) {
                Found::Whole { stamp, bytes, intact } => {
                    self.message(self.guess, stamp, intact, now, latencies);
                    bytes
                }
                Found::Part => break,
                Found::Other => match self.take_other(rest, now, latencies)? {
                    Some(used) => used,
                    None => break,
                },
            };
            rest = rest.get(used..).unwrap_or(&[]);
        }
        self.tell_progress();
        Ok(bytes.len() - rest.len())
    }

    #[inline]
    fn message(&mut self, topic: u32, stamp: Stamp, intact: bool, now: u64, latencies: &mut Latencies) {
        self.delivered += 1;
        let Some(Some(source)) = self.sources.get_mut(usize::from(stamp.publisher)) else {
            self.corrupt += 1;
            return;
        };
        if source.topic_of(stamp.number) != Some(topic) || stamp.time > now {
            source.tracker.note_corrupt();
            return;
        }
        if !intact {
            source.tracker.note_corrupt();
        }
        source.tracker.note(&source.expected, stamp.number);
        latencies.note(stamp.time, now);
        if source.cycle.len() > 1 {
            self.guess = source.topic_of(source.tracker.next()).unwrap_or(topic);
        }
        if !source.dirty {
            source.dirty = true;
            self.dirty.push(stamp.publisher);
        }
    }

    fn tell_progress(&mut self) {
        for publisher in self.dirty.drain(..) {
            if let Some(Some(source)) = self.sources.get_mut(usize::from(publisher)) {
                source.dirty = false;
                source.flow.advance(source.slot, source.tracker.next());
            }
        }
    }

    /// What does not begin like the message that was expected. Returns the bytes of its frame once that is whole.
    #[cold]
    fn take_other(&mut self, bytes: &[u8], now: u64, latencies: &mut Latencies) -> Result<Option<usize>> {
        match peek_topic(bytes) {
            Peek::Part => return Ok(None),
            Peek::Topic(name) => {
                if let Some(topic) = self.layouts.topic(name) {
                    match self.layouts.find(topic, bytes) {
                        Found::Whole { stamp, bytes, intact } => {
                            self.guess = topic;
                            self.message(topic, stamp, intact, now, latencies);
                            return Ok(Some(bytes));
                        }
                        Found::Part => return Ok(None),
                        Found::Other => {}
                    }
                }
            }
            Peek::Other => {}
        }
        let layouts = Arc::clone(&self.layouts);
        let scanned =
            self.scanner.scan(bytes).with_context(|| format!("{} got a broken frame", self.name))?;
        let Some(length) = scanned else { return Ok(None) };
        let frame = bytes.get(..length).unwrap_or(&[]);
        match Event::parse(frame).with_context(|| format!("{} got a broken frame", self.name))? {
            Event::Message(message) => match unusual(&layouts, &message) {
                Some((topic, stamp, intact)) => self.message(topic, stamp, intact, now, latencies),
                None => self.corrupt += 1,
            },
            Event::Lagged { missed, .. } => self.skipped += missed,
            Event::Ping => self.pong_due = true,
            Event::Goodbye { reason, detail } => bail!("{} was sent away: {reason}: {detail}", self.name),
            Event::Err { code, text, .. } => bail!("{} got error {code}: {text}", self.name),
            // Answers that nobody waits for any more, and events of later versions.
            _ => {}
        }
        Ok(Some(length))
    }

    /// Writes the answer to the server's ping, if one is due.
    pub(crate) fn answer_ping(&mut self, stream: &mut impl Write) -> Result<()> {
        if !std::mem::take(&mut self.pong_due) {
            return Ok(());
        }
        match &self.pong {
            Pong::Here => {
                let mut pong = Vec::new();
                encode::pong(&mut pong);
                // Nothing else is ever written here: a few bytes always fit.
                stream
                    .write_all(&pong)
                    .map_err(|error| anyhow!("{} cannot answer a ping: {error}", self.name))?;
            }
            Pong::Publisher(flag) => flag.store(true, Ordering::Relaxed),
        }
        Ok(())
    }
}

/// What the first bytes of a frame say.
enum Peek<'a> {
    /// `[topic, …`
    Topic(&'a str),
    /// The beginning of that.
    Part,
    /// Something else.
    Other,
}

/// The topic of a message in the encoding that this project's broker uses: an array of two, and a str of at most 255 bytes.
fn peek_topic(bytes: &[u8]) -> Peek<'_> {
    let (length, at) = match *bytes {
        [0x92] | [0x92, 0xd9] => return Peek::Part,
        [0x92, first @ 0xa0..=0xbf, ..] => (usize::from(first & 0x1f), 2),
        [0x92, 0xd9, length, ..] => (usize::from(length), 3),
        _ => return Peek::Other,
    };
    match bytes.get(at..at + length).map(std::str::from_utf8) {
        Some(Ok(topic)) => Peek::Topic(topic),
        Some(Err(_)) => Peek::Other,
        None => Peek::Part,
    }
}

/// Topic, stamp and intactness of a message in another encoding than the expected one.
fn unusual(layouts: &Layouts, message: &MessageRef<'_>) -> Option<(u32, Stamp, bool)> {
    let header = match message.value.first()? {
        0xc4 => 2,
        0xc5 => 3,
        0xc6 => 5,
        _ => return None,
    };
    let (stamp, intact) = layouts.payload(message.value.get(header..)?)?;
    Some((layouts.topic(message.topic)?, stamp, intact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::{Batch, Outgoing};
    use mio::{Poll, Token, Waker};

    const SIZE: usize = 40;

    /// A subscriber to topics a and b, to which publisher 0 publishes in turn, and the frames of its first messages.
    fn subscriber(sent: u64) -> (Subscriber, Vec<Vec<u8>>) {
        let topics = ["a".to_owned(), "b".to_owned()];
        let layouts = Arc::new(Layouts::new(&topics, SIZE).unwrap());
        let expected = Arc::new(Expected::new(&[true, true]).unwrap());
        let poll = Poll::new().unwrap();
        let flow = Arc::new(Flow::new(1, Arc::new(Waker::new(poll.registry(), Token(0)).unwrap())));
        flow.set_sent(sent);
        let source = Source::new(expected, [0, 1].into(), flow, 0);
        let mut batch = Batch::new(Outgoing::Bare, &["a", "b"], SIZE, 1).unwrap();
        let frames = (0..sent).map(|number| {
            let range = batch.fill(0, number, 1, |number| number);
            batch.bytes(range).to_vec()
        });
        let frames = frames.collect();
        (Subscriber::new("s".to_owned(), layouts, vec![Some(source)], Pong::Here), frames)
    }

    fn take(subscriber: &mut Subscriber, bytes: &[u8]) -> Result<usize> {
        subscriber.take(bytes, 1_000, &mut Latencies::new())
    }

    #[track_caller]
    fn check(bytes: &[Vec<u8>], sent: u64, want: impl Fn(&Books) -> bool) {
        let (mut subscriber, _) = subscriber(sent);
        let bytes = bytes.concat();
        assert_eq!(take(&mut subscriber, &bytes).unwrap(), bytes.len());
        let books = subscriber.books();
        assert!(want(&books), "{books:?}");
    }

    #[test]
    fn the_books_tell_what_became_of_the_messages() {
        let (_, f) = subscriber(4);
        check(&f, 4, |b| b.counts.received == 4 && b.missing == 0 && b.counts.corrupt == 0);
        check(&f[..3], 4, |b| b.counts.received == 3 && b.missing == 1);
        check(&[f[0].clone(), f[2].clone(), f[1].clone()], 3, |b| b.counts.reordered == 1 && b.missing == 0);
        check(&[f[0].clone(), f[0].clone()], 1, |b| b.counts.duplicated == 1);
    }

    #[test]
    fn a_lag_that_was_told_is_not_a_loss() {
        let (_, f) = subscriber(4);
        let mut lagged = Vec::new();
        encode::lagged(&mut lagged, "*", 2);
        check(&[f[0].clone(), lagged, f[3].clone()], 4, |b| b.skipped == 2 && b.missing == 2);
    }

    #[test]
    fn another_encoding_of_the_same_message_counts() {
        let (_, f) = subscriber(2);
        // The topic as str 8, the value as bin 16.
        let stamp = &f[0][f[0].len() - SIZE..];
        let other = [&[0x92, 0xd9, 1, b'a', 0xc5, 0, 40][..], stamp].concat();
        check(&[other, f[1].clone()], 2, |b| b.counts.received == 2 && b.counts.corrupt == 0);
    }

    #[test]
    fn what_was_not_asked_for_is_corrupt() {
        let (_, f) = subscriber(2);
        let mut wrong_topic = f[0].clone();
        wrong_topic[2] = b'b';
        check(&[wrong_topic], 1, |b| b.counts.corrupt == 1 && b.missing == 1);
        let mut unknown_publisher = f[0].clone();
        let at = unknown_publisher.len() - SIZE + 6;
        unknown_publisher[at] = 9;
        check(&[unknown_publisher], 1, |b| b.counts.corrupt == 1);
        let mut changed = f[0].clone();
        *changed.last_mut().unwrap() ^= 1;
        check(&[changed], 1, |b| b.counts.corrupt == 1);
        let mut other_value = Vec::new();
        encode::message(&mut other_value, "a", &[0xc3]);
        check(&[other_value], 0, |b| b.counts.corrupt == 1);
    }

    #[test]
    fn every_split_gives_the_same_books() {
        let (_, f) = subscriber(3);
        let mut lagged = Vec::new();
        encode::lagged(&mut lagged, "*", 1);
        let all = [f[0].clone(), lagged, f[2].clone()].concat();
        for split in 0..=all.len() {
            let (mut subscriber, _) = subscriber(3);
            let used = take(&mut subscriber, &all[..split]).unwrap();
            let rest = take(&mut subscriber, &all[used..]).unwrap();
            assert_eq!(used + rest, all.len(), "split at {split}");
            let books = subscriber.books();
            assert_eq!((books.counts.received, books.skipped, books.missing), (2, 1, 1), "split at {split}");
        }
    }

    #[test]
    fn a_frame_that_is_none_ends_the_run() {
        let (mut s, f) = subscriber(1);
        assert!(take(&mut s, &[0xc1]).is_err());
        let (mut s, _) = subscriber(1);
        assert!(take(&mut s, &[f[0].clone(), vec![0x07]].concat()).is_err());
        let mut goodbye = Vec::new();
        encode::goodbye(&mut goodbye, "slow-consumer", "too slow");
        let (mut s, _) = subscriber(1);
        assert!(take(&mut s, &goodbye).unwrap_err().to_string().contains("slow-consumer"));
    }
}
