//! The table of settings: each one's key, flag, kind, range and meaning, and the field of [`Config`](super::Config) that it is.
//!
//! Adding a setting is adding a field to `Config`, its default, and a row here (and regenerating the table in `docs/configuration.md`,
//! which a test asks for).

mod kind;

use std::time::Duration;

use broker_core::Policy;

use self::kind::Field;
pub(super) use self::kind::Kind;
use super::LogFormat;
use super::quantity::Range;

/// One thing that can be set.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name: `limits.depth_max`, where `limits` is the section of the file, or `listen` without a section.
    pub(crate) key: &'static str,
    /// A flag of its own, without the dashes. Every setting can be given by `--set`.
    pub(crate) flag: Option<&'static str>,
    /// A sentence without a full stop.
    pub(crate) meaning: &'static str,
    /// Its type, range and field.
    pub(super) kind: Kind,
}

/// The field of a setting, by its path.
macro_rules! field {
    ($($path:ident).+) => {
        Field { get: |config| &config.$($path).+, set: |config, value| config.$($path).+ = value }
    };
}

/// A setting that is a number of things.
macro_rules! count {
    ($($path:ident).+, $min:expr, $max:expr, $zero:expr) => {
        Kind::Count { field: field!($($path).+), range: Range { min: $min, max: $max, zero: $zero } }
    };
}

/// A setting that is a number of bytes.
macro_rules! bytes {
    ($($path:ident).+, $min:expr, $max:expr, $zero:expr) => {
        Kind::Bytes { field: field!($($path).+), range: Range { min: $min, max: $max, zero: $zero } }
    };
}

/// A setting that is a time; minimum and maximum in milliseconds.
macro_rules! time {
    ($($path:ident).+, $min:expr, $max:expr, $zero:expr) => {
        Kind::Time {
            field: field!($($path).+),
            range: Range { min: Duration::from_millis($min), max: Duration::from_millis($max), zero: $zero },
        }
    };
}

/// A setting that is the name of a policy.
macro_rules! policy {
    ($($path:ident).+) => {
        Kind::Word {
            names: &POLICIES,
            get: |config| config.$($path).+.name(),
            set: |config, name| {
                if let Ok(policy) = name.parse() {
                    config.$($path).+ = policy;
                }
            },
        }
    };
}

