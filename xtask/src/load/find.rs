//! `--find`: the highest rate at which the 99th percentile stays under a bound and nothing is lost.
//!
//! A closed loop says where to begin. Then the rate is raised or lowered until one step holds and another fails, and the gap between the two is halved until
//! it is a few hundredths. A step that fails is run once more: one hiccup of the machine is no limit of the broker. Why a step failed is told:
//! latency, loss, a peer that took no more, or the generator, which says nothing about the peer.

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
/// Steps, at the most; a search takes about twenty.
const STEPS_MAX: usize = 60;
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
        let mut best = None;
        let steps = search(most / 2.0, |rate| {
            let outcome = run(&scenario.clone().with_rate(Some(rate)), &format!("{}/s: ", number(rate)))?;
            let step = self.step(rate, &outcome);
            if step.failed.is_none() {
                best = Some((rate, outcome));
            }
            Ok(step)
        })?;
        let Some((rate_per_s, mut best)) = best else {
            let table = table(&steps, "");
            bail!("no rate holds, not even {} a second\n{}", number(RATE_MIN), table.text());
        };
        best.figures.push(Figure::new("found_rate", rate_per_s));
        let p99_max_us = self.find_p99.as_secs_f64() * 1e6;
        Ok(Found { p99_max_us, loss_max: self.find_loss, rate_per_s, steps, best })
    }
}

/// Runs steps until the last that held and the first that failed are close. The best is the last one that held.
fn search(begin: f64, mut run: impl FnMut(f64) -> Result<Step>) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut holds, mut fails) = (None, None);
    let mut rate = begin.max(RATE_MIN);
    while steps.len() < STEPS_MAX {
        let mut step = match run(rate) {
            // What was found so far is a bound from below.
            Err(_) if signal::asked_to_stop() && holds.is_some() => break,
            step => step?,
        };
        if step.failed.is_some() && !signal::asked_to_stop() {
            steps.push(step);
            step = run(rate)?;
        }
        let failed = step.failed.is_some();
        steps.push(step);
        *(if failed { &mut fails } else { &mut holds }) = Some(rate);
        rate = match (holds, fails) {
            (Some(low), Some(high)) if high / low <= CLOSE => break,
            (Some(low), Some(high)) => f64::sqrt(low * high),
            (Some(low), None) => low * FASTER,
            (None, Some(high)) if high <= RATE_MIN => break,
            (None, Some(high)) => (high / SLOWER).max(RATE_MIN),
            (None, None) => break,
        };
    }
    Ok(steps)
}

fn table(steps: &[Step], title: &str) -> Table {
    let mut table =
        Table::new(title, &["rate/s", "delivered/s", "p99", "lost or skipped", "sent of due", "holds"]);
    for step in steps {
        table.row(vec![
            number(step.rate_per_s),
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
        let limit = self.steps.iter().rev().find(|step| step.failed.is_some());
        table.notes.push(format!("found: {} messages a second", number(self.rate_per_s)));
        if let Some(step) = limit.filter(|step| step.failed == Some(Why::Generator)) {
            let why = step.generator.as_deref().unwrap_or_default();
            table.notes.push(format!("limited by the generator, not by the peer: {why}"));
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
            delivered_per_s: rate,
            p99_us: None,
            lost_share: 0.0,
            sent_of_due: 1.0,
            failed,
            generator: None,
        }
    }

    /// The last step that held, of a peer whose limit is `limit`.
    fn found(begin: f64, limit: f64) -> (f64, usize) {
        let steps = search(begin, |rate| Ok(step(rate, (rate > limit).then_some(Why::Latency)))).unwrap();
        let best = steps.iter().rev().find(|step| step.failed.is_none()).unwrap();
        (best.rate_per_s, steps.len())
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for limit in [11.0, 950.0, 10_000.0, 1e6, 3.3e7] {
            for begin in [10.0, 5_000.0, 1e7] {
                let (rate, steps) = found(begin, limit);
                assert!(rate <= limit && rate * CLOSE >= limit, "{limit} from {begin}: {rate}");
                assert!(steps <= STEPS_MAX + 1, "{limit} from {begin}: {steps} steps");
            }
        }
    }

    #[test]
    fn one_hiccup_is_no_limit() {
        let mut runs = 0;
        let steps = search(1_000.0, |rate| {
            runs += 1;
            Ok(step(rate, (runs == 1 || rate > 10_000.0).then_some(Why::Latency)))
        });
        let steps = steps.unwrap();
        assert!(steps.iter().any(|step| step.failed.is_none() && step.rate_per_s * CLOSE >= 10_000.0));
    }

    #[test]
    fn a_peer_that_can_do_nothing_ends_the_search() {
        let steps = search(1e6, |rate| Ok(step(rate, Some(Why::Loss)))).unwrap();
        assert!(steps.len() <= STEPS_MAX + 1);
        assert!(steps.last().unwrap().rate_per_s <= RATE_MIN);
    }
}
