//! `cargo xtask tidy`: the project's own rules, as a check.
//!
//! - Who imports whom ([`edges`]): arrows go downwards only, the pure crates stay pure.
//! - Sources ([`sources`]): every module opens with a `//!` head, no test sleeps without a reason, the pure crates use no sockets, files,
//!   threads or clocks, and every crate takes the workspace's lints.
//!
//! Each problem is one line, `file:line: what is wrong; what to do`.

mod edges;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::rebuild;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: PathBuf,
    /// From 1.
    line: usize,
    text: String,
}

impl Problem {
    fn new(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.text)
    }
}

/// Checks everything; true if no rule is broken.
pub(crate) fn run() -> Result<bool> {
    let root = rebuild::workspace_root();
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata failed")?;
    let mut problems = Vec::new();
    let mut files = 0;
    for package in &metadata.packages {
        let manifest = package.manifest_path.as_std_path();
        let text = std::fs::read_to_string(manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        let shown = manifest.strip_prefix(&root).unwrap_or(manifest);
        edges::check(shown, &text, &edges::imports(package), &mut problems);
        sources::check_lints(shown, &text, &mut problems);
        let directory = manifest.parent().unwrap_or(&root);
        files += sources::check_crate(&root, directory, &package.name, &mut problems)?;
    }
    // The fuzz targets are a workspace of their own, whose manifest cannot take lints from this one.
    let fuzz = root.join("fuzz");
    if fuzz.exists() {
        files += sources::check_crate(&root, &fuzz, "fuzz", &mut problems)?;
    }
    problems.sort();
    for problem in &problems {
        println!("{problem}");
    }
    let crates = metadata.packages.len();
    println!("tidy: {crates} crates, {files} files, {} problems", problems.len());
    Ok(problems.is_empty())
}
