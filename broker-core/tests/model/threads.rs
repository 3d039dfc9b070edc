//! The same promises with real threads: publishers that write to the sockets of others, writers that take over where those stop, and
//! subscribers that come in the middle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Policy};
use fastrand::Rng;

use crate::client::Client;
use crate::numbered::Numbered;

const PUBLISHERS: u32 = 3;
const SUBSCRIBERS: u64 = 3;
const MESSAGES: u64 = 20_000;
/// Of a run that takes a second.
const DEADLINE: Duration = Duration::from_mins(1);

fn publish(client: &mut Client, topic: &str, message: Numbered) {
    client.send(|out| encode::publish(out, topic, &message.value(), &PublishOptions::default()));
}

/// Publishes its messages in batches of any size, to three topics in turn.
fn publisher(broker: &Arc<Broker>, publisher: u32) {
    let mut rng = Rng::with_seed(u64::from(publisher));
    let mut client = Client::connect(broker);
    for number in 0..MESSAGES {
        let message = Numbered { publisher, number, padding: rng.u16(..200) };
        publish(&mut client, ["t/0", "t/1", "t/2"][rng.usize(..3)], message);
        if rng.u8(..20) == 0 {
            client.handle(usize::MAX);
        }
    }
    let begun = Instant::now();
    client.handle(usize::MAX);
    // It is held back where a subscriber blocks, and its time never comes: it has to be told.
    while client.unhandled() > 0 || client.is_held() {
        thread::yield_now();
        client.handle(usize::MAX);
        assert!(begun.elapsed() < DEADLINE, "publisher {publisher} was not told that it may go on");
    }
}

/// Writes until nobody publishes any more, on a socket that blocks as it likes.
fn slow_subscriber(mut client: Client, seed: u64, over: &AtomicBool) -> Client {
    let mut rng = Rng::with_seed(seed);
    while !over.load(SeqCst) {
        client.socket.wait_woken(Duration::from_millis(1));
        client
            .socket
            .take([0, 700, 30_000, usize::MAX][rng.usize(..4)], [13, 5000, usize::MAX][rng.usize(..3)]);
        client.write(20_000);
    }
    client.settle();
    client
}

#[test]
fn publishers_and_writers_on_threads_of_their_own() {
    publish_on_threads(Policy::Skip);
}

/// Nobody loses anything, and nobody is forgotten in line.
#[test]
fn publishers_that_are_held_back_on_threads_of_their_own() {
    for mut subscriber in publish_on_threads(Policy::Block) {
        assert_eq!(subscriber.stats().lagged, 0, "{:?}", subscriber.stats());
        assert!(subscriber.receive().is_empty());
    }
}

/// What each gets of a topic is in order, and what it did not get is told.
#[test]
fn conflating_subscribers_on_threads_of_their_own() {
    publish_on_threads(Policy::Conflate);
}

fn publish_on_threads(policy: Policy) -> Vec<Client> {
    let broker = Arc::new(Broker::new(Limits { outbox_bytes_max: 64 << 10, ..Limits::default() }));
    let over = AtomicBool::new(false);
    let mut subscribers: Vec<Client> = thread::scope(|scope| {
        let writers: Vec<_> = (0..SUBSCRIBERS)
            .map(|seed| {
                let mut client = Client::introduced(&broker);
                let policy = Some(policy);
                let options = SubscribeOptions { retained: false, policy, ..SubscribeOptions::default() };
                client.send(|out| encode::subscribe(out, "t/*", &options));
                assert_eq!(client.handle(usize::MAX), 1);
                let over = &over;
                scope.spawn(move || slow_subscriber(client, seed, over))
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| {
                let broker = &broker;
                scope.spawn(move || publisher(broker, number))
            })
            .collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        over.store(true, SeqCst);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    // One more message, before which every gap is told.
    let mut last = Client::connect(&broker);
    publish(&mut last, "t/0", Numbered { publisher: 99, number: 0, padding: 0 });
    last.handle(usize::MAX);
    for client in &mut subscribers {
        client.settle();
        check_subscriber(client, policy);
    }
    subscribers
}

fn check_subscriber(client: &mut Client, policy: Policy) {
    let (mut received, mut told) = (0, 0);
    // Under `conflate` the order of a topic holds, elsewhere that of a publisher.
    let mut next: BTreeMap<(u32, String), u64> = BTreeMap::new();
    for frame in client.receive() {
        match Event::parse(&frame).unwrap() {
            Event::Message(message) => {
                let Numbered { publisher, number, .. } = Numbered::parse(message.value);
                let topic = if policy == Policy::Conflate { message.topic } else { "" };
                let least = next.insert((publisher, topic.to_owned()), number + 1).unwrap_or(0);
                assert!(number >= least, "publisher {publisher}: {number} behind {least}");
                received += 1;
            }
            Event::Lagged { missed, .. } => told += missed,
            other => panic!("not expected: {other:?}"),
        }
    }
    let stats = client.stats();
    assert_eq!(received + told, u64::from(PUBLISHERS) * MESSAGES + 1, "{stats:?}");
    assert_eq!((stats.messages_out, stats.lagged, stats.lost), (received, told, 0));
    assert_eq!((stats.waiting_bytes, client.torn_bytes()), (0, 0));
}

/// One topic, one publisher, and one subscriber that comes at some message in the middle. Returns the numbers that it received.
fn come_at(at: u64, messages: u64, pattern: &str) -> Vec<u64> {
    let broker = Arc::new(Broker::new(Limits::default()));
    let (there, coming) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut subscriber = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(&broker);
            for number in 0..messages {
                if number == at {
                    there.store(true, SeqCst);
                    while !coming.load(SeqCst) {
                        thread::yield_now();
                    }
                }
                publish(&mut client, "s", Numbered { publisher: 0, number, padding: 0 });
                client.handle(usize::MAX);
            }
        });
        let mut client = Client::connect(&broker);
        client.send(|out| encode::subscribe(out, pattern, &SubscribeOptions::default()));
        while !there.load(SeqCst) {
            thread::yield_now();
        }
        coming.store(true, SeqCst);
        while client.handle(usize::MAX) == 0 {
            client.write(usize::MAX);
        }
        client
    });
    subscriber.settle();
    let number = |frame: &Vec<u8>| match Event::parse(frame) {
        Ok(Event::Message(message)) => Numbered::parse(message.value).number,
        other => panic!("not expected: {other:?}"),
    };
    subscriber.receive().iter().map(number).collect()
}

#[test]
fn subscribers_that_come_while_a_topic_is_published_to() {
    const ROUNDS: u64 = 400;
    const LAST: u64 = 199;
    let mut in_the_middle = 0;
    for round in 0..ROUNDS {
        let pattern = if round % 2 == 0 { "s" } else { "*" };
        let numbers = come_at(round % 150, LAST + 1, pattern);
        assert_eq!(numbers.last(), Some(&LAST), "round {round}: it ends with the newest");
        let contiguous = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert!(contiguous, "round {round}: none left out, none twice: {numbers:?}");
        in_the_middle += u64::from(numbers.len() > 1);
    }
    println!("{in_the_middle} of {ROUNDS} came in the middle");
    assert!(in_the_middle > ROUNDS / 20, "nearly all came too late to prove anything: {in_the_middle}");
}
