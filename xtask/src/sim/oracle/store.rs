//! What the broker retains, topic by topic, and what its clients and its operator make of that.

mod known;

use broker_core::TopicStats;

use self::known::Known;
use super::{Message, frame_bytes};
use crate::sim::config::{Config, INBOXES, TOPICS};

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
    known: Known,
}

#[derive(Debug, Default)]
struct Topic {
    kept: Option<Kept>,
    /// What the operator says of it.
    unretained: bool,
    /// A reply address, of which the broker keeps nothing at all.
    is_inbox: bool,
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
        let topic = |name: &&str| {
            let (retained, ttl_ms) = config.operator.retaining(name);
            let is_inbox = INBOXES.contains(name);
            Topic { kept: None, unretained: !retained || is_inbox, is_inbox, ttl_ms }
        };
        Store {
            topics: TOPICS.iter().map(topic).collect(),
            clearings: Vec::new(),
            value_bytes_max: config.value_bytes_max,
            known: Known::new(&config.operator),
        }
    }

    /// A message was published, whether it is to be retained or not. True if its topic had gone at the bound before.
    pub(super) fn touch(&mut self, topic: usize) -> bool {
        let is_inbox = self.topics.get(topic).is_none_or(|topic| topic.is_inbox);
        !is_inbox && self.known.touch(topic)
    }

    /// What was published until now was published in one go: topics go until the bounds hold. Returns them.
    pub(super) fn keep_bounds(&mut self) -> Vec<usize> {
        let gone = self.known.keep_bounds();
        for topic in &gone {
            if let Some(topic) = self.topics.get_mut(*topic) {
                topic.kept = None;
            }
        }
        gone
    }

    /// What is over goes, and takes its topic with it.
    pub(super) fn expire(&mut self, now_ms: u64) {
        for (number, topic) in self.topics.iter_mut().enumerate() {
            if topic.kept.take_if(|kept| kept.until_ms <= now_ms).is_some() {
                self.known.forget(number);
            }
        }
    }

    /// Whether the topic went at the bound, and is not known since.
    pub(super) fn has_gone(&self, topic: usize) -> bool {
        self.known.has_gone(topic)
    }

    /// What is wrong with the broker's figures.
    pub(super) fn differs(&self, stats: &TopicStats) -> Option<String> {
        self.known.differs(stats)
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
            let name = TOPICS.get(message.topic).copied().unwrap_or_default();
            self.known.keep(message.topic, frame_bytes(message, name, 0, false, false));
        } else {
            self.known.keep(message.topic, 0);
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
