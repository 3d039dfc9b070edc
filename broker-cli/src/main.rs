//! The binary `broker`: the command line of the broker.
//!
//! Arguments, log, run, exit code; nothing else happens here.

mod args;
mod command;
mod exit;
mod input;
mod interrupt;
mod print;
mod session;
mod value;

use std::{io, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{
    args::Arguments,
    exit::{Exit, Failure},
    print::Notes,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log(arguments.global.verbose);
    // A second thread reads the socket while the first one is held up by a slow reader of the output.
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(command::run(&arguments));
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            let notes = Notes::stderr(arguments.global.color, false, false);
            notes.failure(&Failure::new(Exit::Error, format_args!("cannot start the runtime: {error}")));
            Exit::Error.into()
        }
    }
}

/// The client library's log on standard error: what `RUST_LOG` selects, or everything but traces with `-vv`.
fn log(verbose: u8) {
    let default = if verbose >= 2 { "broker_client=debug" } else { "off" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
}
