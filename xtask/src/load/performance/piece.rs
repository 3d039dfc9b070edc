//! The pieces of docs/performance.md: what each of them measures, with whom, how long and how often.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use super::rows;
use crate::load::bench::Bench;
use crate::load::compare::{self, Row};
use crate::load::job::{Against, How, Planned};
use crate::load::memory;
use crate::load::middle::{Group, groups};
use crate::load::outcome::{Outcome, Unit};
use crate::load::peer::Peer;
use crate::load::protocol::Wire;
use crate::load::report::{Table, in_unit, micros};
use crate::load::scenario::{Kind, Scenario, ShapeArgs, Times, plan};
use crate::load::{beside, metric};

/// Idle connections of the rows about memory.
const IDLE_CONNECTIONS: usize = 10_000;
/// What is shown of runs beside slow subscribers.
const SLOW: [&str; 14] = [
    "p50",
    "p99",
    "p99_tenth",
    "p50_ratio",
    "p99_ratio",
    "p99_tenth_ratio",
    "cpu",
    "lost",
    "slow_received",
    "slow_skipped",
    "slow_lost",
    "slow_closed",
    "memory",
    "memory_of_bounds",
];
/// What is shown of runs beside joiners.
const JOINS: [&str; 11] = [
    "p50",
    "p99",
    "p99_tenth",
    "p99_ratio",
    "p99_tenth_ratio",
    "joins",
    "join_time",
    "join_time_max",
    "join_lost",
    "lost",
    "cpu",
];
/// Topics of the row about memory.
const RETAINED_TOPICS: usize = 100_000;

/// A part of docs/performance.md that is measured on its own
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Piece {
    /// Beside the relay
    Relay,
    /// Idle connections, retained messages
    Memory,
    /// Good subscribers beside some that never read
    SlowConsumer,
    /// Fifty good subscribers beside fifty slow ones, under every policy
    Policies,
    /// Others beside one who joins a hundred thousand topics
    Joins,
    /// Four sizes of payload, beside other servers, each in its own protocol
    Sizes,
    /// Many publishers, many subscribers, none: the same
    Shapes,
    /// The broker and nats-server, both speaking NATS
    Nats,
    /// Latencies of broker and nats-server over NATS, beside those of Redis
    NatsLatency,
    /// A hundred thousand wildcards, a million topics, both speaking NATS
    Wildcard,
    /// Memory, handles and losses over a long time, with churn
    Soak,
    /// Nothing: the page is written again from what is kept
    Page,
}

/// What the command line says of times and counts.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Of each run, where it was given.
    pub(crate) duration: Option<Duration>,
    /// Before each run, where it was given.
    pub(crate) warm_up: Option<Duration>,
    /// After each run.
    pub(crate) drain: Duration,
    /// How often each is run.
    pub(crate) runs: usize,
    /// How long the soak is.
    pub(crate) soak: Duration,
}

/// What a piece found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How it was measured, for people: runs and times.
    pub(crate) how: String,
    /// For people.
    pub(crate) tables: Vec<Table>,
    /// The same for programs.
    pub(crate) figures: Value,
    /// Every run.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Given {
    fn times(&self, duration: f64, warm_up: f64) -> Times {
        Times {
            warm_up: self.warm_up.unwrap_or(Duration::from_secs_f64(warm_up)),
            duration: self.duration.unwrap_or(Duration::from_secs_f64(duration)),
            drain: self.drain,
        }
    }
}

impl Piece {
    /// All that are measured, in the order in which `--report` alone does it: the soak comes last, it takes the longest.
    pub(crate) const MEASURED: [Self; 11] = [
        Self::Relay,
        Self::Memory,
        Self::SlowConsumer,
        Self::Policies,
        Self::Joins,
        Self::Sizes,
        Self::Shapes,
        Self::Nats,
        Self::NatsLatency,
        Self::Wildcard,
        Self::Soak,
    ];

