//! The store of retained messages against an obvious one, through the public API: which topics are known, in which order they were
//! published to, what they hold, how many bytes that is, and who goes first at the bound.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared by several test binaries")]

#[path = "model/client.rs"]
mod client;
#[path = "model/socket.rs"]
mod socket;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits};
use client::Client;
use fastrand::Rng;

/// Topics, least recently published to first, with what is retained of them.
#[derive(Debug, Default)]
struct Store {
    topics: Vec<(String, Option<Vec<u8>>)>,
    evicted: u64,
    messages_max: usize,
    bytes_max: usize,
}

impl Store {
    /// A publish: the topic is the newest now.
    fn publish(&mut self, topic: &str, value: &[u8], retain: bool) {
        let place = self.topics.iter().position(|(name, _)| name == topic);
        let kept = place.and_then(|place| self.topics.remove(place).1);
        let kept = if retain { Some(value.to_vec()) } else { kept };
        self.topics.push((topic.to_owned(), kept));
    }

    /// At the end of a batch the oldest go, until the bounds hold.
    fn evict(&mut self) {
        while self.topics.len() > self.messages_max || self.bytes() > self.bytes_max {
            self.topics.remove(0);
            self.evicted += 1;
        }
    }

    /// Names, and the messages `[topic, value]` as they stand on the wire.
    fn bytes(&self) -> usize {
        let message = |(topic, value): &(String, Option<Vec<u8>>)| match value {
            Some(value) => 1 + if topic.len() < 32 { 1 } else { 2 } + topic.len() + value.len(),
            None => 0,
        };
        self.topics.iter().map(|entry| entry.0.len() + message(entry)).sum()
    }
}

/// A value whose size depends on the topic alone, so that the room that a topic takes is known to the byte.
fn value(topic: usize, number: u16) -> Vec<u8> {
    let mut value = Vec::new();
    let mut content = vec![topic.to_le_bytes()[0]; 2 + topic % 7 * 9];
    content[..2].copy_from_slice(&number.to_be_bytes());
    rmp::encode::write_bin(&mut value, &content).unwrap();
    value
}

struct Model {
    rng: Rng,
    broker: Arc<Broker>,
    publishers: [Client; 2],
    store: Store,
    names: Vec<String>,
    number: u16,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let messages_max = [0, 1, 5, 20, 1000][rng.usize(..5)];
        let bytes_max = [0, 60, 700, 1 << 20, 1 << 20][rng.usize(..5)];
        let limits = Limits {
            retained_messages_max: messages_max,
            retained_bytes_max: bytes_max,
            ..Limits::default()
        };
        let broker = Arc::new(Broker::new(limits));
        Model {
            publishers: [Client::introduced(&broker), Client::introduced(&broker)],
            broker,
            store: Store { messages_max, bytes_max, ..Store::default() },
            names: (0..40).map(|topic| format!("{}{topic}", "n".repeat(topic % 3 * 20))).collect(),
            number: 0,
            rng,
        }
    }

    /// One batch of up to `most` messages.
    fn step(&mut self, most: usize) {
        let at = self.rng.usize(..2);
        for _ in 0..self.rng.usize(1..=most) {
            let topic = self.rng.usize(..self.names.len());
            self.number += 1;
            let value = value(topic, self.number);
            let retain = [None, None, Some(true), Some(false)][self.rng.usize(..4)];
            let options = PublishOptions { retain, ..PublishOptions::default() };
            let name = &self.names[topic];
            self.publishers[at].send(|out| encode::publish(out, name, &value, &options));
            self.store.publish(name, &value, retain != Some(false));
        }
        self.store.evict();
        self.publishers[at].handle(usize::MAX);
        assert_eq!(self.publishers[at].unhandled(), 0);
        self.check();
    }

    fn check(&mut self) {
        let shown = self.broker.recent_topics(usize::MAX, usize::MAX);
        let shown: Vec<_> = shown.into_iter().rev().map(|topic| (topic.topic, topic.value)).collect();
        assert_eq!(names(&shown), names(&self.store.topics), "least recently published to first");
        assert_eq!(shown, self.store.topics);
        let stats = self.broker.topic_stats();
        assert_eq!(stats.topics, self.store.topics.len());
        assert_eq!(stats.evicted, self.store.evicted);
        assert_eq!(stats.retained_bytes, self.store.bytes());
        assert!(stats.topics <= self.store.messages_max && stats.retained_bytes <= self.store.bytes_max);
        if self.rng.u8(..8) == 0 {
            self.check_subscriber();
        }
    }

    /// A subscriber that comes now gets what is retained.
    fn check_subscriber(&self) {
        let mut client = Client::introduced(&self.broker);
        client.send(|out| encode::subscribe(out, "*", &SubscribeOptions::default()));
        client.settle();
        let mut received = BTreeMap::new();
        for frame in client.receive() {
            let Ok(Event::Message(message)) = Event::parse(&frame) else { panic!("{frame:x?}") };
            let again = received.insert(message.topic.to_owned(), message.value.to_vec());
            assert_eq!(again, None, "each once");
        }
        let retained = |(topic, value): &(String, Option<Vec<u8>>)| Some((topic.clone(), value.clone()?));
        assert_eq!(received, self.store.topics.iter().filter_map(retained).collect());
        client.end();
    }
}

fn names(topics: &[(String, Option<Vec<u8>>)]) -> Vec<&str> {
    topics.iter().map(|(topic, _)| topic.as_str()).collect()
}

