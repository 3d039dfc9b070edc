//! Whom the messages go through: what each peer is called, how it is found, started, spoken to, and installed where it is missing.
//!
//! Peers are started so that they do what the broker does and nothing else: on a free port of 127.0.0.1, without authentication and storage, quiet, and
//! with bounds of what may wait for a slow client so high that none of them drops a message or a client: a run that is not at zero loss compares
//! nothing. A process is stopped when it is dropped (`process.rs`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

use super::protocol::Wire;
use crate::process::Process;

/// Where servers are installed beside the directories of PATH: Debian puts them where only root looks.
const MORE_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/// Whom the messages go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// This project's broker
    Broker,
    /// Copies bytes and looks at none of them
    Relay,
    /// NATS
    NatsServer,
    /// MQTT
    Mosquitto,
    /// Redis pub/sub
    Redis,
    /// The original, from PATH or --lbroker
    Lbroker,
    /// A server that runs already (`--addr`).
    #[value(skip)]
    Running,
}

/// A peer that listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// What it is.
    pub(crate) peer: Peer,
    /// How it is spoken to.
    pub(crate) wire: Wire,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process, where that is known.
    pub(crate) pid: Option<u32>,
}

/// What a peer's process needs to know beside its address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// What is spoken with it.
    pub(crate) wire: Wire,
    /// Bytes that the relay copies at once.
    pub(crate) relay_block: usize,
    /// Whether latencies are what counts, for those that have to be told: lbroker holds messages back for 10 ms otherwise. Mosquitto, which
    /// writes each message by itself, delivers 30 % more where the kernel may put several together (measured at 16 B).
    pub(crate) paced: bool,
}

impl Peer {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Relay => "relay",
            Self::NatsServer => "nats-server",
            Self::Mosquitto => "mosquitto",
            Self::Redis => "redis",
            Self::Lbroker => "lbroker",
            Self::Running => "server",
        }
    }

    /// Its program, and the Debian package that it is in.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Broker => "broker-server",
            Self::Redis => "redis-server",
            other => other.name(),
        }
    }

    /// What is spoken with it, where the user asks for `protocol`: that says what the broker speaks; the others have one each.
    ///
    /// # Errors
    /// If the broker has no such listener.
    pub(crate) fn wire(self, protocol: Wire) -> Result<Wire> {
        match (self, protocol) {
            (Self::Broker, Wire::Redis | Wire::Mqtt) => {
                let name = protocol.name();
                bail!("the broker does not speak {name}; --protocol {name} needs --addr or --relay")
            }
            (Self::Broker | Self::Relay | Self::Running, _) => Ok(protocol),
            (Self::NatsServer, _) => Ok(Wire::Nats),
            (Self::Mosquitto, _) => Ok(Wire::Mqtt),
            (Self::Redis, _) => Ok(Wire::Redis),
            (Self::Lbroker, _) => Ok(Wire::Lbroker),
        }
    }

    /// How to get it where it is missing.
    pub(crate) fn advice(self) -> String {
        match self {
            Self::Broker | Self::Relay | Self::Running => "run this through `cargo xtask`".to_owned(),
            Self::Lbroker => "build it, and put its program into PATH or give --lbroker PATH".to_owned(),
            other => format!("run `cargo xtask setup`, or {}", other.install()),
        }
    }

    /// What installs it.
    pub(crate) fn install(self) -> String {
        format!("on Debian and Ubuntu: apt-get install {}", self.program())
    }

    /// Its program on this machine, if it is installed.
    pub(crate) fn find(self) -> Option<PathBuf> {
        let name = format!("{}{}", self.program(), std::env::consts::EXE_SUFFIX);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::env::split_paths(&path).chain(MORE_DIRECTORIES.map(PathBuf::from));
        directories.map(|directory| directory.join(&name)).find(|program| program.is_file())
    }

    /// What its program says of its version; `None` if it says nothing.
    pub(crate) fn version(self, program: &Path) -> Option<String> {
        let flag = if self == Self::Mosquitto { "-h" } else { "--version" };
        let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        version_in(&String::from_utf8_lossy(&text))
    }

    /// Starts it on `address` and waits until it listens.
    pub(crate) fn start(self, how: Start<'_>, address: SocketAddr) -> Result<Process> {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let listen = address.to_string();
        let block = how.relay_block.to_string();
        let config =
            self.config(address, how.paced).map(|text| ConfigFile::new(self.name(), &text)).transpose()?;
        let config_path = config.as_ref().map(|file| file.path.to_string_lossy().into_owned());
        let config_path = config_path.as_deref().unwrap_or_default();
        let native = crate::process::free_address()?.to_string();
        let redis = ["--port", &port, "--bind", &ip, "--save", "", "--appendonly", "no", "--daemonize", "no"];
        // A subscriber may be as far behind as it likes, and nobody is sent away for saying nothing.
        let redis_bounds =
            ["--client-output-buffer-limit", "pubsub 0 0 0", "--timeout", "0", "--maxclients", "60000"];
        let redis =
            [&redis[..], &redis_bounds, &["--loglevel", "warning", "--protected-mode", "no"]].concat();
        let args: &[&str] = match self {
            Self::Broker if how.wire == Wire::Nats => &["--listen", &native, "--nats", &listen],
            Self::Broker => &["--listen", &listen],
            Self::Relay => &["relay", "--listen", &listen, "--block", &block],
            Self::NatsServer | Self::Mosquitto => &["-c", config_path],
            Self::Redis => &redis,
            Self::Lbroker if how.paced => &["server", "-p", &port, "--mode", "low-latency"],
            Self::Lbroker => &["server", "-p", &port],
            Self::Running => bail!("a server that runs already cannot be started"),
        };
        let process = Process::start(self.program(), how.program, args, address);
        if self == Self::Broker && how.wire == Wire::Nats {
            return process.context("the broker cannot be started with a NATS listener");
        }
        process
    }

    /// The text of its configuration file, where it is configured by one.
    fn config(self, address: SocketAddr, paced: bool) -> Option<String> {
        let (ip, port) = (address.ip(), address.port());
        match self {
            // 64 MiB is what the server bears; it warns above 8 MiB. A client whose socket takes nothing for a minute is gone.
            Self::NatsServer => Some(format!(
                "host: \"{ip}\"\nport: {port}\nmax_payload: 67108864\nmax_pending: 1073741824\n\
                 max_connections: 100000\nwrite_deadline: \"60s\"\n"
            )),
            // As root it would become another user, who may not be there; 0 is no bound.
            // Not `sys_interval 0`, quiet as it sounds: with it mosquitto delivers less than half as much (measured at 64 KiB).
            Self::Mosquitto => Some(format!(
                "listener {port} {ip}\nuser root\nallow_anonymous true\npersistence false\nlog_dest stderr\nlog_type error\n\
                 max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\nmax_connections -1\n\
                 set_tcp_nodelay {paced}\n"
            )),
            _ => None,
        }
    }
}

