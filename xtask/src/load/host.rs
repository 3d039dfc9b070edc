//! The machine and the commit that figures belong to.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::rebuild;

/// What a reader needs to judge or repeat a measurement. "unknown" where the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Host {
    cpu: String,
    cores: usize,
    system: String,
    rustc: String,
    commit: String,
    /// Whether files differed from that commit.
    changed: bool,
}

impl Host {
    /// Of this machine, now.
    pub(crate) fn read() -> Self {
        let unknown = || "unknown".to_owned();
        let system = |args: &[&str]| output("uname", args);
        let changed = output("git", &["status", "--porcelain", "--untracked-files=no"])
            .is_some_and(|text| !text.is_empty());
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            system: system(&["-srm"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(unknown),
            changed,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = if self.changed { " with changes" } else { "" };
        writeln!(
            f,
            "{}, {} cores, {}; {}; commit {}{changed}",
            self.cpu, self.cores, self.system, self.rustc, self.commit
        )
    }
}

fn cpu() -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/proc/cpuinfo")).ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a command prints, if it is there and succeeds.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(rebuild::workspace_root()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}
