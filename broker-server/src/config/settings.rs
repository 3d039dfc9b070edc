//! The table of settings: each one's key, flag, kind, range and meaning, and the field of [`Config`] that it is.
//!
//! Adding a setting is adding a field to `Config`, its default, and a row here (and regenerating the table in `docs/configuration.md`,
//! which a test asks for).

use std::time::Duration;

use tracing_subscriber::filter::Directive;

use super::error::Problem;
use super::quantity::{
    Range, parse_bytes, parse_count, parse_duration, show_bytes, show_duration, show_grouped,
};
use super::{Config, Listen, LogFormat, suggest};

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

/// Type and range of a setting, and its field.
#[derive(Debug)]
pub(super) enum Kind {
    /// An address or `off`.
    Listen(Field<Listen>),
    /// A number of things.
    Count { field: Field<usize>, range: Range<u64> },
    /// A number of bytes.
    Bytes { field: Field<usize>, range: Range<u64> },
    /// A time, in whole milliseconds.
    Time { field: Field<Duration>, range: Range<Duration> },
    /// One of a few names.
    Word { names: &'static [&'static str], get: fn(&Config) -> &'static str, set: fn(&mut Config, &str) },
    /// Directives in the syntax of `RUST_LOG`.
    Filter(Field<String>),
}

