//! `cargo xtask`: the project's own tasks.
//!
//! This file is arguments and exit codes. Each task is a module; what drives the other crates does so as a user would, through
//! their programs and the client library.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod ci;
mod demo;
mod load;
mod model_check;
mod node;
mod packages;
mod process;
mod procfs;
mod python;
mod rebuild;
mod relay;
mod signal;
mod sim;
mod sync;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Messages were lost, duplicated, reordered or changed.
const BROKEN_PROMISE: u8 = 3;

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that has to pass before a commit: format, lints, docs, tests
    Ci(ci::CiArgs),
    /// Checks the project's own rules: who imports whom, heads of modules, no bare sleeps in tests
    Tidy,
    /// Provides what the tests need beside Rust: packages for Python and Node, in target, and the servers that are compared
    Setup,
    /// How fast, how late, and whether everything arrived
    Loadtest(Box<load::LoadArgs>),
    /// Simulates the broker's core under thousands of schedules, and checks what it promises
    Sim(sim::SimArgs),
    /// Runs the places where threads of the broker's core meet under thousands of schedules each
    ModelCheck(model_check::ModelCheckArgs),
    /// A broker with live traffic, and the dashboard in front of it
    Demo(demo::DemoArgs),
    /// Copies bytes from publishers to subscribers: what the load test compares the broker with
    #[command(hide = true)]
    Relay(relay::RelayArgs),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => ExitCode::from(code),
        Err(_) if signal::asked_to_stop() => {
            eprintln!("interrupted");
            ExitCode::from(signal::INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a task and returns its exit code.
fn run(task: Task) -> Result<u8> {
    let packages = match &task {
        Task::Loadtest(args) => Some(args.packages()),
        Task::Demo(args) => Some(args.packages()),
        Task::Relay(_) => Some(&[][..]),
        Task::Ci(_) | Task::Tidy | Task::Setup | Task::Sim(_) | Task::ModelCheck(_) => None,
    };
    if let Some(packages) = packages
        && let Some(code) = rebuild::become_release(packages)?
    {
        return Ok(code);
    }
    let asks_for_all = matches!(task, Task::Loadtest(_));
    let good = match task {
        Task::Ci(args) => return Ok(u8::from(!ci::run(&args)?)),
        Task::Tidy => return Ok(u8::from(!tidy::run()?)),
        Task::Setup => {
            println!("{}\n{}", python::provide()?.display(), node::provide()?.display());
            println!("{}", packages::provide()?);
            true
        }
        Task::Sim(args) => sim::run(&args),
        Task::ModelCheck(args) => model_check::run(&args)?,
        Task::Loadtest(args) => load::run(&args)?,
        Task::Demo(args) => demo::run(&args).map(|()| true)?,
        Task::Relay(args) => relay::run(&args).map(|()| true)?,
    };
    // Whoever pressed Ctrl-C has seen what there was so far, and knows that it is not all.
    if signal::asked_to_stop() && asks_for_all {
        return Ok(signal::INTERRUPTED);
    }
    Ok(if good { 0 } else { BROKEN_PROMISE })
}
