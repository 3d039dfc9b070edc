//! A subscriber joins while its topics are published to: never an older message behind a newer one, and it ends with the newest of each topic.

use std::sync::Arc;

use broker_core::wire::native::{Event, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Policy};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{FRAME_BYTES, broker, join, publish, publisher};

const BATCHES: [&[u8]; 2] = [&[2, 1, 1], &[1, 2]];
/// Room for the newest message of each topic, with what `conflate` counts for its index.
const CONFLATED_BOUND: usize = 3 * (FRAME_BYTES + 128);

#[test]
fn joins_with_room() {
    check("joins_with_room", 8_000, || run(1 << 20, "p/*", Policy::Skip));
}

/// Retained messages wait for room, again and again.
#[test]
fn joins_at_the_bound() {
    check("joins_at_the_bound", 8_000, || run(2 * FRAME_BYTES + 3, "p/*", Policy::Block));
}

/// What is newer takes the place of what waits.
#[test]
fn joins_that_conflate() {
    check("joins_that_conflate", 6_000, || run(CONFLATED_BOUND, "p/*", Policy::Conflate));
}

#[test]
fn joins_of_one_topic() {
    check("joins_of_one_topic", 6_000, || run(1 << 20, "p/0", Policy::Skip));
}

/// Nothing else goes to the subscriber: it waits for room, and its own writer alone can tell it.
#[test]
fn joins_alone() {
    check("joins_alone", 8_000, || {
        let broker = broker(FRAME_BYTES);
        let mut before = Connection::new(&broker);
        before.send(|out| (0..4).for_each(|topic| publish(out, topic, 7)));
        let mut subscriber = Connection::silent(&broker).with_writer();
        let wire = subscriber.wire.clone();
        let peer = thread::spawn(move || {
            for _ in 0..3 {
                wire.take(thread_rng().gen_range(1..2 * FRAME_BYTES));
            }
            wire.open();
        });
        subscriber.send(|out| encode::subscribe(out, "p/*", &SubscribeOptions::default()));
        peer.join().unwrap();
        let (received, _) = subscriber.finish();
        assert!((0..4).all(|topic| received.numbers.get(&topic) == Some(&vec![7])), "{received:?}");
    });
}

fn run(bound: usize, pattern: &'static str, policy: Policy) {
    let limits = Limits { outbox_bytes_max: bound, policy, ..Limits::default() };
    let broker = Arc::new(Broker::new(limits));
    // Two of the topics have a message before; one of them gets no other.
    let mut before = Connection::new(&broker);
    before.send(|out| publish(out, 2, 7));
    let publishers: Vec<_> =
        (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
    // One that is told nothing but messages: what tells of what it missed would take their place at the bound.
    let mut subscriber = Connection::silent(&broker).with_writer();
    let wire = subscriber.wire.clone();
    let peer = thread::spawn(move || {
        for _ in 0..2 {
            wire.take(thread_rng().gen_range(1..30));
        }
        wire.open();
    });
    subscriber.send(|out| encode::subscribe(out, pattern, &SubscribeOptions::default()));
    join(publishers);
    peer.join().unwrap();
    let newest: &[(&str, u8)] =
        if pattern == "p/0" { &[("p/0", 3)] } else { &[("p/0", 3), ("p/1", 2), ("p/2", 7)] };
    for (topic, newest) in newest {
        let is_it = |event: &Event<'_>| matches!(event, Event::Message(message) if message.topic == *topic && message.value == [*newest]);
        subscriber.await_frames(1, is_it);
    }
    subscriber.finish();
}
