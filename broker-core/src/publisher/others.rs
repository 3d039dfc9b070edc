//! The part of a run that goes to others than native subscribers that want no meta: those that want it, NATS clients, members of groups.

use std::mem;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Batch;
use super::run::Delivery;
use super::source::{Source, Text, TextScratch};
use crate::routing::{Group, Member, NatsTargets, Target, Targets};
use crate::wire::nats::encode;

/// Buffers that an idle session keeps, empty.
const KEPT_BUFFERS_MAX: usize = 64;

/// Buffers that are made large at once, because a run is about to fill them.
const LARGE_BUFFERS_MAX: usize = 4;

/// Not the place of a topic.
const NO_SLOT: usize = usize::MAX;

#[derive(Debug, Default)]
pub(super) struct Others {
    /// Frames `[topic, value, meta]`.
    with_meta: Vec<u8>,
    /// Frames for each of [`Targets::nats`].
    nats: Vec<NatsFrames>,
    /// In place of the first of them: one large message.
    shared: Option<Bytes>,
    /// Members of groups that were chosen.
    chosen: Vec<Chosen>,
    /// For each member of a group, its place in `chosen` and one more; 0 if there is none.
    places: Vec<usize>,
    /// Members that were chosen for the last time.
    ended: Vec<Target>,
    /// The place of the topic that the heads are made for.
    slot: usize,
    scratch: TextScratch,
    /// The state of the choices among the members of groups; 0 at first.
    random: u64,
    /// Members that were looked at since they were counted last.
    pub(super) steps: usize,
    /// The longest of the buffers, and all of them together.
    pub(super) longest: usize,
    pub(super) total: usize,
}

/// Frames for one sid.
#[derive(Debug, Default)]
struct NatsFrames {
    /// `HMSG subject sid ` of the last topic; without the first letter that of MSG.
    head: Vec<u8>,
    frames: Vec<u8>,
    /// Payloads and headers in the frames.
    payload_bytes: u64,
}

/// Frames for one member of a group.
#[derive(Debug)]
struct Chosen {
    group: usize,
    /// Its place in the group.
    member: usize,
    frames: Vec<u8>,
    messages: u64,
    payload_bytes: u64,
}

impl Others {
    /// Begins a run of about `expected` bytes.
    pub(super) fn start(&mut self, targets: &Targets, expected: usize, batch: Batch<'_>, number: u64) {
        self.slot = NO_SLOT;
        if self.nats.len() < targets.nats.len() {
            self.nats.resize_with(targets.nats.len(), NatsFrames::default);
        }
        if targets.nats.len() <= LARGE_BUFFERS_MAX {
            for own in self.nats.iter_mut().take(targets.nats.len()) {
                // A line that comes out is a little longer than one that came in.
                own.frames.reserve(expected + expected / 8);
            }
        }
        self.places.clear();
        self.places.resize(targets.members, 0);
        if self.random == 0 {
            self.random = batch.broker.seed() ^ number;
        }
    }

    pub(super) fn push<'a, M: Source<'a>>(
        &mut self,
        targets: &Targets,
        message: &M,
        slot: usize,
        time_unix_ms: u64,
    ) {
        if !targets.with_meta.is_empty() {
            let before = self.with_meta.len();
            message.with_meta(time_unix_ms, &mut self.with_meta);
            self.total += self.with_meta.len() - before;
            self.longest = self.longest.max(self.with_meta.len());
        }
        if !targets.nats.is_empty() {
            self.push_nats(targets, message, slot);
        }
        if !targets.groups.is_empty() {
            self.push_groups(targets, message, time_unix_ms);
        }
    }

    #[inline]
    fn push_nats<'a, M: Source<'a>>(&mut self, targets: &Targets, message: &M, slot: usize) {
        if self.slot != slot {
            self.slot = slot;
            for (to, own) in targets.nats.iter().zip(&mut self.nats) {
                own.head.clear();
                encode::head(&mut own.head, message.topic(), &to.sid, true);
            }
        }
        let text = message.text(&mut self.scratch);
        let mut shared = self.shared.is_some();
        for (to, own) in targets.nats.iter().zip(&mut self.nats) {
            own.payload_bytes += text.payload_bytes(to.headers);
            if mem::take(&mut shared) {
                continue;
            }
            let before = own.frames.len();
            own.push(to, &text);
            self.total += own.frames.len() - before;
            self.longest = self.longest.max(own.frames.len());
        }
    }

