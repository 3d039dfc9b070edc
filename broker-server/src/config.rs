//! What the server can be told: [`Config`], its defaults, and how it comes together from a file, the environment and flags.
//!
//! One table (in `settings`) names every setting once; the keys of the file, the names of the environment variables, the flags, `--help`, the
//! printed configuration and the table in `docs/configuration.md` all come from it. This module reads one file and nothing else: it opens no
//! socket and sets up no logging.
//!
//! Invariants: a `Config` that [`Config::load`] returns has passed [`Config::validate`]; whatever is given is used or refused, never ignored;
//! all errors are reported at once, each with the place that it came from.

mod address;
mod environment;
mod error;
mod file;
mod layers;
mod quantity;
mod render;
mod rules;
mod secret;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;
mod topics;

use std::path::PathBuf;
use std::time::Duration;

use broker_core::Policy;
use broker_core::wire::native::PORT;

pub use self::address::{Listen, ListenAddress};
pub use self::environment::variables;
pub use self::error::{ConfigError, ConfigErrors, Excess, Place, Problem};
pub use self::layers::Sources;
pub use self::render::{effective_toml, settings_help, settings_table};
pub use self::secret::{Secret, User, Users};
pub(crate) use self::settings::{SETTINGS, Setting};
pub use self::topics::TopicRule;
pub(crate) use self::topics::core_rules;
use crate::args::Args;

/// The native protocol's port.
pub const DEFAULT_PORT: u16 = PORT;

/// The NATS protocol's port.
pub const NATS_PORT: u16 = 4222;

const MIB: usize = 1 << 20;

/// Everything that can be set, resolved. `Default` is what a server without any configuration uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where the native protocol is spoken. Default `127.0.0.1:36912`.
    pub listen: Listen,
    /// Worker threads, 0 to 1,024. Default 0: one for each core.
    pub workers: usize,
    /// What holds for some topics and not for others. Default: nothing.
    pub topics: Vec<TopicRule>,
    /// The NATS protocol.
    pub nats: Nats,
    /// Figures over HTTP.
    pub monitor: Monitor,
    /// Who may connect.
    pub auth: Auth,
    /// What a client may ask for.
    pub limits: Limits,
    /// What waits to be written to a session.
    pub outbox: Outbox,
    /// The newest message of each topic.
    pub retained: Retained,
    /// How the server stops.
    pub shutdown: Shutdown,
    /// What the server publishes about itself.
    pub metrics: Metrics,
    /// What is written to standard error.
    pub log: Log,
}

/// The NATS protocol: where it is spoken, and what is different there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nats {
    /// Where it is spoken. Default `127.0.0.1:4222 if free`.
    pub listen: Listen,
    /// What the server calls itself towards clients, one word of up to 128 bytes. Default `broker-server`.
    pub server_name: String,
    /// Bytes of one message, 1 to 64 MiB; at most `outbox_bytes_max`. Default 1 MiB, nats-server's.
    pub payload_bytes_max: usize,
    /// Bytes of one line of the protocol, 64 to 1 MiB. Default 4 KiB, nats-server's.
    pub control_line_bytes_max: usize,
    /// How often a silent client is asked for a sign of life, 10 ms to 24 h; zero: never. Default 2 min, nats-server's.
    pub ping_interval: Duration,
    /// How many such questions may go unanswered, 1 to 100. Default 2, nats-server's.
    pub pings_out_max: usize,
    /// Bytes that may wait for one client, 64 to 16 GiB. Default 64 MiB, nats-server's.
    pub outbox_bytes_max: usize,
    /// What happens at that bound. Default [`Policy::Disconnect`], which is what nats-server does.
    pub outbox_policy: Policy,
    /// Whether a subscription gets the retained messages of its topics first. Default false: nats-server has none.
    pub retained: bool,
}

/// Figures over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Where they are served. Default [`Listen::Off`].
    pub listen: Listen,
}

