//! What the server publishes about itself: `!system/…`, every second. The names are lbroker's and more; `docs/protocol.md` lists them.

mod slow;
mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker_core::{Broker, Now, Publisher, SessionInfo, Totals};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::Clock;
use crate::connection::Shared;
use crate::usage::cpu_time;
use crate::{NAME, VERSION};

/// Publishes every `period` until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, listen: Vec<String>, period: Duration, stop: CancellationToken) {
    let mut reporter = Reporter::new(shared, period);
    reporter.server(listen);
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => reporter.tick(),
            () = stop.cancelled() => return,
        }
    }
}

struct Reporter {
    shared: Arc<Shared>,
    broker: Arc<Broker>,
    publisher: Publisher,
    clock: Clock,
    started: Now,
    last: Instant,
    period: Duration,
    before: Totals,
    cpu_before: Option<Duration>,
}

#[derive(Serialize)]
struct ServerRow {
    #[serde(rename = "server")]
    name: &'static str,
    version: &'static str,
    started: u64,
    pid: u32,
    listen: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TotalsRow {
    commands: u64,
    connections: u64,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    lagged: u64,
    lost: u64,
    thinned: u64,
}

impl Reporter {
    fn new(shared: Arc<Shared>, period: Duration) -> Self {
        let (broker, clock) = (Arc::clone(&shared.broker), shared.clock);
        Reporter {
            shared,
            before: broker.totals(),
            broker,
            publisher: Publisher::new(0),
            clock,
            started: clock.now(),
            last: Instant::now(),
            period,
            cpu_before: cpu_time(),
        }
    }

    fn publish<T: Serialize>(&mut self, topic: &str, value: &T, retain: bool) {
        match rmp_serde::to_vec_named(value) {
            Ok(value) => {
                self.broker.publish(&mut self.publisher, self.clock.now(), topic, &value, retain);
            }
            Err(error) => warn!(topic, %error, "could not be encoded"),
        }
    }

    fn server(&mut self, listen: Vec<String>) {
        let server = ServerRow {
            name: NAME,
            version: VERSION,
            started: self.started.unix_ms,
            pid: std::process::id(),
            listen,
        };
        self.publish("!system/server", &server, true);
        self.broker.flush(&mut self.publisher);
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let sessions = self.broker.sessions();
        for (session, news) in self.broker.take_slow_news() {
            self.publish(slow::TOPIC, &slow::SlowEvent::new(&session, &news), false);
        }
        self.metrics(now, &sessions);
        self.table("!system/connections", |_| tables::connections(sessions.iter().map(AsRef::as_ref), now));
        self.table("!system/connections/closed", |shared| {
            tables::closed(shared.closed.total(), shared.closed.list(), now)
        });
        self.table("!system/topics", |shared| tables::topics(&shared.broker, now));
        self.broker.flush(&mut self.publisher);
    }

    /// Publishes a table, if anybody wants it.
    fn table<T: Serialize>(&mut self, topic: &str, table: impl FnOnce(&Shared) -> T) {
        if self.broker.has_subscribers(topic) {
            let table = table(&self.shared);
            self.publish(topic, &table, false);
        }
    }

    fn metrics(&mut self, now: Now, sessions: &[Arc<SessionInfo>]) {
        let totals = self.broker.totals();
        // The first tick comes at once: a rate over next to nothing says nothing.
        let elapsed = self.last.elapsed().max(self.period / 2);
        self.last = Instant::now();
        let before = std::mem::replace(&mut self.before, totals);
        let topics = self.broker.topic_stats();
        for (name, count, count_before) in [
            ("commands", totals.commands, before.commands),
            ("messages-in", totals.messages_in, before.messages_in),
            ("messages-out", totals.messages_out, before.messages_out),
            ("bytes-in", totals.bytes_in, before.bytes_in),
            ("bytes-out", totals.bytes_out, before.bytes_out),
            ("lagged", totals.lagged, before.lagged),
            ("thinned", totals.thinned, before.thinned),
        ] {
            self.metric(name, &per_second(count.saturating_sub(count_before), elapsed));
        }
        for (name, count) in [
            ("connections", sessions.len() as u64),
            ("slow-consumers", sessions.iter().filter(|session| session.slow().is_some()).count() as u64),
            ("subscriptions", self.broker.subscriptions() as u64),
            ("topics", topics.topics as u64),
            ("retained-bytes", topics.retained_bytes as u64),
            ("retained-evicted", topics.evicted),
            ("retained-expired", topics.expired),
            ("retained-cleared", topics.cleared),
            ("retained-oversized", topics.oversized),
            ("outbox-bytes", sessions.iter().map(|session| session.queue_bytes() as u64).sum()),
            ("uptime", now.monotonic_ms.saturating_sub(self.started.monotonic_ms) / 1000),
        ] {
            self.metric(name, &count);
        }
        if let Some(memory) = memory_stats::memory_stats() {
            self.metric("memory", &(memory.physical_mem as u64));
        }
        if let (Some(cpu), Some(cpu_before)) = (cpu_time(), self.cpu_before) {
            let percent =
                100.0 * cpu.saturating_sub(cpu_before).as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
            self.metric("cpu", &((percent * 10.0).round() / 10.0));
            self.cpu_before = Some(cpu);
        }
        let totals = TotalsRow {
            commands: totals.commands,
            connections: totals.connections,
            messages_in: totals.messages_in,
            messages_out: totals.messages_out,
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            lagged: totals.lagged,
            lost: totals.lost,
            thinned: totals.thinned,
        };
        self.publish("!system/totals", &totals, true);
    }

    fn metric<T: Serialize>(&mut self, name: &str, value: &T) {
        self.publish(&format!("!system/metrics/{name}"), value, true);
    }
}

/// A count as a rate, to the nearest whole number.
fn per_second(count: u64, elapsed: Duration) -> u64 {
    let nanos = elapsed.as_nanos().max(1);
    u64::try_from((u128::from(count) * 1_000_000_000 + nanos / 2) / nanos).unwrap_or(u64::MAX)
}
