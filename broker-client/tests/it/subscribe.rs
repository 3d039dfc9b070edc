//! Subscriptions: what the server is asked, what is delivered to whom, and what is left behind.

use broker_client::{Policy, SubscribeError, SubscribeOptions};
use futures_util::StreamExt;
use rmpv::Value;
use tokio::sync::oneshot;

use crate::fake::{Fake, Peer, eventually, get, next, quick, within};

/// Subscribes, with the peer's consent.
macro_rules! subscribe {
    ($client:expr, $peer:expr, $pattern:expr) => {
        subscribe!($client, $peer, $pattern, SubscribeOptions::new())
    };
    ($client:expr, $peer:expr, $pattern:expr, $options:expr) => {{
        let (subscription, options) =
            tokio::join!(within($client.subscribe_with($pattern, $options)), $peer.grant($pattern));
        (subscription.expect("it was granted"), options)
    }};
}
pub(crate) use subscribe;

/// The frames up to a flush: so nothing else is on its way.
async fn said_before_flush(client: &broker_client::Client, peer: &mut Peer) -> Vec<(String, Vec<Value>)> {
    let mut said = Vec::new();
    let listen = async {
        loop {
            let (name, arguments) = peer.command().await;
            if name == "Ping" {
                peer.ok(&arguments[0], Value::Nil).await;
                return;
            }
            said.push((name, arguments));
        }
    };
    let (flushed, ()) = tokio::join!(within(client.flush()), listen);
    flushed.expect("nothing was lost");
    said
}

#[tokio::test]
async fn it_returns_when_the_server_has_answered() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe("a/*").await }
    });
    let arguments = peer.expect("Subscribe").await;
    assert!(!pending.is_finished());
    peer.ok(&arguments[1], Value::Nil).await;
    peer.message("a/1", 1).await;
    let mut subscription = within(pending).await.expect("no panic").expect("it was granted");
    assert_eq!(subscription.pattern(), "a/*");
    assert_eq!(next(&mut subscription).await, ("a/1".to_owned(), 1));
    assert!(subscription.try_recv().is_none() && !subscription.has_ended());
}

#[tokio::test]
async fn options_arrive() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let options = SubscribeOptions::new().meta(true).retained(false).policy(Policy::Disconnect);
    let (_one, sent) = subscribe!(client, peer, "a", options);
    assert_eq!(get(&sent, "meta"), Value::from(true));
    assert_eq!(get(&sent, "retained"), Value::from(false));
    assert_eq!(get(&sent, "policy"), Value::from("disconnect"));
    let (_two, sent) = subscribe!(client, peer, "b");
    assert_eq!(sent.as_map().map(Vec::len), Some(1), "an id and nothing else: {sent}");
    let (_three, sent) = subscribe!(client, peer, "c", SubscribeOptions::new().group("g"));
    assert_eq!(get(&sent, "group"), Value::from("g"));
    let (_four, sent) = subscribe!(client, peer, "d", SubscribeOptions::new().max_rate(2.5));
    assert_eq!(get(&sent, "max_rate"), Value::from(2.5));
    let mut kept = Vec::new();
    for policy in Policy::ALL {
        let options = SubscribeOptions::new().policy(policy);
        let (subscription, sent) = subscribe!(client, peer, policy.name(), options);
        assert_eq!(get(&sent, "policy"), Value::from(policy.name()));
        kept.push(subscription);
    }
    let outcome = within(client.subscribe("c")).await;
    let other = SubscribeError::OtherGroup { pattern: "c".to_owned(), group: Some("g".to_owned()) };
    assert_eq!(outcome.expect_err("one pattern, one group"), other);
}

#[tokio::test]
async fn a_refusal_is_an_error_and_leaves_nothing() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let serve = async {
        let arguments = peer.expect("Subscribe").await;
        peer.refuse(&arguments[1], 6, "too many").await;
    };
    let (outcome, ()) = tokio::join!(within(client.subscribe("a")), serve);
    let refused = SubscribeError::Refused { code: 6, text: "too many".to_owned() };
    assert_eq!(outcome.expect_err("it was refused"), refused);
    assert_eq!(client.stats().subscriptions, 0);
    assert_eq!(said_before_flush(&client, &mut peer).await, []);
    let outcome = within(client.subscribe("[a")).await;
    assert!(matches!(outcome, Err(SubscribeError::Pattern(_))), "{outcome:?}");
}