/// Who may connect, whatever the protocol. Where nothing is given here, everybody may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// What a client must know. Default none.
    pub token: Option<Secret>,
    /// Users with passwords. Default none. Beside a token, either will do.
    pub users: Users,
}

/// What a client may ask for. Each is refused by name and number when it is exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at a time, 1 to 10,000,000. Default 65,536.
    pub connections_max: usize,
    /// Subscriptions of one session, 1 to 10,000,000. Default 100,000.
    pub subscriptions_max: usize,
    /// Bytes of one frame, 64 to 1 GiB; at most [`Outbox::bytes_max`]. Default 8 MiB.
    pub frame_bytes_max: usize,
    /// Bytes of a topic, 1 to 65,535; at most `frame_bytes_max`. Default 1,024.
    pub topic_bytes_max: usize,
    /// Bytes of a pattern, 1 to 65,535; at most `frame_bytes_max`. Default 1,024.
    pub pattern_bytes_max: usize,
    /// Runs of `*` in a pattern, 0 to 256. Default 16.
    pub pattern_stars_max: usize,
    /// Combinations of alternatives in a pattern, 1 to 4,096. Default 64.
    pub pattern_alternatives_max: usize,
    /// How deep a value may nest, 1 to 4,096. Default 128.
    pub depth_max: usize,
    /// How long a session may be silent, 10 ms to 24 h; zero: for ever. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a client may take to say who it is, where it must, 10 ms to 1 h. Default 2 s, nats-server's.
    pub auth_timeout: Duration,
}

/// What waits to be written to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Bytes that may wait for one session, 64 to 16 GiB. Default 8 MiB.
    pub bytes_max: usize,
    /// What happens at the bound where a subscription does not say. Default [`Policy::Skip`].
    pub policy: Policy,
    /// For how long an outbox under [`Policy::Block`] may hold publishers back since it last took something, 1 ms to 1 h. Then it skips, until
    /// it has caught up. Default 5 s.
    pub block_timeout: Duration,
}

/// The newest message of each topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// Messages kept in all, 0 to 100,000,000; 0: none. Default 1,000,000.
    pub messages_max: usize,
    /// Bytes kept in all, 0 to 16 TiB; 0: none. Default 256 MiB.
    pub bytes_max: usize,
    /// Bytes of a value that is kept, 0 to 1 GiB; 0: none. A larger one is delivered, and what was kept of its topic goes. Default 8 MiB.
    pub value_bytes_max: usize,
}

/// How the server stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// How long to go on writing what waits for the sessions, up to 1 h; zero: not at all. Default 5 s.
    pub drain_timeout: Duration,
    /// How long a lame duck waits before it closes the first session, up to 1 h. Default 10 s, nats-server's.
    pub lame_duck_grace: Duration,
    /// How long a lame duck then takes to close them all, up to 24 h. Default 2 min, nats-server's.
    pub lame_duck_duration: Duration,
}

/// What the server publishes about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Time between two publications on `!system/…`, 100 ms to 60 s. Default 1 s, which is what the protocol promises to clients.
    pub interval: Duration,
}

