//! Which topics the broker knows where it keeps few of them: those that were published to last, as many as the bounds allow.

use broker_core::TopicStats;

use crate::sim::config::TOPICS;
use crate::sim::operator::Operator;

#[derive(Debug, Default)]
pub(super) struct Known {
    topics_max: usize,
    bytes_max: usize,
    topics: Vec<Topic>,
    /// Publishes so far.
    turn: u64,
    /// Topics that went at the bound so far.
    evicted: u64,
}

#[derive(Debug, Default, Clone)]
struct Topic {
    /// The turn in which it was published to last, if it is known.
    touched: Option<u64>,
    /// Bytes of what is kept of it beside its name.
    bytes: usize,
    /// It went at the bound.
    gone: bool,
}

impl Known {
    pub(super) fn new(operator: &Operator) -> Self {
        Known {
            topics_max: operator.topics_max,
            bytes_max: operator.bytes_max,
            topics: vec![Topic::default(); TOPICS.len()],
            ..Known::default()
        }
    }

    /// The topic was published to. True if it had gone before.
    pub(super) fn touch(&mut self, topic: usize) -> bool {
        self.turn += 1;
        let Some(topic) = self.topics.get_mut(topic) else { return false };
        topic.touched = Some(self.turn);
        std::mem::take(&mut topic.gone)
    }

    /// So much is kept of it now.
    pub(super) fn keep(&mut self, topic: usize, bytes: usize) {
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.bytes = bytes;
        }
    }

    /// It is not known any more, for another reason than the bound.
    pub(super) fn forget(&mut self, topic: usize) {
        if let Some(topic) = self.topics.get_mut(topic) {
            *topic = Topic::default();
        }
    }

    pub(super) fn has_gone(&self, topic: usize) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.gone)
    }

    /// The topic that was published to least recently goes first. Returns those that went.
    pub(super) fn keep_bounds(&mut self) -> Vec<usize> {
        let mut gone = Vec::new();
        while self.count() > self.topics_max || self.bytes() > self.bytes_max {
            let known = self.topics.iter_mut().enumerate().filter(|(_, topic)| topic.touched.is_some());
            let Some((at, oldest)) = known.min_by_key(|(_, topic)| topic.touched) else { break };
            *oldest = Topic { gone: true, ..Topic::default() };
            gone.push(at);
            self.evicted += 1;
        }
        gone
    }

    fn count(&self) -> usize {
        self.topics.iter().filter(|topic| topic.touched.is_some()).count()
    }

    fn bytes(&self) -> usize {
        let known = TOPICS.iter().zip(&self.topics).filter(|(_, topic)| topic.touched.is_some());
        known.map(|(name, topic)| name.len() + topic.bytes).sum()
    }

    /// What is wrong with the broker's figures.
    pub(super) fn differs(&self, stats: &TopicStats) -> Option<String> {
        let is_bound = self.topics_max < usize::MAX || self.bytes_max < usize::MAX;
        let is_exact = self.bytes_max < usize::MAX;
        let wrong = stats.evicted != self.evicted
            || is_bound && stats.topics != self.count()
            || is_exact && stats.retained_bytes != self.bytes();
        wrong.then(|| {
            let (count, bytes) = (self.count(), self.bytes());
            format!("{stats:?}, and should be {count} topics, {bytes} bytes, {} evicted", self.evicted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_published_to_least_recently_goes() {
        let mut known = Known { topics_max: 2, bytes_max: usize::MAX, ..Known::default() };
        known.topics = vec![Topic::default(); TOPICS.len()];
        for topic in [0, 1, 0, 2] {
            assert!(!known.touch(topic));
        }
        assert_eq!(known.keep_bounds(), [1]);
        assert!(known.has_gone(1) && known.touch(1) && !known.has_gone(1));
        assert_eq!(known.keep_bounds(), [0]);
        (known.topics_max, known.bytes_max) = (9, 10);
        known.keep(2, 5);
        assert_eq!(known.keep_bounds(), [2], "3 + 5 + 3 are more than 10");
    }
}
