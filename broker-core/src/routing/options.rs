//! How somebody subscribes.

use crate::outbox::Policy;
use crate::rate::MaxRate;

/// What a subscription asks for beside its pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct SubscriptionOptions<'a> {
    /// What happens when the outbox is full.
    pub policy: Policy,
    /// Whether messages come with a third element.
    pub meta: bool,
    /// The group that it is a member of.
    pub group: Option<&'a str>,
    /// How many messages of a topic it wants at the most.
    pub max_rate: Option<MaxRate>,
}
