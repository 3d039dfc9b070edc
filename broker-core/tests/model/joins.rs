//! Subscribers that come while others publish: the retained message of each topic first, then only newer ones, and at the end the newest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker_core::glob_tree::Pattern;
use broker_core::wire::native::{Event, Meta, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits};
use fastrand::Rng;

use crate::client::Client;
use crate::numbered::Numbered;
use crate::{Named, assert_proved, seeds};

const PATTERNS: [&str; 6] = ["*", "t/*", "t/1*", "t/?5", "t/07", "t/{01,02,3?}"];
const TOPICS: usize = 40;
const SUBSCRIBERS: usize = 3;

struct World {
    rng: Rng,
    publisher: Client,
    subscribers: Vec<Subscriber>,
    /// The newest message of each topic.
    newest: BTreeMap<String, Numbered>,
    published: u64,
    checks: Checks,
}

struct Subscriber {
    client: Client,
    /// What its commands will do.
    effects: VecDeque<(&'static str, bool)>,
    subscriptions: Vec<(&'static str, Pattern)>,
    /// Live messages to come.
    owed: VecDeque<(String, Numbered)>,
    /// Retained messages to come, of each join, unless a newer one goes before.
    joins: Vec<BTreeMap<String, Numbered>>,
    last: BTreeMap<String, Numbered>,
}

#[derive(Debug, Default)]
struct Checks {
    live: u64,
    retained: u64,
    superseded: u64,
    paused: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        // Nothing is dropped here: how a join and the bound get along is another test.
        let broker = Arc::new(Broker::new(Limits { outbox_bytes_max: 1 << 30, ..Limits::default() }));
        let subscriber = |_| Subscriber {
            client: Client::introduced(&broker),
            effects: VecDeque::new(),
            subscriptions: Vec::new(),
            owed: VecDeque::new(),
            joins: Vec::new(),
            last: BTreeMap::new(),
        };
        World {
            rng: Rng::with_seed(seed),
            publisher: Client::connect(&broker),
            subscribers: (0..SUBSCRIBERS).map(subscriber).collect(),
            newest: BTreeMap::new(),
            published: 0,
            checks: Checks::default(),
        }
    }

    fn step(&mut self) {
        let at = self.rng.usize(..SUBSCRIBERS);
        match self.rng.u8(..20) {
            0..9 => self.publish(),
            9..11 => self.subscribe(at),
            11 => self.unsubscribe(at),
            12..15 => {
                let takes = [0, 1000, 50_000, usize::MAX][self.rng.usize(..4)];
                self.subscribers[at].client.socket.take(takes, usize::MAX);
            }
            15..18 => self.subscribers[at].client.write(1 << 20),
            _ => self.receive(at),
        }
        self.handle(at);
    }

    fn publish(&mut self) {
        for _ in 0..self.rng.usize(1..8) {
            let topic = format!("t/{:02}", self.rng.usize(..TOPICS));
            let padding = [0, 100, 9000][self.rng.usize(..3)];
            let message = Numbered { publisher: 0, number: self.published, padding };
            self.published += 1;
            let options = PublishOptions::default();
            self.publisher.send(|out| encode::publish(out, &topic, &message.value(), &options));
            for subscriber in &mut self.subscribers {
                if subscriber.subscriptions.iter().any(|(_, pattern)| pattern.matches(&topic)) {
                    subscriber.owed.push_back((topic.clone(), message));
                }
            }
            self.newest.insert(topic, message);
        }
        self.publisher.handle(usize::MAX);
        assert_eq!(self.publisher.unhandled(), 0, "nobody holds a publisher up");
    }

    fn subscribe(&mut self, at: usize) {
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        let options = SubscribeOptions { meta: true, ..SubscribeOptions::default() };
        self.subscribers[at].client.send(|out| encode::subscribe(out, pattern, &options));
        self.subscribers[at].effects.push_back((pattern, true));
    }

    fn unsubscribe(&mut self, at: usize) {
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        self.subscribers[at].client.send(|out| encode::unsubscribe(out, pattern, None));
        self.subscribers[at].effects.push_back((pattern, false));
    }

    fn handle(&mut self, at: usize) {
        let subscriber = &mut self.subscribers[at];
        // One command at a time, so that it is known what was retained when it took effect.
        let done = subscriber.client.handle(usize::MAX);
        self.checks.paused += u64::from(done == 0 && subscriber.client.unhandled() > 0);
        for (pattern, begins) in subscriber.effects.drain(..done) {
            subscriber.subscriptions.retain(|(other, _)| *other != pattern);
            if begins {
                let parsed = Pattern::glob(pattern).unwrap();
                let retained = self.newest.iter().filter(|(topic, _)| parsed.matches(topic));
                subscriber.joins.push(retained.map(|(topic, message)| (topic.clone(), *message)).collect());
                subscriber.subscriptions.push((pattern, parsed));
            }
        }
    }

    fn receive(&mut self, at: usize) {
        let subscriber = &mut self.subscribers[at];
        for frame in subscriber.client.receive() {
            let Ok(Event::Message(message)) = Event::parse(&frame) else { panic!("{frame:x?}") };
            let meta = Meta::parse(message.meta.expect("meta")).unwrap();
            let numbered = Numbered::parse(message.value);
            let last = subscriber.last.get(message.topic).map(|last| last.number);
            if meta.retained {
                let join =
                    subscriber.joins.iter_mut().find(|join| join.get(message.topic) == Some(&numbered));
                join.expect("it was retained when the subscription began").remove(message.topic);
                assert!(last <= Some(numbered.number), "an older one behind {last:?}: {numbered:?}");
                self.checks.retained += 1;
            } else {
                let owed = subscriber.owed.pop_front().expect("a message is owed");
                assert_eq!((message.topic, numbered), (owed.0.as_str(), owed.1), "in order, none left out");
                assert!(last < Some(numbered.number), "an older one behind {last:?}: {numbered:?}");
                self.checks.live += 1;
            }
            subscriber.last.insert(message.topic.to_owned(), numbered);
        }
    }

    fn settle(&mut self) {
        for at in 0..SUBSCRIBERS {
            while self.subscribers[at].client.unhandled() > 0 {
                self.subscribers[at].client.socket.take(usize::MAX, usize::MAX);
                self.subscribers[at].client.write(usize::MAX);
                self.handle(at);
            }
            self.subscribers[at].client.settle();
            self.receive(at);
            let subscriber = &self.subscribers[at];
            assert!(subscriber.owed.is_empty(), "everything came");
            assert_eq!(subscriber.client.stats().lagged, 0);
            for (topic, passed_over) in subscriber.joins.iter().flatten() {
                let last = subscriber.last.get(topic).map(|last| last.number);
                assert!(last > Some(passed_over.number), "{topic}: nothing newer than what was passed over");
                self.checks.superseded += 1;
            }
            for (topic, newest) in &self.newest {
                if subscriber.subscriptions.iter().any(|(_, pattern)| pattern.matches(topic)) {
                    assert_eq!(subscriber.last.get(topic), Some(newest), "{topic}: not the newest");
                }
            }
        }
    }
}

#[test]
fn a_subscriber_gets_what_is_retained_then_newer_and_ends_with_the_newest() {
    let mut sum = Checks::default();
    for seed in seeds(120) {
        let _named = Named(seed);
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
        }
        world.settle();
        sum.live += world.checks.live;
        sum.retained += world.checks.retained;
        sum.superseded += world.checks.superseded;
        sum.paused += world.checks.paused;
    }
    let Checks { live, retained, superseded, paused } = sum;
    println!("{sum:?}");
    assert_proved(&[live, retained, superseded, paused]);
}
