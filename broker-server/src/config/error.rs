//! What can be wrong with a configuration, and where it stands.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the configuration file.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from 1; none where the whole file is meant.
        line: Option<usize>,
    },
    /// In the environment variable of this name.
    Environment(String),
    /// By this flag, as it is written: `--listen`, `--set limits.depth_max`.
    Flag(String),
    /// In the field of [`Config`](super::Config) with this key, by the program itself.
    Field(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Place::File { path, line: None } => write!(f, "{}", path.display()),
            Place::Environment(name) | Place::Flag(name) => f.write_str(name),
            Place::Field(key) => f.write_str(key),
        }
    }
}

/// What is wrong with one value, or with two of them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// No setting has this name.
    #[error("unknown setting '{name}'{}{}", in_section(.section.as_deref()), did_you_mean(.suggestion.as_deref()))]
    UnknownSetting {
        /// The name as given.
        name: String,
        /// The section of the file that it stands in.
        section: Option<String>,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// No section of the file has this name.
    #[error("unknown section [{name}]{}", did_you_mean(.suggestion.as_deref()))]
    UnknownSection {
        /// The name as given.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// A variable that begins with `BROKER_` and means nothing.
    #[error("unknown environment variable{}", did_you_mean(.suggestion.as_deref()))]
    UnknownVariable {
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("not TOML: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// A value of a type that no setting has.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// There is nothing between the quotes, or behind the `=`.
    #[error("the value is empty")]
    Empty,
    /// Something that has to stand there does not.
    #[error("{what} is missing")]
    Missing {
        /// What it is.
        what: &'static str,
    },
    /// The text means nothing.
    #[error("'{text}' is not {expected}{}", did_you_mean(.suggestion.as_deref()))]
    Invalid {
        /// The text as given.
        text: String,
        /// What belongs there.
        expected: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// Below the range.
    #[error("{value} is too small, the least is {min}")]
    TooSmall {
        /// The value.
        value: String,
        /// The least allowed.
        min: String,
    },
    /// Above the range.
    #[error("{value} is too large, the most is {max}")]
    TooLarge {
        /// The value.
        value: String,
        /// The most allowed.
        max: String,
    },
    /// Two flags give the same setting.
    #[error("{key} is given already by {other}")]
    Twice {
        /// The setting.
        key: &'static str,
        /// The flag that gave it before.
        other: Place,
    },
    /// There would be no way in.
    #[error("nothing would listen")]
    NothingListens,
    /// One setting must not be larger than another.
    #[error(transparent)]
    Exceeds(#[from] Box<Excess>),
}

/// A setting that is larger than another one allows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key} ({value}) is over {other} ({limit}, {}): {why}", source_name(.other_place.as_ref()))]
pub struct Excess {
    /// The setting that is too large.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// The setting that bounds it.
    pub other: &'static str,
    /// The value of that.
    pub limit: String,
    /// Where that was given; none for the default.
    pub other_place: Option<Place>,
    /// What would go wrong.
    pub why: &'static str,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// Where it was given.
    pub place: Place,
    /// The setting that it was given for, where there is one.
    pub setting: Option<&'static str>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.setting) {
            // The other places name the setting themselves.
            (Place::File { .. }, Some(key)) => write!(f, "{}: {key}: {}", self.place, self.problem),
            _ => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

/// Everything that is wrong with a configuration; at least one error. Displays as one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Ok` if there is no error.
    pub(crate) fn check(errors: Vec<ConfigError>) -> Result<(), ConfigErrors> {
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
    }

    /// The errors: first those of the file from top to bottom, then the environment's, then the flags', then contradictions.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// How a value's origin is called; none is the default.
pub(super) fn source_name(place: Option<&Place>) -> String {
    place.map_or_else(|| "default".to_owned(), Place::to_string)
}

fn in_section(section: Option<&str>) -> String {
    section.map_or_else(String::new, |name| format!(" in [{name}]"))
}

/// A suggestion brings its own quotes or brackets: `'listen'`, `[limits]`, `'bytes_max' in [outbox]`.
fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |text| format!("; did you mean {text}?"))
}
