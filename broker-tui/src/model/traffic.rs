//! The traffic view: the newest messages of the tap, and an account of those that are not there.
//!
//! Invariants: at most [`LINES_MAX`] messages and [`BYTES_MAX`] bytes of values; every message that came to this
//! dashboard is shown, or was shown, or is counted in [`Traffic::dropped`] or [`Traffic::held_back`].

use std::collections::VecDeque;
use std::time::Duration;

use super::cursor::Cursor;
use super::history::History;
use crate::message::{Seen, TrafficNews};

/// Messages kept: what someone scrolls back through.
pub const LINES_MAX: usize = 1_000;
/// Bytes of values kept.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A message in the list, with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counts from 0 since the tap was opened.
    pub number: u64,
    /// The message.
    pub seen: Seen,
}

/// State of the traffic view.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// What the tap shows.
    pub pattern: String,
    /// The list does not change.
    pub frozen: bool,
    /// The list moves with the newest message.
    pub follow: bool,
    /// The selected message.
    pub cursor: Cursor<u64>,
    /// The payload has the whole view.
    pub detail: bool,
    /// First line of the payload that is shown.
    pub payload_offset: usize,
    /// Messages that came while the list was frozen, since it was.
    pub held_back: u64,
    /// Messages that came.
    pub received: u64,
    /// Messages that came and were dropped before they were shown.
    pub dropped: u64,
    /// Messages that the broker did not send because this dashboard was too slow.
    pub missed: u64,
    /// Why there is no tap, if the broker refused the pattern.
    pub refused: Option<String>,
    /// Messages a second that came.
    pub arrivals: History,
    second: u64,
    this_second: u64,
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new("*")
    }
}

impl Traffic {
    /// A tap that has seen nothing.
    pub fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            frozen: false,
            follow: true,
            cursor: Cursor::default(),
            detail: false,
            payload_offset: 0,
            held_back: 0,
            received: 0,
            dropped: 0,
            missed: 0,
            refused: None,
            arrivals: History::default(),
            second: 0,
            this_second: 0,
            lines: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Another pattern: the list begins anew.
    pub fn set_pattern(&mut self, pattern: &str) {
        *self = Self::new(pattern);
    }

    /// The tap brought something; `page` is the number of lines on the screen.
    pub fn news(&mut self, news: TrafficNews, page: usize) {
        if news.pattern != self.pattern {
            // Still under way when the pattern changed.
            return;
        }
        let arrived = news.seen.len() as u64;
        self.received += arrived + news.dropped;
        self.this_second += arrived + news.dropped;
        self.missed += news.missed;
        self.dropped += news.dropped;
        if self.frozen {
            self.held_back += arrived;
            return;
        }
        let first = self.received - arrived;
        for (number, seen) in (first..).zip(news.seen) {
            self.bytes += seen.value.len();
            self.lines.push_back(Line { number, seen });
        }
        self.forget();
        self.settle(page);
    }

    /// The time: closes the second that is counted.
    pub fn clock(&mut self, now: Duration) {
        if now.as_secs() != self.second {
            let second = std::mem::replace(&mut self.second, now.as_secs());
            let count = u32::try_from(std::mem::take(&mut self.this_second)).unwrap_or(u32::MAX);
            if self.received > 0 {
                self.arrivals.push(Duration::from_secs(second), f64::from(count));
            }
        }
    }

    /// Freezes the list, or lets it go on.
    pub fn toggle_freeze(&mut self) {
        self.frozen = !self.frozen;
        self.held_back = 0;
    }

