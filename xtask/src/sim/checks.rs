//! How often each promise was checked, by policy, and which situations a run was in: a run that proves nothing is a failure.

use std::collections::BTreeMap;
use std::fmt;

use super::rule::{Promise, Rule};

/// Situations without which a run shows little.
const SITUATIONS: [&str; 50] = [
    "a message met the bound",
    "a socket took a part of a write",
    "a socket took nothing",
    "a step in the middle of a write",
    "a client vanished",
    "a frame was cut off",
    "a join waited for room",
    "a retained message came",
    "a message came with meta",
    "a message came by a group",
    "a message crossed protocols",
    "Lagged was told",
    "a subscription was replaced",
    "a subscription of NATS had its last message",
    "messages were lost with their session",
    "a publish was counted",
    "a session sent nonsense",
    "a publisher was held back",
    "messages were thinned out",
    "a message waited for its time",
    "a message came to its end where it waited",
    "a retained message came to its end",
    "a retained message with an end came",
    "Clear forgot messages",
    "a publish cleared its topic",
    "an empty message came",
    "a value was too large to be retained",
    "a topic went at the bound",
    "a topic with subscribers went at the bound",
    "a topic went at the bound during a join",
    "a topic that had gone came again",
    "a topic that had gone was asked for",
    "the store was bounded in bytes",
    "a policy that the client chose was at work",
    "a policy by rule was at work",
    "the policy of a listener was at work",
    "a session was too slow",
    "a reply address came",
    "a reply address crossed protocols",
    "a reply address came with a retained message",
    "headers came",
    "headers crossed protocols",
    "headers came with a retained message",
    "a key came",
    "an answer came to a reply address",
    "a request that nobody got was told so",
    "a client that said who it is came in",
    "a client of NATS that said who it is came in",
    "a client that may not come in was sent away",
    "a client that did not say who it is was sent away",
];

/// Checks that were made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Checks {
    made: BTreeMap<(Promise, Option<Rule>), u64>,
    seen: BTreeMap<&'static str, u64>,
    /// Steps of all worlds.
    pub(super) steps: u64,
    pub(super) published: u64,
    pub(super) received: u64,
    pub(super) missed: u64,
}

impl Checks {
    /// A promise could have been broken here, and was not.
    pub(super) fn made(&mut self, promise: Promise, rule: impl Into<Option<Rule>>) {
        *self.made.entry((promise, rule.into())).or_default() += 1;
    }

    /// The world was in a situation.
    pub(super) fn saw(&mut self, situation: &'static str) {
        *self.seen.entry(situation).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Checks) {
        for (key, count) in &other.made {
            *self.made.entry(*key).or_default() += count;
        }
        for (key, count) in &other.seen {
            *self.seen.entry(key).or_default() += count;
        }
        self.steps += other.steps;
        self.published += other.published;
        self.received += other.received;
        self.missed += other.missed;
    }

    fn count(&self, promise: Promise, rule: Option<Rule>) -> u64 {
        self.made.get(&(promise, rule)).copied().unwrap_or(0)
    }

    /// What was never checked, and where the run never was.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for promise in Promise::ALL {
            if !promise.is_of_rules() {
                if self.count(promise, None) == 0 {
                    gaps.push(promise.name().to_owned());
                }
                continue;
            }
            for rule in Rule::known() {
                // It gives no room to the newest: that is what it is for.
                let has_none = promise == Promise::State && !rule.keeps_newest();
                if !has_none && self.count(promise, Some(rule)) == 0 {
                    gaps.push(format!("{} under {}", promise.name(), rule.name()));
                }
            }
        }
        let unseen = SITUATIONS.iter().filter(|situation| !self.seen.contains_key(*situation));
        gaps.extend(unseen.map(|situation| (*situation).to_owned()));
        gaps
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}", "checks")?;
        for rule in Rule::known() {
            write!(f, "{:>13}", rule.name())?;
        }
        writeln!(f, "{:>13}", "any")?;
        for promise in Promise::ALL {
            write!(f, "{:<14}", promise.name())?;
            for rule in Rule::known() {
                write!(f, "{:>13}", self.count(promise, Some(rule)))?;
            }
            writeln!(f, "{:>13}", self.count(promise, None))?;
        }
        for (situation, count) in &self.seen {
            writeln!(f, "{count:>12}  {situation}")?;
        }
        let Checks { steps, published, received, missed, .. } = self;
        write!(f, "{steps} steps, {published} published, {received} received, {missed} missed and counted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_checks_has_gaps_and_one_check_closes_one() {
        let mut checks = Checks::default();
        let gaps = checks.gaps();
        assert!(gaps.contains(&"1 order under skip".to_owned()), "{gaps:?}");
        assert!(gaps.contains(&"6 bad input".to_owned()), "{gaps:?}");
        checks.made(Promise::Order, Rule::Skip);
        let mut sum = Checks::default();
        sum.add(&checks);
        assert_eq!(sum.gaps().len(), gaps.len() - 1);
    }
}
