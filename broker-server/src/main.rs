//! The binary `broker-server`: arguments, logging, run, exit code. Everything else is the library's.
//!
//! Started under the name `nats-server`, or as `broker-server --as nats-server`, it takes the place of that program.
//!
//! Exit codes: 0 stopped as asked, 1 could not start or run, 2 wrong arguments or configuration, 130 stopped at once by a second
//! signal.

mod run;

use std::io::{self, BufRead as _, Write};
use std::process::ExitCode;

use broker_server::args::Args;
use broker_server::config::{self, Config, ConfigErrors, Sources};
use broker_server::logging::Style;
use broker_server::nats_server::{self, Flags, Invocation};
use broker_server::{NAME, NATS_VERSION, VERSION};
use clap::Parser;

use self::run::run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong arguments or configuration, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match nats_server::arguments(std::env::args_os()) {
        Some(arguments) => main_as_nats_server(&arguments),
        None => main_as_broker_server(),
    }
}

fn main_as_broker_server() -> ExitCode {
    let args = Args::parse();
    if args.hash_password {
        return hash_password();
    }
    let load = || Config::load_with_sources(&args, config::variables());
    match load() {
        Err(errors) => complain(NAME, &errors, USAGE),
        Ok((config, sources)) if args.check_config => print(&config::effective_toml(&config, &sources)),
        Ok((config, _)) => finish(NAME, run(config, Style::Configured, load)),
    }
}

fn main_as_nats_server(arguments: &[String]) -> ExitCode {
    match Invocation::read(arguments) {
        Ok(Invocation::Help) => print(nats_server::USAGE),
        Ok(Invocation::Version) => print(&format!("nats-server: v{NATS_VERSION} ({NAME} {VERSION})\n")),
        Ok(Invocation::Signal(command)) => match command.send() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(nats_server::NAME, &error, 1),
        },
        Ok(Invocation::Run(flags)) => run_as_nats_server(&flags),
        Err(error) => complain(nats_server::NAME, &error, USAGE),
    }
}

fn run_as_nats_server(flags: &Flags) -> ExitCode {
    let load = || -> Result<(Config, Sources), ConfigErrors> { flags.load(config::variables()) };
    match load() {
        Err(errors) => complain(nats_server::NAME, &errors, USAGE),
        Ok((config, _)) => finish(nats_server::NAME, run(config, Style::NatsServer, load)),
    }
}

fn finish(program: &str, outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(program, &format!("{error:#}"), 1),
    }
}

fn complain(program: &str, what: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // Where there is no standard error there is nobody to complain to.
    let _ = writeln!(io::stderr(), "{program}: {what}");
    ExitCode::from(code)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(NAME, &error, 1),
    }
}

/// Reads a password, one line of standard input, and prints its hash.
fn hash_password() -> ExitCode {
    let mut line = String::new();
    if let Err(error) = io::stdin().lock().read_line(&mut line) {
        return complain(NAME, &error, 1);
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return complain(NAME, &"no password on standard input", USAGE);
    }
    match broker_server::hash_password(password) {
        Ok(hash) => print(&format!("{hash}\n")),
        Err(error) => complain(NAME, &error, 1),
    }
}
