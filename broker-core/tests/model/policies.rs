//! What each policy is for, in numbers: one subscriber, and what exactly it gets.

use std::sync::Arc;

use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now, Policy};

use crate::client::Client;
use crate::numbered::Numbered;

pub fn broker(outbox_bytes_max: usize) -> Arc<Broker> {
    Arc::new(Broker::new(Limits { outbox_bytes_max, block_ms: 1_000, ..Limits::default() }))
}

pub fn subscriber(broker: &Arc<Broker>, pattern: &str, options: &SubscribeOptions) -> Client {
    let mut client = Client::introduced(broker);
    client.send(|out| encode::subscribe(out, pattern, options));
    assert_eq!(client.handle(usize::MAX), 1);
    client
}

pub fn under(policy: Policy) -> SubscribeOptions {
    SubscribeOptions { policy: Some(policy), ..SubscribeOptions::default() }
}

pub fn publish(client: &mut Client, topic: &str, number: u64, padding: u16) {
    publish_with(client, topic, number, padding, &PublishOptions::default());
}

pub fn publish_with(
    client: &mut Client,
    topic: &str,
    number: u64,
    padding: u16,
    options: &PublishOptions<'_>,
) {
    let value = Numbered { publisher: 0, number, padding }.value();
    client.send(|out| encode::publish(out, topic, &value, options));
}

pub fn at(monotonic_ms: u64) -> Now {
    Now { unix_ms: monotonic_ms, monotonic_ms }
}

/// Topics and numbers of the messages that came, and what was told to be missed before the first of them and in all.
pub fn received(client: &mut Client) -> (Vec<(String, u64)>, u64, u64) {
    let (mut messages, mut told_first, mut told) = (Vec::new(), 0, 0);
    for frame in client.receive() {
        match Event::parse(&frame).unwrap() {
            Event::Message(message) => {
                messages.push((message.topic.to_owned(), Numbered::parse(message.value).number));
            }
            Event::Lagged { missed, .. } => {
                told += missed;
                told_first += if messages.is_empty() { missed } else { 0 };
            }
            other => panic!("not expected: {other:?}"),
        }
    }
    (messages, told_first, told)
}

#[test]
fn conflate_keeps_the_newest_of_each_topic_in_the_order_of_the_first() {
    const TOPICS: u64 = 10_000;
    const ROUNDS: u64 = 100;
    let broker = broker(8 << 20);
    let mut client = subscriber(&broker, "t/*", &under(Policy::Conflate));
    let mut publisher = Client::introduced(&broker);
    client.socket.take(0, usize::MAX);
    for round in 0..ROUNDS {
        // Each round in another order: it is the first that counts.
        let step = [1, 3, 7, 9, 11, 13][usize::try_from(round % 6).unwrap()];
        for topic in (0..TOPICS).map(|topic| topic * step % TOPICS) {
            publish(&mut publisher, &format!("t/{topic}"), round * TOPICS + topic, 16);
        }
        publisher.handle(usize::MAX);
        assert!(client.stats().waiting_bytes <= 8 << 20);
    }
    client.settle();
    let (messages, told_first, told) = received(&mut client);
    let expected: Vec<(String, u64)> =
        (0..TOPICS).map(|topic| (format!("t/{topic}"), (ROUNDS - 1) * TOPICS + topic)).collect();
    assert!(messages == expected, "{} messages, the first {:?}", messages.len(), messages.first());
    assert_eq!((told_first, told), (TOPICS * (ROUNDS - 1), TOPICS * (ROUNDS - 1)));
    let stats = client.stats();
    assert_eq!((stats.messages_out, stats.lagged, stats.waiting_bytes), (TOPICS, told, 0));
}

/// A subscriber that conflates and reads all the while gets every message.
#[test]
fn conflate_leaves_alone_who_keeps_up() {
    let broker = broker(64 << 10);
    let mut client = subscriber(&broker, "t", &under(Policy::Conflate));
    let mut publisher = Client::introduced(&broker);
    for number in 0..10_000 {
        publish(&mut publisher, "t", number, 100);
        if number % 50 == 49 {
            publisher.handle(usize::MAX);
        }
    }
    client.settle();
    let (messages, _, told) = received(&mut client);
    assert_eq!((messages.len(), told), (10_000, 0));
}

