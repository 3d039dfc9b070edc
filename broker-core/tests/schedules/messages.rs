//! Messages that tell who published them and which one it was, and what was received of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Policy};
use shuttle::thread::{self, JoinHandle};

use crate::connection::{Connection, each_frame};

/// The bytes of a frame that [`publish`] makes.
pub(crate) const FRAME_BYTES: usize = 6;

/// Neither retained nor anything else that is unusual.
pub(crate) const LIVE: PublishOptions<'static> =
    PublishOptions { id: None, reply: None, headers: None, key: None, retain: Some(false), ttl_ms: None };

/// A broker whose outboxes have this bound.
pub(crate) fn broker(outbox_bytes_max: usize) -> Arc<Broker> {
    Arc::new(Broker::new(Limits { outbox_bytes_max, ..Limits::default() }))
}

/// A message of this number to `p/PUBLISHER`. A plain one; it is retained.
pub(crate) fn publish(out: &mut Vec<u8>, publisher: u8, number: u8) {
    publish_with(out, publisher, number, &PublishOptions::default());
}

pub(crate) fn publish_with(out: &mut Vec<u8>, publisher: u8, number: u8, options: &PublishOptions<'_>) {
    assert!(publisher < 10 && number < 128, "one byte each");
    encode::publish(out, &format!("p/{publisher}"), &[number], options);
}

/// Options of a subscription under this policy.
pub(crate) fn under(policy: Policy) -> SubscribeOptions {
    SubscribeOptions { id: Some(1), policy: Some(policy), retained: false, ..SubscribeOptions::default() }
}

/// A connection that has subscribed to a pattern, and whose peer has not read the answer.
pub(crate) fn subscriber(broker: &Arc<Broker>, pattern: &str, options: &SubscribeOptions) -> Connection {
    let mut connection = Connection::new(broker);
    connection.send(|out| encode::subscribe(out, pattern, options));
    connection
}

/// A time to live that is never over.
const LONG_MS: u64 = 1 << 40;

/// A thread that publishes batches of so many messages each, with numbers from 0. Every other has a time to live: so it goes alone, and a batch meets each
/// outbox several times.
pub(crate) fn publisher(broker: &Arc<Broker>, publisher: u8, batches: &'static [u8]) -> JoinHandle<()> {
    watching_publisher(broker, publisher, batches, || {})
}

/// As [`publisher`], and calls `watch` after each batch.
pub(crate) fn watching_publisher(
    broker: &Arc<Broker>,
    publisher: u8,
    batches: &'static [u8],
    watch: impl Fn() + Send + 'static,
) -> JoinHandle<()> {
    let mut connection = Connection::new(broker);
    thread::spawn(move || {
        let mut number = 0;
        for batch in batches {
            connection.send(|out| {
                for _ in 0..*batch {
                    let ttl_ms = (number % 2 == 1).then_some(LONG_MS);
                    let options = PublishOptions { ttl_ms, ..PublishOptions::default() };
                    publish_with(out, publisher, number, &options);
                    number += 1;
                }
            });
            watch();
        }
    })
}

/// Waits for all of them.
pub(crate) fn join(publishers: Vec<JoinHandle<()>>) {
    for publisher in publishers {
        publisher.join().unwrap();
    }
}

/// How many messages that makes.
pub(crate) fn sum(batches: &[u8]) -> usize {
    batches.iter().map(|batch| usize::from(*batch)).sum()
}

/// What was received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The numbers of each publisher, in the order in which they came.
    pub(crate) numbers: BTreeMap<u8, Vec<u8>>,
    pub(crate) messages: u64,
    /// What the subscriber was told that it missed.
    pub(crate) told: u64,
}

impl Received {
    pub(crate) fn of(bytes: &[u8]) -> Received {
        let mut received = Received::default();
        each_frame(bytes, |event| match event {
            Event::Message(message) => {
                let publisher = message.topic.as_bytes()[2] - b'0';
                received.numbers.entry(publisher).or_default().push(message.value[0]);
                received.messages += 1;
            }
            Event::Lagged { missed, .. } => received.told += missed,
            _ => {}
        });
        received
    }

    /// What each published came in its order, and none twice.
    pub(crate) fn check_order(&self) {
        for (publisher, numbers) in &self.numbers {
            assert!(numbers.is_sorted_by(|one, next| one < next), "of publisher {publisher}: {numbers:?}");
        }
    }

    /// As [`Received::check_order`], and all of these came.
    pub(crate) fn check_all(&self, published: &[&[u8]]) {
        self.check_order();
        for (publisher, batches) in (0..).zip(published) {
            let numbers = self.numbers.get(&publisher).map_or(0, Vec::len);
            assert_eq!(numbers, sum(batches), "of publisher {publisher}: {:?}", self.numbers);
        }
    }
}

/// Whether an event is a message.
pub(crate) fn is_message(event: &Event<'_>) -> bool {
    matches!(event, Event::Message(_))
}

/// Whether it answers the command with this id.
pub(crate) fn answers(event: &Event<'_>, id: u64) -> bool {
    matches!(event, Event::Ok { id: of, .. } if *of == id)
}
