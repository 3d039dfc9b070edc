//! The arguments of `cargo xtask loadtest`: what is refused, and what is left to be run.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::find::FindArgs;
use super::job::{How, Job, Planned};
use super::peer::PeerArgs;
use super::performance::{Given, Piece};
use super::report::OutputArgs;
use super::scenario::Flag;
use super::scenario::{Kind, Scenario, ShapeArgs, Times, plan};
use super::{compare, selection};

/// Messages a second of a scenario without a name, in the open loop that is the default.
const RATE: f64 = 10_000.0;
/// The longest time: every run ends.
const TIME_MAX: Duration = Duration::from_hours(168);

/// How fast, how late, and whether everything arrived. Without a scenario: a short selection of them, in under a minute
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Exit code: 0 fine, 1 error, 3 if messages were lost, duplicated, reordered or changed, or an --assert \
                  or the --baseline missed, 130 interrupted.\nMessages a second and latencies are those of --duration; what \
                  became of the messages is counted over the whole run.\nTimes are seconds, or have a unit: 500ms, 10m, 2h."
)]
pub(crate) struct LoadArgs {
    /// What to measure; --list says what each one does
    #[arg(value_enum, hide_possible_values = true)]
    scenario: Option<Kind>,
    /// Lists the scenarios with their parameters and what they measure
    #[arg(long)]
    pub(crate) list: bool,
    /// Every scenario very shortly, in under ten seconds: does it all work?
    #[arg(long, conflicts_with_all = ["scenario", "duration", "warm_up", "rate", "max", "find", "window", "idle", "retained_topics"])]
    smoke: bool,
    /// A running server to test instead of one of its own (its processor time and memory are not known then)
    #[arg(long, value_name = "ADDR")]
    pub(crate) addr: Option<SocketAddr>,
    /// Bytes of a payload, 16 at least [default: 128; 16 with --retained-topics]
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Messages a second, all publishers together, each sent at its own time [default: the scenario's]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// As fast as possible within a window of messages in flight, so that nothing has to be skipped
    #[arg(long, conflicts_with = "rate")]
    max: bool,
    /// Messages in flight for each publisher [default: 1 MiB for each subscriber with --max, no bound without]
    #[arg(long, value_name = "N")]
    window: Option<u64>,
    /// Every payload carries a checksum, and every byte of it is checked (otherwise of one message in 64)
    #[arg(long)]
    checksum: bool,
    /// How long to measure [default: 5; 2 for each of several runs; 60 for soak]
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    duration: Option<Duration>,
    /// How long to publish before that [default: 1]
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    warm_up: Option<Duration>,
    /// The silence after which what has not come is lost
    #[arg(long, value_name = "TIME", default_value = "5", value_parser = time, allow_negative_numbers = true)]
    drain: Duration,
    /// Threads for publishing, and as many for receiving [default: half of the cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How often each is run [default: 1; 3 where a scenario is compared with itself; 5 where peers are compared]
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Who publishes and who subscribes.
    #[command(flatten)]
    shape: ShapeArgs,
    /// The highest rate.
    #[command(flatten)]
    pub(crate) find: FindArgs,
    /// Whom the messages go through.
    #[command(flatten)]
    pub(crate) peers: PeerArgs,
    /// Runs the relay in the broker's place
    #[arg(long, conflicts_with = "addr")]
    pub(crate) relay: bool,
    /// Bytes that the relay copies at once
    #[arg(long, value_name = "BYTES", default_value_t = crate::relay::BLOCK_BYTES)]
    pub(crate) relay_block: usize,
    /// The same as --compare relay
    #[arg(long, conflicts_with_all = ["relay", "addr"])]
    versus_relay: bool,
    /// Measures pieces of docs/performance.md, keeps their figures under docs/performance, and writes that page; all pieces
    /// if none is named, which takes about 40 minutes
    #[arg(long, value_enum, value_name = "PIECE,…", value_delimiter = ',', num_args = 0.., conflicts_with_all = ["scenario", "smoke", "relay", "addr", "protocol", "compare", "versus_relay", "size", "rate", "max", "find", "window", "threads", "checksum", "idle", "retained_topics"])]
    report: Option<Vec<Piece>>,
    /// With --report: how long the soak is
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time, requires = "report")]
    soak: Duration,
    /// Memory: connects N clients that stay idle
    #[arg(long, value_name = "N", conflicts_with_all = ["scenario", "relay", "addr", "versus_relay", "retained_topics"])]
    idle: Option<usize>,
    /// With --idle: the clients say Hello
    #[arg(long, requires = "idle")]
    hello: bool,
    /// Memory: publishes to N topics, 16 bytes each (or --size)
    #[arg(long, value_name = "N", conflicts_with_all = ["scenario", "relay", "addr", "versus_relay"])]
    retained_topics: Option<usize>,
    /// What becomes of the results.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl LoadArgs {
    /// The packages whose programs are started, to be built before.
    pub(crate) fn packages(&self) -> &'static [&'static str] {
        if self.relay || self.addr.is_some() || self.list { &[] } else { &["broker-server"] }
    }

    /// What is to be done.
    ///
    /// # Errors
    /// If the arguments contradict one another, or a scenario does not take one of them.
    pub(crate) fn job(&self) -> Result<Job> {
        ensure!(self.runs != Some(0), "--runs has to be 1 or more");
        ensure!(self.threads != Some(0), "--threads has to be 1 or more");
        self.find.check()?;
        let peers = if self.versus_relay { vec![super::peer::Peer::Relay] } else { self.peers.peers()? };
        let runs = self.runs.unwrap_or(5);
        if let Some(pieces) = &self.report {
            self.refuse_shape("--report")?;
            let pieces = if pieces.is_empty() { Piece::MEASURED.to_vec() } else { pieces.clone() };
            let Self { duration, warm_up, drain, soak, .. } = *self;
            return Ok(Job::Performance { pieces, given: Given { duration, warm_up, drain, runs, soak } });
        }
        if let Some(count) = self.idle {
            self.refuse_shape("--idle")?;
            return Ok(Job::Idle { count, hello: self.hello });
        }
        if let Some(count) = self.retained_topics {
            self.refuse_shape("--retained-topics")?;
            return Ok(Job::Retained { count, size: self.size.unwrap_or(16) });
        }
        if self.smoke {
            self.refuse_shape("--smoke")?;
            let times = Times { drain: self.drain.min(Duration::from_secs(2)), ..self.times(0.3, 0.1) };
            return Ok(Job::Runs(self.common_to_all(selection::smoke(times)?)?));
        }
        let named = self.scenario.is_some() || self.shapes() || self.relay || self.versus_relay;
        if !named && !peers.is_empty() {
            let scenarios = compare::standard(self.times(2.0, 0.5))?;
            let common = |scenario| self.common(scenario, None);
            return Ok(Job::Compare {
                scenarios: scenarios.into_iter().map(common).collect::<Result<_>>()?,
                peers,
                runs,
            });
        }
        if !named {
            return Ok(Job::Runs(self.common_to_all(selection::standard(self.times(2.0, 0.5))?)?));
        }
        let planned = self.planned()?;
        if !peers.is_empty() {
            ensure!(!self.find.find, "--find and --compare do not go together");
            ensure!(
                !matches!(planned.how, How::Restart(_) | How::Soak(_)),
                "this scenario has nobody to be compared with"
            );
            return Ok(Job::Compare { scenarios: vec![planned.scenario], peers, runs });
        }
        if self.find.find {
            return Ok(Job::Find(planned.scenario));
        }
        Ok(Job::Runs(vec![planned]))
    }

    /// Whether the arguments describe a scenario of their own.
    fn shapes(&self) -> bool {
        let paced = self.size.is_some() || self.rate.is_some() || self.max || self.window.is_some();
        paced || self.find.find || !self.shape.given().is_empty()
    }

    fn refuse_shape(&self, what: &str) -> Result<()> {
        match self.shape.given().first() {
            Some(flag) => bail!("{what} does not go together with {}", flag.name()),
            None => Ok(()),
        }
    }

    fn times(&self, duration: f64, warm_up: f64) -> Times {
        Times {
            warm_up: self.warm_up.unwrap_or(Duration::from_secs_f64(warm_up)),
            duration: self.duration.unwrap_or(Duration::from_secs_f64(duration)),
            drain: self.drain,
        }
    }

    /// The one scenario that the arguments describe.
    fn planned(&self) -> Result<Planned> {
        let Some(kind) = self.scenario else {
            let scenario = self.common(self.nameless()?.with_rate(Some(RATE)), None)?;
            return Ok(Planned { scenario, runs: self.runs.unwrap_or(1), how: How::Plain, optional: false });
        };
        let one_of_many = kind.compares() || self.find.find || !self.peers.compare.is_empty();
        let duration = match kind {
            Kind::Soak => 60.0,
            _ if self.find.find => 1.5,
            _ if one_of_many => 2.0,
            _ => 5.0,
        };
        let warm_up = if self.find.find { 0.3 } else { 1.0 };
        let times = self.times(duration, warm_up);
        if !kind.is_plain() {
            ensure!(!self.max, "{} has a rate of its own: no --max", kind.name());
            ensure!(!self.find.find, "{} has a rate of its own: no --find", kind.name());
        }
        ensure!(!self.find.find || kind.has_latency(), "{} has no latency: no --find", kind.name());
        let scenario = self.common(plan(kind, &self.shape, times)?, Some(kind))?;
        let how = match kind {
            Kind::Soak if self.rate.is_none() => How::Soak(self.shape.share(kind)),
            Kind::Reconnect if self.shape.restart => How::Restart(self.shape.count(kind, Flag::Connections)),
            _ if kind.compares() => How::Beside,
            _ => How::Plain,
        };
        let runs = self.runs.unwrap_or(if how == How::Beside { 3 } else { 1 });
        Ok(Planned { scenario, runs, how, optional: false })
    }

    /// Who publishes and subscribes, where no scenario was named.
    fn nameless(&self) -> Result<Scenario> {
        const KNOWN: [Flag; 6] =
            [Flag::Clients, Flag::Pubs, Flag::Subs, Flag::Pairs, Flag::Topics, Flag::Subscribe];
        let shape = &self.shape;
        if let Some(flag) = shape.given().iter().find(|flag| !KNOWN.contains(flag)) {
            bail!("{} belongs to a scenario: name it (--list)", flag.name());
        }
        let times = self.times(5.0, 1.0);
        let topics = shape.topics.unwrap_or(1);
        match (shape.clients, shape.pairs) {
            (Some(clients), _) => {
                let topics = (0..topics).map(|n| format!("load/{n}")).collect();
                Scenario::clients(clients, topics, &shape.subscribe, "a client", times)
            }
            (None, Some(pairs)) => Scenario::pairs(pairs, times),
            (None, None) => Scenario::new(
                shape.pubs.unwrap_or(1),
                shape.subs.unwrap_or(1),
                topics,
                &shape.subscribe,
                times,
            ),
        }
    }

    /// `scenario` with what can be said of any.
    fn common(&self, mut scenario: Scenario, kind: Option<Kind>) -> Result<Scenario> {
        scenario.size = self.size.unwrap_or(scenario.size);
        if self.max {
            scenario.rate = None;
        }
        scenario.rate = self.rate.or(scenario.rate);
        scenario.window = self.window;
        scenario.threads = self.threads;
        scenario.checksum = self.checksum;
        scenario.check().with_context(|| {
            kind.map_or_else(|| "this cannot be run".to_owned(), |kind| kind.name().to_owned())
        })?;
        if self.relay || self.versus_relay {
            scenario.check_relay()?;
        }
        Ok(scenario)
    }

    fn common_to_all(&self, planned: Vec<Planned>) -> Result<Vec<Planned>> {
        let common = |planned: Planned| {
            let scenario = Scenario { threads: self.threads, checksum: self.checksum, ..planned.scenario };
            let runs = self.runs.unwrap_or(planned.runs);
            Ok(Planned { scenario, runs, ..planned })
        };
        planned.into_iter().map(common).collect()
    }
}

/// A time: seconds, which may have a fraction, or a number with a unit.
pub(crate) fn time(text: &str) -> Result<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => bail!("{other} is no unit of time: us, ms, s, m or h"),
    };
    let number: f64 = number.trim().parse().with_context(|| format!("{number} is no number"))?;
    let seconds = number * unit;
    ensure!((0.0..=TIME_MAX.as_secs_f64()).contains(&seconds), "0 to 168 hours");
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests;
