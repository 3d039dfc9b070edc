//! Outboxes in which messages wait for their time, and when that is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use crate::outbox::Outbox;
use crate::sync::{Mutex, lock};

/// An entry may be stale: the outbox then says when to come instead. One that is gone leaves its entries until their time.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    due: Mutex<BinaryHeap<Due>>,
    hook: OnceLock<Hook>,
}

struct Hook(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The earliest is the greatest.
#[derive(Debug)]
struct Due {
    due_ms: Reverse<u64>,
    outbox: Weak<Outbox>,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due_ms.cmp(&other.due_ms)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.due_ms == other.due_ms
    }
}

impl Eq for Due {}

impl Pending {
    /// Called when an outbox is due before all others. The first one stands.
    pub(crate) fn set_hook(&self, hook: Box<dyn Fn() + Send + Sync>) {
        // The first one stands.
        let _ = self.hook.set(Hook(hook));
    }

    /// Somebody has to come to this outbox, if it says so. No lock may be held.
    pub(crate) fn note(&self, outbox: &Arc<Outbox>) {
        let Some(due_ms) = outbox.take_due() else { return };
        if self.push(due_ms, outbox)
            && let Some(Hook(hook)) = self.hook.get()
        {
            hook();
        }
    }

    /// True if it is due before all others.
    pub(crate) fn push(&self, due_ms: u64, outbox: &Arc<Outbox>) -> bool {
        let mut due = lock(&self.due);
        let is_first = due.peek().is_none_or(|first| due_ms < first.due_ms.0);
        due.push(Due { due_ms: Reverse(due_ms), outbox: Arc::downgrade(outbox) });
        is_first
    }

    /// The outboxes that are due, each once for each entry.
    pub(crate) fn pop_due(&self, now_ms: u64) -> Vec<Arc<Outbox>> {
        let mut due = lock(&self.due);
        let mut outboxes = Vec::new();
        while due.peek().is_some_and(|first| first.due_ms.0 <= now_ms) {
            outboxes.extend(due.pop().and_then(|first| first.outbox.upgrade()));
        }
        outboxes
    }

    /// When the next one is due.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        lock(&self.due).peek().map(|first| first.due_ms.0)
    }
}
