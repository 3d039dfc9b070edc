//! nats-server's flags, written as Go's programs read them: `-p 4222`, `--port 4222`, `-p=4222`; one dash or two.

use std::path::PathBuf;

use thiserror::Error;

use super::signal::{Command, SignalError};
use crate::config::{Config, ConfigErrors, Listen, ListenAddress, NATS_PORT, Sources};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Invocation {
    /// To say how it is used.
    Help,
    /// To say which version it is.
    Version,
    /// To send a signal to a server that runs.
    Signal(Command),
    /// To run.
    Run(Flags),
}

/// The flags of a server that is to run.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Flags {
    host: Option<String>,
    port: Option<u16>,
    http_port: Option<u16>,
    name: Option<String>,
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    config: Option<PathBuf>,
    debug: bool,
    trace: bool,
}

impl std::fmt::Debug for Flags {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Flags { host, port, http_port, name, user, config, debug, trace, .. } = self;
        f.debug_struct("Flags")
            .field("host", host)
            .field("port", port)
            .field("http_port", http_port)
            .field("name", name)
            .field("user", user)
            .field("config", config)
            .field("debug", debug)
            .field("trace", trace)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlagError {
    /// A flag that nats-server has and this server does not.
    #[error("the flag -{0} of nats-server is not supported by broker-server")]
    Unsupported(String),
    /// A flag that nats-server does not have either.
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    /// A flag without its value.
    #[error("flag needs an argument: -{0}")]
    Incomplete(String),
    /// A value that the flag does not take.
    #[error("invalid value {value:?} for flag -{flag}: {why}")]
    Invalid {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A word that belongs to no flag.
    #[error("unrecognized command: {0:?}")]
    Word(String),
    /// A user without a password, or the other way round.
    #[error("--user and --pass belong together")]
    HalfUser,
    /// A signal that does not exist or cannot be sent.
    #[error(transparent)]
    Signal(#[from] SignalError),
}

/// Flags of nats-server 2.9 that ask for what this server does not have.
const UNSUPPORTED: &[&str] = &[
    "P",
    "pid",
    "ms",
    "https_port",
    "t",
    "client_advertise",
    "ports_file_dir",
    "l",
    "log",
    "T",
    "logtime",
    "s",
    "syslog",
    "r",
    "remote_syslog",
    "VV",
    "DVV",
    "log_size_limit",
    "max_traced_msg_len",
    "js",
    "jetstream",
    "sd",
    "store_dir",
    "tls",
    "tlscert",
    "tlskey",
    "tlsverify",
    "tlscacert",
    "routes",
    "cluster",
    "cluster_name",
    "no_advertise",
    "cluster_advertise",
    "connect_retries",
    "cluster_listen",
    "profile",
    "help_tls",
];

/// What `-h` prints.
pub const USAGE: &str = "\
Usage: nats-server [options]

broker-server in the place of nats-server: the NATS protocol, and only the ports that are named here.

Server options:
    -a, --addr, --net <host>         Bind to this address (default: 0.0.0.0)
    -p, --port <port>                Port for clients (default: 4222; -1: any free one)
    -n, --name, --server_name <name> Name of the server
    -m, --http_port <port>           Port for HTTP monitoring (-1: any free one)
    -c, --config <file>              Configuration file of broker-server (TOML: docs/configuration.md)
    -sl, --signal <signal>=<pid>     Send a signal to a running server (stop, quit, term, ldm, reload);
                                     <pid> is a number or a file that holds one

Logging options:
    -D, --debug                      Log more
    -V, --trace                      Log what clients send, too
    -DV                              Both

Authorization options:
        --user <user>                User that clients must be
        --pass <password>            Password of that user, or its hash
        --auth <token>               Token that clients must know, or its hash

    -h, --help                       Show this
    -v, --version                    Show the version
";

impl Invocation {
    /// Reads a command line, without the name of the program.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn read(arguments: &[String]) -> Result<Self, FlagError> {
        let mut flags = Flags::default();
        let mut signal = None;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let Some(written) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                return Err(FlagError::Word(word.clone()));
            };
            let (name, mut given) = match written.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (written, None),
            };
            let mut value = || {
                given.take().or_else(|| words.next().cloned()).ok_or(FlagError::Incomplete(name.to_owned()))
            };
            match name {
                "a" | "addr" | "net" => flags.host = Some(value()?),
                "p" | "port" => flags.port = Some(port(name, &value()?, NATS_PORT)?),
                // 0 is nats-server's way to say that there is none.
                "m" | "http_port" => {
                    let text = value()?;
                    flags.http_port = (text != "0").then(|| port(name, &text, 0)).transpose()?;
                }
                "n" | "name" | "server_name" => flags.name = Some(value()?),
                "user" => flags.user = Some(value()?),
                "pass" => flags.password = Some(value()?),
                "auth" => flags.token = Some(value()?),
                "c" | "config" => flags.config = Some(value()?.into()),
                "sl" | "signal" => signal = Some(value()?),
                "D" | "debug" => flags.debug = switch(name, given.as_deref())?,
                "V" | "trace" => flags.trace = switch(name, given.as_deref())?,
                "DV" => {
                    flags.debug = switch(name, given.as_deref())?;
                    flags.trace = flags.debug;
                }
                "h" | "help" => return Ok(Invocation::Help),
                "v" | "version" => return Ok(Invocation::Version),
                _ if UNSUPPORTED.contains(&name) => return Err(FlagError::Unsupported(name.to_owned())),
                _ => return Err(FlagError::Unknown(name.to_owned())),
            }
        }
        if let Some(text) = signal {
            return Ok(Invocation::Signal(text.parse()?));
        }
        if flags.user.is_some() != flags.password.is_some() {
            return Err(FlagError::HalfUser);
        }
        Ok(Invocation::Run(flags))
    }
}

