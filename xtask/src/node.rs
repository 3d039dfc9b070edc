//! Node for the tests: `nats`, the NATS client of the JavaScript world, in `target/node`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::rebuild;

/// What the tests require.
const PACKAGE: &str = "nats@2.29.3";

/// Installs it unless it is there already. Returns the directory of the packages.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = rebuild::workspace_root().join("target").join("node");
    let modules = directory.join("node_modules");
    if works(&modules) {
        return Ok(modules);
    }
    std::fs::create_dir_all(&directory)?;
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut install = Command::new(npm);
    install.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    match install.arg(&directory).arg(PACKAGE).stdin(Stdio::null()).status() {
        Ok(status) if status.success() && works(&modules) => Ok(modules),
        Ok(_) => bail!("npm cannot install {PACKAGE}: is the npm registry reachable?"),
        Err(error) => bail!("npm is not there ({error}); on Debian and Ubuntu: apt-get install nodejs npm"),
    }
}

fn works(modules: &Path) -> bool {
    let mut check = Command::new("node");
    check.args(["-e", "require('nats')"]).env("NODE_PATH", modules);
    check.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    check.status().is_ok_and(|status| status.success())
}
