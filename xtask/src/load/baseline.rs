//! `--save NAME` and `--baseline NAME`: the figures of one day, and whether those of another are worse.
//!
//! A baseline is a small JSON file under `target/loadtest`: of each scenario and peer, every figure of every run. A figure got worse if its median moved
//! the wrong way by more than the threshold and by more than the runs of one day lie apart: on a noisy machine a single run proves nothing, and more runs
//! make the comparison sharper.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::host::Host;
use super::metric::{self, Better, Metric};
use super::middle::{Group, Middle};
use super::report::{Report, Section, Table, in_unit};
use crate::rebuild;

/// Raised when a file of an earlier version cannot be read any more.
const FORMAT: u32 = 1;
/// What is compared, where it was measured, beside the figures of the scenario itself. Throughput is the generator's
/// choice where there is a rate, latency is the window's where there is none.
const COMPARED: [(&str, When); 7] = [
    ("delivered_per_s", When::WithoutRate),
    ("p50", When::WithRate),
    ("p99", When::WithRate),
    ("p999", When::Shown),
    ("cpu_per_million", When::Always),
    ("memory", When::Shown),
    ("lost", When::Always),
];

/// When a figure can make a comparison fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    WithRate,
    WithoutRate,
    /// Never: it depends on single events too much.
    Shown,
}

/// A name that makes a file name.
pub(crate) fn name(text: &str) -> Result<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(!text.is_empty() && text.len() <= 100, "a name has 1 to 100 characters");
    ensure!(
        text.chars().all(fine) && !text.starts_with('.'),
        "a name consists of letters, digits, - _ and ."
    );
    Ok(text.to_owned())
}

fn directory() -> PathBuf {
    rebuild::workspace_root().join("target").join("loadtest")
}

fn path_of(name: &str) -> PathBuf {
    directory().join(format!("{name}.json"))
}

/// The figures of one scenario and peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    scenario: String,
    peer: String,
    protocol: String,
    /// For each run, the figures by name.
    runs: Vec<BTreeMap<String, f64>>,
}

/// What was kept under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    format: u32,
    #[serde(skip)]
    name: String,
    command: String,
    /// For people: the machine and the commit.
    host: String,
    results: Vec<Saved>,
}

