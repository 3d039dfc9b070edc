//! Without `Hello`: what lbroker's clients speak. They get `[topic, value]`, and nothing else, ever.

use broker_server::{Limits, WireLimits};
use rmpv::Value;

use crate::support::*;

#[tokio::test]
async fn the_ten_lines_of_the_specification() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    client.send(&subscribe("my-topic")).await;
    client.send(b"\x81\xa7Publish\x91\x92\xa8my-topic\xc3").await;
    client.send(b"\x81\xa7Publish\x91\x92\xa8my-topic\x81\xa3Foo\xcb\x3f\xe0\0\0\0\0\0\0").await;
    assert_eq!(client.incoming.bytes_of_next().await.unwrap(), b"\x92\xa8my-topic\xc3");
    let second = client.incoming.bytes_of_next().await.unwrap();
    assert_eq!(second, b"\x92\xa8my-topic\x81\xa3Foo\xcb\x3f\xe0\0\0\0\0\0\0");
}

/// Values of every family, in the encodings that are usual and in those that are allowed.
fn values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        &b"\xc0"[..],
        b"\xc2",
        b"\xc3",
        b"\0",
        b"\x7f",
        b"\xff",
        b"\xe0",
        // 1 and -1 in all widths.
        b"\xcc\x01",
        b"\xcd\0\x01",
        b"\xce\0\0\0\x01",
        b"\xcf\0\0\0\0\0\0\0\x01",
        b"\xd0\xff",
        b"\xd1\xff\xff",
        b"\xd2\xff\xff\xff\xff",
        b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd3\x80\0\0\0\0\0\0\0",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        // Floats: -0.0, and not-a-numbers whose content must live.
        b"\xca\x80\0\0\0",
        b"\xca\x7f\xc0\x12\x34",
        b"\xcb\x7f\xf8\0\0\0\0\x12\x34",
        // Strings, empty ones, short ones in long clothes, and one that is not UTF-8.
        b"\xa0",
        b"\xa3abc",
        b"\xd9\x03abc",
        b"\xda\0\x03abc",
        b"\xdb\0\0\0\x03abc",
        b"\xa2\xff\xfe",
        b"\xc4\0",
        b"\xc4\x03\0\xff\xc1",
        b"\xc5\0\x01\xc1",
        b"\xc6\0\0\0\x01\xc1",
        // Arrays and maps; keys that are no strings, and one key twice.
        b"\x90",
        b"\x93\x01\x92\xc0\xc3\xa1x",
        b"\xdc\0\x01\xc0",
        b"\xdd\0\0\0\x02\xc0\xc0",
        b"\x80",
        b"\x82\x01\x02\xc0\x90",
        b"\x82\xa1a\x01\xa1a\x02",
        b"\xde\0\x01\xa1a\x01",
        b"\xdf\0\0\0\x01\xa1a\x81\xa1b\x01",
        // Extensions; the first is a timestamp.
        b"\xd6\xff\x61\x62\x63\x64",
        b"\xd4\x05\xc1",
        b"\xd5\x05\xc1\xc1",
        b"\xd7\x80........",
        b"\xd8\x7f................",
        b"\xc7\0\x05",
        b"\xc7\x03\x05abc",
        b"\xc8\0\x03\x05abc",
        b"\xc9\0\0\0\x03\x05abc",
    ]
    .iter()
    .map(|value| value.to_vec())
    .collect();
    values.push([vec![0x91; 128], vec![0xc0]].concat());
    values.push(encode(&Value::from("x".repeat(300))));
    values.push(encode(&Value::Binary(vec![0xc1; 100 << 10])));
    values.push(encode(&Value::Array((0..70_000).map(Value::from).collect())));
    values
}

