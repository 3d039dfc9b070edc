//! Random subscriptions, groups, bounds and publishes of both protocols against an obvious table: after every step each client has got
//! exactly what it should.
//!
//! Who of a group gets a message is the broker's to choose: the model takes each one out of its list of what is owed, and at the end of
//! a step nothing may be owed, and nothing unowed may have come.

use std::collections::HashMap;
use std::sync::Arc;

use broker_core::glob_tree::{Dialect, Pattern, PatternLimits};
use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits};
use fastrand::Rng;

use crate::client::Client;
use crate::peer::{Peer, QUIET};

const PEERS: usize = 4;
const NATIVES: usize = 2;
const TOPICS: [&str; 5] = ["a", "a.b", "a.b.c", "x", "x y"];
const SUBJECTS: [&str; 7] = ["a", "a.b", "a.*", "a.>", ">", "*", "x"];
const GLOBS: [&str; 5] = ["a", "a*", "*b*", "*", "x?y"];
const GROUPS: [&str; 3] = ["", "g", "h"];

/// A subscription as the model has it. Its client is a number: NATS clients first.
#[derive(Debug, Clone)]
struct Subscribed {
    client: usize,
    /// Empty for a native client, which has one to each pattern.
    sid: String,
    pattern: Pattern,
    group: &'static str,
    delivered: u64,
    delivered_max: u64,
}

impl Subscribed {
    fn new(client: usize, sid: String, pattern: Pattern, group: &'static str) -> Self {
        Subscribed { client, sid, pattern, group, delivered: 0, delivered_max: u64::MAX }
    }
}