/// Keeps the figures of `report`, and says where.
pub(crate) fn save(name: &str, report: &Report) -> Result<PathBuf> {
    let path = path_of(name);
    write(&path, &Baseline::new(name, report)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn write(path: &Path, baseline: &Baseline) -> Result<()> {
    std::fs::create_dir_all(path.parent().context("no directory")?)?;
    let mut text = serde_json::to_string_pretty(baseline)?;
    text.push('\n');
    Ok(std::fs::write(path, text)?)
}

impl Baseline {
    fn new(name: &str, report: &Report) -> Self {
        let figures = |run: &&super::outcome::Outcome| {
            let known = |metric: &Metric| Some((metric.name.to_owned(), metric::value(run, metric.name)?));
            metric::all().filter_map(known).collect()
        };
        let saved = |group: &Group<'_>| Saved {
            scenario: group.title.clone(),
            peer: group.peer.to_owned(),
            protocol: group.protocol.to_owned(),
            runs: group.runs.iter().map(figures).collect(),
        };
        Self {
            format: FORMAT,
            name: name.to_owned(),
            command: report.command.clone(),
            host: report.host.to_string().trim().to_owned(),
            results: super::middle::groups(&report.results).iter().map(saved).collect(),
        }
    }

    /// The one that was saved as `name`.
    pub(crate) fn load(name: &str) -> Result<Self> {
        let path = path_of(name);
        ensure!(path.exists(), "no baseline is called {name}{}", others());
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let baseline: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no baseline of this version", path.display()))?;
        ensure!(baseline.format == FORMAT, "{} is of another version: save it again", path.display());
        Ok(Self { name: name.to_owned(), ..baseline })
    }

    /// Compares `groups`, measured on `host`, with what was saved. `threshold` is a share of 1.
    pub(crate) fn compare(&self, groups: &[Group<'_>], host: &Host, threshold: f64) -> Comparison {
        let mut comparison = Comparison { rows: Vec::new(), notes: Vec::new(), threshold };
        let now = host.to_string();
        if self.machine() != machine(&now) {
            comparison.notes.push(format!("The baseline is of another machine: {}", self.machine()));
        }
        for group in groups {
            let saved = self.results.iter().find(|saved| {
                saved.scenario == group.title && saved.peer == group.peer && saved.protocol == group.protocol
            });
            let Some(saved) = saved else {
                comparison.notes.push(format!("The baseline has no {} ({})", group.title, group.peer));
                continue;
            };
            let rated = group.runs.first().is_some_and(|run| run.scenario.rate_per_s().is_some());
            let general = COMPARED.iter().filter_map(|&(name, when)| {
                let decides = match when {
                    When::Always => true,
                    When::WithRate => rated,
                    When::WithoutRate => !rated,
                    When::Shown => false,
                };
                Some((metric::find(name)?, decides))
            });
            let own = group.figures().map(|metric| (metric, metric.better != Better::Neither));
            for (metric, decides) in general.chain(own) {
                let before = Middle::of(saved.runs.iter().filter_map(|run| run.get(metric.name).copied()));
                if let (Some(before), Some(after)) = (before, group.middle(metric.name)) {
                    comparison.rows.push(Row::new(&group.title, metric, [before, after], threshold, decides));
                }
            }
        }
        comparison
    }

    fn machine(&self) -> &str {
        machine(&self.host)
    }
}

/// Of a host's line, what does not change with each commit.
fn machine(host: &str) -> &str {
    host.split(';').next().unwrap_or(host).trim()
}

/// What else could have been meant.
fn others() -> String {
    let Ok(entries) = std::fs::read_dir(directory()) else { return String::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
}

/// How a figure moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Better,
    Same,
    Worse,
}

/// One figure of one scenario, then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    scenario: String,
    metric: &'static str,
    before: f64,
    before_spread: f64,
    after: f64,
    after_spread: f64,
    /// After by before.
    ratio: f64,
    change: Change,
    /// Whether it makes the comparison fail if it is worse.
    decides: bool,
}

impl Row {
    fn new(
        scenario: &str,
        metric: &'static Metric,
        [before, after]: [Middle; 2],
        threshold: f64,
        decides: bool,
    ) -> Self {
        let same = (after.median - before.median).abs() < f64::EPSILON;
        let ratio = if same { 1.0 } else { after.median / before.median };
        // From zero any step is infinite: nothing that was lost before and something now is worse, whatever the threshold.
        let moved = if ratio.is_finite() { ratio - 1.0 } else { f64::INFINITY };
        let noise = before.spread.max(after.spread) / 2.0;
        let change = match metric.better {
            _ if moved.abs() <= threshold.max(noise) => Change::Same,
            Better::Neither => Change::Same,
            Better::Less if moved > 0.0 => Change::Worse,
            Better::More if moved < 0.0 => Change::Worse,
            Better::Less | Better::More => Change::Better,
        };
        Self {
            scenario: scenario.to_owned(),
            metric: metric.name,
            before: before.median,
            before_spread: before.spread,
            after: after.median,
            after_spread: after.spread,
            ratio,
            change,
            decides,
        }
    }

    fn cells(&self) -> Vec<String> {
        let unit = metric::find(self.metric).map(|metric| metric.unit);
        let show = |median: f64, spread: f64| {
            let shown = unit.map_or_else(String::new, |unit| in_unit(median, unit));
            format!("{shown}{}", Middle { median, spread }.plus_minus())
        };
        let ratio = if self.ratio.is_finite() { format!("{:.2}", self.ratio) } else { "from 0".to_owned() };
        let verdict = match (self.change, self.decides) {
            (Change::Better, _) => "better",
            (Change::Same, _) => "same",
            (Change::Worse, true) => "WORSE",
            (Change::Worse, false) => "worse (only shown)",
        };
        vec![
            self.metric.replace('_', " "),
            show(self.before, self.before_spread),
            show(self.after, self.after_spread),
            ratio,
            verdict.to_owned(),
        ]
    }
}

/// Then and now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    rows: Vec<Row>,
    notes: Vec<String>,
    threshold: f64,
}

impl Comparison {
    /// Whether a figure that decides got worse, or there was nothing to compare.
    pub(crate) fn is_worse(&self) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row.decides && row.change == Change::Worse)
    }

    /// A table for each scenario.
    pub(crate) fn section(&self, baseline: &Baseline) -> Result<Section> {
        #[derive(Serialize)]
        struct Data<'a> {
            name: &'a str,
            host: &'a str,
            command: &'a str,
            threshold: f64,
            worse: bool,
            rows: &'a [Row],
            notes: &'a [String],
        }
        let mut tables: Vec<Table> = Vec::new();
        for row in &self.rows {
            let title = format!("{}, compared with {}", row.scenario, baseline.name);
            if tables.last().is_none_or(|table| table.title != title) {
                tables.push(Table::new(&title, &["figure", "before", "now", "ratio", "change"]));
            }
            if let Some(table) = tables.last_mut() {
                table.row(row.cells());
            }
        }
        if tables.is_empty() {
            tables.push(Table::new(&format!("compared with {}", baseline.name), &["nothing to compare"]));
        }
        if let Some(table) = tables.last_mut() {
            table.notes.push(format!(
                "A change counts from {:.0} % on, and beyond half of the spread of the runs (±).",
                self.threshold * 100.0
            ));
            table.notes.extend(self.notes.iter().cloned());
        }
        let data = Data {
            name: &baseline.name,
            host: &baseline.host,
            command: &baseline.command,
            threshold: self.threshold,
            worse: self.is_worse(),
            rows: &self.rows,
            notes: &self.notes,
        };
        Section::new("baseline", tables, &data)
    }
}

#[cfg(test)]
mod tests;
