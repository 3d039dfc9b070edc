//! Consecutive messages to the same targets, encoded once for all of them.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::{Batch, Message};
use crate::outbox::{Frames, Outbox};
use crate::routing::{Target, Targets};

/// A run ends at this size, or at a quarter of what an outbox may hold, so that no outbox has to take or drop more at once. A larger
/// frame is a run of its own.
const RUN_BYTES_MAX: usize = 64 << 10;

/// Up to this size a run is copied into each outbox; above it is shared by reference.
const COPIED_BYTES_MAX: usize = 4 << 10;

#[derive(Debug, Default)]
pub(super) struct Run {
    targets: Option<Arc<Targets>>,
    /// Frames `[topic, value]`.
    plain: Vec<u8>,
    /// In place of `plain`: one large message.
    shared: Option<Bytes>,
    /// The same with meta, if a target wants it.
    with_meta: Vec<u8>,
    messages: u64,
    /// How long it may become.
    bytes_max: usize,
}

impl Run {
    /// Whether the run goes to these targets and takes so many bytes more. A message in a buffer of its own is a run of its own.
    #[inline]
    pub(super) fn takes(&self, targets: &Arc<Targets>, bytes: usize, shared: bool) -> bool {
        let longest = self.plain.len().max(self.with_meta.len());
        self.targets.as_ref().is_some_and(|own| Arc::ptr_eq(own, targets))
            && !shared
            && self.shared.is_none()
            && longest + bytes <= self.bytes_max
    }

    /// Begins, with a message of `first` bytes; the one before is committed.
    pub(super) fn start(&mut self, targets: Arc<Targets>, first: usize, batch: Batch<'_>) {
        self.bytes_max = RUN_BYTES_MAX.min(batch.broker.limits().outbox_bytes_max / 4);
        let expected = batch.input.len().min(self.bytes_max);
        if first <= expected && !targets.plain.is_empty() && self.plain.capacity() < expected {
            self.plain = Vec::with_capacity(expected);
        }
        self.targets = Some(targets);
    }

    #[inline]
    pub(super) fn push(&mut self, message: &Message<'_>, shared: Option<Bytes>, time_unix_ms: u64) {
        let Some(targets) = &self.targets else { return };
        self.messages += 1;
        if !targets.plain.is_empty() {
            match shared {
                Some(shared) => self.shared = Some(shared),
                None => self.plain.extend_from_slice(message.pair),
            }
        }
        if !targets.with_meta.is_empty() {
            let topic = std::str::from_utf8(message.topic).unwrap_or_default();
            let parts = message.meta.unwrap_or_default();
            parts.message(&mut self.with_meta, topic, message.value, time_unix_ms, false);
        }
    }

    /// Hands over to the outboxes, noting those that `batch` touches for the first time.
    /// Returns how many outboxes that were.
    pub(super) fn commit(&mut self, batch: u64, touched: &mut Vec<Arc<Outbox>>) -> usize {
        let Some(targets) = self.targets.take() else { return 0 };
        let mut delivery = Delivery { messages: mem::take(&mut self.messages), batch, touched };
        if let Some(shared) = self.shared.take() {
            delivery.share(&shared, &targets.plain);
        }
        delivery.hand_over(&mut self.plain, &targets.plain);
        delivery.hand_over(&mut self.with_meta, &targets.with_meta);
        targets.len()
    }

    /// Between two batches a session holds no large buffer.
    pub(super) fn shrink(&mut self) {
        for buffer in [&mut self.plain, &mut self.with_meta] {
            if buffer.capacity() > COPIED_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
    }
}

/// A run on its way to its outboxes.
struct Delivery<'a> {
    messages: u64,
    batch: u64,
    touched: &'a mut Vec<Arc<Outbox>>,
}

impl Delivery<'_> {
    fn hand_over(&mut self, frames: &mut Vec<u8>, targets: &[Target]) {
        match targets {
            _ if frames.is_empty() => {}
            targets if frames.len() <= COPIED_BYTES_MAX => {
                for target in targets {
                    self.push(target, Frames::Copied(frames));
                }
                frames.clear();
            }
            [target] => self.push(target, Frames::Owned(mem::take(frames))),
            targets => self.share(&Bytes::from(mem::take(frames)), targets),
        }
    }

    fn share(&mut self, frames: &Bytes, targets: &[Target]) {
        for target in targets {
            self.push(target, Frames::Shared(frames));
        }
    }

    fn push(&mut self, target: &Target, frames: Frames<'_>) {
        if target.outbox.push(frames, &target.subscription, self.messages, self.batch) {
            self.touched.push(Arc::clone(&target.outbox));
        }
    }
}
