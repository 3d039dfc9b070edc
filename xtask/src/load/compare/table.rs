//! Comparisons as tables: a row for each scenario and peer.

use super::super::middle::Middle;
use super::super::report::{Table, bytes, digits, grouped, number};
use super::{Comparison, Judged, PeerRuns, Ratio, Ratios};

/// Throughput and what it costs.
pub(super) fn throughput_table(comparisons: &[&Comparison]) -> Table {
    let head = [
        "scenario",
        "peer",
        "delivered/s",
        "broker/peer",
        "CPU s/million",
        "broker/peer",
        "memory",
        "generator, cores",
        "all there",
    ];
    table(&head, comparisons, |series| {
        vec![
            with_spread(series.delivered_per_s, number),
            ratio(series, |ratios| ratios.delivered),
            with_spread(series.cpu_s_per_million, digits),
            ratio(series, |ratios| ratios.cpu),
            memory(series),
            with_spread(series.generator_cpu_cores, digits),
            yes_no(series),
        ]
    })
}

/// Latencies at a rate, and what they cost.
pub(super) fn latency_table(comparisons: &[&Comparison]) -> Table {
    let head = [
        "scenario",
        "peer",
        "p50, us",
        "broker/peer",
        "p99, us",
        "broker/peer",
        "p99.9, us",
        "CPU s/million",
        "all there",
    ];
    table(&head, comparisons, |series| {
        vec![
            with_spread(series.p50_us, digits),
            ratio(series, |ratios| ratios.p50),
            with_spread(series.p99_us, digits),
            ratio(series, |ratios| ratios.p99),
            with_spread(series.p999_us, digits),
            with_spread(series.cpu_s_per_million, digits),
            yes_no(series),
        ]
    })
}

/// With a column for the floor where one of the rows has one.
fn table(head: &[&str], comparisons: &[&Comparison], cells: impl Fn(&PeerRuns) -> Vec<String>) -> Table {
    let has_floors = comparisons.iter().any(|comparison| !comparison.floors.is_empty());
    let mut head = head.to_vec();
    if has_floors {
        head.push("floors");
    }
    let mut table = Table::new("", &head);
    for comparison in comparisons {
        for (index, series) in comparison.series.iter().enumerate() {
            // The name once: the rows of a scenario belong together.
            let name = comparison.name.trim_end_matches(", as fast as possible");
            let name = if index == 0 { name.to_owned() } else { String::new() };
            let mut row = vec![name, series.peer.name().to_owned()];
            row.extend(cells(series));
            if has_floors {
                row.push(if index == 0 { floors(&comparison.floors) } else { String::new() });
            }
            table.row(row);
        }
    }
    table
}

fn with_spread(middle: Option<Middle>, show: impl Fn(f64) -> String) -> String {
    middle.map_or_else(String::new, |m| format!("{}{}", show(m.median), m.plus_minus()))
}

fn ratio(series: &PeerRuns, of: impl Fn(Ratios) -> Option<Ratio>) -> String {
    let ratio = series.broker_to_this.and_then(of);
    ratio.map_or_else(String::new, |ratio| {
        format!("{} ({}–{})", digits(ratio.median), digits(ratio.min), digits(ratio.max))
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
fn memory(series: &PeerRuns) -> String {
    series.resident_bytes.map_or_else(String::new, |middle| bytes(middle.median as u64))
}

/// Whether all messages came, or how many of all runs did not.
fn yes_no(series: &PeerRuns) -> String {
    if series.checks_hold() {
        return "yes".to_owned();
    }
    let lost: u64 = series.runs.iter().map(|run| run.checks.lost).sum();
    if lost > 0 { format!("NO, {} lost", grouped(lost)) } else { "NO".to_owned() }
}

fn floors(floors: &[Judged]) -> String {
    floors.iter().map(Judged::text).collect::<Vec<_>>().join("; ")
}
