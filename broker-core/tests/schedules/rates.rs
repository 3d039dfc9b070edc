//! `max_rate`: what waits for its time is sent in the end, by one who sleeps until then or until the broker calls, as `broker-server/src/release.rs` does.

use std::sync::Arc;

use broker_core::Now;
use broker_core::wire::native::{Event, SubscribeOptions, encode};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{broker, join, publisher, sum};

const BATCHES: [&[u8]; 2] = [&[1, 2, 1], &[2, 2]];

/// What the sleeper is woken for.
#[derive(Debug, Default)]
struct Calls {
    due: bool,
    stop: bool,
}

#[test]
fn rates_release_the_newest() {
    check("rates_release_the_newest", 8_000, || {
        let broker = broker(1 << 20);
        let calls = Arc::new((Mutex::new(Calls::default()), Condvar::new()));
        let hook = Arc::clone(&calls);
        broker.on_pending(Box::new(move || {
            hook.0.lock().unwrap().due = true;
            hook.1.notify_all();
        }));
        let sleeper = {
            let (broker, calls) = (Arc::clone(&broker), Arc::clone(&calls));
            thread::spawn(move || {
                let mut now = Now::default();
                loop {
                    let due_ms = broker.release(now);
                    let mut seen = calls.0.lock().unwrap();
                    if let Some(due_ms) = due_ms {
                        // It sleeps, and a call may wake it or not; time passes until then.
                        let is_over = thread_rng().gen_range(0..2) == 0 || !seen.due;
                        now.monotonic_ms =
                            if is_over { now.monotonic_ms.max(due_ms) } else { now.monotonic_ms };
                    } else {
                        while !seen.due && !seen.stop {
                            seen = calls.1.wait(seen).unwrap();
                        }
                    }
                    if seen.stop {
                        return;
                    }
                    seen.due = false;
                }
            })
        };
        let mut subscriber = Connection::new(&broker);
        let max_rate = Some(100.0);
        let options = SubscribeOptions { max_rate, retained: false, ..SubscribeOptions::default() };
        subscriber.send(|out| encode::subscribe(out, "p/*", &options));
        let subscriber = subscriber.with_writer();
        subscriber.wire.open();
        let publishers: Vec<_> =
            (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
        for (topic, batches) in ["p/0", "p/1"].into_iter().zip(BATCHES) {
            let newest = sum(batches) - 1;
            let is_it = |event: &Event<'_>| matches!(event, Event::Message(message) if message.topic == topic && usize::from(message.value[0]) == newest);
            subscriber.await_frames(1, is_it);
        }
        join(publishers);
        calls.0.lock().unwrap().stop = true;
        calls.1.notify_all();
        sleeper.join().unwrap();
        let (received, stats) = subscriber.finish();
        let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
        assert_eq!(received.messages + stats.thinned, published as u64, "{stats:?}");
    });
}
