//! Every row of the table of errors: its number, whether it closes, and that what failed had no effect.

use broker_server::{Limits, WireLimits};
use rmpv::Value;

use crate::support::*;

fn hello(options: &[(&str, Value)]) -> Vec<u8> {
    command("Hello", vec![map(options)])
}

/// Sends a command that fails and leaves the connection open. It is answered with `id` if it has one.
async fn check_refused(client: &mut Client, what: &str, frame: &[u8], id: Option<u64>, code: u64) {
    client.send(frame).await;
    let expected = (id.map_or(Value::Nil, Value::from), Err(code));
    assert_eq!(client.incoming.answer().await, expected, "{what}");
    client.flush().await;
}

/// Sends a command that fails and closes the connection.
async fn check_closes(mut client: Client, what: &str, frame: &[u8], code: u64, reason: &str) {
    client.send(frame).await;
    assert_eq!(client.incoming.answer().await.1, Err(code), "{what}");
    assert_eq!(client.incoming.goodbye().await, reason, "{what}");
}

#[tokio::test]
async fn malformed_closes() {
    let server = server().await;
    let array = |values: &[i32]| Value::Array(values.iter().map(|value| Value::from(*value)).collect());
    for (what, frame) in [
        ("a marker that is never used", b"\xc1".to_vec()),
        ("an integer", b"\x05".to_vec()),
        ("a message", message("a", b"\xc0")),
        ("an empty map", b"\x80".to_vec()),
        ("two entries", b"\x82\xa9Subscribe\x91\xa1a\xabUnsubscribe\x91\xa1a".to_vec()),
        ("a name that is no str", b"\x81\x01\x90".to_vec()),
        ("no array of arguments", b"\x81\xa9Subscribe\xa1a".to_vec()),
        ("no pattern", command("Subscribe", vec![])),
        ("a pattern that is no str", command("Subscribe", vec![5.into()])),
        ("two patterns", command("Subscribe", vec!["a".into(), "b".into()])),
        ("no pattern to end", command("Unsubscribe", vec![])),
        ("nothing to publish", command("Publish", vec![])),
        ("a publish without its pair", command("Publish", vec!["a".into(), 1.into()])),
        ("a topic without a value", command("Publish", vec![Value::Array(vec!["a".into()])])),
        ("a topic that is no str", command("Publish", vec![array(&[1, 2])])),
        ("Ping with a number", command("Ping", vec![1.into()])),
        ("Close with a number", command("Close", vec![1.into()])),
        ("Hello without its map", command("Hello", vec![])),
    ] {
        check_closes(Client::hello(&server).await, what, &frame, 1, "malformed").await;
    }
}

#[tokio::test]
async fn unknown_commands_are_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for (what, frame) in [
        ("a name", command("Fly", vec!["a".into()])),
        ("no arguments", command("", vec![])),
        ("another case", command("subscribe", vec!["a".into()])),
    ] {
        check_refused(&mut client, what, &frame, None, 2).await;
    }
}

/// The last argument of a command may be a map of options, and an `id` in it asks for an answer: also one of a later version, whose
/// sender would wait for ever.
#[tokio::test]
async fn unknown_commands_are_answered_with_their_id() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let frame = command("Fly", vec!["a".into(), map(&[("id", 5.into())])]);
    check_refused(&mut client, "with an id", &frame, Some(5), 2).await;
}

#[tokio::test]
async fn invalid_topics_are_refused() {
    let server = server().await;
    let mut witness = Client::hello(&server).await;
    witness.subscribe("*").await;
    let mut client = Client::hello(&server).await;
    let long = "x".repeat(1025);
    for topic in ["", &long, "a\0", "\u{1f}", "a\u{7f}b", "a\u{80}", "\u{9f}"] {
        check_refused(&mut client, &format!("{topic:?}"), &publish(topic, b"\xc0"), None, 3).await;
        let frame = publish_with(topic, 1, &[("id", 8.into())]);
        check_refused(&mut client, &format!("{topic:?} with an id"), &frame, Some(8), 3).await;
    }
    for topic in [&b"\xa2\xff\xfe"[..], b"\xa1\xc3", b"\xa3\xed\xa0\x80"] {
        let frame = [&b"\x81\xa7Publish\x91\x92"[..], topic, b"\xc0"].concat();
        check_refused(&mut client, "not UTF-8", &frame, None, 3).await;
    }
    let longest = "x".repeat(1024);
    for topic in [" ", "\u{a0}", "!", "€", &longest] {
        assert_eq!(client.publish(topic, 1).await, u64::from(topic != "!"), "{topic:?} is a topic");
    }
    assert_eq!(witness.message().await.topic, " ", "nothing came of what was refused");
}