/// What is written to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or for programs. Default [`LogFormat::Text`].
    pub format: LogFormat,
    /// Which events are logged, in the syntax of `RUST_LOG`. Default `info`.
    pub level: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Puts the configuration together: the defaults, under the file that `--config` or `BROKER_CONFIG` names, under the environment
    /// (see [`variables`]), under the flags.
    ///
    /// # Errors
    ///
    /// Everything that is unknown, unreadable, out of range or contradictory, at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use broker_server::{args::Args, config::Config};
    ///
    /// let environment = [("BROKER_LIMITS_DEPTH_MAX".to_owned(), "32".to_owned())];
    /// let config = Config::load(&Args::default(), environment.into_iter()).unwrap();
    /// assert_eq!(config.limits.depth_max, 32);
    ///
    /// let environment = [("BROKER_LISTEM".to_owned(), "off".to_owned())];
    /// let errors = Config::load(&Args::default(), environment.into_iter()).unwrap_err();
    /// assert_eq!(errors.to_string(), "BROKER_LISTEM: unknown environment variable; did you mean 'BROKER_LISTEN'?");
    /// ```
    pub fn load(
        args: &Args,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigErrors> {
        Self::load_with_sources(args, environment).map(|(config, _)| config)
    }

    /// As [`Config::load`], and tells where each value comes from.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_with_sources(
        args: &Args,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Config, Sources), ConfigErrors> {
        let file = args.config.clone().map(|path| ("--config", path));
        layers::resolve(Config::default(), file, environment, args.given())
    }

    /// As [`Config::load_with_sources`], over other values than the defaults and with flags of another command line: each as it is written,
    /// the key of the setting, and the text of its value. `file` is the flag that names the configuration file, and what it names.
    pub(crate) fn load_over(
        base: Config,
        file: Option<(&'static str, PathBuf)>,
        environment: impl Iterator<Item = (String, String)>,
        given: &[(String, &'static str, String)],
    ) -> Result<(Config, Sources), ConfigErrors> {
        let given = given
            .iter()
            .filter_map(|(flag, key, text)| Some((flag.clone(), Setting::find(key)?, text.clone())));
        layers::resolve(base, file, environment, given)
    }

    /// Checks a configuration that a program put together itself: each value against its range, and all against each other.
    ///
    /// A configuration in which nothing listens passes here, because such a program may have its own way in; [`Config::load`] refuses it.
    ///
    /// # Errors
    ///
    /// Every rule that is broken, each with the name of the setting.
    ///
    /// # Examples
    ///
    /// ```
    /// use broker_server::config::Config;
    ///
    /// let mut config = Config::default();
    /// assert!(config.validate().is_ok());
    /// config.limits.connections_max = 0;
    /// assert_eq!(config.validate().unwrap_err().to_string(), "limits.connections_max: 0 is too small, the least is 1");
    /// ```
    pub fn validate(&self) -> Result<(), ConfigErrors> {
        ConfigErrors::check(rules::validate(self))
    }
}

/// What is wrong with a key that no setting has.
pub(crate) fn unknown_key(key: &str) -> Problem {
    let suggestion = suggest::setting(None, key).map(|setting| format!("'{}'", setting.key));
    Problem::UnknownSetting { name: key.to_owned(), section: None, suggestion }
}

impl Default for Nats {
    fn default() -> Self {
        Nats {
            listen: Listen::IfFree(ListenAddress::loopback(NATS_PORT)),
            server_name: crate::NAME.to_owned(),
            payload_bytes_max: MIB,
            control_line_bytes_max: 4096,
            ping_interval: Duration::from_mins(2),
            pings_out_max: 2,
            outbox_bytes_max: 64 * MIB,
            outbox_policy: Policy::Disconnect,
            retained: false,
        }
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Monitor { listen: Listen::Off }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 65_536,
            subscriptions_max: 100_000,
            frame_bytes_max: 8 * MIB,
            topic_bytes_max: 1024,
            pattern_bytes_max: 1024,
            pattern_stars_max: 16,
            pattern_alternatives_max: 64,
            depth_max: 128,
            idle_timeout: Duration::from_mins(1),
            auth_timeout: Duration::from_secs(2),
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox { bytes_max: 8 * MIB, policy: Policy::Skip, block_timeout: Duration::from_secs(5) }
    }
}

impl Default for Retained {
    fn default() -> Self {
        Retained { messages_max: 1_000_000, bytes_max: 256 * MIB, value_bytes_max: 8 * MIB }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown {
            drain_timeout: Duration::from_secs(5),
            lame_duck_grace: Duration::from_secs(10),
            lame_duck_duration: Duration::from_mins(2),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { interval: Duration::from_secs(1) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl LogFormat {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}
