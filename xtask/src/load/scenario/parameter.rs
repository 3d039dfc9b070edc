//! The parameters that shape scenarios: the flags, who takes which, and what each is if it is not given.
//!
//! Data only. `kind.rs` says which table belongs to which scenario, `shape.rs` reads the flags.

/// A flag that shapes a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    /// Publishers.
    Pubs,
    /// Subscribers.
    Subs,
    /// Topics.
    Topics,
    /// Publishers with a subscriber each.
    Pairs,
    /// Connections that publish and subscribe.
    Clients,
    /// Patterns of each subscriber.
    Subscribe,
    /// Subscriptions, all sessions together.
    Subscriptions,
    /// Sessions that hold subscriptions.
    Sessions,
    /// Topics with a retained message.
    Retained,
    /// Subscribers that are slow.
    Slow,
    /// Bytes a second that these read.
    ReadRate,
    /// How those read.
    SlowMode,
    /// What happens when they are slow.
    Policy,
    /// Connections.
    Connections,
    /// The server is restarted.
    Restart,
    /// Of the maximum rate.
    Share,
    /// Seconds between two messages of a client.
    Interval,
}

impl Flag {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pubs => "--pubs",
            Self::Subs => "--subs",
            Self::Topics => "--topics",
            Self::Pairs => "--pairs",
            Self::Clients => "--clients",
            Self::Subscribe => "--subscribe",
            Self::Subscriptions => "--subscriptions",
            Self::Sessions => "--sessions",
            Self::Retained => "--retained",
            Self::Slow => "--slow",
            Self::ReadRate => "--read-rate",
            Self::SlowMode => "--slow-mode",
            Self::Policy => "--policy",
            Self::Connections => "--connections",
            Self::Restart => "--restart",
            Self::Share => "--share",
            Self::Interval => "--interval",
        }
    }
}

/// What a parameter is if it is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Default {
    /// A count.
    Count(usize),
    /// A share, or seconds.
    Number(f64),
    /// For people: it is no number.
    Text(&'static str),
}

/// One parameter of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// How it is given.
    pub(crate) flag: Flag,
    /// What it is otherwise.
    pub(crate) default: Default,
    pub(super) what: &'static str,
}

const fn count(flag: Flag, default: usize, what: &'static str) -> Parameter {
    Parameter { flag, default: Default::Count(default), what }
}

const PUBS: Parameter = count(Flag::Pubs, 1, "publishers");
const TOPICS: Parameter = count(Flag::Topics, 1, "topics that each publisher publishes to in turn");
const PATTERNS: Parameter = Parameter {
    flag: Flag::Subscribe,
    default: Default::Text("all topics"),
    what: "a pattern of each subscriber; repeatable",
};

/// Of the scenario of that name.
pub(super) const P2P: &[Parameter] = &[TOPICS, PATTERNS];
/// Of the scenario of that name.
pub(super) const FANOUT: &[Parameter] = &[count(Flag::Subs, 100, "subscribers"), TOPICS, PATTERNS];
/// Of the scenario of that name.
pub(super) const FANIN: &[Parameter] = &[count(Flag::Pubs, 10, "publishers"), TOPICS, PATTERNS];
/// Of the scenario of that name.
pub(super) const PAIRS: &[Parameter] = &[count(Flag::Pairs, 10, "publishers, each with a subscriber")];
/// Of the scenario of that name.
pub(super) const NOBODY: &[Parameter] = &[PUBS, TOPICS];
/// Of the scenario of that name.
pub(super) const GROUP: &[Parameter] = &[PUBS, count(Flag::Subs, 4, "members of the group"), TOPICS];
/// Of the scenario of that name.
pub(super) const WILDCARD: &[Parameter] = &[
    count(Flag::Subscriptions, 10_000, "subscriptions, all sessions together"),
    count(Flag::Sessions, 100, "sessions that hold them"),
    count(Flag::Topics, 100_000, "topics, in random order, one match each"),
];
/// Of the scenario of that name.
pub(super) const RETAINED_JOIN: &[Parameter] = &[
    count(Flag::Retained, 100_000, "topics with a retained message"),
    count(Flag::Subs, 1, "subscribers to a live topic meanwhile"),
];
/// Of the scenario of that name.
pub(super) const SLOW_CONSUMER: &[Parameter] = &[
    count(Flag::Subs, 2, "good subscribers"),
    count(Flag::Slow, 10, "subscribers that do not read, or slowly"),
    TOPICS,
    Parameter {
        flag: Flag::SlowMode,
        default: Default::Text("never; rate with --read-rate"),
        what: "how those read: never, rate or bursts",
    },
    count(Flag::ReadRate, 1_024, "bytes a second that each of those reads, with --slow-mode rate"),
    Parameter {
        flag: Flag::Policy,
        default: Default::Text("the server's"),
        what: "what they ask for when they are slow, native protocol only",
    },
];
/// Of the scenario of that name.
pub(super) const REQREP: &[Parameter] = &[count(Flag::Pairs, 4, "requesters, each with a responder")];
/// Of the scenario of that name.
pub(super) const CONN_STORM: &[Parameter] =
    &[count(Flag::Connections, 1_000, "connections, all open at once")];
/// Of the scenario of that name.
pub(super) const CHURN: &[Parameter] = &[
    count(Flag::Sessions, 2, "sessions that subscribe and unsubscribe"),
    count(Flag::Subscriptions, 1_000, "subscriptions that each of them has at most"),
];
/// Of the scenario of that name.
pub(super) const RECONNECT: &[Parameter] = &[
    count(Flag::Connections, 500, "subscribers whose connections break"),
    Parameter {
        flag: Flag::Restart,
        default: Default::Text("the clients close them"),
        what: "the server is stopped and started again",
    },
];
/// Of the scenario of that name.
pub(super) const SOAK: &[Parameter] = &[
    count(Flag::Pairs, 4, "publishers, each with a subscriber"),
    Parameter {
        flag: Flag::Share,
        default: Default::Number(0.5),
        what: "of the maximum rate, which is measured first; or give --rate",
    },
];
/// Of the scenario of that name.
pub(super) const LBROKER: &[Parameter] = &[
    count(Flag::Clients, 30, "connections that publish and subscribe"),
    Parameter {
        flag: Flag::Interval,
        default: Default::Number(0.01),
        what: "seconds between two messages of a client",
    },
    Parameter {
        flag: Flag::Subscribe,
        default: Default::Text("a"),
        what: "a pattern of each client; repeatable",
    },
];
