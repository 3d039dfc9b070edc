//! Consecutive messages to the same targets, encoded once for all of them.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::others::Others;
use super::source::{Shared, Source};
use super::{Batch, Effects};
use crate::message::Now;
use crate::outbox::{Frames, NEVER, Origin, Outbox, Parcel};
use crate::routing::{Target, Targets};
use crate::wire::nats;

/// A run ends at this size, or at a quarter of what an outbox may hold, so that no outbox has to take or drop more at once. A larger
/// frame is a run of its own.
const RUN_BYTES_MAX: usize = 64 << 10;

/// What all buffers of a run may hold together: a thousand subscriptions with a sid each have a buffer each.
const BUFFERS_BYTES_MAX: usize = 1 << 20;

/// Up to this size a run is copied into each outbox; above it is shared by reference.
const COPIED_BYTES_MAX: usize = 4 << 10;

#[derive(Debug, Default)]
pub(super) struct Run {
    /// Of the values, as their publisher wrote them.
    content_bytes: u64,
    targets: Option<Arc<Targets>>,
    /// Frames `[topic, value]`.
    plain: Vec<u8>,
    /// In place of `plain`: one large message.
    shared: Option<Bytes>,
    messages: u64,
    /// When its messages are no longer worth sending, in monotonic milliseconds.
    expires_ms: u64,
    /// How long it may become.
    bytes_max: usize,
    /// The place of the topic of its messages, while all are to one.
    slot: Option<usize>,
    /// Where its last message begins in `plain`.
    last: usize,
    others: Others,
}

impl Run {
    /// Whether the run goes to these targets and takes so many bytes more.
    #[inline]
    pub(super) fn takes(&self, targets: &Arc<Targets>, bytes: usize) -> bool {
        self.targets.as_ref().is_some_and(|own| Arc::ptr_eq(own, targets))
            && self.plain.len().max(self.others.longest) + bytes <= self.bytes_max
            && self.others.total <= BUFFERS_BYTES_MAX
    }

    /// Begins, with a message of `first` bytes; the one before is committed.
    pub(super) fn start(&mut self, targets: Arc<Targets>, first: usize, batch: Batch<'_>, number: u64) {
        self.bytes_max = RUN_BYTES_MAX.min(batch.broker.limits().outbox_bytes_max / 4);
        let expected = batch.input.len().min(self.bytes_max);
        if first <= expected && !targets.plain.is_empty() && self.plain.capacity() < expected {
            self.plain = Vec::with_capacity(expected);
        }
        if !targets.is_plain() {
            self.others.start(&targets, if first <= expected { expected } else { 0 }, batch, number);
        }
        self.expires_ms = NEVER;
        self.slot = None;
        self.targets = Some(targets);
    }

    #[inline]
    pub(super) fn push<'a, M: Source<'a>>(&mut self, message: &M, slot: usize, time_unix_ms: u64) {
        let Some(targets) = &self.targets else { return };
        self.messages += 1;
        self.content_bytes += message.content_bytes() as u64;
        if !targets.plain.is_empty() {
            if self.messages == 1 {
                self.slot = Some(slot);
            } else if self.slot != Some(slot) {
                self.slot = None;
            }
            self.last = self.plain.len();
            message.plain(&mut self.plain);
        }
        if !targets.is_plain() {
            self.others.push(targets, message, slot, time_unix_ms);
        }
    }

    /// As [`Run::push`], of a message that is a run of its own, and of which a part is in a buffer of its own.
    pub(super) fn push_alone<'a, M: Source<'a>>(
        &mut self,
        message: &M,
        slot: usize,
        shared: Option<Shared>,
        now: Now,
    ) {
        let Some(targets) = &self.targets else { return };
        self.messages += 1;
        self.content_bytes += message.content_bytes() as u64;
        self.expires_ms = message.ttl_ms().map_or(NEVER, |ttl_ms| now.monotonic_ms.saturating_add(ttl_ms));
        match shared {
            Some(Shared::Pair(pair)) => self.shared = Some(pair),
            Some(Shared::Nats { frame, .. }) => self.others.share(frame),
            None if targets.plain.is_empty() => {}
            None => message.plain(&mut self.plain),
        }
        if !targets.is_plain() {
            self.others.push(targets, message, slot, now.unix_ms);
        }
    }

    /// The place of a topic may have become another's.
    pub(super) fn forget_heads(&mut self) {
        self.slot = None;
        self.others.forget_heads();
    }

