//! What the operator of a world says: rules for topics, the policies of those who name none, how much is kept, and who may come in.
//!
//! Written from `docs/configuration.md`; the oracle reads it here, the broker gets it as its `Limits`.

use broker_core::glob_tree::Pattern;
use broker_core::{Credentials, TopicRule, TopicRules};
use fastrand::Rng;

use super::rule::Rule;

/// Topics that are never retained, and how long others are.
const UNRETAINED_GLOB: &str = "d.*";
const SHORT_LIVED_GLOB: &str = "a.[cd]";
const SHORT_LIVED_MS: u64 = 25;

/// Patterns of rules that say which policy subscriptions have. They match patterns read as texts, and one of them none that begins with `!`.
const POLICY_GLOBS: [&str; 6] = ["a.*", "*", "?", "[bc]*", "!x.*", "*{b,>}"];

/// What clients prove themselves with, and what does not do.
pub(super) const TOKEN: &str = "let-me-in";
pub(super) const USER: &str = "ada";
pub(super) const PASSWORD: &str = "1815";

/// Milliseconds that a client has to say who it is: some of them do not come to it in time.
const AUTH_TIMEOUT_MS: u64 = 60;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    /// There are rules about what is retained.
    retains_by_rule: bool,
    /// Rules about policies, in their order.
    policies: Vec<(&'static str, Rule)>,
    /// The policies of the listeners.
    native_policy: Rule,
    nats_policy: Rule,
    /// How many topics are kept, and how many bytes of them.
    pub(super) topics_max: usize,
    pub(super) bytes_max: usize,
    /// Who comes has to say who it is, within so many milliseconds.
    pub(super) auth_timeout_ms: Option<u64>,
}

impl Operator {
    /// `bytes`: a bound in bytes will do, because all that is kept is of one size.
    pub(super) fn new(rng: &mut Rng, rules: &[Rule], retains_by_rule: bool, bytes: bool) -> Self {
        let any = |rng: &mut Rng| rules.get(rng.usize(..rules.len().max(1))).copied().unwrap_or(Rule::Skip);
        let (mut policies, mut native_policy) = (Vec::new(), Rule::Skip);
        let nats_policy = any(rng);
        if rng.u32(..4) == 0 {
            native_policy = any(rng);
            for _ in 0..rng.usize(1..4) {
                let glob = POLICY_GLOBS.get(rng.usize(..POLICY_GLOBS.len())).copied().unwrap_or("*");
                policies.push((glob, any(rng)));
            }
        }
        let (mut topics_max, mut bytes_max) = (usize::MAX, usize::MAX);
        match rng.u32(..8) {
            0 => topics_max = rng.usize(1..8),
            // A topic and its message take about sixty.
            1 if bytes => bytes_max = rng.usize(60..480),
            _ => {}
        }
        let auth_timeout_ms = (rng.u32(..6) == 0).then_some(AUTH_TIMEOUT_MS);
        Operator {
            retains_by_rule,
            policies,
            native_policy,
            nats_policy,
            topics_max,
            bytes_max,
            auth_timeout_ms,
        }
    }

    /// Whether topics go because there are too many.
    pub(super) fn bounds_store(&self) -> bool {
        self.topics_max < usize::MAX || self.bytes_max < usize::MAX
    }

    /// Whether some subscriptions have their policy from here.
    pub(super) fn says_policies(&self) -> bool {
        !self.policies.is_empty()
    }

    /// The policy of a listener.
    pub(super) fn default_policy(&self, native: bool) -> Rule {
        if native { self.native_policy } else { self.nats_policy }
    }

    /// The policy of a subscription that names none, and whether a rule says so.
    pub(super) fn policy(&self, pattern: &str, native: bool) -> (Rule, bool) {
        let by_rule = self.policies.iter().find(|(glob, _)| matches(glob, pattern));
        by_rule.map_or((self.default_policy(native), false), |(_, rule)| (*rule, true))
    }

    /// Whether a topic is retained, and for how long.
    pub(super) fn retaining(&self, topic: &str) -> (bool, Option<u64>) {
        let is_under = |glob| self.retains_by_rule && matches(glob, topic);
        (!is_under(UNRETAINED_GLOB), is_under(SHORT_LIVED_GLOB).then_some(SHORT_LIVED_MS))
    }

    /// The same for the broker.
    pub(super) fn topic_rules(&self) -> TopicRules {
        let rule = |glob: &str, retain, ttl_ms, policy| {
            let pattern = Pattern::glob(glob).ok()?;
            Some(TopicRule { pattern, retain, ttl_ms, policy })
        };
        let retaining = [
            rule(UNRETAINED_GLOB, Some(false), None, None),
            rule(SHORT_LIVED_GLOB, None, Some(SHORT_LIVED_MS), None),
        ];
        let retaining = if self.retains_by_rule { Vec::from(retaining) } else { Vec::new() };
        let policies = self.policies.iter().map(|(glob, policy)| rule(glob, None, None, policy.policy()));
        TopicRules::new(policies.chain(retaining).flatten().collect())
    }

    /// Whether somebody may come in.
    pub(super) fn admits(credentials: &Credentials) -> bool {
        let Credentials { user, password, token } = credentials;
        token.as_deref() == Some(TOKEN)
            || (user.as_deref(), password.as_deref()) == (Some(USER), Some(PASSWORD))
    }
}

/// Whether the pattern of a rule matches a text. One that begins with a wildcard matches none that begins with `!`.
fn matches(glob: &str, text: &str) -> bool {
    Pattern::glob(glob).is_ok_and(|pattern| {
        let is_hidden = pattern.begins_with_wildcard() && text.starts_with('!');
        !is_hidden && pattern.matches(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let policies = vec![("*", Rule::Block), ("!x.*", Rule::Conflate), ("a.*", Rule::Skip)];
        let mut operator = Operator::new(&mut Rng::with_seed(1), &Rule::ALL, true, true);
        (operator.policies, operator.native_policy) = (policies, Rule::DropOldest);
        assert_eq!(operator.policy("a.b", true), (Rule::Block, true));
        assert_eq!(operator.policy("!x.y", true), (Rule::Conflate, true));
        assert_eq!(operator.policy("!y", true), (Rule::DropOldest, false));
        assert_eq!(operator.retaining("d.e"), (false, None));
        assert_eq!(operator.retaining("a.c"), (true, Some(SHORT_LIVED_MS)));
    }
}
