//! Runs scenarios, each against a fresh process of its own, or against a broker that runs already.

use std::path::PathBuf;

use anyhow::Result;

use super::args::LoadArgs;
use super::outcome::Outcome;
use super::progress::Progress;
use super::run::{Peer, Target, run};
use super::scenario::Scenario;
use crate::process::{Process, free_address};
use crate::{rebuild, signal};

/// Where the peers come from.
#[derive(Debug)]
pub(crate) struct Bench {
    broker: PathBuf,
    relay: PathBuf,
    relay_block: String,
}

impl Bench {
    /// The programs that were built together with this one.
    pub(crate) fn new(args: &LoadArgs) -> Result<Self> {
        let relay = std::env::current_exe()?;
        // With the relay alone, or a running broker, no broker has to be built.
        let broker = if args.relay || args.addr.is_some() {
            PathBuf::new()
        } else {
            rebuild::sibling("broker-server")?
        };
        Ok(Self { broker, relay, relay_block: args.relay_block.to_string() })
    }

    /// A fresh process of `peer` on a free port.
    pub(crate) fn start(&self, peer: Peer) -> Result<Process> {
        let address = free_address()?;
        match peer {
            Peer::Broker => Process::broker(&self.broker, address),
            Peer::Relay => {
                let listen = address.to_string();
                let args = ["relay", "--listen", &listen, "--block", &self.relay_block];
                Process::start("relay", &self.relay, &args, address)
            }
        }
    }

    /// One run of `scenario` against a fresh process; `note` stands before the scenario's name in the progress bar.
    pub(crate) fn run(&self, scenario: &Scenario, peer: Peer, note: &str) -> Result<Outcome> {
        signal::check()?;
        let mut process = self.start(peer)?;
        let target = Target { peer, address: process.address(), pid: Some(process.pid()) };
        let title = format!("{note}{}", scenario.title());
        let result = run(scenario, target, &mut Progress::new(&title, Some(&mut process)));
        // A broken connection is often the trace of a dead process: tell that instead.
        if result.is_err() {
            process.check()?;
        }
        result
    }

    /// One run against a broker that somebody else started.
    pub(crate) fn run_at(scenario: &Scenario, address: std::net::SocketAddr) -> Result<Outcome> {
        let target = Target { peer: Peer::Broker, address, pid: None };
        run(scenario, target, &mut Progress::new(&scenario.title(), None))
    }
}
