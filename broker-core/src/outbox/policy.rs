//! What an outbox does at its bound.

use std::fmt;
use std::str::FromStr;

/// What happens when a message finds the outbox of its subscriber full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Drop what waits and go on with the newest: state, not history. What lbroker promises.
    #[default]
    Skip,
    /// Close the session. What NATS does.
    Disconnect,
}

impl Policy {
    /// Its name on the wire and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Skip => "skip",
            Policy::Disconnect => "disconnect",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "skip" => Ok(Policy::Skip),
            "disconnect" => Ok(Policy::Disconnect),
            _ => Err("expected 'skip' or 'disconnect'".to_owned()),
        }
    }
}
