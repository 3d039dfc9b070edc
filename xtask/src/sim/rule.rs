//! What can be promised and chosen: the promises of the design by name, the policies, and the situations that a run has to have been in.

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
}

impl Promise {
    pub(super) const ALL: [Promise; 6] = [
        Promise::Order,
        Promise::Visibility,
        Promise::State,
        Promise::Isolation,
        Promise::Honesty,
        Promise::BadInput,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Promise::Order => "1 order",
            Promise::Visibility => "2 visibility",
            Promise::State => "3 state",
            Promise::Isolation => "4 isolation",
            Promise::Honesty => "5 honesty",
            Promise::BadInput => "6 bad input",
        }
    }
}
