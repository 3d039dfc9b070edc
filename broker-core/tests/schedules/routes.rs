//! Cached routes and the stamps that tell whether they hold, while subscriptions come and go: what is published behind the answer to a subscribe arrives, and
//! nothing arrives behind the answer to an unsubscribe.

use std::sync::Arc;

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now};
use shuttle::sync::atomic::{AtomicU8, Ordering::SeqCst};
use shuttle::thread::{self, JoinHandle};

use crate::check::check;
use crate::connection::{Connection, Wire, each_frame};
use crate::messages::{self, LIVE, answers, broker, is_message};

/// Messages of a publisher.
const MESSAGES: u8 = 5;

#[test]
fn routes_by_wildcard() {
    check("routes_by_wildcard", 4_000, || run(&broker(1 << 20), "t/*", "t/1", LIVE));
}

#[test]
fn routes_by_name() {
    check("routes_by_name", 4_000, || run(&broker(1 << 20), "t/1", "t/1", LIVE));
}

/// A reply address, which no topic is kept for.
#[test]
fn routes_to_an_inbox() {
    check("routes_to_an_inbox", 4_000, || run(&broker(1 << 20), "_INBOX.1", "_INBOX.1", LIVE));
}

/// The topic outlives its time again and again, and is forgotten while others hold its route.
#[test]
fn routes_of_a_topic_that_expires() {
    check("routes_of_a_topic_that_expires", 8_000, || {
        let broker = broker(1 << 20);
        let sweeper = {
            let broker = Arc::clone(&broker);
            thread::spawn(move || {
                for _ in 0..3 {
                    // Every message is retained for a millisecond of a time that stands still for its publisher.
                    broker.expire(Now { unix_ms: 9, monotonic_ms: 9 });
                }
            })
        };
        let options = PublishOptions { ttl_ms: Some(1), retain: Some(true), ..LIVE };
        run(&broker, "t/1", "t/1", options);
        sweeper.join().unwrap();
    });
}

/// A topic is forgotten at the moment at which somebody subscribes to it, and a publisher remembers its route.
#[test]
fn routes_of_a_topic_that_goes() {
    check("routes_of_a_topic_that_goes", 20_000, || {
        let broker = broker(1 << 20);
        let mut publisher = Connection::new(&broker);
        let brief = PublishOptions { ttl_ms: Some(1), retain: Some(true), ..LIVE };
        let mut publish = |number: u8| publisher.send(|out| encode::publish(out, "t/1", &[number], &brief));
        publish(0);
        let sweeper = {
            let broker = Arc::clone(&broker);
            thread::spawn(move || broker.expire(Now { unix_ms: 9, monotonic_ms: 9 }))
        };
        let mut subscriber = Connection::new(&broker);
        subscriber.wire.open();
        let wanted = SubscribeOptions { id: Some(1), retained: false, ..SubscribeOptions::default() };
        subscriber.send(|out| encode::subscribe(out, "t/1", &wanted));
        sweeper.join().unwrap();
        publish(1);
        let mut arrived = false;
        each_frame(&subscriber.wire.received(), |event| arrived |= is_message(&event));
        assert!(arrived, "it was published behind the answer");
    });
}

/// The topic makes place for others at the bound, and is forgotten so.
#[test]
fn routes_of_a_topic_that_is_evicted() {
    check("routes_of_a_topic_that_is_evicted", 6_000, || {
        let broker = Arc::new(Broker::new(Limits { retained_messages_max: 1, ..Limits::default() }));
        let other = messages::publisher(&broker, 1, &[1, 1, 1, 1]);
        run(&broker, "t/1", "t/1", LIVE);
        other.join().unwrap();
    });
}

/// What a publisher saw of the subscriber: the answers that it had before a message, and the commands that it had begun to say behind it.
type Seen = Vec<(u8, u8)>;

fn publisher(
    broker: &Arc<Broker>,
    topic: &'static str,
    wire: Arc<Wire>,
    commands: Arc<AtomicU8>,
    options: PublishOptions<'static>,
) -> JoinHandle<Seen> {
    let mut connection = Connection::new(broker);
    thread::spawn(move || {
        let mut publish = |number: u8| {
            let mut answers = 0;
            each_frame(&wire.received(), |event| answers += u8::from(matches!(event, Event::Ok { .. })));
            connection.send(|out| encode::publish(out, topic, &[number], &options));
            (answers, commands.load(SeqCst))
        };
        (0..MESSAGES).map(&mut publish).collect()
    })
}

fn run(broker: &Arc<Broker>, pattern: &'static str, topic: &'static str, options: PublishOptions<'static>) {
    let commands = Arc::new(AtomicU8::new(0));
    let mut subscriber = Connection::new(broker);
    // Something else goes to it all the while: what it has to say may be written at any time.
    let nothing = SubscribeOptions { retained: false, ..SubscribeOptions::default() };
    subscriber.send(|out| encode::subscribe(out, "p/0", &nothing));
    let noise = messages::publisher(broker, 0, &[1, 1, 1]);
    let mut subscriber = subscriber.with_writer();
    subscriber.wire.open();
    let publishing = publisher(broker, topic, subscriber.wire.clone(), Arc::clone(&commands), options);
    // Odd ones subscribe.
    for id in 1..=5 {
        commands.store(id, SeqCst);
        let id = u64::from(id);
        let wanted = SubscribeOptions { id: Some(id), ..nothing };
        subscriber.send(|out| match id % 2 {
            1 => encode::subscribe(out, pattern, &wanted),
            _ => encode::unsubscribe(out, pattern, Some(id)),
        });
        subscriber.await_frames(1, |event| answers(event, id));
    }
    let seen = publishing.join().unwrap();
    let is_owed = |(answers, commands): &(u8, u8)| answers == commands && answers % 2 == 1;
    let owed: Vec<u8> =
        (0..).zip(&seen).filter(|(_, seen)| is_owed(seen)).map(|(number, _)| number).collect();
    let is_it = |event: &Event<'_>, number: u8| matches!(event, Event::Message(message) if message.topic == topic && message.value == [number]);
    for number in owed {
        // Others may still be writing it.
        subscriber.await_frames(1, |event| is_it(event, number));
    }
    noise.join().unwrap();
    let wire = subscriber.wire.clone();
    subscriber.close();
    check_received(&wire.received(), topic);
}

fn check_received(received: &[u8], topic: &str) {
    let (mut subscribed, mut last) = (false, None);
    each_frame(received, |event| match event {
        Event::Ok { id, .. } => subscribed = id % 2 == 1,
        Event::Message(message) if message.topic == topic => {
            let number = message.value[0];
            assert!(subscribed, "{number} came behind the answer to an unsubscribe");
            assert!(last < Some(number), "{number} came behind {last:?}");
            last = Some(number);
        }
        _ => {}
    });
}
