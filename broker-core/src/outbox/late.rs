//! The policy `conflate`: what has come and has not been taken apart.
//!
//! To find a message by its topic is to touch memory all over an outbox, and fifty outboxes do not stay in a processor's cache together: message by
//! message that took ten times as long as to append (measured). So what comes is appended as it is, behind all else, and taken apart later, much at
//! once: an outbox then has the cache to itself, and of several messages to a topic only the last is looked up.
//!
//! Invariant: it is the end of what waits, and is taken apart before anything else happens to what waits, or is told of it.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Speech;
use super::chunk::{Chunk, Frames, GATHER_BYTES, Label, Tally};
use super::frame::split_first;
use super::newest::Message;
use super::waiting::Waiting;

/// The end of what waits, while it is not taken apart.
#[derive(Debug, Default)]
pub(super) struct Late {
    pub(super) chunks: usize,
    pub(super) bytes: usize,
}

impl Waiting {
    /// Appends messages that are taken apart later.
    pub(super) fn append_late(&mut self, frames: Frames<'_>, label: Label<'_>) {
        let (before, bytes) = (self.next_number(), frames.len());
        let gather_max = if self.late.chunks == 0 { 0 } else { GATHER_BYTES };
        self.append(frames, label, gather_max);
        self.late.chunks += usize::from(self.next_number() > before);
        self.late.bytes += bytes;
    }

    /// Takes out what was appended so.
    pub(super) fn take_late(&mut self) -> Vec<Chunk> {
        let Late { chunks, .. } = std::mem::take(&mut self.late);
        let mut late: Vec<Chunk> = (0..chunks).filter_map(|_| self.pop_back()).collect();
        late.reverse();
        late
    }
}

/// The newest message of each topic, in the order in which the topics were first touched.
#[derive(Debug)]
pub(super) struct Latest<'c> {
    /// None where a message of another subscription came behind it.
    messages: Vec<Option<Message<'c>>>,
    /// Places in it, by the hash of the key.
    index: HashTable<u32>,
    /// The messages that are not among them, of one subscription after another.
    missed: Tally,
}

impl<'c> Latest<'c> {
    /// Of these chunks of messages under `conflate`, which go to about so many topics.
    pub(super) fn of(
        chunks: &'c [Chunk],
        speech: Speech,
        hasher: &DefaultHashBuilder,
        topics: usize,
    ) -> Self {
        let (messages, index) = (Vec::with_capacity(topics), HashTable::with_capacity(topics));
        let mut latest = Latest { messages, index, missed: Tally::new() };
        for chunk in chunks {
            let is_alone = chunk.messages() == 1;
            let mut rest = chunk.bytes();
            for owner in chunk.owners() {
                let (frame, key, behind) = split_first(rest, speech);
                rest = behind;
                let frame = if is_alone { chunk.frames() } else { Frames::Copied(frame) };
                let hash = hasher.hash_one(key);
                latest.push(Message { frame, key, hash, owner, expires_ms: chunk.expires_ms });
            }
        }
        latest
    }

    fn push(&mut self, message: Message<'c>) {
        let Latest { messages, index, missed } = self;
        let at = |place: u32| messages.get(place as usize).and_then(Option::as_ref);
        let is_it = |&place: &u32| at(place).is_some_and(|older| older.key == message.key);
        // Far fewer than that: a chunk, or what is late.
        let behind = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let Some(place) = index.find_mut(message.hash, is_it) else {
            index.insert_unique(message.hash, behind, |&place| at(place).map_or(0, |older| older.hash));
            return messages.push(Some(message));
        };
        let Some(slot) = messages.get_mut(*place as usize) else { return };
        let older = slot.as_ref().map_or(message.owner, |older| older.owner);
        match missed.last_mut() {
            Some((last, count)) if Arc::ptr_eq(last, older) => *count += 1,
            _ => missed.push((Arc::clone(older), 1)),
        }
        if Arc::ptr_eq(older, message.owner) {
            *slot = Some(message);
            return;
        }
        // As where it is found among what waits: it must not go before what counts for another.
        *slot = None;
        *place = behind;
        messages.push(Some(message));
    }

    /// The messages that are not the newest of their topic, taken out.
    pub(super) fn take_missed(&mut self) -> Tally {
        std::mem::take(&mut self.missed)
    }
}

impl<'c> IntoIterator for Latest<'c> {
    type Item = Message<'c>;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Option<Message<'c>>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use glob_tree::Pattern;

    use super::*;
    use crate::outbox::Policy;
    use crate::outbox::chunk::NEVER;
    use crate::routing::{Subscription, SubscriptionOptions};
    use crate::wire::native;

    fn subscription(pattern: &str) -> Arc<Subscription> {
        let options = SubscriptionOptions { policy: Policy::Conflate, ..SubscriptionOptions::default() };
        Arc::new(Subscription::new(Pattern::glob(pattern).unwrap(), options))
    }

    /// Messages to topics of one letter, as one chunk of them for each subscription in a row.
    fn waiting(messages: &[(&str, u8, &Arc<Subscription>)]) -> Waiting {
        let mut waiting = Waiting::default();
        for &(topic, number, owner) in messages {
            let mut frame = Vec::new();
            native::encode::message(&mut frame, topic, &[number]);
            waiting.append_late(Frames::Copied(&frame), Label::messages(owner, 1, NEVER));
        }
        waiting
    }

    #[track_caller]
    fn check(messages: &[(&str, u8, &Arc<Subscription>)], newest: &[(&str, u8)], missed: &[u64]) {
        let mut waiting = waiting(messages);
        assert!(waiting.bytes() > 0 && waiting.bytes() == waiting.late.bytes);
        let chunks = waiting.take_late();
        assert_eq!((waiting.bytes(), waiting.late.bytes, waiting.late.chunks), (0, 0, 0));
        let mut latest = Latest::of(&chunks, Speech::Native, &DefaultHashBuilder::default(), 0);
        let counts: Vec<u64> = latest.take_missed().iter().map(|(_, messages)| *messages).collect();
        let found: Vec<(&str, u8)> = latest
            .into_iter()
            .map(|message| (str::from_utf8(message.key).unwrap(), *message.frame.bytes().last().unwrap()))
            .collect();
        assert_eq!((&found[..], &counts[..]), (newest, missed));
    }

    #[test]
    fn of_each_topic_the_newest_is_left_where_its_first_was() {
        let (one, other) = (&subscription("*"), &subscription("?"));
        check(&[("a", 1, one)], &[("a", 1)], &[]);
        check(
            &[("b", 1, one), ("a", 2, one), ("b", 3, one), ("c", 4, one), ("b", 5, one), ("a", 6, one)],
            &[("b", 5), ("a", 6), ("c", 4)],
            &[3],
        );
        // What counts for another subscription goes behind, and what it takes the place of counts for its own.
        check(
            &[("a", 1, one), ("b", 2, one), ("a", 3, one), ("a", 4, other), ("a", 5, other), ("a", 6, one)],
            &[("b", 2), ("a", 6)],
            &[2, 2],
        );
    }
}