    /// As on the command line, in the template, and the name of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Memory => "memory",
            Self::SlowConsumer => "slow-consumer",
            Self::Policies => "policies",
            Self::Joins => "joins",
            Self::Sizes => "sizes",
            Self::Shapes => "shapes",
            Self::Nats => "nats",
            Self::NatsLatency => "nats-latency",
            Self::Wildcard => "wildcard",
            Self::Soak => "soak",
            Self::Page => "page",
        }
    }

    /// Measures it.
    pub(super) fn measure(self, bench: &Bench, given: &Given) -> Result<Found> {
        const ALL: [Peer; 4] = [Peer::NatsServer, Peer::Mosquitto, Peer::Redis, Peer::Lbroker];
        let times = given.times(2.0, 0.5);
        let native = &bench.speaking(Wire::Native);
        let nats = &bench.speaking(Wire::Nats);
        let compared = |bench, rows: Vec<Row>, peers: &[Peer]| compared(bench, &rows, peers, given.runs);
        match self {
            Self::Relay => compared(native, rows::relay(times)?, &[Peer::Relay]),
            Self::Memory => footprint(native),
            Self::SlowConsumer => with_and_without(native, &[rows::slow_consumer(times)?], &SLOW, given.runs),
            Self::Policies => {
                with_and_without(native, &rows::policies(given.times(1.0, 0.5))?, &SLOW, given.runs)
            }
            Self::Joins => with_and_without(native, &[rows::joins(times)?], &JOINS, given.runs),
            Self::Sizes => compared(native, rows::sizes(times)?, &ALL),
            Self::Shapes => compared(native, rows::shapes(times)?, &ALL),
            Self::Nats => compared(nats, rows::nats(times)?, &[Peer::NatsServer]),
            Self::NatsLatency => {
                let rows = rows::nats_latency(given.times(3.0, 0.5))?;
                compared(nats, rows, &[Peer::NatsServer, Peer::Redis])
            }
            // At some 200,000 messages a second a million topics take five seconds.
            Self::Wildcard => compared(nats, rows::wildcard(given.times(5.0, 1.0))?, &[Peer::NatsServer]),
            Self::Soak => soak(native, &Given { duration: Some(given.soak), ..given.clone() }),
            Self::Page => Ok(Found {
                how: String::new(),
                tables: Vec::new(),
                figures: Value::Null,
                outcomes: Vec::new(),
            }),
        }
    }
}

/// "5 runs of 2 s each".
fn how(runs: usize, times: Times) -> String {
    let of = micros(times.duration.as_secs_f64() * 1e6);
    if runs == 1 { format!("one run of {of}") } else { format!("{runs} runs of {of} each, in turn") }
}

fn compared(bench: &Bench, rows: &[Row], peers: &[Peer], runs: usize) -> Result<Found> {
    let times = rows.first().context("nothing to run")?.scenario.times;
    let report = compare::run(bench, rows, peers, runs)?;
    Ok(Found {
        how: how(runs, times),
        tables: report.tables(),
        figures: serde_json::to_value(&report)?,
        outcomes: report.outcomes(),
    })
}

/// Bytes for each of many.
fn footprint(bench: &Bench) -> Result<Found> {
    let rows = [
        memory::idle(bench, IDLE_CONNECTIONS, false)?,
        memory::idle(bench, IDLE_CONNECTIONS, true)?,
        memory::retained(bench, RETAINED_TOPICS, 16)?,
    ];
    Ok(Found {
        how: "once each".to_owned(),
        tables: vec![memory::table(&rows)],
        figures: serde_json::to_value(&rows)?,
        outcomes: Vec::new(),
    })
}

/// Scenarios with and without what happens beside their messages, in turn, and what the table shows of them.
fn with_and_without(bench: &Bench, scenarios: &[Scenario], figures: &[&str], runs: usize) -> Result<Found> {
    let times = scenarios.first().context("nothing to run")?.times;
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let run = |scenario: &_, note: &str| bench.run(scenario, Peer::Broker, note);
        outcomes.extend(beside::run(scenario, runs, run)?);
    }
    Ok(Found {
        how: how(runs, times),
        tables: vec![by_scenario(&outcomes, figures)],
        figures: medians(&outcomes),
        outcomes,
    })
}

