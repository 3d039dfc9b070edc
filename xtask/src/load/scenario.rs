//! What a run does: who publishes what to which topics, who subscribes to what, how fast and for how long, and what happens beside.
//!
//! Pure: made from arguments (`kind`, `shape`, `plans`) or by `performance`, read by the run.

pub(crate) mod kind;
mod parameter;
mod plans;
pub(crate) mod shape;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker_core::glob_tree::Pattern;
use serde::Serialize;

use super::report::grouped;
use super::side::Side;
pub(crate) use kind::Kind;
pub(crate) use parameter::Flag;
pub(crate) use plans::plan;
pub(crate) use shape::{ShapeArgs, SlowMode};

/// Bytes on their way to one subscriber, over all publishers, unless `--window` says otherwise. Far below the default outbox, so that
/// nothing has to be skipped. Measured with the relay: with 4 MiB it is half as fast at 1 KiB and 64 KiB, presumably because
/// the bytes leave the caches between two copies.
const WINDOW_BYTES: usize = 1 << 20;
/// Publishers that a stamp can tell apart.
const PUBLISHERS_MAX: usize = 1 << 16;

/// One publisher.
#[derive(Debug, Clone)]
pub(crate) struct PublisherPlan {
    /// The topics that it publishes to in turn, by number.
    pub(crate) cycle: Arc<[u32]>,
    /// With the relay: whose subscribers get it.
    pub(crate) group: u32,
}

/// One subscriber.
#[derive(Debug, Clone)]
pub(crate) struct SubscriberPlan {
    /// What it subscribes to.
    pub(crate) patterns: Arc<[String]>,
    /// With the relay: whose publisher it gets.
    pub(crate) group: u32,
    /// The publisher that uses the same connection.
    pub(crate) publisher: Option<u16>,
    /// The group that it shares its messages with, where the protocol has groups.
    pub(crate) queue: Option<Arc<str>>,
    /// Which messages of every publisher its patterns match, where that is known without asking them: there may be very many.
    pub(crate) slice: Option<Slice>,
}

/// Every message whose number leaves the remainder `at` when it is divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The remainder.
    pub(crate) at: usize,
    /// The divisor.
    pub(crate) of: usize,
}

impl SubscriberPlan {
    /// One that subscribes to nothing yet.
    fn new() -> Self {
        Self { patterns: [].into(), group: 0, publisher: None, queue: None, slice: None }
    }
}

/// How long the parts of a run take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Published but not measured.
    pub(crate) warm_up: Duration,
    /// Measured.
    pub(crate) duration: Duration,
    /// Waited at the end while nothing arrives.
    pub(crate) drain: Duration,
}

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// For people.
    pub(crate) name: String,
    /// Every topic that subscribers get messages on, by number.
    pub(crate) topics: Vec<String>,
    /// Where they are published instead, as requests for a reply on the topic of the same number; empty for plain messages.
    pub(crate) requests: Vec<String>,
    /// Who publishes.
    pub(crate) publishers: Vec<PublisherPlan>,
    /// Who subscribes.
    pub(crate) subscribers: Vec<SubscriberPlan>,
    /// Nobody subscribes: what counts as delivered is what the server has taken, as its answers to pings between the messages say.
    pub(crate) to_nobody: bool,
    /// Bytes of a payload.
    pub(crate) size: usize,
    /// Whether every payload carries a checksum, and every byte of it is checked.
    pub(crate) checksum: bool,
    /// Messages a second, all publishers together; `None` for as fast as the window allows.
    pub(crate) rate: Option<f64>,
    /// Messages in flight for each publisher; `None` for the default.
    pub(crate) window: Option<u64>,
    /// How long.
    pub(crate) times: Times,
    /// Threads on each side; `None` for half of the cores.
    pub(crate) threads: Option<usize>,
    /// What happens beside the messages.
    pub(crate) sides: Vec<Side>,
}

/// A scenario in a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ScenarioSummary {
    name: String,
    publishers: usize,
    subscribers: usize,
    topics: usize,
    payload_bytes: usize,
    rate_per_s: Option<f64>,
    window_messages: Option<u64>,
    warm_up_s: f64,
    duration_s: f64,
}

impl ScenarioSummary {
    /// The window that was used, if there was one.
    pub(crate) fn window_messages(&self) -> Option<u64> {
        self.window_messages
    }

