//! What differs from one seed to the next: bounds, sizes, how often what happens.

use broker_core::{Limits, NatsOptions};
use fastrand::Rng;

use super::operator::Operator;
use super::rule::Rule;

/// Topics of all worlds: some that many patterns match, one that no wildcard does, and reply addresses, which the broker does not keep.
pub(super) const TOPICS: [&str; 10] =
    ["a.b", "a.c", "a.d", "b.b", "b.c", "c", "d.e.f", "!x.y", "_INBOX.q", "!inbox/q"];

/// The reply addresses among them.
pub(super) const INBOXES: [&str; 2] = ["_INBOX.q", "!inbox/q"];

/// Patterns of native clients.
pub(super) const GLOBS: [&str; 14] = [
    "*", "a.*", "?.b", "a.{b,c}", "c", "a.b", "a.c", "b.[bc]", "!x.*", "!x.y", "d.*", "b.c", "_*", "!inbox/*",
];

/// Patterns of native clients of which no two match the same topic.
pub(super) const DISJOINT_GLOBS: [&str; 8] =
    ["a.{b,c}", "a.d", "b.[bc]", "c", "d.*", "!x.*", "_INBOX.q", "!inbox/*"];

/// Patterns of NATS clients.
pub(super) const SUBJECTS: [&str; 11] =
    [">", "a.*", "*.b", "a.b", "a.c", "c", "d.>", "!x.y", "b.*", "_INBOX.*", "!inbox/q"];

/// Names of groups.
pub(super) const GROUPS: [&str; 2] = ["g", "h"];

/// A deadline that no world comes to.
pub(super) const NO_DEADLINE_MS: u64 = 1 << 40;

/// One world.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) steps: u32,
    pub(super) natives: usize,
    pub(super) nats: usize,
    /// Connections in all, those that come later included.
    pub(super) peers_max: usize,
    pub(super) outbox_bytes_max: usize,
    pub(super) nats_outbox_bytes_max: usize,
    /// What a socket takes before it is read from, in either direction.
    pub(super) socket_bytes: usize,
    /// What a publisher and a writer task write in one turn.
    pub(super) inline_bytes: usize,
    pub(super) turn_bytes: usize,
    /// Bytes of a value: one size in some worlds, so that the bound is met exactly.
    pub(super) value_bytes: Vec<usize>,
    pub(super) policies: Vec<Rule>,
    pub(super) operator: Operator,
    pub(super) groups: bool,
    pub(super) retained: bool,
    pub(super) nats_retained: bool,
    /// Some publishes say that they are not to be retained.
    pub(super) unretained: bool,
    /// Some commands and some publishes clear topics.
    pub(super) clears: bool,
    /// Messages have a life time by a rule.
    pub(super) ruled: bool,
    /// Some publishes have a reply address, headers, a key.
    pub(super) adorned: bool,
    /// Bytes of a value that is retained.
    pub(super) value_bytes_max: usize,
    /// No two patterns of a native session match the same topic.
    pub(super) disjoint: bool,
    /// Some subscriptions have a `max_rate`, some publishes a `ttl`.
    pub(super) rates: bool,
    pub(super) ttl: bool,
    /// How long a subscriber may hold publishers back.
    pub(super) block_ms: u64,
    pub(super) nonsense: bool,
    /// One in so many writes of a socket is cut short.
    pub(super) partial: u32,
    /// One in so many writes lets somebody else go first.
    pub(super) nested: u32,
    /// Commands in one go.
    pub(super) burst: usize,
    /// Clients subscribe and unsubscribe very often.
    pub(super) churn: bool,
}

