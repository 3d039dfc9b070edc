//! The machine and the commit that figures belong to.

use std::fmt;
use std::net::SocketAddr;
use std::process::Command;

use serde::Serialize;

use super::report::bytes;
use crate::rebuild;

/// What a reader needs to judge or repeat a measurement. "unknown" where the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Host {
    cpu: String,
    cores: usize,
    /// Of the machine.
    memory_bytes: Option<u64>,
    /// Kernel and architecture.
    system: String,
    rustc: String,
    commit: String,
    /// Whether files differed from that commit.
    changed: bool,
    /// `release` or `debug`: how the load test itself was built, and the broker together with it.
    profile: &'static str,
    /// Flags of the compiler from the environment.
    rustflags: Option<String>,
    /// What lies between the load test and its peers: `loopback` or `network`.
    network: &'static str,
}

impl Host {
    /// Of this machine, now. `address` is that of a server that runs already; without one the peers run here.
    pub(crate) fn read(address: Option<SocketAddr>) -> Self {
        let unknown = || "unknown".to_owned();
        let system = |args: &[&str]| output("uname", args);
        // Words make no broker faster; and the pieces of docs/performance.md are written one after the other.
        let status = ["status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(top,exclude)docs"];
        let changed = output("git", &status).is_some_and(|text| !text.is_empty());
        let loopback = address.is_none_or(|address| address.ip().is_loopback());
        Self {
            cpu: of_proc("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_bytes: memory_bytes(),
            system: system(&["-srm"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(unknown),
            changed,
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            rustflags: std::env::var("RUSTFLAGS").ok().filter(|flags| !flags.is_empty()),
            network: if loopback { "loopback" } else { "network" },
        }
    }
}

impl Host {
    /// The commit, and whether it was changed.
    pub(crate) fn commit(&self) -> String {
        format!("{}{}", self.commit, if self.changed { " with changes" } else { "" })
    }

    /// Everything but the commit.
    pub(crate) fn machine(&self) -> String {
        let flags = self.rustflags.as_ref().map_or_else(String::new, |flags| format!(" with {flags}"));
        let memory =
            self.memory_bytes.map_or_else(String::new, |count| format!(", {} of memory", bytes(count)));
        format!(
            "{}, {} cores{memory}, {}; {}, {}{flags}; over {}",
            self.cpu, self.cores, self.system, self.rustc, self.profile, self.network,
        )
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; commit {}", self.machine(), self.commit())
    }
}

/// The value of `key` in a file of lines `key : value`.
fn of_proc(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    let kib: u64 = of_proc("/proc/meminfo", "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What a command prints, if it is there and succeeds.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(rebuild::workspace_root()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_that_of_the_address() {
        let network = |address: &str| Host::read(Some(address.parse().unwrap())).network;
        assert_eq!(network("127.0.0.1:1"), "loopback");
        assert_eq!(network("10.1.2.3:4222"), "network");
        assert_eq!(Host::read(None).network, "loopback");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_is_known() {
        let host = Host::read(None);
        assert!(host.memory_bytes.is_some_and(|bytes| bytes > 1 << 20), "{host}");
        assert!(host.cores > 0, "{host}");
        assert!(host.to_string().contains("of memory"), "{host}");
    }
}