    /// Messages a second, all publishers together, in an open loop.
    pub(crate) fn rate_per_s(&self) -> Option<f64> {
        self.rate_per_s
    }

    /// One line for people; the same for the same scenario with the same parameters.
    pub(crate) fn title(&self) -> String {
        title(&self.name, self.payload_bytes, self.rate_per_s)
    }
}

/// A rate for people: whole, with its digits in groups; with its fraction where that is most of it.
fn whole(rate: f64) -> String {
    if rate < 10.0 {
        return rate.to_string();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0, and rounded")]
    grouped(rate.round() as u64)
}

/// What a scenario is called, size and pace included.
fn title(name: &str, payload_bytes: usize, rate_per_s: Option<f64>) -> String {
    let pace = match rate_per_s {
        Some(rate) => format!("{}/s", whole(rate)),
        None => "as fast as possible".to_owned(),
    };
    format!("{name}, {payload_bytes} B, {pace}")
}

impl Scenario {
    fn empty(topics: Vec<String>, times: Times) -> Self {
        Self {
            name: String::new(),
            topics,
            requests: Vec::new(),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            to_nobody: false,
            size: 128,
            checksum: false,
            rate: None,
            window: None,
            times,
            threads: None,
            sides: Vec::new(),
        }
    }

    /// The same with payloads of `size` bytes.
    pub(crate) fn with_size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    /// The same at `rate` messages a second, in an open loop.
    pub(crate) fn with_rate(mut self, rate: Option<f64>) -> Self {
        self.rate = rate;
        self
    }

    /// The same with something that happens beside its messages.
    fn beside(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }

    /// The same without anything beside its messages.
    pub(crate) fn alone(&self) -> Self {
        Self { sides: Vec::new(), name: format!("{}, alone", self.name), ..self.clone() }
    }

    /// The same under the name of `kind`.
    fn named(mut self, kind: Kind) -> Self {
        self.name = format!("{}, {}", kind.name(), self.name);
        self
    }

    /// Its name, and what happens beside its messages.
    fn full_name(&self) -> String {
        let sides: Vec<String> =
            self.sides.iter().map(Side::to_string).filter(|text| !text.is_empty()).collect();
        if sides.is_empty() {
            self.name.clone()
        } else {
            format!("{} beside {}", self.name, sides.join(", "))
        }
    }

    /// Refuses what cannot be run.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.publishers.is_empty(), "there has to be a publisher");
        ensure!(self.subscribers.is_empty() == self.to_nobody, "there has to be a subscriber");
        ensure!(!self.topics.is_empty(), "there has to be a topic");
        ensure!(self.publishers.len() < PUBLISHERS_MAX, "too many publishers: 65535 at the most");
        ensure!(self.window != Some(0), "--window has to be 1 or more");
        ensure!(self.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite()), "--rate has to be above 0");
        ensure!(!self.times.duration.is_zero(), "--duration has to be above 0");
        Ok(())
    }

    /// Refuses what the relay cannot do: it copies all bytes of one publisher to the subscribers of its group.
    pub(crate) fn check_relay(&self) -> Result<()> {
        let mut groups: Vec<u32> = self.publishers.iter().map(|publisher| publisher.group).collect();
        groups.dedup();
        ensure!(
            groups.len() == self.publishers.len(),
            "the relay takes one publisher for a set of subscribers: --pubs 1 or --pairs"
        );
        ensure!(
            self.subscribers.iter().all(|subscriber| subscriber.publisher.is_none()),
            "the relay has no clients that publish and subscribe on one connection"
        );
        ensure!(!self.to_nobody, "the relay answers nothing: not for this scenario");
        ensure!(
            self.sides.is_empty(),
            "the relay copies messages and does nothing else: not for this scenario"
        );
        ensure!(
            self.subscribers
                .iter()
                .all(|subscriber| subscriber.slice.is_none() && subscriber.queue.is_none()),
            "the relay knows neither patterns nor groups: not for this scenario"
        );
        for subscriber in &self.subscribers {
            let matching = self.matching(&subscriber.patterns)?;
            let of_group = self.publishers.iter().filter(|publisher| publisher.group == subscriber.group);
            let all =
                of_group.flat_map(|publisher| publisher.cycle.iter()).all(|&topic| is_set(&matching, topic));
            ensure!(all, "the relay copies everything: its subscribers cannot leave topics out");
        }
        Ok(())
    }

    /// For each topic, whether one of `patterns` matches it.
    pub(crate) fn matching(&self, patterns: &[String]) -> Result<Vec<bool>> {
        let patterns: Vec<Pattern> = patterns
            .iter()
            .map(|text| Pattern::glob(text).with_context(|| format!("--subscribe {text} is not a pattern")))
            .collect::<Result<_>>()?;
        Ok(self.topics.iter().map(|topic| patterns.iter().any(|pattern| pattern.matches(topic))).collect())
    }

    /// The window of each publisher, where one subscriber gets the messages of `feeders` publishers in frames of
    /// `frame_bytes`. `None` in an open loop that was not given one.
    pub(crate) fn window(&self, feeders: usize, frame_bytes: usize) -> Option<u64> {
        match (self.window, self.rate) {
            (None, Some(_)) => None,
            (Some(window), _) => Some(window),
            (None, None) => Some((WINDOW_BYTES / feeders.max(1) / frame_bytes.max(1)).max(1) as u64),
        }
    }

    /// What a report says of it; `window` is the one that was used.
    pub(crate) fn summary(&self, window: Option<u64>) -> ScenarioSummary {
        ScenarioSummary {
            name: self.full_name(),
            publishers: self.publishers.len(),
            subscribers: self.subscribers.len(),
            topics: self.topics.len(),
            payload_bytes: self.size,
            rate_per_s: self.rate,
            window_messages: window,
            warm_up_s: self.times.warm_up.as_secs_f64(),
            duration_s: self.times.duration.as_secs_f64(),
        }
    }

    /// One line for people.
    pub(crate) fn title(&self) -> String {
        title(&self.full_name(), self.size, self.rate)
    }
}

