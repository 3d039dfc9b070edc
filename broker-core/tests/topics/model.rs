//! A broker beside the obvious store: publishers of every kind of message, and what is shown, counted and sent is compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker_core::glob_tree::Pattern;
use broker_core::wire::native::{Event, Meta, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now, TopicRule, TopicRules};
use fastrand::Rng;

use crate::client::Client;
use crate::store::{Effect, Kept, Store};

/// Patterns that a `Clear` names, and which of the model's topics they match.
const PATTERNS: [&str; 6] = ["*", "?", "n*7", "*[13579]", "keep/3", "{keep,log}/*"];

/// The bound on a value in some of the runs, and the content of a value that is over it.
const VALUE_BYTES_MAX: usize = 70;

/// A value whose size depends on the topic alone, so that the room that a topic takes is known to the byte.
fn value(topic: usize, number: u16) -> Vec<u8> {
    let mut value = Vec::new();
    let mut content = vec![topic.to_le_bytes()[0]; 2 + topic % 7 * 9];
    content[..2].copy_from_slice(&number.to_be_bytes());
    rmp::encode::write_bin(&mut value, &content).unwrap();
    value
}

/// The rules of some of the runs: nothing of logs, with an exception, and a time for what ends in 2.
fn rules() -> TopicRules {
    let rule = |pattern: &str, retain, ttl_ms| {
        let pattern = Pattern::glob(pattern).unwrap();
        TopicRule { pattern, retain, ttl_ms, policy: None }
    };
    TopicRules::new(vec![
        rule("log/7", Some(true), None),
        rule("log/*", Some(false), None),
        rule("*2", None, Some(50)),
    ])
}

/// The same in the words of the model: whether a topic is retained at all, and for how long where its publish does not say.
fn ruled(name: &str) -> (bool, Option<u64>) {
    let keeps = name == "log/7" || !name.starts_with("log/");
    (keeps, name.ends_with('2').then_some(50))
}

pub struct Model {
    rng: Rng,
    broker: Arc<Broker>,
    publishers: [Client; 2],
    pub store: Store,
    names: Vec<String>,
    number: u16,
    has_rules: bool,
    has_value_bound: bool,
    /// Messages of subscribers that came with a time to live.
    pub timed: u64,
    /// The number of the last `Clear`.
    id: u64,
}

