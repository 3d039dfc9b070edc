//! One run of a scenario against one peer: connect, start the threads, measure, drain, add up.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{JoinHandle, available_parallelism};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::clock::{Clock, nanos};
use super::flow::{Flow, Window};
use super::frame::{Batch, Layouts, Outgoing};
use super::latency::Latencies;
use super::outcome::{Outcome, Sample};
use super::publish::{PublishThread, Publisher, Schedule};
use super::receive::{ReceiveThread, Received};
use super::scenario::{Scenario, SubscriberPlan, is_set};
use super::session::{Session, connect};
use super::shared::Shared;
use super::subscriber::{Books, Pong, Source, Subscriber};
use super::tracker::Expected;
use crate::relay::{Greeting, Role};
use crate::{procfs, signal};

/// Bytes of the frames that a publisher writes at once, at most. A guess.
const BATCH_BYTES: usize = 64 << 10;
/// Bytes of all batches of a thread together, so that a thousand publishers do not take memory from the broker.
const BATCHES_BYTES: usize = 16 << 20;
/// Between the start of the threads and the first message: time for all of them to wait at the line.
const START_DELAY: Duration = Duration::from_millis(50);
/// How often the main thread looks.
const TICK: Duration = Duration::from_millis(50);

/// Whom the messages go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A broker, through its native protocol.
    Broker,
    /// The relay.
    Relay,
}

/// A peer that listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// What it is.
    pub(crate) peer: Peer,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process, where that is known.
    pub(crate) pid: Option<u32>,
}

/// Told about progress by the main thread of a run.
pub(crate) trait Watch {
    /// `done` of `total` has gone by; `delivered` messages a second arrive.
    fn tick(&mut self, done: Duration, total: Duration, delivered_per_s: f64);
    /// Whether the peer is still well; an error ends the run.
    fn check(&mut self) -> Result<()>;
}

/// Everything connected, nothing published yet.
struct Prepared {
    publishing: Vec<PublishThread>,
    receiving: Vec<ReceiveThread>,
    flows: Vec<Arc<Flow>>,
    window: Option<u64>,
}

