//! Pieces of an outbox: whole frames in one buffer, what they are, and the count of messages in them.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Policy, Speech, frame};
use crate::routing::Subscription;

/// Copied frames are gathered in a buffer up to this size. A guess: at some ten KiB the cost
/// of a system call is small beside that of the copy.
pub(super) const GATHER_BYTES: usize = 16 << 10;

/// Subscriptions that a chunk counts for: they are looked up one by one.
const TALLIED_MAX: usize = 16;

/// What a message that is found by its topic takes beside its bytes: a chunk, an allocation and a place in the index. Counted, and rounded up.
pub(super) const NEWEST_BYTES: usize = 128;

/// In place of a time.
pub(crate) const NEVER: u64 = u64::MAX;

/// Frames to append, in the form that costs least to keep.
#[derive(Debug)]
pub(crate) enum Frames<'a> {
    /// Small: a copy is cheaper than a reference count and a slice of its own.
    Copied(&'a [u8]),
    /// Large, for several subscribers.
    Shared(&'a Bytes),
    /// Large, for this one.
    Owned(Vec<u8>),
}

impl Frames<'_> {
    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Frames::Copied(bytes) => bytes,
            Frames::Shared(bytes) => bytes,
            Frames::Owned(bytes) => bytes,
        }
    }
}

/// What the frames of a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Answers and events, which are never dropped.
    Control,
    /// `Lagged`, with what it tells as its tally. It goes only to be told again, with more.
    Lag,
    /// Messages of subscriptions with this policy, which alone may drop them.
    Messages(Policy),
    /// The one message that waits of a topic, under the policy `conflate`: the index knows it.
    Newest,
    /// Nothing: it was taken out of the middle.
    Gone,
}

/// How many messages of which subscription. Nearly always of one.
pub(super) type Tally = SmallVec<[(Arc<Subscription>, u64); 1]>;

/// What is said of frames that are appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) kind: Kind,
    /// The messages in them, and whose they are.
    pub(super) messages: Option<(&'a Arc<Subscription>, u64)>,
    /// When they are no longer worth sending, in monotonic milliseconds; or [`NEVER`].
    pub(super) expires_ms: u64,
}

impl<'a> Label<'a> {
    pub(super) const CONTROL: Label<'static> =
        Label { kind: Kind::Control, messages: None, expires_ms: NEVER };

    /// Of messages of a subscription.
    #[inline]
    pub(super) fn messages(subscription: &'a Arc<Subscription>, messages: u64, expires_ms: u64) -> Self {
        let kind = Kind::Messages(subscription.policy);
        Label { kind, messages: Some((subscription, messages)), expires_ms }
    }
}

/// Whole frames, one after another.
#[derive(Debug)]
pub(super) struct Chunk {
    body: Body,
    pub(super) kind: Kind,
    /// The messages in it; none in answers and other events than `Lagged`. Under the policy `conflate` in the order of the frames.
    pub(super) tally: Tally,
    /// See [`Label`].
    pub(super) expires_ms: u64,
}

#[derive(Debug)]
enum Body {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    /// Of `frames`, which go behind `last`. A copy goes into a buffer of `spare`, if there is one, and behind a filled chunk into a large one;
    /// elsewhere that would be much for little.
    pub(super) fn new(
        frames: Frames<'_>,
        label: Label<'_>,
        last: Option<&Chunk>,
        spare: &mut Vec<Vec<u8>>,
    ) -> Self {
        let gathering = |spare: &mut Vec<Vec<u8>>| {
            let filled = last.is_some_and(Chunk::is_filled);
            spare.pop().or_else(|| filled.then(|| Vec::with_capacity(GATHER_BYTES)))
        };
        match frames {
            Frames::Copied(bytes) if let Some(mut buffer) = gathering(spare) => {
                buffer.extend_from_slice(bytes);
                Chunk::of(Body::Owned(buffer), label)
            }
            frames => Chunk::alone(frames, label),
        }
    }

    /// Of `frames` that no others will join.
    pub(super) fn alone(frames: Frames<'_>, label: Label<'_>) -> Self {
        let body = match frames {
            Frames::Copied(bytes) => Body::Owned(bytes.to_vec()),
            Frames::Shared(bytes) => Body::Shared(bytes.clone()),
            Frames::Owned(mut bytes) => {
                // What waits is bounded by its length, not by what was reserved for it.
                if bytes.capacity() / 2 > bytes.len() {
                    bytes.shrink_to_fit();
                }
                Body::Owned(bytes)
            }
        };
        Chunk::of(body, label)
    }

    fn of(body: Body, label: Label<'_>) -> Self {
        let tally = label.messages.map(|(subscription, messages)| (Arc::clone(subscription), messages));
        Chunk { body, kind: label.kind, tally: tally.into_iter().collect(), expires_ms: label.expires_ms }
    }

    /// What tells that so many messages of these subscriptions were missed.
    pub(super) fn lag(frames: Vec<u8>, tally: Tally) -> Self {
        Chunk { body: Body::Owned(frames), kind: Kind::Lag, tally, expires_ms: NEVER }
    }