#[tokio::test]
async fn each_subscription_that_matches_gets_the_message_once() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut all, _) = subscribe!(client, peer, "*");
    let (mut some, _) = subscribe!(client, peer, "a/*");
    let (mut system, _) = subscribe!(client, peer, "!system/*");
    for (number, topic) in ["a/1", "b", "!system/x", "a/1"].into_iter().enumerate() {
        peer.message(topic, number as u64).await;
    }
    let at = |topic: &str, number| (topic.to_owned(), number);
    assert_eq!(next(&mut all).await, at("a/1", 0));
    assert_eq!(next(&mut all).await, at("b", 1));
    assert_eq!(next(&mut all).await, at("a/1", 3));
    assert_eq!(next(&mut some).await, at("a/1", 0));
    assert_eq!(next(&mut some).await, at("a/1", 3));
    assert_eq!(next(&mut system).await, at("!system/x", 2));
    assert!(all.try_recv().is_none() && some.try_recv().is_none() && system.try_recv().is_none());
    assert_eq!(client.stats().messages_in, 4);
}

#[tokio::test]
async fn nothing_is_delivered_before_the_ok() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut some, _) = subscribe!(client, peer, "a/*");
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe("*").await }
    });
    let arguments = peer.expect("Subscribe").await;
    // The session gets this one because of `a/*`; for `*` it is older than its retained message.
    peer.message("a/1", 1).await;
    assert_eq!(next(&mut some).await.1, 1);
    peer.ok(&arguments[1], Value::Nil).await;
    peer.message("a/1", 2).await;
    let mut all = within(pending).await.expect("no panic").expect("it was granted");
    assert_eq!(next(&mut all).await.1, 2);
    assert_eq!(next(&mut some).await.1, 2);
}

#[tokio::test]
async fn one_pattern_twice_is_one_subscription_at_the_server() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut first, _) = subscribe!(client, peer, "a");
    // The second asks again, for the retained messages, and for what the first did not want.
    let (mut second, sent) = subscribe!(client, peer, "a", SubscribeOptions::new().meta(true));
    assert_eq!(get(&sent, "meta"), Value::from(true));
    // The third wants no retained messages; but meta stays for the second.
    let (third, sent) = subscribe!(client, peer, "a", SubscribeOptions::new().retained(false));
    assert_eq!((get(&sent, "meta"), get(&sent, "retained")), (true.into(), false.into()));

    peer.message("a", 1).await;
    assert_eq!((next(&mut first).await.1, next(&mut second).await.1), (1, 1));
    drop((first, third));
    assert_eq!(said_before_flush(&client, &mut peer).await, [], "the second still needs it");
    peer.message("a", 2).await;
    assert_eq!(next(&mut second).await.1, 2);
    drop(second);
    let said = said_before_flush(&client, &mut peer).await;
    assert_eq!(said, [("Unsubscribe".to_owned(), vec!["a".into()])]);
}

#[tokio::test]
async fn dropping_unsubscribes() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (subscription, _) = subscribe!(client, peer, "a/*");
    assert_eq!(client.stats().subscriptions, 1);
    drop(subscription);
    assert_eq!(peer.expect("Unsubscribe").await[0], Value::from("a/*"));
    assert_eq!(client.stats().subscriptions, 0);
}

#[tokio::test]
async fn a_subscribe_that_is_dropped_half_way_leaves_nothing() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe("a").await }
    });
    let arguments = peer.expect("Subscribe").await;
    pending.abort();
    assert_eq!(peer.expect("Unsubscribe").await[0], Value::from("a"));
    // The answer comes too late for anybody, and harms nobody.
    peer.ok(&arguments[1], Value::Nil).await;
    assert_eq!(client.stats().subscriptions, 0);
    assert_eq!(said_before_flush(&client, &mut peer).await, []);
}

