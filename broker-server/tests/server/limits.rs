//! Limits: of connections, subscriptions, frames, topics, patterns, nesting and silence. Each is told where the client said `Hello`.

use std::time::Duration;

use broker_core::glob_tree::PatternLimits;
use broker_server::{Limits, Server, WireLimits};
use rmpv::Value;

use crate::support::*;

async fn crowded() -> (Server, [Client; 2]) {
    let server = start(|builder| builder.connections_max(2)).await;
    let clients = [Client::hello(&server).await, Client::hello(&server).await];
    (server, clients)
}

fn hello() -> Vec<u8> {
    command("Hello", vec![map(&[("version", 1.into()), ("name", "one too many".into())])])
}

#[tokio::test]
async fn a_connection_too_many_is_told() {
    let (server, [first, mut second]) = crowded().await;
    for _ in 0..3 {
        let mut third = Client::plain(&server).await;
        third.send(&hello()).await;
        assert_eq!(third.incoming.goodbye().await, "too-many-connections");
    }
    second.flush().await;
    first.leave().await;
    eventually("there is a place", || server.broker().connections() == 1).await;
    let mut third = Client::hello(&server).await;
    third.flush().await;
    assert_eq!(server.broker().connections(), 2);
}

#[tokio::test]
async fn a_connection_too_many_is_told_even_if_it_says_more_than_hello() {
    let (server, _clients) = crowded().await;
    for round in 0..20 {
        let mut third = Client::plain(&server).await;
        let more: Vec<u8> = (0..1_000).flat_map(|number| subscribe(&format!("pattern/{number}"))).collect();
        third.send(&[hello(), more].concat()).await;
        let goodbye = third.incoming.event("Goodbye").await;
        assert_eq!(goodbye[0], "too-many-connections".into(), "round {round}");
    }
}

