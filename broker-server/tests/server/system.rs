//! What the server publishes about itself: names, units, and figures that are right for a known traffic.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker_server::Server;
use rmpv::Value;

use crate::support::*;

async fn ticking() -> Server {
    start(|builder| builder.metrics_interval(Duration::from_millis(30))).await
}

/// The first value of `topic` that `check` is content with. The client is subscribed to it.
async fn value_where(client: &mut Client, topic: &str, mut check: impl FnMut(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let message = client.message().await;
            if message.topic == topic {
                let value = message.decoded();
                if check(&value) {
                    return value;
                }
            }
        }
    };
    within(topic, search).await
}

/// Waits until a metric is `expected`.
async fn metric_is(client: &mut Client, name: &str, expected: u64) {
    value_where(client, &format!("!system/metrics/{name}"), |value| value.as_u64() == Some(expected)).await;
}

async fn observer(server: &Server, patterns: &[&str]) -> Client {
    let mut client = Client::plain(server).await;
    for pattern in patterns {
        client.send(&subscribe(pattern)).await;
    }
    client
}

/// Three clients of a known traffic: a publisher of ten messages, and two subscribers who got them.
async fn traffic(server: &Server) -> [Client; 3] {
    let mut publisher = Client::plain(server).await;
    let mut one = Client::plain(server).await.introduced("one").await;
    let mut other = Client::plain(server).await;
    for subscriber in [&mut one, &mut other] {
        subscriber
            .send(&[subscribe("traffic/*"), subscribe("traffic/1"), subscribe("elsewhere")].concat())
            .await;
    }
    one.flush().await;
    other.send(&publish("elsewhere", b"\x01")).await;
    for subscriber in [&mut one, &mut other] {
        assert_eq!(subscriber.message().await.topic, "elsewhere");
    }
    for number in 0..10 {
        publisher.outgoing.publish(&format!("traffic/{}", number % 2), &padded(number, 50)).await;
    }
    for subscriber in [&mut one, &mut other] {
        for number in 0..10 {
            assert_eq!(subscriber.message().await.number(), number);
        }
    }
    [publisher, one, other]
}

#[tokio::test]
async fn every_metric_is_a_number_that_is_retained() {
    let server = ticking().await;
    let names = [
        "commands",
        "messages-in",
        "messages-out",
        "bytes-in",
        "bytes-out",
        "lagged",
        "thinned",
        "slow-consumers",
        "connections",
        "subscriptions",
        "topics",
        "retained-bytes",
        "retained-evicted",
        "retained-expired",
        "retained-cleared",
        "retained-oversized",
        "outbox-bytes",
        "memory",
        "cpu",
        "uptime",
    ];
    let names = if cfg!(target_os = "linux") { &names[..] } else { &names[..17] };
    let mut watcher = observer(&server, &["!system/metrics/uptime"]).await;
    watcher.message().await;
    watcher.message().await;
    let mut client = Client::hello(&server).await;
    for name in names {
        let topic = format!("!system/metrics/{name}");
        client.subscribe_with(&topic, &[("meta", true.into())]).await;
        let message = client.until_retained(&topic).await;
        assert!(message.decoded().is_number(), "{name}: {}", message.decoded());
    }
}

#[tokio::test]
async fn connections_subscriptions_and_topics_are_how_many_there_are() {
    let server = ticking().await;
    let mut client = observer(&server, &["!system/metrics/*"]).await;
    metric_is(&mut client, "connections", 1).await;
    metric_is(&mut client, "subscriptions", 1).await;
    let topics = server.broker().topic_stats().topics as u64;
    let mut others = [Client::plain(&server).await, Client::hello(&server).await];
    others[0].send(&[subscribe("a"), subscribe("a"), subscribe("b*"), subscribe("c")].concat()).await;
    others[1].subscribe("a").await;
    for number in 0..7_u64 {
        others[1].publish(&format!("new/{number}"), number).await;
        others[1].publish(&format!("new/{number}"), number).await;
    }
    metric_is(&mut client, "connections", 3).await;
    metric_is(&mut client, "subscriptions", 5).await;
    metric_is(&mut client, "topics", topics + 7).await;
    let [one, other] = others;
    drop(one);
    metric_is(&mut client, "subscriptions", 2).await;
    other.leave().await;
    metric_is(&mut client, "connections", 1).await;
    metric_is(&mut client, "subscriptions", 1).await;
    client.leave().await;
    // The messages of a tick wait while it counts, so the observer wants no other.
    let mut client = observer(&server, &["!system/metrics/outbox-bytes"]).await;
    metric_is(&mut client, "outbox-bytes", 0).await;
}

