//! The store of retained messages against an obvious one, through the public API: which topics are known, in which order they were
//! published to, what they hold, how many bytes that is, and who goes first at the bound.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared by several test binaries")]

#[path = "model/client.rs"]
mod client;
#[path = "model/socket.rs"]
mod socket;
#[path = "topics/store.rs"]
mod store;
#[path = "topics/model.rs"]
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now};
use client::Client;
use fastrand::Rng;
use store::Store;
use topics::Model;

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
    let mut proved = [0; 5];
    for seed in 1..=160 {
        let _named = Named(seed);
        let mut model = Model::new(seed);
        for _ in 0..250 {
            model.step(batch_max);
        }
        let Store { evicted, expired, cleared, oversized, .. } = model.store;
        for (sum, more) in proved.iter_mut().zip([evicted, expired, cleared, oversized, model.timed]) {
            *sum += more;
        }
    }
    println!("evicted, expired, cleared, oversized, sent with a ttl: {proved:?}");
    assert!(proved.iter().all(|&times| times > 500), "{proved:?}: something is not proved");
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

/// A hundred thousand messages that are due at once go in pieces, and none of them is sent meanwhile.
#[test]
fn many_are_due_at_once() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut client = Client::introduced(&broker);
    let options = PublishOptions { ttl_ms: Some(1000), ..PublishOptions::default() };
    for topic in 0..100_000 {
        client.send(|out| encode::publish(out, &format!("t/{topic}"), b"\x07", &options));
        if topic % 1000 == 999 {
            client.handle(usize::MAX);
        }
    }
    let now = Now { monotonic_ms: 999, ..Now::default() };
    assert!(!broker.expire(now) && broker.topic_stats().topics == 100_000, "not yet");
    let now = Now { monotonic_ms: 1000, ..Now::default() };
    let mut calls = 1;
    while broker.expire(now) {
        calls += 1;
        if calls == 10 {
            let mut late = Client::introduced(&broker);
            late.now = now;
            late.send(|out| encode::subscribe(out, "*", &SubscribeOptions::default()));
            late.settle();
            assert_eq!((late.unhandled(), late.receive().len()), (0, 0), "what is due is not sent");
            assert!(broker.topic_stats().topics > 50_000, "most are still there");
        }
    }
    let stats = broker.topic_stats();
    assert_eq!((stats.topics, stats.retained_bytes, stats.expired), (0, 0, 100_000));
    assert!(calls > 100, "{calls} calls: no one of them may do all the work");
}

/// What is put off again and again, shortened or made to last for ever, goes when its newest message says so.
#[test]
fn the_newest_time_counts() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut client = Client::introduced(&broker);
    let mut is_there_after = |ttls: &[Option<u64>], then_ms: u64| {
        let start_ms = client.now.monotonic_ms;
        for &ttl_ms in ttls {
            let options = PublishOptions { ttl_ms, ..PublishOptions::default() };
            client.send(|out| encode::publish(out, "t", b"\x07", &options));
            client.handle(usize::MAX);
        }
        client.now.monotonic_ms = start_ms + then_ms;
        while broker.expire(client.now) {}
        broker.topic_stats().topics == 1
    };
    for (ttls, then_ms, expected) in [
        (&[Some(10)][..], 9, true),
        (&[Some(10)], 10, false),
        (&[Some(10), Some(100)], 99, true),
        (&[Some(10), Some(100)], 100, false),
        (&[Some(100), Some(10)], 10, false),
        (&[Some(100), Some(10), Some(50)], 49, true),
        (&[Some(10), None], 1_000_000, true),
        (&[None, Some(10)], 10, false),
        (&[Some(1 << 53)], 1 << 53, false),
    ] {
        assert_eq!(is_there_after(ttls, then_ms), expected, "{ttls:?} after {then_ms} ms");
    }
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

/// Only a publish that asks to be retained clears: an empty value is a value like others where nothing is said.
#[test]
fn an_empty_value_is_kept_where_nothing_is_said() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let (mut plain, mut client) = (Client::connect(&broker), Client::introduced(&broker));
    let shown = || broker.recent_topics(9, 9).into_iter().find_map(|topic| topic.value);
    for empty in [&b"\xc0"[..], b"\xa0", b"\xc4\x00"] {
        plain.send(|out| encode::publish(out, "t", empty, &PublishOptions::default()));
        plain.handle(usize::MAX);
        assert_eq!(shown().as_deref(), Some(empty));
        let options = PublishOptions { ttl_ms: Some(9), ..PublishOptions::default() };
        client.send(|out| encode::publish(out, "t", empty, &options));
        client.settle();
        assert_eq!(shown().as_deref(), Some(empty));
        let options = PublishOptions { retain: Some(true), ..PublishOptions::default() };
        client.send(|out| encode::publish(out, "t", empty, &options));
        client.settle();
        assert_eq!(broker.topic_stats().topics, 0, "{empty:x?} clears");
    }
    assert_eq!(broker.topic_stats().cleared, 3);
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
