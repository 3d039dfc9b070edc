//! The connections of a run: how subscribers and publishers get theirs, and which frames go over them, by protocol and peer.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::frame::{Batch, Outgoing};
use super::layout::Layouts;
use super::payload::Payload;
use super::peer::{Peer, Target};
use super::protocol::{Filter, Replies, Terms, Wire};
use super::publish::Answers;
use super::scenario::{PublisherPlan, Scenario, SubscriberPlan};
use super::session::{Session, connect};
use crate::relay::{Greeting, Role};

/// Bytes of a frame beside its payload, about: for the size of a batch.
const FRAME_BYTES: usize = 64;

/// What a subscriber subscribes to, and the frames that it gets for that.
#[derive(Debug, Clone)]
struct Wanted {
    filters: Arc<[Filter]>,
    layouts: Arc<Layouts>,
}

/// Makes the connections of one run.
#[derive(Debug)]
pub(crate) struct Links<'a> {
    scenario: &'a Scenario,
    target: Target,
    payload: Payload,
    /// By patterns: many subscribers have the same.
    wanted: HashMap<Arc<[String]>, Wanted>,
}

impl<'a> Links<'a> {
    /// For `scenario` against `target`.
    ///
    /// # Errors
    /// If the two do not go together.
    pub(crate) fn new(scenario: &'a Scenario, target: Target) -> Result<Self> {
        let payload = Payload::new(scenario.size, scenario.checksum)?;
        let mut links = Self { scenario, target, payload, wanted: HashMap::new() };
        for plan in &scenario.subscribers {
            links.wanted(plan)?;
        }
        ensure!(
            !scenario.to_nobody || target.wire.answers(),
            "{} answers no pings: nobody would know how many messages it took",
            target.wire.name()
        );
        if target.peer != Peer::Relay && target.wire != Wire::Native {
            let mut session = Session::open(target.wire, target.address, "loadtest")?;
            session.check_payload(scenario.size)?;
            if target.wire == Wire::Lbroker {
                session.make_topics(&scenario.topics)?;
            }
        }
        Ok(links)
    }

    fn wanted(&mut self, plan: &SubscriberPlan) -> Result<Wanted> {
        if let Some(wanted) = self.wanted.get(&plan.patterns) {
            return Ok(wanted.clone());
        }
        if plan.slice.is_some() {
            self.wanted_of_slices()?;
            return self.wanted.get(&plan.patterns).cloned().context("a slice without a plan");
        }
        let wire = self.target.wire;
        let filters: Arc<[Filter]> = Filter::all(wire, &plan.patterns)?.into();
        let layouts = Layouts::new(wire, &self.scenario.topics, &filters, self.payload.clone())?;
        let wanted = Wanted { filters, layouts: Arc::new(layouts) };
        self.wanted.insert(Arc::clone(&plan.patterns), wanted.clone());
        Ok(wanted)
    }

    /// What all subscribers with slices want. There may be a million topics and a hundred thousand patterns: they share one table of layouts,
    /// and which pattern a topic matches is known from its name (`scenario/plans.rs`): but for its last level they are the same.
    fn wanted_of_slices(&mut self) -> Result<()> {
        let wire = self.target.wire;
        let plans = || self.scenario.subscribers.iter().filter(|plan| plan.slice.is_some());
        let all: Vec<Arc<[Filter]>> =
            plans().map(|plan| Ok(Filter::all(wire, &plan.patterns)?.into())).collect::<Result<_>>()?;
        let mut by_level: HashMap<&str, &Filter> = HashMap::new();
        for (plan, filters) in plans().zip(&all) {
            for (pattern, filter) in plan.patterns.iter().zip(filters.iter()) {
                by_level.insert(pattern.rsplit_once('/').map_or("", |(level, _)| level), filter);
            }
        }
        let filter_of = |topic: &str| {
            let level = topic.rsplit_once('/').map_or("", |(level, _)| level);
            by_level.get(level).copied().context("a topic that no pattern matches")
        };
        let layouts = Layouts::of_each(wire, &self.scenario.topics, self.payload.clone(), filter_of)?;
        let layouts = Arc::new(layouts);
        let wanted = plans().zip(&all).map(|(plan, filters)| {
            (
                Arc::clone(&plan.patterns),
                Wanted { filters: Arc::clone(filters), layouts: Arc::clone(&layouts) },
            )
        });
        self.wanted.extend(wanted.collect::<Vec<_>>());
        Ok(())
    }

