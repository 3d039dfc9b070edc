//! Before a run: who gets what of whom, the connections, the threads that will use them. Nothing is published yet.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::clock::{Clock, nanos};
use super::flow::{Flow, Window};
use super::frame::Batch;
use super::group::{Group, Member};
use super::link::Links;
use super::peer::{Peer, Target};
use super::publish::{Answers, PublishThread, Publisher, Schedule};
use super::receive::ReceiveThread;
use super::scenario::{Scenario, Slice, is_set};
use super::series::Exchange;
use super::subscriber::{Pong, Source, Subscriber};
use super::taken::Taken;
use super::tracker::Expected;
use crate::signal;

/// Bytes of the frames that a publisher writes at once, at most. A guess.
const BATCH_BYTES: usize = 64 << 10;
/// Bytes of all batches of a thread together, so that a thousand publishers do not take memory from the broker.
const BATCHES_BYTES: usize = 16 << 20;
/// Between the start of the threads and the first message: time for all of them to wait at the line.
const START_DELAY: Duration = Duration::from_millis(50);

/// Everything connected, nothing published yet.
pub(crate) struct Prepared {
    pub(crate) publishing: Vec<PublishThread>,
    pub(crate) receiving: Vec<ReceiveThread>,
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(crate) window: Option<u64>,
}

/// Connects everybody: subscribers first, so that nothing is published before they are answered.
pub(crate) fn prepare(
    scenario: &Scenario,
    target: Target,
    clock: &Clock,
    exchange: &Arc<Exchange>,
    start: &mut u64,
) -> Result<Prepared> {
    let mut links = Links::new(scenario, target)?;
    let half_of_cores = available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let threads = scenario.threads.unwrap_or(half_of_cores).max(1);
    let publishing_threads = threads.min(scenario.publishers.len());
    let subscribers = scenario.subscribers.len();
    let mut publishing: Vec<PublishThread> =
        (0..publishing_threads).map(|index| PublishThread::new(index, subscribers)).collect::<Result<_>>()?;
    let mut receiving: Vec<ReceiveThread> = (0..threads.min(scenario.subscribers.len()))
        .map(|index| ReceiveThread::new(index, exchange))
        .collect::<Result<_>>()?;

    let mut routes = Routes::new(scenario, target.peer)?;
    if scenario.to_nobody {
        // The server itself: what it has taken holds the window.
        routes.subscribers_of.fill(1);
    }
    let feeders = routes.by_subscriber.iter().map(Vec::len).max().unwrap_or(scenario.publishers.len());
    let window = scenario.window(feeders, links.frame_bytes_max());
    let flows: Vec<Arc<Flow>> = routes
        .subscribers_of
        .iter()
        .zip(publishing.iter().cycle())
        .map(|(&subscribers, thread)| Arc::new(Flow::new(subscribers, thread.waker())))
        .collect();

    let mut shared_streams =
        connect_subscribers(scenario, &mut links, routes.by_subscriber, &flows, &mut receiving)?;
    // The streams of the publishers are opened here; their schedules need the start, which is known when all are.
    let streams: Vec<(TcpStream, Answers)> = (0_u16..)
        .zip(&scenario.publishers)
        .map(|(number, plan)| match shared_streams.remove(&number) {
            Some((stream, flag)) => Ok((stream, Answers::ReadElsewhere(flag, target.wire.pong()))),
            None => links.publisher(plan),
        })
        .collect::<Result<_>>()?;
    let batch_bytes = BATCH_BYTES.min(BATCHES_BYTES / scenario.publishers.len().div_ceil(publishing_threads));
    let batches: Vec<Batch> = (0_u16..)
        .zip(&scenario.publishers)
        .map(|(number, _)| links.batch(number, batch_bytes, window))
        .collect::<Result<_>>()?;
    // Only now: a million messages take a while to encode.
    *start = clock.now() + nanos(START_DELAY);
    let connections = streams.into_iter().zip(batches).zip(&flows);
    for (number, (((stream, answers), batch), flow)) in (0_u16..).zip(connections) {
        let schedule = schedule(scenario, number, *start);
        let window = Window::new(Arc::clone(flow), window);
        if let Some(thread) = publishing.get_mut(usize::from(number) % publishing_threads) {
            let publisher = Publisher::new(stream, number, batch, window, schedule, answers)?;
            let taken = scenario.to_nobody.then(|| Taken::new(target.wire, Arc::clone(flow)));
            thread.add(publisher.asking(taken))?;
        }
    }
    Ok(Prepared { publishing, receiving, flows, window })
}

