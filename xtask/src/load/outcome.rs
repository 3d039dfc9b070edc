//! What a run found: figures of the measured time, and checks over the whole run.

use std::time::Duration;

use serde::Serialize;

use super::latency::LatencySummary;
use super::run::{Peer, Target, per_second, total};
use super::scenario::{Scenario, ScenarioSummary};
use super::subscriber::Books;

/// The state of a run at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Nanoseconds on the run's clock.
    pub(crate) time: u64,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) peer_cpu: Option<Duration>,
    pub(crate) own_cpu: Option<Duration>,
    pub(crate) peer_resident_bytes: Option<u64>,
}

/// What became of all messages, from the first to the last, the warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Checks {
    /// Messages published.
    pub(crate) sent: u64,
    /// Messages that subscribers were to get, all together.
    pub(crate) expected: u64,
    /// Messages that subscribers got, each once.
    pub(crate) delivered: u64,
    /// Messages that the broker said (`Lagged`) it had left out because a subscriber was slow.
    pub(crate) skipped: u64,
    /// Messages that never came, and that the broker did not own up to.
    pub(crate) lost: u64,
    /// Messages that came twice.
    pub(crate) duplicated: u64,
    /// Messages that came after a later one of the same publisher.
    pub(crate) reordered: u64,
    /// Messages that were changed on the way, or that were not asked for.
    pub(crate) corrupt: u64,
    /// Messages that the broker said it had left out, but did not.
    pub(crate) miscounted: u64,
}

impl Checks {
    fn new(sent: u64, books: &[Books]) -> Self {
        let Books { counts, expected, skipped, .. } = total(books);
        let lost = books.iter().map(|books| books.missing.saturating_sub(books.skipped)).sum();
        let miscounted = books.iter().map(|books| books.skipped.saturating_sub(books.missing)).sum();
        Self {
            sent,
            expected,
            delivered: counts.received,
            skipped,
            lost,
            duplicated: counts.duplicated,
            reordered: counts.reordered,
            corrupt: counts.corrupt,
            miscounted,
        }
    }

    /// Whether the peer kept its promises. What a policy skipped, and told, is no breach.
    pub(crate) fn hold(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.corrupt + self.miscounted == 0
    }
}

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// `broker` or `relay`.
    pub(crate) peer: &'static str,
    pub(crate) scenario: ScenarioSummary,
    /// Seconds measured.
    pub(crate) seconds: f64,
    pub(crate) sent_per_s: f64,
    pub(crate) delivered_per_s: f64,
    /// Payload delivered, in 10^6 bytes a second.
    pub(crate) delivered_mb_per_s: f64,
    /// Processor seconds of the peer for a million delivered messages.
    pub(crate) peer_cpu_s_per_million: Option<f64>,
    /// Processor seconds of the peer a second: 1 is a whole core.
    pub(crate) peer_cpu_cores: Option<f64>,
    /// Processor seconds of the load test itself a second.
    pub(crate) generator_cpu_cores: Option<f64>,
    /// Resident memory of the peer at the end.
    pub(crate) peer_resident_bytes: Option<u64>,
    /// From the intended send time to the read that the message came with.
    pub(crate) latency: Option<LatencySummary>,
    /// With a rate: the share of the messages that were due that could be sent.
    pub(crate) sent_of_due: Option<f64>,
    pub(crate) checks: Checks,
}

impl Outcome {
    /// From the samples at the start and at the end of what is measured, and from what the subscribers noted. `sent` is how many
    /// messages were sent and, with a rate, how many were due.
    #[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
    pub(crate) fn new(
        scenario: &Scenario,
        window: Option<u64>,
        target: Target,
        [before, after]: [Sample; 2],
        (sent, due): (u64, Option<f64>),
        books: &[Books],
        latency: Option<LatencySummary>,
    ) -> Self {
        let nanos = after.time - before.time;
        let seconds = nanos as f64 / 1e9;
        let delivered = after.delivered - before.delivered;
        let delivered_per_s = per_second(delivered, nanos);
        let used = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?).as_secs_f64())
        };
        let peer_cpu = used(before.peer_cpu, after.peer_cpu);
        Self {
            peer: match target.peer {
                Peer::Broker => "broker",
                Peer::Relay => "relay",
            },
            scenario: scenario.summary(window),
            seconds,
            sent_per_s: per_second(after.sent - before.sent, nanos),
            delivered_per_s,
            delivered_mb_per_s: delivered_per_s * scenario.size as f64 / 1e6,
            peer_cpu_s_per_million: peer_cpu.filter(|_| delivered > 0).map(|s| s * 1e6 / delivered as f64),
            peer_cpu_cores: peer_cpu.map(|s| s / seconds),
            generator_cpu_cores: used(before.own_cpu, after.own_cpu).map(|s| s / seconds),
            peer_resident_bytes: after.peer_resident_bytes,
            latency,
            sent_of_due: due.map(|due| (sent as f64 / due).min(1.0)),
            checks: Checks::new(sent, books),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tracker::Counts;

    #[test]
    fn what_the_broker_owns_up_to_is_not_lost() {
        let books = |received, missing, skipped| Books {
            counts: Counts { received, ..Counts::default() },
            expected: received + missing,
            missing,
            skipped,
        };
        let checks = Checks::new(10, &[books(10, 0, 0), books(4, 6, 6)]);
        assert_eq!((checks.delivered, checks.skipped, checks.lost), (14, 6, 0));
        assert!(checks.hold());
        // One subscriber's excess does not make up for another's loss.
        let checks = Checks::new(10, &[books(8, 2, 0), books(10, 0, 2)]);
        assert_eq!((checks.lost, checks.miscounted), (2, 2));
        assert!(!checks.hold());
    }
}
