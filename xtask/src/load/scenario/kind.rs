//! The scenarios by name: what each measures, which parameters it takes, and their defaults.
//!
//! One table: `--list`, the refusal of a parameter that a scenario does not have, and the values that a run uses all come from it.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::parameter::{self, Default, Flag, Parameter};

/// A scenario, as the user names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One publisher, one subscriber
    P2p,
    /// One publisher, many subscribers
    Fanout,
    /// Many publishers, one subscriber
    Fanin,
    /// Many publishers, each with a topic and a subscriber of its own
    Pairs,
    /// Messages that nobody has subscribed to
    Nobody,
    /// Subscribers that share the work: each message to one of them
    Group,
    /// Many subscriptions with wildcards, many topics in random order
    Wildcard,
    /// Subscribers that join and are sent many retained messages
    RetainedJoin,
    /// Subscribers that never read, beside good ones
    SlowConsumer,
    /// Requests and their replies
    Reqrep,
    /// Many connections, opened and closed as fast as possible
    ConnStorm,
    /// Subscribes and unsubscribes under load
    Churn,
    /// Many connections that break at once
    Reconnect,
    /// A long run with churn: memory, handles, losses
    Soak,
    /// lbroker's own test client
    Lbroker,
}

impl Kind {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P2p => "p2p",
            Self::Fanout => "fanout",
            Self::Fanin => "fanin",
            Self::Pairs => "pairs",
            Self::Nobody => "nobody",
            Self::Group => "group",
            Self::Wildcard => "wildcard",
            Self::RetainedJoin => "retained-join",
            Self::SlowConsumer => "slow-consumer",
            Self::Reqrep => "reqrep",
            Self::ConnStorm => "conn-storm",
            Self::Churn => "churn",
            Self::Reconnect => "reconnect",
            Self::Soak => "soak",
            Self::Lbroker => "lbroker",
        }
    }

    /// What it measures, in a sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::P2p => {
                "how long one message takes from a publisher to a subscriber, and what it costs the broker"
            }
            Self::Fanout => {
                "how long it takes until the last of many subscribers has a message, and what each copy costs"
            }
            Self::Fanin => "how the streams of many publishers merge into the one socket of a subscriber",
            Self::Pairs => "how streams that have nothing to do with one another get on beside each other",
            Self::Nobody => {
                "what a message costs that nobody wants, and how many a second are taken: a ping behind each batch tells"
            }
            Self::Group => {
                "how a group of subscribers shares the work: each message reaches exactly one of them"
            }
            Self::Wildcard => {
                "how fast the broker finds the one of many wildcard subscriptions that matches a topic it has hardly seen"
            }
            Self::RetainedJoin => {
                "how soon a new subscriber has every retained message, and what the others notice meanwhile"
            }
            Self::SlowConsumer => {
                "what good subscribers notice of others that do not read: runs with and without those, in turn"
            }
            Self::Reqrep => "how long a request takes through the broker to its responder and back",
            Self::ConnStorm => {
                "how many connections a second are taken in and greeted, and that closing them gives every handle back"
            }
            Self::Churn => {
                "how many subscribes and unsubscribes a second are answered under load, and what the others notice"
            }
            Self::Reconnect => {
                "how long it takes after all connections broke until everybody is subscribed and receives again"
            }
            Self::Soak => {
                "whether memory, handles and losses stay where they are at a share of the maximum rate, for hours, with churn"
            }
            Self::Lbroker => {
                "lbroker's test client: clients that publish to the topics a to g in turn and subscribe to one of them"
            }
        }
    }

    /// The parameters of its own; those of every run come on top.
    pub(crate) fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::P2p => parameter::P2P,
            Self::Fanout => parameter::FANOUT,
            Self::Fanin => parameter::FANIN,
            Self::Pairs => parameter::PAIRS,
            Self::Nobody => parameter::NOBODY,
            Self::Group => parameter::GROUP,
            Self::Wildcard => parameter::WILDCARD,
            Self::RetainedJoin => parameter::RETAINED_JOIN,
            Self::SlowConsumer => parameter::SLOW_CONSUMER,
            Self::Reqrep => parameter::REQREP,
            Self::ConnStorm => parameter::CONN_STORM,
            Self::Churn => parameter::CHURN,
            Self::Reconnect => parameter::RECONNECT,
            Self::Soak => parameter::SOAK,
            Self::Lbroker => parameter::LBROKER,
        }
    }

    /// Messages a second, all publishers together, in the open loop that is the default.
    pub(crate) fn rate(self) -> f64 {
        match self {
            // Of the first there are a hundred copies; with the others the measured thing is something else, and these messages show what
            // bystanders notice of it.
            Self::Fanout | Self::ConnStorm | Self::Reconnect => 1_000.0,
            _ => 10_000.0,
        }
    }

    /// Bytes of a payload.
    pub(crate) fn size(self) -> usize {
        match self {
            // What waits for a subscriber that never reads has to reach its bound within the warm-up.
            Self::SlowConsumer => 1_024,
            _ => 128,
        }
    }

    /// Whether a rate can be searched for, or the window be the only bound: it has nothing beside its messages that takes its own time.
    pub(crate) fn is_plain(self) -> bool {
        !matches!(
            self,
            Self::RetainedJoin
                | Self::SlowConsumer
                | Self::ConnStorm
                | Self::Churn
                | Self::Reconnect
                | Self::Soak
        )
    }

    /// Whether messages arrive somewhere, and so have a latency.
    pub(crate) fn has_latency(self) -> bool {
        self != Self::Nobody
    }

    /// Whether it is run with and without what happens beside its messages, in turn, and the two are compared.
    pub(crate) fn compares(self) -> bool {
        matches!(self, Self::RetainedJoin | Self::SlowConsumer | Self::ConnStorm | Self::Churn)
    }

    /// The default of `flag` where it is a count; 0 where it is none.
    pub(crate) fn count(self, flag: Flag) -> usize {
        match self.parameter(flag).map(|parameter| parameter.default) {
            Some(Default::Count(count)) => count,
            _ => 0,
        }
    }

    /// The default of `flag` where it is a number with a fraction; 0 where it is none.
    pub(crate) fn number(self, flag: Flag) -> f64 {
        match self.parameter(flag).map(|parameter| parameter.default) {
            Some(Default::Number(number)) => number,
            _ => 0.0,
        }
    }

    fn parameter(self, flag: Flag) -> Option<&'static Parameter> {
        self.parameters().iter().find(|parameter| parameter.flag == flag)
    }

    /// Refuses flags that this scenario does not have.
    pub(crate) fn check(self, given: &[Flag]) -> Result<()> {
        let Some(flag) = given.iter().find(|&&flag| self.parameter(flag).is_none()) else { return Ok(()) };
        let known: Vec<&str> = self.parameters().iter().map(|parameter| parameter.flag.name()).collect();
        bail!("{} has no {}; it takes {}", self.name(), flag.name(), known.join(", "))
    }
}

