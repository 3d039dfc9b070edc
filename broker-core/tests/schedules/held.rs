//! The policy `block`: a publisher that is held back is told when there is room, also when at the same moment the subscriber goes, or the time of another
//! publisher is over. Here time does not pass: whoever is not told waits for ever.

use std::sync::Arc;

use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Next, Now, Policy};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{FRAME_BYTES, broker, join, publish, publisher, subscriber, under};

const BATCHES: [&[u8]; 2] = [&[2, 3, 2], &[1, 3, 3]];
/// Room for two frames and a half.
const BOUND: usize = 2 * FRAME_BYTES + 3;

/// The subscriber reads, in pieces, and in the end everything.
#[test]
fn held_until_there_is_room() {
    check("held_until_there_is_room", 8_000, || {
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
        let (received, stats) = subscriber.finish();
        received.check_all(&BATCHES);
        assert_eq!((stats.lagged, stats.lost, stats.held_bytes), (0, 0, 0));
    });
}

/// The subscriber goes: its peer breaks off, or the server ends its session.
#[test]
fn held_by_one_that_goes() {
    check("held_by_one_that_goes", 8_000, || {
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
        let (received, stats) = subscriber.finish();
        join(publishers);
        peer.join().unwrap();
        assert_eq!(received.messages, stats.messages_out);
    });
}

/// Two are held back. The time of one is over at the moment at which the subscriber reads something, or goes: the other one is told.
#[test]
fn held_beside_one_whose_time_is_over() {
    check("held_beside_one_whose_time_is_over", 8_000, || {
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
        let (received, stats) = subscriber.finish();
        assert_eq!((received.messages, 0), (stats.messages_out, stats.held_bytes));
        let counted = received.messages + stats.lagged + stats.lost;
        assert_eq!(counted, u64::from(published) + 1, "{received:?} {stats:?}");
    });
}

/// A publisher goes while it is held back with a message that is too large: what stands behind it fits, though nobody reads.
#[test]
fn held_behind_one_that_goes() {
    check("held_behind_one_that_goes", 8_000, || {
        let limits = Limits { outbox_bytes_max: 7 * FRAME_BYTES, policy: Policy::Block, ..Limits::default() };
        let broker = Arc::new(Broker::new(limits));
        // One that is not told what it misses: that would fill the outbox.
        let mut subscriber = Connection::silent(&broker);
        subscriber.send(|out| encode::subscribe(out, "p/*", &SubscribeOptions::default()));
        let (mut first, mut other) = (Connection::new(&broker), Connection::new(&broker));
        // One is being written, and less than half of the bound waits behind it.
        first.send(|out| publish(out, 0, 0));
        first.send(|out| publish(out, 0, 1));
        let large = [&[0xc4, 30][..], &[0; 30]].concat();
        first.send_until_held(|out| encode::publish(out, "p/0", &large, &PublishOptions::default()));
        let next = other.send_until_held(|out| publish(out, 1, 0));
        assert!(matches!(next, Next::Held { .. }), "behind the other one in line: {next:?}");
        let third = publisher(&broker, 2, &[1]);
        let waiting = thread::spawn(move || other.wire.roomy());
        drop(first);
        waiting.join().unwrap();
        third.join().unwrap();
        let subscriber = subscriber.with_writer();
        subscriber.wire.open();
        let (received, stats) = subscriber.finish();
        assert_eq!((received.numbers.get(&1), received.numbers.get(&2)), (Some(&vec![0]), Some(&vec![0])));
        assert_eq!((stats.lagged, stats.lost), (1, 0), "the large one");
    });
}

/// Messages under another policy make room for what stands in line: whose it is is told, though nobody reads.
#[test]
fn held_beside_one_that_skips() {
    check("held_beside_one_that_skips", 8_000, || {
        let broker = broker(BOUND);
        let mut subscriber = subscriber(&broker, "p/0", &under(Policy::Block));
        subscriber.send(|out| encode::subscribe(out, "p/1", &under(Policy::Skip)));
        let (mut first, mut other) = (Connection::new(&broker), Connection::new(&broker));
        // The first is being written; those behind it fill the outbox.
        for number in 0..3 {
            let next = other.send_until_held(|out| publish(out, 1, number));
            assert!(matches!(next, Next::Read { .. }), "it only skips: {next:?}");
        }
        let next = first.send_until_held(|out| publish(out, 0, 0));
        assert!(matches!(next, Next::Held { .. }), "there is no room: {next:?}");
        let skipping = publisher(&broker, 1, &[1, 2]);
        let waiting = thread::spawn(move || first.wire.roomy());
        skipping.join().unwrap();
        if subscriber.outbox.stats().held_bytes == 0 {
            waiting.join().unwrap();
            return;
        }
        subscriber.wire.open();
        let subscriber = subscriber.with_writer();
        waiting.join().unwrap();
        let (received, _) = subscriber.finish();
        assert_eq!(received.numbers.get(&0), Some(&vec![0]));
    });
}