#[tokio::test]
async fn values_arrive_byte_for_byte() {
    let server = server().await;
    let mut subscribers =
        [Client::plain(&server).await, Client::plain(&server).await, Client::hello(&server).await];
    subscribers[0].send(&subscribe("values")).await;
    subscribers[0].fence().await;
    subscribers[1].send(&subscribe("v*")).await;
    subscribers[1].fence().await;
    subscribers[2].subscribe("val?es").await;
    let mut publisher = Client::plain(&server).await;
    for value in values() {
        publisher.outgoing.publish("values", &value).await;
        let retained = async || {
            let mut late = Client::plain(&server).await;
            late.send(&subscribe("values")).await;
            late.incoming.bytes_of_next().await.unwrap()
        };
        let expected = message("values", &value);
        for subscriber in &mut subscribers {
            let came = subscriber.incoming.bytes_of_next().await.unwrap();
            assert!(came == expected, "{:x?}…", &value[..value.len().min(20)]);
        }
        let came = retained().await;
        assert!(came == expected, "retained: {:x?}…", &value[..value.len().min(20)]);
    }
}

#[tokio::test]
async fn a_publish_in_any_encoding_arrives_as_topic_and_value() {
    let server = server().await;
    let mut subscriber = Client::plain(&server).await;
    subscriber.send(&subscribe("*")).await;
    subscriber.fence().await;
    let mut publisher = Client::plain(&server).await;
    for frame in [
        &b"\xde\0\x01\xd9\x07Publish\xdc\0\x01\xdc\0\x02\xd9\x01t\xcd\0\x07"[..],
        b"\xdf\0\0\0\x01\xda\0\x07Publish\xdd\0\0\0\x01\xdd\0\0\0\x02\xda\0\x01t\xcd\0\x07",
        b"\x81\xdb\0\0\0\x07Publish\x91\x92\xdb\0\0\0\x01t\xcd\0\x07",
    ] {
        publisher.send(frame).await;
        let message = subscriber.message().await;
        assert_eq!((message.topic.as_str(), message.meta), ("t", None));
        assert_eq!(message.value, b"\xcd\0\x07", "the value's very bytes");
    }
}

#[tokio::test]
async fn a_late_subscriber_gets_the_newest_of_each_topic() {
    let server = server().await;
    let mut publisher = Client::plain(&server).await;
    for (topic, number) in [("house/hall", 1), ("house/hall", 2), ("house/attic", 3), ("garden", 4)] {
        publisher.outgoing.publish(topic, &uint(number)).await;
    }
    publisher.fence().await;
    for (pattern, expected) in [
        ("house/hall", &[("house/hall", 2)][..]),
        ("house/*", &[("house/attic", 3), ("house/hall", 2)]),
        ("{garden,house/attic}", &[("garden", 4), ("house/attic", 3)]),
        ("hous?/h*", &[("house/hall", 2)]),
        ("house", &[]),
    ] {
        let mut late = Client::plain(&server).await;
        late.send(&subscribe(pattern)).await;
        let mut came: Vec<_> =
            late.fence().await.into_iter().map(|message| (message.number(), message.topic)).collect();
        came.sort_by(|one, other| one.1.cmp(&other.1));
        let expected: Vec<_> =
            expected.iter().map(|(topic, number)| (*number, (*topic).to_owned())).collect();
        assert_eq!(came, expected, "{pattern}");
    }
}

#[tokio::test]
async fn a_pattern_that_begins_with_a_wildcard_does_not_show_system_topics() {
    let server = start(|builder| builder.metrics_interval(std::time::Duration::from_millis(20))).await;
    let hiding = ["*", "**", "?system/*", "[!a]system/*", "{!,x}system/*", "{,!system/*}", "*uptime"];
    let mut clients = Vec::new();
    for pattern in hiding {
        let mut client = Client::plain(&server).await;
        client.send(&subscribe(pattern)).await;
        clients.push(client);
    }
    let mut watcher = Client::plain(&server).await;
    watcher.send(&subscribe("!system/*")).await;
    let mut uptimes = 0;
    while uptimes < 4 {
        let message = watcher.message().await;
        assert!(message.topic.starts_with("!system/"), "{}", message.topic);
        uptimes += u32::from(message.topic == "!system/metrics/uptime");
    }
    let mut publisher = Client::plain(&server).await;
    publisher.outgoing.publish("!mine", b"\xc0").await;
    publisher.fence().await;
    for (pattern, client) in hiding.iter().zip(&mut clients) {
        let seen: Vec<_> = client.fence().await.into_iter().map(|message| message.topic).collect();
        assert!(!seen.iter().any(|topic| topic.starts_with('!')), "{pattern} shows {seen:?}");
    }
    for pattern in ["!mine", "!*", "\\!mine", "!m?n[e]", "!{mine,x}"] {
        watcher = Client::plain(&server).await;
        watcher.send(&subscribe(pattern)).await;
        watcher.until("!mine").await;
    }
}