#[tokio::test]
async fn totals_are_those_of_a_known_traffic() {
    let server = ticking().await;
    let clients = traffic(&server).await;
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for client in &clients {
        bytes_in += client.outgoing.bytes;
        bytes_out += client.incoming.bytes;
    }
    // 6 subscribes, 11 publishes, 1 hello, 1 ping; 2 + 20 messages delivered.
    eventually("the figures are there", || {
        let totals = server.broker().totals();
        (totals.commands, totals.messages_in, totals.messages_out) == (19, 11, 22)
            && (totals.bytes_in, totals.bytes_out) == (bytes_in, bytes_out)
    })
    .await;
    drop(clients);
    eventually("they go", || server.broker().connections() == 0).await;
    // What ended stays in the totals. The observer adds its own commands, and what it gets.
    let mut client = observer(&server, &["!system/totals"]).await;
    let totals = value_where(&mut client, "!system/totals", |value| count(value, "connections") == 4).await;
    for name in ["commands", "connections", "messages-in", "messages-out", "bytes-in", "bytes-out", "lagged"]
    {
        assert!(get(&totals, name).is_u64(), "{name}");
    }
    assert_eq!(
        (count(&totals, "commands"), count(&totals, "messages-in"), count(&totals, "lagged")),
        (20, 11, 0)
    );
    assert_eq!(count(&totals, "bytes-in"), bytes_in + client.outgoing.bytes);
    let out = (count(&totals, "messages-out"), count(&totals, "bytes-out"));
    assert!(out.0 >= 22 && out.1 >= bytes_out, "{out:?}");
}

#[tokio::test]
async fn rates_are_counts_of_the_last_second() {
    let server = ticking().await;
    let mut client = observer(&server, &["!system/metrics/*"]).await;
    let mut publisher = Client::plain(&server).await;
    for name in ["commands", "messages-in", "bytes-in", "messages-out", "bytes-out"] {
        for number in 0..20 {
            publisher.outgoing.publish("rate", &uint(number)).await;
        }
        let topic = format!("!system/metrics/{name}");
        // A rate is a whole number or not, but it is one.
        value_where(&mut client, &topic, |value| value.as_f64().unwrap() > 0.0).await;
        if !name.ends_with("out") {
            value_where(&mut client, &topic, |value| value.as_f64() == Some(0.0)).await;
        }
    }
}