/// Runs `scenario` against `target`.
pub(crate) fn run(scenario: &Scenario, target: Target, watch: &mut dyn Watch) -> Result<Outcome> {
    scenario.check()?;
    let clock = Clock::start();
    let mut start = 0;
    let prepared = prepare(scenario, target, &clock, &mut start)?;
    let times = [scenario.times.warm_up, scenario.times.duration, scenario.times.drain];
    let shared =
        Arc::new(Shared::new(clock, start, times, prepared.publishing.len(), prepared.receiving.len()));
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
    let measured = measure(scenario, target, &shared, &prepared.flows, watch);
    if measured.is_err() {
        shared.abort();
    }
    // The publishers' sockets are held until every subscriber is done: a closed one would let the relay end.
    let publishers: Result<Vec<PublishThread>> = publishing.into_iter().map(join).collect();
    let received: Result<Vec<Received>> = receiving.into_iter().map(join).collect();
    let (_publishers, received) = (publishers?, received?);
    let [before, after] = measured?;
    let mut latencies = Latencies::new();
    let mut books = Vec::new();
    for thread in received {
        latencies.add(&thread.latencies);
        books.extend(thread.subscribers.iter().map(Subscriber::books));
    }
    let sent = sent(&prepared.flows);
    let due =
        scenario.rate.map(|rate| rate * (scenario.times.warm_up + scenario.times.duration).as_secs_f64());
    Ok(Outcome::new(
        scenario,
        prepared.window,
        target,
        [before, after],
        (sent, due),
        &books,
        latencies.summary(),
    ))
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

/// Watches the run from the main thread, and samples it at the start and at the end of what is measured.
fn measure(
    scenario: &Scenario,
    target: Target,
    shared: &Shared,
    flows: &[Arc<Flow>],
    watch: &mut dyn Watch,
) -> Result<[Sample; 2]> {
    let total = scenario.times.warm_up + scenario.times.duration;
    let sample = || Sample {
        time: shared.clock.now(),
        sent: sent(flows),
        delivered: shared.delivered(),
        peer_cpu: target.pid.and_then(procfs::cpu_time),
        own_cpu: procfs::cpu_time(std::process::id()),
        peer_resident_bytes: target.pid.and_then(procfs::resident_bytes),
    };
    let mut last = (shared.clock.now(), 0);
    let mut wait_until = |until: u64| -> Result<()> {
        loop {
            let now = shared.clock.now();
            if now >= until || shared.is_aborted() {
                return Ok(());
            }
            std::thread::sleep(TICK.min(Duration::from_nanos(until - now)));
            signal::check()?;
            watch.check()?;
            let (then, before) = last;
            let (now, delivered) = (shared.clock.now(), shared.delivered());
            if now - then > nanos(TICK) * 4 {
                last = (now, delivered);
                let done = Duration::from_nanos(now.saturating_sub(shared.start));
                watch.tick(done.min(total), total, per_second(delivered - before, now - then));
            }
        }
    };
    wait_until(shared.measure_from)?;
    let before = sample();
    wait_until(shared.until)?;
    let after = sample();
    Ok([before, after])
}

/// A rate from a count and nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "rates are shown with three digits")]
pub(crate) fn per_second(count: u64, nanos: u64) -> f64 {
    if nanos == 0 { 0.0 } else { count as f64 * 1e9 / nanos as f64 }
}

/// Connects everybody: subscribers first, so that nothing is published before they are answered.
fn prepare(scenario: &Scenario, target: Target, clock: &Clock, start: &mut u64) -> Result<Prepared> {
    let layouts = Arc::new(Layouts::new(&scenario.topics, scenario.size)?);
    let half_of_cores = available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let threads = scenario.threads.unwrap_or(half_of_cores).max(1);
    let publishing_threads = threads.min(scenario.publishers.len());
    let mut publishing: Vec<PublishThread> =
        (0..publishing_threads).map(|_| PublishThread::new()).collect::<Result<_>>()?;
    let mut receiving: Vec<ReceiveThread> =
        (0..threads.min(scenario.subscribers.len())).map(ReceiveThread::new).collect::<Result<_>>()?;

    let routes = Routes::new(scenario, target.peer)?;
    let feeders = routes.by_subscriber.iter().map(Vec::len).max().unwrap_or(0);
    let window = scenario.window(feeders, layouts.frame_bytes_max());
    let flows: Vec<Arc<Flow>> = routes
        .subscribers_of
        .iter()
        .zip(publishing.iter().cycle())
        .map(|(&subscribers, thread)| Arc::new(Flow::new(subscribers, thread.waker())))
        .collect();

    let mut shared_streams: HashMap<u16, (TcpStream, Arc<AtomicBool>)> = HashMap::new();
    for (index, (plan, routes)) in scenario.subscribers.iter().zip(routes.by_subscriber).enumerate() {
        signal::check()?;
        let name = format!("subscriber {index}");
        let (stream, partial) = open_subscriber(target, plan, &name)?;
        let pong = match plan.publisher {
            None => Pong::Here,
            Some(publisher) => {
                let flag = Arc::new(AtomicBool::new(false));
                let clone = stream.try_clone().context("cannot share a socket")?;
                shared_streams.insert(publisher, (clone, Arc::clone(&flag)));
                Pong::Publisher(flag)
            }
        };
        let sources = sources(scenario, routes, &flows);
        let subscriber = Subscriber::new(name, Arc::clone(&layouts), sources, pong);
        let threads = receiving.len();
        if let Some(thread) = receiving.get_mut(index % threads) {
            thread.add(stream, partial, subscriber)?;
        }
    }

    // The streams of the publishers are opened here; their schedules need the start, which is known when all are.
    let streams: Vec<(TcpStream, Option<Arc<AtomicBool>>)> = (0_u16..)
        .zip(&scenario.publishers)
        .map(|(number, plan)| match shared_streams.remove(&number) {
            Some((stream, flag)) => Ok((stream, Some(flag))),
            None => Ok((open_publisher(target, plan.group)?, None)),
        })
        .collect::<Result<_>>()?;
    *start = clock.now() + nanos(START_DELAY);
    let batch_bytes = BATCH_BYTES.min(BATCHES_BYTES / scenario.publishers.len().div_ceil(publishing_threads));
    for (number, ((stream, ping), flow)) in (0_u16..).zip(streams.into_iter().zip(&flows)) {
        let batch = batch(scenario, target.peer, number, batch_bytes, window)?;
        let schedule = schedule(scenario, number, *start);
        let window = Window::new(Arc::clone(flow), window);
        if let Some(thread) = publishing.get_mut(usize::from(number) % publishing_threads) {
            thread.add(Publisher::new(stream, number, batch, window, schedule, ping)?)?;
        }
    }
    Ok(Prepared { publishing, receiving, flows, window })
}

/// One publisher's part of a subscriber's messages.
struct Route {
    publisher: u16,
    slot: usize,
    expected: Arc<Expected>,
}

/// Who gets whose messages.
struct Routes {
    by_subscriber: Vec<Vec<Route>>,
    /// How many subscribers each publisher has.
    subscribers_of: Vec<usize>,
}

impl Routes {
    fn new(scenario: &Scenario, peer: Peer) -> Result<Self> {
        let mut subscribers_of = vec![0; scenario.publishers.len()];
        let mut known: HashMap<Vec<bool>, Option<Arc<Expected>>> = HashMap::new();
        let mut by_subscriber = Vec::with_capacity(scenario.subscribers.len());
        for plan in &scenario.subscribers {
            let matching = scenario.matching(&plan.patterns)?;
            let mut routes = Vec::new();
            let publishers = scenario.publishers.iter().zip(&mut subscribers_of);
            for (number, (publisher, subscribers)) in (0_u16..).zip(publishers) {
                if peer == Peer::Relay && publisher.group != plan.group {
                    continue;
                }
                let of_cycle: Vec<bool> =
                    publisher.cycle.iter().map(|&topic| is_set(&matching, topic)).collect();
                let expected = known
                    .entry(of_cycle)
                    .or_insert_with_key(|matching| Expected::new(matching).map(Arc::new))
                    .clone();
                if let Some(expected) = expected {
                    routes.push(Route { publisher: number, slot: *subscribers, expected });
                    *subscribers += 1;
                }
            }
            by_subscriber.push(routes);
        }
        Ok(Self { by_subscriber, subscribers_of })
    }
}

fn sources(scenario: &Scenario, routes: Vec<Route>, flows: &[Arc<Flow>]) -> Vec<Option<Source>> {
    let mut sources: Vec<Option<Source>> = Vec::new();
    for Route { publisher, slot, expected } in routes {
        let number = usize::from(publisher);
        let (Some(plan), Some(flow)) = (scenario.publishers.get(number), flows.get(number)) else { continue };
        sources.resize_with(number, || None);
        sources.push(Some(Source::new(expected, Arc::clone(&plan.cycle), Arc::clone(flow), slot)));
    }
    sources
}

fn open_subscriber(target: Target, plan: &SubscriberPlan, name: &str) -> Result<(TcpStream, Vec<u8>)> {
    match target.peer {
        Peer::Broker => {
            let mut session = Session::connect(target.address, name)?;
            session.subscribe(&plan.patterns)?;
            Ok(session.into_parts())
        }
        Peer::Relay => {
            let greeting = Greeting { role: Role::Subscriber, group: plan.group };
            Ok((greeting.connect(target.address)?, Vec::new()))
        }
    }
}

fn open_publisher(target: Target, group: u32) -> Result<TcpStream> {
    match target.peer {
        Peer::Broker => connect(target.address),
        Peer::Relay => Greeting { role: Role::Publisher, group }.connect(target.address),
    }
}

fn batch(scenario: &Scenario, peer: Peer, number: u16, bytes: usize, window: Option<u64>) -> Result<Batch> {
    let plan = scenario.publishers.get(usize::from(number)).context("a publisher without a plan")?;
    let topics: Vec<&str> = plan
        .cycle
        .iter()
        .filter_map(|&topic| scenario.topics.get(topic as usize))
        .map(String::as_str)
        .collect();
    let outgoing = match peer {
        Peer::Broker => Outgoing::Publish,
        Peer::Relay => Outgoing::Bare,
    };
    // At least four batches to a window: the publisher writes while the subscriber reads.
    let frame_bytes = scenario.size + 64;
    let quarter = window.and_then(|window| usize::try_from(window / 4).ok()).unwrap_or(usize::MAX);
    Batch::new(outgoing, &topics, scenario.size, bytes.min(quarter.saturating_mul(frame_bytes)))
}

/// The messages of all publishers together are evenly spaced.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn schedule(scenario: &Scenario, number: u16, start: u64) -> Option<Schedule> {
    let rate = scenario.rate?;
    let first = start + (f64::from(number) * 1e9 / rate) as u64;
    Some(Schedule { first, interval: scenario.publishers.len() as f64 * 1e9 / rate })
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
