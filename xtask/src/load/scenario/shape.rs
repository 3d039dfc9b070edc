//! The flags that shape a scenario: who publishes, who subscribes, and what happens beside.
//!
//! Nothing has a default here: which flags a scenario takes and what they are otherwise stands in its row of `kind.rs`.

use anyhow::{Result, bail};
use broker_core::Policy;
use clap::{Args, ValueEnum};

use super::kind::Kind;
use super::parameter::Flag;
use crate::load::side::Reads;

/// How a slow subscriber reads
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SlowMode {
    /// Nothing
    Never,
    /// --read-rate bytes a second
    Rate,
    /// A bit four times a second
    Bursts,
}

/// What was given of a scenario's own parameters.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Parameters of scenarios (which takes which: --list)")]
pub(crate) struct ShapeArgs {
    /// Connections that publish and subscribe
    #[arg(long, value_name = "N", conflicts_with_all = ["pubs", "subs", "pairs"])]
    pub(crate) clients: Option<usize>,
    /// Publishers
    #[arg(long, value_name = "N")]
    pub(crate) pubs: Option<usize>,
    /// Subscribers
    #[arg(long, value_name = "N")]
    pub(crate) subs: Option<usize>,
    /// Publishers, each with a topic and a subscriber of its own
    #[arg(long, value_name = "N", conflicts_with_all = ["pubs", "subs", "topics", "subscribe"])]
    pub(crate) pairs: Option<usize>,
    /// Topics; each publisher publishes to all of them in turn
    #[arg(long, value_name = "N")]
    pub(crate) topics: Option<usize>,
    /// A pattern of each subscriber; repeatable [default: all topics; with --clients the first]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) subscribe: Vec<String>,
    /// Subscriptions with wildcards
    #[arg(long, value_name = "N")]
    pub(crate) subscriptions: Option<usize>,
    /// Sessions that hold them
    #[arg(long, value_name = "N")]
    pub(crate) sessions: Option<usize>,
    /// Topics with a retained message
    #[arg(long, value_name = "N")]
    pub(crate) retained: Option<usize>,
    /// Subscribers that do not read, or slowly
    #[arg(long, value_name = "N")]
    pub(crate) slow: Option<usize>,
    /// Bytes a second that each of those reads
    #[arg(long, value_name = "BYTES")]
    pub(crate) read_rate: Option<usize>,
    /// How those read
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) slow_mode: Option<SlowMode>,
    /// What those ask for when they are slow: skip, conflate, drop-oldest, drop-newest, disconnect or block
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<Policy>,
    /// Connections
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<usize>,
    /// The server is restarted, instead of connections closed
    #[arg(long, conflicts_with = "addr")]
    pub(crate) restart: bool,
    /// Of the maximum rate, 0 to 1
    #[arg(long, value_name = "SHARE", conflicts_with = "rate")]
    pub(crate) share: Option<f64>,
    /// Seconds between two messages of a client
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["rate", "max"])]
    pub(crate) interval: Option<f64>,
}

impl ShapeArgs {
    /// Which flags were given.
    pub(crate) fn given(&self) -> Vec<Flag> {
        let flags = [
            (Flag::Clients, self.clients.is_some()),
            (Flag::Pubs, self.pubs.is_some()),
            (Flag::Subs, self.subs.is_some()),
            (Flag::Pairs, self.pairs.is_some()),
            (Flag::Topics, self.topics.is_some()),
            (Flag::Subscribe, !self.subscribe.is_empty()),
            (Flag::Subscriptions, self.subscriptions.is_some()),
            (Flag::Sessions, self.sessions.is_some()),
            (Flag::Retained, self.retained.is_some()),
            (Flag::Slow, self.slow.is_some()),
            (Flag::ReadRate, self.read_rate.is_some()),
            (Flag::SlowMode, self.slow_mode.is_some()),
            (Flag::Policy, self.policy.is_some()),
            (Flag::Connections, self.connections.is_some()),
            (Flag::Restart, self.restart),
            (Flag::Share, self.share.is_some()),
            (Flag::Interval, self.interval.is_some()),
        ];
        flags.into_iter().filter(|&(_, given)| given).map(|(flag, _)| flag).collect()
    }

    /// The value of a count: as given, or the scenario's default.
    pub(crate) fn count(&self, kind: Kind, flag: Flag) -> usize {
        let given = match flag {
            Flag::Clients => self.clients,
            Flag::Pubs => self.pubs,
            Flag::Subs => self.subs,
            Flag::Pairs => self.pairs,
            Flag::Topics => self.topics,
            Flag::Subscriptions => self.subscriptions,
            Flag::Sessions => self.sessions,
            Flag::Retained => self.retained,
            Flag::Slow => self.slow,
            Flag::ReadRate => self.read_rate,
            Flag::Connections => self.connections,
            Flag::Subscribe
            | Flag::SlowMode
            | Flag::Policy
            | Flag::Restart
            | Flag::Share
            | Flag::Interval => None,
        };
        given.unwrap_or_else(|| kind.count(flag))
    }

    /// Those of them that `kind` takes.
    pub(crate) fn only(&self, kind: Kind) -> Self {
        let takes = |flag| kind.parameters().iter().any(|parameter| parameter.flag == flag);
        let kept = |flag, value: Option<usize>| value.filter(|_| takes(flag));
        Self {
            clients: kept(Flag::Clients, self.clients),
            pubs: kept(Flag::Pubs, self.pubs),
            subs: kept(Flag::Subs, self.subs),
            pairs: kept(Flag::Pairs, self.pairs),
            topics: kept(Flag::Topics, self.topics),
            subscribe: if takes(Flag::Subscribe) { self.subscribe.clone() } else { Vec::new() },
            subscriptions: kept(Flag::Subscriptions, self.subscriptions),
            sessions: kept(Flag::Sessions, self.sessions),
            retained: kept(Flag::Retained, self.retained),
            slow: kept(Flag::Slow, self.slow),
            read_rate: kept(Flag::ReadRate, self.read_rate),
            slow_mode: self.slow_mode.filter(|_| takes(Flag::SlowMode)),
            policy: self.policy.filter(|_| takes(Flag::Policy)),
            connections: kept(Flag::Connections, self.connections),
            restart: self.restart && takes(Flag::Restart),
            share: self.share.filter(|_| takes(Flag::Share)),
            interval: self.interval.filter(|_| takes(Flag::Interval)),
        }
    }

    /// How slow subscribers read.
    ///
    /// # Errors
    /// If they are to read at a rate and not at one.
    pub(crate) fn reads(&self, kind: Kind) -> Result<Reads> {
        let rate = self.read_rate.filter(|&rate| rate > 0);
        Ok(match (self.slow_mode, rate) {
            (None | Some(SlowMode::Never), None) => Reads::Never,
            (None | Some(SlowMode::Rate), Some(bytes)) => Reads::Rate(bytes),
            (Some(SlowMode::Rate), None) => Reads::Rate(kind.count(Flag::ReadRate)),
            (Some(SlowMode::Bursts), None) => Reads::Bursts,
            (Some(SlowMode::Never | SlowMode::Bursts), Some(_)) => {
                bail!("--read-rate goes with --slow-mode rate")
            }
        })
    }

    /// `--share`, as given or by default.
    pub(crate) fn share(&self, kind: Kind) -> f64 {
        self.share.unwrap_or_else(|| kind.number(Flag::Share))
    }

    /// `--interval`, as given or by default.
    pub(crate) fn interval(&self, kind: Kind) -> f64 {
        self.interval.unwrap_or_else(|| kind.number(Flag::Interval))
    }
}
