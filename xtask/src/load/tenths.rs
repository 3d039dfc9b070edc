//! The p99 of each tenth of a second. A machine that others share stands still for some milliseconds again and again, and one such moment in a
//! second decides the p99 of all of it; most tenths have none, so their median tells what the peer does.

use hdrhistogram::Histogram;

use super::latency::micros;
use super::middle::Middle;

/// Nanoseconds of one.
const TENTH: u64 = 100_000_000;
/// The longest latency that is told apart, nanoseconds: 100 s.
const LATENCY_MAX: u64 = 100_000_000_000;
/// Significant digits: small enough for the nearest cache.
const DIGITS: u8 = 2;

/// What one receiving thread notes.
#[derive(Debug)]
pub(crate) struct Tenths {
    histogram: Histogram<u64>,
    /// When the one that is being recorded ends.
    ends: u64,
    /// Those that are over, nanoseconds.
    found: Vec<u64>,
}

impl Tenths {
    /// Nothing measured.
    #[expect(clippy::expect_used, reason = "both bounds are constants that the histogram accepts")]
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX, DIGITS).expect("bounds are valid");
        Self { histogram, ends: 0, found: Vec::new() }
    }

    /// So many messages arrived at `now`, which took so long.
    #[inline]
    pub(crate) fn note(&mut self, now: u64, latency: u64, messages: u64) {
        if now >= self.ends {
            self.close();
            self.ends = now + TENTH;
        }
        self.histogram.saturating_record_n(latency, messages);
    }

    #[cold]
    fn close(&mut self) {
        if !self.histogram.is_empty() {
            self.found.push(self.histogram.value_at_quantile(0.99));
            self.histogram.reset();
        }
    }

    /// Those that are over. The last one may have been short, and is left out if there are others.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        if self.found.is_empty() {
            self.close();
        }
        self.found
    }
}

/// The median, in microseconds.
pub(crate) fn median(p99s: &[u64]) -> Option<f64> {
    Middle::of(p99s.iter().copied().map(micros)).map(|middle| middle.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_tenth_does_not_decide() {
        let mut tenths = Tenths::new();
        for message in 0..1_000 {
            let stalled = if message / 100 == 4 { 50_000_000 } else { 0 };
            tenths.note(message * 1_000_000, 500_000 + stalled, 1);
        }
        let found = tenths.finish();
        assert_eq!(found.len(), 9, "the last one is left out: {found:?}");
        assert!((median(&found).unwrap() - 500.0).abs() < 5.0, "{found:?}");
        let mut short = Tenths::new();
        short.note(5, 2_000, 3);
        assert!((median(&short.finish()).unwrap() - 2.0).abs() < 0.1);
        assert_eq!(median(&Tenths::new().finish()), None);
    }
}
