//! What becomes of messages that cannot simply be appended: the outbox is at its bound, or their subscription wants fewer than all.
//!
//! Each policy drops only what waits under itself. What a policy cannot make room for, because others' messages fill the outbox, is missed.

use std::sync::Arc;

use super::chunk::{Chunk, Frames, Kind, Label, NEVER};
use super::frame::{split, split_bytes, topic_key};
use super::limiter::Offer;
use super::queue::Queue;
use super::{Outbox, Policy, ROOM_BYTES, Speech};
use crate::reason::CloseReason;
use crate::routing::Subscription;

/// What tells of more subscriptions than this is not taken back: a session may have very many, and would be told of them anew with every skip.
const TOLD_AGAIN_MAX: usize = 4;

/// Who brings messages, and so whether they can wait with him.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A session, by its outbox: it can be held back, and is told by the link of that when it may go on.
    Session(&'a Arc<Outbox>),
    /// The server itself, which never waits.
    Server,
    /// The broker, which brings retained messages no faster than they are taken.
    Retained,
}

/// Messages of one subscription on their way into an outbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    pub(crate) subscription: &'a Arc<Subscription>,
    pub(crate) messages: u64,
    /// When they are no longer worth sending, in monotonic milliseconds.
    pub(crate) expires_ms: u64,
    pub(crate) origin: Origin<'a>,
    /// Where the last of them begins, if all are known to be of one topic.
    pub(crate) newest: Option<usize>,
}

impl<'a> Parcel<'a> {
    /// Retained messages, and what else the broker says of itself.
    pub(crate) fn retained(subscription: &'a Arc<Subscription>, messages: u64) -> Self {
        Parcel { subscription, messages, expires_ms: NEVER, origin: Origin::Retained, newest: None }
    }

    pub(super) fn label(&self) -> Label<'a> {
        Label::messages(self.subscription, self.messages, self.expires_ms)
    }
}

impl Queue {
    /// Appends messages, or does what their policy and their rate want. True if their publisher is held back.
    #[cold]
    pub(super) fn admit(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) -> bool {
        let is_limited = !matches!(parcel.origin, Origin::Retained);
        match parcel.subscription.max_rate {
            Some(rate) if is_limited => self.admit_limited(frames, parcel, rate.interval_ns().div_ceil(1000)),
            // What waits for its time was published later, or is the retained message itself.
            _ if !is_limited => self.admit_now(frames, parcel),
            _ => {
                self.supersede(frames.bytes());
                self.admit_now(frames, parcel)
            }
        }
    }

    /// Messages of a subscription with a `max_rate`, one by one.
    fn admit_limited(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>, interval_us: u64) -> bool {
        let now_us = self.losses.now().monotonic_ms.saturating_mul(1000);
        let single = Parcel { messages: 1, newest: None, ..*parcel };
        let speech = self.speech;
        let mut held = false;
        split(frames, speech, |frame| {
            let chunk = Chunk::alone(frame, single.label());
            let topic = topic_key(chunk.bytes(), speech).to_vec();
            let limiter = self.limiter.get_or_insert_default();
            let (offer, thinned) = limiter.offer(&topic, chunk, now_us, interval_us);
            self.stats.thinned += thinned;
            if let Offer::Send(chunk) = offer {
                held |= self.admit_now(chunk.frames(), &single);
            }
        });
        while let Some(limiter) = self.limiter.as_mut().filter(|limiter| limiter.bytes() > self.bytes_max) {
            let Some(chunk) = limiter.pop_longest(now_us) else { break };
            self.admit_released(&chunk);
        }
        held
    }

    /// A message that waited for its time. Nobody is held back for it.
    fn admit_released(&mut self, chunk: &Chunk) {
        let Some(owner) = chunk.subscription() else { return };
        let (messages, expires_ms) = (chunk.messages(), chunk.expires_ms);
        let parcel =
            Parcel { subscription: owner, messages, expires_ms, origin: Origin::Server, newest: None };
        self.admit_now(chunk.frames(), &parcel);
    }

