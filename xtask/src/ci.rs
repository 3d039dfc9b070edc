//! `cargo xtask ci`: what has to pass before a commit, step by step, each timed.
//!
//! Every step runs, also after a failure, and writes straight to the terminal. The quick ones come first; the tests come last, so that their
//! lines stand right above the summary.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{model_check, node, packages, python, rebuild, sim, tidy};

/// How CI is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CiArgs {
    /// Runs this step alone; repeatable
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Lists the steps
    #[arg(long)]
    list: bool,
}

/// One step.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<Outcome>,
}

/// How a step ended.
#[derive(Debug, Default)]
struct Outcome {
    passed: bool,
    /// For the summary.
    note: String,
}

const STEPS: [Step; 8] = [
    Step { name: "fmt", about: "cargo fmt --all --check", run: || cargo(&["fmt", "--all", "--check"], &[]) },
    Step { name: "tidy", about: "the project's own rules", run: || Ok(passed(tidy::run()?)) },
    Step {
        name: "clippy",
        about: "cargo clippy --workspace --all-targets -- -D warnings",
        run: || {
            cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"], &[])
        },
    },
    Step {
        name: "docs",
        about: "cargo doc --no-deps --workspace, warnings are errors",
        run: || cargo(&["doc", "--no-deps", "--workspace"], &[("RUSTDOCFLAGS", "-D warnings")]),
    },
    Step {
        name: "sim",
        about: "the core under some thousand simulated schedules: what it promises holds",
        run: || Ok(passed(sim::run(&sim::SimArgs::for_ci()))),
    },
    Step {
        name: "model-check",
        about: "the places where threads of the core meet, under some 200,000 schedules",
        run: || Ok(passed(model_check::run(&model_check::ModelCheckArgs::for_ci())?)),
    },
    Step {
        name: "setup",
        about: "Python with msgpack, and the servers to compare with, for the tests",
        run: setup,
    },
    Step { name: "test", about: "cargo test --workspace, doc tests included", run: test },
];

/// Runs the steps; true if all passed.
pub(crate) fn run(args: &CiArgs) -> Result<bool> {
    if args.list {
        for step in &STEPS {
            println!("{:<11} {}", step.name, step.about);
        }
        return Ok(true);
    }
    let steps = chosen(&args.only)?;
    let started = Instant::now();
    let mut results: Vec<(&Step, Duration, Outcome)> = Vec::new();
    for step in steps {
        println!("\n==> {}: {}", step.name, step.about);
        let began = Instant::now();
        let outcome = (step.run)().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Outcome::default()
        });
        let took = began.elapsed();
        println!("<== {}: {} in {:.1} s", step.name, verdict(&outcome), took.as_secs_f64());
        results.push((step, took, outcome));
    }
    println!("\n{:<11} {:<7} {:>9}", "step", "result", "time");
    for (step, took, outcome) in &results {
        let line = format!(
            "{:<11} {:<7} {:>7.1} s  {}",
            step.name,
            verdict(outcome),
            took.as_secs_f64(),
            outcome.note
        );
        println!("{}", line.trim_end());
    }
    let failed = results.iter().filter(|(.., outcome)| !outcome.passed).count();
    let result = if failed == 0 { "passed".to_owned() } else { format!("{failed} FAILED") };
    println!("{:<11} {:<7} {:>7.1} s", "all", result, started.elapsed().as_secs_f64());
    Ok(failed == 0)
}

fn chosen(only: &[String]) -> Result<Vec<&'static Step>> {
    for name in only {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step {name}; the steps are {}", names.join(", "));
        }
    }
    Ok(STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

fn verdict(outcome: &Outcome) -> &'static str {
    if outcome.passed { "passed" } else { "FAILED" }
}

fn passed(passed: bool) -> Outcome {
    Outcome { passed, note: String::new() }
}

/// A cargo command whose output goes to the terminal.
fn cargo(args: &[&str], environment: &[(&str, &str)]) -> Result<Outcome> {
    let status = cargo_command(args, environment).status().context("cannot run cargo")?;
    Ok(passed(status.success()))
}

fn cargo_command(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = rebuild::cargo();
    command.current_dir(rebuild::workspace_root()).args(args).envs(environment.iter().copied());
    command
}

fn setup() -> Result<Outcome> {
    let python = python::provide()?;
    println!("{}\n{}", python.display(), node::provide()?.display());
    println!("{}", packages::provide()?);
    Ok(Outcome { passed: true, note: python.display().to_string() })
}

/// The tests. Their lines are passed on as they come, and counted.
fn test() -> Result<Outcome> {
    let mut command = cargo_command(&["test", "--workspace", "--all-features", "--no-fail-fast"], &[]);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("no output of cargo")?;
    let mut counts = TestCounts::default();
    let mut terminal = std::io::stdout().lock();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cannot read what cargo says")?;
        terminal.write_all(&line)?;
        terminal.write_all(b"\n")?;
        counts.add(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().context("cannot wait for cargo")?;
    Ok(Outcome { passed: status.success(), note: counts.to_string() })
}

/// What the test runner's result lines add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestCounts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl TestCounts {
    /// Takes note of a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                Some((count, "ignored")) => self.ignored += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for TestCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tests passed, {} failed, {} ignored", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up() {
        let mut counts = TestCounts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.00s",
            "test result",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, TestCounts { passed: 7, failed: 2, ignored: 1 });
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_names() {
        let error = chosen(&["tests".to_owned()]).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("fmt, tidy, clippy")));
        assert_eq!(chosen(&["docs".to_owned()]).unwrap().len(), 1);
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
    }
}
