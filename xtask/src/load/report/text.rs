//! Results for a terminal: one run in full, several as one table, sections as their tables. At most 80 columns where names allow it.

use std::fmt::Write as _;

use super::table::wrapped;
use super::{Report, Table, Verdict, bytes, digits, grouped, in_unit, micros, number, percent};
use crate::load::latency::LatencySummary;
use crate::load::metric;
use crate::load::middle::{Group, groups};
use crate::load::outcome::{Checks, Outcome};

/// The column in which the values of a single run begin.
const VALUES_AT: usize = 21;

/// Everything, with a line break at the end, for a terminal of `width` columns; without one lines are as long as they have to be.
pub(crate) fn text(report: &Report, verdicts: &[Verdict], width: Option<usize>) -> String {
    let show = |table: &Table| width.map_or_else(|| table.text(), |width| table.text_within(width));
    let mut parts: Vec<String> = Vec::new();
    let groups = groups(&report.results);
    match (report.results.as_slice(), report.sections.iter().any(|section| section.name != "baseline")) {
        ([one], false) => parts.push(single(one, width)),
        (_, false) if !groups.is_empty() => parts.push(show(&overview(&groups))),
        _ => {}
    }
    for table in report.sections.iter().flat_map(|section| &section.tables) {
        parts.push(show(table));
    }
    parts.extend(broken(&report.results));
    if !verdicts.is_empty() {
        parts.push(assertions(verdicts));
    }
    parts.join("\n")
}

/// One run in full.
fn single(outcome: &Outcome, width: Option<usize>) -> String {
    let mut out = format!("{}\n", outcome.scenario.title());
    let line = |out: &mut String, name: &str, value: &str| {
        // Writing to a String cannot fail.
        let value = wrapped(value, width.unwrap_or(usize::MAX).saturating_sub(VALUES_AT));
        let indent = format!("\n{:VALUES_AT$}", "");
        writeln!(out, "  {name:<18} {}", value.replace('\n', &indent)).unwrap_or_default();
    };
    if outcome.has_no_messages() {
        line(&mut out, "peer", &format!("{}, {} protocol", outcome.peer, outcome.protocol));
        for figure in &outcome.figures {
            line(&mut out, &metric::shown(&figure.name), &in_unit(figure.value, figure.unit));
        }
        return out;
    }
    let who =
        format!("{}, {} protocol, measured for {:.1} s", outcome.peer, outcome.protocol, outcome.seconds);
    line(&mut out, "peer", &who);
    let of_due = outcome.sent_of_due.filter(|share| *share < 0.999);
    let of_due = of_due.map_or_else(String::new, |share| format!(", {:.1} % of what was due", share * 100.0));
    line(&mut out, "sent", &format!("{}/s{of_due}", number(outcome.sent_per_s)));
    let window = outcome.scenario.window_messages();
    let window = window.map_or_else(String::new, |window| format!(", window {} messages", grouped(window)));
    let delivered = format!(
        "{}/s, {} MB/s of payload{window}",
        number(outcome.delivered_per_s),
        digits(outcome.delivered_mb_per_s)
    );
    line(&mut out, "delivered", &delivered);
    line(&mut out, "peer's CPU", &cpu(outcome));
    if let Some(resident) = outcome.peer_resident_bytes {
        line(&mut out, "peer's memory", &bytes(resident));
    }
    for (name, value) in generator(outcome) {
        line(&mut out, name, &value);
    }
    for figure in &outcome.figures {
        line(&mut out, &metric::shown(&figure.name), &in_unit(figure.value, figure.unit));
    }
    if let Some(table) = latencies(outcome) {
        out.push('\n');
        out.push_str(&table.text());
    }
    out.push('\n');
    out.push_str(&checks(&outcome.checks).text());
    out
}

fn cpu(outcome: &Outcome) -> String {
    match (outcome.peer_cpu_cores, outcome.peer_cpu_s_per_million) {
        (Some(cores), Some(each)) => {
            format!("{} cores, {} s for a million delivered messages", digits(cores), digits(each))
        }
        (Some(cores), None) => format!("{} cores", digits(cores)),
        (None, _) => "unknown: it is not a process of ours".to_owned(),
    }
}

/// What the generator took, how late it was, and whether that was the limit.
fn generator(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(cores) = outcome.generator_cpu_cores {
        let share =
            outcome.generator_cpu_share.map_or_else(String::new, |s| format!(", {} of all", percent(s)));
        lines.push(("generator's CPU", format!("{} cores{share}", digits(cores))));
    }
    if let Some(lag) = outcome.schedule_lag {
        let [p50, p99, max] = [lag.p50_us, lag.p99_us, lag.max_us].map(micros);
        lines.push(("generator late by", format!("p50 {p50}, p99 {p99}, max {max}")));
    }
    if let Some(why) = &outcome.limited_by_generator {
        lines.push(("THE GENERATOR", format!("WAS THE LIMIT: {why}")));
    }
    lines
}

