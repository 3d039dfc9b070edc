//! What sessions of every protocol do in the same way: what they wait for before they handle more, how a turn ends, and how they end.

use std::sync::Arc;

use crate::broker::Broker;
use crate::join::{Join, Step};
use crate::message::Now;
use crate::outbox::Outbox;
use crate::publisher::Publisher;
use crate::routing::Subscription;
use crate::session::{Next, Progress};
use crate::stats::SessionInfo;
use crate::sync::atomic::Ordering::Relaxed;

/// The parts of a session that do not depend on its protocol.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) broker: Arc<Broker>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) publisher: Publisher,
    /// Retained messages of a new subscription that have not been sent.
    join: Option<Join>,
    /// Its own outbox holds something that nobody was asked to write.
    pub(crate) said: bool,
}

impl Serving {
    /// From now on others see the session.
    pub(crate) fn new(broker: Arc<Broker>, outbox: Arc<Outbox>, info: SessionInfo) -> Self {
        let (publisher, info) = (Publisher::of(&outbox), Arc::new(info));
        broker.add_session(Arc::clone(&info));
        Serving { broker, outbox, info, publisher, join: None, said: false }
    }

    /// Puts answers into its outbox. They are written at the end of the turn or before.
    pub(crate) fn say(&mut self, answers: &[u8]) {
        self.outbox.push_control(answers);
        self.said = true;
    }

    /// Puts a subscription into effect, with these answers before any message that it brings.
    pub(crate) fn subscribe(&mut self, subscription: Arc<Subscription>, retained: bool, answers: &[u8]) {
        let broker = Arc::clone(&self.broker);
        let since = broker.change_table(|table| {
            table.insert(Arc::clone(&self.outbox), Arc::clone(&subscription));
            broker.raise(&subscription);
            if !answers.is_empty() {
                self.say(answers);
            }
            table.changes()
        });
        self.join = retained.then(|| Join::new(&broker, subscription, since));
    }

    /// What the session waits for before it handles anything more; `checks` if its credentials are being checked.
    pub(crate) fn waits(&mut self, now: Now, checks: bool) -> Option<Next> {
        if self.outbox.ending().is_some() {
            return Some(Next::End);
        }
        if checks {
            return Some(Next::Auth);
        }
        if let Some(until_monotonic_ms) = self.publisher.held_until(now) {
            return Some(Next::Held { until_monotonic_ms });
        }
        match self.join.as_mut()?.advance(&self.broker, &self.outbox, now) {
            Step::Done => self.join = None,
            Step::More => return Some(Next::Turn),
            Step::Room => return Some(Next::Room),
        }
        None
    }

    /// Whether the client has to read some of its answers first.
    pub(crate) fn is_congested(&self) -> bool {
        self.outbox.is_congested() && {
            self.outbox.link().flush_now(&self.outbox);
            self.outbox.is_congested()
        }
    }

    /// The end of a turn in which `consumed` bytes were handled: flushes what it touched.
    pub(crate) fn finish(&mut self, now: Now, consumed: usize, next: Next) -> Progress {
        let left = self.publisher.flush(&self.broker);
        if std::mem::take(&mut self.said) || next == Next::End {
            self.outbox.link().flush_now(&self.outbox);
        }
        self.info.bytes_in.fetch_add(consumed as u64, Relaxed);
        // After the flush, which may have made the room.
        let next = match self.publisher.held_until(now) {
            Some(until_monotonic_ms) if next != Next::End => Next::Held { until_monotonic_ms },
            _ => next,
        };
        self.info.held.store(matches!(next, Next::Room | Next::Held { .. }), Relaxed);
        let joins = self.join.is_some();
        Progress { consumed, next, left, joins }
    }

    /// The session ends, with these subscriptions. It leaves nothing behind but its outbox.
    pub(crate) fn end(&mut self, subscriptions: impl Iterator<Item = Arc<Subscription>>) {
        // At once: each subscription that ends would look through all that waits for its time.
        self.outbox.release_early(None);
        self.broker.end_subscriptions(&self.outbox, subscriptions);
        self.join = None;
        self.publisher.end();
    }
}