struct World {
    rng: Rng,
    broker: Arc<Broker>,
    peers: Vec<Peer>,
    natives: Vec<Client>,
    echo: Vec<bool>,
    subscribed: Vec<Subscribed>,
    number: usize,
    /// Messages that came through a group, and through none.
    grouped: usize,
    plain: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let broker = Arc::new(Broker::seeded(Limits::default(), seed));
        let echo: Vec<bool> = (0..PEERS).map(|_| rng.bool()).collect();
        let connect =
            |echo: &bool| Peer::connected(&broker, &format!("{QUIET}CONNECT {{\"echo\":{echo}}}\r\n"));
        World {
            peers: echo.iter().map(connect).collect(),
            natives: (0..NATIVES).map(|_| Client::introduced(&broker)).collect(),
            rng,
            broker: Arc::clone(&broker),
            echo,
            subscribed: Vec::new(),
            number: 0,
            grouped: 0,
            plain: 0,
        }
    }

    fn step(&mut self) {
        let client = self.rng.usize(..PEERS + NATIVES);
        match self.rng.u8(..10) {
            0..=2 if client < PEERS => self.nats_subscribe(client),
            0..=2 => self.native_subscribe(client),
            3 if client < PEERS => self.nats_unsubscribe(client),
            3 => self.native_unsubscribe(client),
            _ => self.publish(client),
        }
        let open = self.subscribed.len();
        assert_eq!(self.broker.subscriptions(), open);
        for (number, peer) in self.peers.iter().enumerate() {
            let own = self.subscribed.iter().filter(|subscribed| subscribed.client == number).count();
            assert_eq!(peer.info().subscriptions(), own);
        }
    }

    fn nats_subscribe(&mut self, client: usize) {
        let subject = SUBJECTS[self.rng.usize(..SUBJECTS.len())];
        let group = GROUPS[self.rng.usize(..GROUPS.len())];
        let sid = self.rng.usize(..5).to_string();
        self.peers[client].say(&format!("SUB {subject} {group} {sid}\r\n"));
        if !self.subscribed.iter().any(|known| known.client == client && known.sid == sid) {
            let pattern = Pattern::parse(subject, Dialect::Subject, &PatternLimits::default()).unwrap();
            self.subscribed.push(Subscribed::new(client, sid, pattern, group));
        }
    }

    fn native_subscribe(&mut self, client: usize) {
        let glob = GLOBS[self.rng.usize(..GLOBS.len())];
        let group = GROUPS[self.rng.usize(..GROUPS.len())];
        let options = SubscribeOptions { retained: false, ..SubscribeOptions::default() };
        let native = &mut self.natives[client - PEERS];
        native.send(|out| {
            encode::subscribe_in_group(out, glob, Some(group).filter(|name| !name.is_empty()), &options);
        });
        native.settle();
        self.subscribed.retain(|known| known.client != client || known.pattern.as_str() != glob);
        let pattern = Pattern::glob(glob).unwrap();
        self.subscribed.push(Subscribed::new(client, String::new(), pattern, group));
    }

    fn nats_unsubscribe(&mut self, client: usize) {
        let sid = self.rng.usize(..5).to_string();
        let max = self.rng.u64(..6);
        self.peers[client].say(&format!("UNSUB {sid} {max}\r\n"));
        self.subscribed.retain_mut(|known| {
            if known.client != client || known.sid != sid {
                return true;
            }
            known.delivered_max = max;
            known.delivered < max
        });
    }

    fn native_unsubscribe(&mut self, client: usize) {
        let glob = GLOBS[self.rng.usize(..GLOBS.len())];
        let native = &mut self.natives[client - PEERS];
        native.send(|out| encode::unsubscribe(out, glob, None));
        native.settle();
        self.subscribed.retain(|known| known.client != client || known.pattern.as_str() != glob);
    }

    /// A batch of messages in one read, and what each client has got of it.
    fn publish(&mut self, client: usize) {
        let messages = self.rng.usize(1..6);
        let mut batch = Vec::new();
        let mut sent = Vec::new();
        for _ in 0..messages {
            // Only native clients can publish to what is no subject.
            let topics = if client < PEERS { TOPICS.len() - 1 } else { TOPICS.len() };
            let topic = TOPICS[self.rng.usize(..topics)];
            self.number += 1;
            let payload =
                format!("{:0width$}", self.number, width = if self.rng.u8(..9) == 0 { 20_000 } else { 8 });
            if client < PEERS {
                batch.extend_from_slice(format!("PUB {topic} {}\r\n{payload}\r\n", payload.len()).as_bytes());
            } else {
                let mut value = Vec::new();
                rmp::encode::write_bin(&mut value, payload.as_bytes()).unwrap();
                encode::publish(&mut batch, topic, &value, &PublishOptions::default());
            }
            sent.push((topic, payload));
        }
        let mut got: HashMap<(usize, String, String), usize> = HashMap::new();
        let own = match client.checked_sub(PEERS) {
            None => self.peers[client].say_bytes(&batch),
            Some(native) => {
                self.natives[native].send(|out| out.extend_from_slice(&batch));
                self.natives[native].settle();
                String::new()
            }
        };
        for number in 0..PEERS {
            let mut text = if number == client { own.clone() } else { String::new() };
            text.push_str(&self.peers[number].receive());
            let mut last: HashMap<String, usize> = HashMap::new();
            for (sid, payload) in messages_of(&text) {
                let order = payload.trim_start_matches('0').parse().unwrap();
                let before = last.insert(sid.clone(), order);
                assert!(before < Some(order), "out of order: {order} after {before:?} on {sid} of {number}");
                *got.entry((number, sid, payload)).or_default() += 1;
            }
        }
        for number in 0..NATIVES {
            self.natives[number].settle();
            for frame in self.natives[number].receive() {
                let Ok(Event::Message(message)) = Event::parse(&frame) else { panic!("{frame:x?}") };
                let payload: Vec<u8> =
                    rmp_serde::from_slice::<serde_bytes_like::Bytes>(message.value).unwrap().0;
                let key = (PEERS + number, String::new(), String::from_utf8(payload).unwrap());
                *got.entry(key).or_default() += 1;
            }
        }
        for (topic, payload) in sent {
            self.settle_message(client, topic, &payload, &mut got);
        }
        assert!(got.values().all(|&left| left == 0), "came and was not owed: {got:?}");
    }

    /// Takes what one message owes out of what came.
    fn settle_message(
        &mut self,
        publisher: usize,
        topic: &str,
        payload: &str,
        got: &mut HashMap<(usize, String, String), usize>,
    ) {
        let is_heard = |known: &Subscribed| {
            let deaf = known.client == publisher && publisher < PEERS && !self.echo[publisher];
            let subject = known.client >= PEERS || !topic.contains(' ');
            !deaf && subject && known.pattern.matches(topic)
        };
        let matching: Vec<usize> =
            (0..self.subscribed.len()).filter(|&at| is_heard(&self.subscribed[at])).collect();
        let mut told = Vec::new();
        for &at in &matching {
            let Subscribed { client, sid, group, .. } = self.subscribed[at].clone();
            if !group.is_empty() {
                continue;
            }
            if client >= PEERS {
                if told.contains(&client) {
                    continue;
                }
                told.push(client);
            }
            assert_eq!(take(got, client, &sid, payload), 1, "{payload} on {topic} for {sid} of {client}");
            self.subscribed[at].delivered += 1;
            self.plain += 1;
        }
        // What came to a sid came through its group; what came to a native session may have come through any of its own.
        let mut undecided = Vec::new();
        for group in ["g", "h"] {
            let members: Vec<usize> =
                matching.iter().copied().filter(|&at| self.subscribed[at].group == group).collect();
            self.grouped += usize::from(!members.is_empty());
            let by = members.iter().find(|&&at| {
                let Subscribed { client, sid, .. } = &self.subscribed[at];
                *client < PEERS && take(got, *client, sid, payload) == 1
            });
            match by {
                Some(&at) => self.subscribed[at].delivered += 1,
                None if members.is_empty() => {}
                None => undecided.push(members.iter().map(|&at| self.subscribed[at].client).collect()),
            }
        }
        let natives = PEERS..PEERS + NATIVES;
        let came: Vec<usize> = natives.filter(|&native| take(got, native, "", payload) == 1).collect();
        assert!(
            is_owed(&undecided, &came, &told),
            "{payload} on {topic} came to {came:?} for {undecided:?}, {told:?} had it"
        );
        self.subscribed.retain(|known| known.delivered < known.delivered_max);
    }
}