#[tokio::test]
async fn patterns_are_globs_over_characters() {
    let server = server().await;
    let mut publisher = Client::plain(&server).await;
    for (pattern, topic, expected) in [
        ("a*b", "ab", true),
        ("a*b", "a/x/y/b", true),
        ("a**b", "ab", true),
        ("a?b", "ab", false),
        ("день/?", "день/я", true),
        ("день/?", "день/яя", false),
        ("?", "€", true),
        ("[а-я]", "ж", true),
        ("[!а-я]", "ж", false),
        ("a[b-d]", "ac", true),
        ("a[b-d]", "ae", false),
        ("{dev,prod}/x", "prod/x", true),
        ("{dev,prod}/x", "test/x", false),
        ("x{,-{a,b*}}", "x-b/c", true),
        ("x{,-{a,b*}}", "x", true),
        ("x{,-{a,b*}}", "x-c", false),
        ("\\*", "*", true),
        ("\\*", "x", false),
        ("a.b", "axb", false),
        ("A", "a", false),
    ] {
        let mut client = Client::plain(&server).await;
        client.send(&subscribe(pattern)).await;
        client.fence().await;
        publisher.outgoing.publish(topic, b"\x01").await;
        publisher.fence().await;
        let seen = client.fence().await;
        assert_eq!(seen.iter().any(|message| message.topic == topic), expected, "{pattern} and {topic}");
    }
}

#[tokio::test]
async fn a_message_that_matches_several_patterns_comes_once() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    for pattern in ["a/b", "a/*", "*b", "{a,b}/?"] {
        client.send(&subscribe(pattern)).await;
    }
    client.send(&[publish("a/b", &uint(1)), publish("a/b", &uint(2))].concat()).await;
    let numbers = async |client: &mut Client| -> Vec<u64> {
        client.fence().await.iter().map(Message::number).collect()
    };
    assert_eq!(numbers(&mut client).await, [1, 2]);
    for (number, pattern) in (3..).zip(["a/b", "*b", "{a,b}/?"]) {
        client.send(&[unsubscribe(pattern), publish("a/b", &uint(number))].concat()).await;
        assert_eq!(numbers(&mut client).await, [number], "after the end of {pattern}");
    }
    client.send(&[unsubscribe("a/*"), publish("a/b", &uint(6))].concat()).await;
    assert_eq!(numbers(&mut client).await, [0; 0], "after the end of the last");
}

#[tokio::test]
async fn the_same_pattern_twice_is_one_subscription() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    client.send(&[subscribe("a*"), subscribe("a*"), publish("a", &uint(1))].concat()).await;
    assert_eq!(client.fence().await.len(), 1);
    client.send(&[unsubscribe("a*"), publish("a", &uint(2))].concat()).await;
    assert_eq!(client.fence().await, [], "one unsubscribe ends it");
}

#[tokio::test]
async fn a_second_subscription_that_matches_sends_the_retained_message_again() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    client.send(&[publish("a/b", &uint(7)), subscribe("a/b")].concat()).await;
    assert_eq!(client.fence().await.len(), 1);
    client.send(&subscribe("a/*")).await;
    assert_eq!(client.fence().await.iter().map(Message::number).collect::<Vec<_>>(), [7]);
}

#[tokio::test]
async fn an_unsubscribe_ends_exactly_its_pattern() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    let other_spellings = [unsubscribe("a"), unsubscribe("a**"), unsubscribe("*"), unsubscribe("a/b")];
    client.send(&[subscribe("a*"), other_spellings.concat(), publish("a/b", &uint(1))].concat()).await;
    assert_eq!(client.fence().await.len(), 1);
}

#[tokio::test]
async fn what_was_published_before_leaving_arrives() {
    let server = server().await;
    let mut subscriber = Client::plain(&server).await;
    subscriber.send(&subscribe("last-words")).await;
    subscriber.fence().await;
    for round in 0..20 {
        let mut publisher = Client::plain(&server).await;
        let words: Vec<u8> = (0..500).flat_map(|n| publish("last-words", &uint(round * 500 + n))).collect();
        publisher.send(&words).await;
        publisher.leave().await;
        for number in round * 500..(round + 1) * 500 {
            assert_eq!(subscriber.message().await.number(), number);
        }
    }
}

