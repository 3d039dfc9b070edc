//! With `Hello`: the welcome, answers and their order, `Ping` and `Close`.

mod errors;
mod options;

use std::collections::BTreeSet;

use broker_core::glob_tree::PatternLimits;
use broker_server::{Limits, WireLimits};
use rmpv::Value;

use crate::support::*;

#[tokio::test]
async fn welcome_tells_the_limits() {
    let limits = Limits {
        wire: WireLimits { frame_bytes_max: 1 << 20, depth_max: 20 },
        topic_bytes_max: 100,
        pattern: PatternLimits { bytes_max: 200, ..PatternLimits::default() },
        subscriptions_max: 5,
        outbox_bytes_max: 2 << 20,
        idle_timeout_ms: 30_000,
        ..Limits::default()
    };
    let server = limited(limits).await;
    let client = Client::hello(&server).await;
    let welcome = &client.welcome;
    let limit = |name| count(welcome, name);
    assert_eq!(get(welcome, "server").as_str(), Some("broker-server"));
    assert_eq!(get(welcome, "version").as_str(), Some(broker_server::VERSION));
    assert_eq!(limit("protocol"), 1);
    assert_eq!((limit("frame_bytes_max"), limit("depth_max")), (1 << 20, 20));
    assert_eq!((limit("topic_bytes_max"), limit("pattern_bytes_max")), (100, 200));
    assert_eq!((limit("subscriptions_max"), limit("outbox_bytes_max")), (5, 2 << 20));
    assert_eq!(limit("idle_timeout_ms"), 30_000);
}

#[tokio::test]
async fn welcome_tells_the_defaults_of_the_specification() {
    let server = server().await;
    let client = Client::hello(&server).await;
    let expected = [
        ("frame_bytes_max", 8_388_608),
        ("topic_bytes_max", 1024),
        ("pattern_bytes_max", 1024),
        ("subscriptions_max", 100_000),
        ("depth_max", 128),
        ("outbox_bytes_max", 8_388_608),
        ("idle_timeout_ms", 60_000),
    ];
    for (name, number) in expected {
        assert_eq!(count(&client.welcome, name), number, "{name}");
    }
    let unlimited = limited(Limits { idle_timeout_ms: 0, ..Limits::default() }).await;
    assert_eq!(count(&Client::hello(&unlimited).await.welcome, "idle_timeout_ms"), 0);
}

#[tokio::test]
async fn every_session_has_a_number_of_its_own() {
    let server = server().await;
    let mut numbers = BTreeSet::new();
    for _ in 0..20 {
        let client = Client::hello(&server).await;
        assert!(numbers.insert(client.session()));
        client.leave().await;
    }
}

#[tokio::test]
async fn a_name_is_optional_and_bounded() {
    let server = server().await;
    let hello = |name: &str| command("Hello", vec![map(&[("version", 1.into()), ("name", name.into())])]);
    for frame in [command("Hello", vec![map(&[("version", 1.into())])]), hello(""), hello(&"x".repeat(256))] {
        let mut client = Client::plain(&server).await;
        client.send(&frame).await;
        client.incoming.event("Welcome").await;
    }
    let mut client = Client::plain(&server).await;
    client.send(&[hello(&"x".repeat(257)), command("Close", vec![])].concat()).await;
    let frames = client.incoming.rest().await;
    let welcomed = |frame: &Frame| matches!(frame, Frame::Event(name, _) if name == "Welcome");
    assert!(!frames.iter().any(welcomed), "a name that is too long is refused: {frames:?}");
}

#[tokio::test]
async fn hello_may_come_late() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    client.send(&[subscribe("a"), publish("a", &uint(1))].concat()).await;
    assert_eq!(client.message().await.number(), 1);
    client = client.introduced("late").await;
    assert_eq!(client.publish("a", 2).await, 1, "the subscription stands");
    assert_eq!(client.message().await.number(), 2);
}

#[tokio::test]
async fn results_of_the_commands() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    assert_eq!(client.ask("Subscribe", vec!["a*".into()], &[]).await, Ok(Value::Nil));
    assert_eq!(client.ask("Subscribe", vec!["a*".into()], &[]).await, Ok(Value::Nil), "again");
    assert_eq!(client.ask("Ping", vec![], &[]).await, Ok(Value::Nil));
    assert_eq!(client.publish("a", 1).await, 1);
    assert!(client.unsubscribe("a*").await);
    assert!(!client.unsubscribe("a*").await, "there is none any more");
    assert!(!client.unsubscribe("never").await);
    assert_eq!(client.publish("a", 1).await, 0);
}

#[tokio::test]
async fn a_publish_counts_the_sessions_that_it_went_to() {
    let server = server().await;
    let mut publisher = Client::hello(&server).await;
    assert_eq!(publisher.publish("t/1", 0).await, 0);
    let mut others =
        [Client::hello(&server).await, Client::hello(&server).await, Client::hello(&server).await];
    for pattern in ["t/1", "t/*", "*"] {
        others[0].subscribe(pattern).await;
    }
    assert_eq!(publisher.publish("t/1", 1).await, 1, "one session with three subscriptions");
    others[1].subscribe("t/?").await;
    others[2].subscribe("t/2").await;
    publisher.subscribe("t/1").await;
    assert_eq!(publisher.publish("t/1", 2).await, 3, "the publisher itself too");
    let [first, second, third] = others;
    first.leave().await;
    drop((second, third));
    eventually("only the publisher is left", || server.broker().connections() == 1).await;
    assert_eq!(publisher.publish("t/1", 3).await, 1);
}

