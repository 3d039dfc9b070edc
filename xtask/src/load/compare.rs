//! Several peers in turn: medians, spread, and how the broker compares with each.
//!
//! The peers alternate within one go, and a different one begins each time, so that whatever else the machine does meets all alike. A ratio is taken
//! between two runs of the same turn; what is shown is the median of these ratios, and the least and the greatest of them.

mod floor;
mod ratio;
mod table;

use anyhow::{Result, bail};
use serde::Serialize;

pub(crate) use floor::Floor;
use floor::Judged;
use ratio::Ratio;
use table::{latency_table, throughput_table};

use super::bench::Bench;
use super::latency::LatencySummary;
use super::middle::Middle;
use super::outcome::Outcome;
use super::peer::Peer;
use super::protocol::Wire;
use super::report::{Report, Section, Table};
use super::scenario::{Scenario, Times};
use crate::signal;

/// Messages a second of the row about latency.
const LATENCY_RATE: f64 = 10_000.0;

/// A scenario, and what the broker has to reach in it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What is run.
    pub(crate) scenario: Scenario,
    /// Compared with those who take part.
    pub(crate) floors: Vec<Floor>,
}

impl From<Scenario> for Row {
    fn from(scenario: Scenario) -> Self {
        Self { scenario, floors: Vec::new() }
    }
}

/// The broker's figures divided by a peer's, turn by turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratios {
    pub(crate) delivered: Option<Ratio>,
    pub(crate) cpu: Option<Ratio>,
    pub(crate) p50: Option<Ratio>,
    pub(crate) p99: Option<Ratio>,
}

/// All runs of one peer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PeerRuns {
    pub(crate) peer: Peer,
    pub(crate) protocol: Wire,
    /// What its program says.
    pub(crate) version: Option<String>,
    pub(crate) delivered_per_s: Option<Middle>,
    pub(crate) cpu_s_per_million: Option<Middle>,
    pub(crate) resident_bytes: Option<Middle>,
    pub(crate) generator_cpu_cores: Option<Middle>,
    pub(crate) p50_us: Option<Middle>,
    pub(crate) p99_us: Option<Middle>,
    pub(crate) p999_us: Option<Middle>,
    /// The broker's figures divided by these; `None` for the broker itself.
    pub(crate) broker_to_this: Option<Ratios>,
    /// Stand beside the comparison in the results.
    #[serde(skip)]
    pub(crate) runs: Vec<Outcome>,
}

/// Somebody who could not take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) peer: Peer,
    /// And what to do about it, where something can be done.
    pub(crate) why: String,
}

/// One scenario, all peers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) floors: Vec<Judged>,
    /// The broker first.
    pub(crate) series: Vec<PeerRuns>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Some scenarios, all peers.
#[derive(Debug, Serialize)]
pub(crate) struct CompareReport {
    runs: usize,
    comparisons: Vec<Comparison>,
}

impl Ratios {
    /// `broker` and `peer` have the same number of runs.
    fn new(broker: &[Outcome], peer: &[Outcome]) -> Self {
        let ratio = |of: &dyn Fn(&Outcome) -> Option<f64>| {
            Ratio::of(broker.iter().zip(peer).filter_map(|(broker, peer)| Some(of(broker)? / of(peer)?)))
        };
        Self {
            delivered: ratio(&|run| Some(run.delivered_per_s)),
            cpu: ratio(&|run| run.peer_cpu_s_per_million),
            p50: ratio(&|run| run.latency.as_ref().map(|latency| latency.p50_us)),
            p99: ratio(&|run| run.latency.as_ref().map(|latency| latency.p99_us)),
        }
    }
}

