//! The policy `conflate`: of what waits, the newest message of each topic alone, found by its topic.
//!
//! Each such message is a chunk of its own, in the place of the first that waited of its topic. A newer one takes that place in one step. Only
//! sessions that conflate and are behind have an index.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Policy;
use super::Speech;
use super::chunk::{Chunk, Frames, Kind, Label};
use super::frame::{split_bytes, topic_key};
use super::late::Latest;
use super::waiting::Waiting;
use crate::routing::Subscription;

/// The numbers of the chunks that are the newest of their topic.
#[derive(Debug)]
pub(super) struct Newest {
    speech: Speech,
    index: HashTable<u64>,
    hasher: DefaultHashBuilder,
    /// No chunk before this one is in the index.
    pub(super) oldest: u64,
}

/// A message that is looked up by its topic.
#[derive(Debug)]
pub(super) struct Message<'m> {
    pub(super) frame: Frames<'m>,
    pub(super) key: &'m [u8],
    pub(super) hash: u64,
    pub(super) owner: &'m Arc<Subscription>,
    pub(super) expires_ms: u64,
}

impl Newest {
    fn new(speech: Speech) -> Self {
        Newest { speech, index: HashTable::new(), hasher: DefaultHashBuilder::default(), oldest: 0 }
    }

    fn key<'c>(&self, chunk: &'c Chunk) -> &'c [u8] {
        topic_key(chunk.bytes(), self.speech)
    }

    fn hash(&self, chunk: Option<&Chunk>) -> u64 {
        self.hasher.hash_one(chunk.map_or(&[][..], |chunk| self.key(chunk)))
    }

    /// The newest message of each topic in these chunks.
    pub(super) fn latest<'c>(&self, chunks: &'c [Chunk]) -> Latest<'c> {
        Latest::of(chunks, self.speech, &self.hasher, self.index.len())
    }
}

impl Waiting {
    /// From now on, until nothing waits, only the newest message of each topic does. `missed` is called where others take the place of some.
    pub(super) fn conflate(&mut self, speech: Speech, mut missed: impl FnMut(&Arc<Subscription>, u64)) {
        if self.newest.is_some() {
            return;
        }
        let chunks = self.start_over();
        self.newest = Some(Box::new(Newest::new(speech)));
        for chunk in chunks {
            match chunk.kind {
                Kind::Messages(Policy::Conflate) => {
                    let Some(newest) = &self.newest else { continue };
                    let mut latest = newest.latest(std::slice::from_ref(&chunk));
                    latest.take_missed().iter().for_each(|(owner, messages)| missed(owner, *messages));
                    for message in latest {
                        self.renew(message, &mut |owner| missed(owner, 1));
                    }
                }
                Kind::Messages(_) => {
                    self.fix_all(chunk.bytes());
                    self.push_back(chunk);
                }
                Kind::Control | Kind::Lag | Kind::Newest => self.push_back(chunk),
                Kind::Gone => {}
            }
        }
    }

    /// Puts one message in the place of the one of its topic that waits, or behind all others.
    pub(super) fn renew(&mut self, message: Message<'_>, missed: &mut impl FnMut(&Arc<Subscription>)) {
        let Message { frame, key, hash, owner, expires_ms } = message;
        if let Some(number) = self.find(key, hash) {
            // What counts for another subscription may have come before this one was answered: then it must not go before the answer.
            if self.is_of(number, owner) {
                missed(owner);
                return self.renew_at(number, frame, expires_ms);
            }
            if let Some(chunk) = self.take_out(number) {
                chunk.subscription().into_iter().for_each(missed);
            }
            self.close_holes();
        }
        let number = self.next_number();
        self.push_back(newest(frame, owner, expires_ms));
        self.note(number, hash);
    }

    /// Puts back in front what was about to be written, as [`Waiting::renew`] would have it had it waited all the while.
    pub(super) fn put_back(
        &mut self,
        mut chunk: Chunk,
        speech: Speech,
        missed: &mut impl FnMut(&Arc<Subscription>),
    ) {
        // Beside messages under other policies it is not known which of a topic's is the newest.
        let conflates = self.newest.is_some() && self.others == 0;
        if !conflates || chunk.kind != Kind::Messages(Policy::Conflate) {
            if chunk.kind == Kind::Newest {
                chunk.kind = Kind::Messages(Policy::Conflate);
            }
            return self.push_front(chunk);
        }
        for (frame, owner) in chunk.each_frame(speech).into_iter().rev() {
            let found = self.find_frame(frame);
            let newer = match found.and_then(|number| self.get(number)).and_then(Chunk::subscription) {
                None => newest(Frames::Copied(frame), owner, chunk.expires_ms),
                Some(other) if Arc::ptr_eq(other, owner) => {
                    missed(owner);
                    match found.and_then(|number| self.take_out(number)) {
                        Some(newer) => newer,
                        None => continue,
                    }
                }
                Some(_) => {
                    missed(owner);
                    continue;
                }
            };
            self.push_front(newer);
            self.note_chunk(self.first_number());
        }
        self.close_holes();
    }

