//! What can be promised and chosen: the promises of the design by number, and of the protocol by name, the policies, and the situations that a run has to have been in.

use broker_core::Policy;

/// A policy as the simulation knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    Skip,
    Conflate,
    DropOldest,
    DropNewest,
    Disconnect,
    Block,
}

impl Rule {
    pub(super) const ALL: [Rule; 6] =
        [Rule::Skip, Rule::Conflate, Rule::DropOldest, Rule::DropNewest, Rule::Disconnect, Rule::Block];

    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Rule::Skip => "skip",
            Rule::Conflate => "conflate",
            Rule::DropOldest => "drop-oldest",
            Rule::DropNewest => "drop-newest",
            Rule::Disconnect => "disconnect",
            Rule::Block => "block",
        }
    }

    /// What the broker calls it, if it has it.
    pub(super) fn policy(self) -> Option<Policy> {
        self.name().parse().ok()
    }

    /// Those that the broker has.
    pub(super) fn known() -> Vec<Rule> {
        Rule::ALL.into_iter().filter(|rule| rule.policy().is_some()).collect()
    }

    /// Whether the newest message always has its place, so that a subscriber ends with it.
    pub(super) fn keeps_newest(self) -> bool {
        matches!(self, Rule::Skip | Rule::Conflate | Rule::DropOldest | Rule::Block)
    }
}

/// A promise of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Promise {
    Order,
    Visibility,
    State,
    Isolation,
    Honesty,
    BadInput,
    /// What the broker retains is what was published to be retained, and not cleared, too large or over since.
    Retained,
    /// No message is sent after its time, live or retained.
    TimeToLive,
    /// No more messages of a topic come than `max_rate` says.
    Rate,
    /// Reply addresses, headers and keys come as they were published.
    Extras,
    /// A subscription that names no policy has the one that the operator says.
    Policy,
    /// Nobody does anything who has not said who he is, where he has to.
    Login,
}

impl Promise {
    pub(super) const ALL: [Promise; 12] = [
        Promise::Order,
        Promise::Visibility,
        Promise::State,
        Promise::Isolation,
        Promise::Honesty,
        Promise::BadInput,
        Promise::Retained,
        Promise::TimeToLive,
        Promise::Rate,
        Promise::Extras,
        Promise::Policy,
        Promise::Login,
    ];

    /// Whether it is promised to subscribers, whose policy may make a difference.
    pub(super) fn is_of_rules(self) -> bool {
        !matches!(
            self,
            Promise::BadInput | Promise::Retained | Promise::Extras | Promise::Policy | Promise::Login
        )
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Promise::Order => "1 order",
            Promise::Visibility => "2 visibility",
            Promise::State => "3 state",
            Promise::Isolation => "4 isolation",
            Promise::Honesty => "5 honesty",
            Promise::BadInput => "6 bad input",
            Promise::Retained => "retained",
            Promise::TimeToLive => "time to live",
            Promise::Rate => "max_rate",
            Promise::Extras => "extras",
            Promise::Policy => "policy",
            Promise::Login => "login",
        }
    }
}