/// One long run, at half of the maximum rate, which is measured before.
fn soak(bench: &Bench, given: &Given) -> Result<Found> {
    let times = given.times(600.0, 1.0);
    let shape = ShapeArgs::default();
    let planned = Planned {
        scenario: plan(Kind::Soak, &shape, times)?,
        runs: 1,
        how: How::Soak(shape.share(Kind::Soak)),
        optional: false,
    };
    let outcomes = Against { bench, address: None, peer: Peer::Broker }.planned(&planned)?;
    Ok(Found {
        how: how(1, times),
        tables: outcomes.iter().map(all_figures).collect(),
        figures: medians(&outcomes),
        outcomes,
    })
}

/// The median of `name` and how far the runs lie apart, in its unit.
fn shown(group: &Group<'_>, name: &str) -> String {
    match (group.middle(name), metric::find(name)) {
        // One bad run is one too many, and the median would not show it.
        (Some(_), Some(metric)) if metric.unit == Unit::Count => {
            in_unit(group.values(name).into_iter().fold(0.0, f64::max), metric.unit)
        }
        (Some(middle), Some(metric)) => {
            format!("{}{}", in_unit(middle.median, metric.unit), middle.plus_minus())
        }
        _ => String::new(),
    }
}

/// A row for each scenario, with these figures.
fn by_scenario(outcomes: &[Outcome], figures: &[&str]) -> Table {
    let head: Vec<String> = figures.iter().map(|name| metric::shown(name)).collect();
    let head: Vec<&str> = std::iter::once("scenario").chain(head.iter().map(String::as_str)).collect();
    let mut table = Table::new("", &head);
    for group in groups(outcomes) {
        let cells = figures.iter().map(|name| shown(&group, name));
        table.row(std::iter::once(group.title.clone()).chain(cells).collect());
    }
    table
}

/// Everything that one run says of itself, a row for each figure.
fn all_figures(outcome: &Outcome) -> Table {
    const FIRST: [&str; 12] = [
        "sent_per_s",
        "delivered_per_s",
        "p50",
        "p99",
        "cpu",
        "generator_cpu",
        "sent",
        "delivered",
        "skipped",
        "lost",
        "duplicated",
        "reordered",
    ];
    let title = outcome.scenario.title();
    let mut table = Table::new("", &[title.as_str(), ""]);
    let own = outcome.figures.iter().map(|figure| figure.name.as_str());
    for name in FIRST.into_iter().chain(own) {
        if let (Some(value), Some(metric)) = (metric::value(outcome, name), metric::find(name)) {
            table.row(vec![metric::shown(name), in_unit(value, metric.unit)]);
        }
    }
    table
}

/// Every figure of every scenario, for programs: the median of the runs, in the unit of its name's metric.
fn medians(outcomes: &[Outcome]) -> Value {
    let of = |group: &Group<'_>| {
        let mut map = serde_json::Map::new();
        map.insert("scenario".to_owned(), group.title.clone().into());
        map.insert("runs".to_owned(), group.runs.len().into());
        for metric in metric::all() {
            if let Some(middle) = group.middle(metric.name) {
                map.insert(metric.name.to_owned(), middle.median.into());
            }
        }
        Value::Object(map)
    };
    groups(outcomes).iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn names_are_those_of_the_command_line() {
        for piece in Piece::value_variants() {
            assert_eq!(piece.to_possible_value().unwrap().get_name(), piece.name());
            assert_eq!(Piece::MEASURED.contains(piece), *piece != Piece::Page);
        }
    }

    #[test]
    fn each_kind_of_run_has_a_row() {
        let mut lossy = fixture::outcome();
        lossy.checks.lost = 7;
        let table =
            by_scenario(&[fixture::outcome(), lossy, fixture::outcome()], &["p50", "lost", "join_time"]);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.head, ["scenario", "p50", "lost", "join time"]);
        // The worst of the counts; nothing where nothing was measured.
        assert_eq!(table.rows[0][2..], ["7.00", ""]);
        assert!(table.rows[0][1].contains("us"), "{table:?}");
    }

    #[test]
    fn a_single_run_tells_everything() {
        let table = all_figures(&fixture::outcome());
        let value = |name: &str| table.rows.iter().find(|row| row[0] == name).map(|row| row[1].clone());
        assert_eq!(value("connects").as_deref(), Some("12.0 k/s"));
        assert_eq!(value("lost").as_deref(), Some("0"));
        let figures = medians(&[fixture::outcome()]);
        assert_eq!(figures[0]["connects_per_s"], 12_000.0);
    }
}
