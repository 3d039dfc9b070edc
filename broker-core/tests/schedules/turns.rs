//! Whose turn it is to write: publishers push and write to a subscriber's socket themselves while its own writer goes on where they stop. Nothing is lost or
//! comes twice, each publisher's order holds, and whoever leaves something behind leaves somebody who sees to it.

use broker_core::Policy;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::messages::{Received, broker, is_message, join, publisher, subscriber, sum, under};

const BATCHES: [&[u8]; 3] = [&[1, 3, 1], &[2, 2], &[1, 1, 1]];

/// The socket takes everything: what publishers write, and what they leave to one another.
#[test]
fn turns_at_an_open_socket() {
    check("turns_at_an_open_socket", 8_000, || run(|_| vec![usize::MAX]));
}

/// The socket takes a few bytes at a time, so that a frame is torn and the owner has to go on.
#[test]
fn turns_at_a_socket_that_blocks() {
    let pieces = |rng: &mut dyn FnMut(usize) -> usize| vec![1 + rng(20), 1 + rng(40), usize::MAX];
    check("turns_at_a_socket_that_blocks", 8_000, move || run(pieces));
}

fn run(pieces: impl Fn(&mut dyn FnMut(usize) -> usize) -> Vec<usize>) {
    let broker = broker(1 << 20);
    let subscriber = subscriber(&broker, "p/*", &under(Policy::Skip)).with_writer();
    let mut rng = thread_rng();
    let pieces = pieces(&mut |below| rng.gen_range(0..below));
    let wire = subscriber.wire.clone();
    let peer = thread::spawn(move || pieces.into_iter().for_each(|piece| wire.take(piece)));
    let publishers: Vec<_> =
        (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
    subscriber.await_frames(BATCHES.iter().map(|batches| sum(batches)).sum(), is_message);
    join(publishers);
    peer.join().unwrap();
    Received::of(&subscriber.wire.received()).check_all(&BATCHES);
    let stats = subscriber.close();
    assert_eq!((stats.lagged, stats.lost, stats.waiting_bytes), (0, 0, 0));
}
