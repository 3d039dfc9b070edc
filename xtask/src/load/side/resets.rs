//! Subscribers whose connections break all at once: how long it takes until all are subscribed again and receive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hdrhistogram::Histogram;

use super::pipe::{Pipe, Reading};
use super::storm::check_open_files;
use super::{Findings, Stage, Work};
use crate::load::clock::nanos;
use crate::load::latency::{add, histogram, micros};
use crate::load::peer::Target;
use crate::load::protocol::Got;
use crate::load::session::Session;

/// Threads that connect again; as many connections are on their way at once.
const THREADS: usize = 8;
/// How long one read waits at most.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// What everybody subscribes to.
const TOPIC: &str = "reconnect/tick";
/// How often something is published there: so exactly is it known that somebody receives.
const TICK: Duration = Duration::from_millis(5);
/// The same as messages a second.
pub(crate) const TICKS_PER_S: f64 = 200.0;
/// How long it may take until all are back.
const BACK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before a refused connection is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(5);
/// Between two rounds: everybody receives in peace.
const PAUSE: Duration = Duration::from_millis(300);

/// What one round took.
#[derive(Debug)]
pub(crate) struct Round {
    /// From the break until the last one received.
    pub(crate) all_back: Duration,
    /// The same for each.
    pub(crate) each: Histogram<u64>,
}

/// Subscribers, and the one who publishes to them.
#[derive(Debug)]
pub(crate) struct Fleet {
    target: Target,
    count: usize,
    pipes: Vec<Pipe>,
}

impl Fleet {
    /// Nobody is connected yet.
    pub(crate) fn new(target: Target, count: usize) -> Result<Self> {
        ensure!(count > 0, "--connections has to be 1 or more");
        check_open_files(count)?;
        Ok(Self { target, count, pipes: Vec::new() })
    }

    /// Closes every connection.
    pub(crate) fn break_all(&mut self) {
        self.pipes.clear();
    }

    /// Connects everybody, as often as it takes, and waits until each has received a message. Ends early, with fewer, once `goes_on` says no.
    /// Times are counted from `started`.
    pub(crate) fn come_back(
        &mut self,
        started: Instant,
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Round>> {
        let target = self.target;
        let share = self.count.div_ceil(THREADS);
        let over = AtomicBool::new(false);
        let goes_on = || goes_on() && !over.load(Ordering::Relaxed);
        let parts: Vec<Result<Part>> = std::thread::scope(|scope| {
            let ticker = scope.spawn(|| tick(target, &goes_on));
            let part = |thread: usize| {
                let count = share.min(self.count.saturating_sub(thread * share));
                let goes_on = &goes_on;
                scope.spawn(move || part(target, count, started, goes_on))
            };
            let threads: Vec<_> = (0..THREADS).map(part).collect();
            let panicked = |_| Err(anyhow!("a thread of the reconnect panicked"));
            let mut parts: Vec<Result<Part>> =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect();
            over.store(true, Ordering::Relaxed);
            if let Err(error) = ticker.join().unwrap_or_else(|_| Err(anyhow!("the ticker panicked"))) {
                parts.push(Err(error));
            }
            parts
        });
        let mut each = histogram();
        for part in parts {
            let part = part?;
            self.pipes.extend(part.pipes);
            add(&mut each, &part.times);
        }
        let all_there = each.len() == self.count as u64;
        Ok(all_there.then(|| Round { all_back: Duration::from_nanos(each.max()), each }))
    }
}

/// What one thread brought back.
struct Part {
    pipes: Vec<Pipe>,
    times: Histogram<u64>,
}

fn part(target: Target, count: usize, started: Instant, goes_on: &dyn Fn() -> bool) -> Result<Part> {
    let mut pipes = Vec::with_capacity(count);
    let mut times = histogram();
    while pipes.len() < count && goes_on() {
        match subscribed(target) {
            Ok(pipe) => pipes.push(pipe),
            // Nobody listens while the server starts again.
            Err(error) if started.elapsed() > BACK_TIMEOUT => {
                return Err(error).context(format!("not everybody was back within {BACK_TIMEOUT:?}"));
            }
            Err(_) => std::thread::sleep(RETRY_AFTER),
        }
    }
    for pipe in &mut pipes {
        let mut received = false;
        while !received && goes_on() {
            let reading = pipe.read(usize::MAX, |got| received |= matches!(got, Got::Message { .. }))?;
            ensure!(reading != Reading::Closed, "the server closed a connection that had just been made");
            if started.elapsed() > BACK_TIMEOUT {
                bail!("not everybody received within {BACK_TIMEOUT:?}");
            }
        }
        if received {
            times.saturating_record(nanos(started.elapsed()));
        }
    }
    Ok(Part { pipes, times })
}

fn subscribed(target: Target) -> Result<Pipe> {
    let mut session = Session::open(target.wire, target.address, "reconnect")?;
    session.subscribe(&[TOPIC.to_owned()])?;
    Pipe::new(session, target.wire, READ_TIMEOUT)
}

/// Publishes something again and again, over a connection that is made again where it breaks.
fn tick(target: Target, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let mut frame = Vec::new();
    target.wire.publish(&mut frame, &target.wire.topic(TOPIC), b"a tick of the load test")?;
    let mut pipe: Option<Pipe> = None;
    while goes_on() {
        if pipe.is_none() {
            let session = Session::open(target.wire, target.address, "ticker").ok();
            pipe = session
                .map(|session| Pipe::new(session, target.wire, Duration::from_millis(1)))
                .transpose()?;
        }
        if let Some(there) = &mut pipe
            && (there.write(&frame).is_err() || there.read(usize::MAX, |_| {})? == Reading::Closed)
        {
            pipe = None;
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// The figures of some rounds.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
pub(crate) fn findings(rounds: &[Round], connections: usize) -> Findings {
    let mut findings = Findings::default();
    let (mut times, mut alls) = (histogram(), histogram());
    for round in rounds {
        add(&mut times, &round.each);
        alls.saturating_record(nanos(round.all_back));
    }
    let seconds = |value: u64| micros(value) / 1e6;
    let all_back = seconds(alls.value_at_quantile(0.5));
    findings.count("rounds", rounds.len() as u64);
    findings.note("all_back", all_back);
    findings.note("all_back_max", seconds(alls.max()));
    findings.note("back_p50", micros(times.value_at_quantile(0.5)));
    findings.note("reconnects_per_s", connections as f64 / all_back.max(1e-9));
    findings
}

/// The side: the clients close their connections.
#[derive(Debug)]
pub(super) struct Resets {
    fleet: Fleet,
}

impl Resets {
    /// Connects everybody.
    pub(super) fn new(target: Target, connections: usize) -> Result<Self> {
        let mut fleet = Fleet::new(target, connections)?;
        let going = || !crate::signal::asked_to_stop();
        fleet.come_back(Instant::now(), &going)?.context("interrupted")?;
        Ok(Self { fleet })
    }
}

impl Work for Resets {
    fn run(mut self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let connections = self.fleet.count;
        let mut rounds = Vec::new();
        let mut going = stage.wait_for_start();
        while going {
            let broken = Instant::now();
            self.fleet.break_all();
            match self.fleet.come_back(broken, &|| stage.goes_on())? {
                Some(round) => rounds.push(round),
                None => break,
            }
            going = stage.sleep(PAUSE);
        }
        ensure!(
            !rounds.is_empty() || crate::signal::asked_to_stop(),
            "not everybody was back within the measured time: give a longer --duration"
        );
        Ok(findings(&rounds, connections))
    }
}
