//! What a command does when the broker has handled it, as the client that wrote it knows.

use super::extras::Extras;
use super::operator::Operator;
use super::rule::Rule;

/// Who chose the policy of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChosenBy {
    Client,
    /// A rule of the operator for patterns.
    Rule,
    Listener,
}

/// A subscription that a client asked for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) pattern: &'static str,
    pub(super) rule: Rule,
    pub(super) chosen_by: ChosenBy,
    pub(super) meta: bool,
    pub(super) group: Option<&'static str>,
    pub(super) retained: bool,
    /// Messages a second on each topic.
    pub(super) max_rate: Option<u64>,
    /// The client's name for it, on NATS; 0 on the native protocol.
    pub(super) sid: u32,
}

impl Wish {
    /// Of a client that says no more than the pattern: a native one, or this sid.
    pub(super) fn plain(pattern: &'static str, sid: u32, operator: &Operator) -> Self {
        let (rule, by_rule) = operator.policy(pattern, sid == 0);
        let chosen_by = if by_rule { ChosenBy::Rule } else { ChosenBy::Listener };
        Wish { pattern, rule, chosen_by, meta: false, group: None, retained: true, max_rate: None, sid }
    }
}

/// One command.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Hello,
    /// Of NATS.
    Connect {
        headers: bool,
        no_responders: bool,
    },
    /// It does not say who it is where it has to, or the wrong thing: it ends, and has no effect.
    Barred,
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
    /// The retained messages of the topics that match go.
    Clear {
        pattern: &'static str,
        id: Option<u64>,
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
}

/// A value that clears its topic, if it is published to be retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    Nil,
    Str,
    Bin,
}

impl Empty {
    pub(super) const ALL: [Empty; 3] = [Empty::Nil, Empty::Str, Empty::Bin];

    /// As a value of the native protocol.
    pub(super) fn value(self) -> &'static [u8] {
        match self {
            Empty::Nil => b"\xc0",
            Empty::Str => b"\xa0",
            Empty::Bin => b"\xc4\x00",
        }
    }

    /// As a payload of NATS.
    pub(super) fn payload(self) -> &'static [u8] {
        match self {
            Empty::Nil => b"null",
            Empty::Str | Empty::Bin => b"",
        }
    }
}

/// What a client makes of a message that came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The sid, on NATS; 0 on the native protocol.
    pub(super) place: u32,
    pub(super) topic: &'a str,
    /// A value of the native protocol, or a payload.
    pub(super) value: &'a [u8],
    pub(super) meta: Option<SeenMeta>,
    /// What came beside topic and value; nothing where a native subscription did not ask for it.
    pub(super) extras: Option<&'a Extras>,
    /// When the broker took it up to write it, by the broker's clock, where that matters.
    pub(super) taken_up_ms: Option<u64>,
}

/// What matters of a message's third element.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenMeta {
    pub(super) retained: bool,
    pub(super) time_ms: u64,
    pub(super) ttl_ms: Option<u64>,
}

/// What the client is to be told, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Welcome,
    Ok {
        id: u64,
        result: u64,
        subscribed: Option<&'static str>,
    },
    /// Of `Clear`: how many messages went, at least and at most.
    Cleared {
        id: u64,
        least: u64,
        most: u64,
    },
    Err {
        id: Option<u64>,
        code: u16,
    },
    Pong,
    NatsErr,
}

/// The results of answers: nil, false and true stand beside numbers.
pub(super) const NIL: u64 = u64::MAX;
pub(super) const FALSE: u64 = u64::MAX - 1;
pub(super) const TRUE: u64 = u64::MAX - 2;
