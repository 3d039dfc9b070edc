//! A server as a process of its own, started with nats-server's flags: ours under nats-server's name, or nats-server itself.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use tempfile::NamedTempFile;

use super::{DEADLINE, eventually};

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// Our binary, told to be nats-server.
    Ours,
    /// nats-server at this path.
    NatsServer(PathBuf),
}

/// nats-server, where the environment gives its path.
pub(crate) fn nats_server() -> Option<Program> {
    std::env::var_os("NATS_SERVER").map(|path| Program::NatsServer(path.into()))
}

/// What the tests run against: ours, and nats-server too where the environment gives its path.
pub(crate) fn programs() -> Vec<Program> {
    [Program::Ours].into_iter().chain(nats_server()).collect()
}

/// A setting of a configuration file: nats-server's name, and a value as both kinds of files write it.
pub(crate) type Setting = (String, String);

/// A server that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Held: the server may read it again.
    _configuration: Option<NamedTempFile>,
}

impl Program {
    /// Starts it on a port that the system chooses.
    pub(crate) fn start(&self, flags: &[&str], settings: &[Setting]) -> Running {
        self.start_at(None, flags, settings)
    }

    /// Starts it on `port`, or on one that the system chooses.
    pub(crate) fn start_at(&self, port: Option<u16>, flags: &[&str], settings: &[Setting]) -> Running {
        let configuration = (!settings.is_empty()).then(|| self.configuration(settings));
        let mut command = match self {
            Program::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_broker-server"));
                command.args(["--as", "nats-server"]);
                command
            }
            Program::NatsServer(path) => Command::new(path),
        };
        let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
        command.args(["-a", "127.0.0.1", "-p", &port]).args(flags);
        if let Some(file) = &configuration {
            command.arg("-c").arg(file.path());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        let address = address_told(&mut child);
        Running { child, address, _configuration: configuration }
    }

    fn configuration(&self, settings: &[Setting]) -> NamedTempFile {
        let suffix = if *self == Program::Ours { ".toml" } else { ".conf" };
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        for (name, value) in settings {
            match self {
                Program::Ours => writeln!(file, "{} = {value}", our_name(name)).unwrap(),
                Program::NatsServer(_) => writeln!(file, "{name}: {value}").unwrap(),
            }
        }
        file
    }
}

/// How our configuration file calls what nats-server's calls `name`.
fn our_name(name: &str) -> &str {
    match name {
        "max_payload" => "nats.payload_bytes_max",
        "max_control_line" => "nats.control_line_bytes_max",
        "max_pending" => "nats.outbox_bytes_max",
        "max_connections" => "limits.connections_max",
        "max_subscriptions" => "limits.subscriptions_max",
        "ping_interval" => "nats.ping_interval",
        "ping_max" => "nats.pings_out_max",
        other => panic!("what do we call {other}?"),
    }
}

impl Running {
    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("there is a kill").success(), "it runs");
    }

    /// Waits until it has ended by itself. Returns whether it says that all went well.
    pub(crate) fn ends(&mut self) -> bool {
        let mut status = None;
        eventually("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the server tells that it is ready, and where it listens. What it tells later is read and dropped, so that it never waits.
fn address_told(child: &mut Child) -> SocketAddr {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // Nobody listens once the address is known.
            let _ = tell.send(line);
        }
    });
    let (end, mut address, mut all) = (Instant::now() + DEADLINE, None, String::new());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let line = told.recv_timeout(left).unwrap_or_else(|error| panic!("no server: {error}\n{all}"));
        if let Some((_, at)) = line.split_once("Listening for client connections on ") {
            address = Some(at.trim().parse().unwrap_or_else(|error| panic!("{at}: {error}")));
        }
        if line.contains("Server is ready") {
            return address.unwrap_or_else(|| panic!("it does not tell where it listens\n{all}"));
        }
        all = all + &line + "\n";
    }
}
