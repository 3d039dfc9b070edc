//! Subscriptions that share the work: each message goes to one of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{NatsDelivery, Subscriber, Target};

/// The members of a group that match a topic, of all protocols and patterns.
#[derive(Debug)]
pub(crate) struct Group {
    /// The number of its first member among those of all groups of a topic.
    pub(crate) first: usize,
    pub(crate) members: Box<[Member]>,
}

/// A subscription that may get a message.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) target: Target,
    /// Its session gets the message anyway, through a subscription without a group: a native session gets a message once.
    pub(crate) has_it: bool,
    /// The number of the group and the place in it through which its session gets messages: those of an earlier group where a native session is in
    /// several, so that they stay in their order.
    pub(crate) lead: (usize, usize),
}

/// How often a member is drawn before those that can take a message are counted.
const DRAWS_MAX: usize = 4;

impl Group {
    /// Group `number` of a topic. `have_it` are the native sessions that get the message through a subscription without a group, `leads` those
    /// that are in an earlier group.
    pub(super) fn new(
        number: usize,
        first: usize,
        matched: &[&Subscriber],
        have_it: &HashSet<u64>,
        leads: &mut HashMap<u64, (usize, usize)>,
    ) -> Self {
        let mut members: Vec<Member> = Vec::with_capacity(matched.len());
        for subscriber in matched {
            let session = subscriber.outbox.session();
            let is_native = subscriber.subscription.nats.is_none();
            // Those of a session stand together. A native session is one member, whichever of its patterns match.
            let again = members
                .last()
                .is_some_and(|last| last.is_native() && last.target.outbox.session() == session);
            if is_native && again {
                continue;
            }
            let target = Target {
                outbox: Arc::clone(&subscriber.outbox),
                subscription: Arc::clone(&subscriber.subscription),
            };
            let own = (number, members.len());
            let lead = if is_native { *leads.entry(session).or_insert(own) } else { own };
            members.push(Member { target, has_it: is_native && have_it.contains(&session), lead });
        }
        Group { first, members: members.into() }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The member that gets the next message: uniformly one of those that take it at once, or, where
    /// there is none, of those that take it at all. `random` draws a number below its argument; `steps` counts the members that were looked at.
    pub(crate) fn choose(
        &self,
        mut random: impl FnMut(usize) -> usize,
        steps: &mut usize,
    ) -> Option<&Member> {
        *steps += 1;
        for _ in 0..DRAWS_MAX {
            let drawn = self.members.get(random(self.members.len()));
            if drawn.is_some_and(Member::is_ready) {
                return drawn;
            }
        }
        let mut choose_of = |accepts: fn(&Member) -> bool| {
            *steps += self.members.len();
            let count = self.members.iter().filter(|member| accepts(member)).count();
            let skip = if count == 0 { return None } else { random(count) };
            self.members.iter().filter(|member| accepts(member)).nth(skip)
        };
        // One that publishers would be held back for is passed over while another is open.
        choose_of(Member::is_ready)
            .or_else(|| choose_of(Member::is_free))
            .or_else(|| choose_of(Member::is_open))
    }
}

impl Member {
    fn is_native(&self) -> bool {
        self.target.subscription.nats.is_none()
    }

    /// It takes messages at once, as far as is known.
    fn is_ready(&self) -> bool {
        self.is_open() && !self.target.outbox.is_behind()
    }

    /// It takes messages, and nobody is held back for it.
    fn is_free(&self) -> bool {
        self.is_open() && !self.target.outbox.is_holding()
    }

    /// It takes messages.
    fn is_open(&self) -> bool {
        self.target.subscription.nats.as_ref().is_none_or(NatsDelivery::is_open)
    }
}