/// `zero` is what port 0 stands for; -1 is any free port.
fn port(flag: &str, text: &str, zero: u16) -> Result<u16, FlagError> {
    let invalid = |why| FlagError::Invalid { flag: flag.to_owned(), value: text.to_owned(), why };
    match text.parse::<i32>() {
        Ok(-1) => Ok(0),
        Ok(0) => Ok(zero),
        Ok(number) => u16::try_from(number).map_err(|_| invalid("no such port")),
        Err(_) => Err(invalid("parse error")),
    }
}

/// A flag without a value, or with one behind a `=`.
fn switch(flag: &str, given: Option<&str>) -> Result<bool, FlagError> {
    match given {
        None | Some("true" | "1" | "t") => Ok(true),
        Some("false" | "0" | "f") => Ok(false),
        Some(value) => {
            Err(FlagError::Invalid { flag: flag.to_owned(), value: value.to_owned(), why: "parse error" })
        }
    }
}

impl Flags {
    /// The configuration that they make, over the file that they name and the environment, and with the defaults of nats-server: no native protocol, the NATS
    /// protocol on port 4222 of every interface.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load(
        &self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Config, Sources), ConfigErrors> {
        let mut base = Config { listen: Listen::Off, ..Config::default() };
        base.nats.listen = Listen::At(ListenAddress { host: "0.0.0.0".to_owned(), port: NATS_PORT });
        super::NAME.clone_into(&mut base.nats.server_name);
        let file = self.config.clone().map(|path| ("--config", path));
        let variables: Vec<(String, String)> = environment.collect();
        // The address may be half given, and the other half is whatever it would be without it.
        let (below, _) = Config::load_over(base.clone(), file.clone(), variables.iter().cloned(), &[])?;
        Config::load_over(base, file, variables.into_iter(), &self.given(&below))
    }

    /// The settings that they stand for, over a configuration: each as it is written, the key, the text.
    fn given(&self, below: &Config) -> Vec<(String, &'static str, String)> {
        let address = match &below.nats.listen {
            Listen::At(address) | Listen::IfFree(address) => address.clone(),
            Listen::Off => ListenAddress { host: "0.0.0.0".to_owned(), port: NATS_PORT },
        };
        let host = self.host.clone().unwrap_or(address.host);
        let mut given = Vec::new();
        let mut give = |flag: &str, key, text: String| given.push((flag.to_owned(), key, text));
        let at = |port| ListenAddress { host: host.clone(), port }.to_string();
        match (&self.host, self.port) {
            (None, None) => {}
            (Some(_), None) => give("--addr", "nats.listen", at(address.port)),
            (_, Some(port)) => give("--port", "nats.listen", at(port)),
        }
        if let Some(port) = self.http_port {
            give("--http_port", "monitor.listen", at(port));
        }
        if let Some(name) = &self.name {
            give("--name", "nats.server_name", name.clone());
        }
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            give("--user", "auth.users", format!("{user}:{password}"));
        }
        if let Some(token) = &self.token {
            give("--auth", "auth.token", token.clone());
        }
        let level = if self.trace { "trace" } else { "debug" };
        if self.trace || self.debug {
            // What libraries have to say is not what these flags of nats-server are for.
            give(if self.trace { "-V" } else { "-D" }, "log.level", format!("info,broker_server={level}"));
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Invocation, FlagError> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Invocation::read(&words)
    }

    fn loaded(line: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let Ok(Invocation::Run(flags)) = read(line) else { panic!("{line}: {:?}", read(line)) };
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        flags.load(environment).map(|(config, _)| config).map_err(|errors| errors.to_string())
    }

    #[track_caller]
    fn check(line: &str, nats: &str, monitor: &str) {
        let config = loaded(line, &[]).unwrap();
        assert_eq!(config.listen, Listen::Off, "{line}");
        assert_eq!(config.nats.listen.to_string(), nats, "{line}");
        assert_eq!(config.monitor.listen.to_string(), monitor, "{line}");
    }

    #[test]
    fn only_what_is_named_is_opened() {
        check("", "0.0.0.0:4222", "off");
        check("-p 4223", "0.0.0.0:4223", "off");
        check("--port=4223 -m 8222", "0.0.0.0:4223", "0.0.0.0:8222");
        check("-a 127.0.0.1 -m 8222", "127.0.0.1:4222", "127.0.0.1:8222");
        check("-addr ::1 -port 1", "[::1]:1", "off");
        check("-p -1 -m -1 --net localhost", "localhost:0", "localhost:0");
        check("-p 0 -m 0", "0.0.0.0:4222", "off");
    }

    #[test]
    fn the_rest_of_the_flags() {
        let config = loaded("-n cellar --user a --pass b --auth t -DV", &[]).unwrap();
        assert_eq!(config.nats.server_name, "cellar");
        assert_eq!(config.auth.users, "a:b".parse().unwrap());
        assert_eq!(config.auth.token, Some("t".parse().unwrap()));
        assert_eq!(config.log.level, "info,broker_server=trace");
        assert_eq!(loaded("-D", &[]).unwrap().log.level, "info,broker_server=debug");
        assert_eq!(loaded("-D=false", &[]).unwrap().log.level, "info");
        assert_eq!(loaded("", &[("BROKER_WORKERS", "3")]).unwrap().workers, 3);
        // Half of the address from each place.
        let config = loaded("-p 1", &[("BROKER_NATS", "127.0.0.1:2")]).unwrap();
        assert_eq!(config.nats.listen.to_string(), "127.0.0.1:1");
        assert_eq!(read("-p 1 -h"), Ok(Invocation::Help));
        assert_eq!(read("--version"), Ok(Invocation::Version));
        assert!(!format!("{:?}", read("--user a --pass hunter42 --auth hunter42")).contains("hunter42"));
    }

    #[test]
    fn a_configuration_file_is_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broker.toml");
        std::fs::write(&path, "listen = 36000\nnats.listen = '127.0.0.1:1'\n[limits]\nconnections_max = 7\n")
            .unwrap();
        let config = loaded(&format!("-c {} -p 2", path.display()), &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:36000", "what the file names is opened");
        assert_eq!(config.nats.listen.to_string(), "127.0.0.1:2");
        assert_eq!(config.limits.connections_max, 7);
    }

    #[test]
    fn wrong_lines() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            assert_eq!(read(line).unwrap_err().to_string(), expected, "{line}");
        }
        check("-js", "the flag -js of nats-server is not supported by broker-server");
        check("--cluster nats://x:1", "the flag -cluster of nats-server is not supported by broker-server");
        check("--bogus", "flag provided but not defined: -bogus");
        check("-p", "flag needs an argument: -p");
        check("-p abc", "invalid value \"abc\" for flag -p: parse error");
        check("-p 70000", "invalid value \"70000\" for flag -p: no such port");
        check("-D=maybe", "invalid value \"maybe\" for flag -D: parse error");
        check("serve", "unrecognized command: \"serve\"");
        check("--user a", "--user and --pass belong together");
        assert_eq!(
            loaded("-a not/a/host", &[]).unwrap_err(),
            "--addr: 'not/a/host:4222' is not an address such as 127.0.0.1:36912 or [::]:36912, a port, or off"
        );
    }
}
