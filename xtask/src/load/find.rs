//! `--find`: the highest rate at which the 99th percentile stays under a bound and nothing is lost.
//!
//! A closed loop says where to begin. Then the rate is raised or lowered until one holds and another fails, and the gap between the two is halved until
//! it is a few hundredths. A rate that fails is run again, and holds if two of three runs do: one hiccup of the machine is no limit of the broker. The one
//! that is left in the end has to hold once more, or the search goes on below it: nor is one lucky run a result. Why a run failed is told: latency, loss, a
//! peer that took no more, or the generator, which says nothing about the peer.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use super::outcome::{Figure, Outcome};
use super::report::{Section, Table, micros, number, percent};
use super::scenario::{Scenario, Times};
use crate::signal;

/// How far apart the last step that held and the first that failed are at the end.
const CLOSE: f64 = 1.03;
/// How much faster each step is than the one before, until one fails.
const FASTER: f64 = 1.5;
/// How much slower each step is than the one before, until one holds.
const SLOWER: f64 = 3.0;
/// Runs, at the most; a search takes about twenty-five.
const RUNS_MAX: usize = 80;
/// Of the runs at one rate so many decide.
const DECIDES: usize = 2;
/// The slowest rate that is tried, messages a second.
const RATE_MIN: f64 = 10.0;
/// Less than this of what was due is a step in which not everything could be sent.
const SENT_MIN: f64 = 0.995;

/// What is searched for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Search")]
pub(crate) struct FindArgs {
    /// Searches the highest rate at which --find-p99 and --find-loss hold; each step takes --duration [default: 1.5]
    #[arg(long, conflicts_with_all = ["rate", "max", "interval", "share"])]
    pub(crate) find: bool,
    /// The longest 99th percentile of the latency from the intended send time, such as 500us or 2ms
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = super::args::time, requires = "find")]
    find_p99: Duration,
    /// The share of messages that may be lost or skipped
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, requires = "find")]
    find_loss: f64,
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    /// The percentile was over its bound.
    Latency,
    /// Too many messages were lost or skipped.
    Loss,
    /// The peer did not take all of them in time.
    NotTaken,
    /// The generator could not send them in time.
    Generator,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "too late",
            Self::Loss => "lost or skipped",
            Self::NotTaken => "not taken in time",
            Self::Generator => "THE GENERATOR",
        })
    }
}

/// One run at one rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Step {
    rate_per_s: f64,
    /// Which run at this rate it is, from 1.
    run: usize,
    delivered_per_s: f64,
    p99_us: Option<f64>,
    lost_share: f64,
    sent_of_due: f64,
    /// `None` if it held.
    failed: Option<Why>,
    /// What the generator says of itself.
    generator: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    p99_max_us: f64,
    loss_max: f64,
    rate_per_s: f64,
    steps: Vec<Step>,
    /// The run at that rate.
    #[serde(skip)]
    best: Outcome,
}

impl FindArgs {
    /// Refuses bounds that nothing can meet.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.find_p99.is_zero(), "--find-p99 has to be above 0");
        ensure!((0.0..1.0).contains(&self.find_loss), "--find-loss is a share: 0 or more, less than 1");
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn step(&self, rate: f64, outcome: &Outcome) -> Step {
        let checks = &outcome.checks;
        let lost_share = (checks.lost + checks.skipped) as f64 / (checks.expected as f64).max(1.0);
        let p99_us = outcome.latency.as_ref().map(|latency| latency.p99_us);
        let sent_of_due = outcome.sent_of_due.unwrap_or(1.0);
        let late = p99_us.is_none_or(|p99| p99 > self.find_p99.as_secs_f64() * 1e6);
        let failed = if lost_share > self.find_loss {
            Some(Why::Loss)
        } else if sent_of_due < SENT_MIN {
            Some(Why::NotTaken)
        } else {
            late.then_some(Why::Latency)
        };
        // Loss is the peer's, whoever else was at the limit; lateness need not be.
        let failed = match failed {
            Some(Why::Latency | Why::NotTaken) if outcome.limited_by_generator.is_some() => {
                Some(Why::Generator)
            }
            failed => failed,
        };
        let generator = outcome.limited_by_generator.clone();
        Step {
            rate_per_s: rate,
            run: 1,
            delivered_per_s: outcome.delivered_per_s,
            p99_us,
            lost_share,
            sent_of_due,
            failed,
            generator,
        }
    }

