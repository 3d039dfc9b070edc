//! Results: collected in a [`Report`], shown as text, and written to the files that were asked for.
//!
//! Everything here reads; nothing measures. The same results go into every form, so that no two of them can differ.

mod csv;
mod format;
mod hdr;
mod html;
mod json;
mod table;
mod text;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::asserts::{self, Check};
use super::baseline::{self, Baseline};
use super::host::Host;
use super::middle::{Group, groups};
use super::outcome::{Outcome, Unit};

pub(crate) use format::{bytes, digits, grouped, in_unit, micros, number, percent};
pub(crate) use table::Table;

/// What becomes of the results.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct OutputArgs {
    /// Shows the progress as lines also on a terminal
    #[arg(long)]
    plain: bool,
    /// Writes the results as JSON (its schema: xtask/schema/loadtest.schema.json)
    #[arg(long, alias = "output", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the time series as CSV, a line for each second
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Writes a page with tables and charts that needs nothing but itself
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the latencies as an HDR interval log, a histogram for each second
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,
    /// Keeps the figures under a name, for --baseline
    #[arg(long, value_name = "NAME", value_parser = baseline::name)]
    save: Option<String>,
    /// Compares the figures with those that --save kept; exit code 3 if one got worse
    #[arg(long, value_name = "NAME", value_parser = baseline::name)]
    baseline: Option<String>,
    /// With --baseline: how much worse is worse, beyond the spread of the runs
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = share, requires = "baseline")]
    threshold: f64,
    /// Conditions such as 'p99<2ms,lost==0'; exit code 3 if one does not hold. Times are medians of the runs, counts those of
    /// each run
    #[arg(long = "assert", value_name = "CONDITIONS")]
    asserts: Vec<String>,
}

/// A share from hundredths, `%` or not.
fn share(text: &str) -> Result<f64> {
    let hundredths: f64 = text.trim().trim_end_matches('%').trim().parse()?;
    ensure!((0.0..=1000.0).contains(&hundredths), "0 to 1000 percent");
    Ok(hundredths / 100.0)
}

/// Tables beside the results: a comparison, memory, a search. In JSON `data` stands under `name`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) tables: Vec<Table>,
    pub(crate) data: Value,
}

impl Section {
    /// A section with the same content for people and for programs.
    pub(crate) fn new(name: &'static str, tables: Vec<Table>, data: &impl Serialize) -> Result<Self> {
        Ok(Self { name, tables, data: serde_json::to_value(data)? })
    }
}

/// Everything that one command found.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) host: Host,
    /// The command line, as a user would write it.
    pub(crate) command: String,
    /// Every run, in order.
    pub(crate) results: Vec<Outcome>,
    /// What is shown beside them. Where there are sections, single runs are not shown in the text.
    pub(crate) sections: Vec<Section>,
}

impl Report {
    /// Of these results. `address` is that of a server that ran already; without one the peers ran here.
    pub(crate) fn new(address: Option<SocketAddr>, results: Vec<Outcome>) -> Self {
        let args: Vec<String> = std::env::args().skip(1).map(quoted).collect();
        Self {
            host: Host::read(address),
            command: format!("cargo xtask {}", args.join(" ")),
            results,
            sections: Vec::new(),
        }
    }

    /// The same with another section.
    pub(crate) fn with(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Whether our own broker, and the relay in its place, kept every promise in every run; what other peers lose is shown, and theirs
    /// to mend. Without one of ours it is about all.
    pub(crate) fn checks_hold(&self) -> bool {
        let ours = |outcome: &&Outcome| matches!(outcome.peer.as_str(), "broker" | "relay");
        let mut own = self.results.iter().filter(ours).peekable();
        if own.peek().is_some() {
            own.all(|outcome| outcome.checks.hold())
        } else {
            self.results.iter().all(|outcome| outcome.checks.hold())
        }
    }

    /// The groups that assertions and baselines are about: our own broker where it is among the peers, else all.
    fn subjects(&self) -> Vec<Group<'_>> {
        let mut groups = groups(&self.results);
        if groups.iter().any(|group| group.peer == "broker") {
            groups.retain(|group| group.peer == "broker");
        }
        groups
    }
}

/// An argument as it is typed into a shell.
fn quoted(arg: String) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg } else { format!("'{}'", arg.replace('\'', "'\\''")) }
}

