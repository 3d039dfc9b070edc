//! What each policy promises, over real sockets: a subscriber that reads nothing beside one that reads all, and the books that close for both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker_server::{Limits, Policy, Server};
use rmpv::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::slow::{RECEIVE_BYTES, publish_read_by};
use crate::support::*;

/// Messages of one load, of 4 kB each: more than all buffers of a connection take.
const COUNT: u64 = 4_000;

/// What may wait for a session: 64 of them.
const BOUND: usize = 256 << 10;

/// Longer than anything takes that is not held back.
const HELD: Duration = Duration::from_millis(300);

async fn bounded(block_ms: u64) -> Server {
    let limits = Limits { outbox_bytes_max: BOUND, block_ms, ..Limits::default() };
    start(|builder| builder.limits(limits).nats("127.0.0.1:0").metrics_interval(Duration::from_millis(20)))
        .await
}

/// A client that does not read until it is asked to, with a subscription to `pattern`.
async fn slow(server: &Server, pattern: &str, policy: Policy) -> Client {
    let mut slow = Client::raw(address(server), RECEIVE_BYTES).await.introduced("slow").await;
    slow.subscribe_with(pattern, &[("policy", policy.name().into())]).await;
    slow
}

/// The messages of a load from one number to another, to topics in turn.
fn load(topics: &[&str], numbers: std::ops::Range<u64>) -> Vec<u8> {
    let topic = |number: u64| topics[usize::try_from(number).unwrap() % topics.len()];
    numbers.flat_map(|number| publish(topic(number), &padded(number, 4_000))).collect()
}

/// What a subscriber has got and was told to have missed.
#[derive(Default)]
struct Got {
    messages: Vec<(String, u64)>,
    missed: u64,
}

impl Got {
    /// Lets `slow` read all that waits, and then a message behind it, so that what was dropped last is told, too.
    async fn all(slow: &mut Client, publisher: &mut Client, topic: &str) -> Got {
        const END: u64 = u64::MAX;
        slow.flush().await;
        publisher.publish(topic, END).await;
        let mut got = Got::default();
        loop {
            match slow.incoming.next().await.expect("the connection stays open") {
                Frame::Message(message) if message.number() == END => return got,
                Frame::Message(message) => {
                    let number = message.number();
                    got.messages.push((message.topic, number));
                }
                Frame::Event(name, arguments) => {
                    assert_eq!(name, "Lagged");
                    got.missed += count(&arguments[0], "missed");
                }
            }
        }
    }

    /// They come in order, and with what was missed they are all; and the server's figures say the same.
    fn check(&self, server: &Server, session: u64, published: u64) {
        let numbers: Vec<u64> = self.numbers().collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "in order, each once");
        assert_eq!(numbers.len() as u64 + self.missed, published, "nothing is lost without a word");
        let totals = server.broker().session(session).unwrap().totals();
        assert_eq!((totals.lagged, totals.thinned), (self.missed, 0), "the figures agree");
        assert_eq!(totals.messages_out, numbers.len() as u64 + 1);
        assert_eq!(server.broker().totals().lagged, self.missed, "nobody else missed anything");
    }

    fn numbers(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.messages.iter().map(|(_, number)| *number)
    }
}

