//! What a client knows and counts: its state, its server, its numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use broker_core::wire::native::Welcome;

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The connection stands.
    Connected,
    /// The connection is lost; the client tries again.
    Reconnecting,
    /// Closed for good.
    Closed,
}

/// What the server said of itself in its `Welcome`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The program's name.
    pub server: String,
    /// The program's version.
    pub version: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// The number of this client's session.
    pub session: u64,
    /// The largest frame that the server takes, in bytes.
    pub frame_bytes_max: u64,
    /// The longest topic, in bytes.
    pub topic_bytes_max: u64,
    /// The longest pattern, in bytes.
    pub pattern_bytes_max: u64,
    /// How many subscriptions a session may have.
    pub subscriptions_max: u64,
    /// How deep a value may nest.
    pub depth_max: u64,
    /// How many bytes may wait for this client at the server.
    pub outbox_bytes_max: u64,
    /// The name of what the server does at that bound where a subscription does not say; empty if it does not tell.
    pub policy: String,
    /// After how much silence the server closes a session, in milliseconds; 0 for never.
    pub idle_timeout_ms: u64,
}

impl From<Welcome> for ServerInfo {
    fn from(welcome: Welcome) -> Self {
        Self {
            server: welcome.server,
            version: welcome.version,
            protocol: welcome.protocol,
            session: welcome.session,
            frame_bytes_max: welcome.frame_bytes_max,
            topic_bytes_max: welcome.topic_bytes_max,
            pattern_bytes_max: welcome.pattern_bytes_max,
            subscriptions_max: welcome.subscriptions_max,
            depth_max: welcome.depth_max,
            outbox_bytes_max: welcome.outbox_bytes_max,
            policy: welcome.policy,
            idle_timeout_ms: welcome.idle_timeout_ms,
        }
    }
}

/// Counts since the client was made, and two figures of now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages that a publish or a request accepted.
    pub messages_out: u64,
    /// Bytes handed to the socket.
    pub bytes_out: u64,
    /// Messages received from the server, each once.
    pub messages_in: u64,
    /// Bytes read from the socket.
    pub bytes_in: u64,
    /// Messages that this client dropped because a subscription was read too slowly.
    pub missed_here: u64,
    /// Messages that the server dropped because this client was too slow, as it told.
    pub missed_at_server: u64,
    /// Commands that the server refused without having been asked for an answer.
    pub refused: u64,
    /// Messages handed to a connection that broke before the server confirmed them.
    pub unconfirmed: u64,
    /// Messages that a publish had accepted and that were never sent, because the client was closed.
    pub unsent: u64,
    /// How often the client reconnected.
    pub reconnects: u64,
    /// Bytes that wait to be written now.
    pub buffered_bytes: usize,
    /// Subscriptions now; the client's own inbox is one.
    pub subscriptions: usize,
}

/// The counts that the connection's task keeps. It alone adds to them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_out: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) missed_here: Counter,
    pub(crate) missed_at_server: Counter,
    pub(crate) refused: Counter,
    pub(crate) unconfirmed: Counter,
    pub(crate) unsent: Counter,
    pub(crate) reconnects: Counter,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
