//! How the retained messages of a join come into an outbox: never behind newer ones, and never at the cost of what waits.

use super::{Frames, Outbox, Parcel};
use crate::sync::lock;

/// What became of retained messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushedIf {
    /// They wait.
    Yes,
    /// Something was published to their topics since: they may be old.
    NotQuiet,
    /// There is no room for them beside what waits.
    Full,
}

impl Outbox {
    /// Appends retained messages if `is_quiet`, which is asked under the lock: nothing newer is in the outbox then. Makes no room for them, and
    /// keeps them out while publishers are held back, whose messages are older. Does not flush.
    pub(crate) fn push_if(
        &self,
        frames: Frames<'_>,
        parcel: &Parcel<'_>,
        is_quiet: impl FnOnce() -> bool,
    ) -> PushedIf {
        let mut queue = lock(&self.queue);
        if !is_quiet() {
            return PushedIf::NotQuiet;
        }
        if queue.ending.is_some() {
            queue.stats.lost += parcel.messages;
            return PushedIf::Yes;
        }
        let waiting_bytes = queue.waiting.bytes();
        let is_full = waiting_bytes > 0 && waiting_bytes + frames.len() > self.bytes_max;
        if is_full || !queue.line.is_empty() {
            return PushedIf::Full;
        }
        queue.push(frames, parcel);
        PushedIf::Yes
    }
}