    /// Hands over to the outboxes, for the publisher whose session's is `home`, noting what that leaves to do.
    /// Returns how many places that were, and how many members of groups were looked at for it.
    pub(super) fn commit(&mut self, batch: u64, home: Option<&Arc<Outbox>>, effects: &mut Effects) -> usize {
        let Some(targets) = self.targets.take() else { return 0 };
        let messages = mem::take(&mut self.messages);
        let content_bytes = mem::take(&mut self.content_bytes);
        let origin = home.map_or(Origin::Server, Origin::Session);
        let newest = self.slot.map(|_| self.last);
        let mut delivery =
            Delivery { messages, expires_ms: self.expires_ms, origin, batch, newest: None, effects };
        if let Some(shared) = self.shared.take() {
            delivery.share(&shared, content_bytes, &targets.plain);
        }
        delivery.newest = newest;
        delivery.hand_over(&mut self.plain, content_bytes, &targets.plain);
        delivery.newest = None;
        if !targets.is_plain() {
            self.others.commit(&targets, content_bytes, &mut delivery);
        }
        targets.len() + mem::take(&mut self.others.steps)
    }

    /// Between two batches a session holds no large buffer.
    pub(super) fn shrink(&mut self) {
        if self.plain.capacity() > COPIED_BYTES_MAX {
            self.plain = Vec::new();
        }
        self.others.shrink(COPIED_BYTES_MAX);
    }
}

/// A run on its way to its outboxes.
pub(super) struct Delivery<'a> {
    messages: u64,
    expires_ms: u64,
    origin: Origin<'a>,
    batch: u64,
    /// See [`Parcel::newest`].
    newest: Option<usize>,
    effects: &'a mut Effects,
}

impl Delivery<'_> {
    pub(super) fn hand_over(&mut self, frames: &mut Vec<u8>, payload_bytes: u64, targets: &[Target]) {
        match targets {
            _ if frames.is_empty() => {}
            targets if frames.len() <= COPIED_BYTES_MAX => {
                for target in targets {
                    self.give(target, Frames::Copied(frames), payload_bytes);
                }
                frames.clear();
            }
            [target] => self.give(target, Frames::Owned(mem::take(frames)), payload_bytes),
            targets => self.share(&Bytes::from(mem::take(frames)), payload_bytes, targets),
        }
    }

    pub(super) fn share(&mut self, frames: &Bytes, payload_bytes: u64, targets: &[Target]) {
        for target in targets {
            self.give(target, Frames::Shared(frames), payload_bytes);
        }
    }

    /// All of the run, or as much of it as the subscription may still get.
    #[inline]
    fn give(&mut self, target: &Target, frames: Frames<'_>, payload_bytes: u64) {
        let messages = self.messages;
        let Some(delivery) = &target.subscription.nats else {
            return self.push(target, frames, messages, payload_bytes);
        };
        let claim = delivery.claim(messages);
        if claim.ends {
            self.effects.ended.push(target.clone());
        }
        if claim.messages == messages {
            self.push(target, frames, messages, payload_bytes);
        } else if claim.messages > 0 {
            let (first, payload_bytes) = first_messages(frames.bytes(), claim.messages);
            self.push(target, Frames::Copied(first), claim.messages, payload_bytes);
        }
    }

    /// What a member of a group was chosen for. It is counted for the member already.
    pub(super) fn push_to_member(
        &mut self,
        target: &Target,
        frames: Vec<u8>,
        messages: u64,
        payload_bytes: u64,
    ) {
        let frames =
            if frames.len() <= COPIED_BYTES_MAX { Frames::Copied(&frames) } else { Frames::Owned(frames) };
        self.push(target, frames, messages, payload_bytes);
    }

    /// Notes subscriptions that have had their last message.
    pub(super) fn end(&mut self, ended: &mut Vec<Target>) {
        self.effects.ended.append(ended);
    }

    #[inline]
    fn push(&mut self, target: &Target, frames: Frames<'_>, messages: u64, payload_bytes: u64) {
        let Target { outbox, subscription } = target;
        outbox.count_payload(payload_bytes);
        let Delivery { expires_ms, origin, newest, .. } = *self;
        let parcel = Parcel { subscription, messages, expires_ms, origin, newest };
        let pushed = outbox.push(frames, &parcel, self.batch);
        if pushed.flush {
            self.effects.touched.push(Arc::clone(outbox));
        }
        if pushed.held {
            note(&mut self.effects.held, outbox);
        }
        if pushed.due {
            note(&mut self.effects.due, outbox);
        }
    }
}

#[cold]
fn note(outboxes: &mut Vec<Arc<Outbox>>, outbox: &Arc<Outbox>) {
    if !outboxes.iter().any(|noted| Arc::ptr_eq(noted, outbox)) {
        outboxes.push(Arc::clone(outbox));
    }
}

/// The first so many messages of NATS, and the bytes of their payloads.
fn first_messages(frames: &[u8], messages: u64) -> (&[u8], u64) {
    let (mut end, mut payload_bytes) = (0, 0);
    for _ in 0..messages {
        let Some(extent) = nats::message_extent(frames.get(end..).unwrap_or_default()) else { break };
        end += extent.bytes;
        payload_bytes += extent.payload_bytes as u64;
    }
    (frames.get(..end).unwrap_or(frames), payload_bytes)
}
