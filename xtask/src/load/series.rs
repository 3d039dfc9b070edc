//! The run, second by second: what was sent and delivered, how late, and what the peer used.
//!
//! Receiving threads put the histograms of full seconds into the [`Exchange`]; the main thread's [`Recorder`] merges them, gives empty
//! ones back, and keeps of each second its figures and a compressed histogram. So memory grows by some kilobytes a second, not by the size
//! of a histogram. A second belongs to when a message arrived.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::Serialize;

use super::latency::{LatencySummary, Pair, SECOND, add, histogram, micros};
use super::outcome::Sample;
use crate::sync::lock;

/// Empty histograms that are kept for later: one for each thread is in use, and a second or two of each is on its way. A guess.
const SPARE_MAX: usize = 64;
/// Seconds whose histograms are kept whole: threads hand them over within moments of one another.
const OPEN_SECONDS: usize = 3;

/// Where receiving threads put full seconds, and take empty histograms from. Locked once a second by each.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    full: Mutex<Vec<(u32, Pair)>>,
    empty: Mutex<Vec<Pair>>,
}

impl Exchange {
    /// An empty pair of histograms.
    pub(crate) fn empty(&self) -> Pair {
        let spare = lock(&self.empty).pop();
        spare.unwrap_or_else(Pair::new)
    }

    /// Hands over a second's histograms.
    pub(crate) fn put(&self, second: u32, pair: Pair) {
        lock(&self.full).push((second, pair));
    }

    /// What was handed over since.
    pub(crate) fn take(&self) -> Vec<(u32, Pair)> {
        std::mem::take(&mut *lock(&self.full))
    }

    /// Takes a pair back that is needed no more.
    fn give_back(&self, mut pair: Pair) {
        pair.clear();
        let mut spare = lock(&self.empty);
        if spare.len() < SPARE_MAX {
            spare.push(pair);
        }
    }
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Second {
    /// When it ended, in seconds since measuring began.
    pub(crate) end_s: f64,
    /// Messages published in it.
    pub(crate) sent: u64,
    /// Messages that arrived in it, all subscribers together.
    pub(crate) delivered: u64,
    /// Messages that the peer said in it that it had left out.
    pub(crate) skipped: u64,
    pub(crate) sent_per_s: f64,
    pub(crate) delivered_per_s: f64,
    /// From the intended send time.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    /// From the hand-over to the socket.
    pub(crate) raw_p50_us: Option<f64>,
    pub(crate) raw_p99_us: Option<f64>,
    /// Processor seconds of the peer a second.
    pub(crate) peer_cpu_cores: Option<f64>,
    /// Processor seconds of the load test itself a second.
    pub(crate) generator_cpu_cores: Option<f64>,
    /// Resident memory of the peer at its end.
    pub(crate) peer_resident_bytes: Option<u64>,
}

/// The latencies of one second, small.
#[derive(Debug, Clone, PartialEq)]
struct Closed {
    /// The corrected histogram in HDR's V2 encoding.
    corrected: Vec<u8>,
    raw: Vec<u8>,
}

/// The histograms of one second of the measured time, for the logs.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    /// Which second, from 0.
    pub(crate) second: u32,
    pub(crate) corrected: Histogram<u64>,
    pub(crate) raw: Histogram<u64>,
}

/// Everything that was measured of the latency: for summaries, charts and logs.
#[derive(Clone, PartialEq)]
pub(crate) struct Recording {
    /// All seconds together.
    pub(crate) total: Pair,
    /// The schedule's lag of the generator: how much later than intended messages left.
    pub(crate) lag: Histogram<u64>,
    /// When measuring began, on the wall clock.
    pub(crate) started: SystemTime,
    closed: BTreeMap<u32, Closed>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The counters of a histogram fill many screens.
        write!(f, "Recording of {} messages in {} seconds", self.total.corrected.len(), self.closed.len())
    }
}

impl Recording {
    /// Nothing measured.
    pub(crate) fn new() -> Self {
        Self { total: Pair::new(), lag: histogram(), started: SystemTime::now(), closed: BTreeMap::new() }
    }

    /// The seconds, in order.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = Interval> {
        self.closed.iter().map(|(&second, closed)| Interval {
            second,
            corrected: decode(&closed.corrected),
            raw: decode(&closed.raw),
        })
    }

    fn close(&mut self, second: u32, pair: &Pair) {
        let closed = match self.closed.get(&second) {
            None => Closed { corrected: encode(&pair.corrected), raw: encode(&pair.raw) },
            Some(before) => {
                let mut merged = Pair { corrected: decode(&before.corrected), raw: decode(&before.raw) };
                merged.add(pair);
                Closed { corrected: encode(&merged.corrected), raw: encode(&merged.raw) }
            }
        };
        self.closed.insert(second, closed);
    }
}