#[tokio::test]
async fn any_id_is_answered_with_itself() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for id in [0, 1, 127, 128, 65_536, u64::from(u32::MAX) + 1, u64::MAX, 1] {
        client.send(&command("Ping", vec![map(&[("id", id.into())])])).await;
        assert_eq!(client.incoming.answer().await, (id.into(), Ok(Value::Nil)));
    }
    client.send(b"\x81\xa4Ping\x91\x81\xa2id\xcf\0\0\0\0\0\0\0\x05").await;
    assert_eq!(client.incoming.answer().await.0, 5.into(), "in any encoding");
}

#[tokio::test]
async fn commands_without_an_id_are_answered_only_when_they_fail() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let frames = [
        subscribe("x"),
        command("Subscribe", vec!["y".into(), map(&[("meta", true.into())])]),
        command("Subscribe", vec!["z".into(), map(&[])]),
        publish("nobody", b"\xc0"),
        publish_with("nobody", 1, &[("retain", false.into())]),
        unsubscribe("x"),
        command("Pong", vec![]),
        publish("", b"\xc0"),
        command("Ping", vec![]),
    ];
    client.send(&frames.concat()).await;
    assert_eq!(client.incoming.answer().await, (Value::Nil, Err(3)), "the first frame that comes");
    assert_eq!(client.incoming.event("Pong").await, []);
}

#[tokio::test]
async fn ping_without_an_id_is_answered_with_pong() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    for frame in [command("Ping", vec![]), command("Ping", vec![map(&[])])] {
        client.send(&frame).await;
        assert_eq!(client.incoming.event("Pong").await, []);
    }
}

#[tokio::test]
async fn close_sends_what_waits_and_says_goodbye() {
    let server = server().await;
    let mut publisher = Client::hello(&server).await;
    for number in 0..2_000 {
        publisher.outgoing.publish(&format!("t/{number}"), &padded(number, 500)).await;
    }
    publisher.flush().await;
    for arguments in [vec![], vec![map(&[])]] {
        let mut client = Client::hello(&server).await;
        client.send(&[subscribe("t/*"), command("Close", arguments)].concat()).await;
        let mut seen = BTreeSet::new();
        for _ in 0..2_000 {
            assert!(seen.insert(client.message().await.topic));
        }
        assert_eq!(client.incoming.goodbye().await, "closed");
    }
    eventually("the sessions are gone", || server.broker().connections() == 1).await;
}

/// The id of an answer, and the result or the code. `Pong` counts as the answer 0.
type Answer = (u64, Result<Value, u64>);

/// A script that uses every command, and the answers that it gets, in order.
fn script() -> (Vec<u8>, Vec<Answer>) {
    let (mut bytes, mut answers) = (Vec::new(), Vec::new());
    let id = |id: u64| map(&[("id", id.into())]);
    let mut step = |frame: Vec<u8>, answer: Option<Answer>| {
        bytes.extend(frame);
        answers.extend(answer);
    };
    for round in 0..200 {
        let at = 10 * round;
        let pattern = format!("p{}", round % 7);
        step(command("Subscribe", vec!["[".into(), id(at + 1)]), Some((at + 1, Err(4))));
        step(command("Subscribe", vec![pattern.as_str().into(), id(at + 2)]), Some((at + 2, Ok(Value::Nil))));
        step(publish_with("nobody", 1, &[("id", (at + 3).into())]), Some((at + 3, Ok(0.into()))));
        step(publish("nobody", b"\x91\xc0"), None);
        step(command("Ping", vec![]), Some((0, Ok(Value::Nil))));
        step(
            command("Unsubscribe", vec![pattern.as_str().into(), id(at + 4)]),
            Some((at + 4, Ok(true.into()))),
        );
        step(unsubscribe("absent"), None);
        step(publish_with("!system/x", 1, &[("id", (at + 5).into())]), Some((at + 5, Err(9))));
        step(command("Ping", vec![id(at + 6)]), Some((at + 6, Ok(Value::Nil))));
    }
    (bytes, answers)
}

async fn check_answers(client: &mut Client, answers: Vec<Answer>) {
    for expected in answers {
        if expected.0 == 0 {
            client.incoming.event("Pong").await;
        } else {
            let (id, result) = client.incoming.answer().await;
            assert_eq!((id.as_u64().unwrap(), result), expected);
        }
    }
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let (bytes, answers) = script();
    client.send(&bytes).await;
    check_answers(&mut client, answers).await;
    client.flush().await;
}

#[tokio::test]
async fn commands_cut_byte_by_byte_are_answered_the_same() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    let hello = command("Hello", vec![map(&[("version", 1.into()), ("name", "slow typist".into())])]);
    let (script, answers) = script();
    let (script, answers) = (&script[..script.len() / 20], &answers[..answers.len() / 20]);
    for byte in [&hello, script].concat() {
        client.send(&[byte]).await;
    }
    client.incoming.event("Welcome").await;
    check_answers(&mut client, answers.to_vec()).await;
}

#[tokio::test]
async fn commands_cut_anywhere_are_answered_the_same() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let (script, answers) = script();
    let mut rng = Rng(7);
    let mut rest = &script[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 + usize::try_from(rng.below(90)).unwrap()));
        client.send(now).await;
        tokio::task::yield_now().await;
        rest = later;
    }
    check_answers(&mut client, answers).await;
}

#[tokio::test]
async fn ping_comes_after_the_effects_of_all_before_it() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    let mut frames = subscribe("echo");
    for number in 0..3_000 {
        frames.extend(publish("echo", &uint(number)));
    }
    frames.extend(command("Ping", vec![map(&[("id", 1.into())])]));
    client.send(&frames).await;
    for number in 0..3_000 {
        assert_eq!(client.message().await.number(), number);
    }
    assert_eq!(client.incoming.answer().await, (1.into(), Ok(Value::Nil)));
}
