//! What a setting can be: how each kind is read, written, checked and described.

use std::time::Duration;

use tracing_subscriber::filter::Directive;

use super::Setting;
use crate::config::error::Problem;
use crate::config::quantity::{
    Range, parse_bytes, parse_count, parse_duration, show_bytes, show_duration, show_grouped,
};
use crate::config::secret::{Secret, Users};
use crate::config::{Config, Listen, SETTINGS, TopicRule, suggest, topics};

/// What is written for nothing.
const OFF: &str = "off";

/// Bytes of a name: what fits on a line beside much else.
const NAME_BYTES_MAX: usize = 128;

/// Type and range of a setting, and its field.
#[derive(Debug)]
pub(in crate::config) enum Kind {
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
    /// What something calls itself.
    Name(Field<String>),
    /// A token, or `off`.
    Token(Field<Option<Secret>>),
    /// Names and passwords, or `off`.
    Users(Field<Users>),
    /// An array of rules.
    Topics(Field<Vec<TopicRule>>),
}

/// A field of [`Config`].
#[derive(Debug)]
pub(in crate::config) struct Field<T> {
    pub(super) get: fn(&Config) -> &T,
    pub(super) set: fn(&mut Config, T),
}

impl Setting {
    /// The setting with this key.
    pub(crate) fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The section of the file, if it stands in one.
    pub(in crate::config) fn section(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(section, _)| section)
    }

    /// The name within its section.
    pub(in crate::config) fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// The environment variable. That of a section's address is named as the section: `BROKER_NATS`.
    pub(crate) fn variable(&self) -> String {
        let name = self.key.strip_suffix(".listen").unwrap_or(self.key);
        format!("BROKER_{}", name.replace('.', "_").to_ascii_uppercase())
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
            Kind::Name(field) => {
                check_name(text)?;
                (field.set)(config, text.to_owned());
            }
            Kind::Token(field) if text == OFF => (field.set)(config, None),
            Kind::Token(field) => (field.set)(config, Some(text.parse()?)),
            Kind::Users(field) if text == OFF => (field.set)(config, Users::default()),
            Kind::Users(field) => (field.set)(config, text.parse()?),
            Kind::Topics(field) => (field.set)(config, topics::parse(text)?),
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
            Kind::Filter(field) | Kind::Name(field) => (field.get)(config).clone(),
            Kind::Token(field) => (field.get)(config).as_ref().map_or(OFF, Secret::text).to_owned(),
            Kind::Users(field) if (field.get)(config).is_empty() => OFF.to_owned(),
            Kind::Users(field) => (field.get)(config).text(),
            Kind::Topics(field) => topics::text((field.get)(config)),
        }
    }

    /// Whether its value must not be shown, because it is a secret and not only the hash of one.
    pub(in crate::config) fn is_secret(&self, config: &Config) -> bool {
        match &self.kind {
            Kind::Token(field) => (field.get)(config).as_ref().is_some_and(|token| !token.is_hash()),
            Kind::Users(field) => (field.get)(config).iter().any(|user| !user.password.is_hash()),
            _ => false,
        }
    }

    /// Whether its value in `config` is in range, for a field that a program set.
    pub(in crate::config) fn check(&self, config: &Config) -> Result<(), Problem> {
        match &self.kind {
            Kind::Count { field, range } => range.check(&widen(*(field.get)(config)), u64::to_string),
            Kind::Bytes { field, range } => {
                range.check(&widen(*(field.get)(config)), |bytes| show_bytes(*bytes))
            }
            Kind::Time { field, range } => range.check((field.get)(config), |time| show_duration(*time)),
            Kind::Filter(field) => check_filter((field.get)(config)),
            // These are types of their own. An address is text, and a program can write anything into it.
            Kind::Listen(field) => (field.get)(config).to_string().parse::<Listen>().map(drop),
            Kind::Name(field) => check_name((field.get)(config)),
            Kind::Topics(field) => (field.get)(config).iter().try_for_each(TopicRule::check),
            Kind::Word { .. } | Kind::Token(_) | Kind::Users(_) => Ok(()),
        }
    }

    /// Its value as a number, where it is a count or a size.
    pub(in crate::config) fn amount(&self, config: &Config) -> Option<u64> {
        match &self.kind {
            Kind::Count { field, .. } | Kind::Bytes { field, .. } => Some(widen(*(field.get)(config))),
            _ => None,
        }
    }

    /// Whether it may be a table in the file.
    pub(in crate::config) fn is_table(&self) -> bool {
        matches!(self.kind, Kind::Users(_))
    }

    /// Whether it may be an array of tables in the file.
    pub(in crate::config) fn is_rules(&self) -> bool {
        matches!(self.kind, Kind::Topics(_))
    }

    /// What belongs into the file.
    pub(in crate::config) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Listen(_) => "a string or a port",
            Kind::Count { .. } => "an integer",
            Kind::Bytes { .. } => "an integer or a string such as \"8 MiB\"",
            Kind::Time { .. } => "a string such as \"30s\"",
            Kind::Users(_) => "a table of names and passwords, or a string",
            Kind::Topics(_) => "an array of rules",
            Kind::Word { .. } | Kind::Filter(_) | Kind::Name(_) | Kind::Token(_) => "a string",
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
            Kind::Name(_) => format!("a word of up to {NAME_BYTES_MAX} bytes"),
            Kind::Token(_) => "a token or its hash, or `off`".to_owned(),
            Kind::Users(_) => "`NAME:PASSWORD` or `NAME:HASH`, with spaces between, or `off`".to_owned(),
            Kind::Topics(_) => "rules: see [Topics](#topics)".to_owned(),
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
            Kind::Name(_) => "TEXT",
            Kind::Token(_) => "TOKEN|off",
            Kind::Users(_) => "USERS|off",
            Kind::Topics(_) => "RULES",
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

/// A name is shown to people and sent on a line of its own.
fn check_name(text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        let (value, max) = (format!("{} B", text.len()), format!("{NAME_BYTES_MAX} B"));
        return Err(Problem::TooLarge { value, max });
    }
    if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(Problem::Invalid {
            text: text.to_owned(),
            expected: "one word".to_owned(),
            suggestion: None,
        });
    }
    Ok(())
}
