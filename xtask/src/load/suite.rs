//! Every row of docs/performance.md in one go, as Markdown and as JSON.

use anyhow::Result;
use serde::Serialize;

use super::bench::Bench;
use super::compare::{Comparison, Floor, latency_table, throughput_table};
use super::host::Host;
use super::memory::{self, MemoryRow};
use super::outcome::Outcome;
use super::peer::Peer;
use super::report::Table;
use super::scenario::{Scenario, Times};

/// Idle connections of the rows about memory.
const IDLE_CONNECTIONS: usize = 10_000;
/// Topics of the row about memory.
const RETAINED_TOPICS: usize = 100_000;
/// Messages a second of the row about latency.
const LATENCY_RATE: f64 = 10_000.0;

/// What the suite found.
#[derive(Debug, Serialize)]
pub(crate) struct SuiteReport {
    /// Stands at the top of the file already.
    #[serde(skip)]
    host: Host,
    runs: usize,
    seconds: f64,
    comparisons: Vec<Comparison>,
    memory: Vec<MemoryRow>,
}

/// The scenarios that are run against the relay, with what the broker has to reach.
fn rows(times: Times) -> Result<Vec<(Scenario, Option<Floor>)>> {
    let one = |size| Ok::<_, anyhow::Error>(Scenario::new(1, 1, 1, &[], times)?.with_size(size));
    Ok(vec![
        (one(16)?, Some(Floor::ThroughputShare(0.35))),
        (one(128)?, None),
        (one(1024)?, Some(Floor::ThroughputShare(0.65))),
        (one(65_536)?, Some(Floor::ThroughputShare(0.85))),
        (Scenario::new(1, 100, 1, &[], times)?, Some(Floor::ThroughputShare(0.40))),
        (Scenario::pairs(10, times)?, None),
        (one(128)?.with_rate(Some(LATENCY_RATE)), Some(Floor::P50Times(1.3))),
    ])
}

/// Runs all of it: `runs` times broker and relay for each row.
pub(crate) fn run(bench: &Bench, times: Times, runs: usize) -> Result<SuiteReport> {
    let mut comparisons = Vec::new();
    for (scenario, floor) in rows(times)? {
        comparisons.push(Comparison::run(bench, &scenario, &[Peer::Relay], runs, floor)?);
    }
    let memory = vec![
        memory::idle(bench, IDLE_CONNECTIONS, false)?,
        memory::idle(bench, IDLE_CONNECTIONS, true)?,
        memory::retained(bench, RETAINED_TOPICS, 16)?,
    ];
    Ok(SuiteReport {
        host: Host::read(None),
        runs,
        seconds: times.duration.as_secs_f64(),
        comparisons,
        memory,
    })
}

impl SuiteReport {
    /// Whether every run kept every promise.
    pub(crate) fn checks_hold(&self) -> bool {
        self.comparisons.iter().all(Comparison::checks_hold)
    }

    /// Every run, in order.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.comparisons.iter().flat_map(Comparison::runs).collect()
    }

    /// What was sent as fast as possible.
    pub(crate) fn throughput(&self) -> Table {
        let rows: Vec<&Comparison> = self.comparisons.iter().filter(|row| row.rate_per_s.is_none()).collect();
        throughput_table(&rows)
    }

    /// What was sent at a rate.
    pub(crate) fn latency(&self) -> Table {
        let rows: Vec<&Comparison> = self.comparisons.iter().filter(|row| row.rate_per_s.is_some()).collect();
        latency_table(&rows)
    }

    /// Bytes for each of many.
    pub(crate) fn memory_table(&self) -> String {
        memory::table(&self.memory)
    }

    /// The tables.
    pub(crate) fn markdown(&self) -> String {
        format!(
            "{}\nMedians of {} runs of {} s each, broker and relay in turn; ± is half of the spread.\n\n{}\n{}\n{}",
            self.host,
            self.runs,
            self.seconds,
            self.throughput().markdown(),
            self.latency().markdown(),
            self.memory_table(),
        )
    }
}