#[tokio::test]
async fn invalid_patterns_are_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let (long, stars) = ("x".repeat(1025), "*a".repeat(17));
    let alternatives = "{a,b}".repeat(6) + "{a,b,c}";
    for pattern in ["", &long, &stars, &alternatives, "[", "[a", "[z-a]", "{a", "a{b,{c}", "\\", "a\\"] {
        check_refused(&mut client, &format!("{pattern:?}"), &subscribe(pattern), None, 4).await;
        let frame = command("Subscribe", vec![pattern.into(), map(&[("id", 9.into())])]);
        check_refused(&mut client, &format!("{pattern:?} with an id"), &frame, Some(9), 4).await;
    }
    let (longest, stars, alternatives) = ("x".repeat(1024), "*a".repeat(16), "{a,b}".repeat(6));
    for pattern in [&longest, &stars, &alternatives, "*******************", "]", "}", ",", "\\[", "[!a]"] {
        client.subscribe(pattern).await;
    }
}

/// Likewise, says the table: what a topic must be, a pattern must be.
#[tokio::test]
async fn patterns_that_are_not_utf_8_are_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    check_refused(&mut client, "not UTF-8", b"\x81\xa9Subscribe\x91\xa2\xff\xfe", None, 4).await;
}

#[tokio::test]
async fn patterns_with_control_characters_are_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for pattern in ["a\0", "\u{7f}*", "\u{80}", "[\u{1f}]", "{a,\u{9f}}"] {
        assert_eq!(client.ask("Subscribe", vec![pattern.into()], &[]).await, Err(4), "{pattern:?}");
    }
}