    /// Empties the list; the counts stay.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.cursor.reset();
        self.payload_offset = 0;
        self.follow = true;
    }

    /// Moves the selection. On the last line the list follows what comes.
    pub fn step(&mut self, steps: isize, page: usize) {
        self.cursor.step(steps, &self.numbers(), page);
        self.follow = self.cursor.index() + 1 >= self.lines.len();
        self.payload_offset = 0;
    }

    /// Finds the selection again, after anything changed.
    pub fn settle(&mut self, page: usize) {
        let numbers = self.numbers();
        let before = self.cursor.key().copied();
        if self.follow {
            self.cursor.select(numbers.len().saturating_sub(1), &numbers, page);
        } else {
            self.cursor.settle(&numbers, page);
        }
        if self.cursor.key().copied() != before {
            self.payload_offset = 0;
        }
    }

    /// The messages, oldest first.
    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// The selected message.
    pub fn selected(&self) -> Option<&Line> {
        self.lines.get(self.cursor.index())
    }

    fn forget(&mut self) {
        let mut gone = 0;
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(line) = self.lines.pop_front() else { break };
            self.bytes -= line.seen.value.len();
            gone += 1;
        }
        self.cursor.rows_gone(gone);
    }

    fn numbers(&self) -> Vec<u64> {
        self.lines.iter().map(|line| line.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(pattern: &str, count: usize, size: usize) -> TrafficNews {
        let seen = Seen { topic: "t".to_owned(), value: vec![1; size], size, ..Seen::default() };
        TrafficNews { pattern: pattern.to_owned(), seen: vec![seen; count], ..TrafficNews::default() }
    }

    #[test]
    fn stays_bounded_in_messages_and_bytes() {
        let mut traffic = Traffic::default();
        for _ in 0..30 {
            traffic.news(news("*", 100, 1), 10);
        }
        assert_eq!((traffic.lines().len(), traffic.received), (LINES_MAX, 3_000));
        assert_eq!(traffic.selected().unwrap().number, 2_999);
        traffic.news(news("*", 600, 64 * 1024), 10);
        assert!(traffic.bytes <= BYTES_MAX);
        assert_eq!(traffic.bytes, traffic.lines().iter().map(|line| line.seen.value.len()).sum::<usize>());
    }

    #[test]
    fn counts_what_is_not_shown() {
        let mut traffic = Traffic::default();
        traffic.news(TrafficNews { dropped: 7, missed: 3, ..news("*", 2, 1) }, 10);
        assert_eq!((traffic.received, traffic.dropped, traffic.missed), (9, 7, 3));
        assert_eq!(traffic.lines()[0].number, 7, "the dropped ones came before");
        traffic.toggle_freeze();
        traffic.news(TrafficNews { dropped: 1, ..news("*", 5, 1) }, 10);
        assert_eq!(
            (traffic.lines().len(), traffic.held_back, traffic.dropped, traffic.received),
            (2, 5, 8, 15)
        );
        traffic.toggle_freeze();
        assert_eq!(traffic.held_back, 0);
        traffic.news(news("other", 5, 1), 10);
        assert_eq!(traffic.received, 15, "news of a pattern that is over is not counted");
    }

    #[test]
    fn follows_only_from_the_last_line() {
        let mut traffic = Traffic::default();
        traffic.news(news("*", 5, 1), 3);
        assert_eq!(traffic.selected().unwrap().number, 4);
        traffic.step(-1, 3);
        traffic.news(news("*", 5, 1), 3);
        assert_eq!(traffic.selected().unwrap().number, 3, "the selection stays");
        traffic.step(isize::MAX, 3);
        traffic.news(news("*", 1, 1), 3);
        assert_eq!(traffic.selected().unwrap().number, 10);
    }

    #[test]
    fn a_selected_message_that_falls_off_leaves_the_oldest_selected() {
        let mut traffic = Traffic::default();
        traffic.news(news("*", 5, 1), 3);
        traffic.step(isize::MIN, 3);
        traffic.news(news("*", LINES_MAX, 1), 3);
        assert_eq!((traffic.selected().unwrap().number, traffic.follow), (5, false));
    }

    #[test]
    fn counts_arrivals_by_the_second() {
        let mut traffic = Traffic::default();
        traffic.clock(Duration::from_secs(1));
        traffic.news(news("*", 5, 1), 3);
        traffic.clock(Duration::from_millis(1_900));
        traffic.news(news("*", 5, 1), 3);
        assert!(traffic.arrivals.is_empty());
        traffic.clock(Duration::from_millis(2_100));
        assert_eq!(traffic.arrivals.last(), Some(10.0));
    }

    #[test]
    fn another_pattern_begins_anew() {
        let mut traffic = Traffic::default();
        traffic.news(news("*", 5, 1), 3);
        traffic.set_pattern("a/*");
        assert_eq!(traffic, Traffic::new("a/*"));
    }
}
