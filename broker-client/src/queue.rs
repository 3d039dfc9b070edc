//! What waits in one subscription between the connection and the program.
//!
//! The connection stages the messages of one read here and then commits them: one lock and one wake-up per read, not per
//! message. Invariants: after a commit at most `messages_max` messages and `bytes_max` bytes wait (one message always
//! may); the oldest goes first; what goes is counted; committing never waits for the receiver.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use broker_core::wire::native::Meta;
use bytes::{BufMut, Bytes, BytesMut};

use crate::{Message, sync::lock};

/// The size of the blocks that small messages are copied into. Small, because one message that a program keeps holds its
/// whole block; large enough that an allocation is shared by some ten messages.
const BLOCK_BYTES: usize = 4096;

/// Messages from this size on get a block of their own.
const SHARED_BYTES_MAX: usize = 1024;

/// For how many messages a stage keeps room.
const STAGE_KEPT_MAX: usize = 4096;

/// How many messages a receiver takes out under one lock.
const TAKE_MAX: usize = 256;

/// The queue of one subscription.
#[derive(Debug)]
pub(crate) struct Queue {
    pattern: Arc<str>,
    messages_max: usize,
    bytes_max: usize,
    /// Locked by the connection's task alone.
    stage: Mutex<Stage>,
    waiting: Mutex<Waiting>,
    missed_here: AtomicU64,
    missed_at_server: AtomicU64,
}

#[derive(Debug, Default)]
struct Stage {
    messages: Vec<Message>,
    block: BytesMut,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(pattern: Arc<str>, messages_max: usize, bytes_max: usize) -> Self {
        Self {
            pattern,
            messages_max: messages_max.max(1),
            bytes_max,
            stage: Mutex::default(),
            waiting: Mutex::default(),
            missed_here: AtomicU64::new(0),
            missed_at_server: AtomicU64::new(0),
        }
    }

    /// The pattern that was subscribed to.
    pub(crate) fn pattern(&self) -> &Arc<str> {
        &self.pattern
    }

    /// Copies a message in, to be seen after [`commit`](Self::commit). True if it is the first since the last commit.
    pub(crate) fn stage(&self, topic: &str, value: &[u8], meta: Option<&Arc<Meta>>) -> bool {
        let mut stage = lock(&self.stage);
        let bytes = stage.copy(topic.as_bytes(), value);
        stage.messages.push(Message::new(bytes, topic.len(), meta.cloned()));
        stage.messages.len() == 1
    }

    /// Makes what was staged visible and wakes the receiver. Returns how many messages had to go.
    pub(crate) fn commit(&self) -> u64 {
        let mut stage = lock(&self.stage);
        let mut waiting = lock(&self.waiting);
        waiting.bytes += stage.messages.iter().map(Message::cost).sum::<usize>();
        waiting.messages.extend(stage.messages.drain(..));
        stage.messages.shrink_to(STAGE_KEPT_MAX);
        let dropped = self.trim(&mut waiting);
        let waker = waiting.waker.take();
        drop((stage, waiting));
        if let Some(waker) = waker {
            waker.wake();
        }
        self.missed_here.fetch_add(dropped, Ordering::Relaxed);
        dropped
    }

    fn trim(&self, waiting: &mut Waiting) -> u64 {
        let mut dropped = 0;
        while waiting.messages.len() > self.messages_max
            || (waiting.bytes > self.bytes_max && waiting.messages.len() > 1)
        {
            let Some(oldest) = waiting.messages.pop_front() else { break };
            waiting.bytes = waiting.bytes.saturating_sub(oldest.cost());
            dropped += 1;
        }
        dropped
    }

