//! The outboxes that the messages of a topic go to.

use std::sync::Arc;

use super::{Subscriber, Subscription};
use crate::outbox::Outbox;

/// One session that a message goes to, once, whichever of its patterns match.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) outbox: Arc<Outbox>,
    /// The one that the message counts for.
    pub(crate) subscription: Arc<Subscription>,
}

/// All of them. Topics with the same targets share one of these, so that consecutive messages to the same targets are told by its
/// address.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Those that get `[topic, value]`.
    pub(crate) plain: Box<[Target]>,
    /// Those that get `[topic, value, meta]`.
    pub(crate) with_meta: Box<[Target]>,
}

impl Targets {
    /// From the subscribers that match, a session's several ones together.
    pub(crate) fn new(matched: &[&Subscriber]) -> Self {
        let (mut plain, mut with_meta) = (Vec::new(), Vec::new());
        for of_session in matched.chunk_by(|one, other| one == other) {
            let Some(first) = of_session.first() else { continue };
            let target =
                Target { outbox: Arc::clone(&first.outbox), subscription: Arc::clone(&first.subscription) };
            let meta = of_session.iter().any(|subscriber| subscriber.subscription.meta);
            if meta { with_meta.push(target) } else { plain.push(target) }
        }
        Targets { plain: plain.into(), with_meta: with_meta.into() }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.with_meta.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
