//! What a session missed and has not been told: messages, by subscription.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::routing::Subscription;

/// Counts by subscription, told in the order in which the subscriptions first missed something. Bounded by the subscriptions of a session.
#[derive(Debug, Default)]
pub(super) struct Lag {
    order: VecDeque<Arc<Subscription>>,
    /// By the address of the subscription, which `order` keeps.
    missed: HashMap<usize, u64>,
}

impl Lag {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn count(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        let missed = self.missed.entry(address(subscription)).or_insert_with(|| {
            self.order.push_back(Arc::clone(subscription));
            0
        });
        *missed += messages;
    }

    /// The next one to tell.
    pub(super) fn pop(&mut self) -> Option<(Arc<Subscription>, u64)> {
        let subscription = self.order.pop_front()?;
        let missed = self.missed.remove(&address(&subscription)).unwrap_or(0);
        if self.order.is_empty() {
            // It may have been large, and most sessions never lag again.
            *self = Lag::default();
        }
        Some((subscription, missed))
    }
}

fn address(subscription: &Arc<Subscription>) -> usize {
    Arc::as_ptr(subscription).addr()
}
