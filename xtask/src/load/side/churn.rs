//! Sessions that subscribe to many patterns and unsubscribe from them, round after round, and wait for every answer.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;

use super::{Findings, Stage, Work};
use crate::load::clock::nanos;
use crate::load::latency::{add, histogram, micros};
use crate::load::peer::Target;
use crate::load::protocol::{Filter, Terms};
use crate::load::session::Session;

/// Most sessions: each has a thread.
const SESSIONS_MAX: usize = 64;

/// One session.
#[derive(Debug)]
struct Churner {
    session: Session,
    filters: Vec<Filter>,
}

impl Churner {
    /// Rounds until the run ends. The first subscribe of each round is timed alone, the others go together.
    fn run(&mut self, stage: &Stage, pause: Duration) -> Result<(u64, Histogram<u64>)> {
        let (mut done, mut times) = (0, histogram());
        let mut going = stage.wait_for_start();
        while going {
            let (first, rest) = self.filters.split_at(1);
            let started = Instant::now();
            self.session.subscribe_to(first, Terms::default())?;
            times.saturating_record(nanos(started.elapsed()));
            self.session.subscribe_to(rest, Terms::default())?;
            self.session.unsubscribe_from(&self.filters)?;
            done += 2 * self.filters.len() as u64;
            going = if pause.is_zero() { stage.goes_on() } else { stage.sleep(pause) };
        }
        Ok((done, times))
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Churn {
    churners: Vec<Churner>,
    pause: Duration,
}

impl Churn {
    /// Connects.
    pub(super) fn new(target: Target, sessions: usize, patterns: usize, pause: Duration) -> Result<Self> {
        ensure!((1..=SESSIONS_MAX).contains(&sessions), "--sessions is 1 to {SESSIONS_MAX}");
        ensure!(patterns > 0, "--subscriptions has to be 1 or more");
        let churner = |number: usize| {
            let session = Session::open(target.wire, target.address, &format!("churn {number}"))?;
            let globs: Vec<String> = (0..patterns).map(|n| format!("churn/{number}/{n}/*")).collect();
            Ok(Churner { session, filters: Filter::all(target.wire, &globs)? })
        };
        Ok(Self { churners: (0..sessions).map(churner).collect::<Result<_>>()?, pause })
    }
}

impl Work for Churn {
    #[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
    fn run(mut self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let pause = self.pause;
        let found: Vec<Result<(u64, Histogram<u64>)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .churners
                .iter_mut()
                .map(|churner| scope.spawn(move || churner.run(stage, pause)))
                .collect();
            let panicked = |_| Err(anyhow!("a thread of the churn panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        let (mut done, mut times) = (0, histogram());
        for one in found {
            let (count, histogram) = one?;
            done += count;
            add(&mut times, &histogram);
        }
        let seconds = stage.now().saturating_sub(stage.shared.measure_from) as f64 / 1e9;
        let mut findings = Findings::default();
        findings.note("subscribes_per_s", done as f64 / seconds);
        if !times.is_empty() {
            findings.note("subscribe_p50", micros(times.value_at_quantile(0.5)));
            findings.note("subscribe_p99", micros(times.value_at_quantile(0.99)));
        }
        Ok(findings)
    }
}