    /// Moves messages to `taken`, up to [`TAKE_MAX`]. `Ready(false)` if the queue has ended and is empty. Without a context
    /// nobody is woken later.
    pub(crate) fn poll_take(&self, taken: &mut VecDeque<Message>, cx: Option<&Context<'_>>) -> Poll<bool> {
        let mut waiting = lock(&self.waiting);
        if waiting.messages.is_empty() {
            if waiting.ended {
                return Poll::Ready(false);
            }
            if let Some(cx) = cx
                && !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                waiting.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        // Of a queue that is to hold few messages, few may wait outside it: they are not trimmed there.
        let most = TAKE_MAX.min(self.messages_max.div_ceil(8));
        let count = waiting.messages.len().min(most);
        taken.extend(waiting.messages.drain(..count));
        let cost: usize = taken.iter().rev().take(count).map(Message::cost).sum();
        waiting.bytes = waiting.bytes.saturating_sub(cost);
        if waiting.messages.is_empty() && waiting.messages.capacity() > 4 * TAKE_MAX {
            waiting.messages.shrink_to(TAKE_MAX);
        }
        Poll::Ready(true)
    }

    /// No message will come any more. What waits can still be taken.
    pub(crate) fn end(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.ended = true;
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        let waiting = lock(&self.waiting);
        waiting.ended && waiting.messages.is_empty()
    }

    pub(crate) fn add_missed_at_server(&self, messages: u64) {
        self.missed_at_server.fetch_add(messages, Ordering::Relaxed);
    }

    /// What was missed, here and at the server.
    pub(crate) fn missed(&self) -> u64 {
        self.missed_here.load(Ordering::Relaxed).saturating_add(self.missed_at_server.load(Ordering::Relaxed))
    }
}

impl Stage {
    /// Topic and value behind each other, in the shared block if they are small.
    fn copy(&mut self, topic: &[u8], value: &[u8]) -> Bytes {
        let len = topic.len().saturating_add(value.len());
        if len >= SHARED_BYTES_MAX {
            let mut own = Vec::with_capacity(len);
            own.extend_from_slice(topic);
            own.extend_from_slice(value);
            return own.into();
        }
        if self.block.capacity() < len {
            // Takes the old block back if all of its messages are gone, and a new one otherwise.
            self.block.reserve(BLOCK_BYTES);
        }
        self.block.put_slice(topic);
        self.block.put_slice(value);
        self.block.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(queue: &Queue, range: std::ops::Range<u32>) -> u64 {
        for number in range {
            queue.stage("t", &number.to_be_bytes(), None);
        }
        queue.commit()
    }

    fn take_all(queue: &Queue) -> Vec<u32> {
        let mut taken = VecDeque::new();
        while queue.poll_take(&mut taken, None) == Poll::Ready(true) {}
        taken.iter().map(|m| u32::from_be_bytes(m.value().try_into().expect("4 bytes"))).collect()
    }

    #[test]
    fn the_oldest_goes_first_and_is_counted() {
        let queue = Queue::new("t".into(), 10, 1 << 20);
        assert_eq!(fill(&queue, 0..8), 0);
        assert_eq!(fill(&queue, 8..25), 15);
        assert_eq!(queue.missed(), 15);
        assert_eq!(take_all(&queue), (15..25).collect::<Vec<_>>());
        queue.add_missed_at_server(5);
        assert_eq!(queue.missed(), 20);
    }

    #[test]
    fn bytes_are_a_bound_too() {
        let one = Message::new(Bytes::from_static(b"t0000"), 1, None).cost();
        let queue = Queue::new("t".into(), 1000, 3 * one);
        assert_eq!(fill(&queue, 0..10), 7);
        assert_eq!(take_all(&queue), [7, 8, 9]);
        assert_eq!(lock(&queue.waiting).bytes, 0);
    }

    #[test]
    fn one_message_always_may_wait() {
        let queue = Queue::new("t".into(), 0, 0);
        assert_eq!(fill(&queue, 0..3), 2);
        assert_eq!(take_all(&queue), [2]);
    }

    #[test]
    fn an_ended_queue_gives_what_it_has() {
        let queue = Queue::new("t".into(), 8, 1 << 20);
        fill(&queue, 0..2);
        queue.end();
        assert!(!queue.has_ended());
        let mut taken = VecDeque::new();
        assert_eq!(queue.poll_take(&mut taken, None), Poll::Ready(true));
        assert_eq!(queue.poll_take(&mut taken, None), Poll::Ready(true));
        assert_eq!(queue.poll_take(&mut taken, None), Poll::Ready(false));
        assert!(queue.has_ended());
    }

    #[test]
    fn large_and_small_messages_keep_their_bytes() {
        let fill = |len: usize| u8::try_from(len % 251).expect("it is small");
        let queue = Queue::new("t".into(), 100, 1 << 30);
        for len in [0, 1, 100, SHARED_BYTES_MAX - 2, SHARED_BYTES_MAX, BLOCK_BYTES, 100_000] {
            queue.stage("topic", &vec![fill(len); len], None);
        }
        queue.commit();
        let mut taken = VecDeque::new();
        while queue.poll_take(&mut taken, None) == Poll::Ready(true) {}
        let lens: Vec<usize> = taken.iter().map(|m| m.value().len()).collect();
        assert_eq!(lens, [0, 1, 100, SHARED_BYTES_MAX - 2, SHARED_BYTES_MAX, BLOCK_BYTES, 100_000]);
        for message in taken {
            assert_eq!(message.topic(), "topic");
            assert!(message.value().iter().all(|&byte| byte == fill(message.value().len())));
        }
    }

    #[test]
    fn only_the_first_staged_of_a_batch_says_so() {
        let queue = Queue::new("t".into(), 10, 1 << 20);
        assert!(queue.stage("t", b"\xc0", None));
        assert!(!queue.stage("t", b"\xc0", None));
        queue.commit();
        assert!(queue.stage("t", b"\xc0", None));
    }
}
