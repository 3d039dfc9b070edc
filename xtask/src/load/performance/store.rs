//! What was measured of each piece, kept as a JSON file of its name under docs/performance until it is measured again.
//!
//! It holds the tables as the page shows them, and the figures behind them for programs; of which commit, on which machine and by which command.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::piece::{Found, Piece};
use crate::load::report::{Report, Table};
use crate::rebuild;

/// Raised when a file of an earlier version cannot be read any more.
const FORMAT: u32 = 1;

/// One piece, as it was measured last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    piece: String,
    /// Seconds since 1970.
    measured_unix_s: u64,
    pub(super) machine: String,
    pub(super) commit: String,
    pub(super) command: String,
    pub(super) how: String,
    pub(super) tables: Vec<Table>,
    figures: Value,
}

/// A directory of them.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

impl Store {
    /// Beside the page.
    pub(super) fn of_the_project() -> Self {
        Self { directory: rebuild::workspace_root().join("docs").join("performance") }
    }

    /// In `directory`.
    #[cfg(test)]
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, piece: Piece) -> PathBuf {
        self.directory.join(format!("{}.json", piece.name()))
    }

    /// Keeps what was `found` by the command and on the machine of `report`, in the place of what was kept before.
    pub(super) fn keep(&self, piece: Piece, report: &Report, found: &Found) -> Result<()> {
        if piece == Piece::Page {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let kept = Kept {
            format: FORMAT,
            piece: piece.name().to_owned(),
            measured_unix_s: now,
            machine: report.host.machine(),
            commit: report.host.commit(),
            command: report.command.clone(),
            how: found.how.clone(),
            tables: found.tables.clone(),
            figures: found.figures.clone(),
        };
        std::fs::create_dir_all(&self.directory).with_context(|| cannot("make", &self.directory))?;
        let path = self.path(piece);
        let text = serde_json::to_string_pretty(&kept)? + "\n";
        std::fs::write(&path, text).with_context(|| cannot("write", &path))
    }

    /// What is kept of `piece`; `None` if it was never measured.
    pub(super) fn kept(&self, piece: Piece) -> Result<Option<Kept>> {
        let path = self.path(piece);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| cannot("read", &path))?,
        };
        let kept: Kept = serde_json::from_str(&text).with_context(|| cannot("understand", &path))?;
        ensure!(
            kept.format == FORMAT && kept.piece == piece.name(),
            "{} is of another version: measure it again with `cargo xtask loadtest --report {}`",
            path.display(),
            piece.name()
        );
        Ok(Some(kept))
    }
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("performance"));
        assert_eq!(store.kept(Piece::Soak).unwrap(), None);
        let mut table = Table::new("", &["figure", "value"]);
        table.row(vec!["lost".to_owned(), "0".to_owned()]);
        let found = Found {
            how: "one run of 1.00 s".to_owned(),
            tables: vec![table],
            figures: serde_json::json!({"lost": 0}),
            outcomes: Vec::new(),
        };
        let report = Report::new(None, Vec::new());
        store.keep(Piece::Soak, &report, &found).unwrap();
        let kept = store.kept(Piece::Soak).unwrap().unwrap();
        assert_eq!((kept.tables, kept.how), (found.tables, found.how));
        assert_eq!(store.kept(Piece::Nats).unwrap(), None);
        std::fs::rename(store.path(Piece::Soak), store.path(Piece::Nats)).unwrap();
        let error = store.kept(Piece::Nats).unwrap_err().to_string();
        assert!(error.contains("--report nats"), "{error}");
    }
}