impl Model {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let messages_max = [0, 1, 5, 20, 1000][rng.usize(..5)];
        let bytes_max = [0, 60, 700, 1 << 20, 1 << 20][rng.usize(..5)];
        let (has_rules, has_value_bound) = (rng.bool(), rng.bool());
        let limits = Limits {
            retained_messages_max: messages_max,
            retained_bytes_max: bytes_max,
            retained_value_bytes_max: if has_value_bound { VALUE_BYTES_MAX } else { usize::MAX },
            topic_rules: if has_rules { rules() } else { TopicRules::default() },
            ..Limits::default()
        };
        let broker = Arc::new(Broker::new(limits));
        let name = |topic: usize| match topic % 10 {
            8 => format!("log/{}", topic / 10 + 5),
            9 => format!("keep/{}", topic / 10),
            _ => format!("{}{topic}", "n".repeat(topic % 3 * 20)),
        };
        Model {
            publishers: [Client::introduced(&broker), Client::introduced(&broker)],
            broker,
            store: Store { messages_max, bytes_max, ..Store::default() },
            names: (0..40).map(name).collect(),
            number: 0,
            rng,
            has_rules,
            has_value_bound,
            timed: 0,
            id: 0,
        }
    }

    pub fn step(&mut self, batch_max: usize) {
        match self.rng.u8(..20) {
            0 => self.clear(),
            1 | 2 => {
                while self.broker.expire(self.now()) {}
                self.store.expire();
            }
            3..6 => self.store.now_ms += self.rng.u64(..40),
            _ => self.publish(batch_max),
        }
        self.check();
    }

    fn now(&self) -> Now {
        Now { unix_ms: 1_000_000 + self.store.now_ms, monotonic_ms: self.store.now_ms }
    }

    /// One batch of up to `most` messages.
    fn publish(&mut self, most: usize) {
        let at = self.rng.usize(..2);
        let mut batch = Vec::new();
        for _ in 0..self.rng.usize(1..=most) {
            let topic = self.rng.usize(..self.names.len());
            self.number += 1;
            let retain = [None, None, Some(true), Some(false)][self.rng.usize(..4)];
            let ttl_ms = [None, None, Some(1), Some(30), Some(100), Some(1 << 53)][self.rng.usize(..6)];
            let value = match self.rng.u8(..10) {
                0 if retain == Some(true) => [&b"\xc0"[..], b"\xa0", b"\xc4\x00", b"\xdb\x00\x00\x00\x00"]
                    [self.rng.usize(..4)]
                .to_vec(),
                1 if self.has_value_bound => [&[0xc4, 200][..], &[7; 200]].concat(),
                _ => value(topic, self.number),
            };
            let options = PublishOptions { retain, ttl_ms, ..PublishOptions::default() };
            let name = self.names[topic].clone();
            self.publishers[at].send(|out| encode::publish(out, &name, &value, &options));
            batch.push((name.clone(), self.effect(&name, value, &options)));
        }
        self.publishers[at].now = self.now();
        self.publishers[at].handle(usize::MAX);
        assert_eq!(self.publishers[at].unhandled(), 0);
        self.store.publish(&batch);
    }

    fn effect(&self, name: &str, value: Vec<u8>, options: &PublishOptions<'_>) -> Effect {
        let (keeps, usual_ttl_ms) = if self.has_rules { ruled(name) } else { (true, None) };
        if !keeps || options.retain == Some(false) {
            return Effect::Nothing;
        }
        let is_empty = value == b"\xc0" || value.len() <= 5 && value[1..].iter().all(|&byte| byte == 0);
        if is_empty && options.retain == Some(true) {
            return Effect::Clear;
        }
        if self.has_value_bound && value.len() > VALUE_BYTES_MAX {
            return Effect::Forget;
        }
        let due_ms = options.ttl_ms.or(usual_ttl_ms).map(|ttl_ms| self.store.now_ms + ttl_ms);
        Effect::Keep(Kept { value, due_ms })
    }

    fn clear(&mut self) {
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        let expected = self.store.clear(pattern);
        self.id += 1;
        let id = self.id;
        let now = self.now();
        let [client, _] = &mut self.publishers;
        client.send(|out| encode::clear(out, pattern, Some(id)));
        client.now = now;
        client.settle();
        let frames = client.receive();
        let mut result = Vec::new();
        rmp::encode::write_uint(&mut result, expected).unwrap();
        assert_eq!(
            frames.iter().map(|frame| Event::parse(frame)).collect::<Vec<_>>(),
            [Ok(Event::Ok { id, result: &result })]
        );
    }

    fn check(&mut self) {
        let shown = self.broker.recent_topics(usize::MAX, usize::MAX);
        let shown: Vec<_> = shown.into_iter().rev().map(|topic| (topic.topic, topic.value)).collect();
        let value = |(topic, kept): &(String, Option<Kept>)| {
            (topic.clone(), kept.as_ref().map(|kept| kept.value.clone()))
        };
        let expected: Vec<_> = self.store.topics.iter().map(value).collect();
        assert_eq!(names(&shown), names(&expected), "least recently published to first");
        assert_eq!(shown, expected);
        let stats = self.broker.topic_stats();
        assert_eq!(stats.topics, self.store.topics.len());
        assert_eq!(
            (stats.evicted, stats.expired, stats.cleared, stats.oversized),
            (self.store.evicted, self.store.expired, self.store.cleared, self.store.oversized)
        );
        assert_eq!(stats.retained_bytes, self.store.bytes());
        assert!(stats.topics <= self.store.messages_max && stats.retained_bytes <= self.store.bytes_max);
        if self.rng.u8(..8) == 0 {
            self.check_subscriber();
        }
    }

    /// A subscriber that comes now gets what is retained and holds, and for how long still.
    fn check_subscriber(&mut self) {
        let mut client = Client::introduced(&self.broker);
        client.now = self.now();
        let options = SubscribeOptions { meta: true, ..SubscribeOptions::default() };
        client.send(|out| encode::subscribe(out, "*", &options));
        client.settle();
        let mut received = BTreeMap::new();
        for frame in client.receive() {
            let Ok(Event::Message(message)) = Event::parse(&frame) else { panic!("{frame:x?}") };
            let meta = Meta::parse(message.meta.unwrap()).unwrap();
            assert!(meta.retained && meta.time <= self.now().unix_ms);
            let again = received.insert(message.topic.to_owned(), (message.value.to_vec(), meta.ttl_ms));
            assert_eq!(again, None, "each once");
            self.timed += u64::from(meta.ttl_ms.is_some());
        }
        let retained = |(topic, kept): &(String, Option<Kept>)| {
            let kept = kept.as_ref().filter(|kept| self.store.holds(kept))?;
            let left_ms = kept.due_ms.map(|due_ms| due_ms - self.store.now_ms);
            Some((topic.clone(), (kept.value.clone(), left_ms)))
        };
        assert_eq!(received, self.store.topics.iter().filter_map(retained).collect());
        client.end();
    }
}

fn names(topics: &[(String, Option<Vec<u8>>)]) -> Vec<&str> {
    topics.iter().map(|(topic, _)| topic.as_str()).collect()
}
