//! The binary `broker-server`: arguments, logging, run, exit code. Everything else is the library's.
//!
//! Exit codes: 0 stopped as asked, 1 could not start or run, 2 wrong arguments or configuration, 130 stopped at once by a second
//! signal.

use std::io::{self, Write};
use std::process::ExitCode;

use broker_server::args::Args;
use broker_server::config::{self, Config, Log, LogFormat, Sources};
use broker_server::{NAME, Server, VERSION, signals};
use clap::Parser;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong arguments or configuration, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    match Config::load_with_sources(&args, config::variables()) {
        Err(errors) => complain(&errors, USAGE),
        Ok((config, sources)) if args.check_config => print_config(&config, &sources),
        Ok((config, _)) => match run(&config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&format!("{error:#}"), 1),
        },
    }
}

fn complain(what: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // Where there is no standard error there is nobody to complain to.
    let _ = writeln!(io::stderr(), "{NAME}: {what}");
    ExitCode::from(code)
}

fn print_config(config: &Config, sources: &Sources) -> ExitCode {
    match io::stdout().write_all(config::effective_toml(config, sources).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    log_to_stderr(&config.log)?;
    raise_handles();
    refuse_huge_pages();
    // Connections have threads of their own: this one accepts them and publishes the metrics.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let stop = signals::stop()?;
    let server = Server::builder().config(config).start().await?;
    info!("{NAME} {VERSION}");
    if let Some(address) = server.local_addr() {
        info!("listening on {address} (native)");
        info!("watch it:  broker-tui --addr {address}");
        info!("try it:    broker sub --addr {address} '*'   and   broker pub --addr {address} hello world");
    }
    let signal = stop.await;
    info!("{signal}: stopping; a second one stops at once");
    signals::exit_on_next()?;
    let report = server.stop().await;
    if report.messages_lost > 0 || report.sessions_cut > 0 {
        warn!("stopped: {report}");
    } else {
        info!("stopped: {report}");
    }
    Ok(())
}

fn log_to_stderr(log: &Log) -> anyhow::Result<()> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&log.level)?)
        .with_writer(io::stderr)
        .with_target(false);
    match log.format {
        LogFormat::Json => subscriber.json().init(),
        _ => subscriber.with_ansi(std::io::IsTerminal::is_terminal(&io::stderr())).init(),
    }
    Ok(())
}

/// A connection is a handle, and many systems give a program 1,024 unless it asks for more.
#[cfg(unix)]
fn raise_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, "the limit of open files stays as it is: {:?}", limit.current);
    }
}

/// There is no such limit.
#[cfg(not(unix))]
fn raise_handles() {}

/// Zeroing 2 MiB at a page fault holds a publisher up for a quarter of a millisecond, and the allocator asks for such pages: twenty outboxes
/// that filled up cost the others 5 ms again and again (measured).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refuse_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        warn!(%error, "huge pages stay allowed");
    }
}

/// The system has none that it hands out unasked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refuse_huge_pages() {}
