//! The bound, with several who push at once: what waits never exceeds it, and what was published is delivered, missed and counted, or lost at the end; what was
//! missed is told.

use std::sync::Arc;

use broker_core::wire::native::{SubscribeOptions, encode};
use broker_core::{Broker, Limits, Policy};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{FRAME_BYTES, join, sum, watching_publisher};

const BATCHES: [&[u8]; 2] = [&[2, 1, 3, 1], &[1, 3, 2]];
/// Room for six frames but for one byte.
const BOUND: usize = 6 * FRAME_BYTES - 1;
/// Room for the newest message of each topic, with what `conflate` counts for its index.
const CONFLATED_BOUND: usize = 2 * (FRAME_BYTES + 128) + 3;

#[test]
fn bound_under_skip() {
    check("bound_under_skip", 5_000, || run(Policy::Skip, BOUND));
}

#[test]
fn bound_under_drop_oldest() {
    check("bound_under_drop_oldest", 5_000, || run(Policy::DropOldest, BOUND));
}

#[test]
fn bound_under_drop_newest() {
    check("bound_under_drop_newest", 5_000, || run(Policy::DropNewest, BOUND));
}

#[test]
fn bound_under_conflate() {
    check("bound_under_conflate", 5_000, || run(Policy::Conflate, BOUND));
}

#[test]
fn newest_under_conflate() {
    check("newest_under_conflate", 5_000, || run(Policy::Conflate, CONFLATED_BOUND));
}

fn run(policy: Policy, bound: usize) {
    let limits = Limits { outbox_bytes_max: bound, policy, ..Limits::default() };
    let broker = Arc::new(Broker::new(limits));
    // One that said `Hello` is told what it missed, and what tells it may come on top of the bound; to the other one nothing comes but messages.
    let is_told = thread_rng().gen_range(0..2) == 0;
    let mut subscriber = if is_told { Connection::new(&broker) } else { Connection::silent(&broker) };
    let options = SubscribeOptions { retained: !is_told, ..SubscribeOptions::default() };
    subscriber.send(|out| encode::subscribe(out, "p/*", &options));
    let subscriber = subscriber.with_writer();
    let outbox = subscriber.outbox.clone();
    let watch = move || {
        let stats = outbox.stats();
        assert!(is_told || stats.waiting_bytes <= bound, "{stats:?}");
    };
    let publishers: Vec<_> = (0..)
        .zip(BATCHES)
        .map(|(number, batches)| watching_publisher(&broker, number, batches, watch.clone()))
        .collect();
    let wire = subscriber.wire.clone();
    let peer = thread::spawn(move || {
        for _ in 0..3 {
            wire.take(thread_rng().gen_range(1..40));
            watch();
        }
    });
    join(publishers);
    peer.join().unwrap();
    subscriber.wire.open();
    let (received, stats) = subscriber.finish();
    let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
    assert_eq!(received.messages + stats.lagged, published as u64, "{received:?} {stats:?}");
    assert_eq!((stats.messages_out, stats.lost), (received.messages, 0));
    assert_eq!(received.told, if is_told { stats.lagged } else { 0 });
    for (publisher, batches) in (0..).zip(BATCHES) {
        let newest = received.numbers.get(&publisher).and_then(|numbers| numbers.last());
        // What tells of what was missed takes the place of messages here.
        if bound == CONFLATED_BOUND && !is_told {
            assert_eq!(
                newest.map(|newest| usize::from(*newest) + 1),
                Some(sum(batches)),
                "the newest comes: {received:?} {stats:?}"
            );
        }
    }
}
