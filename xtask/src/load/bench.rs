//! Runs scenarios, each against a fresh process of its own, or against a server that runs already.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::args::LoadArgs;
use super::outcome::Outcome;
use super::peer::{Peer, Start, Target};
use super::progress::Progress;
use super::protocol::Wire;
use super::run::run;
use super::scenario::Scenario;
use crate::process::{Process, free_address};
use crate::{rebuild, signal};

/// Where the peers come from, and what is spoken with the broker.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    broker: Option<PathBuf>,
    relay: PathBuf,
    relay_block: usize,
    lbroker: Option<PathBuf>,
    protocol: Wire,
}

impl Bench {
    /// The programs that were built together with this one, and those of others that are installed.
    pub(crate) fn new(args: &LoadArgs) -> Result<Self> {
        // With the relay alone, or a running server, no broker has to be built.
        let needs_broker = !args.relay && args.addr.is_none();
        Ok(Self {
            broker: needs_broker.then(|| rebuild::sibling("broker-server")).transpose()?,
            relay: std::env::current_exe()?,
            relay_block: args.relay_block,
            lbroker: args.peers.lbroker.clone(),
            protocol: args.peers.protocol,
        })
    }

    /// The same where `protocol` is spoken with the broker.
    pub(crate) fn speaking(&self, protocol: Wire) -> Self {
        Self { protocol, ..self.clone() }
    }

    /// The program of `peer`.
    ///
    /// # Errors
    /// If it is not installed; the text says how to install it.
    pub(crate) fn program(&self, peer: Peer) -> Result<PathBuf> {
        let found = match peer {
            Peer::Broker => self.broker.clone(),
            Peer::Relay => Some(self.relay.clone()),
            Peer::Lbroker if self.lbroker.is_some() => {
                let program = self.lbroker.clone();
                let shown = program.as_deref().map(Path::display);
                ensure!(
                    program.as_ref().is_none_or(|program| program.is_file()),
                    "there is no {}",
                    shown.map_or_else(String::new, |path| path.to_string())
                );
                program
            }
            other => other.find(),
        };
        found.with_context(|| format!("{} is not installed: {}", peer.name(), peer.advice()))
    }

    /// What its program says of its version.
    pub(crate) fn version(&self, peer: Peer) -> Option<String> {
        match peer {
            // Both are what was built here.
            Peer::Broker | Peer::Relay => Some(env!("CARGO_PKG_VERSION").to_owned()),
            other => other.version(&self.program(other).ok()?),
        }
    }

    /// What is spoken with `peer`.
    pub(crate) fn wire(&self, peer: Peer) -> Result<Wire> {
        peer.wire(self.protocol)
    }

    /// A fresh process of `peer` on a free port.
    pub(crate) fn start(&self, peer: Peer) -> Result<Process> {
        self.start_for(peer, false)
    }

    fn start_for(&self, peer: Peer, paced: bool) -> Result<Process> {
        self.start_with(peer, paced, free_address()?)
    }

    /// A fresh process of `peer` on `address`, where another one may have listened before.
    pub(crate) fn start_at(&self, peer: Peer, address: SocketAddr) -> Result<Process> {
        self.start_with(peer, true, address)
    }

    fn start_with(&self, peer: Peer, paced: bool, address: SocketAddr) -> Result<Process> {
        let wire = self.wire(peer)?;
        let program = self.program(peer)?;
        let how = Start { program: &program, wire, relay_block: self.relay_block, paced };
        peer.start(how, address)
    }

    /// A process that listens, as the target of a run.
    pub(crate) fn target(&self, peer: Peer, process: &Process) -> Result<Target> {
        let wire = self.wire(peer)?;
        Ok(Target { peer, wire, address: process.address(), pid: Some(process.pid()) })
    }

    /// One run of `scenario` against a fresh process; `note` stands before the scenario's name in the progress bar.
    pub(crate) fn run(&self, scenario: &Scenario, peer: Peer, note: &str) -> Result<Outcome> {
        signal::check()?;
        let mut process = self.start_for(peer, scenario.rate.is_some())?;
        let target = self.target(peer, &process)?;
        let title = format!("{note}{}", scenario.title());
        let result = run(scenario, target, &mut Progress::new(&title, Some(&mut process)));
        // A broken connection is often the trace of a dead process: tell that instead.
        if result.is_err() {
            process.check()?;
        }
        result
    }

    /// One run against a server that somebody else started.
    pub(crate) fn run_at(&self, scenario: &Scenario, address: SocketAddr) -> Result<Outcome> {
        let peer = Peer::Running;
        let target = Target { peer, wire: self.wire(peer)?, address, pid: None };
        run(scenario, target, &mut Progress::new(&scenario.title(), None))
    }
}
