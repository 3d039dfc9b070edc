//! A limit on everything that a peer can make grow.

use glob_tree::PatternLimits;

use crate::outbox::Policy;
use crate::rules::TopicRules;
use crate::topic::TOPIC_BYTES_MAX;
use crate::wire::native::WireLimits;

/// What the broker allows. The defaults suit a machine of a few GiB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Limits {
    /// Of a frame and its nesting.
    pub wire: WireLimits,
    /// Bytes of a topic. Default 1,024.
    pub topic_bytes_max: usize,
    /// Of a pattern's length and complexity.
    pub pattern: PatternLimits,
    /// Subscriptions of one session. Default 100,000.
    pub subscriptions_max: usize,
    /// Bytes that may wait for one session. Default 8 MiB. What is being written comes on top: a quarter of a MiB, or one frame.
    pub outbox_bytes_max: usize,
    /// What an outbox does at its bound where the subscription does not say. Default `skip`.
    pub policy: Policy,
    /// Milliseconds for which the socket of an outbox under the policy `block` may take nothing while something waits, whether or not publishers are
    /// held back for it yet. Then it skips until it has caught up. Default 5,000.
    pub block_ms: u64,
    /// Retained messages in all. Default 1,000,000.
    pub retained_messages_max: usize,
    /// Bytes of retained messages in all, values and topics. Default 256 MiB.
    pub retained_bytes_max: usize,
    /// Bytes of a value that is retained. A larger one is delivered and not kept, and what was kept before it is forgotten. Default 8 MiB:
    /// whatever fits into a frame.
    pub retained_value_bytes_max: usize,
    /// What holds for topics by their patterns. Default: nothing beside what is usual.
    pub topic_rules: TopicRules,
    /// Milliseconds of silence after which a session is closed; 0 for never. Default 60,000.
    pub idle_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            wire: WireLimits::default(),
            topic_bytes_max: TOPIC_BYTES_MAX,
            pattern: PatternLimits::default(),
            subscriptions_max: 100_000,
            outbox_bytes_max: 8 << 20,
            policy: Policy::Skip,
            block_ms: 5_000,
            retained_messages_max: 1_000_000,
            retained_bytes_max: 256 << 20,
            retained_value_bytes_max: 8 << 20,
            topic_rules: TopicRules::default(),
            idle_timeout_ms: 60_000,
        }
    }
}
