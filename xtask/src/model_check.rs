//! `cargo xtask model-check`: the places of broker-core where threads meet, under thousands of schedules each.
//!
//! The checks are tests of broker-core (`tests/schedules`), built with shuttle's locks and atomics in place of the standard library's into a
//! directory of their own, so that no other build has to be done again. This runs them and shows what they say.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::rebuild;

/// What the checks print begins so; all else is the test runner's.
const MARK: &str = "model-check: ";

/// Which checks are run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ModelCheckArgs {
    /// The checks whose names contain this; all if it is not given
    name: Option<String>,
    /// So many times the usual number of schedules
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    /// This schedule alone: the one of a failure
    #[arg(long, value_name = "NUMBER", conflicts_with = "times", requires = "name")]
    schedule: Option<u64>,
}

impl ModelCheckArgs {
    /// What CI runs.
    pub(crate) fn for_ci() -> Self {
        ModelCheckArgs { name: None, times: 1, schedule: None }
    }
}

/// What the checks said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    checks: u64,
    schedules: u64,
}

impl Counts {
    /// Takes note of a line like `name: 4000 schedules, 500 choices in each, 0.8 s`.
    fn add(&mut self, line: &str) {
        let schedules = line
            .split_once(": ")
            .and_then(|(_, rest)| rest.split_once(" schedules"))
            .and_then(|(number, _)| number.parse::<u64>().ok());
        if let Some(schedules) = schedules {
            self.checks += 1;
            self.schedules += schedules;
        }
    }
}

/// Runs the checks; true if all passed.
pub(crate) fn run(args: &ModelCheckArgs) -> Result<bool> {
    let begun = Instant::now();
    let mut child = command(args).stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("no output of cargo")?;
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo says")?;
        if let Some((_, said)) = line.split_once(MARK) {
            println!("{said}");
            counts.add(said);
        }
    }
    let passed = child.wait().context("cannot wait for cargo")?.success();
    let Counts { checks, schedules } = counts;
    println!(
        "{checks} checks passed, {schedules} schedules in all, {:.1} s with the build",
        begun.elapsed().as_secs_f64()
    );
    ensure!(!passed || checks > 0, "there is no check of that name");
    Ok(passed)
}

fn command(args: &ModelCheckArgs) -> Command {
    let root = rebuild::workspace_root();
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = rebuild::cargo();
    command
        .current_dir(&root)
        .args(["test", "--package", "broker-core", "--test", "schedules", "--quiet", "--target-dir"])
        .arg(root.join("target").join("model"))
        .args(["--", "--nocapture"])
        .args(&args.name)
        .env("RUSTFLAGS", format!("{flags} --cfg shuttle").trim_start())
        // Where a check fails is in its message; the stack above it is shuttle's.
        .env("RUST_BACKTRACE", "0")
        .env("BROKER_SCHEDULES_TIMES", args.times.to_string());
    if let Some(schedule) = args.schedule {
        command.env("BROKER_SCHEDULE", schedule.to_string());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_add_up() {
        let mut counts = Counts::default();
        counts.add("turns_at_an_open_socket: 4000 schedules, 503 choices in each, 0.7 s");
        counts.add("joins_with_room: FAILED under schedule 12, after 12 that passed");
        counts.add("cargo xtask model-check joins_with_room --schedule 12   runs it again");
        counts.add("held_until_there_is_room: 1 schedules, 529 choices in each, 0.0 s");
        assert_eq!(counts, Counts { checks: 2, schedules: 4001 });
    }
}