/// Every scenario with its sentence and its parameters.
pub(crate) fn list() -> String {
    let mut out = String::from("cargo xtask loadtest SCENARIO [options]\n");
    for kind in Kind::value_variants() {
        // Writing to a String cannot fail.
        write!(out, "\n{}\n  Measures {}.\n", kind.name(), kind.sentence()).unwrap_or_default();
        for parameter in kind.parameters() {
            let default = match parameter.default {
                Default::Count(count) => count.to_string(),
                Default::Number(number) => number.to_string(),
                Default::Text(text) => text.to_owned(),
            };
            let name = parameter.flag.name();
            writeln!(out, "    {name:<17} {} [{default}]", parameter.what).unwrap_or_default();
        }
        let rate = kind.default_rate_text();
        writeln!(out, "    {:<17} messages a second, all together [{rate}]", "--rate").unwrap_or_default();
        writeln!(out, "    {:<17} bytes of a payload [{}]", "--size", kind.size()).unwrap_or_default();
        let ways = match (kind.is_plain(), kind.has_latency()) {
            (true, true) => "--max, --find",
            (true, false) => "--max, no --find",
            (false, _) => "no --max, no --find",
        };
        writeln!(out, "    {ways}").unwrap_or_default();
    }
    out
}

impl Kind {
    fn default_rate_text(self) -> String {
        match self {
            Self::Soak => "--share of the maximum".to_owned(),
            Self::Lbroker => "--clients / --interval".to_owned(),
            kind => kind.rate().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for kind in Kind::value_variants() {
            let value = kind.to_possible_value().unwrap();
            assert_eq!(value.get_name(), kind.name());
            assert!(list().contains(kind.sentence()), "{kind:?}");
        }
    }

    #[test]
    fn a_parameter_of_another_scenario_is_refused() {
        assert!(Kind::Fanout.check(&[Flag::Subs, Flag::Topics]).is_ok());
        let error = Kind::Fanout.check(&[Flag::Subs, Flag::Slow]).unwrap_err().to_string();
        assert_eq!(error, "fanout has no --slow; it takes --subs, --topics, --subscribe");
    }

    #[test]
    fn defaults_are_those_of_the_list() {
        assert_eq!(Kind::Fanin.count(Flag::Pubs), 10);
        assert_eq!(Kind::Fanin.count(Flag::Slow), 0);
        assert!((Kind::Soak.number(Flag::Share) - 0.5).abs() < 1e-9);
    }
}