/// Whether each of the groups, given by the clients that are its members, has chosen one native session: one of `came`, of which none is left
/// over, or one that has the message already.
fn is_owed(groups: &[Vec<usize>], came: &[usize], told: &[usize]) -> bool {
    let Some((members, others)) = groups.split_first() else { return came.is_empty() };
    let chose = |&at: &usize| {
        let left: Vec<usize> = came.iter().copied().filter(|&native| native != came[at]).collect();
        let told = [told, &[came[at]]].concat();
        members.contains(&came[at]) && is_owed(others, &left, &told)
    };
    let has_it = |native: &usize| members.contains(native);
    (0..came.len()).any(|at| chose(&at))
        || told.iter().any(has_it) && is_owed(others, came, told)
        // One that gets it through the next group.
        || came.iter().any(has_it) && is_owed(others, came, told)
}

fn take(got: &mut HashMap<(usize, String, String), usize>, client: usize, sid: &str, payload: &str) -> usize {
    match got.get_mut(&(client, sid.to_owned(), payload.to_owned())) {
        Some(left @ 1..) => {
            *left -= 1;
            1
        }
        _ => 0,
    }
}

/// The sid and the payload of each message.
fn messages_of(text: &str) -> Vec<(String, String)> {
    let mut lines = text.split("\r\n");
    let mut messages = Vec::new();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["MSG", _, sid, size] = words[..] {
            let payload = lines.next().unwrap();
            assert_eq!(payload.len().to_string(), size);
            messages.push((sid.to_owned(), payload.to_owned()));
        } else {
            assert_eq!(line, "", "not a message");
        }
    }
    messages
}

/// A bin as bytes, without another dependency.
mod serde_bytes_like {
    use serde::de::{Deserialize, Deserializer, Visitor};

    pub struct Bytes(pub Vec<u8>);

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl Visitor<'_> for Visit {
                type Value = Bytes;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a bin")
                }

                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Visit)
        }
    }
}

#[test]
fn every_client_gets_what_it_should() {
    let (mut grouped, mut plain) = (0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
        }
        grouped += world.grouped;
        plain += world.plain;
    }
    assert!(grouped > 10_000 && plain > 10_000, "{grouped} and {plain} messages were looked at");
}
