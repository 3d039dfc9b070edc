//! `cargo xtask loadtest`: how fast, how late, and whether everything arrived.
//!
//! The generator is a process of its own with a handful of threads and raw sockets, because on two cores everything it needs is
//! taken from the broker. The way of a message: `publish` patches numbers and times into a batch of ready frames (`frame`) and writes it; `receive`
//! reads, `subscriber` recognises the frames and keeps the books (`tracker`, `latency`), and tells the publisher through the
//! window (`flow`). Where nobody subscribes, the server's answers to pings say what it has taken (`taken`). `run` puts one run together, `scenario` says what it does and `side` what happens beside; `job` says which runs a command is.
//! `beside`, `find`, `compare` and `memory` make one result of several runs; `report` shows it, and `performance` writes the page with the figures.

mod args;
mod asserts;
mod baseline;
mod bench;
mod beside;
mod busy;
mod checks;
mod clock;
mod compare;
mod find;
#[cfg(test)]
mod fixture;
mod flow;
mod frame;
mod group;
mod host;
mod job;
mod latency;
mod layout;
mod link;
mod memory;
mod metric;
mod middle;
mod outcome;
mod payload;
mod peer;
mod performance;
mod prepare;
mod progress;
mod protocol;
mod publish;
mod receive;
mod report;
mod restart;
mod run;
mod scenario;
mod selection;
mod series;
#[cfg(test)]
mod servers;
mod session;
mod shared;
mod side;
mod stamp;
mod subscriber;
mod taken;
mod tenths;
#[cfg(test)]
mod tests;
mod tracker;

use anyhow::Result;

pub(crate) use args::LoadArgs;
use bench::Bench;
use job::{Against, Job};
pub(crate) use peer::Peer;
pub(crate) use progress::give_back as give_back_terminal;
use report::{Report, Section};
pub(crate) use session::Session;

/// Runs what the arguments say. False if messages were lost, duplicated, reordered or changed, or if something was not as it was asserted.
pub(crate) fn run(args: &LoadArgs) -> Result<bool> {
    if args.list {
        // Whoever reads only the first lines has what they wanted.
        std::io::Write::write_all(&mut std::io::stdout(), scenario::kind::list().as_bytes())
            .unwrap_or_default();
        return Ok(true);
    }
    crate::signal::listen()?;
    // Beyond its default bound this process could not open a thousand connections.
    crate::procfs::raise_open_files();
    let job = args.job()?;
    let output = args.output.prepare()?;
    let bench = Bench::new(args)?;
    let peer = if args.relay { Peer::Relay } else { Peer::Broker };
    let against = Against { bench: &bench, address: args.addr, peer };
    let stage = progress::Stage::enter(args.output.plain());
    let report = match job {
        Job::Runs(planned) => against.runs(&planned)?,
        Job::Find(scenario) => against.find(&args.find, &scenario)?,
        Job::Compare { scenarios, peers, runs } => job::compare(&bench, &scenarios, &peers, runs)?,
        Job::Performance { pieces, given } => performance::run(&bench, &pieces, &given)?,
        Job::Idle { count, hello } => memory(&memory::idle(&bench, count, hello)?)?,
        Job::Retained { count, size } => memory(&memory::retained(&bench, count, size)?)?,
    };
    drop(stage);
    if crate::signal::asked_to_stop() {
        println!("interrupted: what there is so far");
    }
    output.finish(&report)
}

fn memory(row: &memory::MemoryRow) -> Result<Report> {
    let table = memory::table(std::slice::from_ref(row));
    Ok(Report::new(None, Vec::new()).with(Section::new("memory", vec![table], row)?))
}
