//! What a session missed: counted, told in-band, and the time during which it was slow.

use std::sync::Arc;

use super::Policy;
use super::chunk::{Chunk, Tally};
use super::lag::Lag;
use super::slow::Slowness;
use crate::clock::CoarseClock;
use crate::message::Now;
use crate::routing::Subscription;
use crate::wire::native;

/// `Lagged` events that are appended at once.
const LAG_BYTES: usize = 32 << 10;

#[derive(Debug, Default)]
pub(super) struct Losses {
    pub(super) clock: Arc<CoarseClock>,
    /// The session said `Hello`: it is told what it missed.
    pub(super) tells: bool,
    pub(super) lagged: u64,
    /// To be told behind what waits: the gap is there.
    behind: Lag,
    /// To be told before what waits, because older messages were dropped.
    ahead: Lag,
    pub(super) slowness: Slowness,
}

impl Losses {
    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// The subscription missed so many messages.
    pub(super) fn miss(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        let is_ahead = matches!(subscription.policy, Policy::Conflate | Policy::DropOldest);
        self.count(subscription, messages, is_ahead);
    }

    /// All that is in a chunk was missed.
    pub(super) fn miss_chunk(&mut self, chunk: &Chunk) {
        self.miss_all(&chunk.tally);
    }

    /// So many messages of these subscriptions were missed.
    pub(super) fn miss_all(&mut self, tally: &Tally) {
        for (subscription, messages) in tally {
            self.miss(subscription, *messages);
        }
    }

    /// The messages of a chunk are no longer worth sending.
    pub(super) fn expire(&mut self, chunk: &Chunk) {
        for (subscription, messages) in &chunk.tally {
            self.count(subscription, *messages, true);
        }
    }

    fn count(&mut self, subscription: &Arc<Subscription>, messages: u64, is_ahead: bool) {
        self.lagged += messages;
        self.slow(subscription, messages);
        if self.tells {
            let lag = if is_ahead { &mut self.ahead } else { &mut self.behind };
            lag.count(subscription, messages);
        }
    }

    /// The subscription is slow, and missed so many messages by it.
    pub(super) fn slow(&mut self, subscription: &Arc<Subscription>, missed: u64) {
        let clock = &self.clock;
        self.slowness.note(subscription, missed, || clock.now());
    }

    /// Nothing waits any more.
    pub(super) fn recover(&mut self) {
        let clock = &self.clock;
        self.slowness.recover(|| clock.now());
    }

    #[inline]
    pub(super) fn has_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    #[inline]
    pub(super) fn has_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// What is to be told behind what waits: as much as has room.
    pub(super) fn tell_behind(&mut self) -> Chunk {
        tell(&mut self.behind)
    }

    /// The same of what is to be told before it.
    pub(super) fn tell_ahead(&mut self) -> Chunk {
        tell(&mut self.ahead)
    }

    /// What was to tell of it is not sent: it is to be told again.
    pub(super) fn take_back(&mut self, chunk: &Chunk) {
        count_again(&mut self.behind, chunk);
    }

    /// The same, before what waits.
    pub(super) fn tell_again_ahead(&mut self, chunk: &Chunk) {
        count_again(&mut self.ahead, chunk);
    }
}

fn count_again(lag: &mut Lag, chunk: &Chunk) {
    for (subscription, messages) in &chunk.tally {
        lag.count(subscription, *messages);
    }
}

fn tell(lag: &mut Lag) -> Chunk {
    let (mut frames, mut tally) = (Vec::new(), Tally::new());
    while let Some((subscription, missed)) = lag.pop() {
        native::encode::lagged(&mut frames, subscription.pattern.as_str(), missed);
        tally.push((subscription, missed));
        if frames.len() >= LAG_BYTES {
            break;
        }
    }
    Chunk::lag(frames, tally)
}