/// The numbers of all topics.
fn all(topics: &[String]) -> Result<Arc<[u32]>> {
    Ok((0..u32::try_from(topics.len()).context("too many topics")?).collect())
}

/// Whether `topic` is set in `matching`.
pub(crate) fn is_set(matching: &[bool], topic: u32) -> bool {
    matching.get(topic as usize).copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times =
        Times { warm_up: Duration::ZERO, duration: Duration::from_secs(1), drain: Duration::ZERO };

    #[test]
    fn what_the_relay_can_do() {
        assert!(Scenario::new(1, 100, 1, &[], TIMES).unwrap().check_relay().is_ok());
        assert!(Scenario::new(1, 1, 5, &[], TIMES).unwrap().check_relay().is_ok());
        assert!(Scenario::pairs(10, TIMES).unwrap().check_relay().is_ok());
        assert!(Scenario::new(2, 1, 1, &[], TIMES).unwrap().check_relay().is_err());
        assert!(Scenario::lbroker(1, &[], TIMES).unwrap().check_relay().is_err());
        assert!(Scenario::new(1, 1, 5, &["load/3".to_owned()], TIMES).unwrap().check_relay().is_err());
    }

    #[test]
    fn the_window_keeps_within_the_outbox() {
        let scenario = Scenario::new(10, 1, 1, &[], TIMES).unwrap();
        let window = scenario.window(10, 140).unwrap();
        assert!(window * 10 * 140 <= 1 << 20, "{window}");
        assert_eq!(scenario.window(1, 100 << 20), Some(1));
        assert_eq!(scenario.with_rate(Some(10.0)).window(1, 100), None);
    }

    #[test]
    fn lbrokers_clients_publish_to_seven_topics_and_hear_one() {
        let scenario = Scenario::lbroker(30, &[], TIMES).unwrap();
        assert_eq!(scenario.topics, plans::LBROKER_TOPICS);
        assert_eq!(scenario.publishers.len(), 30);
        let matching = scenario.matching(&scenario.subscribers[0].patterns).unwrap();
        assert_eq!(matching, [true, false, false, false, false, false, false]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Scenario::new(0, 1, 1, &[], TIMES).unwrap().check().is_err());
        assert!(Scenario::new(1, 0, 1, &[], TIMES).unwrap().check().is_err());
        assert!(Scenario::new(1, 1, 0, &[], TIMES).unwrap().check().is_err());
        let scenario = Scenario::new(1, 1, 1, &[], TIMES).unwrap();
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(scenario.clone().with_rate(Some(rate)).check().is_err(), "{rate}");
        }
        assert!(scenario.check().is_ok());
    }
}
