//! One pattern of one session.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use glob_tree::Pattern;

use super::{SubscriptionOptions, Targets};
use crate::outbox::{Outbox, Policy};
use crate::rate::MaxRate;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// No bound on the messages of a subscription.
const UNBOUNDED: u64 = u64::MAX;

/// What a session subscribed to, and how. Immutable but for what it counts: subscribing again with other options makes another one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Subscription {
    /// What topics must match.
    pub pattern: Pattern,
    /// What happens when the outbox is full.
    pub policy: Policy,
    /// Whether messages come with a third element.
    pub meta: bool,
    /// How many messages of a topic it gets at the most.
    pub max_rate: Option<MaxRate>,
    /// Not every message is simply to be appended: it conflates, or has a `max_rate`.
    pub(crate) wants_fewer: bool,
    pub(crate) group: Option<Box<str>>,
    /// What the NATS protocol needs beside, on a session that speaks it.
    pub(crate) nats: Option<NatsDelivery>,
}

/// How messages of a subscription go to a NATS client, and how many did.
#[derive(Debug)]
pub(crate) struct NatsDelivery {
    /// The client's name for the subscription.
    pub(crate) sid: Box<str>,
    /// It knows headers.
    pub(crate) headers: bool,
    delivered: AtomicU64,
    /// The subscription ends after so many.
    delivered_max: AtomicU64,
    /// It has ended, or is about to: its last message has gone.
    ended: AtomicBool,
    /// The subscriptions of the session that have not ended.
    of_session: Arc<AtomicUsize>,
}

impl Subscription {
    /// A subscription, not in effect yet.
    pub fn new(pattern: Pattern, options: SubscriptionOptions<'_>) -> Self {
        let SubscriptionOptions { policy, meta, group, max_rate } = options;
        let wants_fewer = policy == Policy::Conflate || max_rate.is_some();
        let group = group.map(Box::from);
        Subscription { pattern, policy, meta, max_rate, wants_fewer, group, nats: None }
    }

    /// The same for a client of NATS. It counts among those of the session from now on.
    pub(crate) fn for_nats(self, sid: &str, headers: bool, of_session: Arc<AtomicUsize>) -> Self {
        of_session.fetch_add(1, Relaxed);
        let nats = NatsDelivery {
            sid: sid.into(),
            headers,
            delivered: AtomicU64::new(0),
            delivered_max: AtomicU64::new(UNBOUNDED),
            ended: AtomicBool::new(false),
            of_session,
        };
        Subscription { nats: Some(nats), ..self }
    }

    /// See [`Targets::glance`].
    pub(super) fn glance(&self) -> u64 {
        self.delivered() + u64::from(self.wants_fewer)
    }

    /// The group that it is in: of all its members that match, one gets each message.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The client's name for it, on the NATS protocol.
    pub fn sid(&self) -> Option<&str> {
        Some(&self.nats.as_ref()?.sid)
    }

    /// How many messages it got, on the NATS protocol.
    pub fn delivered(&self) -> u64 {
        self.nats.as_ref().map_or(0, NatsDelivery::delivered)
    }

    /// After how many it ends, where that was said.
    pub fn delivered_max(&self) -> Option<u64> {
        let max = self.nats.as_ref()?.delivered_max.load(Relaxed);
        (max != UNBOUNDED).then_some(max)
    }
}

/// What [`NatsDelivery::claim`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// How many of the messages may go.
    pub(crate) messages: u64,
    /// The subscription ends with them, and whoever is told so sees to that.
    pub(crate) ends: bool,
}

impl NatsDelivery {
    pub(crate) fn delivered(&self) -> u64 {
        // Claims go beyond the bound; messages do not.
        self.delivered.load(Relaxed).min(self.delivered_max.load(Relaxed))
    }

    /// Counts messages that are about to go to the client.
    #[inline]
    pub(crate) fn claim(&self, messages: u64) -> Claim {
        let before = self.delivered.fetch_add(messages, Relaxed);
        let max = self.delivered_max.load(Relaxed);
        if max == UNBOUNDED {
            return Claim { messages, ends: false };
        }
        let messages = messages.min(max.saturating_sub(before));
        Claim { messages, ends: before + messages >= max && !self.ended.swap(true, Relaxed) }
    }

    /// Whether it can still get messages.
    pub(crate) fn is_open(&self) -> bool {
        !self.ended.load(Relaxed)
    }

    /// Bounds the messages that it gets. False if it has had as many already, or its last one by an earlier bound. The table must be held
    /// for writing, so that nothing is being delivered.
    pub(crate) fn bound(&self, max: u64) -> bool {
        if !self.is_open() {
            return false;
        }
        self.delivered_max.store(max, Relaxed);
        self.delivered.load(Relaxed) < max
    }

    /// It does not count among those of the session any more. Called once, when it is taken out of the table.
    fn close(&self) {
        self.ended.store(true, Relaxed);
        self.of_session.fetch_sub(1, Relaxed);
    }
}

/// A subscription and where its messages go, as the routing table holds it.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) subscription: Arc<Subscription>,
    /// The targets of the topics that nobody else subscribed to, once there was one.
    alone: OnceLock<Arc<Targets>>,
}

/// A native session has one subscription to a pattern, a NATS session one to a pattern and a sid: so much tells subscribers apart under one
/// pattern.
impl PartialEq for Subscriber {
    fn eq(&self, other: &Self) -> bool {
        self.outbox.session() == other.outbox.session() && self.subscription.sid() == other.subscription.sid()
    }
}

impl Eq for Subscriber {}

impl Hash for Subscriber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.outbox.session().hash(state);
        self.subscription.sid().hash(state);
    }
}

impl Subscriber {
    pub(super) fn new(outbox: Arc<Outbox>, subscription: Arc<Subscription>) -> Self {
        Subscriber { outbox, subscription, alone: OnceLock::new() }
    }

    /// The targets of a topic that only this one subscribed to: the same for all those topics.
    pub(super) fn alone(&self) -> &Arc<Targets> {
        self.alone.get_or_init(|| Arc::new(Targets::alone(self)))
    }

    /// See [`Targets::glance`]: the way to them.
    pub(super) fn glance_at_targets(&self) -> usize {
        self.alone.get().map_or(0, |targets| targets.len())
    }

    /// See [`Targets::glance`].
    pub(super) fn glance(&self) -> u64 {
        self.alone.get().map_or(0, |targets| targets.glance())
    }

    /// It is no longer in the table.
    pub(super) fn closed(&self) {
        if let Some(delivery) = &self.subscription.nats {
            delivery.close();
        }
    }
}
