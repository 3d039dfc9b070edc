//! `cargo xtask loadtest`: how fast, how late, and whether everything arrived.
//!
//! The generator is a process of its own with a handful of threads and raw sockets, because on two cores everything it needs is
//! taken from the broker. The way of a message: `publish` patches numbers and times into a batch of ready frames (`frame`) and writes it; `receive`
//! reads, `subscriber` recognises the frames and keeps the books (`tracker`, `latency`), and tells the publisher through the
//! window (`flow`). `run` puts one run together, `scenario` says what it does; `versus`, `suite` and `memory` repeat and compare.

mod args;
mod bench;
mod clock;
mod flow;
mod frame;
mod host;
mod latency;
mod memory;
mod outcome;
mod progress;
mod publish;
mod receive;
mod report;
mod run;
mod scenario;
mod session;
mod shared;
mod subscriber;
mod suite;
#[cfg(test)]
mod tests;
mod tracker;
mod versus;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

pub(crate) use args::LoadArgs;
use bench::Bench;
use run::Peer;
pub(crate) use session::Session;
use versus::Comparison;

/// Runs what the arguments say. False if messages were lost, duplicated, reordered or changed.
pub(crate) fn run(args: &LoadArgs) -> Result<bool> {
    crate::signal::listen()?;
    // Beyond its default bound this process could not open a thousand connections.
    crate::procfs::raise_open_files();
    let scenario = args.scenario()?;
    let bench = Bench::new(args)?;
    if args.suite {
        let report = suite::run(&bench, args.times(), args.runs)?;
        let text = report.markdown();
        println!("{text}");
        if let Some(path) = &args.markdown {
            std::fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        write_json(args, &report)?;
        return Ok(report.checks_hold());
    }
    if let Some(count) = args.idle {
        return show_memory(args, &memory::idle(&bench, count, args.hello)?);
    }
    if let Some(count) = args.retained_topics {
        return show_memory(args, &memory::retained(&bench, count, args.retained_size())?);
    }
    if args.versus_relay {
        let comparison = Comparison::run(&bench, &scenario, args.runs, None)?;
        println!("{}\n{}", versus::throughput_table(&[&comparison]), versus::latency_table(&[&comparison]));
        write_json(args, &comparison)?;
        return Ok(comparison.checks_hold());
    }
    let outcome = match args.addr {
        Some(address) => Bench::run_at(&scenario, address)?,
        None => bench.run(&scenario, if args.relay { Peer::Relay } else { Peer::Broker }, "")?,
    };
    println!("{}\n{}", scenario.title(), report::table(&outcome));
    write_json(args, &outcome)?;
    Ok(outcome.checks.hold())
}

fn show_memory(args: &LoadArgs, row: &memory::MemoryRow) -> Result<bool> {
    println!("{}", memory::table(std::slice::from_ref(row)));
    write_json(args, row)?;
    Ok(true)
}

/// Writes `--output`, if it was given: the result, and the machine that it was measured on.
fn write_json(args: &LoadArgs, result: &impl Serialize) -> Result<()> {
    let Some(path) = &args.output else { return Ok(()) };
    write_file(path, result).with_context(|| format!("cannot write {}", path.display()))
}

fn write_file(path: &Path, result: &impl Serialize) -> Result<()> {
    #[derive(Serialize)]
    struct File<'a, T> {
        /// Raised when a key changes its meaning or goes away.
        format: u32,
        host: host::Host,
        result: &'a T,
    }
    let file = File { format: 1, host: host::Host::read(), result };
    let mut text = serde_json::to_string_pretty(&file)?;
    text.push('\n');
    Ok(std::fs::write(path, text)?)
}