impl Config {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let pick = |rng: &mut Rng, from: &[usize]| from.get(rng.usize(..from.len())).copied().unwrap_or(1);
        let known = Rule::known();
        // Often one policy alone: then more can be said of what it does.
        let policies = if rng.u32(..3) == 0 { known.clone() } else { vec![one(rng, &known)] };
        let value_bytes = match rng.u32(..6) {
            0 => vec![20, 50, 200],
            1 => vec![20, 1500, 5000],
            2 => vec![20, 200, 20_000],
            _ => vec![50],
        };
        let outbox_bytes_max = match value_bytes.as_slice() {
            // A whole number of frames, see `TOPICS`, or a byte less.
            [50] if rng.bool() => 57 * rng.usize(4..20) - rng.usize(..2),
            [50] => 57 * rng.usize(20..60) - rng.usize(..2),
            _ => pick(rng, &[300, 600, 1000, 4000, 70_000]),
        };
        // With room for what waits for its time, nothing of it goes sooner.
        let rates = rng.u32(..3) == 0;
        let room = if rates && rng.u32(..3) > 0 { 57 * 80 } else { 0 };
        let outbox_bytes_max = outbox_bytes_max.max(room);
        let nats_outbox_bytes_max = match value_bytes.as_slice() {
            [50] => 66 * rng.usize(3..20) - rng.usize(..2),
            _ => pick(rng, &[300, 600, 1000, 4000, 70_000]),
        };
        // Between the sizes that there are.
        let value_bytes_max = match value_bytes.as_slice() {
            [.., most] if *most > 50 && rng.bool() => most / 2,
            _ => usize::MAX,
        };
        let largest = value_bytes.iter().copied().max().unwrap_or(1);
        let ruled = rng.u32(..4) == 0;
        let operator = Operator::new(rng, &known, ruled, value_bytes == [50]);
        // What is kept must be known to the byte; and which topics there are at each moment, which nobody knows while some are cleared.
        let is_exact = operator.bytes_max < usize::MAX;
        let clears = rng.u32(..3) == 0 && !operator.bounds_store();
        Config {
            steps: rng.u32(60..400),
            natives: rng.usize(2..6),
            nats: rng.usize(0..4),
            peers_max: rng.usize(6..14),
            outbox_bytes_max,
            nats_outbox_bytes_max,
            socket_bytes: pick(rng, &[40, 200, 1000, 5000]).max(largest / 4),
            inline_bytes: pick(rng, &[100, 1000, 256 << 10]),
            turn_bytes: pick(rng, &[200, 2000, 1 << 20]),
            value_bytes,
            policies,
            groups: rng.u32(..3) == 0,
            retained: rng.u32(..3) > 0,
            nats_retained: rng.u32(..4) == 0,
            unretained: rng.u32(..3) == 0,
            clears,
            ruled,
            adorned: rng.u32(..3) == 0 && !is_exact,
            operator,
            value_bytes_max,
            disjoint: rng.u32(..4) != 0,
            rates,
            ttl: rng.u32(..3) == 0,
            block_ms: if rng.bool() { NO_DEADLINE_MS } else { rng.u64(10..200) },
            nonsense: rng.u32(..4) == 0,
            partial: rng.u32(1..6),
            nested: rng.u32(2..12),
            burst: pick(rng, &[1, 2, 8, 30]).min(1 + 20_000 / largest),
            churn: rng.u32(..4) == 0,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            outbox_bytes_max: self.outbox_bytes_max,
            policy: self.operator.default_policy(true).policy().unwrap_or_default(),
            idle_timeout_ms: 0,
            block_ms: self.block_ms,
            retained_value_bytes_max: self.value_bytes_max,
            retained_messages_max: self.operator.topics_max,
            retained_bytes_max: self.operator.bytes_max,
            topic_rules: self.operator.topic_rules(),
            ..Limits::default()
        }
    }

    /// Whether clients of NATS publish: what is kept of that takes what the buffers happen to take.
    pub(super) fn nats_publishes(&self) -> bool {
        self.operator.bytes_max == usize::MAX
    }

    /// Whether it matters when a message is taken up to be written.
    pub(super) fn is_timed(&self) -> bool {
        self.rates || self.ttl || self.ruled
    }

    pub(super) fn nats_options(&self) -> NatsOptions {
        NatsOptions {
            policy: self.operator.default_policy(false).policy().unwrap_or_default(),
            retained: self.nats_retained,
            ping_interval_ms: 0,
            auth_required: self.operator.auth_timeout_ms.is_some(),
            auth_timeout_ms: self.operator.auth_timeout_ms.unwrap_or_default(),
            ..NatsOptions::default()
        }
    }
}

fn one(rng: &mut Rng, rules: &[Rule]) -> Rule {
    rules.get(rng.usize(..rules.len().max(1))).copied().unwrap_or(Rule::Skip)
}
