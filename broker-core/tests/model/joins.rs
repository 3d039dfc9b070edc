//! Subscribers that come while others publish, clear, and while messages outlive their time: the retained message of each topic first, then only
//! newer ones, and at the end the newest; nothing that was cleared or is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use broker_core::glob_tree::Pattern;
use broker_core::wire::native::{Event, Meta, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now};
use fastrand::Rng;

use crate::client::Client;
use crate::numbered::Numbered;
use crate::{Named, assert_proved, seeds};

const PATTERNS: [&str; 6] = ["*", "t/*", "t/1*", "t/?5", "t/07", "t/{01,02,3?}"];
const TOPICS: usize = 40;
const SUBSCRIBERS: usize = 3;

struct World {
    rng: Rng,
    broker: Arc<Broker>,
    now: Now,
    publisher: Client,
    subscribers: Vec<Subscriber>,
    /// What is retained of each topic.
    retained: BTreeMap<String, Sent>,
    /// The numbers of what was cleared.
    cleared: BTreeSet<u64>,
    published: u64,
    checks: Checks,
}

/// A message as it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    message: Numbered,
    /// When it is over.
    due_ms: u64,
    /// It has no value, but clears.
    clears: bool,
}

/// What a new subscription is to get.
struct Join {
    /// The number of the next message when it began.
    since: u64,
    topics: BTreeMap<String, Sent>,
}

struct Subscriber {
    client: Client,
    /// What its commands will do.
    effects: VecDeque<(&'static str, bool)>,
    subscriptions: Vec<(&'static str, Pattern)>,
    /// Live messages to come.
    owed: VecDeque<(String, Sent)>,
    /// Retained messages to come, of each join, unless a newer one goes before.
    joins: Vec<Join>,
    /// The number of the last message of each topic.
    last: BTreeMap<String, u64>,
    /// The highest of them.
    newest: BTreeMap<String, u64>,
    /// Live messages that were over before they came.
    skipped: u64,
}

#[derive(Debug, Default)]
struct Checks {
    live: u64,
    retained: u64,
    superseded: u64,
    paused: u64,
    cleared: u64,
    expired: u64,
    skipped: u64,
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
            newest: BTreeMap::new(),
            skipped: 0,
        };
        World {
            rng: Rng::with_seed(seed),
            now: Now::default(),
            publisher: Client::introduced(&broker),
            subscribers: (0..SUBSCRIBERS).map(subscriber).collect(),
            broker,
            retained: BTreeMap::new(),
            cleared: BTreeSet::new(),
            published: 0,
            checks: Checks::default(),
        }
    }

    fn step(&mut self) {
        let at = self.rng.usize(..SUBSCRIBERS);
        match self.rng.u8(..26) {
            20 => self.clear(),
            21..25 => self.now.monotonic_ms += self.rng.u64(..300),
            25 => drop(self.broker.expire(self.now)),
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
            let ttl_ms = [None, Some(self.rng.u64(1..250))][self.rng.usize(..2)];
            let (retain, clears) = [
                (None, false),
                (None, false),
                (None, false),
                (Some(false), false),
                (Some(true), self.rng.bool()),
            ][self.rng.usize(..5)];
            // Those that clear are told apart by their order alone, so that all of them must come.
            let ttl_ms = ttl_ms.filter(|_| !clears);
            let due_ms = ttl_ms.map_or(u64::MAX, |ttl_ms| self.now.monotonic_ms + ttl_ms);
            let sent = Sent { message, due_ms, clears };
            let value = if clears { vec![0xc0] } else { message.value() };
            let options = PublishOptions { retain, ttl_ms, ..PublishOptions::default() };
            self.publisher.send(|out| encode::publish(out, &topic, &value, &options));
            for subscriber in &mut self.subscribers {
                if subscriber.subscriptions.iter().any(|(_, pattern)| pattern.matches(&topic)) {
                    subscriber.owed.push_back((topic.clone(), sent));
                }
            }
            if clears {
                self.cleared.extend(self.retained.remove(&topic).map(|sent| sent.message.number));
            } else if retain != Some(false) {
                self.retained.insert(topic, sent);
            }
        }
        self.publisher.now = self.now;
        self.publisher.handle(usize::MAX);
        assert_eq!(self.publisher.unhandled(), 0, "nobody holds a publisher up");
    }

    fn clear(&mut self) {
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        self.publisher.send(|out| encode::clear(out, pattern, None));
        self.publisher.now = self.now;
        self.publisher.handle(usize::MAX);
        let pattern = Pattern::glob(pattern).unwrap();
        let cleared = &mut self.cleared;
        self.retained.retain(|topic, sent| {
            let is_cleared = pattern.matches(topic);
            cleared.extend(is_cleared.then_some(sent.message.number));
            !is_cleared
        });
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
        subscriber.client.now = self.now;
        let done = subscriber.client.handle(usize::MAX);
        self.checks.paused += u64::from(done == 0 && subscriber.client.unhandled() > 0);
        for (pattern, begins) in subscriber.effects.drain(..done) {
            subscriber.subscriptions.retain(|(other, _)| *other != pattern);
            if begins {
                let parsed = Pattern::glob(pattern).unwrap();
                let now_ms = self.now.monotonic_ms;
                let retained = self.retained.iter().filter(|(_, sent)| now_ms < sent.due_ms);
                let retained = retained.filter(|(topic, _)| parsed.matches(topic));
                let topics = retained.map(|(topic, sent)| (topic.clone(), *sent)).collect();
                subscriber.joins.push(Join { since: self.published, topics });
                subscriber.subscriptions.push((pattern, parsed));
            }
        }
    }

