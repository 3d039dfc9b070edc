//! Joins with real threads: subscribers come and go while topics are published to, cleared, and outlive their time. Whatever meets whatever, a
//! subscriber never gets an older message of a topic behind a newer one, and ends with the newest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use broker_core::wire::native::{Event, Meta, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now};
use fastrand::Rng;

use crate::client::Client;
use crate::numbered::Numbered;

const PUBLISHERS: u32 = 2;
/// Of each publisher.
const TOPICS: u32 = 30;
const MESSAGES: u64 = 30_000;
const PATTERNS: [&str; 4] = ["*", "0/*", "1/1*", "*/7"];

struct Race {
    broker: Arc<Broker>,
    time_ms: AtomicU64,
    over: AtomicBool,
}

impl Race {
    fn now(&self) -> Now {
        Now { monotonic_ms: self.time_ms.load(SeqCst), ..Now::default() }
    }

    /// Rising numbers to topics of its own, in batches of any size, some for a short time only; the last ones for ever.
    fn publish(&self, publisher: u32) {
        let mut rng = Rng::with_seed(u64::from(publisher));
        let mut client = Client::introduced(&self.broker);
        for number in 0..MESSAGES + u64::from(TOPICS) {
            let last = number.checked_sub(MESSAGES).and_then(|topic| u32::try_from(topic).ok());
            let topic = format!("{publisher}/{}", last.unwrap_or_else(|| rng.u32(..TOPICS)));
            let message = Numbered { publisher, number, padding: rng.u16(..50) };
            let ttl_ms = [None, Some(rng.u64(1..4))][usize::from(last.is_none() && rng.bool())];
            let options = PublishOptions { ttl_ms, ..PublishOptions::default() };
            client.send(|out| encode::publish(out, &topic, &message.value(), &options));
            if rng.u8(..8) == 0 {
                client.now = self.now();
                client.handle(usize::MAX);
                self.time_ms.fetch_add(1, SeqCst);
            }
        }
        client.handle(usize::MAX);
        assert_eq!(client.unhandled(), 0);
    }

    /// What is over goes; now and then topics are cleared.
    fn sweep(&self) {
        let mut rng = Rng::with_seed(99);
        let mut client = Client::introduced(&self.broker);
        while !self.over.load(SeqCst) {
            while self.broker.expire(self.now()) {}
            if rng.u8(..3) == 0 {
                client.send(|out| encode::clear(out, PATTERNS[rng.usize(..PATTERNS.len())], None));
                client.now = self.now();
                client.handle(usize::MAX);
            }
            thread::yield_now();
        }
    }

    /// Subscribes and unsubscribes until all is over.
    fn subscribe(&self, seed: u64) -> Subscriber {
        let mut rng = Rng::with_seed(seed);
        let client = Client::introduced(&self.broker);
        let mut subscriber = Subscriber { client, last: BTreeMap::new(), retained: 0, live: 0 };
        let options = SubscribeOptions { meta: true, ..SubscribeOptions::default() };
        loop {
            let is_over = self.over.load(SeqCst);
            subscriber.client.now = self.now();
            if !is_over {
                let pattern = PATTERNS[rng.usize(..PATTERNS.len())];
                subscriber.client.send(|out| encode::unsubscribe(out, pattern, None));
            }
            let pattern = if is_over { "*" } else { PATTERNS[rng.usize(..PATTERNS.len())] };
            subscriber.client.send(|out| encode::subscribe(out, pattern, &options));
            while subscriber.client.unhandled() > 0 {
                subscriber.client.handle(usize::MAX);
                subscriber.client.write(usize::MAX);
            }
            subscriber.read();
            if is_over {
                subscriber.client.settle();
                subscriber.read();
                return subscriber;
            }
        }
    }
}

struct Subscriber {
    client: Client,
    /// The number of the last message of each topic.
    last: BTreeMap<String, u64>,
    retained: u64,
    live: u64,
}

impl Subscriber {
    fn read(&mut self) {
        for frame in self.client.receive() {
            // One that was over before it was sent is told as missed.
            let Ok(Event::Message(message)) = Event::parse(&frame) else { continue };
            let is_retained = Meta::parse(message.meta.unwrap()).unwrap().retained;
            let number = Numbered::parse(message.value).number;
            let last = self.last.insert(message.topic.to_owned(), number);
            if is_retained {
                assert!(last <= Some(number), "{}: retained {number} behind {last:?}", message.topic);
                self.retained += 1;
            } else {
                assert!(last < Some(number), "{}: {number} behind {last:?}", message.topic);
                self.live += 1;
            }
        }
    }
}

#[test]
fn joins_race_with_publishes_clears_and_expiries() {
    let broker = Arc::new(Broker::new(Limits { outbox_bytes_max: 1 << 30, ..Limits::default() }));
    let race = Race { broker, time_ms: AtomicU64::new(1), over: AtomicBool::new(false) };
    let subscribers: Vec<Subscriber> = thread::scope(|scope| {
        let race = &race;
        let subscribers: Vec<_> = (0..2).map(|seed| scope.spawn(move || race.subscribe(seed))).collect();
        let sweeper = scope.spawn(|| race.sweep());
        let publishers: Vec<_> =
            (0..PUBLISHERS).map(|publisher| scope.spawn(move || race.publish(publisher))).collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        race.over.store(true, SeqCst);
        sweeper.join().unwrap();
        subscribers.into_iter().map(|subscriber| subscriber.join().unwrap()).collect()
    });
    let stats = race.broker.topic_stats();
    let (retained, live) =
        subscribers.iter().fold((0, 0), |sum, own| (sum.0 + own.retained, sum.1 + own.live));
    println!("{retained} retained, {live} live, {stats:?}");
    assert!(retained > 500 && live > 500 && stats.expired > 100 && stats.cleared > 20, "too little to prove");
    for subscriber in subscribers {
        for topic in race.broker.recent_topics(usize::MAX, 1 << 20) {
            let newest = topic.value.map(|value| Numbered::parse(&value).number);
            assert!(subscriber.last.get(&topic.topic).copied() >= newest, "{}: not the newest", topic.topic);
        }
    }
}