/// Names the seed that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {} fails", self.0);
        }
    }
}

#[track_caller]
fn run(batch_max: usize) {
    let mut evicted = 0;
    for seed in 1..=120 {
        let _named = Named(seed);
        let mut model = Model::new(seed);
        for _ in 0..200 {
            model.step(batch_max);
        }
        evicted += model.store.evicted;
    }
    assert!(evicted > 1000, "{evicted} topics went: nothing is proved");
}

#[test]
fn one_message_at_a_time() {
    run(1);
}

/// A batch is handled as a whole, and what is published first in it is older all the same.
#[test]
fn batches() {
    run(12);
}

/// A batch of more new topics than there is room for: the last ones stay.
#[test]
fn the_newest_of_a_batch_stay() {
    let limits = Limits { retained_messages_max: 3, ..Limits::default() };
    let broker = Arc::new(Broker::new(limits));
    let mut client = Client::connect(&broker);
    for topic in ["1", "2", "3", "4", "5"] {
        client.send(|out| encode::publish(out, topic, b"\x07", &PublishOptions::default()));
    }
    client.handle(usize::MAX);
    let topics: Vec<String> = broker.recent_topics(10, 10).into_iter().map(|topic| topic.topic).collect();
    assert_eq!(topics, ["5", "4", "3"]);
}

/// Values that grow and shrink: whatever is kept beside them, the bounds hold after each batch, and the figures are of what is there.
#[test]
fn values_of_every_size() {
    let limits = Limits { retained_messages_max: 50, retained_bytes_max: 20_000, ..Limits::default() };
    let broker = Arc::new(Broker::new(limits));
    let mut client = Client::connect(&broker);
    let mut rng = Rng::with_seed(1);
    for _ in 0..20_000 {
        let topic = format!("t{}", rng.usize(..80));
        let mut value = Vec::new();
        let bytes = [0, 10, 100, 1000, 9000, 30_000][rng.usize(..6)];
        rmp::encode::write_bin(&mut value, &vec![7; bytes]).unwrap();
        client.send(|out| encode::publish(out, &topic, &value, &PublishOptions::default()));
        client.handle(usize::MAX);
        let stats = broker.topic_stats();
        assert!(stats.topics <= 50 && stats.retained_bytes <= 20_000, "{stats:?}");
        if rng.u8(..100) == 0 {
            let kept = broker.recent_topics(usize::MAX, usize::MAX);
            let least: usize = kept.iter().map(|topic| topic.value.as_ref().map_or(0, Vec::len)).sum();
            assert!(kept.len() == stats.topics && least <= stats.retained_bytes, "{stats:?}");
        }
    }
    assert!(broker.topic_stats().evicted > 1000);
}

/// What is refused leaves nothing behind, and takes no other topic's place.
#[test]
fn a_refused_publish_makes_no_topic() {
    let broker = Arc::new(Broker::new(Limits { retained_messages_max: 1, ..Limits::default() }));
    let mut client = Client::introduced(&broker);
    client.send(|out| encode::publish(out, "good", b"\x07", &PublishOptions::default()));
    client.settle();
    for topic in ["!system/mine", "", "a\nb"] {
        client.send(|out| encode::publish(out, topic, b"\x07", &PublishOptions::default()));
    }
    client.send(|out| encode::publish(out, "!inbox/1/2", b"\x07", &PublishOptions::default()));
    client.settle();
    let refused =
        client.receive().iter().filter(|frame| matches!(Event::parse(frame), Ok(Event::Err { .. }))).count();
    assert_eq!(refused, 3);
    let topics: Vec<String> = broker.recent_topics(10, 10).into_iter().map(|topic| topic.topic).collect();
    assert_eq!(topics, ["good"]);
}

/// Topics that go while others publish to them: a subscriber that comes later is still found. (A topic may go between being looked up and
/// being asked for its targets.)
#[test]
fn a_topic_that_goes_at_once_still_finds_its_subscribers() {
    const TOPICS: usize = 400;
    let broker = Arc::new(Broker::new(Limits { retained_messages_max: 0, ..Limits::default() }));
    for round in 0..100 {
        let name = |topic: usize| format!("{round}/{topic}");
        let over = AtomicBool::new(false);
        let mut publisher = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut client = Client::connect(&broker);
                while !over.load(SeqCst) {
                    client.send(|out| encode::publish(out, "other", b"\x07", &PublishOptions::default()));
                    client.handle(usize::MAX);
                }
            });
            let mut client = Client::connect(&broker);
            for _ in 0..40 {
                for topic in 0..TOPICS {
                    client
                        .send(|out| encode::publish(out, &name(topic), b"\x07", &PublishOptions::default()));
                }
                client.handle(usize::MAX);
            }
            over.store(true, SeqCst);
            other.join().unwrap();
            client
        });
        let mut subscriber = Client::connect(&broker);
        for topic in 0..TOPICS {
            subscriber.send(|out| encode::subscribe(out, &name(topic), &SubscribeOptions::default()));
        }
        subscriber.settle();
        for topic in 0..TOPICS {
            publisher.send(|out| encode::publish(out, &name(topic), b"\x07", &PublishOptions::default()));
        }
        publisher.handle(usize::MAX);
        subscriber.settle();
        assert_eq!(subscriber.receive().len(), TOPICS, "round {round}: each topic brings its message");
        subscriber.end();
    }
}
