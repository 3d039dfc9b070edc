//! The broker's own figures: `!system/metrics/*` and `!system/totals`.
//!
//! A rate that the broker does not tell is worked out from the totals. Invariant: at most [`NAMES_MAX`] figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::History;

/// Figures kept; the broker has some 15. More than this is not a broker.
pub const NAMES_MAX: usize = 64;

/// Totals that are rates when their difference is taken. `connections` is not one: the metric of that name is a level.
const RATES: [&str; 6] = ["commands", "messages-in", "messages-out", "bytes-in", "bytes-out", "lagged"];

/// What is known of the figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    told: BTreeMap<String, History>,
    computed: BTreeMap<String, History>,
    totals: Option<(Duration, BTreeMap<String, u64>)>,
}

impl Metrics {
    /// A figure was told.
    pub fn metric(&mut self, now: Duration, name: &str, value: f64) {
        if !self.told.contains_key(name) && self.told.len() >= NAMES_MAX {
            return;
        }
        self.told.entry(name.to_owned()).or_default().push(now, value);
    }

    /// The totals were told.
    pub fn totals(&mut self, now: Duration, mut totals: BTreeMap<String, u64>) {
        while totals.len() > NAMES_MAX {
            totals.pop_last();
        }
        if let Some((before, old)) = &self.totals {
            let seconds = now.saturating_sub(*before).as_secs_f64();
            for name in RATES.iter().filter(|name| !self.told.contains_key(**name)) {
                if let (Some(new), Some(old)) = (totals.get(*name), old.get(*name))
                    && let Some(rate) = rate(*old, *new, seconds)
                {
                    self.computed.entry((*name).to_owned()).or_default().push(now, rate);
                }
            }
        }
        self.totals = Some((now, totals));
    }

    /// The past of a figure; `None` if the broker tells nothing about it.
    pub fn get(&self, name: &str) -> Option<&History> {
        self.told.get(name).or_else(|| self.computed.get(name))
    }

    /// A figure now.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(History::last)
    }

    /// A count since the start.
    pub fn total(&self, name: &str) -> Option<u64> {
        self.totals.as_ref().and_then(|(_, totals)| totals.get(name)).copied()
    }

    /// All figures that the broker told.
    pub fn told(&self) -> impl Iterator<Item = (&str, f64)> {
        self.told.iter().filter_map(|(name, history)| Some((name.as_str(), history.last()?)))
    }

    /// All totals.
    pub fn all_totals(&self) -> impl Iterator<Item = (&str, u64)> {
        self.totals.iter().flat_map(|(_, totals)| totals.iter().map(|(name, total)| (name.as_str(), *total)))
    }

    /// Whether nothing was told yet.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty() && self.totals.is_none()
    }
}

/// Events per second between two counts; `None` where the counter went back (the broker started anew) or no time passed.
#[expect(clippy::cast_precision_loss, reason = "a rate on a screen")]
pub fn rate(old: u64, new: u64, seconds: f64) -> Option<f64> {
    /// Two tables that come closer together than this make a rate of noise.
    const SECONDS_MIN: f64 = 0.05;
    let difference = new.checked_sub(old)?;
    (seconds >= SECONDS_MIN).then(|| difference as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(messages: u64) -> BTreeMap<String, u64> {
        [("messages-in".to_owned(), messages), ("connections".to_owned(), messages)].into()
    }

    #[test]
    fn a_rate_that_is_not_told_comes_from_the_totals() {
        let mut metrics = Metrics::default();
        metrics.totals(Duration::from_secs(1), totals(100));
        assert_eq!(metrics.last("messages-in"), None);
        metrics.totals(Duration::from_secs(3), totals(300));
        assert_eq!(metrics.last("messages-in"), Some(100.0));
        assert_eq!(metrics.last("connections"), None, "a level is not a rate");
        assert_eq!(metrics.total("messages-in"), Some(300));
        metrics.totals(Duration::from_secs(4), totals(5));
        assert_eq!(
            metrics.last("messages-in"),
            Some(100.0),
            "a broker that started anew makes no negative rate"
        );
        metrics.metric(Duration::from_secs(4), "messages-in", 7.0);
        assert_eq!(metrics.last("messages-in"), Some(7.0), "what is told goes first");
    }

    #[test]
    fn stays_bounded() {
        let mut metrics = Metrics::default();
        for i in 0..1_000 {
            metrics.metric(Duration::ZERO, &format!("m{i}"), 1.0);
        }
        assert_eq!(metrics.told().count(), NAMES_MAX);
        metrics.metric(Duration::ZERO, "m0", 2.0);
        assert_eq!(metrics.last("m0"), Some(2.0));
    }
}