    /// The topics of these messages, which come under another policy, have something behind what the index knows of them: that keeps its place
    /// and is not renewed.
    pub(super) fn fix_all(&mut self, frames: &[u8]) {
        let Some(newest) = &self.newest else { return };
        let mut numbers = Vec::new();
        split_bytes(frames, newest.speech, |frame| numbers.extend(self.find_frame(frame)));
        for number in numbers {
            // The same topic may have been there twice.
            if self.get(number).is_some_and(|chunk| chunk.kind == Kind::Newest) {
                self.forget(number);
                self.change(number, |chunk| chunk.kind = Kind::Messages(Policy::Conflate));
            }
        }
    }

    /// The topic that was touched first, taken out.
    pub(super) fn take_oldest_newest(&mut self) -> Option<Chunk> {
        let from = self.newest.as_ref()?.oldest;
        let number = self.find_from(from, |chunk| chunk.kind == Kind::Newest)?;
        if let Some(newest) = &mut self.newest {
            newest.oldest = number + 1;
        }
        let chunk = self.take_out(number);
        self.close_holes();
        chunk
    }

    /// Puts back what [`Waiting::take_oldest_newest`] took: it stays after all.
    pub(super) fn put_newest(&mut self, chunk: Chunk) {
        let number = self.next_number();
        self.push_back(chunk);
        self.note_chunk(number);
    }

    /// Whether a message of this topic waits that this one would take the place of.
    pub(super) fn knows(&self, message: &Message<'_>) -> bool {
        self.find(message.key, message.hash).is_some_and(|number| self.is_of(number, message.owner))
    }

    fn is_of(&self, number: u64, owner: &Arc<Subscription>) -> bool {
        let found = self.get(number).and_then(Chunk::subscription);
        found.is_some_and(|other| Arc::ptr_eq(other, owner))
    }

    /// The number of the chunk that waits of a topic.
    fn find(&self, key: &[u8], hash: u64) -> Option<u64> {
        let newest = self.newest.as_ref()?;
        let is_it = |&number: &u64| self.get(number).is_some_and(|chunk| newest.key(chunk) == key);
        newest.index.find(hash, is_it).copied()
    }

    /// The number of the chunk that waits of a message's topic.
    fn find_frame(&self, frame: &[u8]) -> Option<u64> {
        let newest = self.newest.as_ref()?;
        let key = topic_key(frame, newest.speech);
        self.find(key, newest.hasher.hash_one(key))
    }

    /// Takes a chunk into the index.
    fn note(&mut self, number: u64, hash: u64) {
        let Some(mut newest) = self.newest.take() else { return };
        let Newest { index, hasher, speech, .. } = &mut *newest;
        index.insert_unique(hash, number, |&number| {
            hasher.hash_one(self.get(number).map_or(&[][..], |chunk| topic_key(chunk.bytes(), *speech)))
        });
        self.newest = Some(newest);
    }

    /// The same, where the hash of its topic is not known.
    fn note_chunk(&mut self, number: u64) {
        let Some(hash) = self.newest.as_ref().map(|newest| newest.hash(self.get(number))) else { return };
        self.note(number, hash);
    }

    /// Takes a chunk out of the index.
    pub(super) fn forget(&mut self, number: u64) {
        let Some(mut newest) = self.newest.take() else { return };
        let hash = newest.hash(self.get(number));
        if let Ok(entry) = newest.index.find_entry(hash, |&other| other == number) {
            entry.remove();
        }
        self.newest = Some(newest);
    }

    /// Makes the index anew, because numbers have changed.
    pub(super) fn reindex(&mut self) {
        let Some(newest) = &mut self.newest else { return };
        newest.index.clear();
        newest.oldest = 0;
        for number in self.first_number()..self.next_number() {
            if self.get(number).is_some_and(|chunk| chunk.kind == Kind::Newest) {
                self.note_chunk(number);
            }
        }
    }
}

fn newest(frame: Frames<'_>, owner: &Arc<Subscription>, expires_ms: u64) -> Chunk {
    let label = Label { kind: Kind::Newest, messages: Some((owner, 1)), expires_ms };
    Chunk::alone(frame, label)
}