impl PeerRuns {
    fn new(
        peer: Peer,
        protocol: Wire,
        version: Option<String>,
        runs: Vec<Outcome>,
        broker: &[Outcome],
    ) -> Self {
        let middle = |of: &dyn Fn(&Outcome) -> Option<f64>| Middle::of(runs.iter().filter_map(of));
        let latency = |of: fn(&LatencySummary) -> f64| {
            Middle::of(runs.iter().filter_map(|run| run.latency.as_ref().map(of)))
        };
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let resident_bytes = middle(&|run| run.peer_resident_bytes.map(|bytes| bytes as f64));
        Self {
            peer,
            protocol,
            version,
            delivered_per_s: middle(&|run| Some(run.delivered_per_s)),
            cpu_s_per_million: middle(&|run| run.peer_cpu_s_per_million),
            resident_bytes,
            generator_cpu_cores: middle(&|run| run.generator_cpu_cores),
            p50_us: latency(|latency| latency.p50_us),
            p99_us: latency(|latency| latency.p99_us),
            p999_us: latency(|latency| latency.p999_us),
            broker_to_this: (peer != Peer::Broker).then(|| Ratios::new(broker, &runs)),
            runs,
        }
    }

    /// Whether every run kept every promise.
    pub(crate) fn checks_hold(&self) -> bool {
        self.runs.iter().all(|run| run.checks.hold())
    }
}

impl Comparison {
    /// Runs the scenario of `row` `runs` times against the broker and each of `peers`, in turn. Who cannot take part is left out.
    fn run(bench: &Bench, row: &Row, peers: &[Peer], runs: usize) -> Result<Self> {
        let scenario = &row.scenario;
        let mut left_out = Vec::new();
        let mut fields: Vec<(Peer, Vec<Outcome>)> = vec![(Peer::Broker, Vec::new())];
        for &peer in peers {
            match bench.program(peer).and_then(|_| suits(bench, scenario, peer)) {
                Ok(()) => fields.push((peer, Vec::new())),
                Err(error) => left_out.push(LeftOut { peer, why: format!("{error:#}") }),
            }
        }
        for turn in 0..runs {
            let first = turn % fields.len().max(1);
            fields.rotate_left(first);
            let mut failed = None;
            for (peer, outcomes) in &mut fields {
                let note = format!("{} {}/{runs}: ", peer.name(), turn + 1);
                match bench.run(scenario, *peer, &note) {
                    Ok(outcome) => outcomes.push(outcome),
                    // What there is so far is worth showing, if each has been run.
                    Err(_) if signal::asked_to_stop() && turn > 0 => break,
                    Err(error) if *peer == Peer::Broker || signal::asked_to_stop() => return Err(error),
                    Err(error) => failed = Some((*peer, format!("{error:#}"))),
                }
            }
            fields.rotate_right(first);
            if let Some((peer, why)) = failed {
                fields.retain(|(other, _)| *other != peer);
                left_out.push(LeftOut { peer, why });
            }
            if signal::asked_to_stop() {
                break;
            }
        }
        Self::new(bench, row, fields, left_out)
    }

    fn new(
        bench: &Bench,
        row: &Row,
        fields: Vec<(Peer, Vec<Outcome>)>,
        left_out: Vec<LeftOut>,
    ) -> Result<Self> {
        let broker = fields.first().map(|(_, runs)| runs.clone()).unwrap_or_default();
        let mut series = Vec::new();
        for (peer, runs) in fields {
            series.push(PeerRuns::new(peer, bench.wire(peer)?, bench.version(peer), runs, &broker));
        }
        let floors = row.floors.iter().map(|floor| floor.judge(&series)).collect();
        let Row { scenario, .. } = row;
        Ok(Self { name: scenario.title(), rate_per_s: scenario.rate, floors, series, left_out })
    }

    /// Every run of every peer.
    fn runs(&self) -> impl Iterator<Item = Outcome> {
        self.series.iter().flat_map(|series| series.runs.iter().cloned())
    }
}

