//! What is retained, while it is published to, cleared, outlives its time and makes place, all at once: the sums are those of the topics that there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use broker_core::wire::native::{PublishOptions, encode};
use broker_core::{Broker, Limits, Now};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{join, publish_with};

/// A topic is new to two at once.
#[test]
fn topics_are_known_once() {
    check("topics_are_known_once", 4_000, || {
        let broker = Arc::new(Broker::new(Limits::default()));
        let publish = |mut connection: Connection, number: u8| {
            thread::spawn(move || {
                connection.send(|out| publish_with(out, 1, number, &PublishOptions::default()))
            })
        };
        let publishers = [0, 1].map(|number| publish(Connection::new(&broker), number));
        for publisher in publishers {
            publisher.join().unwrap();
        }
        assert_eq!((broker.topic_stats().topics, broker.recent_topics(9, 9).len()), (1, 1));
    });
}

#[test]
fn topics_come_and_go() {
    check("topics_come_and_go", 8_000, || {
        let broker = Arc::new(Broker::new(Limits { retained_messages_max: 2, ..Limits::default() }));
        let publishers: Vec<_> = [[0, 1, 0, 2], [2, 0, 1, 1]]
            .into_iter()
            .map(|topics| {
                let mut connection = Connection::new(&broker);
                thread::spawn(move || {
                    for (number, topic) in (0..).zip(topics) {
                        let ttl_ms = (number % 2 == 0).then_some(1);
                        let options =
                            PublishOptions { ttl_ms, retain: Some(true), ..PublishOptions::default() };
                        connection.send(|out| publish_with(out, topic, number, &options));
                    }
                })
            })
            .collect();
        let sweeper = {
            let broker = Arc::clone(&broker);
            thread::spawn(move || {
                for _ in 0..2 {
                    broker.expire(Now { unix_ms: 9, monotonic_ms: 9 });
                }
            })
        };
        let mut clearing = Connection::new(&broker);
        clearing.send(|out| encode::clear(out, "p/*", Some(1)));
        join(publishers);
        sweeper.join().unwrap();
        let stats = broker.topic_stats();
        let topics = broker.recent_topics(usize::MAX, 100);
        assert_eq!(stats.topics, topics.len(), "{stats:?} {topics:?}");
        assert!(stats.topics <= 2, "{stats:?}");
        let names: BTreeSet<&str> = topics.iter().map(|topic| &*topic.topic).collect();
        assert_eq!(names.len(), topics.len(), "each is known once: {topics:?}");
        while broker.expire(Now { unix_ms: 9, monotonic_ms: 9 }) {}
        let mut all = Connection::new(&broker);
        all.send(|out| encode::clear(out, "p/*", Some(1)));
        let stats = broker.topic_stats();
        assert_eq!((stats.topics, stats.retained_bytes), (0, 0), "{stats:?} {topics:?}");
    });
}
