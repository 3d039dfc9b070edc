//! Latencies of one receiving thread: from the time that a message was meant to be sent to the time that it was read.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that is told apart, nanoseconds: 100 s. Longer ones count as that.
const LATENCY_MAX: u64 = 100_000_000_000;
/// Significant digits of the histogram.
const DIGITS: u8 = 3;

/// A histogram, and the run of equal latencies that has not gone into it yet: the messages of one batch are sent and read together,
/// so recording them one by one would be the dearest part of receiving.
#[derive(Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    from: u64,
    until: u64,
    run: (u64, u64),
    run_length: u64,
}

impl Latencies {
    /// Empty; measures nothing until told what.
    #[expect(clippy::expect_used, reason = "both bounds are constants that the histogram accepts")]
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX, DIGITS).expect("bounds are valid");
        Self { histogram, from: 0, until: 0, run: (0, 0), run_length: 0 }
    }

    /// Counts only messages that were meant to be sent from `from` on and before `until`.
    pub(crate) fn measure(&mut self, from: u64, until: u64) {
        (self.from, self.until) = (from, until);
    }

    /// A message meant for `sent` was read at `now`.
    #[inline]
    pub(crate) fn note(&mut self, sent: u64, now: u64) {
        if self.run == (sent, now) {
            self.run_length += 1;
        } else {
            self.finish();
            if (self.from..self.until).contains(&sent) {
                self.run = (sent, now);
                self.run_length = 1;
            }
        }
    }

    /// Records what is left.
    pub(crate) fn finish(&mut self) {
        if self.run_length > 0 {
            let (sent, now) = self.run;
            self.histogram.saturating_record_n(now.saturating_sub(sent), self.run_length);
            self.run = (0, 0);
            self.run_length = 0;
        }
    }

    /// Adds what another thread measured.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.histogram.add(&other.histogram).is_err() {
            // Only histograms of other bounds are refused, and all have the same.
        }
    }

    /// The percentiles. `None` if nothing was measured.
    pub(crate) fn summary(&self) -> Option<LatencySummary> {
        if self.histogram.is_empty() {
            return None;
        }
        let at = |quantile: f64| micros(self.histogram.value_at_quantile(quantile));
        Some(LatencySummary {
            messages: self.histogram.len(),
            mean_us: self.histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: micros(self.histogram.max()),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

/// Latencies in microseconds, from the intended send time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_as_single_messages_do() {
        let mut latencies = Latencies::new();
        latencies.measure(100, 1_000_000);
        for _ in 0..99 {
            latencies.note(1_000, 3_000);
        }
        latencies.note(1_000, 101_000);
        latencies.note(99, 5_000); // warm-up
        latencies.note(1_000_000, 5_000_000); // after the end
        latencies.finish();
        let summary = latencies.summary().unwrap();
        assert_eq!(summary.messages, 100);
        assert!((summary.p50_us - 2.0).abs() < 0.01);
        assert!((summary.p99_us - 2.0).abs() < 0.01);
        assert!((summary.max_us - 100.0).abs() < 0.1);
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert_eq!(Latencies::new().summary(), None);
    }
}
