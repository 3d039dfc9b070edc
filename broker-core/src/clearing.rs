//! A `Clear` under way: the retained messages of the topics that match are forgotten, some topics at a time.
//!
//! What is published meanwhile stays. Nothing below `!system/` goes: only the server says what is there.

use glob_tree::Pattern;

use crate::broker::Broker;
use crate::message::Now;
use crate::topic::is_reserved;
use crate::topics::Walk;

/// Topics in one turn: a fraction of a millisecond.
const TOPICS_PER_TURN: usize = 256;

#[derive(Debug)]
pub(crate) struct Clearing {
    pattern: Pattern,
    id: Option<u64>,
    walk: Walk,
    /// What was published since then stays: a number in the order of publishes.
    before: u64,
    cleared: u64,
}

impl Clearing {
    pub(crate) fn new(broker: &Broker, pattern: Pattern, id: Option<u64>) -> Self {
        let before = broker.topics().tick();
        Clearing { walk: Walk::new(broker.topics(), &pattern), pattern, id, before, cleared: 0 }
    }

    /// Goes on. False when all is done.
    pub(crate) fn advance(&mut self, broker: &Broker, now: Now) -> bool {
        let topics = broker.topics();
        let Clearing { pattern, walk, before, cleared, .. } = self;
        walk.advance(topics, pattern, TOPICS_PER_TURN, |topic| {
            if !is_reserved(topic.name()) && topics.clear(&topic, now.monotonic_ms, *before) {
                *cleared += 1;
            }
        })
    }

    /// With which an answer is asked for.
    pub(crate) fn id(&self) -> Option<u64> {
        self.id
    }

    /// How many messages were forgotten.
    pub(crate) fn cleared(&self) -> u64 {
        self.cleared
    }
}