    #[cold]
    fn push_groups<'a, M: Source<'a>>(&mut self, targets: &Targets, message: &M, time_unix_ms: u64) {
        // Native sessions that have got the message through an earlier group.
        let mut told: SmallVec<[u64; 4]> = SmallVec::new();
        for group in &targets.groups {
            let Some(member) = self.choose(group) else { continue };
            let target = &member.target;
            let session = target.outbox.session();
            if target.subscription.nats.is_none() {
                if member.has_it || told.contains(&session) {
                    continue;
                }
                told.push(session);
            }
            let (group, member) = member.lead;
            let place = targets.groups.get(group).map_or(usize::MAX, |group| group.first + member);
            let chosen = match self.places.get_mut(place) {
                Some(at @ 0) => {
                    let frames = Vec::new();
                    self.chosen.push(Chosen { group, member, frames, messages: 0, payload_bytes: 0 });
                    *at = self.chosen.len();
                    self.chosen.last_mut()
                }
                Some(at) => self.chosen.get_mut(*at - 1),
                None => None,
            };
            let Some(chosen) = chosen else { continue };
            let before = chosen.frames.len();
            let frames = &mut chosen.frames;
            let mut payload_bytes = message.content_bytes() as u64;
            match &target.subscription.nats {
                Some(delivery) => {
                    let text = message.text(&mut self.scratch);
                    text.message(message.topic(), delivery, frames);
                    payload_bytes = text.payload_bytes(delivery.headers);
                }
                None if target.subscription.meta => message.with_meta(time_unix_ms, frames),
                None => message.plain(frames),
            }
            chosen.messages += 1;
            chosen.payload_bytes += payload_bytes;
            self.total += chosen.frames.len() - before;
            self.longest = self.longest.max(chosen.frames.len());
        }
    }

    /// The member of a group that gets a message, which counts for it.
    fn choose<'t>(&mut self, group: &'t Group) -> Option<&'t Member> {
        loop {
            let random = &mut self.random;
            let member = group.choose(|below| draw(random, below), &mut self.steps)?;
            let Some(delivery) = &member.target.subscription.nats else { return Some(member) };
            let claim = delivery.claim(1);
            if claim.ends {
                self.ended.push(member.target.clone());
            }
            // If somebody else has had its last message, it is not open any more: each round has fewer members to choose from.
            if claim.messages == 1 {
                return Some(member);
            }
        }
    }

    /// `content_bytes`: of the values of the run, as their publisher wrote them.
    pub(super) fn commit(&mut self, targets: &Targets, content_bytes: u64, delivery: &mut Delivery<'_>) {
        self.longest = 0;
        self.total = 0;
        delivery.hand_over(&mut self.with_meta, content_bytes, &targets.with_meta);
        let mut shared = self.shared.take();
        for (to, own) in targets.nats.iter().zip(&mut self.nats) {
            let payload_bytes = mem::take(&mut own.payload_bytes);
            if let Some(shared) = shared.take() {
                delivery.share(&shared, payload_bytes, &to.targets);
            }
            delivery.hand_over(&mut own.frames, payload_bytes, &to.targets);
        }
        for Chosen { group, member, frames, messages, payload_bytes } in self.chosen.drain(..) {
            let member = targets.groups.get(group).and_then(|group| group.members.get(member));
            if let Some(member) = member {
                delivery.push_to_member(&member.target, frames, messages, payload_bytes);
            }
        }
        delivery.end(&mut self.ended);
    }

    /// The next message is in a buffer of its own for the first of [`Targets::nats`].
    pub(super) fn share(&mut self, frame: Bytes) {
        self.shared = Some(frame);
    }

    /// The place of a topic may have become another's.
    pub(super) fn forget_heads(&mut self) {
        self.slot = NO_SLOT;
    }

    /// Between two batches a session holds no large buffer, where `bytes_max` is large.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        self.nats.truncate(KEPT_BUFFERS_MAX);
        let nats = self.nats.iter_mut().map(|nats| &mut nats.frames);
        for buffer in std::iter::once(&mut self.with_meta).chain(nats) {
            if buffer.capacity() > bytes_max {
                *buffer = Vec::new();
            }
        }
        if self.places.capacity() > KEPT_BUFFERS_MAX {
            self.places = Vec::new();
        }
        if self.chosen.capacity() > KEPT_BUFFERS_MAX {
            self.chosen = Vec::new();
        }
        self.scratch.shrink(bytes_max);
    }
}

impl NatsFrames {
    #[inline]
    fn push(&mut self, to: &NatsTargets, text: &Text<'_>) {
        let headers = text.headers.filter(|_| to.headers);
        let head = self.head.get(usize::from(headers.is_none())..).unwrap_or_default();
        self.frames.extend_from_slice(head);
        if text.tail.is_empty() || headers.is_some() != text.headers.is_some() {
            encode::body(&mut self.frames, text.reply, headers, text.payload);
        } else {
            self.frames.extend_from_slice(text.tail);
        }
    }
}

/// A number below `below`, which is not 0. The generator is Steele, Lea and Flood's `SplitMix64`: enough to be fair, and one word of state.
fn draw(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let scaled = (u128::from(mixed) * below as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}
