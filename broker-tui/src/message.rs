//! Everything that can happen to the dashboard, as data.
//!
//! The time is data too: [`Clock`] is the only clock that the model and the views know.

use std::collections::BTreeMap;
use std::time::Duration;

/// An input of [`update`](crate::update::update).
#[derive(Debug, Clone)]
pub enum Msg {
    /// The time, sent before whatever else happened at that time.
    Clock(Clock),
    /// The terminal has this size now.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The broker, or the connection to it, had something to say.
    Feed(Vec<News>),
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// Time since the dashboard started; never goes back.
    pub up: Duration,
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
}

/// A key, as far as the dashboard cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names on the keys say it")]
pub enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

/// One piece of news from the broker.
#[derive(Debug, Clone)]
pub enum News {
    /// The connection is there.
    Connected {
        /// The number of this session on the broker.
        session: Option<u64>,
    },
    /// The connection is not there, and why.
    Disconnected {
        /// A sentence for people.
        error: String,
    },
    /// A figure of `!system/metrics/<name>`.
    Metric {
        /// The last part of the topic.
        name: String,
        /// The figure.
        value: f64,
    },
    /// The counts of `!system/totals`.
    Totals(BTreeMap<String, u64>),
    /// `!system/server`.
    Server(ServerNews),
    /// `!system/connections`.
    Connections(Table<ConnectionRow>),
    /// `!system/connections/closed`.
    Closed(Table<ClosedRow>),
    /// `!system/events/slow-consumer`, the oldest first.
    Slow(Vec<SlowRow>),
    /// `!system/topics`.
    Topics(Table<TopicRow>),
    /// What the tap of the traffic view brought.
    Traffic(TrafficNews),
    /// Messages of the one topic that is selected, oldest first.
    Watched(Vec<Seen>),
    /// The broker refused a subscription.
    Refused {
        /// The pattern.
        pattern: String,
        /// Why.
        error: String,
    },
}

/// What the broker says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub struct ServerNews {
    /// The program.
    pub server: String,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: Option<u64>,
    /// Where it listens.
    pub listen: Vec<String>,
}

/// Rows that the broker told, of all that there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table<R> {
    /// When the broker sent it, unix ms by its clock; absent if it did not say.
    pub time_ms: Option<u64>,
    /// How many rows there are.
    pub total: u64,
    /// Those that it told.
    pub rows: Vec<R>,
}

/// A connection. Counts are since it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names of docs/protocol.md, in its units")]
pub struct ConnectionRow {
    pub id: u64,
    pub address: String,
    pub name: Option<String>,
    pub protocol: String,
    pub age_ms: u64,
    pub subscriptions: u64,
    pub messages_in: u64,
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub queue_bytes: u64,
    pub lagged: u64,
    pub thinned: u64,
    pub slow: bool,
    /// Of a slow one: for how long, of which subscription, under which policy, and how much it missed in this time.
    pub slow_ms: u64,
    pub pattern: String,
    pub policy: String,
    pub missed: u64,
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names of docs/protocol.md, in its units")]
pub struct ClosedRow {
    pub id: u64,
    pub address: String,
    pub name: Option<String>,
    pub protocol: String,
    pub age_ms: u64,
    pub closed: u64,
    pub reason: String,
    pub detail: String,
    pub subscriptions: u64,
    pub messages_in: u64,
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub lagged: u64,
    pub thinned: u64,
    pub lost: u64,
}

impl ClosedRow {
    /// Messages that it did not get: skipped while it lasted, or still waiting at its end.
    pub fn missed(&self) -> u64 {
        self.lagged.saturating_add(self.lost)
    }
}

/// A session became slow, recovered, or ended while it was slow.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names of docs/protocol.md, in its units")]
pub struct SlowRow {
    pub event: String,
    pub session: u64,
    pub pattern: String,
    pub policy: String,
    pub since: u64,
    pub until: Option<u64>,
    pub missed: u64,
}

/// A topic. Counts are since it was first seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names of docs/protocol.md, in its units")]
pub struct TopicRow {
    pub topic: String,
    pub messages: u64,
    pub bytes: u64,
    pub size: u64,
    pub age_ms: u64,
    /// msgpack; absent where it is longer than the broker tells.
    pub value: Option<Vec<u8>>,
}

/// Messages of the tap since the last news, and what became of the others.
#[derive(Debug, Clone, Default)]
pub struct TrafficNews {
    /// The pattern of the tap that these came through.
    pub pattern: String,
    /// The newest messages, oldest first.
    pub seen: Vec<Seen>,
    /// Messages that arrived here and were dropped before they could be shown.
    pub dropped: u64,
    /// Messages that did not arrive because this dashboard was too slow for the broker.
    pub missed: u64,
}

/// A message that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Its topic.
    pub topic: String,
    /// The beginning of its value, msgpack: at most [`VALUE_KEPT_MAX`] bytes.
    pub value: Vec<u8>,
    /// Bytes of the whole value.
    pub size: usize,
    /// When the broker took it, unix ms; absent if it did not say.
    pub time_ms: Option<u64>,
    /// It was there before the subscription.
    pub retained: bool,
    /// Where an answer goes.
    pub reply: Option<String>,
    /// The key that it was published with.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

/// Bytes of a value that are kept for the payload pane. A guess at what someone reads.
pub const VALUE_KEPT_MAX: usize = 64 * 1024;