    /// Sends what waited for its time and is due.
    pub(super) fn release(&mut self, now_us: u64) {
        let Some(limiter) = &mut self.limiter else { return };
        limiter.came(now_us);
        let mut later = Vec::new();
        while let Some(chunk) = self.limiter.as_mut().and_then(|limiter| limiter.pop_due(now_us)) {
            let blocks = chunk.subscription().is_some_and(|owner| owner.policy == Policy::Block);
            if blocks && !self.line.has_lapsed() && !self.fits(chunk.bytes().len()) {
                later.push(chunk);
            } else {
                self.admit_released(&chunk);
            }
        }
        // Nothing is lost where publishers would be held back: it waits, and a newer one may take its place.
        for chunk in later {
            let topic = topic_key(chunk.bytes(), self.speech).to_vec();
            if let Some(limiter) = &mut self.limiter {
                limiter.put_back(&topic, chunk);
            }
        }
    }

    /// Sends what waits for its time of one subscription, or of all: none of it has a later.
    pub(super) fn release_early(&mut self, ended: Option<&Arc<Subscription>>) {
        let Some(limiter) = &mut self.limiter else { return };
        for chunk in limiter.take_where(|owner| ended.is_none_or(|ended| Arc::ptr_eq(ended, owner))) {
            self.admit_released(&chunk);
        }
    }

    /// Messages of these topics go another way: what waits of them for its time is older.
    fn supersede(&mut self, frames: &[u8]) {
        let Some(limiter) = self.limiter.as_mut().filter(|limiter| limiter.waiting() > 0) else { return };
        let (speech, thinned) = (self.speech, &mut self.stats.thinned);
        split_bytes(frames, speech, |frame| {
            *thinned += u64::from(limiter.supersede(topic_key(frame, speech)));
        });
    }

    /// What the policy makes of messages. True if their publisher is held back.
    fn admit_now(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) -> bool {
        if self.ending.is_some() {
            // One before it, that came with it, ended the session.
            self.stats.lost += parcel.messages;
            return false;
        }
        let policy = parcel.subscription.policy;
        if policy == Policy::Conflate {
            self.admit_conflated(frames, parcel);
            return false;
        }
        self.settle();
        if frames.len() > self.bytes_max && parcel.messages > 1 {
            return self.admit_apart(frames, parcel);
        }
        // Subscriptions of a client of NATS do not share topics.
        if self.speech == Speech::Native {
            self.waiting.fix_all(frames.bytes());
        }
        let bytes = frames.len();
        if !self.fits(bytes) {
            match policy {
                Policy::Block if !self.line.has_lapsed() => return self.hold(frames, parcel),
                Policy::Skip | Policy::Block => self.skip(policy),
                Policy::DropOldest => self.drop_oldest(bytes),
                Policy::Disconnect if !self.takes_alone(bytes) => {
                    self.drop_all();
                    self.losses.miss(parcel.subscription, parcel.messages);
                    self.end(CloseReason::SlowConsumer);
                    return false;
                }
                Policy::DropNewest | Policy::Disconnect | Policy::Conflate => {}
            }
        }
        if self.fits(bytes) || self.takes_alone(bytes) {
            self.tell_lag();
            self.append(frames, parcel.label());
        } else {
            self.losses.miss(parcel.subscription, parcel.messages);
        }
        false
    }

    /// Messages that are larger than the bound together, one by one: a run is made for the bound of native sessions.
    fn admit_apart(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) -> bool {
        let single = Parcel { messages: 1, newest: None, ..*parcel };
        let mut held = false;
        split(frames, self.speech, |frame| held |= self.admit_now(frame, &single));
        held
    }

