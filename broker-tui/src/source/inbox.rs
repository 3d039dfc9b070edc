//! Between the subscriptions and the screen: news waits here until the next frame, and no more of it than a frame can show.
//!
//! Invariants: bounded, whatever arrives; of each figure and table only the newest waits; of the traffic the newest
//! [`TRAFFIC_MAX`] messages, and those that had to go are counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use broker_client::Message;
use tokio::sync::Notify;

use super::decode;
use crate::message::{News, SlowRow, TrafficNews};
use crate::model::metrics::NAMES_MAX;

/// Messages of the tap that wait for a frame: 16 frames a second show more than 4,000 of them.
pub const TRAFFIC_MAX: usize = 256;
/// Messages of the selected topic that wait for a frame.
const WATCHED_MAX: usize = 64;

/// Sessions that became slow or recovered and that wait for a frame. A guess: the broker tells some once a second.
const SLOW_MAX: usize = 256;

/// What waits.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    link: Option<News>,
    server: Option<News>,
    totals: Option<News>,
    connections: Option<News>,
    closed: Option<News>,
    slow: VecDeque<SlowRow>,
    topics: Option<News>,
    refused: Option<News>,
    metrics: BTreeMap<String, f64>,
    pattern: String,
    traffic: VecDeque<Message>,
    dropped: u64,
    missed: u64,
    watched: VecDeque<Message>,
}

impl Inbox {
    /// Puts news in the place of older news of its kind.
    pub fn put(&self, news: News) {
        self.change(|waiting| match news {
            News::Metric { name, value } => {
                if waiting.metrics.len() < NAMES_MAX || waiting.metrics.contains_key(&name) {
                    waiting.metrics.insert(name, value);
                }
            }
            News::Connected { .. } | News::Disconnected { .. } => waiting.link = Some(news),
            News::Server(_) => waiting.server = Some(news),
            News::Totals(_) => waiting.totals = Some(news),
            News::Connections(_) => waiting.connections = Some(news),
            News::Closed(_) => waiting.closed = Some(news),
            News::Slow(rows) => {
                waiting.slow.extend(rows);
                // The tables tell who is slow all the same.
                let over = waiting.slow.len().saturating_sub(SLOW_MAX);
                waiting.slow.drain(..over);
            }
            News::Topics(_) => waiting.topics = Some(news),
            News::Refused { .. } => waiting.refused = Some(news),
            // These come as messages: see `tapped` and `watched`.
            News::Traffic(_) | News::Watched(_) => {}
        });
    }

    /// The tap has another pattern: what waits of the old one is not wanted any more.
    pub fn tap(&self, pattern: &str) {
        self.change(|waiting| {
            pattern.clone_into(&mut waiting.pattern);
            waiting.traffic.clear();
            (waiting.dropped, waiting.missed) = (0, 0);
        });
    }

    /// A message of the tap.
    pub fn tapped(&self, message: Message) {
        self.change(|waiting| {
            if waiting.traffic.len() >= TRAFFIC_MAX {
                waiting.traffic.pop_front();
                waiting.dropped += 1;
            }
            waiting.traffic.push_back(message);
        });
    }

    /// A message of the selected topic.
    pub fn watched(&self, message: Message) {
        self.change(|waiting| {
            if waiting.watched.len() >= WATCHED_MAX {
                waiting.watched.pop_front();
            }
            waiting.watched.push_back(message);
        });
    }

    /// Messages did not get as far as [`tapped`](Self::tapped), because of this dashboard (`here`) or of the broker.
    pub fn lagged(&self, pattern: &str, missed: u64, here: bool) {
        self.change(|waiting| {
            if pattern != waiting.pattern {
                return;
            }
            let count = if here { &mut waiting.dropped } else { &mut waiting.missed };
            *count = count.saturating_add(missed);
        });
    }

    /// Waits until there is something.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes all that waits.
    pub fn take(&self) -> Vec<News> {
        let taken = {
            let mut waiting = self.lock();
            let pattern = waiting.pattern.clone();
            std::mem::replace(&mut *waiting, Waiting { pattern, ..Waiting::default() })
        };
        let Waiting { link, server, totals, connections, closed, topics, refused, metrics, .. } = taken;
        let mut news: Vec<News> = [link, server].into_iter().flatten().collect();
        news.extend(metrics.into_iter().map(|(name, value)| News::Metric { name, value }));
        news.extend([totals, connections, closed, topics, refused].into_iter().flatten());
        if !taken.slow.is_empty() {
            news.push(News::Slow(taken.slow.into()));
        }
        if !taken.traffic.is_empty() || taken.dropped > 0 || taken.missed > 0 {
            let (pattern, dropped, missed) = (taken.pattern, taken.dropped, taken.missed);
            let seen = taken.traffic.iter().map(decode::seen).collect();
            news.push(News::Traffic(TrafficNews { pattern, seen, dropped, missed }));
        }
        if !taken.watched.is_empty() {
            news.push(News::Watched(taken.watched.iter().map(decode::seen).collect()));
        }
        news
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics while it holds the lock; and if it did, what waits is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ServerNews;

    #[test]
    fn the_newest_of_each_kind_waits() {
        let inbox = Inbox::default();
        for value in [1.0, 2.0] {
            inbox.put(News::Metric { name: "cpu".to_owned(), value });
            inbox.put(News::Server(ServerNews { version: value.to_string(), ..ServerNews::default() }));
        }
        inbox.put(News::Disconnected { error: "x".to_owned() });
        inbox.put(News::Connected { session: Some(3) });
        let news = inbox.take();
        let [News::Connected { session: Some(3) }, News::Server(server), News::Metric { value, .. }] =
            news.as_slice()
        else {
            panic!("{news:?}");
        };
        assert_eq!((server.version.as_str(), *value), ("2", 2.0));
        assert!(inbox.take().is_empty());
    }

    #[test]
    fn figures_are_bounded() {
        let inbox = Inbox::default();
        for i in 0..1_000 {
            inbox.put(News::Metric { name: format!("m{i}"), value: 1.0 });
        }
        assert_eq!(inbox.take().len(), NAMES_MAX);
    }

    #[test]
    fn events_wait_in_their_order_and_are_bounded() {
        let inbox = Inbox::default();
        for session in 0..300 {
            inbox.put(News::Slow(vec![SlowRow { session, ..SlowRow::default() }]));
        }
        let news = inbox.take();
        let [News::Slow(rows)] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!((rows.len(), rows[0].session, rows[255].session), (SLOW_MAX, 44, 299));
    }

    #[test]
    fn what_was_missed_counts_for_the_pattern_of_the_tap() {
        let inbox = Inbox::default();
        inbox.tap("a/*");
        inbox.lagged("b/*", 5, true);
        assert!(inbox.take().is_empty());
        inbox.lagged("a/*", 5, true);
        inbox.lagged("a/*", 7, false);
        let news = inbox.take();
        let [News::Traffic(traffic)] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!((traffic.pattern.as_str(), traffic.dropped, traffic.missed), ("a/*", 5, 7));
        inbox.lagged("a/*", 5, true);
        inbox.tap("c");
        assert!(inbox.take().is_empty(), "another tap, another account");
    }
}