/// A subscriber under `policy` that reads nothing while another one reads all, and what it got in the end.
async fn beside_a_good_one(policy: Policy) -> Got {
    let server = bounded(5_000).await;
    let mut slow = slow(&server, "load", policy).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::hello(&server).await);
    reader.subscribe("load").await;
    publish_read_by(&mut publisher, &mut reader, &["load"], COUNT, 30, 4_000).await;
    let got = Got::all(&mut slow, &mut publisher, "load").await;
    got.check(&server, slow.session(), COUNT);
    assert!(got.missed > 0 && got.messages.len() > 64);
    assert_eq!(got.numbers().next(), Some(0));
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn skip_ends_with_the_newest() {
    let got = beside_a_good_one(Policy::Skip).await;
    assert_eq!(got.numbers().next_back(), Some(COUNT - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn conflate_ends_with_the_newest() {
    let got = beside_a_good_one(Policy::Conflate).await;
    assert_eq!(got.numbers().next_back(), Some(COUNT - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn drop_oldest_keeps_as_many_of_the_newest_as_fit() {
    let got = beside_a_good_one(Policy::DropOldest).await;
    let newest: Vec<u64> = got.numbers().rev().take(32).collect();
    assert_eq!(newest, (COUNT - 32..COUNT).rev().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn drop_newest_keeps_what_waits() {
    let got = beside_a_good_one(Policy::DropNewest).await;
    // What came first is there without a gap; what came when there was no room is not.
    let without_gap = got.numbers().zip(0..).take_while(|(number, expected)| number == expected).count();
    assert!(without_gap > 64, "only {without_gap} messages");
}

/// Of many topics each one's newest comes, once, and the rest is told to be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn conflate_keeps_the_newest_of_each_topic() {
    let server = bounded(5_000).await;
    let mut slow = slow(&server, "many/*", Policy::Conflate).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::hello(&server).await);
    reader.subscribe("many/*").await;
    let topics: Vec<String> = (0..40).map(|number| format!("many/{number}")).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    publish_read_by(&mut publisher, &mut reader, &topics, COUNT, 20, 4_000).await;
    let got = Got::all(&mut slow, &mut publisher, "many/end").await;
    assert_eq!(got.messages.len() as u64 + got.missed, COUNT);
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for (topic, number) in &got.messages {
        let before = newest.insert(topic, *number);
        assert!(before < Some(*number), "never older after newer");
    }
    assert_eq!(newest.len(), 40);
    assert!(newest.values().all(|number| *number >= COUNT - 40), "{newest:?}");
    // They fit, so each came once behind what was on its way already.
    let last: Vec<u64> = got.numbers().rev().take(40).collect();
    assert_eq!(last.iter().collect::<std::collections::BTreeSet<_>>().len(), 40);
    assert!(last.iter().all(|number| *number >= COUNT - 40), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn block_holds_its_publisher_back_and_nobody_else() {
    let server = bounded(60_000).await;
    let mut slow = slow(&server, "load", Policy::Block).await;
    let session = server.broker().session(slow.session()).unwrap();
    let (mut one, mut other) = (Client::hello(&server).await, Client::hello(&server).await);
    one.subscribe("free").await;
    let mut held = Client::plain(&server).await;
    let mut publishing = tokio::spawn(async move {
        held.send(&load(&["load"], 0..COUNT)).await;
        held.fence().await;
    });
    eventually("it is held back", || session.slow().is_some()).await;
    assert!(timeout(HELD, &mut publishing).await.is_err(), "it goes on although nobody reads");
    let waiting = session.queue_bytes();
    assert!(waiting <= BOUND + (256 << 10), "{waiting} bytes wait");
    for number in 0..100 {
        assert_eq!(other.publish("free", number).await, 1);
        assert_eq!(one.message().await.number(), number, "others go on");
    }
    for number in 0..COUNT {
        assert_eq!(slow.message().await.number(), number, "nothing is missing");
    }
    within("the end of the publisher", publishing).await.unwrap();
    assert_eq!(session.totals().lagged, 0);
    eventually("it has recovered", || session.slow().is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn block_gives_up_at_its_deadline() {
    let server = bounded(200).await;
    let mut slow = slow(&server, "load", Policy::Block).await;
    let (mut reader, mut publisher) = (Client::hello(&server).await, Client::hello(&server).await);
    reader.subscribe("load").await;
    // Nobody but the slow one could keep this from its end.
    publish_read_by(&mut publisher, &mut reader, &["load"], COUNT, 30, 4_000).await;
    let got = Got::all(&mut slow, &mut publisher, "load").await;
    got.check(&server, slow.session(), COUNT);
    assert!(got.missed > 0);
    assert_eq!(got.numbers().next_back(), Some(COUNT - 1), "from the deadline on it skips");
}

/// Cause: the deadline ran from when a subscriber held its publisher back. Effect: of many that read nothing each held it back for one deadline, because they
/// met their bounds one after another. Fix: it runs from when the socket took no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn block_gives_many_up_at_one_deadline() {
    const SLOW: usize = 8;
    const BLOCK: Duration = Duration::from_secs(1);
    let server = bounded(1_000).await;
    let (mut publisher, mut held) = (Client::hello(&server).await, Client::plain(&server).await);
    let mut all = Vec::new();
    for number in 0..SLOW {
        let mut slow = slow(&server, "load", Policy::Block).await;
        let own = format!("own/{number}");
        slow.subscribe_with(&own, &[("policy", "block".into())]).await;
        // Nothing more goes into its socket, and each has less room than the one before.
        let session = server.broker().session(slow.session()).unwrap();
        while session.queue_bytes() <= number * (BOUND / 16) {
            publisher.send(&load(&[&own], 0..4)).await;
            publisher.fence().await;
        }
        all.push(slow);
    }
    let begun = Instant::now();
    held.send(&load(&["load"], 0..COUNT)).await;
    held.fence().await;
    let lasted = begun.elapsed();
    assert!(lasted < BLOCK * 5, "it was held back for {lasted:?}");
    for slow in &all {
        let lagged = server.broker().session(slow.session()).unwrap().totals().lagged;
        assert!(lagged > 0, "it skips");
    }
}

/// A client that goes while a publisher waits for it must not leave it waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn block_ends_with_its_session() {
    let server = bounded(60_000).await;
    let slow = slow(&server, "load", Policy::Block).await;
    let session = server.broker().session(slow.session()).unwrap();
    let mut held = Client::plain(&server).await;
    let publishing = tokio::spawn(async move {
        held.send(&load(&["load"], 0..COUNT)).await;
        held.fence().await;
    });
    eventually("it is held back", || session.slow().is_some()).await;
    drop(slow);
    within("the end of the publisher", publishing).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn block_holds_publishers_of_nats_back_as_well() {
    let server = bounded(60_000).await;
    let mut slow = slow(&server, "load", Policy::Block).await;
    let session = server.broker().session(slow.session()).unwrap();
    let mut nats = TcpStream::connect(server.nats_addr().unwrap()).await.unwrap();
    let mut publishing = tokio::spawn(async move {
        let mut lines = b"CONNECT {\"verbose\":false}\r\n".to_vec();
        for number in 0..COUNT {
            let payload = format!("{number:04000}");
            lines.extend(format!("PUB load {}\r\n{payload}\r\n", payload.len()).into_bytes());
        }
        nats.write_all(&lines).await.unwrap();
        nats
    });
    eventually("it is held back", || session.slow().is_some()).await;
    assert!(timeout(HELD, &mut publishing).await.is_err(), "it goes on although nobody reads");
    for number in 0..COUNT {
        let message = slow.message().await.decoded();
        let digits = std::str::from_utf8(message.as_slice().unwrap()).unwrap().to_owned();
        assert_eq!(digits.parse::<u64>(), Ok(number), "nothing is missing");
    }
    drop(within("the end of the publisher", publishing).await.unwrap());
    assert_eq!(session.totals().lagged, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept_for_each_topic_and_the_last_value_comes() {
    const PER_SECOND: u64 = 20;
    let server = server().await;
    let (mut thin, mut all) = (Client::hello(&server).await, Client::hello(&server).await);
    thin.subscribe_with("sensor/*", &[("max_rate", PER_SECOND.into())]).await;
    all.subscribe("sensor/*").await;
    let mut publisher = Client::plain(&server).await;
    let begun = Instant::now();
    let publishing = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for number in 0..1_000 {
            ticks.tick().await;
            publisher
                .send(&[publish("sensor/a", &uint(number)), publish("sensor/b", &uint(number))].concat())
                .await;
        }
        publisher
    });
    let mut got: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    while got.values().filter(|numbers| numbers.last() == Some(&999)).count() < 2 {
        let message = thin.message().await;
        let number = message.number();
        got.entry(message.topic).or_default().push(number);
    }
    let most = PER_SECOND * (u64::try_from(begun.elapsed().as_millis()).unwrap() + 1_000) / 1_000 + 1;
    for (topic, numbers) in &got {
        assert!(numbers.is_sorted_by(|one, other| one < other), "{topic}: {numbers:?}");
        assert_eq!(numbers[0], 0, "{topic}: the first one comes at once");
        let count = numbers.len() as u64;
        assert!((6..=most).contains(&count), "{topic}: {count} messages, {most} at the most");
    }
    let received: usize = got.values().map(Vec::len).sum();
    let totals = server.broker().session(thin.session()).unwrap().totals();
    assert_eq!((totals.thinned, totals.lagged), (2_000 - received as u64, 0), "thinned out is not missed");
    for number in 0..2_000 {
        assert_eq!(all.message().await.number(), number / 2, "who wants all gets all");
    }
    drop(publishing.await.unwrap());
    assert_eq!(thin.fence().await, [], "nothing comes behind the last");
}

/// Reads until a message of `topic` that `check` is content with.
async fn until(client: &mut Client, topic: &str, check: impl Fn(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let message = client.message().await;
            let value = message.decoded();
            if message.topic == topic && check(&value) {
                return value;
            }
        }
    };
    within(topic, search).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_becomes_slow_and_who_recovers_is_told() {
    const EVENTS: &str = "!system/events/slow-consumer";
    let server = bounded(5_000).await;
    let mut events = Client::hello(&server).await;
    events.subscribe(EVENTS).await;
    let mut slow = slow(&server, "loa?", Policy::DropOldest).await;
    let mut publisher = Client::hello(&server).await;
    publisher.send(&load(&["load"], 0..COUNT)).await;
    publisher.flush().await;
    let session = slow.session();
    let is_mine = |event: &Value| count(event, "session") == session;

    let event = until(&mut events, EVENTS, is_mine).await;
    assert_eq!(get(&event, "event").as_str(), Some("slow"), "{event}");
    assert_eq!(get(&event, "address").as_str(), Some(&*slow.local.to_string()));
    assert_eq!(get(&event, "name").as_str(), Some("slow"));
    assert_eq!(
        (get(&event, "pattern").as_str(), get(&event, "policy").as_str()),
        (Some("loa?"), Some("drop-oldest"))
    );
    assert!(get(&event, "until").is_nil() && count(&event, "since") > 1_700_000_000_000, "{event}");
    let since = count(&event, "since");

    let mut tables = Client::hello(&server).await;
    tables.subscribe("!system/connections").await;
    let row = |table: &Value| {
        let rows = get(table, "rows").as_array().unwrap();
        rows.iter().find(|row| count(row, "id") == session).unwrap().clone()
    };
    let table = until(&mut tables, "!system/connections", |table| count(&row(table), "missed") > 0).await;
    let told = row(&table);
    assert_eq!(get(&told, "slow"), &Value::from(true));
    assert_eq!(
        (get(&told, "policy").as_str(), get(&told, "pattern").as_str()),
        (Some("drop-oldest"), Some("loa?"))
    );
    assert!(count(&told, "slow_ms") < 600_000);
    tables.subscribe("!system/metrics/slow-consumers").await;
    until(&mut tables, "!system/metrics/slow-consumers", |value| value.as_u64() == Some(1)).await;

    let got = Got::all(&mut slow, &mut publisher, "load").await;
    got.check(&server, slow.session(), COUNT);
    let event = until(&mut events, EVENTS, |event| get(event, "event").as_str() == Some("recovered")).await;
    assert_eq!(count(&event, "session"), slow.session());
    assert_eq!((count(&event, "missed"), count(&event, "since")), (got.missed, since), "{event}");
    assert!(count(&event, "until") >= since);
    until(&mut tables, "!system/metrics/slow-consumers", |value| value.as_u64() == Some(0)).await;
    let table = until(&mut tables, "!system/connections", |_| true).await;
    assert_eq!(get(&row(&table), "slow"), &Value::from(false));
}

#[tokio::test]
async fn who_ends_while_it_is_slow_is_told() {
    const EVENTS: &str = "!system/events/slow-consumer";
    let server = bounded(5_000).await;
    let mut events = Client::hello(&server).await;
    events.subscribe(EVENTS).await;
    let slow = slow(&server, "load", Policy::Skip).await;
    let session = slow.session();
    let mut publisher = Client::hello(&server).await;
    publisher.send(&load(&["load"], 0..COUNT)).await;
    publisher.flush().await;
    let event = until(&mut events, EVENTS, |event| count(event, "session") == session).await;
    assert_eq!(get(&event, "event").as_str(), Some("slow"), "{event}");
    let (since, missed) = (count(&event, "since"), count(&event, "missed"));
    drop(slow);
    let event = until(&mut events, EVENTS, |event| get(event, "event").as_str() == Some("ended")).await;
    assert_eq!((count(&event, "session"), count(&event, "since")), (session, since), "{event}");
    assert!(count(&event, "until") >= since && count(&event, "missed") >= missed, "{event}");
}
