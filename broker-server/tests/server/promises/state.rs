//! Promise 3, state: a subscriber gets a topic's retained message and then only newer ones. Under every interleaving of a publish and a
//! subscribe it ends with the newest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use broker_server::Server;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::*;

const PUBLISHERS: u64 = 3;

/// Publishes 1 to `last` to the publisher's own topic of this round, a few in each write.
async fn publish_numbers(client: &mut Client, topic: &str, last: u64, rng: &mut Rng) {
    let mut number = 1;
    while number <= last {
        let end = last.min(number + rng.below(4));
        let frames: Vec<u8> = (number..=end).flat_map(|number| publish(topic, &uint(number))).collect();
        client.send(&frames).await;
        number = end + 1;
        if rng.below(2) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// What a subscriber of one join has seen of each topic.
#[derive(Default)]
struct Seen(BTreeMap<String, u64>);

impl Seen {
    /// The first may be any; from then on each number once, and none left out.
    fn take(&mut self, message: &Message) {
        let number = message.number();
        if let Some(before) = self.0.insert(message.topic.clone(), number) {
            assert_eq!(number, before + 1, "{}: after {before} came {number}", message.topic);
        }
    }
}

/// One lane of rounds: in each, publishers start, a subscriber joins in the middle, and all must end with the newest.
async fn lane(address: SocketAddr, lane: u64, rounds: u64, hello: bool) -> u64 {
    let mut rng = Rng(lane * 1_000 + 17);
    let mut publishers = Vec::new();
    for _ in 0..PUBLISHERS {
        publishers.push(Client::raw(address, 0).await);
    }
    let mut subscriber = Client::raw(address, 0).await;
    if hello {
        subscriber = subscriber.introduced("joiner").await;
    }
    let mut joined_late = 0;
    for round in 0..rounds {
        let wildcard = round % 2 == 0;
        let last = 1 + rng.below(12);
        let topic = |publisher: u64| format!("state/{lane}/{round}/{publisher}");
        let pattern = format!("state/{lane}/{round}/*");
        let mut publishing = JoinSet::new();
        for (index, mut publisher) in (0..).zip(std::mem::take(&mut publishers)) {
            let (topic, mut rng) = (topic(index), Rng(rng.0 ^ (index + 1)));
            publishing.spawn(async move {
                publish_numbers(&mut publisher, &topic, last, &mut rng).await;
                publisher
            });
        }
        for _ in 0..rng.below(6) {
            tokio::task::yield_now().await;
        }
        if wildcard {
            subscriber.send(&subscribe(&pattern)).await;
        } else {
            let frames: Vec<u8> = (0..PUBLISHERS).flat_map(|index| subscribe(&topic(index))).collect();
            subscriber.send(&frames).await;
        }
        let mut seen = Seen::default();
        let mut first = true;
        while seen.0.len() < 3 || seen.0.values().any(|number| *number < last) {
            let message = subscriber.message().await;
            joined_late += u64::from(first && message.number() > 1);
            first = false;
            seen.take(&message);
        }
        while let Some(publisher) = publishing.join_next().await {
            publishers.push(publisher.unwrap());
        }
        // All is handled: nothing more may come.
        for publisher in &mut publishers {
            publisher.fence().await;
        }
        assert_eq!(subscriber.fence().await, [], "round {round}: nothing after the newest");
        let ends: Vec<Vec<u8>> = (0..PUBLISHERS).map(|index| unsubscribe(&topic(index))).collect();
        subscriber.send(&[unsubscribe(&pattern), ends.concat()].concat()).await;
    }
    joined_late
}

async fn lanes(server: &Server, rounds: u64) {
    let mut lanes = JoinSet::new();
    for number in 0..3 {
        lanes.spawn(lane(address(server), number, rounds, number == 1));
    }
    let mut in_the_middle = 0;
    while let Some(lane) = lanes.join_next().await {
        in_the_middle += lane.unwrap();
    }
    assert!(in_the_middle > rounds / 10, "only in {in_the_middle} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_3_state() {
    let server = server().await;
    lanes(&server, 400).await;
}

/// Publishes 1, 2, 3, …, as many as it is allowed to until no more will be, and returns the last. A subscriber allows some with each
/// subscribe, so that they race, and so that it is never swamped.
async fn run_on(address: SocketAddr, topic: String, allowed: Arc<Semaphore>) -> u64 {
    let mut client = Client::raw(address, 0).await;
    let mut number = 0;
    while let Ok(permits) = allowed.acquire_many(5).await {
        permits.forget();
        let frames: Vec<u8> = (1..=5).flat_map(|n| publish(&topic, &uint(number + n))).collect();
        client.send(&frames).await;
        client.fence().await;
        number += 5;
    }
    number
}

/// Each further subscription of a session sends the retained message again: nothing older than what was seen, and at most one repetition
/// for each join.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_3_state_of_a_second_subscription() {
    let server = server().await;
    let allowed = Arc::new(Semaphore::new(10));
    let mut publishing = Vec::new();
    for topic in ["again/1", "again/2"] {
        publishing.push(tokio::spawn(run_on(address(&server), topic.to_owned(), Arc::clone(&allowed))));
    }
    let patterns = ["again/1", "again/*", "*/2", "again/[12]", "a*1", "again/2"];
    let (mut repeated, mut joins) = (0, 0);
    for _ in 0..150 {
        let mut client = Client::plain(&server).await;
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        let mut repeated_now = 0;
        for pattern in patterns {
            allowed.add_permits(20);
            client.send(&subscribe(pattern)).await;
            for message in client.fence().await {
                let number = message.number();
                if let Some(before) = seen.insert(message.topic.clone(), number) {
                    let next = number == before + 1;
                    repeated_now += u32::from(number == before);
                    assert!(next || number == before, "{}: after {before} came {number}", message.topic);
                }
            }
        }
        // Eight joins of a topic, the first of which cannot repeat.
        assert!(repeated_now <= 6, "{repeated_now} repetitions");
        repeated += repeated_now;
        joins += 1;
        client.leave().await;
    }
    allowed.close();
    let mut client = Client::plain(&server).await;
    for (publisher, topic) in publishing.into_iter().zip(["again/1", "again/2"]) {
        let last = publisher.await.unwrap();
        client.send(&subscribe(topic)).await;
        assert_eq!(client.message().await.number(), last, "the newest is retained");
    }
    assert!(repeated > 0 && joins == 150, "the retained message does come again");
}

/// Joins while one publisher runs on: each join sees a run of numbers without a gap, from the retained one on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_3_state_of_joins_under_a_running_publisher() {
    let server = server().await;
    let allowed = Arc::new(Semaphore::new(10));
    let publishing = tokio::spawn(run_on(address(&server), "on/and/on".to_owned(), Arc::clone(&allowed)));
    let mut joining = JoinSet::new();
    for number in 0..3_u64 {
        let (address, allowed) = (address(&server), Arc::clone(&allowed));
        joining.spawn(async move {
            let mut client = Client::raw(address, 0).await;
            if number == 0 {
                client = client.introduced("joiner").await;
            }
            let mut newest = 0;
            for round in 0..400 {
                let pattern = ["on/and/on", "on/*", "*on"][round % 3];
                allowed.add_permits(10);
                client.send(&subscribe(pattern)).await;
                let mut seen = Seen::default();
                for message in client.fence().await {
                    assert!(message.number() >= newest, "{} after {newest}", message.number());
                    seen.take(&message);
                }
                client.send(&unsubscribe(pattern)).await;
                client.fence().await.iter().for_each(|message| seen.take(message));
                newest = seen.0.get("on/and/on").copied().unwrap_or(newest);
            }
            newest
        });
    }
    while let Some(newest) = joining.join_next().await {
        assert!(newest.unwrap() > 100);
    }
    allowed.close();
    publishing.await.unwrap();
}
