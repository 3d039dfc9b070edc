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
pub(crate) struct Serving<'s> {
    pub(crate) broker: &'s Broker,
    pub(crate) outbox: &'s Arc<Outbox>,
    pub(crate) info: &'s SessionInfo,
    pub(crate) publisher: &'s mut Publisher,
    pub(crate) join: &'s mut Option<Join>,
    /// Its own outbox holds answers that nobody was asked to write.
    pub(crate) said: &'s mut bool,
}

impl Serving<'_> {
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
        match self.join.as_mut()?.advance(self.broker, self.outbox, now) {
            Step::Done => *self.join = None,
            Step::More => return Some(Next::Turn),
            Step::Room => return Some(Next::Room),
        }
        None
    }

    /// Whether the client has to read some of its answers first.
    pub(crate) fn is_congested(&self) -> bool {
        self.outbox.is_congested() && {
            self.outbox.link().flush_now(self.outbox);
            self.outbox.is_congested()
        }
    }

    /// The end of a turn in which `consumed` bytes were handled: flushes what it touched.
    pub(crate) fn finish(&mut self, now: Now, consumed: usize, next: Next) -> Progress {
        let left = self.publisher.flush(self.broker);
        if std::mem::take(self.said) || next == Next::End {
            self.outbox.link().flush_now(self.outbox);
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
    pub(crate) fn end(self, subscriptions: impl Iterator<Item = Arc<Subscription>>) {
        // At once: each subscription that ends would look through all that waits for its time.
        self.outbox.release_early(None);
        self.broker.end_subscriptions(self.outbox, subscriptions);
        *self.join = None;
        self.publisher.end();
    }
}
