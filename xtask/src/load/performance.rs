//! `--report`: runs everything that docs/performance.md shows, and writes that page.
//!
//! The words stand in `performance.md.in`, the figures come from this run, and nothing else goes into the page: so it cannot say what no run
//! showed. A place of the template without a figure is an error, and so is a figure without a place.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::bench::Bench;
use super::middle::groups;
use super::outcome::Outcome;
use super::peer::Peer;
use super::report::{Report, Section, Table, digits, in_unit, micros};
use super::scenario::{Kind, ShapeArgs, Times, plan};
use super::{beside, compare, metric, progress, suite};
use crate::rebuild;

/// The words of the page.
const TEMPLATE: &str = include_str!("performance.md.in");
/// With whom the broker is compared, where they are installed.
const PEERS: [Peer; 3] = [Peer::NatsServer, Peer::Mosquitto, Peer::Redis];

/// Runs everything, and writes the page. Returns what was found, for the other forms of results.
pub(crate) fn run(bench: &Bench, times: Times, runs: usize) -> Result<Report> {
    let suite = suite::run(bench, times, runs)?;
    let scenario = plan(Kind::SlowConsumer, &ShapeArgs::default(), times)?;
    let slow = beside::run(&scenario, runs, |scenario, note| bench.run(scenario, Peer::Broker, note))?;
    let scenarios = compare::standard(times)?;
    let comparison = match compare::run(bench, &scenarios, &PEERS, runs) {
        Ok(comparison) => comparison.report()?,
        Err(error) if crate::signal::asked_to_stop() => return Err(error),
        Err(error) => {
            progress::note(&format!("{error:#}"));
            let table = Table { notes: vec![format!("{error:#}.")], ..Table::default() };
            Report::new(None, Vec::new()).with(Section::new("comparison", vec![table], &())?)
        }
    };
    crate::signal::check()?;
    let tables = |tables: &[Table]| tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    let others: Vec<Table> = comparison.sections.iter().flat_map(|section| section.tables.clone()).collect();
    let slow_table = beside_table(&slow);
    let mut report = Report::new(None, suite.outcomes());
    let pieces = [
        ("command", report.command.clone()),
        ("host", report.host.to_string().trim().to_owned()),
        ("runs", runs.to_string()),
        ("seconds", digits(times.duration.as_secs_f64())),
        ("throughput", suite.throughput().markdown()),
        ("latency", suite.latency().markdown()),
        ("memory", suite.memory_table()),
        ("slow-consumer", slow_table.markdown()),
        ("comparison", tables(&others)),
    ];
    let path = page_path();
    std::fs::write(&path, fill(TEMPLATE, &pieces)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let written = Table { notes: vec![format!("{} is written", path.display())], ..Table::default() };
    report.results.extend(slow);
    report.results.extend(comparison.results);
    let mut report =
        report.with(Section::new("suite", vec![suite.throughput(), suite.latency()], &suite)?).with(
            Section { tables: vec![slow_table, written], ..Section::new("slow-consumer", Vec::new(), &())? },
        );
    report.sections.extend(comparison.sections);
    Ok(report)
}

fn page_path() -> PathBuf {
    rebuild::workspace_root().join("docs").join("performance.md")
}

/// Runs with and without what happens beside the messages.
fn beside_table(outcomes: &[Outcome]) -> Table {
    let columns = ["p50", "p90", "p99", "p999", "lost", "memory"];
    let mut table = Table::new("", &["scenario", "p50", "p90", "p99", "p99.9", "lost", "resident memory"]);
    for group in groups(outcomes) {
        let shown = |name: &str| {
            let middle = group.middle(name);
            let unit = metric::find(name).map(|metric| metric.unit);
            match (middle, unit) {
                (Some(middle), Some(super::outcome::Unit::Micros)) => {
                    format!("{}{}", micros(middle.median), middle.plus_minus())
                }
                (Some(middle), Some(unit)) => in_unit(middle.median, unit),
                _ => String::new(),
            }
        };
        table.row(std::iter::once(group.title.clone()).chain(columns.map(shown)).collect());
    }
    table
}

/// `template` with each `{{name}}` replaced by its piece.
fn fill(template: &str, pieces: &[(&str, String)]) -> Result<String> {
    let mut out = String::with_capacity(template.len() * 2);
    let mut used = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("the template has a {{ without its }}")?;
        let piece = pieces.iter().find(|(known, _)| *known == name);
        let (name, piece) = piece.with_context(|| format!("nothing is known for {{{{{name}}}}}"))?;
        used.push(*name);
        out.push_str(before);
        out.push_str(piece);
        rest = after;
    }
    out.push_str(rest);
    for (name, _) in pieces {
        ensure!(used.contains(name), "the template has no place for {{{{{name}}}}}");
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn every_place_of_the_template_is_filled() {
        let names = [
            "command",
            "host",
            "runs",
            "seconds",
            "throughput",
            "latency",
            "memory",
            "slow-consumer",
            "comparison",
        ];
        let pieces: Vec<(&str, String)> = names.iter().map(|name| (*name, format!("<<{name}>>"))).collect();
        let page = fill(TEMPLATE, &pieces).unwrap();
        for name in names {
            assert_eq!(page.matches(&format!("<<{name}>>")).count(), 1, "{name}");
        }
        assert!(!page.contains("{{"), "{page}");
    }

    #[test]
    fn a_piece_without_a_place_and_a_place_without_a_piece_are_mistakes() {
        let piece = |name| [(name, "x".to_owned())];
        assert_eq!(fill("a {{b}} c", &piece("b")).unwrap(), "a x c");
        assert!(fill("a {{b}} c", &[]).unwrap_err().to_string().contains("{{b}}"));
        assert!(fill("a", &piece("b")).unwrap_err().to_string().contains("no place"));
        assert!(fill("a {{b", &piece("b")).is_err());
    }

    #[test]
    fn slow_consumers_have_a_row_for_each_kind_of_run() {
        let table = beside_table(&[fixture::outcome(), fixture::outcome()]);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows[0].len(), table.head.len());
        assert!(table.rows[0].iter().all(|cell| !cell.is_empty()), "{table:?}");
    }
}
