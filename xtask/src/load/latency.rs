//! Latencies: histograms from the intended send time (corrected) and from the hand-over to the socket (raw), and their percentiles.
//!
//! A receiving thread records into [`Latencies`], one second at a time, and hands each full second over to the main thread
//! (`series.rs`): so nothing is merged, summed or compressed by a thread that has messages to read.

use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::series::Exchange;
use super::stamp::Stamp;
use super::tenths::Tenths;

/// The longest latency that is told apart, nanoseconds: 100 s. Longer ones count as that.
const LATENCY_MAX: u64 = 100_000_000_000;
/// Significant digits of the histograms.
const DIGITS: u8 = 3;
/// Nanoseconds of a second of the series.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// An empty histogram of nanoseconds, with the bounds that all of them here have.
#[expect(clippy::expect_used, reason = "both bounds are constants that the histogram accepts")]
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX, DIGITS).expect("bounds are valid")
}

/// The same messages, measured in two ways.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    /// From the intended send time.
    pub(crate) corrected: Histogram<u64>,
    /// From the hand-over to the socket.
    pub(crate) raw: Histogram<u64>,
}

impl Pair {
    /// Both empty.
    pub(crate) fn new() -> Self {
        Self { corrected: histogram(), raw: histogram() }
    }

    /// Whether nothing was recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.corrected.is_empty()
    }

    /// Adds what somebody else measured.
    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.corrected, &other.corrected);
        add(&mut self.raw, &other.raw);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.corrected.reset();
        self.raw.reset();
    }
}

/// Adds `other` to `histogram`.
pub(crate) fn add(histogram: &mut Histogram<u64>, other: &Histogram<u64>) {
    if histogram.add(other).is_err() {
        // Only histograms of other bounds are refused, and all have the same.
    }
}

/// What one receiving thread records with, and the run of equal latencies that has not been recorded yet: the messages of one batch are
/// sent and read together, so recording them one by one would be the dearest part of receiving.
#[derive(Debug)]
pub(crate) struct Latencies {
    tenths: Tenths,
    /// The second that is being recorded.
    pair: Pair,
    second: u32,
    /// When it ends.
    second_ends: u64,
    exchange: Arc<Exchange>,
    from: u64,
    until: u64,
    run: (u64, u64, u64),
    run_length: u64,
}

impl Latencies {
    /// Hands full seconds to `exchange`. Measures nothing until told what.
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            tenths: Tenths::new(),
            pair: exchange.empty(),
            second: 0,
            second_ends: SECOND,
            exchange,
            from: 0,
            until: 0,
            run: (0, 0, 0),
            run_length: 0,
        }
    }

    /// Counts only messages that were meant to be sent from `from` on and before `until`. The first second begins at `from`.
    pub(crate) fn measure(&mut self, from: u64, until: u64) {
        (self.from, self.until) = (from, until);
        (self.second, self.second_ends) = (0, from + SECOND);
    }

    /// The message with `stamp` was read at `now`.
    #[inline]
    pub(crate) fn note(&mut self, stamp: &Stamp, now: u64) {
        let run = (stamp.intended, stamp.sent, now);
        if self.run == run {
            self.run_length += 1;
        } else {
            self.record();
            if (self.from..self.until).contains(&stamp.intended) {
                if now >= self.second_ends {
                    self.hand_over(now);
                }
                self.run = run;
                self.run_length = 1;
            }
        }
    }

    /// Hands the second over if it is past, so that it is known also while nothing arrives.
    pub(crate) fn tick(&mut self, now: u64) {
        if now >= self.second_ends && self.until > 0 {
            self.record();
            self.hand_over(now);
        }
    }

    /// Records and hands over what is left. Returns the p99 of each tenth of a second, nanoseconds.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        self.record();
        self.hand_over(self.second_ends);
        self.tenths.finish()
    }

    fn record(&mut self) {
        if self.run_length > 0 {
            let (intended, sent, now) = self.run;
            self.pair.corrected.saturating_record_n(now.saturating_sub(intended), self.run_length);
            self.pair.raw.saturating_record_n(now.saturating_sub(sent), self.run_length);
            self.tenths.note(now, now.saturating_sub(intended), self.run_length);
            self.run = (0, 0, 0);
            self.run_length = 0;
        }
    }

    #[cold]
    fn hand_over(&mut self, now: u64) {
        if !self.pair.is_empty() {
            let empty = self.exchange.empty();
            self.exchange.put(self.second, std::mem::replace(&mut self.pair, empty));
        }
        let second = now.saturating_sub(self.from) / SECOND;
        self.second_ends = self.from + (second + 1) * SECOND;
        self.second = u32::try_from(second).unwrap_or(u32::MAX);
    }
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct LatencySummary {
    /// How many messages were measured.
    pub(crate) messages: u64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) p9999_us: f64,
    pub(crate) max_us: f64,
}

impl LatencySummary {
    /// Of a histogram of nanoseconds. `None` if nothing was measured.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile: f64| micros(histogram.value_at_quantile(quantile));
        Some(Self {
            messages: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: micros(histogram.max()),
        })
    }
}

/// Nanoseconds as microseconds.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(intended: u64, sent: u64) -> Stamp {
        Stamp { publisher: 0, number: 0, intended, sent }
    }

    #[test]
    fn runs_count_as_single_messages_do() {
        let exchange = Arc::new(Exchange::default());
        let mut latencies = Latencies::new(Arc::clone(&exchange));
        latencies.measure(100, 1_000_000);
        for _ in 0..99 {
            latencies.note(&stamp(1_000, 1_000), 3_000);
        }
        latencies.note(&stamp(1_000, 91_000), 101_000);
        latencies.note(&stamp(99, 99), 5_000); // warm-up
        latencies.note(&stamp(1_000_000, 1_000_000), 5_000_000); // after the end
        latencies.finish();
        let parts = exchange.take();
        let [(0, pair)] = parts.as_slice() else { panic!("{}", parts.len()) };
        let summary = LatencySummary::of(&pair.corrected).unwrap();
        assert_eq!(summary.messages, 100);
        assert!((summary.p50_us - 2.0).abs() < 0.01);
        assert!((summary.p99_us - 2.0).abs() < 0.01);
        assert!((summary.max_us - 100.0).abs() < 0.1);
        assert!((LatencySummary::of(&pair.raw).unwrap().max_us - 10.0).abs() < 0.01);
    }

    #[test]
    fn each_second_is_handed_over_when_it_is_past() {
        let exchange = Arc::new(Exchange::default());
        let mut latencies = Latencies::new(Arc::clone(&exchange));
        latencies.measure(500, 10 * SECOND);
        let mut note = |at: u64| latencies.note(&stamp(at, at), at + 10);
        note(600);
        note(SECOND / 2);
        note(SECOND + 600);
        note(4 * SECOND + 600);
        latencies.tick(5 * SECOND);
        latencies.tick(6 * SECOND);
        latencies.finish();
        let parts: Vec<(u32, u64)> =
            exchange.take().iter().map(|(second, pair)| (*second, pair.raw.len())).collect();
        assert_eq!(parts, [(0, 2), (1, 1), (4, 1)]);
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert_eq!(LatencySummary::of(&histogram()), None);
    }
}