/// Connections that a publisher has together with a subscriber, and the flag that asks it for a sign of life.
type SharedStreams = HashMap<u16, (TcpStream, Arc<AtomicBool>)>;

/// Connects all subscribers, subscribed, and deals them to the threads.
fn connect_subscribers(
    scenario: &Scenario,
    links: &mut Links<'_>,
    routes: Vec<Vec<Route>>,
    flows: &[Arc<Flow>],
    receiving: &mut [ReceiveThread],
) -> Result<SharedStreams> {
    let mut groups = Groups::default();
    let mut shared_streams = SharedStreams::new();
    for (index, (plan, routes)) in scenario.subscribers.iter().zip(routes).enumerate() {
        signal::check()?;
        let name = format!("subscriber {index}");
        let (stream, partial) = links.subscriber(plan, &name)?;
        let pong = match plan.publisher.filter(|_| links.shares_connection()) {
            None => Pong::Here,
            Some(publisher) => {
                let flag = Arc::new(AtomicBool::new(false));
                let clone = stream.try_clone().context("cannot share a socket")?;
                shared_streams.insert(publisher, (clone, Arc::clone(&flag)));
                Pong::Publisher(flag)
            }
        };
        let member = plan.queue.as_ref().map(|queue| groups.member(queue, &routes));
        let sources = sources(scenario, routes, flows);
        let subscriber = Subscriber::new(name, links.layouts(plan)?, sources, pong).in_group(member);
        let threads = receiving.len();
        if let Some(thread) = receiving.get_mut(index % threads) {
            thread.add(stream, partial, subscriber)?;
        }
    }
    Ok(shared_streams)
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
        // Members of a group have one place in the window: a message is for one of them.
        let mut slots_of: HashMap<(Arc<str>, u16), usize> = HashMap::new();
        for plan in &scenario.subscribers {
            let matching =
                if plan.slice.is_some() { Vec::new() } else { scenario.matching(&plan.patterns)? };
            let mut routes = Vec::new();
            let publishers = scenario.publishers.iter().zip(&mut subscribers_of);
            for (number, (publisher, subscribers)) in (0_u16..).zip(publishers) {
                if peer == Peer::Relay && publisher.group != plan.group {
                    continue;
                }
                let of_cycle: Vec<bool> = match plan.slice {
                    Some(Slice { at, of }) => (0..of).map(|place| place == at).collect(),
                    None => publisher.cycle.iter().map(|&topic| is_set(&matching, topic)).collect(),
                };
                let expected = known
                    .entry(of_cycle)
                    .or_insert_with_key(|matching| Expected::new(matching).map(Arc::new))
                    .clone();
                let Some(expected) = expected else { continue };
                let mut next_slot = || {
                    *subscribers += 1;
                    *subscribers - 1
                };
                let slot = match &plan.queue {
                    None => next_slot(),
                    Some(queue) => *slots_of.entry((Arc::clone(queue), number)).or_insert_with(next_slot),
                };
                routes.push(Route { publisher: number, slot, expected });
            }
            // Who gets nothing loses nothing: a run that says so would be taken for a good one.
            ensure!(!routes.is_empty(), "{} matches none of the topics of the run", plan.patterns.join(", "));
            by_subscriber.push(routes);
        }
        Ok(Self { by_subscriber, subscribers_of })
    }
}

/// The groups of a run by name, each with the books of its members.
#[derive(Default)]
struct Groups(HashMap<Arc<str>, Arc<Group>>);

impl Groups {
    /// Another member of the group `name`; the first one that comes reports what all of them got.
    fn member(&mut self, name: &Arc<str>, routes: &[Route]) -> Member {
        if let Some(group) = self.0.get(name) {
            return Member::new(Arc::clone(group), false);
        }
        let mut expected: Vec<Option<Arc<Expected>>> = Vec::new();
        for route in routes {
            expected.resize_with(usize::from(route.publisher), || None);
            expected.push(Some(Arc::clone(&route.expected)));
        }
        let group = Arc::new(Group::new(expected));
        self.0.insert(Arc::clone(name), Arc::clone(&group));
        Member::new(group, true)
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

/// The messages of all publishers together are evenly spaced.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn schedule(scenario: &Scenario, number: u16, start: u64) -> Option<Schedule> {
    let rate = scenario.rate?;
    let first = start + (f64::from(number) * 1e9 / rate) as u64;
    Some(Schedule { first, interval: scenario.publishers.len() as f64 * 1e9 / rate })
}
