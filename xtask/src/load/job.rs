//! What one command does: which runs, in which order, against whom.
//!
//! Measuring is `run.rs`'s, showing `report.rs`'s. Here stands what needs several runs to make one result.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::bench::Bench;
use super::find::FindArgs;
use super::outcome::Outcome;
use super::peer::Peer;
use super::performance::{Given, Piece};
use super::protocol::Wire;
use super::report::{Report, grouped};
use super::scenario::Scenario;
use super::{beside, compare, restart};
use crate::signal;

/// What one command does.
#[derive(Debug)]
pub(crate) enum Job {
    /// Scenarios, one after the other.
    Runs(Vec<Planned>),
    /// The highest rate of one.
    Find(Scenario),
    /// The broker and others, in turn.
    Compare {
        /// What is run.
        scenarios: Vec<Scenario>,
        /// Against whom.
        peers: Vec<Peer>,
        /// How often.
        runs: usize,
    },
    /// What docs/performance.md shows, and that page.
    Performance {
        /// Which parts of it.
        pieces: Vec<Piece>,
        /// How long and how often.
        given: Given,
    },
    /// The memory of idle connections.
    Idle {
        /// How many.
        count: usize,
        /// Whether they said `Hello`.
        hello: bool,
    },
    /// The memory of topics with a retained message.
    Retained {
        /// How many.
        count: usize,
        /// Bytes of each message.
        size: usize,
    },
}

/// A scenario, and how it is run.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// What is run.
    pub(crate) scenario: Scenario,
    /// How often.
    pub(crate) runs: usize,
    /// In which way.
    pub(crate) how: How,
    /// Not every protocol can do it: then it is left out, and that is told.
    pub(crate) optional: bool,
}

/// The ways to run a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    /// As it is.
    Plain,
    /// With and without what happens beside its messages, in turn.
    Beside,
    /// At a share of its maximum rate, which is measured before.
    Soak(f64),
    /// So many connections, and the server is restarted.
    Restart(usize),
}

/// Against whom single scenarios are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Against<'a> {
    /// Where processes come from.
    pub(crate) bench: &'a Bench,
    /// A server that runs already.
    pub(crate) address: Option<SocketAddr>,
    /// Whom to start otherwise.
    pub(crate) peer: Peer,
}

impl Against<'_> {
    /// One run; `note` stands before the scenario in the progress.
    fn run(&self, scenario: &Scenario, note: &str) -> Result<Outcome> {
        signal::check()?;
        match self.address {
            Some(address) => self.bench.run_at(scenario, address),
            None => self.bench.run(scenario, self.peer, note),
        }
    }

    /// All runs of one plan.
    pub(crate) fn planned(&self, planned: &Planned) -> Result<Vec<Outcome>> {
        let Planned { scenario, runs, .. } = planned;
        match planned.how {
            How::Beside => beside::run(scenario, *runs, |scenario, note| self.run(scenario, note)),
            How::Restart(connections) => Ok(vec![restart::run(self.bench, connections, scenario.times)?]),
            How::Soak(share) => self.repeat(&self.paced(scenario, share)?, *runs),
            How::Plain => self.repeat(scenario, *runs),
        }
    }

    fn repeat(&self, scenario: &Scenario, runs: usize) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for turn in 1..=runs {
            let note = if runs > 1 { format!("{turn}/{runs}: ") } else { String::new() };
            outcomes.push(self.run(scenario, &note)?);
            if signal::asked_to_stop() {
                break;
            }
        }
        Ok(outcomes)
    }

    /// `scenario` at `share` of its maximum.
    fn paced(&self, scenario: &Scenario, share: f64) -> Result<Scenario> {
        ensure!(share > 0.0 && share <= 1.0, "--share is more than 0, and 1 at the most");
        let mut closed = scenario.alone().with_rate(None);
        closed.times.warm_up = closed.times.warm_up.min(std::time::Duration::from_millis(500));
        closed.times.duration = closed.times.duration.min(std::time::Duration::from_secs(3));
        let most = self.run(&closed, "the maximum: ")?.sent_per_s;
        ensure!(most > 0.0, "nothing was sent: there is no rate to take a share of");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count for people, above 0"
        )]
        let shown = grouped(most as u64);
        super::progress::note(&format!("{}: the maximum is {shown} messages a second", scenario.name));
        // Two digits: a rate that can be said, and repeated.
        let unit = 10_f64.powf((most * share).log10().floor() - 1.0);
        Ok(scenario.clone().with_rate(Some((most * share / unit).round() * unit)))
    }

    /// Runs all of them. What is optional and refused is told on standard error. Ctrl-C ends it with what there is.
    pub(crate) fn runs(&self, all: &[Planned]) -> Result<Report> {
        let mut results = Vec::new();
        let native = self.address.is_none() && self.bench.wire(self.peer)? == Wire::Native;
        for planned in all {
            match self.planned(planned) {
                Ok(outcomes) => results.extend(outcomes),
                Err(_) if signal::asked_to_stop() && !results.is_empty() => break,
                Err(error) if planned.optional && !native && !signal::asked_to_stop() => {
                    super::progress::note(&format!("{} is left out: {error:#}", planned.scenario.name));
                }
                Err(error) => return Err(error.context(planned.scenario.name.clone())),
            }
            if signal::asked_to_stop() {
                break;
            }
        }
        Ok(Report::new(self.address, results))
    }

    /// Searches the highest rate.
    pub(crate) fn find(&self, args: &FindArgs, scenario: &Scenario) -> Result<Report> {
        let found = args.run(scenario, |scenario, note| self.run(scenario, note))?;
        let section = found.section()?;
        Ok(Report::new(self.address, vec![found.into_best()]).with(section))
    }
}

/// Compares the broker with others.
pub(crate) fn compare(bench: &Bench, scenarios: &[Scenario], peers: &[Peer], runs: usize) -> Result<Report> {
    let rows: Vec<compare::Row> = scenarios.iter().cloned().map(compare::Row::from).collect();
    compare::run(bench, &rows, peers, runs)?.report()
}
