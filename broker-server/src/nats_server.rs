//! This server in the place of nats-server: its command line, its messages, its signals. For scripts and test suites that start a program of that
//! name.
//!
//! Owns the translation of flags to settings, and nothing of what the settings mean. Invariant: a flag of nats-server that this server cannot honour is
//! refused by its name, never ignored; only the ports that the command line and the configuration file name are opened.

mod flags;
mod log;
mod signal;

use std::ffi::OsStr;
use std::path::Path;

pub use self::flags::{FlagError, Flags, Invocation, USAGE};
pub use self::log::LogFormat;
pub use self::signal::{Command, SignalError};

/// The name of the program whose place this is.
pub const NAME: &str = "nats-server";

/// How to ask for this under another name: `broker-server --as nats-server …`.
const AS: &str = "--as";

/// The arguments for nats-server, if the program is to take its place: because it was started under its name (a link), or because the
/// first argument says so. `arguments` begin with the program's own name.
///
/// # Examples
///
/// ```
/// use broker_server::nats_server::arguments;
///
/// let given = |line: &str| arguments(line.split(' ').map(Into::into));
/// assert_eq!(given("/usr/bin/nats-server -p 4223"), Some(vec!["-p".into(), "4223".into()]));
/// assert_eq!(given("broker-server --as nats-server -p 4223"), Some(vec!["-p".into(), "4223".into()]));
/// assert_eq!(given("broker-server -p 4223"), None);
/// ```
pub fn arguments(arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Vec<String>> {
    let mut arguments = arguments;
    let program = arguments.next()?;
    let stem = Path::new(&program).file_stem();
    // What is not Unicode is no flag, and is refused as such.
    let mut rest: Vec<String> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    if stem == Some(OsStr::new(NAME)) {
        return Some(rest);
    }
    let words = match rest.as_slice() {
        [flag, name, ..] if flag == AS && name == NAME => 2,
        [flag, ..] if flag.strip_prefix(AS).and_then(|rest| rest.strip_prefix('=')) == Some(NAME) => 1,
        _ => return None,
    };
    Some(rest.split_off(words))
}
