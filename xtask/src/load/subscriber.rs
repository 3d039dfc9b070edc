//! One subscriber: takes bytes as they arrive, tells messages from events, and keeps the books.
//!
//! No socket here but for the answer to a ping. Never trusting: a message of an unknown publisher, on a topic that was not asked for, or with changed
//! bytes is counted as corrupt; a frame that is no message and no event ends the run with an error.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};

use super::flow::Flow;
use super::group::Member;
use super::latency::Latencies;
use super::layout::{Found, Layouts};
use super::protocol::{Decoder, Got};
use super::stamp::Stamp;
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

    /// Whether a message that is out of turn or changed can be taken at its word: its stamp may be what has changed, and one made-up number
    /// would make all later messages look late. A number that was never sent is made up; that of a changed message counts
    /// only if it is the one that is due.
    #[cold]
    fn believes(&self, stamp: &Stamp, in_turn: bool, intact: bool) -> bool {
        (in_turn || intact) && stamp.number < self.flow.sent()
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
    decoder: Decoder,
    /// The topic that the next message is probably on.
    guess: u32,
    dirty: Vec<u16>,
    delivered: u64,
    skipped: u64,
    corrupt: u64,
    pong: Pong,
    pong_due: bool,
    /// Where it shares its messages with others.
    member: Option<Member>,
}

impl Subscriber {
    /// A subscriber that expects what `sources` say, by the number of the publisher.
    pub(crate) fn new(name: String, layouts: Arc<Layouts>, sources: Vec<Option<Source>>, pong: Pong) -> Self {
        let guess =
            sources.iter().flatten().find_map(|source| source.topic_of(source.tracker.next())).unwrap_or(0);
        Self {
            name,
            decoder: Decoder::new(layouts.wire()),
            layouts,
            sources,
            guess,
            dirty: Vec::new(),
            delivered: 0,
            skipped: 0,
            corrupt: 0,
            pong,
            pong_due: false,
            member: None,
        }
    }

    /// The same as a member of a group.
    pub(crate) fn in_group(mut self, member: Option<Member>) -> Self {
        self.member = member;
        self
    }

    /// What it is called in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Messages that arrived.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Messages that the broker said it had skipped.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether everything that was sent and expected has come or was left out, as told. Meaningful once all publishers have stopped.
    pub(crate) fn is_complete(&self) -> bool {
        let mut missing = 0;
        for (publisher, source) in self.sources.iter().enumerate() {
            let Some(source) = source else { continue };
            let sent = source.flow.sent();
            let complete = match &self.member {
                None => source.tracker.is_past(sent),
                Some(member) => member.is_complete(publisher, sent),
            };
            if !complete {
                return false;
            }
            if self.member.is_none() {
                missing += source.tracker.missing(&source.expected, sent);
            }
        }
        // What was passed and not owned up to may still come.
        missing <= self.skipped
    }

    /// What became of its messages. Meaningful once all publishers have stopped.
    pub(crate) fn books(&self) -> Books {
        let mut books = Books { skipped: self.skipped, ..Books::default() };
        books.counts.corrupt = self.corrupt;
        if let Some(member) = &self.member {
            books.skipped = member.skipped();
            books.counts.reordered = member.reordered();
        }
        for (publisher, source) in self.sources.iter().enumerate() {
            let Some(source) = source else { continue };
            let sent = source.flow.sent();
            if let Some(member) = &self.member {
                let (counts, expected, missing) = member.books(publisher, sent);
                books.counts += counts;
                // What had changed on the way was noted by each member itself.
                books.counts.corrupt += source.tracker.counts().corrupt;
                books.expected += expected;
                books.missing += missing;
                continue;
            }
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
        if source.topic_of(stamp.number) != Some(topic) || stamp.sent > now {
            source.tracker.note_corrupt();
            return;
        }
        let in_turn = stamp.number == source.tracker.next();
        if (!in_turn || !intact) && !source.believes(&stamp, in_turn, intact) {
            source.tracker.note_corrupt();
            return;
        }
        if !intact {
            source.tracker.note_corrupt();
        }
        let fresh = match &mut self.member {
            None => source.tracker.note(&source.expected, stamp.number),
            Some(member) => {
                member.note(stamp.publisher, stamp.number);
                true
            }
        };
        // A copy is no delivery, and the times of a changed message may be what has changed.
        if fresh && intact {
            latencies.note(&stamp, now);
        }
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
                let Source { flow, slot, .. } = source;
                match &mut self.member {
                    None => flow.advance(*slot, source.tracker.next()),
                    Some(member) => member.enter(publisher, |next| flow.advance(*slot, next)),
                }
            }
        }
    }

    /// What does not begin like the message that was expected. Returns the bytes of its frame once that is whole.
    #[cold]
    fn take_other(&mut self, bytes: &[u8], now: u64, latencies: &mut Latencies) -> Result<Option<usize>> {
        let found = self.decoder.next(bytes).with_context(|| format!("{} got a broken frame", self.name))?;
        let Some((got, length)) = found else { return Ok(None) };
        match got {
            Got::Message { topic, payload } => self.take_message(&topic, payload, now, latencies),
            Got::Lagged(missed) => {
                self.skipped += missed;
                self.member.iter().for_each(|member| member.note_skipped(missed));
            }
            Got::Ping => self.pong_due = true,
            Got::Refused(text) => bail!("{} was sent away: {text}", self.name),
            // Answers that nobody waits for any more, and events of later versions.
            Got::Greeting(_) | Got::Answer(_) | Got::Other => {}
        }
        Ok(Some(length))
    }

    /// A message on another topic than the one that was guessed, or in another encoding.
    fn take_message(&mut self, topic: &str, payload: &[u8], now: u64, latencies: &mut Latencies) {
        match (self.layouts.topic(topic), self.layouts.payload(payload)) {
            (Some(topic), Some((stamp, intact))) => {
                self.guess = topic;
                self.message(topic, stamp, intact, now, latencies);
            }
            _ => self.corrupt += 1,
        }
    }

    /// Writes the answer to the server's ping, if one is due.
    pub(crate) fn answer_ping(&mut self, stream: &mut impl Write) -> Result<()> {
        if !std::mem::take(&mut self.pong_due) {
            return Ok(());
        }
        match &self.pong {
            Pong::Here => {
                // Nothing else is ever written here: a few bytes always fit.
                stream
                    .write_all(self.layouts.wire().pong())
                    .map_err(|error| anyhow!("{} cannot answer a ping: {error}", self.name))?;
            }
            Pong::Publisher(flag) => flag.store(true, Ordering::Relaxed),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
