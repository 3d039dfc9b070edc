//! What an outbox counts.

/// The figures of an outbox.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStats {
    /// Messages written out.
    pub messages_out: u64,
    /// Bytes written out, answers and events included.
    pub bytes_out: u64,
    /// Values of messages that publishers handed over, and headers where NATS has them.
    pub payload_bytes_out: u64,
    /// Messages missed: dropped by a policy, or not worth sending any more when their turn came.
    pub lagged: u64,
    /// Messages that were still waiting when the session ended.
    pub lost: u64,
    /// Messages that a subscription with a `max_rate` did not want, because a newer one came.
    pub thinned: u64,
    /// Bytes that wait now.
    pub waiting_bytes: usize,
    /// Bytes whose publishers are held back for them.
    pub held_bytes: usize,
}
