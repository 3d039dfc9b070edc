//! What a publish puts on the wire, what it refuses, and when it waits.

use std::{collections::BTreeMap, time::Duration};

use broker_client::{ClearError, Event, FlushError, PublishError, PublishOptions, TopicError};
use rmpv::Value;
use serde::Serialize;
use tokio::time::timeout;

use crate::fake::{Fake, bytes_of, event, eventually, get, quick, within};

#[derive(Serialize)]
struct Reading {
    celsius: f64,
    station: String,
}

#[tokio::test]
async fn values_arrive_as_they_were_given() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let reading = Reading { celsius: 0.5, station: "Oslo".to_owned() };
    within(client.publish("a", &reading)).await.expect("published");
    within(client.publish("b", "text")).await.expect("published");
    within(client.publish_raw("c", b"\x92\x01\x02")).await.expect("published");
    within(client.publish_bytes("d", b"\x00\xff")).await.expect("published");

    let map = Value::Map(vec![("celsius".into(), 0.5.into()), ("station".into(), "Oslo".into())]);
    for (topic, value) in [
        ("a", map),
        ("b", "text".into()),
        ("c", Value::Array(vec![1.into(), 2.into()])),
        ("d", Value::Binary(vec![0, 255])),
    ] {
        let (found, content, options) = peer.published().await;
        assert_eq!((found.as_str(), &content), (topic, &value));
        assert_eq!(options, Value::Map(Vec::new()), "no options were given");
    }
    assert_eq!(client.stats().messages_out, 4);
}

#[tokio::test]
async fn options_arrive() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let options = PublishOptions::new().retain(false).reply("answers").header("unit", "°C").key("k");
    let options = options.ttl(Duration::from_secs(2));
    within(client.publish_with("a", &1, options.clone())).await.expect("published");
    within(client.publish_raw_with("a", b"\x01", options)).await.expect("published");
    for _ in 0..2 {
        let (_, _, options) = peer.published().await;
        assert_eq!(get(&options, "retain"), Value::from(false));
        assert_eq!(get(&options, "reply"), Value::from("answers"));
        assert_eq!(get(&options, "headers"), Value::Map(vec![("unit".into(), "°C".into())]));
        assert_eq!(get(&options, "key"), Value::Binary(b"k".to_vec()));
        assert_eq!(get(&options, "ttl"), Value::from(2_000));
        assert_eq!(get(&options, "id"), Value::Nil);
    }
}

#[tokio::test]
async fn clearing_asks_the_server_and_returns_its_count() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let serve = async {
        let arguments = peer.expect("Clear").await;
        assert_eq!(arguments[0], "a/*".into());
        peer.ok(&arguments[1], 3.into()).await;
        let arguments = peer.expect("Clear").await;
        peer.refuse(&arguments[1], 4, "too complex").await;
        let arguments = peer.expect("Clear").await;
        assert_eq!(arguments[0], "b".into());
        drop(peer);
    };
    let ask = async {
        assert_eq!(within(client.clear("a/*")).await, Ok(3));
        let refused = ClearError::Refused { code: 4, text: "too complex".to_owned() };
        assert_eq!(within(client.clear("a/*")).await, Err(refused));
        assert!(matches!(within(client.clear("[a")).await, Err(ClearError::Pattern(_))));
        assert_eq!(within(client.clear("b")).await, Err(ClearError::Disconnected));
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn a_confirmed_publish_returns_what_the_server_counted() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let serve = async {
        let (_, _, options) = peer.published().await;
        peer.ok(&options, 3.into()).await;
        let (_, _, options) = peer.published().await;
        peer.refuse(&options, 9, "reserved").await;
        let (_, value, options) = peer.published().await;
        assert_eq!(value, Value::from(7));
        peer.ok(&options, 0.into()).await;
    };
    let publish = async {
        let options = PublishOptions::new;
        assert_eq!(client.publish_confirmed("a", &1, options()).await, Ok(3));
        let refused = PublishError::Refused { code: 9, text: "reserved".to_owned() };
        assert_eq!(client.publish_confirmed("a", &1, options()).await, Err(refused));
        assert_eq!(client.publish_raw_confirmed("a", b"\x07", options()).await, Ok(0));
    };
    within(async { tokio::join!(publish, serve) }).await;
}