#[tokio::test]
async fn the_server_tells_who_it_is() {
    let server = ticking().await;
    let mut client = observer(&server, &["!system/server"]).await;
    let value = client.message().await.decoded();
    assert_eq!(keys(&value), ["listen", "pid", "server", "started", "version"]);
    assert_eq!(get(&value, "server").as_str(), Some("broker-server"));
    assert_eq!(get(&value, "version").as_str(), Some(broker_server::VERSION));
    assert_eq!(count(&value, "pid"), u64::from(std::process::id()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let age = now.checked_sub(u128::from(count(&value, "started"))).expect("it started before now");
    assert!(age < 600_000, "{age} ms ago");
    let listen = get(&value, "listen").as_array().unwrap();
    assert!(listen[0].as_str().unwrap().contains(&address(&server).to_string()), "{listen:?}");
}

#[tokio::test]
async fn rows_of_connections_are_right() {
    let server = ticking().await;
    let clients = traffic(&server).await;
    let mut client = Client::hello(&server).await;
    client.subscribe_with("!system/connections", &[("meta", true.into())]).await;
    let first = client.message().await;
    assert!(get(&first.meta.unwrap(), "retained").is_nil(), "it is not retained");
    let table = value_where(&mut client, "!system/connections", |_| true).await;
    assert_eq!(count(&table, "total"), 4);
    let rows = get(&table, "rows").as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let activity: Vec<u64> =
        rows.iter().map(|row| count(row, "messages_in") + count(row, "messages_out")).collect();
    assert!(
        activity.is_sorted_by(|one, other| one >= other),
        "those with the most messages first: {activity:?}"
    );
    let of = |client: &Client| {
        let local = client.local.to_string();
        rows.iter().find(|row| get(row, "address").as_str() == Some(&local)).expect("a row with its address")
    };
    let [publisher, one, other] = clients.each_ref().map(|client| (client, of(client)));
    for (who, subscriptions, messages_in, messages_out) in
        [(publisher, 0, 10, 0), (one, 3, 0, 11), (other, 3, 1, 11)]
    {
        let (client, row) = who;
        assert_eq!(count(row, "subscriptions"), subscriptions, "{row}");
        assert_eq!(count(row, "messages_in"), messages_in, "{row}");
        assert_eq!(count(row, "messages_out"), messages_out, "{row}");
        assert_eq!(count(row, "bytes_in"), client.outgoing.bytes, "{row}");
        assert_eq!(count(row, "bytes_out"), client.incoming.bytes, "{row}");
        assert_eq!((count(row, "queue_bytes"), count(row, "lagged")), (0, 0), "{row}");
        assert_eq!((count(row, "thinned"), get(row, "slow")), (0, &Value::from(false)), "{row}");
        assert!(get(row, "protocol").is_str() && count(row, "age_ms") < 600_000, "{row}");
    }
    assert_eq!(get(one.1, "name").as_str(), Some("one"));
    assert!(get(publisher.1, "name").is_nil() && get(other.1, "name").is_nil(), "nil without Hello");
    assert_eq!(count(one.1, "id"), one.0.session());
    assert_eq!(count(of(&client), "id"), client.session());
    let ids: std::collections::BTreeSet<u64> = rows.iter().map(|row| count(row, "id")).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn rows_of_topics_are_right() {
    let server = ticking().await;
    let mut publisher = Client::hello(&server).await;
    for (topic, value) in [
        ("rows/old", Value::from(1)),
        ("rows/text", "first".into()),
        ("rows/limit", "x".repeat(62).into()),
        ("rows/long", "x".repeat(63).into()),
        ("rows/map", map(&[("a", 0.5.into())])),
        ("rows/text", "second".into()),
    ] {
        publisher.publish(topic, value).await;
    }
    let mut client = observer(&server, &["!system/topics"]).await;
    let table = value_where(&mut client, "!system/topics", |_| true).await;
    let rows = get(&table, "rows").as_array().unwrap();
    assert_eq!(count(&table, "total"), rows.len() as u64);
    let mine: Vec<&Value> =
        rows.iter().filter(|row| get(row, "topic").as_str().unwrap().starts_with("rows/")).collect();
    let expected = [
        ("rows/text", 2, 7, Value::from("second")),
        ("rows/map", 1, 12, map(&[("a", 0.5.into())])),
        ("rows/long", 1, 65, Value::Nil),
        ("rows/limit", 1, 64, "x".repeat(62).into()),
        ("rows/old", 1, 1, 1.into()),
    ];
    assert_eq!(mine.len(), expected.len());
    for (row, (topic, messages, size, value)) in mine.into_iter().zip(expected) {
        assert_eq!(get(row, "topic").as_str(), Some(topic), "the most recently published first");
        assert_eq!((count(row, "messages"), count(row, "size")), (messages, size), "{row}");
        assert_eq!(get(row, "value"), &value, "{row}");
        assert!(count(row, "bytes") >= size && count(row, "age_ms") < 600_000, "{row}");
    }
}

#[tokio::test]
async fn tables_have_at_most_a_thousand_rows() {
    let server = ticking().await;
    let mut publisher = Client::plain(&server).await;
    let frames: Vec<u8> = (0..1_500).flat_map(|number| publish(&format!("many/{number}"), b"\x01")).collect();
    publisher.send(&frames).await;
    publisher.fence().await;
    let mut client = observer(&server, &["!system/topics"]).await;
    let table = value_where(&mut client, "!system/topics", |_| true).await;
    assert_eq!(get(&table, "rows").as_array().unwrap().len(), 1_000);
    assert!(count(&table, "total") >= 1_500);
    let first_shown = |number: u32| {
        let topic = format!("many/{number}");
        get(&table, "rows").as_array().unwrap().iter().any(|row| get(row, "topic").as_str() == Some(&topic))
    };
    assert!(first_shown(1_499) && !first_shown(0), "the most recently published");
}

#[tokio::test]
async fn tables_are_published_only_while_somebody_subscribes() {
    let server = ticking().await;
    let tables = ["!system/connections", "!system/topics"];
    let published = || -> BTreeMap<String, u64> {
        let topics = server.broker().recent_topics(1_000, 0).into_iter();
        topics
            .filter(|topic| tables.contains(&&*topic.topic))
            .map(|topic| (topic.topic, topic.messages))
            .collect()
    };
    let mut clock = observer(&server, &["!system/metrics/uptime"]).await;
    for _ in 0..4 {
        clock.message().await;
    }
    assert_eq!(published(), BTreeMap::new(), "nobody asked");
    for pattern in ["!system/connections", "!system/[ct]o*s", "!*"] {
        let mut client = Client::hello(&server).await;
        client.subscribe(pattern).await;
        client.until("!system/connections").await;
        assert!(client.unsubscribe(pattern).await);
        client.leave().await;
        let after = published();
        for _ in 0..4 {
            clock.message().await;
        }
        assert_eq!(published(), after, "nobody asks any more for {pattern}");
    }
    assert_eq!(published().len(), 2);
    let mut late = Client::plain(&server).await;
    late.send(&[subscribe("!system/connections"), unsubscribe("!system/connections")].concat()).await;
    assert!(late.fence().await.len() <= 1, "none is retained, one may have come in between");
}

#[tokio::test]
async fn nothing_but_the_specified_topics_is_retained() {
    let hours = Duration::from_hours(2);
    let server = start(|builder| builder.metrics_interval(hours)).await;
    let mut client = observer(&server, &["!system/totals"]).await;
    client.message().await;
    client.send(&subscribe("!system/*")).await;
    let mut seen = client.fence().await;
    seen.retain(|message| !message.topic.starts_with("!system/metrics/"));
    let mut topics: Vec<_> = seen.into_iter().map(|message| message.topic).collect();
    topics.sort_unstable();
    assert_eq!(topics, ["!system/server", "!system/totals"]);
}