/// What became of one assertion in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// As it was written.
    pub(crate) assertion: String,
    /// Of which scenario; empty where none measured it.
    pub(crate) scenario: String,
    /// What was found: the median of the runs, or of a count the worst; `None` where nothing measured it.
    pub(crate) value: Option<f64>,
    pub(crate) unit: Unit,
    pub(crate) holds: bool,
}

/// What is to become of the results, understood and checked before anything runs.
#[derive(Debug)]
pub(crate) struct Output {
    args: OutputArgs,
    checks: Vec<Check>,
    baseline: Option<Baseline>,
}

impl OutputArgs {
    /// Whether the terminal is to be left alone.
    pub(crate) fn plain(&self) -> bool {
        self.plain
    }

    /// Refuses what could not be done at the end: conditions that cannot be understood, files without a directory, a baseline that nobody
    /// saved.
    pub(crate) fn prepare(&self) -> Result<Output> {
        for path in [&self.json, &self.csv, &self.html, &self.hdr].into_iter().flatten() {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let exists = directory.is_none_or(Path::is_dir);
            ensure!(exists, "cannot write {}: there is no such directory", path.display());
            ensure!(!path.is_dir(), "cannot write {}: it is a directory", path.display());
        }
        let baseline = self.baseline.as_deref().map(Baseline::load).transpose()?;
        let mut checks = Vec::new();
        for text in &self.asserts {
            checks.extend(asserts::parse(text).context("--assert")?);
        }
        Ok(Output { args: self.clone(), checks, baseline })
    }
}

impl Output {
    /// Prints the results and writes what was asked for. False if a promise, an assertion or the comparison with the baseline failed.
    pub(crate) fn finish(&self, report: &Report) -> Result<bool> {
        let subjects = report.subjects();
        let verdicts: Vec<Verdict> = self.checks.iter().flat_map(|check| judge(check, &subjects)).collect();
        let against = self.baseline.as_ref().map(|b| b.compare(&subjects, &report.host, self.args.threshold));
        let mut report = report.clone();
        if let (Some(comparison), Some(baseline)) = (&against, &self.baseline) {
            report.sections.push(comparison.section(baseline)?);
        }
        print!("{}", text::text(&report, &verdicts, terminal_width()));
        let args = &self.args;
        write(args.json.as_deref(), || Ok(json::json(&report, &verdicts)?.into_bytes()))?;
        write(args.csv.as_deref(), || Ok(csv::csv(&report.results).into_bytes()))?;
        write(args.html.as_deref(), || Ok(html::page(&report, &verdicts).into_bytes()))?;
        write(args.hdr.as_deref(), || hdr::log(&report))?;
        if let Some(name) = &args.save {
            let path = baseline::save(name, &report)?;
            println!("saved as {name} ({})", path.display());
        }
        let worse = against.is_some_and(|comparison| comparison.is_worse());
        Ok(report.checks_hold() && verdicts.iter().all(|verdict| verdict.holds) && !worse)
    }
}

/// Columns of the terminal that the text goes to, if it goes to one.
fn terminal_width() -> Option<usize> {
    let (width, _) = std::io::stdout().is_terminal().then(crossterm::terminal::size)?.ok()?;
    Some(width.into())
}

fn write(path: Option<&Path>, content: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, content()?).with_context(|| format!("cannot write {}", path.display()))
}

/// What one check says of each scenario; if none of them measured the figure, that it was missed.
fn judge(check: &Check, groups: &[Group<'_>]) -> Vec<Verdict> {
    let name = check.metric.name;
    let verdict = |scenario: &str, value, holds| Verdict {
        assertion: check.to_string(),
        scenario: scenario.to_owned(),
        value,
        unit: check.metric.unit,
        holds,
    };
    let mut verdicts = Vec::new();
    for group in groups {
        let values = group.values(name);
        if check.metric.unit == Unit::Count {
            // Counts are exact: one bad run is one too many.
            let worst = values.iter().copied().find(|&value| !check.holds(value));
            if let Some(value) = worst.or(values.first().copied()) {
                verdicts.push(verdict(&group.title, Some(value), worst.is_none()));
            }
        } else if let Some(middle) = group.middle(name) {
            verdicts.push(verdict(&group.title, Some(middle.median), check.holds(middle.median)));
        }
    }
    if verdicts.is_empty() {
        verdicts.push(verdict("", None, false));
    }
    verdicts
}

#[cfg(test)]
mod tests;
