//! Broker and relay in turn: medians, spread, and the broker's share.
//!
//! The two alternate within one go, so that whatever else the machine does meets both alike.

use anyhow::Result;
use serde::Serialize;

use super::bench::Bench;
use super::outcome::Outcome;
use super::report::{digits, markdown, number};
use super::run::Peer;
use super::scenario::Scenario;

/// What the broker has to reach, compared with the relay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Floor {
    /// At least this share of the relay's delivered messages a second.
    ThroughputShare(f64),
    /// At most so many times the relay's median latency.
    P50Times(f64),
}

/// The middle of some values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    /// Largest less smallest, as a share of the median.
    pub(crate) spread: f64,
}

impl Middle {
    /// Of `values`; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&first, &last) = (values.first()?, values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        let median = f64::midpoint(lower, upper);
        let spread = if median == 0.0 { 0.0 } else { (last - first) / median };
        Some(Self { median, spread })
    }
}

/// All runs of one peer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) delivered_per_s: Option<Middle>,
    pub(crate) cpu_s_per_million: Option<Middle>,
    pub(crate) p50_us: Option<Middle>,
    pub(crate) p99_us: Option<Middle>,
    pub(crate) p999_us: Option<Middle>,
    pub(crate) runs: Vec<Outcome>,
}

impl Series {
    fn new(runs: Vec<Outcome>) -> Self {
        let latency = |which: fn(&super::latency::LatencySummary) -> f64| {
            Middle::of(runs.iter().filter_map(|run| run.latency.as_ref().map(which)))
        };
        Self {
            delivered_per_s: Middle::of(runs.iter().map(|run| run.delivered_per_s)),
            cpu_s_per_million: Middle::of(runs.iter().filter_map(|run| run.peer_cpu_s_per_million)),
            p50_us: latency(|latency| latency.p50_us),
            p99_us: latency(|latency| latency.p99_us),
            p999_us: latency(|latency| latency.p999_us),
            runs,
        }
    }
}

/// One scenario, both peers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    pub(crate) rate_per_s: Option<f64>,
    /// The broker's delivered messages a second as a share of the relay's.
    pub(crate) throughput_share: Option<f64>,
    /// The broker's median latency in multiples of the relay's.
    pub(crate) p50_times: Option<f64>,
    pub(crate) floor: Option<Floor>,
    pub(crate) floor_reached: Option<bool>,
    pub(crate) broker: Series,
    pub(crate) relay: Series,
}

impl Comparison {
    /// Runs `scenario` `runs` times against each, in turn.
    pub(crate) fn run(bench: &Bench, scenario: &Scenario, runs: usize, floor: Option<Floor>) -> Result<Self> {
        scenario.check_relay()?;
        let (mut broker, mut relay) = (Vec::new(), Vec::new());
        for turn in 1..=runs {
            broker.push(bench.run(scenario, Peer::Broker, &format!("broker {turn}/{runs}: "))?);
            relay.push(bench.run(scenario, Peer::Relay, &format!("relay {turn}/{runs}: "))?);
        }
        Ok(Self::new(scenario, floor, Series::new(broker), Series::new(relay)))
    }

    fn new(scenario: &Scenario, floor: Option<Floor>, broker: Series, relay: Series) -> Self {
        let ratio = |of: fn(&Series) -> Option<Middle>| {
            Some(of(&broker)?.median / of(&relay)?.median).filter(|ratio| ratio.is_finite())
        };
        let throughput_share = ratio(|series| series.delivered_per_s);
        let p50_times = ratio(|series| series.p50_us);
        let floor_reached = floor.and_then(|floor| match floor {
            Floor::ThroughputShare(share) => Some(throughput_share? >= share),
            Floor::P50Times(times) => Some(p50_times? <= times),
        });
        Self {
            name: scenario.title(),
            rate_per_s: scenario.rate,
            throughput_share,
            p50_times,
            floor,
            floor_reached,
            broker,
            relay,
        }
    }

    /// Whether every run kept every promise.
    pub(crate) fn checks_hold(&self) -> bool {
        self.broker.runs.iter().chain(&self.relay.runs).all(|run| run.checks.hold())
    }
}

/// Throughput as Markdown, a row for each comparison.
pub(crate) fn throughput_table(comparisons: &[&Comparison]) -> String {
    let head = [
        "scenario",
        "broker, delivered/s",
        "relay, delivered/s",
        "share",
        "floor",
        "broker, CPU s per million",
        "relay, CPU s per million",
        "all there",
    ];
    let rows: Vec<Vec<String>> = comparisons
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                with_spread(row.broker.delivered_per_s, number),
                with_spread(row.relay.delivered_per_s, number),
                percent(row.throughput_share),
                floor(row),
                with_spread(row.broker.cpu_s_per_million, digits),
                with_spread(row.relay.cpu_s_per_million, digits),
                yes_no(row.checks_hold()),
            ]
        })
        .collect();
    markdown(&head, &rows)
}

/// Latencies as Markdown, two rows for each comparison.
pub(crate) fn latency_table(comparisons: &[&Comparison]) -> String {
    let head = ["scenario", "peer", "p50, us", "p99, us", "p99.9, us", "p50, times the relay's", "floor"];
    let mut rows = Vec::new();
    for row in comparisons {
        for (name, series, ratio, floor) in [
            ("broker", &row.broker, row.p50_times.map_or_else(String::new, digits), floor(row)),
            ("relay", &row.relay, String::new(), String::new()),
        ] {
            let middles =
                [series.p50_us, series.p99_us, series.p999_us].map(|middle| with_spread(middle, digits));
            let [p50, p99, p999] = middles;
            rows.push(vec![row.name.clone(), name.to_owned(), p50, p99, p999, ratio, floor]);
        }
    }
    markdown(&head, &rows)
}

fn with_spread(middle: Option<Middle>, show: impl Fn(f64) -> String) -> String {
    middle.map_or_else(String::new, |m| format!("{} (±{:.0} %)", show(m.median), m.spread * 50.0))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0))
}

fn floor(row: &Comparison) -> String {
    let verdict = match row.floor_reached {
        Some(true) => ", reached",
        Some(false) => ", NOT reached",
        None => "",
    };
    match row.floor {
        Some(Floor::ThroughputShare(share)) => format!("{:.0} %{verdict}", share * 100.0),
        Some(Floor::P50Times(times)) => format!("{times} times{verdict}"),
        None => String::new(),
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "NO" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_some_values() {
        assert_eq!(Middle::of([]), None);
        assert_eq!(Middle::of([3.0]), Some(Middle { median: 3.0, spread: 0.0 }));
        assert_eq!(Middle::of([5.0, 1.0, 4.0]), Some(Middle { median: 4.0, spread: 1.0 }));
        assert_eq!(Middle::of([4.0, 2.0, 1.0, 8.0]), Some(Middle { median: 3.0, spread: 7.0 / 3.0 }));
    }
}