/// The first word of a text that looks like a version: digits and dots, perhaps behind `v` or `v=`.
fn version_in(text: &str) -> Option<String> {
    text.split_whitespace().find_map(|word| {
        let version = word.trim_start_matches("v=").trim_start_matches('v').trim_end_matches(',');
        let begins = version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.');
        begins.then(|| version.to_owned())
    })
}

/// A file that is there as long as this is: servers read it before they listen.
#[derive(Debug)]
struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    fn new(name: &str, text: &str) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("loadtest-{}-{number}-{name}.conf", std::process::id()));
        let cannot = || format!("cannot write {}", path.display());
        // Not one that somebody else has put there.
        let mut file = std::fs::File::create_new(&path).with_context(cannot)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).with_context(cannot)?;
        Ok(Self { path })
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        if std::fs::remove_file(&self.path).is_err() {
            // It is gone already, or stays: a few lines in the directory for temporary files.
        }
    }
}

/// Where the user's own programs are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PeerArgs {
    /// What is spoken with the broker, the relay, or the server at --addr
    #[arg(long, value_enum, default_value_t = Wire::Native)]
    pub(crate) protocol: Wire,
    /// Runs the broker and these servers in turn, and shows medians and ratios; what is not installed is left out, and told
    #[arg(long, value_name = "PEER,…", value_delimiter = ',', conflicts_with_all = ["addr", "relay", "versus_relay"])]
    pub(crate) compare: Vec<Peer>,
    /// lbroker's program, for --compare lbroker, if it is not in PATH
    #[arg(long, value_name = "PATH")]
    pub(crate) lbroker: Option<PathBuf>,
}

impl PeerArgs {
    /// Whom to compare the broker with, each once. Empty without `--compare`.
    ///
    /// # Errors
    /// If there is nobody but the broker itself.
    pub(crate) fn peers(&self) -> Result<Vec<Peer>> {
        let mut peers: Vec<Peer> = Vec::new();
        for &peer in &self.compare {
            if peer != Peer::Broker && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        ensure!(
            self.compare.is_empty() || !peers.is_empty(),
            "--compare needs somebody to compare the broker with"
        );
        Ok(peers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, want) in [
            ("nats-server: v2.9.10\n", Some("2.9.10")),
            ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker.", Some("2.0.11")),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some("7.0.15")),
            ("lbroker 0.1.0", Some("0.1.0")),
            ("no such flag", None),
        ] {
            assert_eq!(version_in(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn each_peer_has_its_protocol() {
        assert_eq!(Peer::Broker.wire(Wire::Native).unwrap(), Wire::Native);
        assert_eq!(Peer::Broker.wire(Wire::Nats).unwrap(), Wire::Nats);
        assert_eq!(Peer::NatsServer.wire(Wire::Native).unwrap(), Wire::Nats);
        assert_eq!(Peer::Relay.wire(Wire::Redis).unwrap(), Wire::Redis);
        let error = Peer::Broker.wire(Wire::Mqtt).unwrap_err().to_string();
        assert!(error.contains("does not speak mqtt"), "{error}");
    }

    #[test]
    fn what_is_missing_comes_with_advice() {
        assert!(Peer::NatsServer.advice().contains("apt-get install nats-server"));
        assert!(Peer::Redis.advice().contains("apt-get install redis-server"));
        assert!(Peer::Lbroker.advice().contains("--lbroker PATH"));
    }

    #[test]
    fn a_configuration_file_goes_with_its_owner() {
        let file = ConfigFile::new("test", "port: 1\n").unwrap();
        let path = file.path.clone();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "port: 1\n");
        drop(file);
        assert!(!path.exists());
    }
}
