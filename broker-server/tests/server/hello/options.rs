//! Options of subscribe and publish, and what comes of them: retained messages or none, meta, replies.

use std::time::{SystemTime, UNIX_EPOCH};

use rmpv::Value;

use crate::support::*;

/// What a new subscription to `pattern` gets at once.
async fn retained(client: &mut Client, pattern: &str) -> Vec<Message> {
    client.subscribe(pattern).await;
    let seen = client.fence().await;
    client.unsubscribe(pattern).await;
    seen
}

#[tokio::test]
async fn ok_of_a_subscribe_comes_before_the_retained_messages() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for topic in ["t/1", "t/2", "t/3"] {
        client.publish(topic, 1).await;
    }
    for (pattern, expected) in [("t/1", 1), ("t/*", 3)] {
        client.send(&command("Subscribe", vec![pattern.into(), map(&[("id", 4.into())])])).await;
        assert_eq!(client.incoming.answer().await, (4.into(), Ok(Value::Nil)));
        for _ in 0..expected {
            client.message().await;
        }
    }
}

#[tokio::test]
async fn retained_false_shows_later_messages_only() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client.publish("t/1", 1).await;
    client.subscribe_with("t/1", &[("retained", false.into())]).await;
    client.subscribe_with("t/*", &[("retained", false.into())]).await;
    assert_eq!(client.fence().await, []);
    assert_eq!(client.publish("t/1", 2).await, 1);
    assert_eq!(client.message().await.number(), 2);
    client.subscribe_with("t/?", &[("retained", true.into())]).await;
    assert_eq!(client.message().await.number(), 2, "true is the default said aloud");
}

#[tokio::test]
async fn retain_false_is_not_kept() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client.publish_with("t/1", 1, &[("retain", false.into())]).await;
    assert_eq!(retained(&mut client, "t/*").await, []);
    client.publish_with("t/1", 2, &[("retain", true.into())]).await;
    client.publish_with("t/1", 3, &[("retain", false.into())]).await;
    let seen = retained(&mut client, "t/1").await;
    assert!(seen.iter().all(|message| message.number() == 2), "what was not to be kept is not: {seen:?}");
    client.subscribe_with("t/1", &[("retained", false.into())]).await;
    client.publish_with("t/1", 4, &[("retain", false.into())]).await;
    assert_eq!(client.message().await.number(), 4, "it is delivered all the same");
}

#[tokio::test]
async fn meta_tells_what_was_published() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let mut plain = Client::plain(&server).await;
    plain.send(&subscribe("t/*")).await;
    plain.fence().await;
    client.subscribe_with("t/*", &[("meta", true.into())]).await;
    let unix_ms =
        || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let headers = map(&[("unit", "K"), ("", "день")].map(|(key, value)| (key, value.into())));
    let bin_key = Value::Binary(vec![0, 255]);
    for (options, keys_expected) in [
        (vec![], vec!["time"]),
        (vec![("reply", "!inbox/1/2".into())], vec!["reply", "time"]),
        (vec![("headers", headers.clone())], vec!["headers", "time"]),
        (vec![("key", "k".into())], vec!["key", "time"]),
        (vec![("key", bin_key.clone())], vec!["key", "time"]),
        (
            vec![("reply", "back".into()), ("headers", headers), ("key", bin_key), ("retain", true.into())],
            vec!["headers", "key", "reply", "time"],
        ),
    ] {
        let before = unix_ms();
        client.publish_with("t/1", 7, &options).await;
        let message = client.message().await;
        let meta = message.meta.clone().expect("a third element");
        let time = count(&meta, "time");
        assert!((before..=unix_ms()).contains(&time), "{before} <= {time}");
        assert_eq!(keys(&meta), keys_expected, "{options:?}");
        for (key, value) in options.iter().filter(|(key, _)| *key != "retain") {
            assert_eq!(get(&meta, key), value, "as published");
        }
        let without = plain.message().await;
        assert_eq!((without.meta, without.value), (None, message.value), "who did not ask gets two elements");
    }
}

#[tokio::test]
async fn a_retained_message_keeps_its_meta() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let options = [
        ("reply", "back".into()),
        ("headers", map(&[("unit", "K".into())])),
        ("key", Value::Binary(vec![0, 255])),
        ("retain", true.into()),
    ];
    client.publish_with("t/1", 7, &options).await;
    client.subscribe_with("t/1", &[("meta", true.into())]).await;
    let meta = client.message().await.meta.unwrap();
    assert_eq!(get(&meta, "retained"), &Value::from(true));
    assert_eq!(get(&meta, "headers"), &map(&[("unit", "K".into())]));
    assert_eq!(get(&meta, "key"), &Value::Binary(vec![0, 255]));
    // It would not have been retained had its publisher not asked for it.
    assert_eq!(keys(&meta), ["headers", "key", "reply", "retained", "time"]);
}

