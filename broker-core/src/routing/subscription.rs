//! One pattern of one session.

use std::sync::Arc;

use glob_tree::Pattern;

use crate::outbox::{Outbox, Policy};

/// What a session subscribed to, and how. Immutable: subscribing again with other options makes another one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Subscription {
    /// What topics must match.
    pub pattern: Pattern,
    /// What happens when the outbox is full.
    pub policy: Policy,
    /// Whether messages come with a third element.
    pub meta: bool,
}

impl Subscription {
    /// A subscription, not in effect yet.
    pub fn new(pattern: Pattern, policy: Policy, meta: bool) -> Self {
        Subscription { pattern, policy, meta }
    }
}

/// A subscription and where its messages go, as the routing table holds it.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) subscription: Arc<Subscription>,
}

/// A session has one subscription to a pattern, so under one pattern the session tells subscribers apart.
impl PartialEq for Subscriber {
    fn eq(&self, other: &Self) -> bool {
        self.outbox.session() == other.outbox.session()
    }
}

impl Eq for Subscriber {}
