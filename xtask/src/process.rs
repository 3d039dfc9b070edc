//! Child processes that never outlive their use: a broker, a relay.
//!
//! Invariant: dropping a [`Process`] stops it, also when a panic unwinds: SIGTERM, then kill after a deadline. What it writes to
//! standard error is kept (the end of it) and shown if it dies by itself.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::signal;
use crate::sync::lock;

/// How long a process may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to end after SIGTERM before it is killed; above the broker's own drain time.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
/// How often its state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines of its standard error that are kept.
const LINES_MAX: usize = 200;

/// The numbers of the children that have not been waited for: only those are certainly still ours.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Kills every child at once, without waiting. For a process that ends without unwinding.
pub(crate) fn kill_all() {
    #[cfg(unix)]
    for pid in lock(&RUNNING).drain(..) {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).unwrap_or_default();
        }
    }
}

/// A running child process.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    /// Held open: a relay ends when it is closed.
    stdin: Option<ChildStdin>,
    errors: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
    address: SocketAddr,
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    listener.local_addr().context("no free port")
}

impl Process {
    /// Starts `program`, which is to listen on `address`, and waits until it accepts a connection.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        args: &[&str],
        address: SocketAddr,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C of a terminal goes to the whole group: it is for us to stop our children, in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        lock(&RUNNING).push(child.id());
        let errors = Arc::default();
        let reader = child.stderr.take().map(|stderr| keep_last_lines(stderr, Arc::clone(&errors)));
        let stdin = child.stdin.take();
        let mut process = Self { name, child, stdin, errors, reader, address };
        process.wait_until_it_listens()?;
        Ok(process)
    }

    /// Starts a broker on `address`.
    pub(crate) fn broker(program: &Path, address: SocketAddr) -> Result<Self> {
        Self::start("broker-server", program, &["--listen", &address.to_string()], address)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            self.check()?;
            signal::check()?;
            if TcpStream::connect_timeout(&self.address, START_TIMEOUT).is_ok() {
                return Ok(());
            }
            if started.elapsed() > START_TIMEOUT {
                bail!(
                    "{} does not listen on {} after {START_TIMEOUT:?}{}",
                    self.name,
                    self.address,
                    self.said()
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number in the system.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error, with the end of what it wrote, if it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.reap().context("cannot look after a child process")? else {
            return Ok(());
        };
        if let Some(reader) = self.reader.take() {
            // Its pipe is at its end: the thread ends, with all lines kept. A panic there has lost lines only.
            reader.join().unwrap_or_default();
        }
        bail!("{} ended by itself: {status}{}", self.name, self.said())
    }

    /// Its status, if it has ended.
    fn reap(&mut self) -> std::io::Result<Option<ExitStatus>> {
        // Under the lock: nobody kills a number that the system may give to somebody else.
        let mut running = lock(&RUNNING);
        let status = self.child.try_wait()?;
        if status.is_some() {
            running.retain(|&pid| pid != self.child.id());
        }
        Ok(status)
    }

    fn said(&self) -> String {
        let lines = lock(&self.errors);
        if lines.is_empty() {
            return String::new();
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        format!("\nits last words:\n  {}", lines.join("\n  "))
    }

    fn stop(&mut self) {
        if matches!(self.reap(), Ok(Some(_))) {
            return;
        }
        drop(self.stdin.take());
        terminate(&mut self.child);
        let asked = Instant::now();
        while asked.elapsed() < STOP_TIMEOUT {
            if matches!(self.reap(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        eprintln!("{} did not end within {STOP_TIMEOUT:?}: killed", self.name);
        if self.child.kill().is_ok() {
            // Killed: it ends within moments, and there is nobody to tell of its status.
            while matches!(self.reap(), Ok(None)) {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks a child to end.
fn terminate(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        // The child has not been waited for, so the number is still its own. It may have ended in between: fine.
        let pid = Pid::from_child(child);
        kill_process(pid, Signal::TERM).unwrap_or_default();
    }
    #[cfg(not(unix))]
    child.kill().unwrap_or_default();
}

/// A thread that reads lines to the end and keeps the last ones.
fn keep_last_lines(
    source: impl Read + Send + 'static,
    lines: Arc<Mutex<VecDeque<String>>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
            let mut lines = lock(&lines);
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_dies_is_told_with_its_last_words() {
        let address = free_address().unwrap();
        let error = Process::start("sh", Path::new("sh"), &["-c", "echo it is over >&2; exit 3"], address);
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("exit status: 3") && text.contains("it is over"), "{text}");
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let process = Process::start("sleep", Path::new("sleep"), &["600"], address).unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(process.pid()).unwrap()).unwrap();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
