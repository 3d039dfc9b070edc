//! Promises 4 and 5, isolation and honesty: a subscriber that does not read costs the others nothing and no more memory than its
//! bound, and what it missed is counted and told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use broker_server::{Limits, Policy, Server};
use rmpv::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::*;

/// What the system may keep for a client that does not read. The server's side of the socket takes some MiB more.
pub(crate) const RECEIVE_BYTES: u32 = 32 << 10;

/// What is being written comes on top of the bound: a quarter of a MiB.
const WRITING_BYTES: u64 = 256 << 10;

async fn bounded(outbox_bytes_max: usize, policy: Policy) -> Server {
    let limits = Limits { outbox_bytes_max, policy, ..Limits::default() };
    start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(20))).await
}

/// Publishes `count` messages to `topics` in turn, and goes on only when `reader` has them: it misses none, in order.
pub(crate) async fn publish_read_by(
    publisher: &mut Client,
    reader: &mut Client,
    topics: &[&str],
    count: u64,
    window: u64,
    filler: usize,
) {
    let mut number = 0;
    while number < count {
        let end = count.min(number + window);
        let mut frames = Vec::new();
        for number in number..end {
            let topic = topics[usize::try_from(number).unwrap() % topics.len()];
            frames.extend(publish(topic, &padded(number, filler)));
        }
        publisher.send(&frames).await;
        for number in number..end {
            assert_eq!(reader.message().await.number(), number, "who reads gets everything");
        }
        number = end;
    }
}

/// The largest queue of a session that the tables show until told to stop, and the largest memory of the process.
async fn watch_queue(server_address: SocketAddr, session: u64, stop: watch::Receiver<bool>) -> (u64, u64) {
    let mut client = Client::raw(server_address, 0).await;
    client.send(&[subscribe("!system/connections"), subscribe("!system/metrics/memory")].concat()).await;
    let (mut queue, mut memory) = (0, 0);
    while !*stop.borrow() {
        let message = client.message().await;
        let value = message.decoded();
        if message.topic == "!system/metrics/memory" {
            memory = memory.max(value.as_u64().unwrap());
            continue;
        }
        let rows = get(&value, "rows").as_array().unwrap();
        if let Some(row) = rows.iter().find(|row| count(row, "id") == session) {
            queue = queue.max(count(row, "queue_bytes"));
        }
    }
    (queue, memory)
}

/// What a subscriber has got and missed, checked frame by frame.
#[derive(Default)]
struct Account {
    received: u64,
    missed: BTreeMap<String, u64>,
    missed_now: u64,
    next: u64,
}

impl Account {
    /// Takes frames until the message `last`. Every gap has just been told, and exactly.
    async fn read_until(&mut self, client: &mut Client, last: u64) {
        while self.next <= last {
            match client.incoming.next().await.expect("the connection stays open") {
                Frame::Message(message) => {
                    let number = message.number();
                    let told = self.next + std::mem::take(&mut self.missed_now);
                    assert_eq!(number, told, "after {} messages up to {}", self.received, self.next);
                    self.next = number + 1;
                    self.received += 1;
                }
                Frame::Event(name, arguments) => {
                    assert_eq!((name.as_str(), arguments.len()), ("Lagged", 1));
                    let missed = count(&arguments[0], "missed");
                    assert!(missed > 0);
                    let pattern = get(&arguments[0], "pattern").as_str().unwrap().to_owned();
                    *self.missed.entry(pattern).or_default() += missed;
                    self.missed_now += missed;
                }
            }
        }
    }

