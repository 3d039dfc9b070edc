//! The policy `block`: a publisher that is held back is told when there is room, also when at the same moment the subscriber goes, or the time of another
//! publisher is over. Here time does not pass: whoever is not told waits for ever.

use std::sync::Arc;

use broker_core::{Next, Now, Policy};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{FRAME_BYTES, Received, broker, join, publish, publisher, subscriber, sum, under};

const BATCHES: [&[u8]; 2] = [&[2, 3, 2], &[1, 3, 3]];
/// Room for two frames and a half.
const BOUND: usize = 2 * FRAME_BYTES + 3;

/// The subscriber reads, in pieces, and in the end everything.
#[test]
fn held_until_there_is_room() {
    check("held_until_there_is_room", 4_000, || {
        let broker = broker(BOUND);
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Block)).with_writer();
        let publishers: Vec<_> =
            (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
        let mut rng = thread_rng();
        for _ in 0..3 {
            subscriber.wire.take(rng.gen_range(1..40));
        }
        subscriber.wire.open();
        join(publishers);
        let wire = subscriber.wire.clone();
        let stats = subscriber.close();
        Received::of(&wire.received()).check_all(&BATCHES);
        assert_eq!((stats.lagged, stats.lost, stats.held_bytes), (0, 0, 0));
    });
}

/// The subscriber goes: its peer breaks off, or the server ends its session.
#[test]
fn held_by_one_that_goes() {
    check("held_by_one_that_goes", 4_000, || {
        let broker = broker(BOUND);
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Block)).with_writer();
        let publishers: Vec<_> =
            (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
        subscriber.wire.take(thread_rng().gen_range(1..40));
        let wire = subscriber.wire.clone();
        let peer =
            thread::spawn(
                move || {
                    if thread_rng().gen_range(0..2) == 0 { wire.break_off() } else { wire.open() }
                },
            );
        let wire = subscriber.wire.clone();
        let stats = subscriber.close();
        join(publishers);
        peer.join().unwrap();
        let received = Received::of(&wire.received());
        received.check_order();
        assert_eq!(received.messages, stats.messages_out);
    });
}

/// Two are held back. The time of one is over at the moment at which the subscriber reads something, or goes: the other one is told.
#[test]
fn held_beside_one_whose_time_is_over() {
    check("held_beside_one_whose_time_is_over", 4_000, || {
        let broker = broker(BOUND);
        // Without its writer at first: nothing moves before both are held back.
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Block));
        let (mut first, mut other) = (Connection::new(&broker), Connection::new(&broker));
        // Some are being written and stay; then the outbox is full.
        let mut published = 0;
        let until_ms = loop {
            let next = first.send_until_held(|out| publish(out, 0, published));
            published += 1;
            if let Next::Held { until_monotonic_ms } = next {
                break until_monotonic_ms;
            }
        };
        let next = other.send_until_held(|out| publish(out, 1, 0));
        assert!(matches!(next, Next::Held { .. }), "behind the other one in line: {next:?}");
        let subscriber = subscriber.with_writer();
        let waiting = thread::spawn(move || {
            other.wire.roomy();
            other
        });
        let lapsing = thread::spawn(move || {
            first.now = Now { unix_ms: until_ms, monotonic_ms: until_ms };
            first.send(|_| {});
            first
        });
        let wire = Arc::clone(&subscriber.wire);
        let outcome = thread_rng().gen_range(0..3);
        let peer = thread::spawn(move || match outcome {
            0 => wire.take(thread_rng().gen_range(1..60)),
            1 => wire.break_off(),
            _ => {}
        });
        lapsing.join().unwrap().close();
        waiting.join().unwrap().close();
        peer.join().unwrap();
        subscriber.wire.open();
        let wire = subscriber.wire.clone();
        let stats = subscriber.close();
        let received = Received::of(&wire.received());
        received.check_order();
        assert_eq!((received.messages, 0), (stats.messages_out, stats.held_bytes));
        let counted = received.messages + stats.lagged + stats.lost;
        assert_eq!(counted, u64::from(published) + 1, "{received:?} {stats:?}");
    });
}

/// A publisher goes while it is held back: those behind it in line come in.
#[test]
fn held_behind_one_that_goes() {
    check("held_behind_one_that_goes", 4_000, || {
        let broker = broker(BOUND);
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Block)).with_writer();
        let mut first = Connection::new(&broker);
        first.send_until_held(|out| (0..4).for_each(|number| publish(out, 0, number)));
        let other = publisher(&broker, 1, BATCHES[1]);
        let wire = Arc::clone(&subscriber.wire);
        let peer = thread::spawn(move || {
            wire.take(thread_rng().gen_range(1..40));
            wire.open();
        });
        drop(first);
        other.join().unwrap();
        peer.join().unwrap();
        let wire = Arc::clone(&subscriber.wire);
        let stats = subscriber.close();
        let received = Received::of(&wire.received());
        received.check_order();
        assert_eq!(received.numbers.get(&1).map_or(0, Vec::len), sum(BATCHES[1]), "{received:?}");
        assert_eq!((stats.lagged, stats.lost), (received.told, 0));
    });
}
