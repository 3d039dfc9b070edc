//! Sessions as monitoring shows them: those that there are, and the last of those that there were.

use std::collections::VecDeque;
use std::sync::Mutex;

use broker_core::outbox::SlowNews;
use broker_core::reason::CloseReason;
use broker_core::{Now, SessionInfo, Totals};

use crate::sync::lock;

/// Closed sessions that are remembered: some hundred KiB.
const CLOSED_MAX: usize = 1_000;

/// What is known of a session at one moment. It holds nothing of the session alive.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: u64,
    pub(crate) protocol: &'static str,
    pub(crate) address: String,
    pub(crate) started: Now,
    pub(crate) heard_monotonic_ms: u64,
    pub(crate) name: String,
    pub(crate) lang: String,
    pub(crate) version: String,
    pub(crate) user: String,
    pub(crate) queue_bytes: usize,
    pub(crate) subscriptions: usize,
    pub(crate) totals: Totals,
    /// Since when it has been slow, or was at its end, if so.
    pub(crate) slow: Option<SlowNews>,
    /// When and why it ended, if it did.
    pub(crate) end: Option<(Now, CloseReason)>,
}

impl Snapshot {
    /// A session that goes on.
    pub(crate) fn of(info: &SessionInfo) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Snapshot {
            id: info.id,
            protocol: info.protocol,
            address: info.address.clone(),
            started: info.started,
            heard_monotonic_ms: info.heard_monotonic_ms(),
            name: text(info.name()),
            lang: text(info.lang()),
            version: text(info.version()),
            user: text(info.user()),
            queue_bytes: info.queue_bytes(),
            subscriptions: info.subscriptions(),
            totals: info.totals(),
            slow: info.slow(),
            end: None,
        }
    }

    /// When it was heard last, in milliseconds since 1970.
    pub(crate) fn heard_unix_ms(&self) -> u64 {
        self.started.unix_ms + self.heard_monotonic_ms.saturating_sub(self.started.monotonic_ms)
    }

    /// How long it has lasted, or did, in milliseconds.
    pub(crate) fn age_ms(&self, now: Now) -> u64 {
        self.until(now).saturating_sub(self.started.monotonic_ms)
    }

    /// How long it has been silent, or had been at its end, in milliseconds.
    pub(crate) fn idle_ms(&self, now: Now) -> u64 {
        self.until(now).saturating_sub(self.heard_monotonic_ms)
    }

    fn until(&self, now: Now) -> u64 {
        self.end.as_ref().map_or(now, |(end, _)| *end).monotonic_ms
    }
}

/// The last sessions that ended.
#[derive(Debug, Default)]
pub(crate) struct ClosedSessions(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    sessions: VecDeque<Snapshot>,
    total: u64,
    slow: u64,
}

impl ClosedSessions {
    /// Remembers a session that ended; `subscriptions` are those that it had.
    pub(crate) fn add(&self, info: &SessionInfo, subscriptions: usize, reason: CloseReason, now: Now) {
        let slow = reason == CloseReason::SlowConsumer;
        let session = Snapshot { subscriptions, end: Some((now, reason)), ..Snapshot::of(info) };
        let mut ring = lock(&self.0);
        ring.total += 1;
        ring.slow += u64::from(slow);
        if ring.sessions.len() == CLOSED_MAX {
            ring.sessions.pop_front();
        }
        ring.sessions.push_back(session);
    }

    /// Those that are remembered, the oldest first.
    pub(crate) fn list(&self) -> Vec<Snapshot> {
        lock(&self.0).sessions.iter().cloned().collect()
    }

    /// How many sessions have ended since the start.
    pub(crate) fn total(&self) -> u64 {
        lock(&self.0).total
    }

    /// How many sessions ended because they were too slow, since the start.
    pub(crate) fn slow(&self) -> u64 {
        lock(&self.0).slow
    }
}