/// An error if `peer` cannot do what `scenario` asks for.
fn suits(bench: &Bench, scenario: &Scenario, peer: Peer) -> Result<()> {
    let wire = bench.wire(peer)?;
    if peer == Peer::Relay {
        scenario.check_relay()?;
    }
    if scenario.to_nobody && !wire.answers() {
        bail!("{} answers no pings: nobody knows how many messages it took", wire.name());
    }
    if scenario.subscribers.iter().any(|subscriber| subscriber.queue.is_some()) && !wire.has_groups() {
        bail!("{} has no groups", wire.name());
    }
    Ok(())
}

/// The scenarios that are compared if none is named: each shape once, four sizes, and latencies.
pub(crate) fn standard(times: Times) -> Result<Vec<Scenario>> {
    let one =
        |size| Ok::<_, anyhow::Error>(Scenario::new(1, 1, 1, &[], times)?.with_size(size).with_rate(None));
    Ok(vec![
        one(16)?,
        one(128)?,
        one(1024)?,
        one(65_536)?,
        Scenario::new(1, 100, 1, &[], times)?.with_rate(None),
        Scenario::pairs(10, times)?.with_rate(None),
        Scenario::new(10, 1, 1, &[], times)?.with_rate(None),
        one(128)?.with_rate(Some(LATENCY_RATE)),
    ])
}

/// Runs all `rows` against the broker and `peers`.
///
/// # Errors
/// If none of the peers could take part in anything; the text says how to get them.
pub(crate) fn run(bench: &Bench, rows: &[Row], peers: &[Peer], runs: usize) -> Result<CompareReport> {
    let missing: Vec<String> = peers
        .iter()
        .filter_map(|&peer| bench.program(peer).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if missing.len() == peers.len() {
        bail!("nobody is there to compare the broker with\n  {}", missing.join("\n  "));
    }
    let mut comparisons = Vec::new();
    for row in rows {
        comparisons.push(Comparison::run(bench, row, peers, runs)?);
    }
    Ok(CompareReport { runs, comparisons })
}

impl CompareReport {
    /// Every run, and what follows from them.
    pub(crate) fn report(&self) -> Result<Report> {
        Ok(Report::new(None, self.outcomes()).with(Section::new("comparison", self.tables(), &self)?))
    }

    /// Every run of every peer.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.comparisons.iter().flat_map(Comparison::runs).collect()
    }

    /// Throughput, latencies, versions; the last one says who is missing.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let (rated, fast): (Vec<_>, Vec<_>) =
            self.comparisons.iter().partition(|row| row.rate_per_s.is_some());
        let mut tables = Vec::new();
        if !fast.is_empty() {
            tables.push(throughput_table(&fast));
        }
        if !rated.is_empty() {
            tables.push(latency_table(&rated));
        }
        let mut programs = self.programs();
        programs.notes.push(format!(
            "Medians of {} runs, peers in turn; ± is half of the spread. Ratios: the broker's figure divided by the peer's, turn by \
             turn; their median, their least and their greatest.",
            self.runs
        ));
        programs.notes.extend(self.left_out());
        tables.push(programs);
        tables
    }

    /// Versions; without columns where nobody else took part: the relay is built together with the broker.
    fn programs(&self) -> Table {
        let all = || self.comparisons.iter().flat_map(|comparison| &comparison.series);
        if all().all(|series| matches!(series.peer, Peer::Broker | Peer::Relay)) {
            return Table::default();
        }
        let mut table = Table::new("", &["peer", "version", "protocol"]);
        for series in all() {
            let version = series.version.clone().unwrap_or_else(|| "unknown".to_owned());
            let row = vec![series.peer.name().to_owned(), version, series.protocol.name().to_owned()];
            if !table.rows.contains(&row) {
                table.row(row);
            }
        }
        table
    }

    /// A line for each reason why somebody took no part.
    fn left_out(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for comparison in &self.comparisons {
            for left in &comparison.left_out {
                let everywhere = self.comparisons.iter().all(|other| other.left_out.contains(left));
                let place = if everywhere { "" } else { &format!(" of \"{}\"", comparison.name) };
                let line = format!("{} is left out{place}: {}", left.peer.name(), left.why);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests;