/// An empty array is a level as any other: a decoder that recurses enters it.
#[tokio::test]
async fn an_empty_array_or_map_is_a_level_too() {
    let wire = WireLimits { depth_max: 4, ..WireLimits::default() };
    let server = limited(Limits { wire, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    client.send(&publish("a", b"\x91\x91\x91\x90")).await;
    client.flush().await;
    for value in [&b"\x91\x91\x91\x91\x90"[..], b"\x91\x91\x91\x91\x80"] {
        let mut client = Client::hello(&server).await;
        client.send(&[publish("a", value), command("Close", vec![])].concat()).await;
        let goodbye = client.incoming.rest().await.pop();
        assert!(
            matches!(&goodbye, Some(Frame::Event(name, reason)) if name == "Goodbye" && reason[0] == "too-large".into()),
            "{goodbye:?}"
        );
    }
}

#[tokio::test]
async fn too_large_closes() {
    let wire = WireLimits { frame_bytes_max: 2_000, depth_max: 4 };
    let server = limited(Limits { wire, ..Limits::default() }).await;
    for (what, frame) in [
        ("a whole frame", publish("a", &encode(&Value::Binary(vec![0; 2_000])))),
        ("one byte more", publish("a", &encode(&Value::Binary(vec![0; 2_000 - 15])))),
        ("a header of bin", b"\x81\xa7Publish\x91\x92\xa1a\xc6\xff\xff\xff\xff".to_vec()),
        ("a header of str", b"\x81\xdb\xff\xff\xff\xff".to_vec()),
        ("a header of array", b"\x81\xa7Publish\xdd\xff\xff\xff\xff".to_vec()),
        ("a header of map", b"\xdf\xff\xff\xff\xff".to_vec()),
        ("a header of ext", b"\x81\xa7Publish\x91\x92\xa1a\xc9\x7f\xff\xff\xff\x05".to_vec()),
        ("too deep", publish("a", b"\x91\x91\x91\x91\x91\xc0")),
        ("too deep, in a map", publish("a", b"\x81\x01\x81\x01\x81\x01\x81\x01\x81\x01\x01")),
    ] {
        check_closes(Client::hello(&server).await, what, &frame, 5, "too-large").await;
    }
    let mut client = Client::hello(&server).await;
    let largest = publish("a", &encode(&Value::Binary(vec![0; 2_000 - 16])));
    assert_eq!(largest.len(), 2_000);
    client.send(&[largest, publish("a", b"\x91\x91\x91\x91\xc0")].concat()).await;
    client.flush().await;
}

#[tokio::test]
async fn too_many_subscriptions_are_refused() {
    let server = limited(Limits { subscriptions_max: 3, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    let mut other = Client::hello(&server).await;
    for pattern in ["1", "2*", "3", "3"] {
        client.subscribe(pattern).await;
    }
    check_refused(&mut client, "exact", &subscribe("4"), None, 6).await;
    check_refused(&mut client, "a pattern", &subscribe("*"), None, 6).await;
    client.subscribe_with("2*", &[("meta", true.into())]).await;
    other.subscribe("4").await;
    assert_eq!(client.publish("4", 1).await, 1, "it goes to the other only");
    assert!(client.unsubscribe("1").await);
    client.subscribe("4").await;
    assert_eq!(client.message().await.number(), 1);
    check_refused(&mut client, "full again", &subscribe("1"), None, 6).await;
}

#[tokio::test]
async fn invalid_options_are_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let mut witness = Client::hello(&server).await;
    witness.subscribe("a").await;
    let list = || Value::Array(vec![1.into()]);
    let subscribe: &[(&str, Value)] = &[
        ("new", 1.into()),
        ("reply", "a".into()),
        ("policy", "blok".into()),
        ("policy", 1.into()),
        ("retained", "no".into()),
        ("retained", Value::Nil),
        ("meta", 1.into()),
        ("max_rate", 0.into()),
        ("max_rate", "1".into()),
    ];
    let publish: &[(&str, Value)] = &[
        ("ttl", 0.into()),
        ("ttl", "1".into()),
        ("policy", "skip".into()),
        ("reply", 1.into()),
        ("headers", list()),
        ("headers", map(&[("a", 1.into())])),
        ("headers", Value::Map(vec![(1.into(), "a".into())])),
        ("key", 1.into()),
        ("retain", "yes".into()),
    ];
    for (key, value) in subscribe {
        for name in ["Subscribe", "Unsubscribe"] {
            let refused = client.ask(name, vec!["a".into()], &[(key, value.clone())]).await;
            assert_eq!(refused, Err(7), "{name} with {key} {value}");
        }
    }
    for (key, value) in publish {
        let pair = Value::Array(vec!["a".into(), 1.into()]);
        let refused = client.ask("Publish", vec![pair], &[(key, value.clone())]).await;
        assert_eq!(refused, Err(7), "Publish with {key} {value}");
    }
    assert_eq!(client.ask("Ping", vec![], &[("new", 1.into())]).await, Err(7));
    for id in [Value::from(-1), "1".into(), 1.5.into(), Value::Nil] {
        let frame = command("Ping", vec![map(&[("id", id.clone())])]);
        check_refused(&mut client, &format!("id {id}"), &frame, None, 7).await;
    }
    assert_eq!(client.publish("a", 2).await, 1, "no subscription came of it");
    assert_eq!(witness.message().await.number(), 2, "no message came of it");
}

#[tokio::test]
async fn reply_addresses_must_be_topics() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for reply in ["", "a\0"] {
        let pair = Value::Array(vec!["a".into(), 1.into()]);
        let refused = client.ask("Publish", vec![pair], &[("reply", reply.into())]).await;
        assert!(refused.is_err(), "a reply to {reply:?} could never arrive");
    }
}

#[tokio::test]
async fn unsupported_versions_close() {
    let server = server().await;
    for version in [Value::from(0), 2.into(), u64::MAX.into()] {
        let what = format!("version {version}");
        check_closes(
            Client::plain(&server).await,
            &what,
            &hello(&[("version", version)]),
            8,
            "unsupported-version",
        )
        .await;
    }
}

#[tokio::test]
async fn a_hello_that_is_refused_does_not_count() {
    let server = server().await;
    for frame in [
        hello(&[]),
        hello(&[("name", "x".into())]),
        hello(&[("version", "1".into())]),
        hello(&[("version", 1.into()), ("name", 1.into())]),
    ] {
        let mut client = Client::plain(&server).await;
        client.send(&[frame.clone(), command("Close", vec![])].concat()).await;
        let welcomed = |frame: &Frame| matches!(frame, Frame::Event(name, _) if name == "Welcome");
        assert!(!client.incoming.rest().await.iter().any(welcomed), "{frame:x?}");
    }
}

#[tokio::test]
async fn reserved_topics_are_refused() {
    let server = server().await;
    let mut witness = Client::hello(&server).await;
    for pattern in ["!system/", "!system/mx", "!system/*/x"] {
        witness.subscribe(pattern).await;
    }
    let mut client = Client::hello(&server).await;
    for topic in ["!system/", "!system/mx", "!system/metrics/x"] {
        check_refused(&mut client, topic, &publish(topic, b"\xc0"), None, 9).await;
    }
    for topic in ["!system", "!systems/m", "!mine"] {
        assert_eq!(client.publish(topic, 1).await, 0, "{topic} is not reserved");
    }
    assert_eq!(witness.fence().await, []);
}

#[tokio::test]
async fn a_second_hello_is_refused() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let again = hello(&[("version", 1.into())]);
    check_refused(&mut client, "again", &again, None, 10).await;
    client.subscribe("a").await;
    assert_eq!(client.publish("a", 1).await, 1);
}

#[tokio::test]
async fn an_error_comes_in_the_order_of_the_commands_and_after_their_effects() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client
        .send(&[subscribe("a"), publish("a", &uint(1)), b"\x05".to_vec(), publish("a", &uint(2))].concat())
        .await;
    assert_eq!(client.message().await.number(), 1);
    assert_eq!(client.incoming.answer().await, (Value::Nil, Err(1)));
    assert_eq!(client.incoming.goodbye().await, "malformed");
}
