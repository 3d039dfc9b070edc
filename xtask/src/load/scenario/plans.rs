//! From a scenario's name and parameters to who publishes what and who subscribes to what.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::kind::Kind;
use super::parameter::Flag;
use super::shape::ShapeArgs;
use super::{PublisherPlan, Scenario, Slice, SubscriberPlan, Times, all};
use crate::load::protocol::{ask_topic, reply_topic};
use crate::load::report::grouped;
use crate::load::side::Side;

/// The topics of lbroker's test client.
pub(super) const LBROKER_TOPICS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
/// The group of the scenario `group`.
const GROUP: &str = "loadtest";
/// Topics and subscriptions, at the most: a topic takes the generator some 300 bytes.
const TOPICS_MAX: usize = 5_000_000;
/// Between two rounds of a hundred subscribes and unsubscribes in a soak. A guess: enough to find a leak, too little to be the load.
const SOAK_CHURN: Duration = Duration::from_millis(200);
/// Where the order of the topics of `wildcard` begins: the same in every run, so that runs can be compared.
const SEED: u64 = 0x5eed;

/// The plan of `kind` with the parameters of `shape`.
pub(crate) fn plan(kind: Kind, shape: &ShapeArgs, times: Times) -> Result<Scenario> {
    kind.check(&shape.given())?;
    let count = |flag| shape.count(kind, flag);
    let patterns = &shape.subscribe;
    let new = |pubs, subs| Scenario::new(pubs, subs, count(Flag::Topics).max(1), patterns, times);
    let scenario = match kind {
        Kind::P2p => new(1, 1)?,
        Kind::Fanout => new(1, count(Flag::Subs))?,
        Kind::Fanin => new(count(Flag::Pubs), 1)?,
        Kind::Pairs => Scenario::pairs(count(Flag::Pairs), times)?,
        Kind::Nobody => nobody(count(Flag::Pubs), count(Flag::Topics).max(1), times)?,
        Kind::Group => group(new(count(Flag::Pubs), count(Flag::Subs))?),
        Kind::Wildcard => {
            wildcard(count(Flag::Subscriptions), count(Flag::Sessions), count(Flag::Topics), times)?
        }
        Kind::RetainedJoin => {
            let topics = count(Flag::Retained);
            ensure!((1..=TOPICS_MAX).contains(&topics), "--retained is 1 to {TOPICS_MAX}");
            new(1, count(Flag::Subs))?.beside(Side::Joiner { topics })
        }
        Kind::SlowConsumer => {
            let (reads, policy) = (shape.reads(kind)?, shape.policy);
            let slow = Side::SlowReaders { count: count(Flag::Slow), reads, policy };
            new(1, count(Flag::Subs))?.beside(slow)
        }
        Kind::Reqrep => requests(Scenario::pairs(count(Flag::Pairs), times)?),
        Kind::ConnStorm => new(1, 1)?.beside(Side::Storm { connections: count(Flag::Connections) }),
        Kind::Churn => {
            let (sessions, patterns) = (count(Flag::Sessions), count(Flag::Subscriptions));
            new(1, 1)?.beside(Side::Churn { sessions, patterns, pause: Duration::ZERO })
        }
        Kind::Reconnect => new(1, 1)?.beside(Side::Resets { connections: count(Flag::Connections) }),
        Kind::Soak => Scenario::pairs(count(Flag::Pairs), times)?
            .beside(Side::Churn { sessions: 1, patterns: 100, pause: SOAK_CHURN })
            .beside(Side::Visitors)
            .beside(Side::Observer),
        Kind::Lbroker => {
            let interval = shape.interval(kind);
            ensure!(interval > 0.0 && interval.is_finite(), "--interval has to be above 0");
            let clients = count(Flag::Clients);
            #[expect(clippy::cast_precision_loss, reason = "there are at most 65,535 clients")]
            let rate = clients as f64 / interval;
            let scenario = Scenario::lbroker(clients, patterns, times)?.named(kind);
            return Ok(scenario.with_size(kind.size()).with_rate(Some(rate)));
        }
    };
    let scenario = scenario.named(kind);
    Ok(scenario.with_size(kind.size()).with_rate(Some(kind.rate())))
}

