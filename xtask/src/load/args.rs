//! The arguments of `cargo xtask loadtest`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};

use super::scenario::{Scenario, Times};

/// Settings that belong to somebody's test client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Clients that publish to the topics a to g in turn and subscribe to `a` (or to `--subscribe`)
    Lbroker,
}

/// How a load test is run. Without arguments: one publisher, one subscriber, 128 B, as fast as possible, for 5 seconds.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Exit code: 0 fine, 1 error, 3 if messages were lost, duplicated, reordered or changed, \
                        130 interrupted.\nMessages a second and latencies are those of --duration; what became of \
                        the messages is counted over the whole run."
)]
pub(crate) struct LoadArgs {
    /// A running broker to test instead of one of its own (its processor time and memory are not known then)
    #[arg(long, value_name = "ADDR")]
    pub(crate) addr: Option<SocketAddr>,
    /// Connections that publish and subscribe, instead of --pubs and --subs
    #[arg(long, value_name = "N", conflicts_with_all = ["pubs", "subs", "pairs"])]
    clients: Option<usize>,
    /// Publishers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pubs: usize,
    /// Subscribers
    #[arg(long, value_name = "N", default_value_t = 1)]
    subs: usize,
    /// N publishers, each with a topic and a subscriber of its own
    #[arg(long, value_name = "N", conflicts_with_all = ["pubs", "subs", "topics", "subscribe"])]
    pairs: Option<usize>,
    /// The settings of a known test client
    #[arg(long, conflicts_with_all = ["pubs", "subs", "pairs", "topics"])]
    preset: Option<Preset>,
    /// Topics (load/0, load/1, …); each publisher publishes to all of them in turn
    #[arg(long, value_name = "N", default_value_t = 1)]
    topics: usize,
    /// A pattern that each subscriber subscribes to; repeatable [default: all topics; with --clients the first]
    #[arg(long, value_name = "PATTERN")]
    subscribe: Vec<String>,
    /// Bytes of a payload, 16 at least [default: 128; 16 with --retained-topics]
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Messages a second, all publishers together, each sent at its own time [default: as fast as the window allows]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Messages in flight for each publisher [default: 1 MiB for each subscriber; no bound with --rate]
    #[arg(long, value_name = "N")]
    window: Option<u64>,
    /// Seconds to measure
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    duration: Duration,
    /// Seconds to publish before that
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    warm_up: Duration,
    /// Seconds of silence after which what has not come is lost
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    drain: Duration,
    /// Threads for publishing, and as many for receiving [default: half of the cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Runs the relay in the broker's place
    #[arg(long, conflicts_with = "addr")]
    pub(crate) relay: bool,
    /// Bytes that the relay copies at once
    #[arg(long, value_name = "BYTES", default_value_t = crate::relay::BLOCK_BYTES)]
    pub(crate) relay_block: usize,
    /// Runs broker and relay in turn and shows medians and the broker's share
    #[arg(long, conflicts_with_all = ["relay", "addr"])]
    pub(crate) versus_relay: bool,
    /// How often each of the two is run
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) runs: usize,
    /// Runs every row of docs/performance.md, each against the relay, and the rows about memory
    #[arg(long, conflicts_with_all = ["relay", "addr", "clients", "pubs", "subs", "pairs", "preset", "topics",
        "subscribe", "size", "rate", "window", "idle", "retained_topics"])]
    pub(crate) suite: bool,
    /// Memory: connects N clients that stay idle
    #[arg(long, value_name = "N", conflicts_with_all = ["relay", "addr", "versus_relay", "retained_topics"])]
    pub(crate) idle: Option<usize>,
    /// With --idle: the clients say Hello
    #[arg(long, requires = "idle")]
    pub(crate) hello: bool,
    /// Memory: publishes to N topics, 16 bytes each (or --size)
    #[arg(long, value_name = "N", conflicts_with_all = ["relay", "addr", "versus_relay"])]
    pub(crate) retained_topics: Option<usize>,
    /// Writes the result as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// With --suite: writes the table as Markdown
    #[arg(long, value_name = "FILE", requires = "suite")]
    pub(crate) markdown: Option<PathBuf>,
}

impl LoadArgs {
    /// The packages whose programs are started, to be built before.
    pub(crate) fn packages(&self) -> &'static [&'static str] {
        if self.relay || self.addr.is_some() { &[] } else { &["broker-server"] }
    }

    /// How long the parts of a run take.
    pub(crate) fn times(&self) -> Times {
        Times { warm_up: self.warm_up, duration: self.duration, drain: self.drain }
    }

    /// The scenario that the arguments describe.
    pub(crate) fn scenario(&self) -> Result<Scenario> {
        let times = self.times();
        let patterns = &self.subscribe;
        let scenario = match (self.preset, self.clients, self.pairs) {
            (Some(Preset::Lbroker), clients, _) => Scenario::lbroker(clients.unwrap_or(30), patterns, times)?,
            (None, Some(clients), _) => {
                let topics = (0..self.topics).map(|n| format!("load/{n}")).collect();
                Scenario::clients(clients, topics, patterns, "a client", times)?
            }
            (None, None, Some(pairs)) => Scenario::pairs(pairs, times)?,
            (None, None, None) => Scenario::new(self.pubs, self.subs, self.topics, patterns, times)?,
        };
        let mut scenario = scenario.with_size(self.size.unwrap_or(128)).with_rate(self.rate);
        scenario.window = self.window;
        scenario.threads = self.threads;
        scenario.check()?;
        if self.relay || self.versus_relay {
            scenario.check_relay()?;
        }
        ensure!(self.runs > 0, "--runs has to be 1 or more");
        Ok(scenario)
    }

    /// Bytes of a retained value.
    pub(crate) fn retained_size(&self) -> usize {
        self.size.unwrap_or(16)
    }
}

/// A duration from seconds, which may have a fraction; an hour at the most, so that every run ends.
fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse()?;
    if !(0.0..=3600.0).contains(&seconds) {
        bail!("0 to 3600 seconds");
    }
    Ok(Duration::from_secs_f64(seconds))
}