    /// Whether so many bytes may be appended.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.line.is_empty() && self.waiting.bytes() + bytes <= self.bytes_max
    }

    /// What is larger than the bound waits alone, but not behind more answers than a session may leave unread.
    fn takes_alone(&self, bytes: usize) -> bool {
        self.line.is_empty() && self.has_place_alone(bytes)
    }

    pub(super) fn has_place_alone(&self, bytes: usize) -> bool {
        bytes > self.bytes_max && self.waiting.is_control() && self.waiting.control_bytes() < ROOM_BYTES
    }

    /// Drops the messages that wait under this policy, and what waits to be told of it: it will be told as one.
    fn skip(&mut self, policy: Policy) {
        self.drop_kind(policy);
        self.advance_line(true);
    }

    fn drop_kind(&mut self, policy: Policy) {
        let losses = &mut self.losses;
        let is_of = |chunk: &Chunk| {
            chunk.tally.len() <= TOLD_AGAIN_MAX && chunk.tally.iter().all(|(owner, _)| owner.policy == policy)
        };
        let is_dropped = |chunk: &Chunk| match chunk.kind {
            Kind::Messages(kind) => kind == policy,
            Kind::Lag => is_of(chunk),
            Kind::Control | Kind::Newest | Kind::Gone => false,
        };
        self.waiting.drop_where(self.bytes_max, is_dropped, |chunk| match chunk.kind {
            Kind::Lag => losses.take_back(chunk),
            _ => losses.miss_chunk(chunk),
        });
    }

    fn drop_oldest(&mut self, bytes: usize) {
        while !self.fits(bytes) {
            let Some(chunk) = self.waiting.take_oldest() else { break };
            self.losses.miss_chunk(&chunk);
            self.advance_line(true);
        }
        self.waiting.close_holes();
    }

    /// Drops all messages: the session is about to end.
    fn drop_all(&mut self) {
        let losses = &mut self.losses;
        self.waiting.drop_where(0, |chunk| !chunk.is_control(), |chunk| losses.miss_chunk(chunk));
        while let Some((chunk, home)) = self.line.pop() {
            losses.miss_chunk(&chunk);
            self.released.extend(home);
        }
        let limited = self.limiter.as_mut().map(|limiter| limiter.take_where(|_| true));
        limited.iter().flatten().for_each(|chunk| losses.miss_chunk(chunk));
    }

    /// Puts messages in line, because there is no room for them.
    fn hold(&mut self, frames: Frames<'_>, parcel: &Parcel<'_>) -> bool {
        let home = match parcel.origin {
            Origin::Session(home) => Some(home),
            Origin::Retained => None,
            Origin::Server => {
                if self.takes_alone(frames.len()) {
                    self.tell_lag();
                    self.append(frames, parcel.label());
                } else {
                    self.losses.miss(parcel.subscription, parcel.messages);
                }
                return false;
            }
        };
        if self.takes_alone(frames.len()) {
            self.tell_lag();
            self.append(frames, parcel.label());
            return false;
        }
        self.losses.slow(parcel.subscription, 0);
        let (stuck_ms, now_ms) = (self.stuck_ms(), self.losses.now().monotonic_ms);
        self.line.push(Chunk::alone(frames, parcel.label()), home, stuck_ms, now_ms);
        home.is_some()
    }

    /// Lets in what stands in line, when half of the bound is free, or as soon as there is room. True if something came in.
    pub(super) fn advance_line(&mut self, at_once: bool) -> bool {
        if self.line.is_empty() || !at_once && self.waiting.bytes() > self.bytes_max / 2 {
            return false;
        }
        let mut came_in = false;
        while let Some(bytes) = self.line.front().map(|chunk| chunk.bytes().len()) {
            let fits = self.waiting.bytes() + bytes <= self.bytes_max;
            if !fits && !self.has_place_alone(bytes) {
                break;
            }
            let Some((chunk, home)) = self.line.pop() else { break };
            self.come_in(chunk, home);
            came_in = true;
        }
        came_in
    }

    fn come_in(&mut self, chunk: Chunk, home: Option<Arc<Outbox>>) {
        self.tell_lag();
        self.waiting.push_back(chunk);
        self.released.extend(home);
    }

    /// Lets in all that stands in line, because nothing comes behind it.
    pub(super) fn close_line(&mut self) {
        while let Some((chunk, home)) = self.line.pop() {
            self.come_in(chunk, home);
        }
    }

    /// Until when a publisher is held back that has something in line; `None` if it is not, or not any more.
    pub(super) fn holds(&mut self, session: u64, now_ms: u64) -> Option<u64> {
        if self.ending.is_some() || !self.line.holds(session) {
            return None;
        }
        let until_ms = self.line.until_ms(now_ms, self.block_ms);
        if now_ms < until_ms {
            return Some(until_ms);
        }
        self.lapse();
        None
    }

    /// The subscriber took nothing for too long: it skips until it has caught up.
    fn lapse(&mut self) {
        self.line.lapse();
        while let Some((chunk, home)) = self.line.pop() {
            let bytes = chunk.bytes().len();
            if self.waiting.bytes() + bytes > self.bytes_max {
                self.drop_kind(Policy::Block);
            }
            if self.waiting.bytes() + bytes <= self.bytes_max || self.has_place_alone(bytes) {
                self.come_in(chunk, home);
            } else {
                self.losses.miss_chunk(&chunk);
                self.released.extend(home);
            }
        }
    }

    /// A publisher ends, and what it has in line with it.
    pub(super) fn leave_line(&mut self, session: u64) {
        for chunk in self.line.leave(session) {
            self.losses.miss_chunk(&chunk);
        }
        self.advance_line(false);
    }
}
