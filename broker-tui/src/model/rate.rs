//! Rates of one row of a table: counts that only grow, told once a second.

use std::collections::VecDeque;

use super::metrics;

/// Tables that a rate reaches over: what is published every few seconds should not flicker between 0 and 1.
const TABLES_MAX: usize = 6;

/// The counts of the last tables, of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts<const N: usize> {
    samples: VecDeque<(f64, [u64; N])>,
}

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self { samples: VecDeque::with_capacity(TABLES_MAX) }
    }
}

impl<const N: usize> Counts<N> {
    /// Adds the counts of a table that was made at `seconds`. Counts that went back begin anew: it is another thing of
    /// the same name.
    pub fn push(&mut self, seconds: f64, counts: [u64; N]) {
        let restarted = self
            .samples
            .back()
            .is_some_and(|(at, old)| seconds < *at || old.iter().zip(&counts).any(|(old, new)| new < old));
        if restarted {
            self.samples.clear();
        }
        if self.samples.len() >= TABLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((seconds, counts));
    }

    /// The rate of count number `of` over the tables that are known; `None` before the second one.
    pub fn rate(&self, of: usize) -> Option<f64> {
        let ((first, old), (last, new)) = (self.samples.front()?, self.samples.back()?);
        metrics::rate(*old.get(of)?, *new.get(of)?, last - first)
    }

    /// Whether count number `of` grew within the tables that are known.
    pub fn grew(&self, of: usize) -> bool {
        self.rate(of).is_some_and(|rate| rate > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_over_the_last_tables() {
        let mut counts = Counts::<2>::default();
        counts.push(1.0, [10, 0]);
        assert_eq!(counts.rate(0), None);
        counts.push(2.0, [20, 0]);
        assert_eq!((counts.rate(0), counts.rate(1), counts.rate(2)), (Some(10.0), Some(0.0), None));
        for second in 3..100_u32 {
            counts.push(f64::from(second), [20, 0]);
        }
        assert_eq!(counts.rate(0), Some(0.0));
        assert_eq!(counts.samples.len(), TABLES_MAX);
        assert!(!counts.grew(0));
    }

    #[test]
    fn counts_that_went_back_begin_anew() {
        let mut counts = Counts::<1>::default();
        counts.push(1.0, [10]);
        counts.push(2.0, [3]);
        assert_eq!(counts.rate(0), None);
        counts.push(3.0, [5]);
        assert_eq!(counts.rate(0), Some(2.0));
        counts.push(1.0, [9]);
        assert_eq!(counts.rate(0), None);
    }
}