#[tokio::test]
async fn commands_may_come_byte_by_byte() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    let script =
        [subscribe("день/*"), publish("день/1", b"\xc4\x03\x01\x02\x03"), publish("день/2", b"\xcd\x01\x02")];
    for byte in script.concat() {
        client.send(&[byte]).await;
    }
    assert_eq!(client.message().await.value, b"\xc4\x03\x01\x02\x03");
    assert_eq!(client.message().await.value, b"\xcd\x01\x02");
}

#[tokio::test]
async fn every_error_closes_the_connection_without_a_word() {
    let wire = WireLimits { frame_bytes_max: 4096, ..WireLimits::default() };
    let server = limited(Limits { wire, subscriptions_max: 3, ..Limits::default() }).await;
    let mut witness = Client::plain(&server).await;
    witness.send(&subscribe("before/*")).await;
    witness.fence().await;
    let with = |options: Value| command("Subscribe", vec!["a".into(), options]);
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("malformed", b"\x05".to_vec()),
        ("malformed", b"\xc1".to_vec()),
        ("no argument", command("Subscribe", vec![])),
        ("a number for a pattern", command("Subscribe", vec![1.into()])),
        ("a publish of one", command("Publish", vec![Value::Array(vec!["a".into()])])),
        ("a publish of three", command("Publish", vec![Value::Array(vec!["a".into(), 1.into(), 2.into()])])),
        ("unknown command", command("Fly", vec!["a".into()])),
        ("empty topic", publish("", b"\xc0")),
        ("long topic", publish(&"x".repeat(1025), b"\xc0")),
        ("control character", publish("a\u{7f}", b"\xc0")),
        ("control character", publish("a\u{9f}b", b"\xc0")),
        ("not UTF-8", b"\x81\xa7Publish\x91\x92\xa2\xff\xfe\xc0".to_vec()),
        ("empty pattern", subscribe("")),
        ("long pattern", subscribe(&"x".repeat(1025))),
        ("a class without an end", subscribe("[a")),
        ("too many stars", subscribe(&"*a".repeat(17))),
        ("too large", publish("a", &encode(&Value::Binary(vec![0; 5000])))),
        ("too large, by its header", b"\x81\xa7Publish\x91\x92\xa1a\xc6\xff\xff\xff\xff".to_vec()),
        ("too deep", publish("a", &[vec![0x91; 129], vec![0xc0]].concat())),
        ("too many", ["1", "2", "3", "4"].map(subscribe).concat()),
        ("reserved", publish("!system/x", b"\xc0")),
        ("an option", with(map(&[("id", 1.into())]))),
        ("an option", with(map(&[("retained", false.into())]))),
        ("an option", publish_with("a", 1, &[("retain", false.into())])),
        ("Ping", command("Ping", vec![])),
        ("Pong", command("Pong", vec![])),
        ("Close", command("Close", vec![])),
    ];
    for (number, (what, frame)) in frames.into_iter().enumerate() {
        let mut client = Client::plain(&server).await;
        // What stands before it in the same write is in force, what stands behind it is not.
        let topic = format!("before/{number}");
        let all = [publish(&topic, &uint(1)), frame, publish("before/never", &uint(2))].concat();
        client.send(&all).await;
        assert_eq!(client.incoming.rest().await, [], "{what}");
        assert_eq!(witness.message().await.topic, topic, "{what}");
    }
    assert_eq!(witness.fence().await, []);
}

#[tokio::test]
async fn reply_addresses_are_not_retained() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    for topic in ["!inbox/a/1", "_INBOX.a.1", "_INBOX", "!inboxes"] {
        client.outgoing.publish(topic, b"\x01").await;
    }
    client.send(&[subscribe("!inbox*"), subscribe("_INBOX*")].concat()).await;
    let topics: Vec<_> = client.fence().await.into_iter().map(|message| message.topic).collect();
    assert_eq!(topics, ["!inboxes", "_INBOX"]);
}
