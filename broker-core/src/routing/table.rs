//! The table of all subscriptions, and the stamps that tell a cached route whether it still holds.
//!
//! It lives behind one read-write lock that doubles as the broker's gate: a publisher holds it for reading for the length of a batch,
//! a change holds it for writing. So a subscribe falls between two batches, never into one: what was published before it is retained
//! and delivered, what is published after it is routed to it.
//!
//! Stamps are raised while the table is held for writing and read while it is held for reading: that lock is what makes them visible, so they need no order of
//! their own where they are atomics.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Weak};

use glob_tree::{GlobTree, Pattern, Scratch};
use smallvec::SmallVec;

use super::{Subscriber, Subscription, Targets};
use crate::outbox::Outbox;
use crate::sync::{Mutex, lock};
use crate::topic::SYSTEM_MARK;

/// When a route was made: it holds while the table says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    /// Raised by every change of a subscription with a wildcard.
    pub(crate) wild: u64,
    /// Raised by every change of one without, for the topic that it names.
    pub(crate) exact: u64,
}

/// Subscriptions, by pattern.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    tree: GlobTree<Subscriber>,
    wild: u64,
    changes: u64,
    /// Targets by what they are made of, since the last change. Weak: routes own them.
    shared: Mutex<HashMap<TargetsKey, Weak<Targets>>>,
}

/// Session and address of the subscription, for each subscriber that matched.
type TargetsKey = Vec<(u64, usize)>;

/// More different sets than this are not shared: the map must not grow without bound between two changes.
const SHARED_MAX: usize = 65_536;

impl RoutingTable {
    pub(crate) fn new() -> Self {
        RoutingTable {
            tree: GlobTree::with_reserved(SYSTEM_MARK),
            wild: 1,
            changes: 1,
            shared: Mutex::default(),
        }
    }

    /// How many changes there were: an order of subscribes and batches.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The part of a stamp that holds for all topics.
    pub(crate) fn wild(&self) -> u64 {
        self.wild
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Calls `visit` with every subscription and the number of its session.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, &Subscription)) {
        self.tree
            .iter()
            .for_each(|(_, subscriber)| visit(subscriber.outbox.session(), &subscriber.subscription));
    }

    /// Puts a subscription into effect, in place of the session's earlier one to the same pattern.
    pub(crate) fn insert(&mut self, outbox: Arc<Outbox>, subscription: Arc<Subscription>) {
        let pattern = subscription.pattern.clone();
        let subscriber = Subscriber::new(outbox, subscription);
        if let Some(earlier) = self.tree.remove(&pattern, &subscriber) {
            earlier.closed();
        }
        self.tree.insert(&pattern, subscriber);
        self.changed(&pattern);
    }

    /// Ends a subscription. False if it had ended before.
    pub(crate) fn remove(&mut self, outbox: &Arc<Outbox>, subscription: &Arc<Subscription>) -> bool {
        let subscriber = Subscriber::new(Arc::clone(outbox), Arc::clone(subscription));
        let Some(removed) = self.tree.remove(&subscription.pattern, &subscriber) else { return false };
        if !Arc::ptr_eq(&removed.subscription, subscription) {
            // Another one has come in its place.
            self.tree.insert(&subscription.pattern, removed);
            return false;
        }
        removed.closed();
        self.changed(&subscription.pattern);
        true
    }

    fn changed(&mut self, pattern: &Pattern) {
        self.changes += 1;
        // Whoever changes a subscription without a wildcard raises the stamp of its topic.
        if pattern.literal().is_none() {
            self.wild += 1;
        }
        lock(&self.shared).clear();
    }

    /// The targets of a topic, without those of the session `except`, and the steps that they took: the whole question, which caches answer
    /// nearly always.
    pub(crate) fn route(
        &self,
        topic: &str,
        except: Option<u64>,
        scratch: &mut Scratch,
    ) -> (Arc<Targets>, u64) {
        // What is no subject of NATS, because it holds the separator of its lines, does not go to its clients.
        let is_subject = !topic.contains(' ');
        let mut matched: SmallVec<[&Subscriber; 4]> = SmallVec::new();
        let steps = self.tree.matches(topic, scratch, |subscriber| {
            let is_heard = except != Some(subscriber.outbox.session());
            if is_heard && (is_subject || subscriber.subscription.nats.is_none()) {
                matched.push(subscriber);
            }
        });
        (self.targets(&mut matched), steps)
    }

    /// As [`RoutingTable::route`] for several topics, whose targets are appended to `routes`. Returns the steps for all of them.
    pub(crate) fn route_each(
        &self,
        topics: &[&str],
        except: Option<u64>,
        scratch: &mut Scratch,
        routes: &mut Vec<Arc<Targets>>,
    ) -> u64 {
        let mut matched: SmallVec<[(usize, &Subscriber); 64]> = SmallVec::new();
        let steps = self.tree.matches_each(topics, scratch, |place, subscriber| {
            let is_heard = except != Some(subscriber.outbox.session());
            let is_subject = topics.get(place).is_some_and(|topic| !topic.contains(' '));
            if is_heard && (is_subject || subscriber.subscription.nats.is_none()) {
                matched.push((place, subscriber));
            }
        });
        // First the one, then the other, each for all topics: reads that do not wait for each other.
        black_box(matched.iter().map(|(_, subscriber)| subscriber.glance_at_targets()).sum::<usize>());
        black_box(matched.iter().map(|(_, subscriber)| subscriber.glance()).sum::<u64>());
        let mut rest = &*matched;
        for place in 0..topics.len() {
            let count = rest.iter().take_while(|(of, _)| *of == place).count();
            let (of_topic, behind) = rest.split_at(count);
            rest = behind;
            let mut of_topic: SmallVec<[&Subscriber; 4]> =
                of_topic.iter().map(|(_, subscriber)| *subscriber).collect();
            routes.push(self.targets(&mut of_topic));
        }
        steps
    }

    /// The targets that these subscribers make together.
    fn targets(&self, matched: &mut [&Subscriber]) -> Arc<Targets> {
        if let [only] = *matched {
            return Arc::clone(only.alone());
        }
        matched.sort_by_key(|subscriber| subscriber.outbox.session());
        let key: TargetsKey = matched
            .iter()
            .map(|subscriber| (subscriber.outbox.session(), Arc::as_ptr(&subscriber.subscription).addr()))
            .collect();
        let mut shared = lock(&self.shared);
        if let Some(targets) = shared.get(&key).and_then(Weak::upgrade) {
            return targets;
        }
        let targets = Arc::new(Targets::new(matched));
        if shared.len() < SHARED_MAX {
            shared.insert(key, Arc::downgrade(&targets));
        }
        targets
    }
}
