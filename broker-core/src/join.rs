//! A new subscription's retained messages, at the pace of the subscriber.
//!
//! The subscription is in effect already. For each topic that matches, the retained message is sent unless the topic was published to since:
//! then the subscriber has a newer one, or it is on its way. No lock is held that others wait for. A batch of publishes announces
//! itself at each of its topics before it hands anything over, so whether a topic is quiet is asked under the lock of the subscriber's own outbox,
//! with the retained messages in hand: then they go in before whatever may come.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::Broker;
use crate::message::Now;
use crate::outbox::{Frames, NEVER, Outbox, Parcel, PushedIf};
use crate::routing::Subscription;
use crate::topics::{Topic, Walk};

/// Topics in one step, and bytes after which a step ends: some microseconds each.
const TOPICS_PER_STEP: usize = 128;
const BYTES_PER_STEP: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Join {
    subscription: Arc<Subscription>,
    /// The change of the table that brought the subscription.
    since: u64,
    walk: Walk,
    /// The walk may find more.
    goes_on: bool,
    /// Found, and not done.
    topics: VecDeque<Arc<Topic>>,
}

/// Messages that go at once.
#[derive(Debug)]
struct Piece {
    frames: Vec<u8>,
    /// Whose they are, one of each.
    topics: Vec<Arc<Topic>>,
    /// When they do not hold any more. One that has a time to live goes by itself.
    due_ms: u64,
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
        let walk = Walk::new(broker.topics(), &subscription.pattern);
        Join { subscription, since, walk, goes_on: true, topics: VecDeque::new() }
    }

    pub(crate) fn advance(&mut self, broker: &Broker, outbox: &Arc<Outbox>, now: Now) -> Step {
        if self.topics.is_empty() && self.goes_on {
            self.find(broker);
        }
        let Some(next) = self.topics.front() else {
            return if self.goes_on { Step::More } else { Step::Done };
        };
        let bytes = next.retained_bytes();
        if !outbox.has_room_for(bytes) {
            outbox.link().flush_now(outbox);
            if !outbox.has_room_for(bytes) {
                return Step::Room;
            }
        }
        self.step(outbox, now);
        outbox.link().flush_now(outbox);
        if self.topics.is_empty() && !self.goes_on { Step::Done } else { Step::More }
    }

    fn find(&mut self, broker: &Broker) {
        let Join { subscription, topics, .. } = self;
        self.goes_on = self.walk.advance(broker.topics(), &subscription.pattern, TOPICS_PER_STEP, |topic| {
            // See `RoutingTable::route`.
            if subscription.nats.is_none() || !topic.name().contains(' ') {
                topics.push_back(topic);
            }
        });
    }

    /// Sends as much as the outbox has room for, and one message at the least where there is room for it.
    fn step(&mut self, outbox: &Outbox, now: Now) {
        let mut bytes = 0;
        while let Some(next) = self.topics.front() {
            let is_full = bytes >= BYTES_PER_STEP || !outbox.fits(next.retained_bytes());
            if bytes > 0 && is_full {
                return;
            }
            let piece = self.piece(outbox, now);
            if piece.topics.is_empty() {
                continue;
            }
            let is_quiet = || piece.topics.iter().all(|topic| topic.is_quiet_since(self.since));
            let messages = piece.topics.len() as u64;
            bytes += piece.frames.len();
            let parcel =
                Parcel { expires_ms: piece.due_ms, ..Parcel::retained(&self.subscription, messages) };
            match outbox.push_if(Frames::Owned(piece.frames), &parcel, is_quiet) {
                PushedIf::Yes => {
                    if let Some(delivery) = &self.subscription.nats {
                        // A subscription that has just begun has no bound.
                        delivery.claim(messages);
                    }
                }
                outcome => {
                    piece.topics.into_iter().rev().for_each(|topic| self.topics.push_front(topic));
                    if outcome == PushedIf::Full {
                        return;
                    }
                }
            }
        }
    }

    /// Takes the first topics, and makes the frames of those that have a message to send: some that hold for ever, or one that does not.
    fn piece(&mut self, outbox: &Outbox, now: Now) -> Piece {
        let mut piece = Piece { frames: Vec::new(), topics: Vec::new(), due_ms: NEVER };
        while let Some(topic) = self.topics.pop_front() {
            let before = piece.frames.len();
            let bytes = before + topic.retained_bytes();
            let is_full = !piece.topics.is_empty() && (bytes > BYTES_PER_STEP || !outbox.fits(bytes));
            if is_full {
                self.topics.push_front(topic);
                break;
            }
            let due_ms = topic.retained_frame(now, self.since, &self.subscription, &mut piece.frames);
            match due_ms {
                None => {}
                Some(NEVER) => {
                    if piece.topics.is_empty() {
                        // As if all were as long as the first.
                        let expected = piece.frames.len().saturating_mul(self.topics.len());
                        piece.frames.reserve(expected.min(BYTES_PER_STEP));
                    }
                    piece.topics.push(topic);
                }
                Some(due_ms) if piece.topics.is_empty() => {
                    piece.topics.push(topic);
                    piece.due_ms = due_ms;
                    break;
                }
                Some(_) => {
                    piece.frames.truncate(before);
                    self.topics.push_front(topic);
                    break;
                }
            }
        }
        piece
    }
}