/// `pubs` publishers of messages that nobody wants.
fn nobody(pubs: usize, topics: usize, times: Times) -> Result<Scenario> {
    let scenario = Scenario::new(pubs, 0, topics, &[], times)?;
    Ok(Scenario { to_nobody: true, name: format!("{pubs} to nobody"), ..scenario })
}

/// All subscribers in one group of the protocol: each message to one of them.
fn group(mut scenario: Scenario) -> Scenario {
    for subscriber in &mut scenario.subscribers {
        subscriber.queue = Some(GROUP.into());
    }
    scenario
}

/// Each publisher asks on a topic of its own; what arrives at its subscriber is the reply.
fn requests(mut scenario: Scenario) -> Scenario {
    scenario.requests = (0..scenario.topics.len()).map(ask_topic).collect();
    scenario.topics = (0..scenario.topics.len()).map(reply_topic).collect();
    for (subscriber, topic) in scenario.subscribers.iter_mut().zip(&scenario.topics) {
        subscriber.patterns = [topic.clone()].into();
    }
    scenario.beside(Side::Responders)
}

/// `subscriptions` patterns `load/N/*`, dealt to `sessions` in turn, and `topics` topics `load/N/T` of which each matches one of them, in random
/// order. So that the books stay small, the order is random only in which subscription of a session comes next: the sessions get their messages in turn.
fn wildcard(subscriptions: usize, sessions: usize, topics: usize, times: Times) -> Result<Scenario> {
    ensure!((1..=TOPICS_MAX).contains(&topics), "--topics is 1 to {TOPICS_MAX}");
    ensure!((1..=TOPICS_MAX).contains(&subscriptions), "--subscriptions is 1 to {TOPICS_MAX}");
    ensure!((1..=subscriptions).contains(&sessions), "--sessions is 1 to the number of subscriptions");
    ensure!(
        subscriptions.is_multiple_of(sessions) && topics.is_multiple_of(sessions),
        "--subscriptions and --topics have to be multiples of --sessions"
    );
    let each = subscriptions / sessions;
    let mut random = fastrand::Rng::with_seed(SEED);
    // For each session the subscriptions of its topics: as even as can be, then shuffled.
    let mut of_session: Vec<Vec<usize>> = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let mut order: Vec<usize> = (0..topics / sessions).map(|turn| turn % each).collect();
        random.shuffle(&mut order);
        of_session.push(order);
    }
    let mut names = Vec::with_capacity(topics);
    for turn in 0..topics / sessions {
        for (session, order) in of_session.iter().enumerate() {
            let place = order.get(turn).copied().unwrap_or(0);
            names.push(format!("load/{}/{}", place * sessions + session, names.len()));
        }
    }
    let subscriber = |session: usize| {
        let patterns = (0..each).map(|place| format!("load/{}/*", place * sessions + session)).collect();
        let slice = Slice { at: session, of: sessions };
        SubscriberPlan { patterns, slice: Some(slice), ..SubscriberPlan::new() }
    };
    let cycle = all(&names)?;
    Ok(Scenario {
        name: format!(
            "{} on {sessions} sessions, {} topics",
            grouped(subscriptions as u64),
            grouped(topics as u64)
        ),
        publishers: vec![PublisherPlan { cycle, group: 0 }],
        subscribers: (0..sessions).map(subscriber).collect(),
        ..Scenario::empty(names, times)
    })
}

impl Scenario {
    /// `pubs` publishers that publish to all `topics` in turn, `subs` subscribers to `patterns`, or to all topics if that is empty.
    pub(crate) fn new(
        pubs: usize,
        subs: usize,
        topics: usize,
        patterns: &[String],
        times: Times,
    ) -> Result<Self> {
        ensure!(topics <= TOPICS_MAX, "--topics is {TOPICS_MAX} at the most");
        let topics: Vec<String> = (0..topics).map(|n| format!("load/{n}")).collect();
        let cycle = all(&topics)?;
        let patterns: Arc<[String]> = match (patterns, topics.as_slice()) {
            ([], [only]) => [only.clone()].into(),
            ([], _) => ["load/*".to_owned()].into(),
            _ => patterns.into(),
        };
        Ok(Self {
            name: format!("{pubs} to {subs}"),
            publishers: vec![PublisherPlan { cycle, group: 0 }; pubs],
            subscribers: vec![SubscriberPlan { patterns, ..SubscriberPlan::new() }; subs],
            ..Self::empty(topics, times)
        })
    }

