//! What the broker retains, topic by topic, and what its clients and its operator make of that.

use broker_core::glob_tree::Pattern;

use super::Message;
use crate::sim::config::{Config, SHORT_LIVED_GLOB, SHORT_LIVED_MS, TOPICS, UNRETAINED_GLOB};

/// In place of a time.
pub(super) const NEVER: u64 = u64::MAX;

/// The message of a topic.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) number: u64,
    /// From then on it does not hold any more.
    pub(super) until_ms: u64,
    /// A `Clear` is about to forget it, or ended with its session.
    pub(super) doubtful: bool,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    topics: Vec<Topic>,
    clearings: Vec<Clearing>,
    value_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Topic {
    kept: Option<Kept>,
    /// What the operator says of it.
    unretained: bool,
    ttl_ms: Option<u64>,
}

/// A `Clear` that may go on.
#[derive(Debug)]
struct Clearing {
    session: usize,
    /// Topics, and the message of each that goes.
    topics: Vec<(usize, u64)>,
}

/// What became of the retained message of a topic that was published to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// It was cleared.
    pub(super) cleared: bool,
    /// Sessions whose `Clear` may have come to it first, or not.
    pub(super) doubts: Vec<usize>,
}

impl Store {
    pub(super) fn new(config: &Config) -> Self {
        let matches = |pattern: &str, name: &str| {
            config.ruled && Pattern::glob(pattern).is_ok_and(|pattern| pattern.matches(name))
        };
        let topic = |name: &&str| Topic {
            kept: None,
            unretained: matches(UNRETAINED_GLOB, name),
            ttl_ms: matches(SHORT_LIVED_GLOB, name).then_some(SHORT_LIVED_MS),
        };
        Store {
            topics: TOPICS.iter().map(topic).collect(),
            clearings: Vec::new(),
            value_bytes_max: config.value_bytes_max,
        }
    }

    /// The message of a topic, if it has one that holds.
    pub(super) fn get(&self, topic: usize, now_ms: u64) -> Option<&Kept> {
        self.topics.get(topic)?.kept.as_ref().filter(|kept| now_ms < kept.until_ms)
    }

    /// A message was published that is to be retained.
    pub(super) fn publish(
        &mut self,
        number: u64,
        message: &Message,
        ttl_ms: Option<u64>,
        now_ms: u64,
    ) -> Outcome {
        let doubts = self.doubt(message.topic);
        let value_bytes_max = self.value_bytes_max;
        let Some(topic) = self.topics.get_mut(message.topic).filter(|topic| !topic.unretained) else {
            return Outcome::default();
        };
        let before = topic.kept.take();
        if message.empty.is_some() {
            return Outcome { cleared: before.is_some(), doubts };
        }
        if message.value_bytes <= value_bytes_max {
            let ttl_ms = ttl_ms.or(topic.ttl_ms);
            let until_ms = ttl_ms.map_or(NEVER, |ttl_ms| now_ms + ttl_ms);
            topic.kept = Some(Kept { number, until_ms, doubtful: false });
        }
        Outcome { cleared: false, doubts }
    }

    /// Whose `Clear` may or may not count the message of this topic.
    fn doubt(&mut self, topic: usize) -> Vec<usize> {
        let mut doubts = Vec::new();
        for clearing in &mut self.clearings {
            let before = clearing.topics.len();
            clearing.topics.retain(|(other, _)| *other != topic);
            doubts.extend((clearing.topics.len() < before).then_some(clearing.session));
        }
        doubts
    }

    /// A session began to clear these topics. Returns how many messages go by that, at least and at most, and whose `Clear` may count less.
    pub(super) fn begin_clear(
        &mut self,
        session: usize,
        topics: &[usize],
        now_ms: u64,
    ) -> (u64, u64, Vec<usize>) {
        let (mut least, mut most) = (0, 0);
        let (mut doubts, mut cleared) = (Vec::new(), Vec::new());
        for &number in topics {
            if self.get(number, now_ms).is_none() {
                continue;
            }
            most += 1;
            doubts.extend(self.doubt(number));
            let Some(kept) = self.topics.get_mut(number).and_then(|topic| topic.kept.as_mut()) else {
                continue;
            };
            // One with an end may come to it before the command does.
            least += u64::from(!kept.doubtful && kept.until_ms == NEVER);
            kept.doubtful = true;
            cleared.push((number, kept.number));
        }
        self.clearings.push(Clearing { session, topics: cleared });
        (least, most, doubts)
    }

    /// The `Clear` of a session is done.
    pub(super) fn end_clear(&mut self, session: usize) {
        for (topic, number) in self.take_clearing(session) {
            if let Some(topic) = self.topics.get_mut(topic) {
                topic.kept.take_if(|kept| kept.number == number);
            }
        }
    }

    /// The session ended, and with it what it had not done.
    pub(super) fn abandon_clear(&mut self, session: usize) {
        self.take_clearing(session);
    }

    fn take_clearing(&mut self, session: usize) -> Vec<(usize, u64)> {
        let found = self.clearings.iter().position(|clearing| clearing.session == session);
        found.map(|at| self.clearings.swap_remove(at).topics).unwrap_or_default()
    }
}