/// Corrected and raw percentiles.
pub(crate) fn latencies(outcome: &Outcome) -> Option<Table> {
    let columns = ["latency", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let mut table = Table::new("", &columns);
    let row = |name: &str, of: &LatencySummary| {
        let values = [of.p50_us, of.p90_us, of.p99_us, of.p999_us, of.p9999_us, of.max_us];
        std::iter::once(name.to_owned()).chain(values.map(micros)).collect()
    };
    table.row(row("from intended", outcome.latency.as_ref()?));
    // In a closed loop a message is meant for the moment in which it is sent: both are the same.
    if outcome.scenario.rate_per_s().is_some() {
        table.row(row("from sent (raw)", outcome.raw_latency.as_ref()?));
    }
    Some(table)
}

/// What became of the messages, over the whole run.
pub(crate) fn checks(checks: &Checks) -> Table {
    let mut table = Table::new("", &["messages", "sent", "expected", "delivered", "skipped"]);
    let count = |count: u64| grouped(count);
    table.row(vec![
        "the whole run".to_owned(),
        count(checks.sent),
        count(checks.expected),
        count(checks.delivered),
        count(checks.skipped),
    ]);
    table.notes.push(promises(checks));
    table
}

/// In words, what is wrong, or that nothing is.
fn promises(checks: &Checks) -> String {
    if checks.hold() {
        return "Nothing lost, duplicated, reordered, changed or miscounted.".to_owned();
    }
    let faults = [
        (checks.lost, "lost"),
        (checks.duplicated, "duplicated"),
        (checks.reordered, "reordered"),
        (checks.corrupt, "corrupt"),
        (checks.miscounted, "miscounted"),
    ];
    let faults: Vec<String> = faults
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", grouped(*count)))
        .collect();
    format!("PROMISES BROKEN: {}.", faults.join(", "))
}

/// Several scenarios, a row for each.
pub(crate) fn overview(groups: &[Group<'_>]) -> Table {
    let mut table =
        Table::new("", &["scenario", "delivered/s", "p50", "p99", "p99.9", "max", "CPU s/M", "all there"]);
    let peers = groups.iter().any(|group| groups.first().is_some_and(|first| first.peer != group.peer));
    for group in groups.iter().filter(|group| !group.runs.iter().all(|run| run.has_no_messages())) {
        let shown = |metric: &str, show: fn(f64) -> String| {
            group.middle(metric).map_or_else(String::new, |middle| show(middle.median))
        };
        let name = if peers { format!("{} · {}", group.title, group.peer) } else { group.title.clone() };
        let limit = if group.limited_by_generator().is_some() { " *" } else { "" };
        table.row(vec![
            name,
            format!("{}{limit}", shown("delivered_per_s", number)),
            shown("p50", micros),
            shown("p99", micros),
            shown("p999", micros),
            shown("max", micros),
            shown("cpu_per_million", digits),
            if group.checks_hold() { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    for group in groups {
        let figures: Vec<String> = group
            .figures()
            .filter_map(|metric| {
                let value = in_unit(group.middle(metric.name)?.median, metric.unit);
                Some(format!("{} {value}", metric::shown(metric.name)))
            })
            .collect();
        if !figures.is_empty() {
            table.notes.push(format!("{}: {}", group.title, figures.join(", ")));
        }
        if let Some(why) = group.limited_by_generator() {
            table.notes.push(format!("* {}: the generator was the limit: {why}", group.title));
        }
    }
    table
}

/// A line for each run that broke a promise, where runs are not shown one by one.
fn broken(results: &[Outcome]) -> Option<String> {
    if results.len() < 2 {
        return None;
    }
    let mut out = String::new();
    for (run, outcome) in (1..).zip(results).filter(|(_, outcome)| !outcome.checks.hold()) {
        let what = promises(&outcome.checks);
        writeln!(out, "run {run}, {}, {}: {what}", outcome.peer, outcome.scenario.title())
            .unwrap_or_default();
    }
    Some(out).filter(|out| !out.is_empty())
}

/// A line for each assertion.
pub(crate) fn assertions(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    let several =
        verdicts.iter().any(|verdict| verdicts.first().is_some_and(|v| v.scenario != verdict.scenario));
    for verdict in verdicts {
        let mark = if verdict.holds { "holds" } else { "MISSED" };
        let value = verdict.value.map_or_else(
            || "was not measured".to_owned(),
            |value| format!("is {}", in_unit(value, verdict.unit)),
        );
        let of = if several { format!(" · {}", verdict.scenario) } else { String::new() };
        writeln!(out, "{mark:<7} {}  ({value}){of}", verdict.assertion).unwrap_or_default();
    }
    out
}