    /// Searches. `run` runs a scenario once, `note` says what for.
    pub(crate) fn run(
        &self,
        scenario: &Scenario,
        mut run: impl FnMut(&Scenario, &str) -> Result<Outcome>,
    ) -> Result<Found> {
        let mut closed = scenario.clone().with_rate(None);
        closed.times =
            Times { warm_up: closed.times.warm_up.min(Duration::from_millis(200)), ..closed.times };
        closed.times.duration = closed.times.duration.min(Duration::from_secs(1));
        let most = run(&closed, "the maximum: ")?.sent_per_s;
        ensure!(most > 0.0, "nothing was sent: there is no rate to begin at");
        let mut held: Vec<(f64, Outcome)> = Vec::new();
        let mut search = Search::new(|rate| {
            let outcome = run(&scenario.clone().with_rate(Some(rate)), &format!("{}/s: ", number(rate)))?;
            let step = self.step(rate, &outcome);
            if step.failed.is_none() {
                // The last run of each rate.
                held.retain(|(other, _)| !same(*other, rate));
                held.push((rate, outcome));
            }
            Ok(step)
        });
        let found = search.highest(most / 2.0)?;
        let steps = search.steps;
        let best = held.into_iter().find(|(rate, _)| found.is_some_and(|found| same(found, *rate)));
        let Some((rate_per_s, mut best)) = best else {
            let table = table(&steps, "");
            bail!("no rate holds, not even {} a second\n{}", number(RATE_MIN), table.text());
        };
        best.figures.push(Figure::new("found_rate", rate_per_s));
        let p99_max_us = self.find_p99.as_secs_f64() * 1e6;
        Ok(Found { p99_max_us, loss_max: self.find_loss, rate_per_s, steps, best })
    }
}

/// Whether a rate is the one that was run: the very number, not one near it.
fn same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

/// A search that goes on.
struct Search<F> {
    run: F,
    /// Every run so far.
    steps: Vec<Step>,
}

impl<F: FnMut(f64) -> Result<Step>> Search<F> {
    fn new(run: F) -> Self {
        Self { run, steps: Vec::new() }
    }

    /// How many runs at `rate` held, and how many failed.
    fn counts(&self, rate: f64) -> (usize, usize) {
        let of_rate = || self.steps.iter().filter(|step| same(step.rate_per_s, rate));
        let held = of_rate().filter(|step| step.failed.is_none()).count();
        (held, of_rate().count() - held)
    }

    /// Whether `rate` holds: `needed` runs do and more than fail, or two fail; those that were run before count.
    fn holds(&mut self, rate: f64, needed: usize) -> Result<bool> {
        loop {
            let (held, failed) = self.counts(rate);
            if failed >= DECIDES {
                return Ok(false);
            }
            if held >= needed && held > failed {
                return Ok(true);
            }
            if held + failed > 0 && (signal::asked_to_stop() || self.steps.len() >= RUNS_MAX) {
                return Ok(held > failed);
            }
            let step = (self.run)(rate)?;
            self.steps.push(Step { run: held + failed + 1, ..step });
        }
    }

    /// Runs rates until the highest that holds and the lowest that fails are close, and the former holds again. `None` if none does.
    fn highest(&mut self, begin: f64) -> Result<Option<f64>> {
        let (mut low, mut high): (Option<f64>, Option<f64>) = (None, None);
        let mut rate = begin.max(RATE_MIN);
        while self.steps.len() < RUNS_MAX {
            let needed = if low.is_some_and(|low| same(low, rate)) { DECIDES } else { 1 };
            let holds = match self.holds(rate, needed) {
                // What was found so far is a bound from below.
                Err(_) if signal::asked_to_stop() && low.is_some() => break,
                holds => holds?,
            };
            if holds && low.is_some_and(|low| same(low, rate)) {
                break;
            }
            if holds {
                low = Some(rate);
            } else {
                high = Some(rate);
                low = self.held_below(rate);
            }
            rate = match (low, high) {
                // Once more, before it is believed.
                (Some(low), Some(high)) if high / low <= CLOSE => low,
                (Some(low), Some(high)) => f64::sqrt(low * high),
                (Some(low), None) => low * FASTER,
                (None, Some(high)) if high <= RATE_MIN => break,
                (None, Some(high)) => (high / SLOWER).max(RATE_MIN),
                (None, None) => break,
            };
        }
        Ok(low)
    }

    /// The highest rate below `rate` that holds, as far as it was run.
    fn held_below(&self, rate: f64) -> Option<f64> {
        let rates = self.steps.iter().map(|step| step.rate_per_s).filter(|other| *other < rate);
        rates
            .filter(|&other| {
                let (held, failed) = self.counts(other);
                held > failed
            })
            .max_by(f64::total_cmp)
    }
}