#[tokio::test]
async fn a_publish_without_options_has_the_time_as_meta() {
    let server = server().await;
    let mut plain = Client::plain(&server).await;
    let mut client = Client::hello(&server).await;
    plain.send(&publish("t", b"\x91\xc0")).await;
    plain.fence().await;
    client.subscribe_with("t", &[("meta", true.into())]).await;
    let first = client.message().await;
    assert_eq!(keys(&first.meta.unwrap()), ["retained", "time"]);
    plain.send(&publish("t", b"\xc4\x01x")).await;
    let second = client.message().await;
    assert_eq!((keys(&second.meta.unwrap()), &second.value[..]), (vec!["time"], &b"\xc4\x01x"[..]));
}

#[tokio::test]
async fn meta_comes_if_one_of_several_subscriptions_asked_for_it() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client.subscribe("a/*").await;
    client.subscribe_with("a/b", &[("meta", true.into())]).await;
    client.subscribe("*/b").await;
    client.publish("a/b", 1).await;
    assert!(client.message().await.meta.is_some());
    client.publish("a/c", 2).await;
    assert!(client.message().await.meta.is_none());
    client.unsubscribe("a/b").await;
    client.publish("a/b", 3).await;
    assert!(client.message().await.meta.is_none());
    client.subscribe_with("a*", &[("meta", true.into())]).await;
    client.fence().await;
    client.publish("a/b", 4).await;
    assert!(client.message().await.meta.is_some(), "a pattern as well");
}

#[tokio::test]
async fn subscribing_again_replaces_the_options() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for pattern in ["t/1", "t/*"] {
        for meta in [false, true, false] {
            let options = [("meta", meta.into()), ("retained", false.into())];
            client.subscribe_with(pattern, &options).await;
            assert_eq!(client.publish("t/1", 1).await, 1);
            assert_eq!(client.message().await.meta.is_some(), meta, "{pattern}");
        }
        assert!(client.unsubscribe(pattern).await);
        assert_eq!(client.publish("t/1", 1).await, 0, "{pattern} was one subscription");
    }
}

#[tokio::test]
async fn a_publish_with_a_reply_is_retained_only_if_it_says_so() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client.publish_with("t", 1, &[("reply", "!inbox/1/1".into())]).await;
    assert_eq!(retained(&mut client, "t").await, []);
    client.publish_with("t", 2, &[("reply", "!inbox/1/1".into()), ("retain", true.into())]).await;
    assert_eq!(retained(&mut client, "t").await.len(), 1);
}

#[tokio::test]
async fn reply_addresses_are_never_retained() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for topic in ["!inbox/x/1", "_INBOX.x.1"] {
        client.publish(topic, 1).await;
        client.publish_with(topic, 2, &[("retain", true.into())]).await;
        assert_eq!(retained(&mut client, topic).await, [], "{topic}");
    }
}

#[tokio::test]
async fn request_and_reply() {
    let server = server().await;
    let mut requester = Client::hello(&server).await;
    let mut replier = Client::hello(&server).await;
    requester.subscribe("!inbox/4711/*").await;
    let reply = |number: u32| [("reply", Value::from(format!("!inbox/4711/{number}")))];
    assert_eq!(requester.publish_with("sum", 1, &reply(1)).await, 0, "nobody answers, and it knows at once");
    replier.subscribe_with("sum", &[("meta", true.into())]).await;
    for number in 2..50 {
        let question = Value::Array(vec![number.into(), 1.into()]);
        assert_eq!(requester.publish_with("sum", question, &reply(number)).await, 1);
        let asked = replier.message().await;
        let meta = asked.meta.clone().unwrap();
        let (back, value) = (get(&meta, "reply").as_str().unwrap(), asked.decoded());
        let sum = value[0].as_u64().unwrap() + value[1].as_u64().unwrap();
        assert_eq!(replier.publish(back, sum).await, 1);
        let answer = requester.message().await;
        assert_eq!((answer.topic, answer.meta), (format!("!inbox/4711/{number}"), None));
        assert_eq!(decode(&answer.value).as_u64(), Some(u64::from(number) + 1));
    }
}