/// A histogram in HDR's V2 encoding, without compression: most of its counters are zero, and runs of them take a byte or two.
fn encode(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if V2Serializer::new().serialize(histogram, &mut bytes).is_err() {
        // Writing to memory cannot fail, and no counter comes near the encoding's bound of 2^63.
        bytes.clear();
    }
    bytes
}

/// The other way.
fn decode(bytes: &[u8]) -> Histogram<u64> {
    let mut merged = histogram();
    if let Ok(decoded) = Deserializer::new().deserialize::<u64, _>(&mut &*bytes) {
        add(&mut merged, &decoded);
    }
    merged
}

/// The main thread's side: takes seconds in, and samples in between.
#[derive(Debug)]
pub(crate) struct Recorder {
    exchange: Arc<Exchange>,
    recording: Recording,
    open: BTreeMap<u32, Pair>,
    samples: Vec<Sample>,
}

impl Recorder {
    /// For the threads that hand over to `exchange`.
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange, recording: Recording::new(), open: BTreeMap::new(), samples: Vec::new() }
    }

    /// Takes the state at the end of a second; the first sample is that at the start of what is measured.
    pub(crate) fn sample(&mut self, sample: Sample) {
        if self.samples.is_empty() {
            self.recording.started = SystemTime::now();
        }
        self.samples.push(sample);
        self.collect();
    }

    /// Merges what the threads handed over. Called between samples too, it only keeps the memory small.
    pub(crate) fn collect(&mut self) {
        for (second, pair) in self.exchange.take() {
            match self.open.get_mut(&second) {
                Some(open) => {
                    open.add(&pair);
                    self.exchange.give_back(pair);
                }
                None => {
                    self.open.insert(second, pair);
                }
            }
        }
        while self.open.len() > OPEN_SECONDS {
            self.close_first();
        }
    }

    fn close_first(&mut self) {
        if let Some((second, pair)) = self.open.pop_first() {
            self.recording.total.add(&pair);
            self.recording.close(second, &pair);
            self.exchange.give_back(pair);
        }
    }

    /// How many seconds have ended.
    pub(crate) fn seconds(&self) -> usize {
        self.samples.len().saturating_sub(1)
    }

    /// The last second that has ended, as far as its latencies have been handed over; for the progress.
    pub(crate) fn latest(&self) -> Option<Second> {
        let [.., before, after] = self.samples.as_slice() else { return None };
        let second = u32::try_from(self.samples.len() - 2).unwrap_or(u32::MAX);
        let start = self.samples.first()?.time;
        Some(row(start, [before, after], self.open.get(&second)))
    }

    /// Everything, once all threads have finished.
    pub(crate) fn finish(mut self) -> (Recording, Vec<Second>) {
        self.collect();
        while !self.open.is_empty() {
            self.close_first();
        }
        let start = self.samples.first().map_or(0, |sample| sample.time);
        let mut rows = Vec::new();
        let mut intervals = self.recording.intervals().peekable();
        for (second, samples) in (0_u32..).zip(self.samples.windows(2)) {
            let [before, after] = samples else { continue };
            // The last one may be longer than a second: it takes the rest, but for what arrived after it.
            let is_last = rows.len() + 2 == self.samples.len();
            let ends = after.time.saturating_sub(start).div_ceil(SECOND);
            let belongs = |at: &Interval| at.second == second || (is_last && u64::from(at.second) < ends);
            let mut pair: Option<Pair> = None;
            while let Some(Interval { corrected, raw, .. }) = intervals.next_if(belongs) {
                let part = Pair { corrected, raw };
                match &mut pair {
                    None => pair = Some(part),
                    Some(pair) => pair.add(&part),
                }
            }
            rows.push(row(start, [before, after], pair.as_ref()));
        }
        drop(intervals);
        (self.recording, rows)
    }
}

