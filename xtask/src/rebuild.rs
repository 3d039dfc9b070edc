//! Release builds behind `cargo xtask`: what is measured or shown is never a debug build.
//!
//! `cargo xtask` itself is built in the dev profile, which is quick. A task that needs speed builds the release programs and
//! becomes `target/release/xtask` with the same arguments; [`MARKER`] tells that one not to do so again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Set in the environment of the release program.
const MARKER: &str = "XTASK_RELEASE";

/// Builds `packages` and this program in the release profile and runs this program's release build in place of this process.
/// Returns if this is that program already; elsewhere than on Unix, where a process cannot become another, with its exit code otherwise.
pub(crate) fn become_release(packages: &[&str]) -> Result<Option<u8>> {
    if std::env::var_os(MARKER).is_some() {
        return Ok(None);
    }
    let metadata =
        cargo_metadata::MetadataCommand::new().no_deps().exec().context("cargo metadata failed")?;
    let mut build = cargo();
    build.current_dir(&metadata.workspace_root).args(["build", "--release", "-p", "xtask"]);
    for package in packages {
        build.args(["-p", package]);
    }
    // On a terminal cargo shows its progress; elsewhere only what went wrong.
    if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        build.arg("--quiet");
    }
    ensure!(build.status().context("cannot run cargo")?.success(), "the release build failed");
    let program = metadata.target_directory.join("release").join(executable("xtask"));
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(MARKER, "1");
    replace_process(command)
}

#[cfg(unix)]
fn replace_process(mut command: Command) -> Result<Option<u8>> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn replace_process(mut command: Command) -> Result<Option<u8>> {
    let status =
        command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(Some(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The root of the workspace.
pub(crate) fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The program `name` that was built together with this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    let program = here.with_file_name(executable(name));
    ensure!(program.exists(), "{} is not there: run this through `cargo xtask`", program.display());
    Ok(program)
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}
