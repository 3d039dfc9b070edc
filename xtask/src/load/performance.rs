//! `--report`: measures what docs/performance.md shows, piece by piece, and writes that page.
//!
//! Each piece (`piece.rs`; which scenarios it runs: `rows.rs`) is one command of some minutes. What it found is kept as JSON under docs/performance
//! (`store.rs`), with the commit it is of; the words stand in `performance.md.in`; and the page is made of these two and of
//! nothing else (`page.rs`): so it cannot say what no run showed.

mod page;
mod piece;
mod rows;
mod store;

use anyhow::{Result, bail};

pub(crate) use piece::{Given, Piece};

use super::bench::Bench;
use super::progress;
use super::report::{Report, Section, Table};
use crate::signal;
use store::Store;

/// Measures `pieces`, keeps what was found, and writes the page. Returns it, for the other forms of results.
///
/// # Errors
/// If one of the pieces could not be measured: the others are kept, and the page is written, all the same.
pub(crate) fn run(bench: &Bench, pieces: &[Piece], given: &Given) -> Result<Report> {
    let store = Store::of_the_project();
    let mut report = Report::new(None, Vec::new());
    let mut failed = Vec::new();
    for &piece in pieces {
        let found = match piece.measure(bench, given) {
            // What was interrupted is no result.
            _ if signal::asked_to_stop() => break,
            Ok(found) => found,
            Err(error) => {
                progress::note(&format!("{} failed: {error:#}", piece.name()));
                failed.push(piece.name());
                continue;
            }
        };
        store.keep(piece, &report, &found)?;
        report.sections.push(Section { tables: found.tables, name: piece.name(), data: found.figures });
        report.results.extend(found.outcomes);
    }
    let path = page::write(&store)?;
    if !failed.is_empty() {
        bail!("not measured: {}; the others stand in {}", failed.join(", "), path.display());
    }
    let written = Table { notes: vec![format!("{} is written", path.display())], ..Table::default() };
    Ok(report.with(Section { tables: vec![written], ..Section::new("page", Vec::new(), &())? }))
}