/// The figures between two samples.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
fn row(start: u64, [before, after]: [&Sample; 2], latencies: Option<&Pair>) -> Second {
    let nanos = after.time.saturating_sub(before.time);
    let seconds = nanos as f64 / SECOND as f64;
    let rate = |count: u64| if nanos == 0 { 0.0 } else { count as f64 / seconds };
    let [sent, delivered, skipped] = [
        after.sent.saturating_sub(before.sent),
        after.delivered.saturating_sub(before.delivered),
        after.skipped.saturating_sub(before.skipped),
    ];
    let cores = |before: Option<std::time::Duration>, after: Option<std::time::Duration>| {
        Some(after?.saturating_sub(before?).as_secs_f64() / seconds).filter(|cores| cores.is_finite())
    };
    let corrected = latencies.and_then(|pair| LatencySummary::of(&pair.corrected));
    let raw = latencies.map(|pair| &pair.raw).filter(|raw| !raw.is_empty());
    Second {
        end_s: after.time.saturating_sub(start) as f64 / SECOND as f64,
        sent,
        delivered,
        skipped,
        sent_per_s: rate(sent),
        delivered_per_s: rate(delivered),
        p50_us: corrected.map(|summary| summary.p50_us),
        p99_us: corrected.map(|summary| summary.p99_us),
        p999_us: corrected.map(|summary| summary.p999_us),
        max_us: corrected.map(|summary| summary.max_us),
        raw_p50_us: raw.map(|raw| micros(raw.value_at_quantile(0.5))),
        raw_p99_us: raw.map(|raw| micros(raw.value_at_quantile(0.99))),
        peer_cpu_cores: cores(before.peer_cpu, after.peer_cpu),
        generator_cpu_cores: cores(before.own_cpu, after.own_cpu),
        peer_resident_bytes: after.peer_resident_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, sent: u64, delivered: u64) -> Sample {
        Sample {
            time: 77 + second * SECOND,
            sent,
            delivered,
            skipped: second,
            peer_cpu: Some(std::time::Duration::from_millis(second * 500)),
            own_cpu: None,
            peer_resident_bytes: Some(1_000 + second),
        }
    }

    fn put(exchange: &Exchange, second: u32, micros: u64, count: u64) {
        let mut pair = exchange.empty();
        pair.corrected.record_n(micros * 1_000, count).unwrap();
        pair.raw.record_n(micros * 500, count).unwrap();
        exchange.put(second, pair);
    }

    #[test]
    fn seconds_of_several_threads_become_one_series() {
        let exchange = Arc::new(Exchange::default());
        let mut recorder = Recorder::new(Arc::clone(&exchange));
        recorder.sample(sample(0, 100, 50));
        assert_eq!(recorder.latest(), None);
        for second in 0..8 {
            put(&exchange, second, 100, 3);
            put(&exchange, second, 200, 1);
            recorder.sample(sample(u64::from(second) + 1, 110 + u64::from(second) * 10, 60));
            assert_eq!(recorder.latest().unwrap().sent, 10);
            assert!(recorder.open.len() <= OPEN_SECONDS);
        }
        // A thread that was held up hands over a second that was closed long ago.
        put(&exchange, 1, 9_000, 1);
        let (recording, rows) = recorder.finish();
        assert_eq!((recording.total.corrected.len(), recording.total.raw.len()), (33, 33));
        assert_eq!(
            recording.intervals().map(|i| i.corrected.len()).collect::<Vec<_>>(),
            [4, 5, 4, 4, 4, 4, 4, 4]
        );
        assert_eq!(rows.len(), 8);
        assert_eq!((rows[2].sent, rows[2].delivered, rows[0].delivered, rows[3].skipped), (10, 0, 10, 1));
        assert!((rows[7].end_s - 8.0).abs() < 1e-9 && (rows[7].sent_per_s - 10.0).abs() < 1e-9);
        assert!(
            (rows[0].p50_us.unwrap() - 100.0).abs() < 0.2 && (rows[0].max_us.unwrap() - 200.0).abs() < 0.2
        );
        assert!((rows[0].raw_p50_us.unwrap() - 50.0).abs() < 0.1);
        assert!((rows[1].max_us.unwrap() - 9_000.0).abs() < 9.0);
        assert!((rows[0].peer_cpu_cores.unwrap() - 0.5).abs() < 1e-9);
        assert_eq!((rows[0].generator_cpu_cores, rows[0].peer_resident_bytes), (None, Some(1_001)));
    }

    #[test]
    fn a_silent_second_has_no_latency() {
        let exchange = Arc::new(Exchange::default());
        let mut recorder = Recorder::new(Arc::clone(&exchange));
        for second in 0..4 {
            recorder.sample(sample(second, second, 0));
        }
        put(&exchange, 1, 100, 1);
        let (_, rows) = recorder.finish();
        let known: Vec<bool> = rows.iter().map(|row| row.p50_us.is_some()).collect();
        assert_eq!(known, [false, true, false]);
    }

    #[test]
    fn a_last_second_that_is_longer_takes_the_rest() {
        let exchange = Arc::new(Exchange::default());
        let mut recorder = Recorder::new(Arc::clone(&exchange));
        recorder.sample(sample(0, 0, 0));
        recorder.sample(Sample { time: 77 + SECOND * 14 / 10, ..sample(1, 7, 7) });
        for second in 0..4 {
            put(&exchange, second, u64::from(second + 1) * 100, 1);
        }
        let (recording, rows) = recorder.finish();
        assert_eq!((rows.len(), recording.total.raw.len()), (1, 4));
        assert!((rows[0].max_us.unwrap() - 200.0).abs() < 0.2, "{rows:?}");
    }
}
