//! The store of retained messages: its bounds, who goes first, and joins that are larger than anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker_server::{Limits, Server};
use tokio::sync::Semaphore;

use crate::support::*;

/// A server whose own messages, which are retained too, are published once and never again: the figures stand still.
async fn still(limits: Limits) -> Server {
    let server = start(|builder| builder.limits(limits).metrics_interval(Duration::from_hours(2))).await;
    eventually("its own messages are there", || {
        server.broker().totals().commands == 0 && server.broker().topic_stats().topics > 10
    })
    .await;
    server
}

/// The numbers of the topics below `prefix` that are retained.
async fn kept(server: &Server, prefix: &str) -> Vec<u64> {
    let mut client = Client::plain(server).await;
    client.send(&subscribe(&format!("{prefix}/*"))).await;
    let topics = client.fence().await.into_iter();
    let mut numbers: Vec<u64> =
        topics.map(|message| message.topic.rsplit('/').next().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

async fn publish_topics(
    client: &mut Client,
    prefix: &str,
    numbers: impl IntoIterator<Item = u64>,
    filler: usize,
) {
    for number in numbers {
        client.outgoing.publish(&format!("{prefix}/{number}"), &padded(number, filler)).await;
    }
    client.flush().await;
}

#[tokio::test]
async fn the_count_is_bounded_and_the_least_recently_published_goes_first() {
    let server = still(Limits { retained_messages_max: 50, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    publish_topics(&mut client, "t", 0..200, 10).await;
    assert_eq!(kept(&server, "t").await, (150..200).collect::<Vec<_>>());
    // Publishing again makes a topic the newest; reading it does not.
    publish_topics(&mut client, "t", [150, 152], 10).await;
    assert_eq!(kept(&server, "t").await.len(), 50, "what is replaced takes no place");
    publish_topics(&mut client, "new", 0..10, 10).await;
    let expected: Vec<u64> = [150, 152].into_iter().chain(162..200).collect();
    assert_eq!(kept(&server, "t").await, expected);
    assert_eq!(kept(&server, "new").await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_bytes_are_bounded() {
    const BOUND: usize = 64 << 10;
    let server = still(Limits { retained_bytes_max: BOUND, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    publish_topics(&mut client, "t", 0..500, 1_000).await;
    let bytes = server.broker().topic_stats().retained_bytes;
    assert!(bytes <= BOUND, "{bytes} bytes are kept");
    let numbers = kept(&server, "t").await;
    // A message takes a little more than its value of 1,000 bytes.
    assert!(numbers.len() > 30 && numbers.len() <= 65, "{} are kept", numbers.len());
    assert_eq!(numbers, (500 - numbers.len() as u64..500).collect::<Vec<_>>(), "the newest ones");
    // A large one drives out many small ones, and one that is larger than the store is delivered and not kept.
    client.subscribe("large/*").await;
    publish_topics(&mut client, "large", [1], 40_000).await;
    assert_eq!(client.message().await.number(), 1);
    let left = kept(&server, "t").await;
    assert!(left.len() < 26 && left.last() == Some(&499), "{left:?}");
    assert_eq!(kept(&server, "large").await, [1]);
    publish_topics(&mut client, "large", [2], 2 * BOUND).await;
    assert_eq!(client.message().await.number(), 2);
    assert_eq!(kept(&server, "large").await.iter().filter(|number| **number == 2).count(), 0);
    assert!(server.broker().topic_stats().retained_bytes <= BOUND);
    publish_topics(&mut client, "t", 500..510, 1_000).await;
    assert_eq!(kept(&server, "t").await.iter().filter(|number| **number >= 500).count(), 10, "it works on");
}

#[tokio::test]
async fn a_value_that_cannot_be_kept_does_not_leave_an_older_one_behind() {
    let server = still(Limits { retained_bytes_max: 64 << 10, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    publish_topics(&mut client, "t", [1], 10).await;
    client.outgoing.publish("t/1", &padded(2, 100_000)).await;
    client.flush().await;
    let mut late = Client::plain(&server).await;
    late.send(&subscribe("t/1")).await;
    assert_eq!(late.fence().await, [], "a subscriber must not take the old state for the newest");
}

#[tokio::test]
async fn what_is_evicted_is_counted() {
    let limits = Limits { retained_messages_max: 100, ..Limits::default() };
    let server = start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(30))).await;
    let mut watcher = Client::plain(&server).await;
    watcher
        .send(&[subscribe("!system/metrics/retained-evicted"), subscribe("!system/metrics/topics")].concat())
        .await;
    watcher.until("!system/metrics/topics").await;
    watcher.until("!system/metrics/topics").await;
    let own = server.broker().topic_stats().topics as u64;
    let mut client = Client::hello(&server).await;
    publish_topics(&mut client, "t", 0..300, 10).await;
    let expected = 300 + own - 100;
    // The server's own topics come again every time, so what they drive out later is counted as well.
    loop {
        let message = watcher.message().await;
        if message.topic.ends_with("evicted") && message.number() >= expected {
            break;
        }
    }
    let evicted = server.broker().topic_stats().evicted;
    assert!(evicted <= expected + own, "{evicted} of at most {}", expected + own);
    let numbers = kept(&server, "t").await;
    assert!(numbers.len() <= 100 && numbers.len() as u64 >= 100 - own - 2, "{} are kept", numbers.len());
    assert_eq!(numbers, (300 - numbers.len() as u64..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn publishing_again_to_the_same_topics_keeps_the_figures() {
    let server = still(Limits::default()).await;
    let mut client = Client::hello(&server).await;
    publish_topics(&mut client, "t", 0..100, 1_000).await;
    let before = server.broker().topic_stats();
    for _ in 0..20 {
        publish_topics(&mut client, "t", 0..100, 5_000).await;
        publish_topics(&mut client, "t", 0..100, 10).await;
        publish_topics(&mut client, "t", 0..100, 1_000).await;
    }
    let after = server.broker().topic_stats();
    assert_eq!(
        (after.topics, after.retained_bytes, after.evicted),
        (before.topics, before.retained_bytes, 0)
    );
}

/// Publishes rising numbers to topics of its own, twenty for each permit, until there will be no more; returns the newest of each.
async fn update(
    address: SocketAddr,
    lane: u64,
    topics: u64,
    allowed: Arc<Semaphore>,
) -> BTreeMap<String, u64> {
    let mut client = Client::raw(address, 0).await;
    let mut newest = BTreeMap::new();
    let mut rng = Rng(lane + 99);
    let mut number = 1;
    while let Ok(permit) = allowed.acquire().await {
        permit.forget();
        let mut frames = Vec::new();
        for _ in 0..20 {
            let topic = format!("big/{}", 2 * rng.below(topics / 2) + lane);
            frames.extend(publish(&topic, &uint(number)));
            newest.insert(topic, number);
            number += 1;
        }
        client.send(&frames).await;
        client.fence().await;
    }
    newest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_join_of_20_000_topics_arrives_whole_while_others_publish() {
    const TOPICS: u64 = 20_000;
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let frames: Vec<u8> =
        (0..TOPICS).flat_map(|number| publish(&format!("big/{number}"), &uint(0))).collect();
    client.send(&frames).await;
    client.flush().await;
    let allowed = Arc::new(Semaphore::new(2));
    let updating: Vec<_> = (0..2)
        .map(|lane| tokio::spawn(update(address(&server), lane, TOPICS, Arc::clone(&allowed))))
        .collect();
    let (mut joined, mut handled) = (Vec::new(), 0);
    for pattern in ["big/*", "*", "big/?*"] {
        let mut client = Client::hello(&server).await;
        client.subscribe(pattern).await;
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        while (seen.len() as u64) < TOPICS {
            let message = client.message().await;
            handled += 1;
            allowed.add_permits(usize::from(handled % 100 == 0));
            if message.topic.starts_with(FENCE) {
                continue;
            }
            let (number, topic) = (message.number(), message.topic);
            if let Some(before) = seen.insert(topic.clone(), number) {
                assert!(before < number, "{topic}: {number} after {before}");
            }
        }
        joined.push((client, seen));
    }
    allowed.close();
    let mut newest = BTreeMap::new();
    for task in updating {
        newest.extend(task.await.unwrap());
    }
    assert!(newest.len() > 100, "they published meanwhile");
    for (mut client, mut seen) in joined {
        for message in client.fence().await {
            if message.topic.starts_with("big/") {
                let number = message.number();
                assert!(seen.insert(message.topic, number) < Some(number));
            }
        }
        for (topic, number) in &newest {
            assert_eq!(seen[topic], *number, "{topic} ends with the newest");
        }
    }
    assert_eq!(server.broker().totals().lagged, 0);
}

/// What is retained may be more than an outbox holds: who reads still gets all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_larger_than_the_outbox_arrives_whole() {
    const TOPICS: u64 = 1_500;
    let server = still(Limits { outbox_bytes_max: 256 << 10, ..Limits::default() }).await;
    let mut publisher = Client::hello(&server).await;
    publish_topics(&mut publisher, "t", 0..TOPICS, 10_000).await;
    for hello in [true, false] {
        let mut client = Client::raw(address(&server), 32 << 10).await;
        if hello {
            client = client.introduced("joiner").await;
        }
        client.send(&subscribe("t/*")).await;
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        while (seen.len() as u64) < TOPICS {
            let message = client.message().await;
            let number = message.number();
            assert_eq!(seen.insert(message.topic, number), None, "each once");
        }
        assert_eq!(client.fence().await, []);
    }
    assert_eq!(server.broker().totals().lagged, 0, "nothing was missed");
}

/// The same while the topics change under it: nothing older after newer, each topic seen or told as missed, and the newest at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_join_larger_than_the_outbox_arrives_whole_while_others_publish() {
    const TOPICS: u64 = 1_000;
    let server = still(Limits { outbox_bytes_max: 256 << 10, ..Limits::default() }).await;
    let mut publisher = Client::hello(&server).await;
    for number in 0..TOPICS {
        publisher.outgoing.publish(&format!("big/{number}"), &padded(0, 5_000)).await;
    }
    publisher.flush().await;
    let allowed = Arc::new(Semaphore::new(2));
    let updating: Vec<_> = (0..2)
        .map(|lane| tokio::spawn(update(address(&server), lane, TOPICS, Arc::clone(&allowed))))
        .collect();
    let mut client = Client::raw(address(&server), 32 << 10).await.introduced("joiner").await;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut missed = 0;
    client.subscribe("big/*").await;
    while seen.len() as u64 + missed < TOPICS {
        let frame = client.incoming.next().await.unwrap();
        missed += take(&mut seen, frame);
        allowed.add_permits(usize::from(seen.len().is_multiple_of(20)));
    }
    allowed.close();
    let mut newest = BTreeMap::new();
    for task in updating {
        newest.extend(task.await.unwrap());
    }
    assert!(newest.len() > 20, "they published meanwhile");
    publisher.publish("big/end", u64::MAX).await;
    while !seen.contains_key("big/end") {
        let frame = client.incoming.next().await.unwrap();
        missed += take(&mut seen, frame);
    }
    if missed == 0 {
        assert_eq!(seen.len() as u64, TOPICS + 1);
        for (topic, number) in &newest {
            assert_eq!(seen[topic], *number, "{topic} ends with the newest");
        }
    }
    assert_eq!(server.broker().totals().lagged, missed, "what was missed was told");
}

/// Notes a message, or returns how many were missed.
fn take(seen: &mut BTreeMap<String, u64>, frame: Frame) -> u64 {
    match frame {
        Frame::Message(message) => {
            let number = message.number();
            let before = seen.insert(message.topic, number);
            assert!(before < Some(number), "{number} after {before:?}");
            0
        }
        Frame::Event(name, arguments) => {
            assert_eq!(name, "Lagged");
            count(&arguments[0], "missed")
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_nobody_reads_stays_under_the_bound() {
    const BOUND: usize = 256 << 10;
    const MESSAGE: usize = 10_100;
    let server = still(Limits { outbox_bytes_max: BOUND, ..Limits::default() }).await;
    let (mut publisher, mut reader) = (Client::hello(&server).await, Client::hello(&server).await);
    publish_topics(&mut publisher, "t", 0..1_500, 10_000).await;
    reader.subscribe("other").await;
    let mut rude = Client::raw(address(&server), 32 << 10).await.introduced("rude").await;
    let session = server.broker().session(rude.session()).unwrap();
    let joins = [subscribe("t/*"), subscribe("*[0-9]"), unsubscribe("t/*"), unsubscribe("*[0-9]")].concat();
    rude.send(&joins).await;
    eventually("it waits", || session.queue_bytes() > 0).await;
    let mut most = 0;
    for round in 0..50 {
        rude.send(&joins).await;
        publisher.publish("other", round).await;
        assert_eq!(reader.message().await.number(), round, "the others go on");
        most = most.max(session.queue_bytes());
    }
    assert!(most <= BOUND + (256 << 10) + MESSAGE, "{most} bytes waited");
}
