//! What a command does when the broker has handled it, as the client that wrote it knows.

use super::rule::Rule;

/// A subscription that a client asked for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) pattern: &'static str,
    pub(super) rule: Rule,
    pub(super) meta: bool,
    pub(super) group: Option<&'static str>,
    pub(super) retained: bool,
    /// Messages a second on each topic.
    pub(super) max_rate: Option<u64>,
    /// The client's name for it, on NATS; 0 on the native protocol.
    pub(super) sid: u32,
}

/// One command.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Hello,
    Subscribe {
        wish: Wish,
        id: Option<u64>,
    },
    Unsubscribe {
        pattern: &'static str,
        id: Option<u64>,
    },
    /// Of NATS: at once, or after so many messages.
    EndSid {
        sid: u32,
        max: u64,
    },
    Publish {
        number: u64,
        retain: bool,
        ttl_ms: Option<u64>,
        id: Option<u64>,
    },
    Ping {
        id: Option<u64>,
    },
    /// An error that does not close.
    Refused {
        code: u16,
        id: Option<u64>,
    },
    /// Handled, and answered by nothing.
    Nothing,
}

/// What the client is to be told, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Welcome,
    Ok { id: u64, result: u64, subscribed: Option<&'static str> },
    Err { id: Option<u64>, code: u16 },
    Pong,
    NatsErr,
}

/// The results of answers: nil, false and true stand beside numbers.
pub(super) const NIL: u64 = u64::MAX;
pub(super) const FALSE: u64 = u64::MAX - 1;
pub(super) const TRUE: u64 = u64::MAX - 2;
