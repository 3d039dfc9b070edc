//! Python for the tests: a virtual environment in `target/python` with `msgpack`, which the tests of the example client use, and
//! `nats-py`, a client that was not written here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::rebuild;

/// What the tests import.
const PACKAGES: [&str; 2] = ["msgpack==1.1.2", "nats-py==2.16.0"];

/// Makes the environment unless it is there already. Returns its interpreter.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = rebuild::workspace_root().join("target").join("python");
    let python = interpreter(&directory);
    if works(&python) {
        return Ok(python);
    }
    let system = if cfg!(windows) { "python" } else { "python3" };
    let made = Command::new(system).args(["-m", "venv", "--clear"]).arg(&directory).output();
    match made {
        Ok(output) if output.status.success() => {}
        Ok(output) => bail!(
            "{system} cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => {
            bail!("{system} is not there ({error}); on Debian and Ubuntu: apt-get install python3-venv")
        }
    }
    let install = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(PACKAGES)
        .status()
        .with_context(|| format!("cannot run {}", python.display()))?;
    if !install.success() || !works(&python) {
        bail!("pip cannot install {}: is PyPI reachable?", PACKAGES.join(" "));
    }
    Ok(python)
}

fn interpreter(directory: &Path) -> PathBuf {
    if cfg!(windows) {
        directory.join("Scripts").join("python.exe")
    } else {
        directory.join("bin").join("python")
    }
}

fn works(python: &Path) -> bool {
    let mut check = Command::new(python);
    check.args(["-c", "import msgpack, nats"]).stdout(Stdio::null()).stderr(Stdio::null());
    check.status().is_ok_and(|status| status.success())
}
