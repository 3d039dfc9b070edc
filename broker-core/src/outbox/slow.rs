//! When a session was slow: from the first message that it missed, or that a publisher was held back for, until its outbox was empty again, or
//! until it ended.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Policy;
use crate::message::Now;
use crate::routing::Subscription;

/// Episodes that are told one by one between two looks. More are put together.
const NEWS_MAX: usize = 16;

/// What happened to a session that was or is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowChange {
    /// It became slow.
    Began,
    /// It has caught up: its outbox was empty again.
    Recovered,
    /// It ended before it had caught up.
    Ended,
}

impl SlowChange {
    /// The name in `!system/events/slow-consumer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Began => "slow",
            Self::Recovered => "recovered",
            Self::Ended => "ended",
        }
    }
}

/// A session became slow, recovered, or ended while it was slow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowNews {
    /// What is told.
    pub change: SlowChange,
    /// Of the subscription whose message met the bound first.
    pub pattern: String,
    /// Its policy.
    pub policy: Policy,
    /// When that was: milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: u64,
    /// When that was over, if it is.
    pub until_unix_ms: Option<u64>,
    /// Messages that the session missed meanwhile.
    pub missed: u64,
    /// How often it became slow in this time: more than once where it changed too fast to tell each.
    pub episodes: u64,
}

/// The episodes of an outbox: the one that lasts, and those that nobody has looked at.
#[derive(Debug, Default)]
pub(super) struct Slowness {
    episode: Option<Episode>,
    news: VecDeque<SlowNews>,
}

#[derive(Debug)]
struct Episode {
    subscription: Arc<Subscription>,
    since_unix_ms: u64,
    missed: u64,
    /// Somebody was told that it began.
    told: bool,
}

impl Slowness {
    /// A message of this subscription was missed or held back, or so many were.
    pub(super) fn note(&mut self, subscription: &Arc<Subscription>, missed: u64, now: impl FnOnce() -> Now) {
        let episode = self.episode.get_or_insert_with(|| Episode {
            subscription: Arc::clone(subscription),
            since_unix_ms: now().unix_ms,
            missed: 0,
            told: false,
        });
        episode.missed += missed;
    }

    /// The outbox is empty.
    pub(super) fn recover(&mut self, now: impl FnOnce() -> Now) {
        let Some(episode) = self.episode.take() else { return };
        let recovered = SlowNews { change: SlowChange::Recovered, ..episode.over(now()) };
        if self.news.len() >= NEWS_MAX
            && let Some(last) = self.news.back_mut()
            && last.until_unix_ms.is_some()
        {
            last.until_unix_ms = recovered.until_unix_ms;
            last.missed += episode.missed;
            last.episodes += 1;
            return;
        }
        let began = SlowNews { missed: 0, ..episode.news() };
        if !episode.told {
            self.news.push_back(began);
        }
        self.news.push_back(recovered);
    }

    pub(super) fn now(&self) -> Option<SlowNews> {
        self.episode.as_ref().map(Episode::news)
    }

    pub(super) fn take_news(&mut self) -> Vec<SlowNews> {
        let began = self.episode.as_mut().filter(|episode| !episode.told).map(|episode| {
            episode.told = true;
            episode.news()
        });
        std::mem::take(&mut self.news).into_iter().chain(began).collect()
    }

    /// The last news: the session has ended.
    pub(super) fn take_last_news(&mut self, now: impl FnOnce() -> Now) -> Vec<SlowNews> {
        let mut news = self.take_news();
        let ended = |episode: &Episode| SlowNews { change: SlowChange::Ended, ..episode.over(now()) };
        news.extend(self.episode.as_ref().map(ended));
        news
    }
}

impl Episode {
    fn news(&self) -> SlowNews {
        SlowNews {
            change: SlowChange::Began,
            pattern: self.subscription.pattern.as_str().to_owned(),
            policy: self.subscription.policy,
            since_unix_ms: self.since_unix_ms,
            until_unix_ms: None,
            missed: self.missed,
            episodes: 1,
        }
    }

    fn over(&self, now: Now) -> SlowNews {
        SlowNews { until_unix_ms: Some(now.unix_ms.max(self.since_unix_ms)), ..self.news() }
    }
}

#[cfg(test)]
mod tests {
    use glob_tree::Pattern;

    use super::*;
    use crate::routing::SubscriptionOptions;

    fn at(unix_ms: u64) -> impl Fn() -> Now {
        move || Now { unix_ms, monotonic_ms: unix_ms }
    }

    #[test]
    fn episodes_are_told_or_put_together() {
        let pattern = Pattern::glob("t").unwrap();
        let subscription = Arc::new(Subscription::new(pattern, SubscriptionOptions::default()));
        let mut slowness = Slowness::default();
        slowness.recover(at(1));
        assert_eq!((slowness.now(), slowness.take_news().len()), (None, 0), "it never was slow");
        slowness.note(&subscription, 3, at(10));
        slowness.note(&subscription, 4, at(20));
        let began = slowness.take_news();
        assert_eq!((began.len(), began[0].since_unix_ms, began[0].missed), (1, 10, 7));
        assert_eq!(slowness.take_news(), [], "told once");
        slowness.recover(at(30));
        let ended = slowness.take_news();
        assert_eq!((ended.len(), ended[0].until_unix_ms, ended[0].missed), (1, Some(30), 7));
        for round in 0..1000 {
            slowness.note(&subscription, 1, at(100 + round));
            slowness.recover(at(100 + round));
        }
        slowness.note(&subscription, 1, at(2000));
        let news = slowness.take_news();
        assert!(news.len() <= NEWS_MAX + 3, "{} at once", news.len());
        let recovered: Vec<_> = news.iter().filter(|news| news.change == SlowChange::Recovered).collect();
        assert_eq!(recovered.iter().map(|news| news.episodes).sum::<u64>(), 1000);
        assert_eq!(recovered.iter().map(|news| news.missed).sum::<u64>(), 1000);
        assert_eq!(news.last(), slowness.now().as_ref(), "and it is slow");
        let last = slowness.take_last_news(at(2001));
        assert_eq!((last.len(), last[0].change, last[0].missed), (1, SlowChange::Ended, 1));
        assert_eq!((last[0].since_unix_ms, last[0].until_unix_ms), (2000, Some(2001)));
        slowness.recover(at(2002));
        slowness.take_news();
        assert_eq!(slowness.take_last_news(at(2003)), [], "it was not slow");
    }
}
