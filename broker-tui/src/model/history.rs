//! The recent past of one figure, a sample a second.
//!
//! Invariant: at most [`SAMPLES_MAX`] samples, whatever arrives.

use std::collections::VecDeque;
use std::time::Duration;

/// Samples kept: half an hour.
pub const SAMPLES_MAX: usize = 1_800;
/// The broker's tick.
const TICK: Duration = Duration::from_secs(1);

/// Seconds that one column of a chart stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    /// A second.
    #[default]
    Second,
    /// Two seconds.
    Two,
    /// Five seconds.
    Five,
    /// Ten seconds.
    Ten,
}

impl Span {
    /// Seconds per column.
    pub fn seconds(self) -> usize {
        match self {
            Self::Second => 1,
            Self::Two => 2,
            Self::Five => 5,
            Self::Ten => 10,
        }
    }

    /// A longer time on the same width.
    pub fn longer(self) -> Self {
        match self {
            Self::Second => Self::Two,
            Self::Two => Self::Five,
            Self::Five | Self::Ten => Self::Ten,
        }
    }

    /// A shorter time on the same width.
    pub fn shorter(self) -> Self {
        match self {
            Self::Second | Self::Two => Self::Second,
            Self::Five => Self::Two,
            Self::Ten => Self::Five,
        }
    }
}

/// Samples of one figure, oldest first. A second without a sample is `None`: a gap is not a zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    samples: VecDeque<Option<f64>>,
    last_at: Duration,
}

impl History {
    /// Adds the sample of `now`. Seconds that went by without one become gaps; a second sample within half a tick of the
    /// last one replaces it (the broker sends a retained figure again after a reconnect).
    pub fn push(&mut self, now: Duration, value: f64) {
        let value = value.is_finite().then_some(value);
        let ticks = self.ticks_since(now);
        if self.samples.is_empty() {
            self.samples.push_back(value);
        } else if ticks == 0 {
            if let Some(last) = self.samples.back_mut() {
                *last = value;
            }
            return;
        } else {
            self.samples.extend(std::iter::repeat_n(None, (ticks - 1).min(SAMPLES_MAX)));
            self.samples.push_back(value);
        }
        self.last_at = now;
        while self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    fn ticks_since(&self, now: Duration) -> usize {
        let passed = now.saturating_sub(self.last_at) + TICK / 2;
        usize::try_from(passed.as_secs()).unwrap_or(usize::MAX)
    }

    /// The newest sample.
    pub fn last(&self) -> Option<f64> {
        self.samples.back().copied().flatten()
    }

    /// How many samples there are, gaps included.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether nothing was ever told.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The newest `columns * span` samples as `columns` values, newest last, `None` where there is no sample. Each is the
    /// highest of its seconds, so that no peak disappears on a longer span.
    pub fn columns(&self, columns: usize, span: Span) -> Vec<Option<f64>> {
        let mut out: Vec<Option<f64>> = Vec::with_capacity(columns);
        let mut samples = self.samples.iter().rev();
        for _ in 0..columns {
            let highest = samples.by_ref().take(span.seconds()).flatten().copied().reduce(f64::max);
            out.push(highest);
        }
        out.reverse();
        out
    }
}

/// The last values of something that does not come every second, oldest first; at most `VALUES_MAX`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recent {
    values: VecDeque<f64>,
}

/// Values kept of one topic: more than the widest screen has columns.
const VALUES_MAX: usize = 512;

impl Recent {
    /// Adds the newest.
    pub fn push(&mut self, value: f64) {
        self.values.push_back(value);
        if self.values.len() > VALUES_MAX {
            self.values.pop_front();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The newest `columns`, newest last, `None` where there are fewer.
    pub fn columns(&self, columns: usize) -> Vec<Option<f64>> {
        let shown = self.values.len().min(columns);
        let values = self.values.iter().skip(self.values.len() - shown).map(|value| Some(*value));
        std::iter::repeat_n(None, columns - shown).chain(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn seconds_without_a_sample_are_gaps() {
        let mut history = History::default();
        history.push(at(10_000), 1.0);
        history.push(at(11_100), 2.0);
        history.push(at(14_000), 3.0);
        assert_eq!(
            history.columns(7, Span::Second),
            [None, None, Some(1.0), Some(2.0), None, None, Some(3.0)]
        );
        assert_eq!(history.last(), Some(3.0));
    }

    #[test]
    fn a_second_sample_in_the_same_tick_replaces_the_first() {
        let mut history = History::default();
        history.push(at(10_000), 1.0);
        history.push(at(10_300), 2.0);
        assert_eq!((history.len(), history.last()), (1, Some(2.0)));
    }

    #[test]
    fn stays_bounded() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.push(at(second * 1_000), 1.0);
        }
        assert_eq!(history.len(), SAMPLES_MAX);
        history.push(at(u64::MAX / 2), 1.0);
        assert_eq!(history.len(), SAMPLES_MAX);
        let mut recent = Recent::default();
        for _ in 0..10_000 {
            recent.push(1.0);
        }
        assert_eq!(recent.len(), VALUES_MAX);
    }

    #[test]
    fn a_longer_span_keeps_the_peaks() {
        let mut history = History::default();
        for (second, value) in [1.0, 9.0, 2.0, 3.0, 4.0].into_iter().enumerate() {
            history.push(at(second as u64 * 1_000), value);
        }
        assert_eq!(history.columns(3, Span::Two), [Some(1.0), Some(9.0), Some(4.0)]);
        assert_eq!(history.columns(2, Span::Ten), [None, Some(9.0)]);
    }

    #[test]
    fn what_is_not_a_number_is_a_gap() {
        let mut history = History::default();
        history.push(at(0), f64::NAN);
        assert_eq!((history.len(), history.last()), (1, None));
    }

    #[test]
    fn recent_values_stand_on_the_right() {
        let mut recent = Recent::default();
        recent.push(1.0);
        recent.push(2.0);
        assert_eq!(recent.columns(3), [None, Some(1.0), Some(2.0)]);
        assert_eq!(recent.columns(1), [Some(2.0)]);
    }
}