#[tokio::test]
async fn a_connection_too_many_is_told_if_its_hello_comes_in_pieces() {
    let (server, _clients) = crowded().await;
    let mut third = Client::plain(&server).await;
    for byte in hello() {
        third.outgoing.try_send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(third.incoming.goodbye().await, "too-many-connections");
}

#[tokio::test]
async fn a_connection_too_many_without_hello_is_closed_without_a_word() {
    let (server, _clients) = crowded().await;
    let mut silent = Client::plain(&server).await;
    let mut plain = Client::plain(&server).await;
    plain.outgoing.try_send(&subscribe("a")).await;
    assert_eq!(plain.incoming.rest().await, []);
    assert_eq!(silent.incoming.rest().await, []);
}

#[tokio::test]
async fn topics_have_a_length() {
    let server = limited(Limits { topic_bytes_max: 6, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    let mut refused = async |topic: &str| {
        let pair = Value::Array(vec![topic.into(), 1.into()]);
        client.ask("Publish", vec![pair], &[]).await
    };
    assert_eq!(refused("123456").await, Ok(0.into()));
    assert_eq!(refused("день").await, Err(3), "bytes count, not characters");
    assert_eq!(refused("1234567").await, Err(3));
    assert_eq!(refused("ден").await, Ok(0.into()));
}

#[tokio::test]
async fn patterns_have_a_length_and_a_complexity() {
    let pattern = PatternLimits { bytes_max: 12, stars_max: 2, alternatives_max: 4 };
    let server = limited(Limits { pattern, ..Limits::default() }).await;
    let mut client = Client::hello(&server).await;
    for (pattern, expected) in [
        ("123456789012", Ok(Value::Nil)),
        ("1234567890123", Err(4)),
        ("*a*", Ok(Value::Nil)),
        ("*a**", Ok(Value::Nil)),
        ("*a*b*", Err(4)),
        ("{a,b}{c,d}", Ok(Value::Nil)),
        ("{a,b,c,d,e}", Err(4)),
        ("{a,b}{,c,d}", Err(4)),
    ] {
        assert_eq!(client.ask("Subscribe", vec![pattern.into()], &[]).await, expected, "{pattern}");
    }
}

#[tokio::test]
async fn subscriptions_frames_and_nesting_have_limits_without_hello_too() {
    let wire = WireLimits { frame_bytes_max: 1_000, depth_max: 3 };
    let server = limited(Limits { wire, subscriptions_max: 2, ..Limits::default() }).await;
    let fitting = publish("a", &encode(&Value::Binary(vec![0; 1_000 - 16])));
    assert_eq!(fitting.len(), 1_000);
    let mut client = Client::plain(&server).await;
    client.send(&[subscribe("a"), fitting, publish("a", b"\x91\x91\x91\xc0")].concat()).await;
    assert_eq!(client.fence().await.len(), 2, "up to the limits all is well");
    for (what, frame) in [
        ("a third subscription", [subscribe("b"), subscribe("c"), subscribe("d")].concat()),
        ("one byte more", publish("a", &encode(&Value::Binary(vec![0; 1_000 - 15])))),
        ("one level more", publish("a", b"\x91\x91\x91\x91\xc0")),
        ("a header that promises too much", b"\x81\xa7Publish\x91\x92\xa1a\xc5\xff\xff".to_vec()),
    ] {
        let mut client = Client::plain(&server).await;
        client.send(&frame).await;
        assert_eq!(client.incoming.rest().await, [], "{what}");
    }
}

/// What a frame takes is known from its headers, so it is refused before it has come.
#[tokio::test]
async fn a_large_frame_is_refused_before_it_has_come() {
    let server = server().await;
    let mut client = Client::hello(&server).await;
    client.send(b"\x81\xa7Publish\x91\x92\xa1a\xc6\x00\x80\x00\x00").await;
    assert_eq!(client.incoming.answer().await.1, Err(5));
    assert_eq!(client.incoming.goodbye().await, "too-large");
}

const IDLE: Duration = Duration::from_millis(800);

async fn impatient() -> Server {
    let limits = Limits { idle_timeout_ms: 800, ..Limits::default() };
    start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(20))).await
}

#[tokio::test]
async fn silence_after_hello_is_asked_and_then_ended() {
    let server = impatient().await;
    let begun = tokio::time::Instant::now();
    let mut client = Client::hello(&server).await;
    assert_eq!(client.incoming.event("Ping").await, []);
    assert!(begun.elapsed() >= IDLE.mul_f64(0.49), "not before half of the time");
    assert_eq!(client.incoming.goodbye().await, "idle");
    assert!(begun.elapsed() >= IDLE.mul_f64(0.99), "not before all of it");
}

/// A server that was held up, so that it looks too late, asks first: a client that was never asked has done nothing wrong.
#[tokio::test]
async fn nobody_is_ended_who_was_not_asked() {
    let limits = Limits { idle_timeout_ms: 100, ..Limits::default() };
    let server = start(|builder| builder.limits(limits).metrics_interval(IDLE / 2)).await;
    let mut client = Client::hello(&server).await;
    for _ in 0..3 {
        client.incoming.event("Ping").await;
        client.send(&command("Pong", vec![])).await;
    }
    client.incoming.event("Ping").await;
    assert_eq!(client.incoming.goodbye().await, "idle");
}

#[tokio::test]
async fn half_a_frame_after_hello_does_not_help() {
    let server = impatient().await;
    let mut client = Client::hello(&server).await;
    client.send(&publish("a", &[0xc4, 200])[..]).await;
    client.incoming.event("Ping").await;
    assert_eq!(client.incoming.goodbye().await, "idle");
}

#[tokio::test]
async fn who_hears_much_but_says_nothing_is_silent() {
    let server = impatient().await;
    let mut client = Client::hello(&server).await;
    client.subscribe("!system/metrics/*").await;
    let mut frames = client.incoming.rest().await;
    assert!(
        matches!(frames.pop(), Some(Frame::Event(name, arguments)) if name == "Goodbye" && arguments[0] == "idle".into())
    );
    let pings =
        frames.iter().filter(|frame| matches!(frame, Frame::Event(name, _) if name == "Ping")).count();
    assert_eq!(pings, 1);
}

#[tokio::test]
async fn any_frame_answers_a_ping_and_a_plain_subscriber_needs_none() {
    let server = impatient().await;
    let mut subscriber = Client::plain(&server).await;
    subscriber.send(&subscribe("alive")).await;
    let mut client = Client::hello(&server).await;
    let begun = tokio::time::Instant::now();
    let answers = [command("Pong", vec![]), publish("a", b"\xc0"), unsubscribe("x"), command("Pong", vec![])];
    for answer in answers {
        client.incoming.event("Ping").await;
        client.send(&answer).await;
    }
    client.incoming.event("Ping").await;
    assert!(begun.elapsed() > 2 * IDLE, "longer than either may be silent");
    assert_eq!(client.publish("alive", 7).await, 1);
    assert_eq!(subscriber.message().await.number(), 7, "it said nothing for all that time");
}

#[tokio::test]
async fn silence_without_hello_and_without_a_subscription_is_ended() {
    let server = impatient().await;
    let mut silent = Client::plain(&server).await;
    let mut half = Client::plain(&server).await;
    half.send(b"\x81\xa7Publi").await;
    let mut publisher = Client::plain(&server).await;
    publisher.send(&publish("a", b"\x01")).await;
    let mut unsubscribed = Client::plain(&server).await;
    unsubscribed.send(&[subscribe("b"), unsubscribe("b")].concat()).await;
    for client in [&mut silent, &mut half, &mut publisher, &mut unsubscribed] {
        client.incoming.closed().await;
    }
    eventually("nobody is left", || server.broker().connections() == 0).await;
}

#[tokio::test]
async fn no_idle_timeout_ends_nobody() {
    let limits = Limits { idle_timeout_ms: 0, ..Limits::default() };
    let server = start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(20))).await;
    let mut silent = [Client::hello(&server).await, Client::plain(&server).await];
    let mut clock = Client::plain(&server).await;
    clock.send(&subscribe("!system/metrics/uptime")).await;
    for _ in 0..10 {
        clock.message().await;
    }
    for client in &mut silent {
        assert_eq!(client.fence().await, []);
    }
}

#[tokio::test]
async fn connects_and_closes_leave_nothing_behind() {
    let server = server().await;
    let tasks = server.tasks();
    for round in 0..200 {
        let mut client = Client::plain(&server).await;
        match round % 4 {
            0 => drop(client),
            1 => client.leave().await,
            2 => {
                client = client.introduced("leaving").await;
                client.subscribe("a*").await;
                client.send(&command("Close", vec![])).await;
                assert_eq!(client.incoming.goodbye().await, "closed");
            }
            _ => client.send(&[subscribe("a"), subscribe("b*"), b"\x81\xa7Pub".to_vec()].concat()).await,
        }
    }
    eventually("no session", || server.broker().connections() == 0).await;
    eventually("no task", || server.tasks() == tasks).await;
    assert_eq!(server.broker().subscriptions(), 0);
}
