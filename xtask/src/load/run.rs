//! One run of a scenario against one peer: connect, start the threads, measure, drain, add up.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::busy;
use super::clock::{Clock, nanos};
use super::flow::Flow;
use super::latency::SECOND;
use super::outcome::{Measured, Outcome, Sample};
use super::peer::Target;
use super::prepare::prepare;
use super::publish::PublishThread;
use super::receive::Received;
use super::scenario::Scenario;
use super::series::{Exchange, Recorder, Second};
use super::shared::Shared;
use super::side::{Findings, Stage, Work};
use super::subscriber::{Books, Subscriber};
use crate::{procfs, signal};

/// How often the main thread looks.
const TICK: Duration = Duration::from_millis(50);

/// Told about progress by the main thread of a run.
pub(crate) trait Watch {
    /// `done` of `total` has gone by; `delivered` messages a second arrive.
    fn tick(&mut self, done: Duration, total: Duration, delivered_per_s: f64);
    /// A second of what is measured has gone by.
    fn second(&mut self, second: &Second);
    /// The run is over.
    fn end(&mut self, _outcome: &Outcome) {}
    /// Whether the peer is still well; an error ends the run.
    fn check(&mut self) -> Result<()>;
}

/// Runs `scenario` against `target`.
pub(crate) fn run(scenario: &Scenario, target: Target, watch: &mut dyn Watch) -> Result<Outcome> {
    scenario.check()?;
    let clock = Clock::start();
    let mut start = 0;
    let exchange = Arc::new(Exchange::default());
    let sides: Vec<Box<dyn Work>> =
        scenario.sides.iter().map(|side| side.prepare(scenario, target)).collect::<Result<_>>()?;
    let prepared = prepare(scenario, target, &clock, &exchange, &mut start)?;
    let times = [scenario.times.warm_up, scenario.times.duration, scenario.times.drain];
    // Where nobody receives, those who publish count what was taken.
    let counting_threads =
        if scenario.to_nobody { prepared.publishing.len() } else { prepared.receiving.len() };
    let shared = Arc::new(Shared::new(clock, start, times, prepared.publishing.len(), counting_threads));
    let publishing: Vec<_> = prepared
        .publishing
        .into_iter()
        .map(|thread| spawn("publish", &shared, move |shared| thread.run(shared)))
        .collect::<Result<_>>()?;
    let receiving: Vec<_> = prepared
        .receiving
        .into_iter()
        .map(|thread| spawn("receive", &shared, move |shared| thread.run(shared)))
        .collect::<Result<_>>()?;
    let stage = Stage::new(Arc::clone(&shared), &prepared.flows);
    let sides: Vec<_> = sides.into_iter().map(|side| spawn_side(side, &stage)).collect::<Result<_>>()?;
    let mut recorder = Recorder::new(exchange);
    let measured = measure(scenario, target, &shared, &prepared.flows, &mut recorder, watch);
    if measured.is_err() {
        shared.abort();
    }
    // The publishers' sockets are held until every subscriber is done: a closed one would let the relay end.
    let publishers: Result<Vec<PublishThread>> = publishing.into_iter().map(join).collect();
    let received: Result<Vec<Received>> = receiving.into_iter().map(join).collect();
    shared.finish();
    let findings: Result<Vec<Findings>> = sides.into_iter().map(join).collect();
    let (findings, publishers, received) = (findings?, publishers?, received?);
    let samples = measured?;
    let received_books = received.iter().flat_map(|thread| thread.subscribers.iter().map(Subscriber::books));
    let books: Vec<Books> = received_books.chain(publishers.iter().flat_map(PublishThread::books)).collect();
    let (mut recording, series) = recorder.finish();
    for thread in &publishers {
        super::latency::add(&mut recording.lag, &thread.lag);
    }
    let sent = sent(&prepared.flows);
    let planned = Duration::from_nanos(shared.until() - shared.start);
    let mut outcome = Outcome::new(Measured {
        peer: target.peer.name().to_owned(),
        protocol: target.wire.name().to_owned(),
        scenario: scenario.summary(prepared.window),
        payload_bytes: scenario.size,
        samples,
        sent,
        due: scenario.rate.map(|rate| rate * planned.as_secs_f64()),
        books: &books,
        recording,
        series,
    });
    outcome.tenths = received.iter().flat_map(|thread| thread.tenths.iter().copied()).collect();
    outcome.limited_by_generator = verdict(&publishers, &received, &outcome);
    for found in findings {
        outcome.checks.lost += found.lost;
        outcome.checks.reordered += found.reordered;
        outcome.checks.miscounted += found.miscounted;
        outcome.figures.extend(found.figures);
    }
    watch.end(&outcome);
    Ok(outcome)
}

