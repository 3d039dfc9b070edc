//! What the bound of an outbox must not do: keep the newest message from a subscriber that could have it, or be passed by events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker_core::outbox::ROOM_BYTES;
use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits};

use crate::client::Client;
use crate::numbered::Numbered;

const OUTBOX_BYTES_MAX: usize = 256 << 10;
const MESSAGES: u64 = 100_000;
/// Of a run that takes a second.
const DEADLINE: Duration = Duration::from_secs(30);

fn broker(outbox_bytes_max: usize) -> Arc<Broker> {
    Arc::new(Broker::new(Limits { outbox_bytes_max, ..Limits::default() }))
}

fn subscribe(client: &mut Client, pattern: &str) {
    client.send(|out| encode::subscribe(out, pattern, &SubscribeOptions::default()));
}

fn publish(client: &mut Client, topic: &str, number: u64, padding: u16) {
    let value = Numbered { publisher: 0, number, padding }.value();
    client.send(|out| encode::publish(out, topic, &value, &PublishOptions::default()));
}

/// The numbers of the messages that came.
fn numbers(client: &mut Client) -> Vec<u64> {
    client.settle();
    let frames = client.receive();
    let number = |frame: &Vec<u8>| match Event::parse(frame) {
        Ok(Event::Message(message)) => Some(Numbered::parse(message.value).number),
        _ => None,
    };
    frames.iter().filter_map(number).collect()
}

/// `skip` drops what waits and goes on with the newest. A publisher's batch goes to an outbox in one piece, which may be larger than the
/// bound: then too the newest message, which fits, has to arrive.
#[test]
fn a_batch_larger_than_the_bound_still_brings_the_newest_message() {
    let broker = broker(4096);
    let (mut subscriber, mut publisher) = (Client::introduced(&broker), Client::connect(&broker));
    subscribe(&mut subscriber, "t");
    subscriber.handle(usize::MAX);
    for number in 0..20 {
        publish(&mut publisher, "t", number, 500);
    }
    publisher.handle(usize::MAX);
    assert_eq!(numbers(&mut subscriber).last(), Some(&19), "{:?}", subscriber.stats());
}

/// Retained messages come at the pace of the subscriber: one that reads everything misses none, however small its outbox.
#[test]
fn a_join_larger_than_the_bound_misses_nothing_if_the_subscriber_reads() {
    let broker = broker(4096);
    let (mut subscriber, mut publisher) = (Client::introduced(&broker), Client::connect(&broker));
    for number in 0..20 {
        publish(&mut publisher, &format!("t/{number}"), number, 500);
    }
    publisher.handle(usize::MAX);
    subscribe(&mut subscriber, "t/*");
    subscriber.handle(usize::MAX);
    let mut came = numbers(&mut subscriber);
    came.sort_unstable();
    assert_eq!(came, (0..20).collect::<Vec<_>>(), "{:?}", subscriber.stats());
}

/// A session with very many subscriptions, and publishers to each of them in turn. Returns the bytes that waited at the most and the time that
/// the publishers took.
fn publish_to_each(
    subscriptions: u64,
    reads: bool,
    pattern: impl Fn(u64) -> String,
    topic: impl Fn(u64) -> String,
) -> (usize, Duration) {
    let broker = broker(OUTBOX_BYTES_MAX);
    let (mut subscriber, mut publisher) = (Client::introduced(&broker), Client::connect(&broker));
    for number in 0..subscriptions {
        subscribe(&mut subscriber, &pattern(number));
    }
    subscriber.handle(usize::MAX);
    subscriber.socket.take(if reads { usize::MAX } else { 0 }, usize::MAX);
    let begun = Instant::now();
    let (mut most, mut number) = (0, 0);
    while number < MESSAGES {
        publish(&mut publisher, &topic(number % subscriptions), number, 0);
        number += 1;
        if number % 1000 == 0 {
            publisher.handle(usize::MAX);
            subscriber.write(usize::MAX);
            most = most.max(subscriber.stats().waiting_bytes);
            assert!(
                begun.elapsed() < DEADLINE,
                "{number} messages in {DEADLINE:?}, {most} bytes waited at the most"
            );
        }
    }
    assert_eq!(subscriber.stats().lagged == 0, reads, "{:?}", subscriber.stats());
    println!("reads: {reads}, {most} bytes waited at the most, {:?}", begun.elapsed());
    (most, begun.elapsed())
}

/// What each of many subscriptions missed is counted, in time that does not depend on how many there are: a session that reads nothing
/// must not hold up its publishers. The factor tells a look at every subscription from a look at one, not fast from slow.
#[test]
fn lag_of_many_subscriptions_is_cheap() {
    let name = |number: u64| format!("{}/{number}", "x".repeat(50));
    let (_, read) = publish_to_each(30_000, true, name, name);
    let (_, blocked) = publish_to_each(30_000, false, name, name);
    assert!(blocked < 8 * read + Duration::from_secs(1), "{blocked:?}, and {read:?} where it reads");
}

/// What is told of what was missed is within the bound too, though a pattern may be far longer than the topics that it matches.
#[test]
fn lag_of_long_patterns_is_bounded() {
    let pattern = |number: u64| format!("{{{number},{}}}", "x".repeat(1000));
    let (most, _) = publish_to_each(3000, false, pattern, |number| number.to_string());
    assert!(most <= OUTBOX_BYTES_MAX + ROOM_BYTES, "{most} bytes waited, the bound is {OUTBOX_BYTES_MAX}");
}
