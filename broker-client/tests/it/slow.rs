//! Programs that read slowly, and a server that tells of it.

use broker_client::{Event, Events, LaggedBy, SubscribeOptions};
use rmpv::Value;

use crate::{
    fake::{Fake, event, eventually, next, quick, within},
    subscribe::subscribe,
};

async fn lagged(events: &mut Events) -> (String, u64, LaggedBy) {
    event(events, |event| match event {
        Event::Lagged { pattern, missed, by } => Some((pattern, missed, by)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_slow_subscription_loses_its_oldest_and_holds_nobody_up() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let mut events = client.events();
    let (mut slow, _) = subscribe!(client, peer, "a", SubscribeOptions::new().buffer_messages(10));
    let (mut other, _) = subscribe!(client, peer, "*");
    let (mut small, _) = subscribe!(client, peer, "?", SubscribeOptions::new().buffer_bytes(1));
    for number in 0..100_u64 {
        peer.message("a", number).await;
    }
    for number in 0..100 {
        assert_eq!(next(&mut other).await.1, number);
    }
    for number in 90..100 {
        assert_eq!(next(&mut slow).await.1, number);
    }
    assert_eq!(next(&mut small).await.1, 99);
    assert!(slow.try_recv().is_none() && small.try_recv().is_none());
    assert_eq!((slow.missed(), other.missed(), small.missed()), (90, 0, 99));
    assert_eq!(client.stats().missed_here, 90 + 99);
    let mut told = std::collections::BTreeMap::new();
    while told.values().sum::<u64>() < 90 + 99 {
        let (pattern, missed, by) = lagged(&mut events).await;
        assert_eq!(by, LaggedBy::Client);
        *told.entry(pattern).or_default() += missed;
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [("?".to_owned(), 99), ("a".to_owned(), 90)]);
}

#[tokio::test]
async fn what_the_server_dropped_is_told_and_counted() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let mut events = client.events();
    let (mut subscription, _) = subscribe!(client, peer, "a/*");
    let told = Value::Map(vec![
        ("pattern".into(), "a/*".into()),
        ("of a later version".into(), Value::Nil),
        ("missed".into(), 12.into()),
    ]);
    peer.event("Lagged", vec![told]).await;
    peer.message("a/1", 1).await;
    assert_eq!(next(&mut subscription).await.1, 1);
    assert_eq!(lagged(&mut events).await, ("a/*".to_owned(), 12, LaggedBy::Server));
    assert_eq!(subscription.missed(), 12);
    assert_eq!(client.stats().missed_at_server, 12);
}

#[tokio::test]
async fn a_peer_that_does_not_read_does_not_keep_messages_from_being_read() {
    let (client, mut peer) = Fake::start().await.client(quick().buffer_bytes_max(1 << 20)).await;
    let (mut subscription, _) = subscribe!(client, peer, "a");
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            let payload = vec![0_u8; 100_000];
            while client.publish("b", &payload).await.is_ok() {}
        }
    });
    eventually("the client's buffer is full", || client.stats().buffered_bytes >= 1 << 20).await;
    for number in 0..10_u64 {
        peer.message("a", number).await;
        assert_eq!(next(&mut subscription).await.1, number);
    }
    publisher.abort();
}

#[tokio::test]
async fn events_of_later_versions_are_passed_over() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut subscription, _) = subscribe!(client, peer, "a");
    peer.event("Weather", vec!["nice".into(), 7.into()]).await;
    peer.event("Pong", vec![]).await;
    peer.message("a", 1).await;
    assert_eq!(next(&mut subscription).await.1, 1);
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Ok(()));
}