    /// `pairs` publishers, each with a topic and a subscriber of its own.
    pub(crate) fn pairs(pairs: usize, times: Times) -> Result<Self> {
        let topics: Vec<String> = (0..pairs).map(|n| format!("load/{n}")).collect();
        let numbers = all(&topics)?;
        let subscriber = |(&group, topic): (&u32, &String)| SubscriberPlan {
            patterns: [topic.clone()].into(),
            group,
            ..SubscriberPlan::new()
        };
        Ok(Self {
            name: format!("{pairs} to {pairs}, in pairs"),
            publishers: numbers.iter().map(|&n| PublisherPlan { cycle: [n].into(), group: n }).collect(),
            subscribers: numbers.iter().zip(&topics).map(subscriber).collect(),
            ..Self::empty(topics, times)
        })
    }

    /// `clients` connections that each publish to lbroker's topics a to g in turn, and subscribe to `patterns`.
    pub(crate) fn lbroker(clients: usize, patterns: &[String], times: Times) -> Result<Self> {
        Self::clients(clients, LBROKER_TOPICS.map(str::to_owned).to_vec(), patterns, "a test client", times)
    }

    /// `clients` connections that each publish to all `topics` in turn and subscribe to `patterns`, or to the first topic.
    pub(crate) fn clients(
        clients: usize,
        topics: Vec<String>,
        patterns: &[String],
        name: &str,
        times: Times,
    ) -> Result<Self> {
        let cycle = all(&topics)?;
        let patterns: Arc<[String]> = match patterns {
            [] => topics.iter().take(1).cloned().collect(),
            _ => patterns.into(),
        };
        let numbers = 0..u16::try_from(clients).context("too many clients: 65535 at the most")?;
        let subscriber = |number| SubscriberPlan {
            patterns: Arc::clone(&patterns),
            publisher: Some(number),
            ..SubscriberPlan::new()
        };
        Ok(Self {
            name: format!("{clients} times {name}"),
            publishers: vec![PublisherPlan { cycle, group: 0 }; clients],
            subscribers: numbers.map(subscriber).collect(),
            ..Self::empty(topics, times)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    const TIMES: Times =
        Times { warm_up: Duration::ZERO, duration: Duration::from_secs(1), drain: Duration::ZERO };

    #[test]
    fn every_scenario_has_a_plan_that_can_be_run() {
        for &kind in Kind::value_variants() {
            let scenario = plan(kind, &ShapeArgs::default(), TIMES).unwrap();
            scenario.check().unwrap();
            assert!(scenario.rate.is_some(), "{kind:?}");
            assert_eq!(kind.is_plain() && kind != Kind::Reqrep, scenario.sides.is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn lbrokers_clients_keep_their_interval() {
        let shape = ShapeArgs { clients: Some(10), interval: Some(0.1), ..ShapeArgs::default() };
        let scenario = plan(Kind::Lbroker, &shape, TIMES).unwrap();
        assert_eq!(scenario.rate, Some(100.0));
        assert_eq!(scenario.topics, LBROKER_TOPICS);
    }

    #[test]
    fn each_topic_matches_one_wildcard_and_the_slice_knows_whose() {
        let scenario = wildcard(12, 3, 60, TIMES).unwrap();
        assert_eq!((scenario.subscribers.len(), scenario.topics.len()), (3, 60));
        for (number, topic) in scenario.topics.iter().enumerate() {
            let second = topic.split('/').nth(1).unwrap();
            let pattern = format!("load/{second}/*");
            let holders: Vec<usize> =
                (0..3).filter(|&session| scenario.subscribers[session].patterns.contains(&pattern)).collect();
            assert_eq!(holders, [number % 3], "{topic}");
            assert_eq!(scenario.subscribers[number % 3].slice.unwrap().at, number % 3);
        }
        let order: Vec<&str> = scenario.topics.iter().map(|topic| topic.split('/').nth(1).unwrap()).collect();
        assert_ne!(order[..12], order[12..24], "the order is random");
        assert!(wildcard(10, 3, 60, TIMES).is_err());
    }
}