#[tokio::test]
async fn meta_is_there_where_it_was_asked_for() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut subscription, _) = subscribe!(client, peer, "a", SubscribeOptions::new().meta(true));
    let meta = Value::Map(vec![
        ("time".into(), 1_700_000_000_000_u64.into()),
        ("reply".into(), "!inbox/1".into()),
        ("headers".into(), Value::Map(vec![("unit".into(), "K".into())])),
        ("key".into(), "k".into()),
        ("retained".into(), true.into()),
        ("of a later version".into(), Value::Nil),
    ]);
    peer.value(&Value::Array(vec!["a".into(), 5.into(), meta])).await;
    peer.message("a", 6).await;
    let message = within(subscription.recv()).await.expect("a message");
    let meta = message.meta().expect("it was sent");
    assert_eq!((meta.time, meta.retained), (1_700_000_000_000, true));
    assert_eq!(meta.headers.get("unit").map(String::as_str), Some("K"));
    assert_eq!(meta.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(message.reply(), Some("!inbox/1"));
    let message = within(subscription.recv()).await.expect("a message");
    assert!(message.meta().is_none() && message.reply().is_none());
}

#[tokio::test]
async fn frames_in_pieces_are_put_together() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut subscription, _) = subscribe!(client, peer, "*");
    let large = Value::Binary((0..300_000_u32).flat_map(u32::to_be_bytes).collect());
    let frame = crate::fake::bytes_of(&Value::Array(vec!["large".into(), large.clone()]));
    let mut bytes = [frame, crate::fake::bytes_of(&Value::Array(vec!["small".into(), 1.into()]))].concat();
    let rest = bytes.split_off(7);
    for byte in bytes {
        peer.bytes(&[byte]).await;
    }
    for chunk in rest.chunks(50_001) {
        peer.bytes(chunk).await;
    }
    let message = within(subscription.recv()).await.expect("a message");
    assert_eq!(message.value(), crate::fake::bytes_of(&large));
    assert_eq!(next(&mut subscription).await, ("small".to_owned(), 1));
}

#[tokio::test]
async fn a_subscription_keeps_the_connection_alive() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut subscription, _) = subscribe!(client, peer, "a");
    let (told, dropped) = oneshot::channel();
    let reader = tokio::spawn(async move {
        dropped.await.expect("it is told");
        next(&mut subscription).await
    });
    drop(client);
    told.send(()).expect("the reader waits");
    peer.message("a", 4).await;
    assert_eq!(within(reader).await.expect("no panic").1, 4);
    // With the reader the last handle is gone.
    peer.expect("Unsubscribe").await;
    peer.part().await;
}

#[tokio::test]
async fn subscriptions_end_with_the_client() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut subscription, _) = subscribe!(client, peer, "a");
    peer.message("a", 1).await;
    let (closed, ()) = tokio::join!(within(client.close()), peer.part());
    closed.expect("nothing was lost");
    // What had arrived can still be read.
    assert_eq!(next(&mut subscription).await.1, 1);
    assert!(within(subscription.recv()).await.is_none());
    eventually("it has ended", || subscription.has_ended()).await;
    let outcome = within(client.subscribe("b")).await;
    assert!(matches!(outcome, Err(SubscribeError::Closed(_))), "{outcome:?}");
}

#[tokio::test]
async fn subscriptions_and_events_are_streams() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let events = client.events();
    let (subscription, _) = subscribe!(client, peer, "a");
    for number in 0..3 {
        peer.message("a", number).await;
    }
    let (closed, ()) = tokio::join!(within(client.close()), peer.part());
    closed.expect("nothing was lost");
    let numbers = subscription.map(|message| message.decode::<u64>().expect("a number"));
    assert_eq!(within(numbers.collect::<Vec<_>>()).await, [0, 1, 2]);
    assert_eq!(within(events.count()).await, 2, "connected and closed");
}
