//! What an operator says of topics by their patterns: whether they are retained, for how long, and under which policy they are
//! subscribed to.
//!
//! The rules stand in an order, and for each thing that a rule can say the first one that matches and says it counts. They are asked once
//! for a topic, when it is first seen, and once for a subscription.

use std::sync::Arc;

use glob_tree::Pattern;

use crate::outbox::Policy;
use crate::topic::is_hidden;

/// What holds for the topics that match a pattern. What is `None` is left to the rules behind it, and at last to what is usual.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct TopicRule {
    /// The topics. As in a subscription, one that begins with a wildcard does not match those that begin with `!`.
    pub pattern: Pattern,
    /// False: nothing is retained, whatever the publisher asks for. True: as usual.
    pub retain: Option<bool>,
    /// Milliseconds after which a retained message is forgotten, where its publish does not say.
    pub ttl_ms: Option<u64>,
    /// The policy of subscriptions that do not name one, and whose own pattern, read as a text, is matched by this one.
    pub policy: Option<Policy>,
}

/// Rules, in their order. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicRules {
    rules: Arc<[TopicRule]>,
}

/// What the rules say of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retaining {
    /// Whether anything is.
    pub(crate) keeps: bool,
    pub(crate) ttl_ms: Option<u64>,
}

impl Retaining {
    /// What holds where no rule says anything.
    pub(crate) const USUAL: Self = Retaining { keeps: true, ttl_ms: None };
}

impl TopicRules {
    /// These rules, the first one first.
    pub fn new(rules: Vec<TopicRule>) -> Self {
        TopicRules { rules: rules.into() }
    }

    /// The rules.
    pub fn as_slice(&self) -> &[TopicRule] {
        &self.rules
    }

    /// The policy of a subscription to `pattern` that does not name one, if a rule does.
    pub fn policy(&self, pattern: &str) -> Option<Policy> {
        self.matching(pattern).find_map(|rule| rule.policy)
    }

    pub(crate) fn retaining(&self, topic: &str) -> Retaining {
        Retaining {
            keeps: self.matching(topic).find_map(|rule| rule.retain).unwrap_or(true),
            ttl_ms: self.matching(topic).find_map(|rule| rule.ttl_ms),
        }
    }

    fn matching(&self, text: &str) -> impl Iterator<Item = &TopicRule> {
        self.rules.iter().filter(move |rule| !is_hidden(&rule.pattern, text) && rule.pattern.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, retain: Option<bool>, ttl_ms: Option<u64>, policy: Option<Policy>) -> TopicRule {
        TopicRule { pattern: Pattern::glob(pattern).unwrap(), retain, ttl_ms, policy }
    }

    #[test]
    fn the_first_that_says_it_counts() {
        let rules = TopicRules::new(vec![
            rule("log/audit/*", Some(true), None, None),
            rule("log/*", Some(false), None, Some(Policy::Disconnect)),
            rule("*/live", None, Some(5), Some(Policy::Skip)),
            rule("*", None, Some(9), None),
        ]);
        for (topic, keeps, ttl_ms, policy) in [
            ("log/x", false, Some(9), Some(Policy::Disconnect)),
            ("log/audit/x", true, Some(9), Some(Policy::Disconnect)),
            ("log/audit/live", true, Some(5), Some(Policy::Disconnect)),
            ("sensor/live", true, Some(5), Some(Policy::Skip)),
            ("log/*", false, Some(9), Some(Policy::Disconnect)),
            ("*", true, Some(9), None),
            ("!system/live", true, None, None),
        ] {
            assert_eq!(rules.retaining(topic), Retaining { keeps, ttl_ms }, "{topic}");
            assert_eq!(rules.policy(topic), policy, "{topic}");
        }
        assert_eq!(TopicRules::default().retaining("a"), Retaining { keeps: true, ttl_ms: None });
        assert_eq!(TopicRules::default().policy("a"), None);
    }
}
