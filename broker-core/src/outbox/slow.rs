//! When a session was slow: from the first message that it missed, or that a publisher was held back for, until its outbox was empty again.

use super::Policy;

/// A session became slow, or recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowNews {
    /// Of the subscription whose message met the bound first.
    pub pattern: String,
    /// Its policy.
    pub policy: Policy,
    /// When that was: milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: u64,
    /// When the outbox was empty again, if it is.
    pub recovered_unix_ms: Option<u64>,
    /// Messages that the session missed meanwhile.
    pub missed: u64,
    /// How often it became slow in this time: more than once where it changed too fast to tell each.
    pub episodes: u64,
}