#[tokio::test]
async fn what_the_server_would_refuse_is_not_sent() {
    let fake = Fake::start().await;
    let limits = [("frame_bytes_max", 200), ("topic_bytes_max", 10), ("depth_max", 3)];
    let url = fake.url();
    let connect = broker_client::Client::connect(&url, quick());
    let (client, mut peer) = tokio::join!(within(connect), fake.accept_with(1, &limits));
    let client = client.expect("it is welcome");

    let publish = |topic: &'static str, value: Vec<u8>| {
        let client = client.clone();
        async move { within(client.publish_raw(topic, &value)).await.expect_err("it must be refused") }
    };
    let nil = || vec![0xc0];
    assert_eq!(publish("", nil()).await, PublishError::Topic(TopicError::Empty));
    assert_eq!(publish("a\n", nil()).await, PublishError::Topic(TopicError::Control { code: 10, offset: 1 }));
    let too_long = TopicError::TooLong { bytes: 11, limit: 10 };
    assert_eq!(publish("12345678901", nil()).await, PublishError::Topic(too_long));
    assert_eq!(publish("!system/x", nil()).await, PublishError::ReservedTopic("!system/x".to_owned()));
    assert_eq!(publish("a", b"\x91\x91\x91\x91\xc0".to_vec()).await, PublishError::TooDeep { limit: 3 });
    let large = publish("a", bytes_of(&Value::Binary(vec![0; 300]))).await;
    assert!(matches!(large, PublishError::TooLarge { bytes: 301.., limit: 200 }), "{large:?}");
    for bytes in [&b""[..], b"\xc0\xc0", b"\x92\x01", b"\xc1"] {
        let refused = publish("a", bytes.to_vec()).await;
        assert!(matches!(refused, PublishError::NotOneValue(_)), "{refused:?}");
    }
    let reply = PublishOptions::new().reply("a\u{85}");
    let refused = within(client.publish_with("a", &1, reply)).await;
    assert!(matches!(refused, Err(PublishError::Topic(_))), "{refused:?}");
    let unencodable = BTreeMap::from([(1, f64::NAN)]);
    within(client.publish("a", &unencodable)).await.expect("a map with a number as key is msgpack");

    // Nothing of all that was sent but the last one.
    let (_, value, _) = peer.published().await;
    assert!(value.is_map());
    assert_eq!(client.stats().messages_out, 1);
}

#[tokio::test]
async fn a_refusal_that_nobody_waits_for_is_told() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let mut events = client.events();
    within(client.publish("a", &1)).await.expect("published");
    peer.published().await;
    peer.event("Err", vec![Value::Nil, 3.into(), "no topic".into()]).await;
    let told = event(&mut events, |event| match event {
        Event::Refused { code, text } => Some((code, text)),
        _ => None,
    });
    assert_eq!(told.await, (3, "no topic".to_owned()));
    assert_eq!(client.stats().refused, 1);

    // A flush is not Ok over it, once.
    let refused = FlushError::Refused { messages: 1, code: 3, text: "no topic".to_owned() };
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Err(refused));
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Ok(()));
}

#[tokio::test]
async fn a_full_buffer_holds_the_publisher_and_loses_nothing() {
    const BUFFER_BYTES: usize = 100_000;
    let (client, mut peer) = Fake::start().await.client(quick().buffer_bytes_max(BUFFER_BYTES)).await;
    let payload = vec![7_u8; 10_000];
    // The peer does not read: the sockets' buffers fill, then the client's.
    let mut accepted = 0_u64;
    let held = Duration::from_millis(200);
    while timeout(held, client.publish("a", &(accepted, &payload))).await.is_ok() {
        accepted += 1;
        assert!(client.stats().buffered_bytes <= BUFFER_BYTES + 2 * 10_100 + BUFFER_BYTES);
    }
    assert!(client.stats().buffered_bytes >= BUFFER_BYTES);
    assert_eq!(client.stats().messages_out, accepted, "the publish that was dropped was not published");

    // The peer reads again: the next publish gets through, and the numbers have no gap.
    let read = async {
        for number in 0..=accepted {
            let (_, value, _) = peer.published().await;
            assert_eq!(value[0], Value::from(number));
        }
    };
    let value = (accepted, &payload);
    let (published, ()) = tokio::join!(within(client.publish("a", &value)), read);
    assert_eq!(published, Ok(()));
    eventually("the buffer is empty", || client.stats().buffered_bytes == 0).await;
}

#[tokio::test]
async fn a_publisher_that_never_waits_leaves_its_thread_to_others() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    // On one thread the connection's task gets its turn only if the publisher yields.
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            loop {
                client.publish("a", &1).await.expect("published");
            }
        }
    });
    peer.published().await;
    publisher.abort();
}