/// What takes the place of older messages only later, to do much at once, is counted for whoever looks, and has taken it when it is written.
#[test]
fn conflate_counts_what_was_missed_and_sends_the_newest_whoever_looks() {
    let broker = broker(8 << 20);
    let mut client = subscriber(&broker, "t/*", &under(Policy::Conflate));
    let mut publisher = Client::introduced(&broker);
    client.socket.take(0, usize::MAX);
    for number in 0..1_000 {
        publish(&mut publisher, &format!("t/{}", number % 10), number, 10);
        publisher.handle(usize::MAX);
        assert_eq!(client.stats().lagged, number.saturating_sub(9));
        assert_eq!(client.outbox.slow().is_some(), number > 9);
    }
    // Nobody looks, and in the end each topic's newest is there.
    let mut publish_unseen = |from: u64| {
        for number in from..from + 1_000 {
            publish(&mut publisher, &format!("t/{}", number % 10), number, 10);
            publisher.handle(usize::MAX);
        }
    };
    publish_unseen(1_000);
    let slow = client.outbox.take_slow_news();
    assert_eq!((slow.len(), slow[0].missed), (1, 1_990));
    let waiting_bytes = client.stats().waiting_bytes;
    assert!(waiting_bytes < 2_000, "{waiting_bytes} bytes of ten topics wait");
    publish_unseen(2_000);
    client.settle();
    let (messages, _, told) = received(&mut client);
    let newest: Vec<_> = (2_990..3_000).map(|number| (format!("t/{}", number % 10), number)).collect();
    assert_eq!((messages, told), (newest, 2_990));
}

/// With more topics than the outbox holds, those that were touched first go.
#[test]
fn conflate_is_bounded() {
    const BYTES_MAX: usize = 64 << 10;
    let broker = broker(BYTES_MAX);
    let mut client = subscriber(&broker, "t/*", &under(Policy::Conflate));
    let mut publisher = Client::introduced(&broker);
    client.socket.take(0, usize::MAX);
    for number in 0..10_000 {
        publish(&mut publisher, &format!("t/{number}"), number, 100);
        publisher.handle(usize::MAX);
        assert!(client.stats().waiting_bytes <= BYTES_MAX, "{:?}", client.stats());
    }
    client.settle();
    let (messages, told_first, _) = received(&mut client);
    let first = 10_000 - messages.len() as u64;
    assert_eq!(told_first, first);
    assert!(messages.iter().map(|(_, number)| *number).eq(first..10_000));
    assert!(messages.len() > 100, "{}", messages.len());
}

#[test]
fn drop_oldest_keeps_the_end_and_drop_newest_the_beginning() {
    const BYTES_MAX: usize = 64 << 10;
    for policy in [Policy::DropOldest, Policy::DropNewest] {
        let broker = broker(BYTES_MAX);
        let mut client = subscriber(&broker, "t", &under(policy));
        let mut publisher = Client::introduced(&broker);
        client.socket.take(0, usize::MAX);
        for number in 0..10_000 {
            publish(&mut publisher, "t", number, 500);
            publisher.handle(usize::MAX);
            assert!(client.stats().waiting_bytes <= BYTES_MAX, "{:?}", client.stats());
        }
        assert!(client.stats().waiting_bytes >= BYTES_MAX * 7 / 10, "no more is dropped than must be");
        client.settle();
        publish(&mut publisher, "t", 10_000, 0);
        publisher.handle(usize::MAX);
        client.settle();
        let (messages, told_first, told) = received(&mut client);
        assert_eq!(messages.len() as u64 + told, 10_001);
        // What is being written is not dropped.
        let in_flight = told_first == 0;
        let numbers: Vec<u64> = messages.into_iter().map(|(_, number)| number).collect();
        let steps = numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count();
        assert!(in_flight && steps == 1, "one gap: {policy} {told_first} of {told}");
        let ends = (numbers.first().copied(), numbers.last().copied());
        assert_eq!(ends, (Some(0), Some(10_000)));
        let before_last = numbers[numbers.len() - 2];
        assert_eq!(before_last == 9_999, policy == Policy::DropOldest, "{policy}: {before_last}");
    }
}

/// Cause: every skip left a `Lagged` in the outbox, which nothing drops. Effect: an outbox of a few hundred bytes that was not read for long was full of them,
/// and missed even the newest message. Fix: what is to be told of what a skip dropped goes with it, and is told as one.
#[test]
fn a_small_outbox_is_not_filled_by_what_it_tells() {
    let broker = broker(400);
    let mut client = subscriber(&broker, "t", &under(Policy::Skip));
    let mut publisher = Client::introduced(&broker);
    client.socket.take(0, usize::MAX);
    for number in 0..1_000 {
        publish(&mut publisher, "t", number, 100);
        publisher.handle(usize::MAX);
    }
    client.settle();
    let (messages, _, told) = received(&mut client);
    assert_eq!(messages.last().map(|(_, number)| *number), Some(999));
    assert_eq!(messages.len() as u64 + told, 1_000);
}

/// Cause: `disconnect` looked at the bound alone. Effect: a session whose outbox was empty was closed by one message larger than the bound. Fix: that waits
/// alone, as under the other policies.
#[test]
fn disconnect_takes_a_message_larger_than_the_bound() {
    let broker = broker(400);
    let mut client = subscriber(&broker, "t", &under(Policy::Disconnect));
    let mut publisher = Client::introduced(&broker);
    for number in 0..3 {
        publish(&mut publisher, "t", number, 1_000);
        publisher.handle(usize::MAX);
        client.settle();
    }
    assert_eq!(received(&mut client).0.len(), 3);
    assert!(client.outbox.ending().is_none());
}