/// The names of all policies.
pub(super) static POLICIES: [&str; Policy::ALL.len()] = [
    Policy::Skip.name(),
    Policy::Conflate.name(),
    Policy::DropOldest.name(),
    Policy::DropNewest.name(),
    Policy::Disconnect.name(),
    Policy::Block.name(),
];

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// Every setting, in the order of the docs. Settings of one section stand together; those without a section come first.
pub(crate) static SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        flag: Some("listen"),
        meaning: "where the native protocol is spoken: HOST:PORT, a port alone (on 127.0.0.1), or off; port 0 lets the system choose",
        kind: Kind::Listen(field!(listen)),
    },
    Setting {
        key: "workers",
        flag: Some("workers"),
        meaning: "worker threads",
        kind: count!(workers, 1, 1_024, Some("one for each core")),
    },
    Setting {
        key: "topics",
        flag: None,
        meaning: "rules for topics: which are retained, for how long, and which policy their subscribers have",
        kind: Kind::Topics(field!(topics)),
    },
    Setting {
        key: "nats.listen",
        flag: Some("nats"),
        meaning: "where the NATS protocol is spoken",
        kind: Kind::Listen(field!(nats.listen)),
    },
    Setting {
        key: "nats.server_name",
        flag: None,
        meaning: "what the server calls itself towards NATS clients",
        kind: Kind::Name(field!(nats.server_name)),
    },
    Setting {
        key: "nats.payload_bytes_max",
        flag: None,
        meaning: "size of one message published by a NATS client; at most nats.outbox_bytes_max",
        kind: bytes!(nats.payload_bytes_max, 1, 64 << 20, None),
    },
    Setting {
        key: "nats.control_line_bytes_max",
        flag: None,
        meaning: "length of one line of the NATS protocol",
        kind: bytes!(nats.control_line_bytes_max, 64, 1 << 20, None),
    },
    Setting {
        key: "nats.ping_interval",
        flag: None,
        meaning: "how often a silent NATS client is asked for a sign of life",
        kind: time!(nats.ping_interval, 10, 24 * HOUR, Some("never")),
    },
    Setting {
        key: "nats.pings_out_max",
        flag: None,
        meaning: "how many such questions may go unanswered before the client is closed",
        kind: count!(nats.pings_out_max, 1, 100, None),
    },
    Setting {
        key: "nats.outbox_bytes_max",
        flag: None,
        meaning: "how much may wait to be written to one NATS client",
        kind: bytes!(nats.outbox_bytes_max, 64, 16 << 30, None),
    },
    Setting {
        key: "nats.outbox_policy",
        flag: None,
        meaning: "what happens at that bound where no rule of [[topics]] says otherwise",
        kind: policy!(nats.outbox_policy),
    },
    Setting {
        key: "nats.retained",
        flag: None,
        meaning: "whether a NATS subscription gets the retained messages of its topics first",
        kind: Kind::Word {
            names: &["off", "on"],
            get: |config| if config.nats.retained { "on" } else { "off" },
            set: |config, name| config.nats.retained = name == "on",
        },
    },
    Setting {
        key: "monitor.listen",
        flag: Some("monitor"),
        meaning: "where /varz, /connz, /subsz and /healthz are served over HTTP",
        kind: Kind::Listen(field!(monitor.listen)),
    },
    Setting {
        key: "auth.token",
        flag: None,
        meaning: "what a client must know to connect",
        kind: Kind::Token(field!(auth.token)),
    },
    Setting {
        key: "auth.users",
        flag: None,
        meaning: "who may connect, and with which password",
        kind: Kind::Users(field!(auth.users)),
    },
    Setting {
        key: "limits.connections_max",
        flag: Some("connections-max"),
        meaning: "connections open at a time",
        kind: count!(limits.connections_max, 1, 10_000_000, None),
    },
    Setting {
        key: "limits.subscriptions_max",
        flag: Some("subscriptions-max"),
        meaning: "subscriptions of one session",
        kind: count!(limits.subscriptions_max, 1, 10_000_000, None),
    },
    Setting {
        key: "limits.frame_bytes_max",
        flag: Some("frame-bytes-max"),
        meaning: "size of one frame; at most outbox.bytes_max",
        kind: bytes!(limits.frame_bytes_max, 64, 1 << 30, None),
    },
    Setting {
        key: "limits.topic_bytes_max",
        flag: Some("topic-bytes-max"),
        meaning: "length of a topic; at most limits.frame_bytes_max",
        kind: bytes!(limits.topic_bytes_max, 1, 65_535, None),
    },
    Setting {
        key: "limits.pattern_bytes_max",
        flag: None,
        meaning: "length of a pattern; at most limits.frame_bytes_max",
        kind: bytes!(limits.pattern_bytes_max, 1, 65_535, None),
    },
    Setting {
        key: "limits.pattern_stars_max",
        flag: None,
        meaning: "runs of * in a pattern",
        kind: count!(limits.pattern_stars_max, 0, 256, None),
    },
    Setting {
        key: "limits.pattern_alternatives_max",
        flag: None,
        meaning: "combinations of alternatives in a pattern",
        kind: count!(limits.pattern_alternatives_max, 1, 4_096, None),
    },
    Setting {
        key: "limits.depth_max",
        flag: None,
        meaning: "how deep a value may nest",
        kind: count!(limits.depth_max, 1, 4_096, None),
    },
    Setting {
        key: "limits.idle_timeout",
        flag: Some("idle-timeout"),
        meaning: "how long a session may be silent before it is closed",
        kind: time!(limits.idle_timeout, 10, 24 * HOUR, Some("never")),
    },
    Setting {
        key: "limits.auth_timeout",
        flag: None,
        meaning: "how long a client may take to say who it is, where it must",
        kind: time!(limits.auth_timeout, 10, HOUR, None),
    },
    Setting {
        key: "outbox.bytes_max",
        flag: Some("outbox-bytes-max"),
        meaning: "how much may wait to be written to one session",
        kind: bytes!(outbox.bytes_max, 64, 16 << 30, None),
    },
    Setting {
        key: "outbox.policy",
        flag: Some("outbox-policy"),
        meaning: "what happens at that bound where neither a subscription nor a rule of [[topics]] says",
        kind: policy!(outbox.policy),
    },
    Setting {
        key: "outbox.block_timeout",
        flag: None,
        meaning: "how long a session under the policy block may take nothing before it holds publishers back no longer, and skips",
        kind: time!(outbox.block_timeout, 1, HOUR, None),
    },
    Setting {
        key: "retained.messages_max",
        flag: Some("retained-messages-max"),
        meaning: "how many retained messages are kept",
        kind: count!(retained.messages_max, 1, 100_000_000, Some("none")),
    },
    Setting {
        key: "retained.bytes_max",
        flag: Some("retained-bytes-max"),
        meaning: "how many bytes of retained messages are kept, topics and values",
        kind: bytes!(retained.bytes_max, 1, 16 << 40, Some("none")),
    },
    Setting {
        key: "retained.value_bytes_max",
        flag: None,
        meaning: "how large a value may be to be kept; a larger one is delivered, and its topic keeps none",
        kind: bytes!(retained.value_bytes_max, 1, 1 << 30, Some("none")),
    },
    Setting {
        key: "shutdown.drain_timeout",
        flag: Some("drain-timeout"),
        meaning: "how long to go on writing what waits for the sessions when the server stops",
        kind: time!(shutdown.drain_timeout, 1, HOUR, Some("not at all")),
    },
    Setting {
        key: "shutdown.lame_duck_grace",
        flag: None,
        meaning: "how long a lame duck waits before it closes the first session",
        kind: time!(shutdown.lame_duck_grace, 1, HOUR, Some("not at all")),
    },
    Setting {
        key: "shutdown.lame_duck_duration",
        flag: None,
        meaning: "how long a lame duck then takes to close them all, one after another",
        kind: time!(shutdown.lame_duck_duration, 1, 24 * HOUR, Some("at once")),
    },
    Setting {
        key: "metrics.interval",
        flag: None,
        meaning: "time between two publications of the metrics; clients expect one second",
        kind: time!(metrics.interval, 100, 60 * SECOND, None),
    },
    Setting {
        key: "log.format",
        flag: Some("log-format"),
        meaning: "log lines for people, or one JSON object per line",
        kind: Kind::Word {
            names: &["text", "json"],
            get: |config| config.log.format.name(),
            set: |config, name| {
                config.log.format = if name == "json" { LogFormat::Json } else { LogFormat::Text }
            },
        },
    },
    Setting {
        key: "log.level",
        flag: Some("log-level"),
        meaning: "which events are logged: error, warn, info, debug, trace, off, or directives as in RUST_LOG",
        kind: Kind::Filter(field!(log.level)),
    },
];