/// What the busiest threads on both sides, and the schedule, say of the generator.
fn verdict(publishers: &[PublishThread], received: &[Received], outcome: &Outcome) -> Option<String> {
    let publishing = publishers.iter().filter_map(|thread| thread.busy.share()).max_by(f64::total_cmp);
    let receiving = received.iter().filter_map(|thread| thread.busy.share()).max_by(f64::total_cmp);
    busy::verdict([publishing, receiving], outcome.schedule_lag.map(|lag| lag.p99_us))
}

/// A thread for what happens beside the messages. Its failure ends the run.
fn spawn_side(side: Box<dyn Work>, stage: &Stage) -> Result<JoinHandle<Result<Findings>>> {
    let stage = stage.clone();
    let shared = Arc::clone(&stage.shared);
    spawn("side", &shared, move |shared| {
        let found = side.run(&stage);
        if found.is_err() {
            shared.abort();
        }
        found
    })
}

fn spawn<T: Send + 'static>(
    name: &str,
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(&shared))
        .context("cannot start a thread")
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread of the load test panicked"))?
}

fn sent(flows: &[Arc<Flow>]) -> u64 {
    flows.iter().map(|flow| flow.sent()).sum()
}

/// Watches the run from the main thread, and samples it at the start of what is measured, at the end of each second, and at its end.
/// Returns the first and the last sample.
fn measure(
    scenario: &Scenario,
    target: Target,
    shared: &Shared,
    flows: &[Arc<Flow>],
    recorder: &mut Recorder,
    watch: &mut dyn Watch,
) -> Result<[Sample; 2]> {
    let total = scenario.times.warm_up + scenario.times.duration;
    let sample = || Sample {
        time: shared.clock.now(),
        sent: sent(flows),
        delivered: shared.delivered(),
        skipped: shared.skipped(),
        peer_cpu: target.pid.and_then(procfs::cpu_time),
        own_cpu: procfs::cpu_time(std::process::id()),
        peer_resident_bytes: target.pid.and_then(procfs::resident_bytes),
    };
    let mut last = (shared.clock.now(), 0);
    let mut seen = 0;
    let mut wait_until = |until: u64, recorder: &mut Recorder| -> Result<()> {
        loop {
            let now = shared.clock.now();
            let until = until.min(shared.until());
            if now >= until || shared.is_aborted() {
                return Ok(());
            }
            std::thread::sleep(TICK.min(Duration::from_nanos(until - now)));
            if signal::asked_to_stop() {
                // Whoever waits for an hour wants to see what was measured in it.
                shared.stop();
            }
            watch.check()?;
            let (then, before) = last;
            let (now, delivered) = (shared.clock.now(), shared.delivered());
            if now - then > nanos(TICK) * 4 {
                last = (now, delivered);
                let done = Duration::from_nanos(now.saturating_sub(shared.start));
                watch.tick(done.min(total), total, per_second(delivered - before, now - then));
                // The threads have handed the last second over by now.
                recorder.collect();
                if recorder.seconds() > seen {
                    seen = recorder.seconds();
                    recorder.latest().iter().for_each(|second| watch.second(second));
                }
            }
        }
    };
    wait_until(shared.measure_from, recorder)?;
    if shared.until() <= shared.measure_from {
        // Nothing was measured yet.
        signal::check()?;
    }
    let before = sample();
    recorder.sample(before);
    let mut at = shared.measure_from;
    loop {
        // What is left at the end and is shorter than half a second belongs to the second before.
        at = if at + SECOND * 3 / 2 < shared.until() { at + SECOND } else { shared.until() };
        wait_until(at, recorder)?;
        let after = sample();
        recorder.sample(after);
        if at >= shared.until() || shared.is_aborted() {
            return Ok([before, after]);
        }
    }
}

/// A rate from a count and nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "rates are shown with three digits")]
pub(crate) fn per_second(count: u64, nanos: u64) -> f64 {
    if nanos == 0 { 0.0 } else { count as f64 * 1e9 / nanos as f64 }
}

/// What all subscribers together got.
pub(crate) fn total(books: &[Books]) -> Books {
    let mut total = Books::default();
    for books in books {
        total.counts += books.counts;
        total.expected += books.expected;
        total.missing += books.missing;
        total.skipped += books.skipped;
    }
    total
}