/// The last value always comes, and no two closer than they may.
#[test]
fn a_rate_lets_the_newest_through_and_the_last_one_always() {
    let broker = broker(1 << 20);
    let options = SubscribeOptions { max_rate: Some(10.0), ..SubscribeOptions::default() };
    let mut client = subscriber(&broker, "t/*", &options);
    let mut publisher = Client::introduced(&broker);
    let mut seen: Vec<(u64, String, u64)> = Vec::new();
    let mut sent = 0;
    for now_ms in 0..3_000 {
        let due_ms = broker.release(at(now_ms));
        assert!(due_ms.is_none_or(|due_ms| due_ms > now_ms));
        publisher.now = at(now_ms);
        if now_ms < 1_955 {
            publish(&mut publisher, "t/1", now_ms, 0);
            sent += 1;
            if now_ms % 150 == 0 {
                publish(&mut publisher, "t/2", now_ms, 0);
                sent += 1;
            }
            publisher.handle(usize::MAX);
        }
        let (messages, ..) = received(&mut client);
        seen.extend(messages.into_iter().map(|(topic, number)| (now_ms, topic, number)));
    }
    let of = |topic: &str| seen.iter().filter(|(_, of, _)| of == topic).collect::<Vec<_>>();
    let fast = of("t/1");
    assert!(fast.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 100), "{fast:?}");
    assert!(fast.len() >= 20 && fast.iter().all(|(now_ms, _, number)| now_ms - number <= 100), "{fast:?}");
    assert_eq!(fast.last().map(|(.., number)| *number), Some(1_954), "the last value");
    assert_eq!(of("t/2").len(), 14, "slower than it may be");
    let stats = client.stats();
    assert_eq!(stats.messages_out + stats.thinned, sent, "{stats:?}");
    assert_eq!((stats.lagged, broker.release(at(10_000))), (0, None));
}

/// More messages in a millisecond than it has microseconds apart are let through as their share allows.
#[test]
fn a_rate_above_the_clock_s_resolution() {
    let broker = broker(1 << 20);
    let options = SubscribeOptions { max_rate: Some(5_000.0), ..SubscribeOptions::default() };
    let mut client = subscriber(&broker, "t", &options);
    let mut publisher = Client::introduced(&broker);
    for now_ms in 0..1_000 {
        publisher.now = at(now_ms);
        broker.release(at(now_ms));
        for number in 0..20 {
            publish(&mut publisher, "t", now_ms * 20 + number, 0);
        }
        publisher.handle(usize::MAX);
    }
    broker.release(at(1_001));
    let (messages, ..) = received(&mut client);
    assert!((4_990..=5_010).contains(&messages.len()), "{}", messages.len());
    assert_eq!(messages.last().map(|(_, number)| *number), Some(19_999));
}

/// Who ends a subscription gets what waited for its time, before the answer; and nothing behind it.
#[test]
fn an_ended_subscription_leaves_nothing_in_its_limiter() {
    let broker = broker(1 << 20);
    let options = SubscribeOptions { max_rate: Some(1.0), ..SubscribeOptions::default() };
    let mut client = subscriber(&broker, "t", &options);
    let mut publisher = Client::introduced(&broker);
    for number in 0..3 {
        publish(&mut publisher, "t", number, 0);
    }
    publisher.handle(usize::MAX);
    client.send(|out| encode::unsubscribe(out, "t", None));
    client.handle(usize::MAX);
    let (messages, ..) = received(&mut client);
    assert_eq!(messages.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 2]);
    broker.release(at(5_000));
    assert_eq!(received(&mut client).0, []);
    assert_eq!((client.stats().thinned, broker.release(at(10_000))), (1, None));
}

/// A message that waits for longer than it holds is missed, and its neighbours are not.
#[test]
fn a_message_past_its_time_is_not_sent() {
    let broker = broker(1 << 20);
    let mut client = subscriber(&broker, "t", &under(Policy::Skip));
    let mut publisher = Client::introduced(&broker);
    client.socket.take(0, usize::MAX);
    // So much is being written when the socket blocks.
    for number in 0..300 {
        publish(&mut publisher, "t", number, 1_000);
    }
    publisher.handle(usize::MAX);
    let short = PublishOptions { ttl_ms: Some(50), ..PublishOptions::default() };
    let long = PublishOptions { ttl_ms: Some(500), ..PublishOptions::default() };
    publish_with(&mut publisher, "t", 300, 0, &long);
    publish_with(&mut publisher, "t", 301, 0, &short);
    publish(&mut publisher, "t", 302, 0);
    publisher.handle(usize::MAX);
    broker.release(at(60));
    client.settle();
    let (messages, _, told) = received(&mut client);
    let numbers: Vec<u64> = messages.into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, (0..301).chain([302]).collect::<Vec<_>>());
    assert_eq!((told, client.stats().lagged), (1, 1));
}