    /// The frames that a subscriber gets.
    pub(crate) fn layouts(&mut self, plan: &SubscriberPlan) -> Result<Arc<Layouts>> {
        Ok(self.wanted(plan)?.layouts)
    }

    /// Bytes of one message as delivered, at most; about those of one as published, where nothing is delivered.
    pub(crate) fn frame_bytes_max(&self) -> usize {
        let delivered = self.wanted.values().map(|wanted| wanted.layouts.frame_bytes_max()).max();
        delivered.unwrap_or(self.scenario.size + FRAME_BYTES)
    }

    /// A subscriber's connection, subscribed, and what has arrived on it.
    pub(crate) fn subscriber(&mut self, plan: &SubscriberPlan, name: &str) -> Result<(TcpStream, Vec<u8>)> {
        let Target { peer, wire, address, .. } = self.target;
        if peer == Peer::Relay {
            let greeting = Greeting { role: Role::Subscriber, group: plan.group };
            return Ok((greeting.connect(address)?, Vec::new()));
        }
        let wanted = self.wanted(plan)?;
        let mut session = Session::open(wire, address, name)?;
        let terms = Terms { group: plan.queue.as_deref(), ..Terms::default() };
        let subscribed = session.subscribe_to(&wanted.filters, terms);
        if plan.queue.is_some() {
            subscribed.context("the server takes no subscriber in a group")?;
        } else {
            subscribed?;
        }
        Ok(session.into_parts())
    }

    /// Whether a client that publishes and subscribes needs one connection only.
    pub(crate) fn shares_connection(&self) -> bool {
        self.target.wire.shares_connection()
    }

    /// A publisher's connection, and what reads the server's answers.
    pub(crate) fn publisher(&self, plan: &PublisherPlan) -> Result<(TcpStream, Answers)> {
        let Target { peer, wire, address, .. } = self.target;
        match (peer, wire) {
            (Peer::Relay, _) => {
                Ok((Greeting { role: Role::Publisher, group: plan.group }.connect(address)?, Answers::None))
            }
            // Without a Hello, as any program may that uses no options.
            (_, Wire::Native | Wire::Lbroker)
                if self.scenario.requests.is_empty() && !self.scenario.to_nobody =>
            {
                Ok((connect(address)?, Answers::Read(Replies::new(wire, Vec::new()))))
            }
            _ => {
                let (stream, received) = Session::open(wire, address, "publisher")?.into_parts();
                Ok((stream, Answers::Read(Replies::new(wire, received))))
            }
        }
    }

    /// The messages of publisher `number`, in batches of `bytes` at most.
    pub(crate) fn batch(&mut self, number: u16, bytes: usize, window: Option<u64>) -> Result<Batch> {
        let scenario = self.scenario;
        let plan = scenario.publishers.get(usize::from(number)).context("a publisher without a plan")?;
        let topics: Vec<&str> = plan
            .cycle
            .iter()
            .filter_map(|&topic| scenario.topics.get(topic as usize))
            .map(String::as_str)
            .collect();
        let outgoing = match self.target.peer {
            Peer::Relay => Outgoing::Delivered(self.relayed(plan)?),
            _ if !scenario.requests.is_empty() => Outgoing::Request,
            _ => Outgoing::Publish,
        };
        // At least four batches to a window: the publisher writes while the subscriber reads.
        let frame_bytes = scenario.size + FRAME_BYTES;
        let quarter = window.and_then(|window| usize::try_from(window / 4).ok()).unwrap_or(usize::MAX);
        let bytes_max = bytes.min(quarter.saturating_mul(frame_bytes));
        Batch::new(self.target.wire, &outgoing, &topics, self.payload.clone(), bytes_max)
    }

    /// What the subscribers of a publisher's group have subscribed to: all of them get the same bytes from the relay.
    fn relayed(&mut self, plan: &PublisherPlan) -> Result<Vec<Filter>> {
        let mut filters: Option<Arc<[Filter]>> = None;
        for subscriber in &self.scenario.subscribers {
            if subscriber.group == plan.group {
                let wanted = self.wanted(subscriber)?.filters;
                ensure!(
                    filters.as_ref().is_none_or(|others| *others == wanted),
                    "the relay copies everything: its subscribers have to subscribe to the same"
                );
                filters = Some(wanted);
            }
        }
        Ok(filters.as_deref().unwrap_or_default().to_vec())
    }
}