    fn receive(&mut self, at: usize) {
        let subscriber = &mut self.subscribers[at];
        let now_ms = self.now.monotonic_ms;
        for frame in subscriber.client.receive() {
            let message = match Event::parse(&frame) {
                Ok(Event::Message(message)) => message,
                // What was over before it was sent; counted below.
                Ok(Event::Lagged { .. }) => continue,
                other => panic!("{other:?}"),
            };
            let meta = Meta::parse(message.meta.expect("meta")).unwrap();
            let last = subscriber.last.get(message.topic).copied();
            let sent = if meta.retained {
                let numbered = Numbered::parse(message.value);
                // One that was not retained may be newer, if it came before the subscription.
                let may = |join: &&mut Join| {
                    let is_newer = last <= Some(numbered.number) || last < Some(join.since);
                    is_newer && join.topics.get(message.topic).is_some_and(|sent| sent.message == numbered)
                };
                let join = subscriber.joins.iter_mut().find(may);
                let join =
                    join.expect("it was retained when the subscription began, and nothing newer came since");
                let sent = join.topics.remove(message.topic).unwrap();
                self.checks.retained += 1;
                sent
            } else {
                let sent = subscriber.take_owed(message.topic, message.value, now_ms);
                assert!(last < Some(sent.message.number), "an older one behind {last:?}: {sent:?}");
                self.checks.live += 1;
                sent
            };
            let ttl_ms = (sent.due_ms != u64::MAX).then_some(sent.due_ms);
            assert_eq!(meta.ttl_ms.is_some(), ttl_ms.is_some());
            assert!(meta.ttl_ms <= ttl_ms && meta.ttl_ms != Some(0));
            subscriber.last.insert(message.topic.to_owned(), sent.message.number);
            let newest = subscriber.newest.entry(message.topic.to_owned()).or_default();
            *newest = sent.message.number.max(*newest);
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
            let now_ms = self.now.monotonic_ms;
            let is_over = |sent: &Sent| sent.due_ms <= now_ms;
            let subscriber = &mut self.subscribers[at];
            for (topic, sent) in std::mem::take(&mut subscriber.owed) {
                assert!(is_over(&sent), "everything came");
                subscriber.skip(topic, sent);
            }
            assert!(subscriber.client.stats().lagged >= subscriber.skipped, "what was over is counted");
            self.checks.skipped += subscriber.skipped;
            for (topic, passed_over) in subscriber.joins.iter().flat_map(|join| &join.topics) {
                let number = passed_over.message.number;
                if subscriber.newest.get(topic) > Some(&number) {
                    self.checks.superseded += 1;
                } else if self.cleared.contains(&number) {
                    self.checks.cleared += 1;
                } else {
                    assert!(is_over(passed_over), "{topic}: nothing newer than what was passed over");
                    self.checks.expired += 1;
                }
            }
            for (topic, newest) in self.retained.iter().filter(|(_, newest)| !is_over(newest)) {
                if subscriber.subscriptions.iter().any(|(_, pattern)| pattern.matches(topic)) {
                    assert!(
                        subscriber.last.get(topic) >= Some(&newest.message.number),
                        "{topic}: not the newest"
                    );
                }
            }
        }
    }
}

impl Subscriber {
    /// A live message was over before it came. It was newer all the same.
    fn skip(&mut self, topic: String, sent: Sent) {
        let newest = self.newest.entry(topic).or_default();
        *newest = sent.message.number.max(*newest);
        self.skipped += 1;
    }

    /// The next live message is here: those before it were over.
    fn take_owed(&mut self, topic: &str, value: &[u8], now_ms: u64) -> Sent {
        loop {
            let (owed, sent) = self.owed.pop_front().expect("a message is owed");
            let is_value =
                |sent: &Sent| if sent.clears { value == [0xc0] } else { value == sent.message.value() };
            if owed == topic && is_value(&sent) {
                return sent;
            }
            assert!(sent.due_ms <= now_ms, "in order, none left out: {sent:?}");
            self.skip(owed, sent);
        }
    }
}

#[test]
fn a_subscriber_gets_what_is_retained_then_newer_and_ends_with_the_newest() {
    let mut sum = Checks::default();
    for seed in seeds(300) {
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
        sum.cleared += world.checks.cleared;
        sum.expired += world.checks.expired;
        sum.skipped += world.checks.skipped;
    }
    let Checks { live, retained, superseded, paused, cleared, expired, skipped } = sum;
    println!("{sum:?}");
    assert_proved(&[live, retained, superseded, paused, cleared, expired, skipped]);
}