    /// In the place of one that was taken out.
    pub(super) fn gone() -> Self {
        Chunk { body: Body::Owned(Vec::new()), kind: Kind::Gone, tally: Tally::new(), expires_ms: NEVER }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Owned(bytes) => bytes,
            Body::Shared(bytes) => bytes,
        }
    }

    /// What it takes of the bound.
    pub(super) fn cost(&self) -> usize {
        self.bytes().len() + if self.kind == Kind::Newest { NEWEST_BYTES } else { 0 }
    }

    /// Its buffer, empty, if it is one to gather in.
    pub(super) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.body {
            Body::Owned(mut buffer) if buffer.capacity() == GATHER_BYTES => {
                buffer.clear();
                Some(buffer)
            }
            _ => None,
        }
    }

    /// Its frames, to be appended elsewhere.
    pub(super) fn frames(&self) -> Frames<'_> {
        match &self.body {
            Body::Owned(bytes) => Frames::Copied(bytes),
            Body::Shared(bytes) => Frames::Shared(bytes),
        }
    }

    /// Whether it was gathered and holds at least half of what it can.
    fn is_filled(&self) -> bool {
        matches!(&self.body, Body::Owned(gathered) if gathered.len() >= GATHER_BYTES / 2)
    }

    pub(super) fn is_control(&self) -> bool {
        matches!(self.kind, Kind::Control | Kind::Lag)
    }

    /// The subscription of its first message.
    pub(super) fn subscription(&self) -> Option<&Arc<Subscription>> {
        self.tally.first().map(|(subscription, _)| subscription)
    }

    pub(super) fn messages(&self) -> u64 {
        if self.kind == Kind::Lag {
            return 0;
        }
        self.tally.iter().map(|(_, messages)| messages).sum()
    }

    /// Copies more frames behind these up to `bytes_max` in all, if they are of one kind, and it pays.
    #[inline]
    pub(super) fn gather(&mut self, frames: &Frames<'_>, label: Label<'_>, bytes_max: usize) -> bool {
        let alike = self.kind == label.kind && self.expires_ms == NEVER && label.expires_ms == NEVER;
        if !alike || self.tally.len() >= TALLIED_MAX {
            return false;
        }
        match (&mut self.body, frames) {
            (Body::Owned(gathered), Frames::Copied(more)) if gathered.len() + more.len() <= bytes_max => {
                gathered.extend_from_slice(more);
            }
            _ => return false,
        }
        if let Some((subscription, messages)) = label.messages {
            self.count(subscription, messages);
        }
        true
    }

    #[inline]
    fn count(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        let in_order = self.kind == Kind::Messages(Policy::Conflate);
        let least = if in_order { self.tally.len().saturating_sub(1) } else { 0 };
        let counted =
            self.tally.iter_mut().skip(least).find(|(counted, _)| Arc::ptr_eq(counted, subscription));
        match counted {
            Some((_, total)) => *total += messages,
            None => self.tally.push((Arc::clone(subscription), messages)),
        }
    }

    /// Puts a newer message in the place of the one that is here.
    pub(super) fn renew(&mut self, frame: Frames<'_>, expires_ms: u64) {
        self.expires_ms = expires_ms;
        match (&mut self.body, frame) {
            (Body::Owned(buffer), Frames::Copied(newer)) if buffer.capacity() / 4 <= newer.len() => {
                buffer.clear();
                buffer.extend_from_slice(newer);
            }
            (body, Frames::Copied(newer)) => *body = Body::Owned(newer.to_vec()),
            (body, Frames::Shared(newer)) => *body = Body::Shared(newer.clone()),
            (body, Frames::Owned(newer)) => *body = Body::Owned(newer),
        }
    }

    /// The subscriptions that its frames count for, one after another. Only under the policy `conflate`, where the tally is in order.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.tally.iter().flat_map(|(subscription, messages)| (0..*messages).map(move |_| subscription))
    }

    /// Its frames and the subscription that each counts for, as [`Chunk::owners`].
    pub(super) fn each_frame(&self, speech: Speech) -> Vec<(&[u8], &Arc<Subscription>)> {
        let mut owners = self.owners();
        let mut frames = Vec::new();
        frame::split_bytes(self.bytes(), speech, |frame| {
            frames.extend(owners.next().map(|owner| (frame, owner)));
        });
        frames
    }

    /// Splits off the frames that begin at `offset` or behind it, if there are any before and behind. Only under the policy `conflate`.
    pub(super) fn split_off(&mut self, offset: usize, speech: Speech) -> Option<Chunk> {
        let (mut head_bytes, mut head_frames) = (0, 0);
        while head_bytes < offset {
            head_bytes += frame::frame_end(self.bytes().get(head_bytes..)?, speech);
            head_frames += 1;
        }
        let Body::Owned(buffer) = &mut self.body else { return None };
        if head_bytes == 0 || head_bytes >= buffer.len() {
            return None;
        }
        let behind = buffer.split_off(head_bytes);
        let mut tally = Tally::new();
        let mut left = head_frames;
        for (subscription, messages) in &mut self.tally {
            let stays = left.min(*messages);
            left -= stays;
            if stays < *messages {
                tally.push((Arc::clone(subscription), *messages - stays));
            }
            *messages = stays;
        }
        self.tally.retain(|(_, messages)| *messages > 0);
        Some(Chunk { body: Body::Owned(behind), kind: self.kind, tally, expires_ms: self.expires_ms })
    }
}
