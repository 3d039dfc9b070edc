//! Other people's servers, for the load test to compare with and for its tests: which of them are there, and how to get the others.
//!
//! On Debian and its kin they are installed with apt-get, as root or through a `sudo` that asks for no password. Everywhere else it is said what to do:
//! no package manager is guessed at, and nothing is ever asked on the terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::load::Peer;

/// The servers, which are called as their packages are.
const PEERS: [Peer; 3] = [Peer::NatsServer, Peer::Mosquitto, Peer::Redis];

/// Installs what is missing, if that can be done here. Returns what there is and what is not, for people.
///
/// # Errors
/// If apt-get is there and fails.
pub(crate) fn provide() -> Result<String> {
    let missing = missing();
    if !missing.is_empty()
        && Path::new("/etc/debian_version").exists()
        && let Some(apt) = apt_get()
    {
        install(&apt, &missing)?;
    }
    Ok(PEERS.map(described).join("\n"))
}

/// Packages whose programs are not there.
fn missing() -> Vec<&'static str> {
    PEERS.iter().filter(|peer| peer.find().is_none()).map(|peer| peer.program()).collect()
}

/// Where a server is and what its version is, or how to get it.
fn described(peer: Peer) -> String {
    match peer.find() {
        Some(program) => {
            let version = peer.version(&program).unwrap_or_else(|| "unknown version".to_owned());
            format!("{} ({version})", program.display())
        }
        None => format!(
            "{} is not installed, and nothing but --compare needs it: {}",
            peer.program(),
            peer.install()
        ),
    }
}

/// The words that run apt-get with the right to install; `None` if there is no such way.
fn apt_get() -> Option<Vec<&'static str>> {
    let works = |words: &[&str]| {
        let (program, args) = words.split_first()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(())
    };
    works(&["apt-get", "--version"])?;
    if is_root() {
        return Some(vec!["apt-get"]);
    }
    // Without a password, or not at all: a task does not stop to ask.
    works(&["sudo", "-n", "true"]).map(|()| vec!["sudo", "-n", "apt-get"])
}

fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    false
}

/// Installs `packages`; with fresh lists if the ones that are there do not know them.
fn install(apt: &[&str], packages: &[&str]) -> Result<()> {
    let run = |args: &[&str]| -> Result<bool> {
        let (program, first) = apt.split_first().context("no command")?;
        let mut command = Command::new(program);
        command.args(first).args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        // What it does goes to standard error: standard output is this task's result.
        command.stdout(std::io::stderr());
        Ok(command.status().with_context(|| format!("cannot run {program}"))?.success())
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    if !run(&install)? {
        ensure!(run(&["update"])?, "apt-get update failed");
        ensure!(run(&install)?, "apt-get cannot install {}", packages.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_there_or_comes_with_the_command_that_installs_it() {
        for peer in PEERS {
            let text = described(peer);
            match peer.find() {
                Some(program) => assert!(text.starts_with(&*program.to_string_lossy()), "{text}"),
                None => assert!(text.contains("apt-get install"), "{text}"),
            }
            assert_eq!(missing().contains(&peer.program()), peer.find().is_none(), "{text}");
        }
    }
}
