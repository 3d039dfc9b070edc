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
    /// Of the last in order, and not yet in `missed`: nearly always it is the same one again.
    recent: u64,
}

impl Lag {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn count(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        if let Some(last) = self.order.back() {
            if Arc::ptr_eq(last, subscription) {
                self.recent += messages;
                return;
            }
            *self.missed.entry(address(last)).or_default() += std::mem::take(&mut self.recent);
        }
        let missed = self.missed.entry(address(subscription)).or_insert_with(|| {
            self.order.push_back(Arc::clone(subscription));
            0
        });
        *missed += messages;
    }

    /// The next one to tell.
    pub(super) fn pop(&mut self) -> Option<(Arc<Subscription>, u64)> {
        let subscription = self.order.pop_front()?;
        let mut missed = self.missed.remove(&address(&subscription)).unwrap_or(0);
        if self.order.is_empty() {
            missed += self.recent;
            // It may have been large, and most sessions never lag again.
            *self = Lag::default();
        }
        Some((subscription, missed))
    }
}

fn address(subscription: &Arc<Subscription>) -> usize {
    Arc::as_ptr(subscription).addr()
}

#[cfg(test)]
mod tests {
    use glob_tree::Pattern;

    use super::*;
    use crate::routing::SubscriptionOptions;

    #[test]
    fn counts_are_told_in_the_order_of_the_first() {
        let subscription =
            |text| Arc::new(Subscription::new(Pattern::glob(text).unwrap(), SubscriptionOptions::default()));
        let (a, b) = (subscription("a"), subscription("b"));
        let mut lag = Lag::default();
        for (subscription, messages) in [(&a, 1), (&a, 2), (&b, 10), (&a, 4), (&b, 20), (&b, 30)] {
            lag.count(subscription, messages);
        }
        let mut told = || lag.pop().map(|(told, missed)| (Arc::ptr_eq(&told, &a), missed));
        assert_eq!((told(), told(), told()), (Some((true, 7)), Some((false, 60)), None));
        lag.count(&b, 5);
        lag.count(&b, 6);
        assert_eq!(lag.pop().map(|(_, missed)| missed), Some(11), "from anew");
        assert!(lag.is_empty());
    }
}
