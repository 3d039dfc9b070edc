//! The tables among what the server publishes about itself: connections, closed ones, topics. Made only while somebody looks.

use broker_core::{Broker, Now, SessionInfo, TopicInfo};
use serde::Serialize;

use crate::closed::Snapshot;

/// Rows of a table: a frame of some hundred KiB at the most.
const ROWS_MAX: usize = 1_000;

/// A value up to this size is shown with its topic.
const SHOWN_VALUE_BYTES: usize = 64;

/// Rows, of all that there are.
#[derive(Serialize)]
pub(super) struct Table<T> {
    total: u64,
    rows: Vec<T>,
}

/// What sessions that go on and those that have ended have in common.
#[derive(Serialize)]
pub(super) struct Figures {
    subscriptions: usize,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    lagged: u64,
    thinned: u64,
}

/// Why a session counts as slow.
#[derive(Serialize)]
struct Slow {
    #[serde(rename = "slow_ms")]
    age_ms: u64,
    pattern: String,
    policy: &'static str,
    missed: u64,
}

#[derive(Serialize)]
pub(super) struct ConnectionRow<'a> {
    id: u64,
    address: &'a str,
    name: Option<&'a str>,
    protocol: &'static str,
    age_ms: u64,
    queue_bytes: usize,
    slow: bool,
    #[serde(flatten)]
    why: Option<Slow>,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
pub(super) struct ClosedRow {
    id: u64,
    address: String,
    name: Option<String>,
    protocol: &'static str,
    /// How long it lasted.
    age_ms: u64,
    /// When it ended.
    #[serde(rename = "closed")]
    ended: u64,
    /// The name of the reason, and a sentence for people.
    reason: &'static str,
    detail: String,
    lost: u64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
pub(super) struct TopicRow {
    topic: String,
    messages: u64,
    bytes: u64,
    size: usize,
    age_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<rmpv::Value>,
}

/// The sessions that there are, those with the most messages first.
pub(super) fn connections<'a>(
    sessions: impl ExactSizeIterator<Item = &'a SessionInfo>,
    now: Now,
) -> Table<ConnectionRow<'a>> {
    let total = sessions.len() as u64;
    let mut rows: Vec<_> = sessions.map(|session| connection(session, now)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.figures.messages_in + row.figures.messages_out));
    rows.truncate(ROWS_MAX);
    Table { total, rows }
}

fn connection(session: &SessionInfo, now: Now) -> ConnectionRow<'_> {
    let (totals, slow) = (session.totals(), session.slow());
    ConnectionRow {
        id: session.id,
        address: &session.address,
        name: session.name(),
        protocol: session.protocol,
        age_ms: now.monotonic_ms.saturating_sub(session.started.monotonic_ms),
        queue_bytes: session.queue_bytes(),
        slow: slow.is_some(),
        why: slow.map(|slow| Slow {
            age_ms: now.unix_ms.saturating_sub(slow.since_unix_ms),
            pattern: slow.pattern,
            policy: slow.policy.name(),
            missed: slow.missed,
        }),
        figures: Figures::new(session.subscriptions(), &totals),
    }
}

impl Figures {
    fn new(subscriptions: usize, totals: &broker_core::Totals) -> Self {
        Figures {
            subscriptions,
            messages_in: totals.messages_in,
            messages_out: totals.messages_out,
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            lagged: totals.lagged,
            thinned: totals.thinned,
        }
    }
}

/// The sessions that have ended, of `total` since the start, the last one first. They are given with the oldest first.
pub(super) fn closed(total: u64, sessions: Vec<Snapshot>, now: Now) -> Table<ClosedRow> {
    let rows = sessions.into_iter().rev().take(ROWS_MAX).filter_map(|session| {
        let age_ms = session.age_ms(now);
        let (end, reason) = session.end?;
        Some(ClosedRow {
            id: session.id,
            address: session.address,
            name: Some(session.name).filter(|name| !name.is_empty()),
            protocol: session.protocol,
            age_ms,
            ended: end.unix_ms,
            reason: reason.name(),
            detail: reason.to_string(),
            lost: session.totals.lost,
            figures: Figures::new(session.subscriptions, &session.totals),
        })
    });
    Table { total, rows: rows.collect() }
}

/// The topics that were published to last, the newest first.
pub(super) fn topics(broker: &Broker, now: Now) -> Table<TopicRow> {
    let row = |info: TopicInfo| TopicRow {
        age_ms: now.unix_ms.saturating_sub(info.time_unix_ms),
        topic: info.topic,
        messages: info.messages,
        bytes: info.bytes,
        size: info.size,
        // Bounded in size, and so in depth, which the decoder recurses on.
        value: info.value.and_then(|value| rmpv::decode::read_value(&mut value.as_slice()).ok()),
    };
    let rows = broker.recent_topics(ROWS_MAX, SHOWN_VALUE_BYTES).into_iter().map(row).collect();
    Table { total: broker.topic_stats().topics as u64, rows }
}
