//! One topic, with what the dashboard worked out about it.

use std::time::Duration;

use super::rate::Counts;
use super::tree::{SYSTEM, Sum};
use crate::message::TopicRow;

/// A topic, with what the dashboard worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// What the broker told.
    pub row: TopicRow,
    /// When it told it.
    told: Duration,
    counts: Counts<2>,
}

impl Topic {
    /// A topic that was told of for the first time.
    pub fn new(row: TopicRow, told: Duration) -> Self {
        Self { row, told, counts: Counts::default() }
    }

    /// Whether the broker tells of itself on it.
    pub fn is_system(&self) -> bool {
        self.row.topic.starts_with(SYSTEM)
    }

    /// The outermost group that it stands in.
    pub(super) fn first_group(&self) -> Option<String> {
        let end = self.row.topic.find(['/', '.'])? + 1;
        self.row.topic.get(..end).map(str::to_owned)
    }

    /// A topic that was told of again, with its counts so far.
    pub(super) fn told(row: TopicRow, told: Duration, counts: Counts<2>) -> Self {
        Self { row, told, counts }
    }

    /// Its name and its counts, to be told of again.
    pub(super) fn into_counts(self) -> (String, Counts<2>) {
        (self.row.topic, self.counts)
    }

    /// Messages a second.
    pub fn rate(&self) -> Option<f64> {
        self.counts.rate(0)
    }

    /// Bytes a second.
    pub fn bytes_rate(&self) -> Option<f64> {
        self.counts.rate(1)
    }

    /// When its newest message came.
    pub fn newest(&self) -> Duration {
        self.told.saturating_sub(Duration::from_millis(self.row.age_ms))
    }

    /// How old its newest message is.
    pub fn age(&self, now: Duration) -> Duration {
        Duration::from_millis(self.row.age_ms) + now.saturating_sub(self.told)
    }

    /// Its figures, to be added up.
    pub fn sum(&self) -> Sum {
        Sum {
            topics: 1,
            rate: self.rate(),
            messages: self.row.messages,
            size: self.row.size,
            newest: self.newest(),
        }
    }
}
