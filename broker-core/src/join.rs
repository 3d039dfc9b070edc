//! A new subscription's retained messages, at the pace of the subscriber.
//!
//! The subscription is in effect already. For each topic that matched then, the retained message is sent unless the topic was published to
//! since: then the subscriber has a newer one. The table is held for writing meanwhile, so that no publish is half way; some
//! topics at a time, so that publishers do not wait.

use std::sync::Arc;

use crate::broker::Broker;
use crate::outbox::{Frames, Outbox, Parcel};
use crate::routing::Subscription;
use crate::topic::SYSTEM_MARK;
use crate::topics::Topic;

/// Topics in one step, and bytes after which a step ends: some microseconds each.
const TOPICS_PER_STEP: usize = 64;
const BYTES_PER_STEP: usize = 64 << 10;

/// Not a number that a publisher's batch has.
const NO_BATCH: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Join {
    subscription: Arc<Subscription>,
    /// The change of the table that brought the subscription.
    since: u64,
    topics: Vec<Arc<Topic>>,
    /// How many of them are done.
    done: usize,
}

pub(crate) enum Step {
    Done,
    /// It can go on at once.
    More,
    /// It goes on when the outbox has room.
    Room,
}

impl Join {
    pub(crate) fn new(broker: &Broker, subscription: Arc<Subscription>, since: u64) -> Self {
        let pattern = &subscription.pattern;
        let mut topics = Vec::new();
        let is_nats = subscription.nats.is_some();
        match pattern.literal() {
            Some(name) => topics.extend(broker.topics().get(name)),
            None => broker.topics().for_each(|topic| {
                let hidden = pattern.begins_with_wildcard() && topic.name().starts_with(SYSTEM_MARK);
                // See `RoutingTable::route`.
                let hidden = hidden || is_nats && topic.name().contains(' ');
                if !hidden && pattern.matches(topic.name()) {
                    topics.push(Arc::clone(topic));
                }
            }),
        }
        Join { subscription, since, topics, done: 0 }
    }

    pub(crate) fn advance(&mut self, broker: &Broker, outbox: &Arc<Outbox>) -> Step {
        let Some(next) = self.topics.get(self.done) else { return Step::Done };
        let bytes = next.retained_bytes();
        if !outbox.has_room_for(bytes) {
            outbox.link().flush_now(outbox);
            if !outbox.has_room_for(bytes) {
                return Step::Room;
            }
        }
        broker.change_table(|_| self.step(outbox));
        outbox.link().flush_now(outbox);
        if self.done == self.topics.len() { Step::Done } else { Step::More }
    }

    /// One step, with the table held for writing. As much as the outbox has room for, and one message at the least: it has room for
    /// the first.
    fn step(&mut self, outbox: &Outbox) {
        let (mut frames, mut messages) = (Vec::new(), 0);
        for topic in self.topics.iter().skip(self.done).take(TOPICS_PER_STEP) {
            let bytes = frames.len() + topic.retained_bytes();
            if messages > 0 && (bytes > BYTES_PER_STEP || !outbox.fits(bytes)) {
                break;
            }
            messages += u64::from(topic.retained_frame(self.since, &self.subscription, &mut frames));
            self.done += 1;
        }
        if messages > 0 {
            outbox.push(Frames::Owned(frames), &Parcel::retained(&self.subscription, messages), NO_BATCH);
        }
    }
}
