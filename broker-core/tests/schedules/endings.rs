//! A session ends while others write to its socket: its writer comes to its end, and what waited is written, with the `Goodbye` behind it.

use broker_core::Policy;
use broker_core::reason::CloseReason;
use broker_core::wire::native::Event;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::check::check;
use crate::connection::each_frame;
use crate::messages::{broker, join, publisher, subscriber, sum, under};

const BATCHES: [&[u8]; 2] = [&[1, 2, 1], &[2, 1, 1]];

/// Everything is written that was pushed before.
#[test]
fn endings_of_a_session_that_reads() {
    check("endings_of_a_session_that_reads", 8_000, || {
        let broker = broker(1 << 20);
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Skip)).with_writer();
        let publishers: Vec<_> =
            (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
        let wire = subscriber.wire.clone();
        let peer = thread::spawn(move || {
            wire.take(thread_rng().gen_range(1..40));
            wire.open();
        });
        let wire = subscriber.wire.clone();
        if thread_rng().gen_range(0..2) == 0 {
            // The publishers end as well.
            broker.end_sessions(&CloseReason::ShuttingDown);
        }
        let (received, stats) = subscriber.finish();
        join(publishers);
        peer.join().unwrap();
        let mut last_is_goodbye = false;
        each_frame(&wire.received(), |event| last_is_goodbye = matches!(event, Event::Goodbye { .. }));
        assert!(last_is_goodbye, "nothing is behind the Goodbye, and it comes");
        let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
        assert_eq!(stats.messages_out, received.messages);
        assert!(received.messages + stats.lost <= published as u64);
    });
}

/// The peer goes while it is written to.
#[test]
fn endings_of_a_socket_that_fails() {
    check("endings_of_a_socket_that_fails", 8_000, || {
        let broker = broker(1 << 20);
        let subscriber = subscriber(&broker, "p/*", &under(Policy::Skip)).with_writer();
        let publishers: Vec<_> =
            (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
        subscriber.wire.take(thread_rng().gen_range(1..60));
        subscriber.wire.break_off();
        join(publishers);
        // As the server's reader does, that is told by the socket.
        let (received, stats) = subscriber.finish();
        let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
        assert_eq!(stats.messages_out, received.messages, "{stats:?}");
        assert_eq!(received.messages + stats.lost, published as u64, "{stats:?}");
    });
}
