//! What is retained is forgotten: cleared by an empty publish or by `Clear`, over after its time, too large, or ruled out by the operator.

use std::time::Duration;

use broker_server::{Limits, Server};
use rmpv::Value;

use crate::support::*;

async fn quick(limits: Limits) -> Server {
    start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(20))).await
}

/// The topics below `t/` that a client without `Hello` gets when it subscribes now.
async fn kept(server: &Server) -> Vec<String> {
    let mut client = Client::plain(server).await;
    client.send(&subscribe("t/*")).await;
    let mut topics: Vec<String> = client.fence().await.into_iter().map(|message| message.topic).collect();
    topics.sort_unstable();
    topics
}

#[tokio::test]
async fn an_empty_retained_publish_clears_its_topic_and_is_delivered() {
    let server = quick(Limits::default()).await;
    let mut client = Client::hello(&server).await;
    let mut plain = Client::plain(&server).await;
    plain.send(&subscribe("t/*")).await;
    assert_eq!(plain.fence().await, []);
    for empty in [Value::Nil, "".into(), Value::Binary(Vec::new())] {
        client.publish("t/1", 5).await;
        assert_eq!(kept(&server).await, ["t/1"]);
        client.publish("t/1", empty.clone()).await;
        assert_eq!(kept(&server).await, ["t/1"], "kept as ever where nothing is said");
        client.publish_with("t/1", empty.clone(), &[("retain", true.into())]).await;
        assert!(kept(&server).await.is_empty(), "{empty} clears");
        assert_eq!(plain.fence().await.len(), 3, "and all are delivered");
    }
}

#[tokio::test]
async fn clear_forgets_what_matches_and_says_how_much() {
    let server = quick(Limits::default()).await;
    let mut client = Client::hello(&server).await;
    for topic in ["t/a", "t/b", "t/ab", "u"] {
        client.publish(topic, 1).await;
    }
    assert_eq!(client.ask("Clear", vec!["t/?".into()], &[]).await, Ok(2.into()));
    assert_eq!(kept(&server).await, ["t/ab"]);
    assert_eq!(client.ask("Clear", vec!["t/?".into()], &[]).await, Ok(0.into()));
    assert_eq!(client.ask("Clear", vec!["!system/*".into()], &[]).await, Ok(0.into()));
    assert_eq!(client.ask("Clear", vec!["[".into()], &[]).await, Err(4));
    assert_eq!(client.ask("Clear", vec!["*".into()], &[]).await, Ok(2.into()));
    client.publish("t/a", 2).await;
    assert_eq!(kept(&server).await, ["t/a"], "what comes later is kept");
}

#[tokio::test]
async fn clear_without_hello_ends_the_connection_and_forgets_nothing() {
    let server = quick(Limits::default()).await;
    Client::hello(&server).await.publish("t/a", 1).await;
    let mut plain = Client::plain(&server).await;
    plain.send(&command("Clear", vec!["*".into()])).await;
    plain.incoming.closed().await;
    assert_eq!(kept(&server).await, ["t/a"]);
}

#[tokio::test]
async fn a_message_is_gone_after_its_time() {
    let server = quick(Limits::default()).await;
    let mut client = Client::hello(&server).await;
    client.publish_with("t/short", 1, &[("ttl", 40.into())]).await;
    client.publish_with("t/long", 1, &[("ttl", 3_600_000.into())]).await;
    client.publish("t/ever", 1).await;
    let mut watcher = Client::hello(&server).await;
    watcher.subscribe_with("t/long", &[("meta", true.into())]).await;
    let meta = watcher.message().await.meta.unwrap();
    let left = count(&meta, "ttl");
    assert!((3_500_000..=3_600_000).contains(&left), "{left} ms are left");
    eventually("it is forgotten", || server.broker().topic_stats().expired == 1).await;
    assert_eq!(kept(&server).await, ["t/ever", "t/long"]);
    let wrong = Value::Array(vec!["t/x".into(), 1.into()]);
    assert_eq!(client.ask("Publish", vec![wrong], &[("ttl", 0.into())]).await, Err(7));
}

#[tokio::test]
async fn a_value_that_is_too_large_is_delivered_and_leaves_nothing_behind() {
    let limits = Limits { retained_value_bytes_max: 1_000, ..Limits::default() };
    let server = quick(limits).await;
    let mut client = Client::hello(&server).await;
    client.subscribe("t/*").await;
    client.publish("t/1", 1).await;
    assert_eq!(client.message().await.number(), 1);
    client.outgoing.publish("t/1", &padded(2, 2_000)).await;
    assert_eq!(client.message().await.number(), 2);
    assert!(kept(&server).await.is_empty(), "not even the older one");
    assert_eq!(server.broker().topic_stats().oversized, 1);
}
