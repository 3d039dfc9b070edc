//! Promise 1, order: what one session publishes to one topic arrives at every subscriber in that order. The protocol promises it
//! for all topics of a session together.

use std::collections::BTreeMap;

use broker_server::{Limits, Server};
use tokio::task::JoinHandle;

use crate::support::*;

const PUBLISHERS: u64 = 3;
const MESSAGES: u64 = 4_000;
const TOPICS: u64 = 5;

/// Enough that nobody is skipped: what is checked here is the order of everything.
fn roomy() -> Limits {
    Limits { outbox_bytes_max: 1 << 30, ..Limits::default() }
}

/// A value that tells its publisher and its number; one in 60 is large.
fn value(publisher: u64, number: u64) -> Vec<u8> {
    padded(publisher * MESSAGES + number, if number % 60 == 17 { 100 << 10 } else { 8 })
}

/// Publishes all its messages, some in each write, over topics of its own and one that it shares with the others.
async fn publish_all(server_address: std::net::SocketAddr, publisher: u64) {
    let mut client = Client::raw(server_address, 0).await;
    let mut rng = Rng(publisher + 1);
    let mut number = 0;
    while number < MESSAGES {
        let mut frames = Vec::new();
        for _ in 0..=rng.below(40).min(MESSAGES - 1 - number) {
            let topic = match rng.below(TOPICS) {
                0 => "order/shared".to_owned(),
                topic => format!("order/{publisher}/{topic}"),
            };
            frames.extend(publish(&topic, &value(publisher, number)));
            number += 1;
        }
        client.send(&frames).await;
        tokio::task::yield_now().await;
    }
    client.fence().await;
}

/// Subscribes and unsubscribes what matches the same topics, until told to stop. Returns how often.
async fn churn(server_address: std::net::SocketAddr, stop: tokio::sync::watch::Receiver<bool>) -> u32 {
    let mut client = Client::raw(server_address, 0).await;
    let patterns = ["order/*", "order/shared", "order/1/?", "*/2/*", "order/0/1"];
    let mut rounds = 0;
    while !*stop.borrow() {
        for pattern in patterns {
            client.send(&[subscribe(pattern), unsubscribe(pattern)].concat()).await;
        }
        client.fence().await;
        rounds += 1;
    }
    rounds
}

/// Takes all messages that its patterns select and checks that those of each publisher come in their order.
async fn follow(mut client: Client, expected: u64) -> u64 {
    let mut last = BTreeMap::new();
    let mut received = 0;
    while received < expected {
        let message = client.message().await;
        let (publisher, number) = (message.number() / MESSAGES, message.number() % MESSAGES);
        let before = last.insert(publisher, number);
        assert!(
            before < Some(number),
            "publisher {publisher}: {number} after {before:?} on {}",
            message.topic
        );
        assert!(message.value == value(publisher, number), "the value is whole");
        received += 1;
    }
    assert_eq!(client.fence().await, [], "and nothing twice");
    received
}

async fn subscriber(server: &Server, patterns: &[&str]) -> Client {
    let mut client = Client::plain(server).await;
    for pattern in patterns {
        client.send(&subscribe(pattern)).await;
    }
    client.fence().await;
    client
}

/// How many messages `publish_all` sends to the topics that `selects` picks.
fn selected(selects: impl Fn(u64, u64) -> bool) -> u64 {
    (0..PUBLISHERS)
        .map(|publisher| {
            let mut rng = Rng(publisher + 1);
            let (mut number, mut count) = (0, 0);
            while number < MESSAGES {
                for _ in 0..=rng.below(40).min(MESSAGES - 1 - number) {
                    count += u64::from(selects(publisher, rng.below(TOPICS)));
                    number += 1;
                }
            }
            count
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_1_order() {
    let server = limited(roomy()).await;
    let all = PUBLISHERS * MESSAGES;
    let followers: Vec<JoinHandle<u64>> = vec![
        tokio::spawn(follow(subscriber(&server, &["order/*"]).await, all)),
        tokio::spawn(follow(subscriber(&server, &["order/*/*", "order/shared", "*/1/*"]).await, all)),
        tokio::spawn(follow(subscriber(&server, &["order/shared"]).await, selected(|_, topic| topic == 0))),
        tokio::spawn(follow(
            subscriber(&server, &["order/1/*"]).await,
            selected(|p, topic| p == 1 && topic > 0),
        )),
        tokio::spawn(follow(
            subscriber(&server, &["order/0/1", "order/2/3", "order/[01]/4"]).await,
            selected(|p, topic| matches!((p, topic), (0, 1 | 4) | (2, 3) | (1, 4))),
        )),
    ];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let churning: Vec<_> = (0..2).map(|_| tokio::spawn(churn(address(&server), stopped.clone()))).collect();
    let publishing: Vec<_> =
        (0..PUBLISHERS).map(|publisher| tokio::spawn(publish_all(address(&server), publisher))).collect();
    for task in publishing {
        task.await.unwrap();
    }
    let mut received = 0;
    for follower in followers {
        received += follower.await.unwrap();
    }
    assert!(received > 2 * all, "the check has seen {received} messages");
    stop.send(true).unwrap();
    for task in churning {
        assert!(task.await.unwrap() > 0);
    }
    assert_eq!(server.broker().totals().lagged, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_1_order_of_a_session_that_hears_itself() {
    let server = limited(roomy()).await;
    let mut client = subscriber(&server, &["order/*"]).await;
    let mut sender = Client::plain(&server).await;
    for round in 0..50 {
        let own: Vec<u8> =
            (0..40).flat_map(|n| publish(&format!("order/own/{}", n % 3), &uint(round * 40 + n))).collect();
        let other: Vec<u8> =
            (0..40).flat_map(|n| publish(&format!("order/other/{}", n % 3), &uint(round * 40 + n))).collect();
        client.send(&own).await;
        sender.send(&other).await;
        let mut next = [round * 40; 2];
        for _ in 0..80 {
            let message = client.message().await;
            let of = &mut next[usize::from(message.topic.starts_with("order/other"))];
            assert_eq!(message.number(), *of);
            *of += 1;
        }
    }
}
