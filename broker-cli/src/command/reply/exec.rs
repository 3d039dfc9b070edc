//! One run of the command of `reply --exec`: a value in, what it prints out.
//!
//! Invariants: it runs for at most its time and prints at most [`PRINTED_BYTES_MAX`] bytes; a run that is cut short takes
//! everything with it that it started in its process group (on Unix; elsewhere the shell itself).

use std::{ffi::OsString, fmt, io, process::ExitStatus, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

/// What a command may print, in bytes: half of what a broker takes as one message if not told otherwise.
const PRINTED_BYTES_MAX: usize = 4 << 20;

/// A command for the shell.
pub(crate) struct Exec {
    /// The text that the shell gets.
    pub command: OsString,
    /// How long a run may take.
    pub timeout: Duration,
}

/// Why a run gave no answer.
#[derive(Debug)]
pub(crate) enum ExecError {
    /// It did not start.
    Start(io::Error),
    /// Its output could not be read.
    Read(io::Error),
    /// It ended with another code than 0, or by a signal.
    Failed(ExitStatus),
    /// It printed more than [`PRINTED_BYTES_MAX`].
    TooLong,
    /// It ran for longer than it may.
    TimedOut(Duration),
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExecError::Start(error) => write!(f, "the command did not start: {error}"),
            ExecError::Read(error) => write!(f, "what the command printed cannot be read: {error}"),
            ExecError::Failed(status) => write!(f, "the command failed: {status}"),
            ExecError::TooLong => write!(f, "the command printed more than {PRINTED_BYTES_MAX} bytes"),
            ExecError::TimedOut(timeout) => write!(f, "the command ran for longer than {timeout:?}"),
        }
    }
}

impl Exec {
    /// Runs the command with `input` on its standard input and the topic in `BROKER_TOPIC`; what it writes to standard error
    /// goes to this program's.
    ///
    /// # Errors
    /// It fails, takes too long or prints too much.
    ///
    /// # Cancel safety
    /// A run that is dropped is killed.
    pub(crate) async fn run(&self, topic: &str, input: Vec<u8>) -> Result<Vec<u8>, ExecError> {
        let mut running = Running::start(&self.command, topic).map_err(ExecError::Start)?;
        match tokio::time::timeout(self.timeout, running.complete(input)).await {
            Ok(result) => result,
            Err(_) => Err(ExecError::TimedOut(self.timeout)),
        }
    }
}

struct Running {
    child: Child,
}

impl Running {
    fn start(command: &OsString, topic: &str) -> io::Result<Self> {
        let mut shell = shell(command);
        shell.env("BROKER_TOPIC", topic).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // A group of its own, so that a pipeline can be ended as a whole.
        #[cfg(unix)]
        shell.process_group(0);
        Ok(Running { child: shell.spawn()? })
    }

    async fn complete(&mut self, input: Vec<u8>) -> Result<Vec<u8>, ExecError> {
        let stdin = self.child.stdin.take();
        let stdout = self.child.stdout.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // A command need not read its input.
                let _ = stdin.write_all(&input).await;
            }
        };
        let read = async {
            let mut printed = Vec::new();
            if let Some(stdout) = stdout {
                let limit = u64::try_from(PRINTED_BYTES_MAX).unwrap_or(u64::MAX);
                stdout.take(limit + 1).read_to_end(&mut printed).await.map_err(ExecError::Read)?;
            }
            if printed.len() > PRINTED_BYTES_MAX { Err(ExecError::TooLong) } else { Ok(printed) }
        };
        let mut write = std::pin::pin!(write);
        let mut read = std::pin::pin!(read);
        let mut written = false;
        let printed = loop {
            tokio::select! {
                () = &mut write, if !written => written = true,
                // Whoever has printed everything need not read the rest of its input.
                printed = &mut read => break printed?,
            }
        };
        let status = self.child.wait().await.map_err(ExecError::Read)?;
        if status.success() { Ok(printed) } else { Err(ExecError::Failed(status)) }
    }
}

#[cfg(unix)]
fn shell(command: &OsString) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(not(unix))]
fn shell(command: &OsString) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// `kill_on_drop` ends the shell; this ends what the shell started. The number is the group's as long as the child was not
/// waited for, which `id` knows.
#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        let group =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // The group may have ended on its own.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn run(command: &str, input: &str, timeout: Duration) -> Result<String, String> {
        let exec = Exec { command: command.into(), timeout };
        let printed = exec.run("a topic", input.into()).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn the_input_goes_in_and_the_output_comes_out() {
        assert_eq!(run("tr a-z A-Z", "hello", LONG).await, Ok("HELLO".into()));
        assert_eq!(run("printf %s \"$BROKER_TOPIC\"", "", LONG).await, Ok("a topic".into()));
    }

    #[tokio::test]
    async fn an_input_larger_than_a_pipe_comes_through() {
        let input = "x".repeat(1 << 20);
        assert_eq!(run("cat", &input, LONG).await, Ok(input));
    }

    #[tokio::test]
    async fn a_command_need_not_read_its_input() {
        assert_eq!(run("exec <&-; echo done", &"x".repeat(1 << 20), LONG).await, Ok("done\n".into()));
    }

    #[tokio::test]
    async fn a_failure_is_told() {
        assert_eq!(run("echo no; exit 3", "", LONG).await, Err("the command failed: exit status: 3".into()));
    }

    #[tokio::test]
    async fn too_much_is_refused() {
        let expected = format!("the command printed more than {PRINTED_BYTES_MAX} bytes");
        assert_eq!(run("yes", "", LONG).await, Err(expected));
    }

    /// The second `sleep` of the pipeline is a grandchild: it would live on if only the shell were killed.
    #[tokio::test]
    async fn what_runs_too_long_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let make = format!("mkfifo {0}", fifo.display());
        assert_eq!(run(&make, "", LONG).await, Ok(String::new()));
        // Holds the fifo open for as long as it lives.
        let hang = format!("(sleep 1000 > {0}) | cat", fifo.display());
        let command = tokio::spawn(async move { run(&hang, "", Duration::from_millis(300)).await });
        // Opening waits for the sleeper, reading ends with it.
        let held = tokio::task::spawn_blocking(move || std::fs::read(fifo).map(|bytes| bytes.len()));
        assert_eq!(command.await.unwrap(), Err("the command ran for longer than 300ms".into()));
        let held = tokio::time::timeout(LONG, held).await.expect("the sleeper ends").unwrap();
        assert!(matches!(held, Ok(0)));
    }
}
