//! What an outbox does at its bound.

use std::fmt;
use std::str::FromStr;

/// What happens when a message finds the outbox of its subscriber full. Each drops only what waits under the same policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Drop what waits and go on with the newest: state, not history. What lbroker promises.
    #[default]
    Skip,
    /// As soon as the subscriber is behind, keep the newest message of each topic, in the order in which the topics were first touched.
    Conflate,
    /// Drop the oldest of what waits until there is room.
    DropOldest,
    /// Drop the message that comes: what waits is kept.
    DropNewest,
    /// Close the session. What NATS does.
    Disconnect,
    /// Hold the publishers back, and `skip` when that takes too long: see [`Limits::block_ms`](crate::Limits::block_ms).
    Block,
}

impl Policy {
    /// All of them, in the order in which they are told of.
    pub const ALL: [Policy; 6] = [
        Policy::Skip,
        Policy::Conflate,
        Policy::DropOldest,
        Policy::DropNewest,
        Policy::Disconnect,
        Policy::Block,
    ];

    /// Its name on the wire and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Skip => "skip",
            Policy::Conflate => "conflate",
            Policy::DropOldest => "drop-oldest",
            Policy::DropNewest => "drop-newest",
            Policy::Disconnect => "disconnect",
            Policy::Block => "block",
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
        let found = Policy::ALL.into_iter().find(|policy| policy.name() == name);
        found.ok_or_else(|| {
            let names = Policy::ALL.map(|policy| format!("'{policy}'"));
            format!("expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_found_by_its_name() {
        for policy in Policy::ALL {
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        let error = "blok".parse::<Policy>().unwrap_err();
        assert_eq!(
            error,
            "expected one of 'skip', 'conflate', 'drop-oldest', 'drop-newest', 'disconnect', 'block'"
        );
    }
}
