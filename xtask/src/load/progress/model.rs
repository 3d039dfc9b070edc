//! What the view shows: the run that goes on, and those that have ended. Pure; bounded.

use std::collections::VecDeque;
use std::time::Duration;

use crate::load::outcome::Outcome;
use crate::load::report::{micros, number};
use crate::load::series::Second;

/// Values of a chart that are kept: more than any terminal is wide.
const HISTORY: usize = 512;
/// Seconds of the table that are kept: more than any terminal is high.
const SECONDS: usize = 200;
/// Lines about what has ended.
const LINES: usize = 200;

/// Which part of a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between two runs: peers start and stop.
    Between,
    /// Something is made first, and counted.
    Counting,
    /// Published but not measured.
    WarmUp,
    /// Measured.
    Measuring,
    /// What was sent is waited for.
    Draining,
}

/// A line about a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) title: String,
    pub(super) figures: String,
    pub(super) good: bool,
}

/// The state of the view.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) title: String,
    pub(super) phase: Phase,
    pub(super) done: Duration,
    pub(super) total: Duration,
    /// What is counted, how far, of how many.
    pub(super) counted: (String, u64, u64),
    /// Delivered messages a second, several values a second.
    pub(super) rates: VecDeque<Option<f64>>,
    /// The seconds of this run, the newest last.
    pub(super) seconds: VecDeque<Second>,
    pub(super) ended: VecDeque<Ended>,
}

impl Model {
    /// Before the first run.
    pub(super) fn new() -> Self {
        Self {
            title: "starting".to_owned(),
            phase: Phase::Between,
            done: Duration::ZERO,
            total: Duration::ZERO,
            counted: (String::new(), 0, 0),
            rates: VecDeque::new(),
            seconds: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, title: &str) {
        *self = Self { title: title.to_owned(), ended: std::mem::take(&mut self.ended), ..Self::new() };
    }

    /// Something is told beside the runs.
    pub(super) fn note(&mut self, text: &str) {
        let line = Ended { title: text.to_owned(), figures: String::new(), good: true };
        push(&mut self.ended, line, LINES);
    }

    /// Something is counted.
    pub(super) fn count(&mut self, what: &str, done: u64, total: u64) {
        self.phase = if done < total { Phase::Counting } else { Phase::Between };
        self.counted = (what.to_owned(), done, total);
    }

    /// Time goes by; messages arrive.
    pub(super) fn tick(&mut self, done: Duration, total: Duration, delivered_per_s: f64) {
        (self.done, self.total) = (done, total);
        self.phase = match (self.seconds.is_empty(), done >= total) {
            (_, true) => Phase::Draining,
            (true, _) => Phase::WarmUp,
            (false, _) => Phase::Measuring,
        };
        push(&mut self.rates, Some(delivered_per_s), HISTORY);
    }

    /// A second of what is measured is over.
    pub(super) fn second(&mut self, second: Second) {
        push(&mut self.seconds, second, SECONDS);
    }

    /// The run is over.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        let latency = outcome.latency.map_or_else(String::new, |latency| {
            format!("  p50 {}  p99 {}", micros(latency.p50_us), micros(latency.p99_us))
        });
        let good = outcome.checks.hold();
        let verdict = if good { "" } else { "  PROMISES BROKEN" };
        let figures = format!("{}/s{latency}{verdict}", number(outcome.delivered_per_s));
        push(&mut self.ended, Ended { title: self.title.clone(), figures, good }, LINES);
        self.phase = Phase::Between;
    }
}

fn push<T>(list: &mut VecDeque<T>, value: T, max: usize) {
    if list.len() == max {
        list.pop_front();
    }
    list.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn a_run_goes_through_its_phases() {
        let mut model = Model::new();
        let second = |n| Duration::from_secs(n);
        model.begin("a run");
        assert_eq!(model.phase, Phase::Between);
        model.tick(second(1), second(5), 10.0);
        assert_eq!(model.phase, Phase::WarmUp);
        let outcome = fixture::outcome();
        model.second(outcome.series[0].clone());
        model.tick(second(3), second(5), 10.0);
        assert_eq!(model.phase, Phase::Measuring);
        model.tick(second(5), second(5), 10.0);
        assert_eq!(model.phase, Phase::Draining);
        model.end(&outcome);
        assert_eq!((model.phase, model.ended.len()), (Phase::Between, 1));
        model.begin("another");
        assert!(model.seconds.is_empty() && model.rates.is_empty() && model.ended.len() == 1);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut model = Model::new();
        let outcome = fixture::outcome();
        for n in 0..2_000 {
            model.tick(Duration::from_secs(n), Duration::from_secs(9_999), 1.0);
            model.second(outcome.series[0].clone());
            model.end(&outcome);
        }
        assert_eq!((model.rates.len(), model.seconds.len(), model.ended.len()), (HISTORY, SECONDS, LINES));
    }
}
