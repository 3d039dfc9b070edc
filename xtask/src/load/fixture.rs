//! Results that look like real ones, for the tests of everything that shows or compares results.

use std::sync::Arc;
use std::time::Duration;

use super::latency::SECOND;
use super::outcome::{Figure, Measured, Outcome, Sample};
use super::scenario::{Scenario, Times};
use super::series::{Exchange, Recorder};
use super::subscriber::Books;
use super::tracker::Counts;

/// Seconds of the measured time.
const SECONDS: u32 = 8;

/// A result in which every figure is known: 10,000 messages a second for 8 seconds, with a stall in the sixth.
pub(crate) fn outcome() -> Outcome {
    let times = Times {
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(SECONDS.into()),
        drain: Duration::from_secs(1),
    };
    let scenario = Scenario::new(1, 1, 1, &[], times).unwrap().with_rate(Some(10_000.0));
    let exchange = Arc::new(Exchange::default());
    let mut recorder = Recorder::new(Arc::clone(&exchange));
    let sample = |second: u32| {
        let n = u64::from(second);
        Sample {
            time: SECOND * (n + 1),
            sent: 10_000 * (n + 1),
            delivered: 10_000 * (n + 1) - 3,
            skipped: 0,
            peer_cpu: Some(Duration::from_millis(40 * n)),
            own_cpu: Some(Duration::from_millis(110 * n)),
            peer_resident_bytes: Some(9_000_000 + 4_096 * n),
        }
    };
    recorder.sample(sample(0));
    for second in 0..SECONDS {
        let mut pair = exchange.empty();
        for message in 0..10_000_u64 {
            // A spread as of a real run: most near 45 us, a tail of some milliseconds.
            let tail = (message * 7_919) % 10_000;
            let spread =
                30_000 + tail * 4 + if tail > 9_900 { (tail - 9_900) * (tail - 9_900) * 300 } else { 0 };
            let stalled = if second == 5 && message < 500 { (500 - message) * 400_000 } else { 0 };
            pair.corrected.saturating_record(spread + stalled);
            pair.raw.saturating_record(spread + if stalled > 199_000_000 { stalled } else { 0 });
        }
        exchange.put(second, pair);
        recorder.sample(sample(second + 1));
    }
    let (mut recording, series) = recorder.finish();
    for lag in 0..1_000_u64 {
        recording.lag.saturating_record(5_000 + lag * 10);
    }
    let sent = 10_000 * u64::from(SECONDS + 1);
    let counts = Counts { received: sent, ..Counts::default() };
    let books = [Books { counts, expected: sent, ..Books::default() }];
    let mut outcome = Outcome::new(Measured {
        peer: "broker".to_owned(),
        protocol: "native".to_owned(),
        scenario: scenario.summary(None),
        payload_bytes: scenario.size,
        samples: [sample(0), sample(SECONDS)],
        sent,
        due: Some(90_000.0),
        books: &books,
        recording,
        series,
    });
    outcome.figures.push(Figure::new("connects_per_s", 12_000.0));
    outcome
}
