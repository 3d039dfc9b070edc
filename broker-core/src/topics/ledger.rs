//! What all topics share: how much there is of them, what became of those that went, and when which message is due to go.
//!
//! A topic writes down here what changes of it, under its own lock, so that the sums are right at every moment.

use super::order::Order;
use super::{Topic, TopicStats};
use crate::Limits;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

#[derive(Debug)]
pub(super) struct Ledger {
    messages_max: usize,
    bytes_max: usize,
    pub(super) value_bytes_max: usize,
    pub(super) count: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    pub(super) evicted: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) cleared: AtomicU64,
    pub(super) oversized: AtomicU64,
    /// Topics whose message has a time to live, by a time that is not later than when it is due. A publish that puts it off touches nothing
    /// here: whoever takes a topic out too early puts it back.
    pub(super) deadlines: Mutex<Order>,
}

impl Ledger {
    pub(super) fn new(limits: &Limits) -> Self {
        Ledger {
            messages_max: limits.retained_messages_max,
            bytes_max: limits.retained_bytes_max,
            // What a topic can note of a value.
            value_bytes_max: limits.retained_value_bytes_max.min(u32::MAX as usize),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            cleared: AtomicU64::new(0),
            oversized: AtomicU64::new(0),
            deadlines: Mutex::new(Order::new(Topic::place_by_deadline)),
        }
    }

    /// Whether a bound is exceeded.
    pub(super) fn is_over(&self) -> bool {
        self.count.load(Relaxed) > self.messages_max || self.bytes.load(Relaxed) > self.bytes_max
    }

    /// What is kept of a topic has another size.
    pub(super) fn resize(&self, before: usize, after: usize) {
        if after > before {
            self.bytes.fetch_add(after - before, Relaxed);
        } else if before > after {
            self.bytes.fetch_sub(before - after, Relaxed);
        }
    }

    pub(super) fn stats(&self) -> TopicStats {
        TopicStats {
            topics: self.count.load(Relaxed),
            retained_bytes: self.bytes.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            expired: self.expired.load(Relaxed),
            cleared: self.cleared.load(Relaxed),
            oversized: self.oversized.load(Relaxed),
        }
    }
}
