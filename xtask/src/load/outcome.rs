//! What a run found: figures of the measured time, and checks over the whole run.

use std::time::{Duration, SystemTime};

use serde::Serialize;

pub(crate) use super::checks::Checks;
use super::latency::LatencySummary;
use super::metric;
use super::run::{per_second, total};
use super::scenario::ScenarioSummary;
use super::series::{Recording, Second};
use super::subscriber::Books;

/// The state of a run at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Nanoseconds on the run's clock.
    pub(crate) time: u64,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// Messages that the peer said it had left out.
    pub(crate) skipped: u64,
    pub(crate) peer_cpu: Option<Duration>,
    pub(crate) own_cpu: Option<Duration>,
    pub(crate) peer_resident_bytes: Option<u64>,
}

/// What the books of all subscribers say.
fn checks(sent: u64, books: &[Books]) -> Checks {
    let Books { counts, expected, skipped, .. } = total(books);
    let lost = books.iter().map(|books| books.missing.saturating_sub(books.skipped)).sum();
    let miscounted = books.iter().map(|books| books.skipped.saturating_sub(books.missing)).sum();
    Checks {
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

/// A figure that only some scenarios have, such as connections a second. Its name stands in [`metric::FIGURES`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What it is, in lower case with underscores: also the name in `--assert`.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
}

impl Figure {
    /// The figure `name`, whose unit is that of the table.
    pub(crate) fn new(name: &str, value: f64) -> Self {
        let metric = metric::find(name);
        debug_assert!(metric.is_some(), "{name} is missing in metric::FIGURES");
        Self { name: name.to_owned(), value, unit: metric.map_or(Unit::Count, |metric| metric.unit) }
    }
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// A count.
    #[serde(rename = "")]
    Count,
    /// A rate.
    #[serde(rename = "/s")]
    PerSecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Micros,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// Bytes a second.
    #[serde(rename = "B/s")]
    BytesPerSecond,
    /// Bytes an hour.
    #[serde(rename = "B/h")]
    BytesPerHour,
    /// A share of 1.
    #[serde(rename = "1")]
    Share,
    /// Processor seconds a second.
    #[serde(rename = "cores")]
    Cores,
    /// Processor seconds for a million messages.
    #[serde(rename = "s/million")]
    SecondsPerMillion,
}

/// How late the generator itself was, in an open loop: from the intended time to the hand-over to the socket, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the name, also in JSON")]
pub(crate) struct ScheduleLag {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// Whom the messages went through: `broker`, `relay`, `nats-server`, …
    pub(crate) peer: String,
    /// Which protocol was spoken.
    pub(crate) protocol: String,
    pub(crate) scenario: ScenarioSummary,
    /// When measuring began: seconds since 1970.
    pub(crate) started_unix_s: f64,
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
    /// The same as a share of all cores of the machine.
    pub(crate) generator_cpu_share: Option<f64>,
    /// Resident memory of the peer at the end.
    pub(crate) peer_resident_bytes: Option<u64>,
    /// From the intended send time to the read that the message came with.
    pub(crate) latency: Option<LatencySummary>,
    /// The same from the hand-over to the socket: what a load test that waits for a slow peer would have seen.
    pub(crate) raw_latency: Option<LatencySummary>,
    /// With a rate: the share of the messages that were due that could be sent.
    pub(crate) sent_of_due: Option<f64>,
    /// With a rate: how late the generator itself was.
    pub(crate) schedule_lag: Option<ScheduleLag>,
    /// Why the figures say more about the generator than about the peer, if they do.
    pub(crate) limited_by_generator: Option<String>,
    pub(crate) checks: Checks,
    /// What only this scenario measures.
    pub(crate) figures: Vec<Figure>,
    /// The measured time, second by second.
    pub(crate) series: Vec<Second>,
    /// The p99 of each tenth of a second, nanoseconds.
    #[serde(skip)]
    pub(crate) tenths: Vec<u64>,
    /// The histograms behind the latencies.
    #[serde(skip)]
    pub(crate) recording: Recording,
}

/// What a run measured, for [`Outcome::new`].
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    pub(crate) peer: String,
    pub(crate) protocol: String,
    pub(crate) scenario: ScenarioSummary,
    /// Bytes of a payload.
    pub(crate) payload_bytes: usize,
    /// The states at the start and at the end of what is measured.
    pub(crate) samples: [Sample; 2],
    /// Messages sent over the whole run.
    pub(crate) sent: u64,
    /// With a rate: messages that were due over the whole run.
    pub(crate) due: Option<f64>,
    /// What the subscribers noted.
    pub(crate) books: &'a [Books],
    pub(crate) recording: Recording,
    pub(crate) series: Vec<Second>,
}

impl Outcome {
    /// Whether the scenario measures something else than messages: then there is nothing to tell of them.
    pub(crate) fn has_no_messages(&self) -> bool {
        self.seconds == 0.0 && self.checks.expected == 0
    }

    /// From what was measured. The figures of the scenario and the generator's verdict are for the caller to add.
    #[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
    pub(crate) fn new(measured: Measured<'_>) -> Self {
        let Measured { samples: [before, after], sent, recording, .. } = measured;
        let nanos = after.time.saturating_sub(before.time);
        let seconds = nanos as f64 / 1e9;
        let delivered = after.delivered.saturating_sub(before.delivered);
        let delivered_per_s = per_second(delivered, nanos);
        let used = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?).as_secs_f64())
        };
        let peer_cpu = used(before.peer_cpu, after.peer_cpu);
        let generator_cpu_cores = used(before.own_cpu, after.own_cpu).map(|s| s / seconds);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            peer: measured.peer,
            protocol: measured.protocol,
            scenario: measured.scenario,
            started_unix_s: recording
                .started
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
            seconds,
            sent_per_s: per_second(after.sent.saturating_sub(before.sent), nanos),
            delivered_per_s,
            delivered_mb_per_s: delivered_per_s * measured.payload_bytes as f64 / 1e6,
            peer_cpu_s_per_million: peer_cpu.filter(|_| delivered > 0).map(|s| s * 1e6 / delivered as f64),
            peer_cpu_cores: peer_cpu.map(|s| s / seconds),
            generator_cpu_cores,
            generator_cpu_share: generator_cpu_cores.map(|used| used / cores as f64),
            peer_resident_bytes: after.peer_resident_bytes,
            latency: LatencySummary::of(&recording.total.corrected),
            raw_latency: LatencySummary::of(&recording.total.raw),
            sent_of_due: measured.due.map(|due| (sent as f64 / due).min(1.0)),
            schedule_lag: LatencySummary::of(&recording.lag).map(|lag| ScheduleLag {
                p50_us: lag.p50_us,
                p99_us: lag.p99_us,
                max_us: lag.max_us,
            }),
            limited_by_generator: None,
            checks: checks(sent, measured.books),
            figures: Vec::new(),
            series: measured.series,
            tenths: Vec::new(),
            recording,
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
        let checks = checks(10, &[books(10, 0, 0), books(4, 6, 6)]);
        assert_eq!((checks.delivered, checks.skipped, checks.lost), (14, 6, 0));
        assert!(checks.hold());
        // One subscriber's excess does not make up for another's loss.
        let checks = super::checks(10, &[books(8, 2, 0), books(10, 0, 2)]);
        assert_eq!((checks.lost, checks.miscounted), (2, 2));
        assert!(!checks.hold());
    }
}
