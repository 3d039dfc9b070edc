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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::publisher::Publisher;

    /// Cause: a `Clear` left alone each topic that was published to since it began. Effect: where that was not to be retained, what was retained before the
    /// command stayed. Found by the simulation. Fix: it goes by when the retained message was published.
    #[test]
    fn what_is_published_meanwhile_stays_and_saves_nothing_older() {
        const TOPICS: usize = 2 * TOPICS_PER_TURN;
        let broker = Broker::new(Limits::default());
        let mut publisher = Publisher::new(1);
        let now = Now { unix_ms: 1, monotonic_ms: 1 };
        let mut publish_all = |value: &[u8], retained: fn(usize) -> bool| {
            for number in 0..TOPICS {
                broker.publish(&mut publisher, now, &format!("t/{number}"), value, retained(number));
            }
        };
        publish_all(b"\x01", |_| true);
        let mut clearing = Clearing::new(&broker, Pattern::glob("t/*").unwrap(), None);
        assert!(clearing.advance(&broker, now), "there is more to do");
        let first = clearing.cleared();
        publish_all(b"\x02", |number| number % 2 == 0);
        while clearing.advance(&broker, now) {}
        let kept =
            broker.recent_topics(2 * TOPICS, 1).into_iter().filter(|info| info.value.is_some()).count();
        assert_eq!(kept, TOPICS / 2, "each second one is newer");
        assert!(first > 0 && clearing.cleared() > first, "{first}, {}", clearing.cleared());
    }
}
