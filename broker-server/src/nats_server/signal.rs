//! `--signal`: tells a server that runs to stop, to empty itself, or to read its configuration again.

use std::fs;
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a file that holds the number of a process.
const PID_BYTES_MAX: usize = 32;

/// A signal and the process that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    action: Action,
    pid: i32,
}

/// What the process is told to do, with the signals of nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// End at once: SIGKILL.
    Stop,
    /// End in order: SIGINT.
    Quit,
    /// End in order: SIGTERM.
    Terminate,
    /// Be a lame duck: SIGUSR2.
    LameDuck,
    /// Read the configuration again: SIGHUP.
    Reload,
}

/// Why a signal was not sent.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// There is no such signal, or nothing that it could do here.
    #[error("unknown signal {0:?}: stop, quit, term, ldm or reload")]
    Unknown(String),
    /// The command does not say which process is meant.
    #[error("--signal {0} needs a process: --signal {0}=PID")]
    NoProcess(String),
    /// Neither a number nor a file that holds one.
    #[error("invalid pid: {0}")]
    InvalidPid(String),
    /// The system did not send it.
    #[error("no signal sent to process {pid}: {reason}")]
    NotSent {
        /// The process.
        pid: i32,
        /// What the system said.
        reason: String,
    },
}

impl FromStr for Command {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let (name, process) = match text.split_once('=') {
            Some((name, process)) => (name, Some(process)),
            None => (text, None),
        };
        let action = match name {
            "stop" => Action::Stop,
            "quit" => Action::Quit,
            "term" => Action::Terminate,
            "ldm" => Action::LameDuck,
            "reload" => Action::Reload,
            _ => return Err(SignalError::Unknown(name.to_owned())),
        };
        let process = process.ok_or_else(|| SignalError::NoProcess(name.to_owned()))?;
        Ok(Command { action, pid: pid(process)? })
    }
}

/// A number, or what stands in the file of this name. Never a group of processes.
fn pid(text: &str) -> Result<i32, SignalError> {
    let invalid = || SignalError::InvalidPid(text.to_owned());
    let number = if let Ok(number) = text.parse::<i32>() {
        number
    } else {
        let file = fs::read(text).map_err(|_| invalid())?;
        let written = str::from_utf8(file.get(..file.len().min(PID_BYTES_MAX)).unwrap_or_default());
        written.map_err(|_| invalid())?.trim().parse().map_err(|_| invalid())?
    };
    if number > 0 { Ok(number) } else { Err(invalid()) }
}

impl Command {
    /// Sends it.
    ///
    /// # Errors
    ///
    /// [`SignalError::NotSent`] where there is no such process, or it is not ours.
    #[cfg(unix)]
    pub fn send(&self) -> Result<(), SignalError> {
        use rustix::process::{Pid, Signal, kill_process};
        let signal = match self.action {
            Action::Stop => Signal::KILL,
            Action::Quit => Signal::INT,
            Action::Terminate => Signal::TERM,
            Action::LameDuck => Signal::USR2,
            Action::Reload => Signal::HUP,
        };
        let pid = Pid::from_raw(self.pid).ok_or_else(|| SignalError::InvalidPid(self.pid.to_string()))?;
        kill_process(pid, signal)
            .map_err(|error| SignalError::NotSent { pid: self.pid, reason: error.to_string() })
    }

    /// Refuses: the platform has no signals.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(unix))]
    pub fn send(&self) -> Result<(), SignalError> {
        let reason = format!("this platform has no signals for {:?}", self.action);
        Err(SignalError::NotSent { pid: self.pid, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Action, i32), &str>) {
        let command = text.parse::<Command>().map(|command| (command.action, command.pid));
        assert_eq!(
            command.as_ref().map_err(ToString::to_string),
            expected.as_ref().map_err(ToString::to_string)
        );
    }

    #[test]
    fn commands() {
        check("stop=7", Ok((Action::Stop, 7)));
        check("quit=7", Ok((Action::Quit, 7)));
        check("ldm=7", Ok((Action::LameDuck, 7)));
        check("reload=7", Ok((Action::Reload, 7)));
        check("reopen=7", Err("unknown signal \"reopen\": stop, quit, term, ldm or reload"));
        check("ldm", Err("--signal ldm needs a process: --signal ldm=PID"));
        check("stop=abc", Err("invalid pid: abc"));
        // 0 and negative numbers mean groups of processes to the system.
        check("stop=0", Err("invalid pid: 0"));
        check("stop=-1", Err("invalid pid: -1"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broker.pid");
        fs::write(&path, "123\n").unwrap();
        check(&format!("term={}", path.display()), Ok((Action::Terminate, 123)));
    }
}
