//! What happens beside the messages of a run: subscribers that do not read, connections that come and go, others that answer.
//!
//! A [`Side`] is data, a part of the scenario. Before the run it is prepared, which makes connections and may fail; in the run each has a thread
//! of its own, begins when measuring begins and ends when publishing has, within the drain time. It counts no message that the run counts. What
//! it found is a list of figures (`metric.rs` has their names), and the messages that it knows were lost.

mod churn;
mod handles;
mod joiner;
mod observer;
mod pipe;
pub(crate) mod resets;
mod responders;
mod slow_readers;
mod storm;
mod visitors;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use broker_core::Policy;

use super::clock::nanos;
use super::flow::Flow;
use super::outcome::Figure;
use super::peer::Target;
use super::report::grouped;
use super::scenario::Scenario;
use super::shared::Shared;

/// How long a side sleeps at most before it looks whether the run is over.
const NAP_MAX: Duration = Duration::from_millis(20);

/// Something that happens beside the messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// Subscribers to the same topics that read slowly, or never.
    SlowReaders {
        /// How many.
        count: usize,
        /// How they read.
        reads: Reads,
        /// What they ask for when they are slow; the server's default if `None`.
        policy: Option<Policy>,
    },
    /// One subscriber after the other joins and is sent retained messages.
    Joiner {
        /// Topics with a retained message.
        topics: usize,
    },
    /// Sessions that subscribe and unsubscribe.
    Churn {
        /// How many.
        sessions: usize,
        /// Subscriptions that each has at most.
        patterns: usize,
        /// Between two rounds.
        pause: Duration,
    },
    /// Connections opened as fast as possible, then all closed, again and again.
    Storm {
        /// How many are open at once.
        connections: usize,
    },
    /// Subscribers whose connections break all at once, again and again.
    Resets {
        /// How many.
        connections: usize,
    },
    /// Those who answer the scenario's requests.
    Responders,
    /// Sessions that come, subscribe to what flows and go, some without a word.
    Visitors,
    /// Looks at memory and handles of the peer.
    Observer,
}

/// How a slow subscriber reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Nothing.
    Never,
    /// So many bytes a second.
    Rate(usize),
    /// A bit of what there is, and nothing for a while.
    Bursts,
}

/// For people: what else there is, after "beside".
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: usize| grouped(count as u64);
        match self {
            Self::SlowReaders { count: readers, reads, policy } => {
                match reads {
                    Reads::Never => write!(f, "{} that never read", count(*readers))?,
                    Reads::Rate(bytes) => write!(f, "{} that read {} B/s", count(*readers), count(*bytes))?,
                    Reads::Bursts => write!(f, "{} that read in bursts", count(*readers))?,
                }
                policy.map_or(Ok(()), |policy| write!(f, ", {policy}"))
            }
            Self::Joiner { topics } => write!(f, "joiners to {} topics", count(*topics)),
            Self::Churn { sessions, patterns, .. } => {
                write!(f, "{sessions} that churn {} patterns", count(*patterns))
            }
            Self::Storm { connections } => write!(f, "storms of {}", count(*connections)),
            Self::Resets { connections } => write!(f, "{} that break", count(*connections)),
            Self::Visitors => f.write_str("visitors"),
            Self::Responders | Self::Observer => Ok(()),
        }
    }
}

/// What a side found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// In the order in which they are shown.
    pub(crate) figures: Vec<Figure>,
    /// Messages that somebody was to get, never got, and was not told of.
    pub(crate) lost: u64,
    /// Messages that somebody got after a later one of the same publisher, or twice.
    pub(crate) reordered: u64,
    /// Messages that somebody was told to have missed, and got.
    pub(crate) miscounted: u64,
}

impl Findings {
    /// Adds a figure.
    fn note(&mut self, name: &str, value: f64) {
        self.figures.push(Figure::new(name, value));
    }

    /// Adds a count.
    #[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
    fn count(&mut self, name: &str, count: u64) {
        self.note(name, count as f64);
    }
}

/// A side that is ready to begin.
pub(crate) trait Work: Send {
    /// Runs to the end of the run.
    fn run(self: Box<Self>, stage: &Stage) -> Result<Findings>;
}

/// What a side sees of the run.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// The clock, and when what begins.
    pub(crate) shared: Arc<Shared>,
    flows: Arc<[Arc<Flow>]>,
}

impl Stage {
    /// Of a run with these publishers.
    pub(crate) fn new(shared: Arc<Shared>, flows: &[Arc<Flow>]) -> Self {
        Self { shared, flows: flows.into() }
    }

    /// Now, on the run's clock.
    fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    /// Whether messages are still published.
    fn goes_on(&self) -> bool {
        !self.shared.is_aborted() && self.now() < self.shared.until()
    }

    /// Sleeps until measuring begins. False if the run ended before.
    fn wait_for_start(&self) -> bool {
        self.sleep_until(self.shared.measure_from)
    }

    /// Sleeps until `at`. False if publishing ended before.
    fn sleep_until(&self, at: u64) -> bool {
        loop {
            let now = self.now();
            if !self.goes_on() {
                return false;
            }
            if now >= at {
                return true;
            }
            std::thread::sleep(NAP_MAX.min(Duration::from_nanos(at - now)));
        }
    }

    /// Sleeps for `pause`. False if publishing ended before.
    fn sleep(&self, pause: Duration) -> bool {
        self.sleep_until(self.now().saturating_add(nanos(pause)))
    }

    /// Messages sent so far, all publishers together.
    fn sent(&self) -> u64 {
        self.flows.iter().map(|flow| flow.sent()).sum()
    }
}

impl Side {
    /// Makes its connections.
    ///
    /// # Errors
    /// If the peer cannot do it, or its protocol.
    pub(crate) fn prepare(&self, scenario: &Scenario, target: Target) -> Result<Box<dyn Work>> {
        Ok(match *self {
            Self::SlowReaders { count, reads, policy } => {
                Box::new(slow_readers::SlowReaders::new(scenario, target, count, reads, policy)?)
            }
            Self::Joiner { topics } => Box::new(joiner::Joiner::new(scenario, target, topics)?),
            Self::Churn { sessions, patterns, pause } => {
                Box::new(churn::Churn::new(target, sessions, patterns, pause)?)
            }
            Self::Storm { connections } => Box::new(storm::Storm::new(target, connections)?),
            Self::Resets { connections } => Box::new(resets::Resets::new(target, connections)?),
            Self::Responders => Box::new(responders::Responders::new(scenario, target)?),
            Self::Visitors => Box::new(visitors::Visitors::new(scenario, target)?),
            Self::Observer => Box::new(observer::Observer::new(target)?),
        })
    }
}
