//! Results for programs: one JSON document, described by `xtask/schema/loadtest.schema.json`.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Report, Verdict};
use crate::load::host::Host;
use crate::load::outcome::Outcome;

/// Raised when a key changes its meaning or goes away.
const FORMAT: u32 = 3;

#[derive(Serialize)]
struct File<'a> {
    format: u32,
    host: &'a Host,
    /// How to repeat it.
    command: &'a str,
    results: &'a [Outcome],
    #[serde(skip_serializing_if = "<[Verdict]>::is_empty")]
    assertions: &'a [Verdict],
    /// What sections hold, by their names: comparisons, memory, …
    #[serde(flatten)]
    sections: Map<String, Value>,
}

/// The document.
pub(crate) fn json(report: &Report, verdicts: &[Verdict]) -> Result<String> {
    let sections = report
        .sections
        .iter()
        .filter(|section| !section.data.is_null())
        .map(|section| (section.name.to_owned(), section.data.clone()));
    let file = File {
        format: FORMAT,
        host: &report.host,
        command: &report.command,
        results: &report.results,
        assertions: verdicts,
        sections: sections.collect(),
    };
    let mut text = serde_json::to_string_pretty(&file)?;
    text.push('\n');
    Ok(text)
}
