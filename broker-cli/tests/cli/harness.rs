//! A broker in this process, and the binary beside it.
//!
//! Invariants: every wait has a deadline; a child that a test leaves behind is killed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use broker_server::{Builder, Server};
use tokio::runtime::Runtime;

/// Long enough for a machine that is busy with other tests.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Calls `check` until it gives a value, or panics.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        // tidy: sleep: between two looks of `eventually`
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A broker on a port of its own.
pub(crate) struct Broker {
    runtime: Runtime,
    server: Option<Server>,
    pub(crate) addr: String,
}

impl Broker {
    pub(crate) fn start() -> Self {
        // Quicker than every second, so that tests of the metrics need not wait.
        Self::start_with("127.0.0.1:0", |builder| builder.metrics_interval(Duration::from_millis(500)))
    }

    pub(crate) fn start_with(addr: &str, build: impl FnOnce(Builder) -> Builder) -> Self {
        let runtime = Runtime::new().unwrap();
        let builder = build(Server::builder().listen(addr));
        // A port that is asked for by its number may be in use for a moment: the system gives it to anybody.
        let server = eventually("the port", || runtime.block_on(builder.clone().start()).ok());
        let addr = server.local_addr().unwrap().to_string();
        Broker { runtime, server: Some(server), addr }
    }

    /// Says goodbye to everybody and is gone.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    /// Runs `broker` with these arguments to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).end()
    }

    /// The same with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        let mut running = self.spawn(arguments);
        let mut stdin = running.stdin.take().unwrap();
        let input = input.to_vec();
        // A program that ends early closes the pipe.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let outcome = running.end();
        writer.join().unwrap();
        outcome
    }

    /// Runs it and expects success; gives what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).ok()
    }

    /// Starts `broker`; its standard input stays open until the end is waited for. On a busy machine answers take longer than a
    /// user would wait for.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = command(arguments);
        if !["sub", "reply", "--timeout"].iter().any(|word| arguments.contains(word)) {
            command.args(["--timeout", "60s"]);
        }
        command.env("BROKER_ADDR", &self.addr);
        Running::spawn(command)
    }

    /// Starts a `sub` and waits until the broker has answered it.
    pub(crate) fn sub(&self, arguments: &[&str]) -> Running {
        let running = self.spawn(&[&["-v", "sub"], arguments].concat());
        running.wait_for_err("subscribed to ");
        running
    }
}

/// `broker` with nothing of this process's settings.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    for name in ["BROKER_ADDR", "BROKER_TOKEN", "BROKER_USER", "BROKER_PASSWORD", "RUST_LOG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// The numbers from 0, one on a line.
pub(crate) fn numbers(count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

/// An address where nothing listens.
pub(crate) fn nowhere() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A `broker` that runs.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    out: Option<JoinHandle<Vec<u8>>>,
    out_lines: mpsc::Receiver<String>,
    err: Option<JoinHandle<String>>,
    err_lines: mpsc::Receiver<String>,
}

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (out, out_lines) = collect(child.stdout.take().unwrap());
        let (err, err_lines) = collect(child.stderr.take().unwrap());
        let err = std::thread::spawn(move || String::from_utf8(err.join().unwrap()).unwrap());
        Running { child, stdin, out: Some(out), out_lines, err: Some(err), err_lines }
    }

    /// The next line of its standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.out_lines.recv_timeout(DEADLINE).unwrap_or_else(|error| {
            panic!(
                "no line ({error}); on standard error: {:?}",
                self.err_lines.try_iter().collect::<Vec<_>>()
            )
        })
    }

    /// Waits for a line on standard error that holds this.
    #[track_caller]
    pub(crate) fn wait_for_err(&self, text: &str) {
        while !self.err_lines.recv_timeout(DEADLINE).expect(text).contains(text) {}
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Closes its standard input and waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.stdin.take());
        self.ended()
    }

    /// Waits for its end; its standard input stays open.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Outcome {
        let status = eventually("the end of the process", || self.child.try_wait().unwrap());
        let out = self.out.take().unwrap().join().unwrap();
        let err = self.err.take().unwrap().join().unwrap();
        Outcome { status, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads all, and sends each line as soon as it is there.
fn collect(from: impl Read + Send + 'static) -> (JoinHandle<Vec<u8>>, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut all = Vec::new();
        loop {
            let start = all.len();
            if from.read_until(b'\n', &mut all).unwrap() == 0 {
                return all;
            }
            // Nobody listens to the lines of a process that has ended.
            let _ = sender.send(String::from_utf8_lossy(&all[start..]).trim_end().to_string());
        }
    });
    (reader, receiver)
}

/// How a `broker` ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Outcome {
    /// What it printed, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status.code(), Some(0), "{}", self.err);
        String::from_utf8(self.out).unwrap()
    }

    /// Its exit code must be this, and its standard error must hold this.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, text: &str) {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert!(self.err.contains(text), "{text:?} is not in {:?}", self.err);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}