    fn missed(&self) -> u64 {
        self.missed.values().sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn promise_4_isolation_and_promise_5_honesty() {
    const COUNT: u64 = 4_000;
    const BOUND: u64 = 1 << 20;
    let server = bounded(1 << 20, Policy::Skip).await;
    let mut slow = Client::raw(address(&server), RECEIVE_BYTES).await.introduced("slow").await;
    slow.subscribe("load/*").await;
    let mut watcher = Client::plain(&server).await;
    watcher.send(&subscribe("!system/metrics/memory")).await;
    let memory_before = watcher.message().await.number();
    drop(watcher);
    let (stop, stopped) = watch::channel(false);
    let watching = tokio::spawn(watch_queue(address(&server), slow.session(), stopped));
    let (mut reader, mut publisher) = (Client::plain(&server).await, Client::hello(&server).await);
    reader.send(&subscribe("load/*")).await;
    reader.fence().await;
    // 256 MB, of which the slow one may hold 1.
    publish_read_by(&mut publisher, &mut reader, &["load/1", "load/2"], COUNT, 12, 64_000).await;
    publisher.flush().await;
    stop.send(true).unwrap();
    let (queue, memory) = watching.await.unwrap();
    assert!(queue > 0 && queue <= BOUND + WRITING_BYTES, "{queue} bytes waited");
    let growth = memory.saturating_sub(memory_before);
    // The other tests of this process are in the figure, too.
    assert!(growth < 190 << 20, "memory grew by {growth} bytes");

    let mut account = Account::default();
    account.read_until(&mut slow, COUNT - 1).await;
    assert_eq!(account.missed.keys().collect::<Vec<_>>(), ["load/*"]);
    assert_eq!(account.received + account.missed(), COUNT, "nothing is lost without a word");
    let session = server.broker().session(slow.session()).unwrap();
    assert_eq!(session.totals().lagged, account.missed(), "the figures agree");
    assert_eq!(server.broker().totals().lagged, account.missed(), "nobody else missed anything");
    // It has caught up: from here on it misses nothing.
    publish_read_by(&mut publisher, &mut reader, &["load/1"], 10, 10, 100).await;
    for number in 0..10 {
        assert_eq!(slow.message().await.number(), number);
    }
    assert_eq!(slow.fence().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lag_is_told_for_each_subscription() {
    const COUNT: u64 = 6_000;
    let server = bounded(256 << 10, Policy::Skip).await;
    let mut slow = Client::raw(address(&server), RECEIVE_BYTES).await.introduced("slow").await;
    slow.subscribe("lag/a").await;
    slow.subscribe("*/[bc]").await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::plain(&server).await);
    reader.subscribe("lag/*").await;
    // Of three messages, one is of the first subscription and two are of the second.
    publish_read_by(&mut publisher, &mut reader, &["lag/a", "lag/b", "lag/c"], COUNT, 30, 4_000).await;
    let (mut received, mut missed) = (BTreeMap::new(), BTreeMap::new());
    let mut last = None;
    while last != Some(COUNT - 1) {
        match slow.incoming.next().await.unwrap() {
            Frame::Message(message) => {
                assert!(last < Some(message.number()), "never older after newer");
                last = Some(message.number());
                *received.entry(if message.topic == "lag/a" { "lag/a" } else { "*/[bc]" }).or_insert(0) += 1;
            }
            Frame::Event(name, arguments) => {
                assert_eq!(name, "Lagged");
                let pattern = get(&arguments[0], "pattern").as_str().unwrap().to_owned();
                *missed.entry(pattern).or_insert(0) += count(&arguments[0], "missed");
            }
        }
    }
    for (pattern, published) in [("lag/a", COUNT / 3), ("*/[bc]", COUNT / 3 * 2)] {
        assert!(missed[pattern] > 0);
        assert_eq!(received[pattern] + missed[pattern], published, "{pattern}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_slow_subscriber_without_hello_is_told_nothing_and_ends_with_the_newest() {
    const COUNT: u64 = 4_000;
    let server = bounded(256 << 10, Policy::Skip).await;
    let mut slow = Client::raw(address(&server), RECEIVE_BYTES).await;
    slow.send(&subscribe("load")).await;
    slow.fence().await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::plain(&server).await);
    reader.subscribe("load").await;
    publish_read_by(&mut publisher, &mut reader, &["load"], COUNT, 30, 4_000).await;
    let (mut received, mut last) = (0, None);
    while last != Some(COUNT - 1) {
        // It panics at a frame that is no message.
        let number = slow.message().await.number();
        assert!(last < Some(number));
        last = Some(number);
        received += 1;
    }
    let missed = COUNT - received;
    assert!(missed > 0);
    assert_eq!(server.broker().totals().lagged, missed, "it is counted all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn policy_disconnect_ends_a_slow_subscriber() {
    const COUNT: u64 = 4_000;
    let server = bounded(256 << 10, Policy::Skip).await;
    let mut slow = Client::raw(address(&server), RECEIVE_BYTES).await.introduced("slow").await;
    slow.subscribe_with("load", &[("policy", "disconnect".into())]).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::hello(&server).await);
    reader.subscribe_with("load", &[("policy", "skip".into())]).await;
    publish_read_by(&mut publisher, &mut reader, &["load"], COUNT, 30, 4_000).await;
    let mut frames = slow.incoming.rest().await;
    let goodbye = frames.pop();
    assert!(
        matches!(&goodbye, Some(Frame::Event(name, arguments)) if name == "Goodbye" && arguments[0] == "slow-consumer".into()),
        "the last frame says why: {goodbye:?}"
    );
    // It may be told what it missed between the end and the farewell.
    frames.pop_if(|frame| matches!(frame, Frame::Event(name, _) if name == "Lagged"));
    assert!(frames.len() < usize::try_from(COUNT).unwrap());
    for (frame, expected) in frames.into_iter().zip(0..) {
        let Frame::Message(message) = frame else { panic!("{frame:?} before Goodbye") };
        assert_eq!(message.number(), expected, "no gap before the end");
    }
    eventually("its session is gone", || server.broker().connections() == 2).await;
    assert_eq!(publisher.publish("load", 1).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn policy_disconnect_may_be_that_of_the_server() {
    const COUNT: u64 = 4_000;
    let server = bounded(256 << 10, Policy::Disconnect).await;
    let mut plain = Client::raw(address(&server), RECEIVE_BYTES).await;
    plain.send(&subscribe("load")).await;
    plain.fence().await;
    let mut skipping = Client::raw(address(&server), RECEIVE_BYTES).await.introduced("skipping").await;
    skipping.subscribe_with("load", &[("policy", "skip".into())]).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::plain(&server).await);
    reader.subscribe("load").await;
    publish_read_by(&mut publisher, &mut reader, &["load"], COUNT, 30, 4_000).await;
    let frames = plain.incoming.rest().await;
    assert!(frames.len() < usize::try_from(COUNT).unwrap(), "it was closed");
    for (frame, expected) in frames.into_iter().zip(0..) {
        let Frame::Message(message) = frame else { panic!("{frame:?} without Hello") };
        assert_eq!(message.number(), expected);
    }
    let mut account = Account::default();
    account.read_until(&mut skipping, COUNT - 1).await;
    assert_eq!(account.received + account.missed(), COUNT);
}

#[tokio::test]
async fn a_message_larger_than_the_outbox_reaches_who_reads() {
    let server = bounded(64 << 10, Policy::Skip).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::hello(&server).await);
    reader.subscribe("large").await;
    for kib in [63, 64, 65, 100, 300, 1_000, 3_000, 8_000] {
        let value = encode(&Value::Binary(vec![9; kib << 10]));
        for _ in 0..3 {
            publisher.outgoing.publish("large", &value).await;
            publisher.outgoing.publish("large", b"\xc0").await;
            let message = reader.message().await;
            assert!(message.value == value, "{kib} KiB, not {:x?}", &message.value[..1]);
            assert_eq!(reader.message().await.value, b"\xc0");
        }
    }
}

/// Answers cannot be skipped, so a client that does not read them is not read from either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_are_bounded_too() {
    const BOUND: usize = 256 << 10;
    let server = bounded(BOUND, Policy::Skip).await;
    let mut rude = Client::raw(address(&server), RECEIVE_BYTES).await.introduced("rude").await;
    let session = server.broker().session(rude.session()).unwrap();
    let batch: Vec<u8> = (0..1_000).flat_map(|_| command("Fly", vec![])).collect();
    let (mut sent, mut blocked) = (0_u64, false);
    while !blocked && sent < 400_000 {
        // A write that takes that long is held back. The batch is cut then, and with it the connection of no more use for commands.
        match timeout(Duration::from_millis(500), rude.outgoing.try_send(&batch)).await {
            Ok(true) => sent += 1_000,
            Ok(false) | Err(_) => blocked = true,
        }
        let waits = session.queue_bytes();
        assert!(waits <= BOUND + (512 << 10), "{waits} bytes wait after {sent} commands");
    }
    let mut answers = 0;
    while answers < sent {
        assert_eq!(rude.incoming.answer().await, (Value::Nil, Err(2)), "after {answers} answers");
        answers += 1;
    }
    let (mut one, mut other) = (Client::hello(&server).await, Client::hello(&server).await);
    one.subscribe("a").await;
    assert_eq!(other.publish("a", 1).await, 1, "the others do not notice");
    assert_eq!(one.message().await.number(), 1);
}