/// A field of [`Config`].
#[derive(Debug)]
pub(super) struct Field<T> {
    get: fn(&Config) -> &T,
    set: fn(&mut Config, T),
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
        key: "outbox.bytes_max",
        flag: Some("outbox-bytes-max"),
        meaning: "how much may wait to be written to one session",
        kind: bytes!(outbox.bytes_max, 64, 16 << 30, None),
    },
    Setting {
        key: "outbox.policy",
        flag: Some("outbox-policy"),
        meaning: "what happens at that bound where a subscription does not say: skip what waits, or disconnect the session",
        kind: Kind::Word {
            names: &["skip", "disconnect"],
            get: |config| config.outbox.policy.name(),
            set: |config, name| {
                if let Ok(policy) = name.parse() {
                    config.outbox.policy = policy;
                }
            },
        },
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
        key: "shutdown.drain_timeout",
        flag: Some("drain-timeout"),
        meaning: "how long to go on writing what waits for the sessions when the server stops",
        kind: time!(shutdown.drain_timeout, 1, HOUR, Some("not at all")),
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

impl Setting {
    /// The setting with this key.
    pub(crate) fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The section of the file, if it stands in one.
    pub(super) fn section(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(section, _)| section)
    }

    /// The name within its section.
    pub(super) fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// The environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("BROKER_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// Reads `text` into its field.
    pub(crate) fn apply(&self, config: &mut Config, text: &str) -> Result<(), Problem> {
        if text.trim().is_empty() {
            return Err(Problem::Empty);
        }
        match &self.kind {
            Kind::Listen(field) => (field.set)(config, text.parse()?),
            Kind::Count { field, range } => {
                (field.set)(config, narrow(parse_count(text, range)?, |number| number.to_string())?);
            }
            Kind::Bytes { field, range } => {
                (field.set)(config, narrow(parse_bytes(text, range)?, show_bytes)?);
            }
            Kind::Time { field, range } => (field.set)(config, parse_duration(text, range)?),
            Kind::Word { names, set, .. } if names.contains(&text) => set(config, text),
            Kind::Word { names, .. } => {
                let suggestion = suggest::closest(&text.to_ascii_lowercase(), names.iter().copied());
                let suggestion = suggestion.map(|name| format!("'{name}'"));
                return Err(Problem::Invalid {
                    text: text.to_owned(),
                    expected: names.join(" or "),
                    suggestion,
                });
            }
            Kind::Filter(field) => {
                check_filter(text)?;
                (field.set)(config, text.to_owned());
            }
        }
        Ok(())
    }

    /// Its value as `apply` reads it.
    pub(crate) fn text(&self, config: &Config) -> String {
        match &self.kind {
            Kind::Listen(field) => (field.get)(config).to_string(),
            Kind::Count { field, .. } => (field.get)(config).to_string(),
            Kind::Bytes { field, .. } => show_bytes(widen(*(field.get)(config))),
            Kind::Time { field, .. } => show_duration(*(field.get)(config)),
            Kind::Word { get, .. } => get(config).to_owned(),
            Kind::Filter(field) => (field.get)(config).clone(),
        }
    }

    /// Whether its value in `config` is in range, for a field that a program set.
    pub(super) fn check(&self, config: &Config) -> Result<(), Problem> {
        match &self.kind {
            Kind::Count { field, range } => range.check(&widen(*(field.get)(config)), u64::to_string),
            Kind::Bytes { field, range } => {
                range.check(&widen(*(field.get)(config)), |bytes| show_bytes(*bytes))
            }
            Kind::Time { field, range } => range.check((field.get)(config), |time| show_duration(*time)),
            Kind::Filter(field) => check_filter((field.get)(config)),
            // A name is a type of its own. An address is text, and a program can write anything into it.
            Kind::Listen(field) => (field.get)(config).to_string().parse::<Listen>().map(drop),
            Kind::Word { .. } => Ok(()),
        }
    }

    /// Its value as a number, where it is a count or a size.
    pub(super) fn amount(&self, config: &Config) -> Option<u64> {
        match &self.kind {
            Kind::Count { field, .. } | Kind::Bytes { field, .. } => Some(widen(*(field.get)(config))),
            _ => None,
        }
    }

    /// What belongs into the file.
    pub(super) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Listen(_) => "a string or a port",
            Kind::Count { .. } => "an integer",
            Kind::Bytes { .. } => "an integer or a string such as \"8 MiB\"",
            Kind::Time { .. } => "a string such as \"30s\"",
            Kind::Word { .. } | Kind::Filter(_) => "a string",
        }
    }

    /// Type and range for people.
    pub(crate) fn range(&self) -> String {
        match &self.kind {
            Kind::Listen(_) => "address, port or `off`".to_owned(),
            Kind::Count { range, .. } => range.show(|number| show_grouped(*number), "0"),
            Kind::Bytes { range, .. } => range.show(|bytes| show_bytes(*bytes), "0"),
            Kind::Time { range, .. } => range.show(|time| show_duration(*time), "0 or `off`"),
            Kind::Word { names, .. } => {
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
            }
            Kind::Filter(_) => "as in `RUST_LOG`".to_owned(),
        }
    }

    /// What stands for the value in `--help`.
    pub(crate) fn value_name(&self) -> &'static str {
        match self.kind {
            Kind::Listen(_) => "ADDR|off",
            Kind::Count { .. } => "N",
            Kind::Bytes { .. } => "SIZE",
            Kind::Time { .. } => "TIME",
            Kind::Word { .. } => "NAME",
            Kind::Filter(_) => "FILTER",
        }
    }
}

/// Sizes of the table may be more than this machine can address.
fn narrow(number: u64, show: impl Fn(u64) -> String) -> Result<usize, Problem> {
    usize::try_from(number)
        .map_err(|_| Problem::TooLarge { value: show(number), max: show(widen(usize::MAX)) })
}

fn widen(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A word that is nearly a level would be taken for the name of a module, and nothing would be logged: refuse it.
fn check_filter(text: &str) -> Result<(), Problem> {
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let invalid = |part: &str, suggestion: Option<&str>| Problem::Invalid {
        text: part.to_owned(),
        expected: "a log filter such as info or warn,broker_server=debug".to_owned(),
        suggestion: suggestion.map(|level| format!("'{level}'")),
    };
    for part in text.split(',').map(str::trim) {
        if part.is_empty() || part.parse::<Directive>().is_err() {
            return Err(invalid(part, None));
        }
        let word = part.to_ascii_lowercase();
        let near = |level: &&str| {
            (1..=1).contains(&strsim::osa_distance(&word, level)) || word == "warning" && *level == "warn"
        };
        if let Some(level) = levels.iter().find(|level| near(level))
            && !levels.contains(&word.as_str())
        {
            return Err(invalid(part, Some(level)));
        }
    }
    Ok(())
}
