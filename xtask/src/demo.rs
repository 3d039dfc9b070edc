//! `cargo xtask demo`: a broker, traffic worth looking at, and the dashboard in front.
//!
//! On a terminal the dashboard has it to itself, and closing it (`q`) ends everything. Without one the demo says where the broker listens
//! and runs until a signal or `--for`. The broker is a release `broker-server` process like any other; the traffic comes from
//! this process through `broker-client`.

mod slow;
mod traffic;
mod weather;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker_core::wire::native::PORT;

use crate::process::{Process, free_address};
use crate::sync::lock;
use crate::{rebuild, signal};

/// How often the dashboard and the broker are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the demo is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// The broker's port; without it 36912, or a free one if that is taken
    #[arg(short, long)]
    port: Option<u16>,
    /// Without the dashboard, also on a terminal
    #[arg(long)]
    headless: bool,
    /// Ends by itself after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

impl DemoArgs {
    /// The packages whose programs are started, to be built before.
    pub(crate) fn packages(&self) -> &'static [&'static str] {
        if self.shows_dashboard() { &["broker-server", "broker-tui"] } else { &["broker-server"] }
    }

    fn shows_dashboard(&self) -> bool {
        !self.headless && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }
}

/// What went wrong in the background: told at the end, because the dashboard has the screen until then.
#[derive(Debug, Clone, Default)]
struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    fn add(&self, fault: String) {
        lock(&self.0).push(fault);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0))
    }
}

/// Runs the demo until it is closed.
pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    signal::listen()?;
    let address = address(args.port)?;
    let mut broker = Process::broker(&rebuild::sibling("broker-server")?, address)?;
    let faults = Faults::default();
    let traffic = traffic::Traffic::start(address, faults.clone())?;
    let slow = slow::SlowReader::start(address, faults.clone())?;
    let result = if args.shows_dashboard() {
        dashboard(args, &mut broker)
    } else {
        explain(address, args.seconds);
        wait(args, &mut broker, || Ok(false))
    };
    // The traffic ends before its broker: what it could not deliver is no fault then.
    drop(traffic);
    drop(slow);
    drop(broker);
    for fault in faults.take() {
        eprintln!("demo: {fault}");
    }
    result
}

/// The port that was asked for, the default one, or a free one.
fn address(port: Option<u16>) -> Result<SocketAddr> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        TcpListener::bind(at(port)).with_context(|| format!("port {port} cannot be used"))?;
        return Ok(at(port));
    }
    if TcpListener::bind(at(PORT)).is_ok() {
        return Ok(at(PORT));
    }
    let address = free_address()?;
    eprintln!("port {PORT} is in use: the demo's broker listens on {address}");
    Ok(address)
}

fn explain(address: SocketAddr, seconds: Option<u64>) {
    println!("The demo's broker listens on {address}. Look at it with\n");
    println!("  cargo run --release -p broker-tui -- --addr {address}");
    println!("  cargo run --release -p broker-cli -- --addr {address} sub 'weather/*'\n");
    match seconds {
        Some(seconds) => println!("It runs on for {seconds} s, or until Ctrl-C."),
        None => println!("It runs on until Ctrl-C."),
    }
}

/// Puts the dashboard in front and waits until it is closed.
fn dashboard(args: &DemoArgs, broker: &mut Process) -> Result<()> {
    let program = rebuild::sibling("broker-tui")?;
    let mut child = Command::new(&program)
        .args(["--addr", &broker.address().to_string()])
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let mut closed = None;
    let result = wait(args, broker, || {
        closed = child.try_wait().context("cannot look after the dashboard")?;
        Ok(closed.is_some())
    });
    match closed {
        Some(status) if !status.success() && !signal::asked_to_stop() => {
            bail!("the dashboard ended: {status}")
        }
        Some(_) => {}
        None => end(&mut child),
    }
    result
}

/// Asks the dashboard to end, so that it restores the terminal, and waits for it.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        // It may have ended in between: fine.
        kill_process(Pid::from_child(child), Signal::TERM).unwrap_or_default();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(3) {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    if child.kill().is_ok() {
        child.wait().map(|_| ()).unwrap_or_default();
    }
}

/// Waits for `closed`, for a signal, or for the end of `--for`.
fn wait(args: &DemoArgs, broker: &mut Process, mut closed: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    let over = |started: Instant| args.seconds.is_some_and(|seconds| started.elapsed().as_secs() >= seconds);
    while !closed()? && !signal::asked_to_stop() && !over(started) {
        broker.check()?;
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