fn table(steps: &[Step], title: &str) -> Table {
    let mut table = Table::new(
        title,
        &["rate/s", "run", "delivered/s", "p99", "lost or skipped", "sent of due", "holds"],
    );
    for step in steps {
        table.row(vec![
            number(step.rate_per_s),
            step.run.to_string(),
            number(step.delivered_per_s),
            step.p99_us.map_or_else(String::new, micros),
            percent(step.lost_share),
            percent(step.sent_of_due),
            step.failed.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
        ]);
    }
    table
}

impl Found {
    /// The steps and the result, for every form of the results.
    pub(crate) fn section(&self) -> Result<Section> {
        let bound = micros(self.p99_max_us);
        let title = format!(
            "{}: p99 under {bound}, loss at most {}",
            self.best.scenario.title(),
            percent(self.loss_max)
        );
        let mut table = table(&self.steps, &title);
        let of_rate = |rate: f64| {
            let runs = || self.steps.iter().filter(move |step| same(step.rate_per_s, rate));
            (runs().filter(|step| step.failed.is_none()).count(), runs().count())
        };
        let (held, runs) = of_rate(self.rate_per_s);
        table.notes.push(format!(
            "found: {} messages a second, held in {held} of {runs} runs",
            number(self.rate_per_s)
        ));
        let above =
            self.steps.iter().filter(|step| step.failed.is_some() && step.rate_per_s > self.rate_per_s);
        if let Some(step) = above.min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s)) {
            let (held, runs) = of_rate(step.rate_per_s);
            let rate = number(step.rate_per_s);
            table.notes.push(format!("the next rate, {rate}, failed in {} of {runs} runs", runs - held));
            if step.failed == Some(Why::Generator) {
                let why = step.generator.as_deref().unwrap_or_default();
                table.notes.push(format!("limited by the generator, not by the peer: {why}"));
            }
        }
        Section::new("find", vec![table], self)
    }

    /// The run at the rate that was found.
    pub(crate) fn into_best(self) -> Outcome {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: f64, failed: Option<Why>) -> Step {
        Step {
            rate_per_s: rate,
            run: 0,
            delivered_per_s: rate,
            p99_us: None,
            lost_share: 0.0,
            sent_of_due: 1.0,
            failed,
            generator: None,
        }
    }

    /// What a search finds from `begin`, and its runs; `fails` says whether a run at a rate fails.
    fn search(begin: f64, mut fails: impl FnMut(f64) -> bool) -> (Option<f64>, Vec<Step>) {
        let mut search = Search::new(|rate| Ok(step(rate, fails(rate).then_some(Why::Latency))));
        let found = search.highest(begin).unwrap();
        (found, search.steps)
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for limit in [11.0, 950.0, 10_000.0, 1e6, 3.3e7] {
            for begin in [10.0, 5_000.0, 1e7] {
                let (found, steps) = search(begin, |rate| rate > limit);
                let rate = found.unwrap();
                assert!(rate <= limit && rate * CLOSE >= limit, "{limit} from {begin}: {rate}");
                assert!(steps.len() < RUNS_MAX, "{limit} from {begin}: {} runs", steps.len());
                let last = steps.last().unwrap();
                assert!(same(last.rate_per_s, rate) && last.run == 2, "it was run twice: {last:?}");
            }
        }
    }

    #[test]
    fn hiccups_are_no_limit() {
        // Every fifth run fails, whatever its rate.
        let mut runs = 0;
        let (found, _) = search(1_000.0, |rate| {
            runs += 1;
            runs % 5 == 1 || rate > 10_000.0
        });
        let found = found.unwrap();
        assert!(found <= 10_000.0 && found * CLOSE >= 10_000.0, "{found}");
    }

    #[test]
    fn a_lucky_run_is_no_result() {
        // The first run above the limit holds.
        let mut lucky = true;
        let (found, _) = search(9_000.0, |rate| rate > 10_000.0 && !std::mem::take(&mut lucky));
        let found = found.unwrap();
        assert!(found <= 10_000.0 && found * CLOSE >= 10_000.0, "{found}");
    }

    #[test]
    fn a_peer_that_can_do_nothing_ends_the_search() {
        let (found, steps) = search(1e6, |_| true);
        assert_eq!(found, None);
        assert!(steps.len() < RUNS_MAX && steps.last().unwrap().rate_per_s <= RATE_MIN);
    }
}
