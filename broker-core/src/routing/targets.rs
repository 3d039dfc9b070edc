//! The outboxes that the messages of a topic go to, in the form in which they go there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::{Group, Subscriber, Subscription};
use crate::outbox::Outbox;

/// One place that a message goes to, once: a session of the native protocol, whichever of its patterns match, or a subscription of a
/// NATS session.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) outbox: Arc<Outbox>,
    /// The one that the message counts for.
    pub(crate) subscription: Arc<Subscription>,
}

/// All of them. Topics with the same targets share one of these, so that consecutive messages to the same targets are told by its
/// address. The one subscription of a NATS client, of which there may be very many that are seldom sent to, is in here and not behind it.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Those that get `[topic, value]`.
    pub(crate) plain: Box<[Target]>,
    /// Those that get `[topic, value, meta]`.
    pub(crate) with_meta: Box<[Target]>,
    /// Subscriptions of NATS clients, together where they get the same bytes.
    pub(crate) nats: SmallVec<[NatsTargets; 1]>,
    /// Of each, one member gets a message.
    pub(crate) groups: Box<[Group]>,
    /// Members of all groups.
    pub(crate) members: usize,
    /// Places that a message goes to.
    len: usize,
}

/// Those with the same sid and the same opinion of headers.
#[derive(Debug)]
pub(crate) struct NatsTargets {
    pub(crate) sid: SmallVec<[u8; SID_BYTES]>,
    pub(crate) headers: bool,
    pub(crate) targets: SmallVec<[Target; 1]>,
}

/// As many bytes of a sid as need no memory of their own: it is a number nearly always.
const SID_BYTES: usize = 16;

impl Targets {
    /// From the subscribers that match, those of a session together.
    pub(crate) fn new(matched: &[&Subscriber]) -> Self {
        let mut sorted = Sorted::default();
        let of_one_session =
            |one: &&Subscriber, other: &&Subscriber| one.outbox.session() == other.outbox.session();
        matched.chunk_by(of_one_session).for_each(|of_session| sorted.add(of_session));
        sorted.targets()
    }

    /// Those of what only this subscriber matches.
    pub(crate) fn alone(subscriber: &Subscriber) -> Self {
        let Subscriber { outbox, subscription, .. } = subscriber;
        match &subscription.nats {
            Some(delivery) if subscription.group().is_none() => {
                let target = Target { outbox: Arc::clone(outbox), subscription: Arc::clone(subscription) };
                let sid = delivery.sid.as_bytes().into();
                let nats = NatsTargets { sid, headers: delivery.headers, targets: smallvec![target] };
                Targets { nats: smallvec![nats], len: 1, ..Targets::default() }
            }
            _ => Targets::new(&[subscriber]),
        }
    }

    /// Reads what a message on its way here will read, without doing anything: whoever does so for several before the first message waits
    /// for the memory of all of them at once.
    #[inline]
    pub(crate) fn glance(&self) -> u64 {
        let first = self.nats.first().and_then(|nats| nats.targets.first()).or_else(|| self.plain.first());
        first.map_or(0, |target| target.subscription.glance())
    }

    /// How many sessions and NATS subscriptions there are, and one for each group.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all get `[topic, value]`.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.len == self.plain.len()
    }
}

/// Subscribers on their way to their places.
#[derive(Default)]
struct Sorted<'s> {
    plain: Vec<Target>,
    with_meta: Vec<Target>,
    nats: Vec<(&'s str, bool, Vec<Target>)>,
    /// Where in `nats` those of a sid are.
    sids: HashMap<(&'s str, bool), usize>,
    groups: Vec<Vec<&'s Subscriber>>,
    /// Where in `groups` those of a name are.
    names: HashMap<&'s str, usize>,
}

impl<'s> Sorted<'s> {
    /// All those of a session.
    fn add(&mut self, of_session: &[&'s Subscriber]) {
        let mut native: Option<(Target, bool)> = None;
        for &subscriber in of_session {
            let Subscriber { outbox, subscription, .. } = subscriber;
            if let Some(group) = subscription.group() {
                let place = *self.names.entry(group).or_insert(self.groups.len());
                match self.groups.get_mut(place) {
                    Some(members) => members.push(subscriber),
                    None => self.groups.push(vec![subscriber]),
                }
                continue;
            }
            let target = Target { outbox: Arc::clone(outbox), subscription: Arc::clone(subscription) };
            match (&subscription.nats, &mut native) {
                (None, Some((_, meta))) => *meta |= subscription.meta,
                (None, None) => native = Some((target, subscription.meta)),
                (Some(delivery), _) => {
                    let place =
                        *self.sids.entry((&delivery.sid, delivery.headers)).or_insert(self.nats.len());
                    match self.nats.get_mut(place) {
                        Some((.., targets)) => targets.push(target),
                        None => self.nats.push((&delivery.sid, delivery.headers, vec![target])),
                    }
                }
            }
        }
        match native {
            Some((target, true)) => self.with_meta.push(target),
            Some((target, false)) => self.plain.push(target),
            None => {}
        }
    }

    fn targets(self) -> Targets {
        let Sorted { plain, with_meta, nats, groups, .. } = self;
        let mut have_it: HashSet<u64> = HashSet::new();
        if !groups.is_empty() {
            have_it.extend(plain.iter().chain(&with_meta).map(|target| target.outbox.session()));
        }
        let mut members = 0;
        let mut leads = HashMap::new();
        let groups: Box<[Group]> = groups
            .into_iter()
            .enumerate()
            .map(|(number, of_group)| {
                let group = Group::new(number, members, &of_group, &have_it, &mut leads);
                members += group.len();
                group
            })
            .collect();
        let in_nats: usize = nats.iter().map(|(.., targets)| targets.len()).sum();
        let len = plain.len() + with_meta.len() + in_nats + groups.len();
        let nats = nats.into_iter().map(|(sid, headers, targets)| NatsTargets {
            sid: sid.as_bytes().into(),
            headers,
            targets: targets.into(),
        });
        let nats = nats.collect();
        Targets { plain: plain.into(), with_meta: with_meta.into(), nats, groups, members, len }
    }
}
