//! What a configuration says of policies and topics, as clients see it.

use std::collections::BTreeMap;
use std::fs;

use broker_server::args::Args;
use broker_server::config::Config;
use broker_server::{Policy, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

const FILE: &str = r#"
listen = "127.0.0.1:0"
nats.listen = "127.0.0.1:0"
workers = 2
outbox.policy = "drop-newest"
retained.value_bytes_max = 100

[[topics]]
pattern = "{state,log}/*"
policy = "conflate"

[[topics]]
pattern = "log/audit/*"
retain = true

[[topics]]
pattern = "log/*"
retain = false
policy = "skip"

[[topics]]
pattern = "presence/*"
ttl = "400ms"
"#;

async fn configured() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broker.toml");
    fs::write(&path, FILE).unwrap();
    let args = Args { config: Some(path), ..Args::default() };
    let config = Config::load(&args, std::iter::empty()).unwrap();
    Server::builder().config(&config).start().await.unwrap()
}

#[tokio::test]
async fn the_policy_is_the_clients_or_that_of_a_rule_or_that_of_the_listener() {
    let server = configured().await;
    let mut client = Client::hello(&server).await;
    assert_eq!(get(&client.welcome, "policy").as_str(), Some("drop-newest"));
    for pattern in ["state/*", "state/7", "other/*", "log/x", "stat*"] {
        client.subscribe(pattern).await;
    }
    client.subscribe_with("state/8", &[("policy", "block".into())]).await;
    let mut nats = TcpStream::connect(server.nats_addr().unwrap()).await.unwrap();
    nats.write_all(b"CONNECT {}\r\nSUB state/9 1\r\nSUB free 2\r\nPING\r\n").await.unwrap();
    let mut said = Vec::new();
    let answered = async {
        while !said.windows(4).any(|window| window == b"PONG") {
            nats.read_buf(&mut said).await.unwrap();
        }
    };
    within("the answer", answered).await;
    let mut policies = BTreeMap::new();
    server.broker().for_each_subscription(|_, subscription| {
        policies.insert(subscription.pattern.as_str().to_owned(), subscription.policy);
    });
    for (pattern, policy) in [
        ("state/*", Policy::Conflate),
        ("state/7", Policy::Conflate),
        ("other/*", Policy::DropNewest),
        ("log/x", Policy::Conflate),
        ("stat*", Policy::DropNewest),
        ("state/8", Policy::Block),
        ("state/9", Policy::Conflate),
        ("free", Policy::Disconnect),
    ] {
        assert_eq!(policies.remove(pattern), Some(policy), "{pattern}");
    }
    assert_eq!(policies, BTreeMap::new());
}

#[tokio::test]
async fn rules_say_what_is_retained_and_for_how_long() {
    let server = configured().await;
    let mut publisher = Client::hello(&server).await;
    let kept = |server: &Server| {
        let topics = server.broker().recent_topics(100, 0).into_iter();
        topics
            .filter(|topic| topic.size > 0 && !topic.topic.starts_with('!'))
            .map(|topic| topic.topic)
            .collect::<Vec<_>>()
    };
    for topic in ["log/x", "log/audit/x", "presence/x", "free/x"] {
        publisher.publish_with(topic, 1, &[("retain", true.into())]).await;
    }
    publisher.publish("large/x", "x".repeat(200)).await;
    let mut late = Client::hello(&server).await;
    late.subscribe("{log,free,large}/*").await;
    late.flush().await;
    let mut topics = [late.message().await.topic, late.message().await.topic];
    topics.sort_unstable();
    assert_eq!(topics, ["free/x", "log/audit/x"], "not what a rule forbids, nor what is too large");
    assert_eq!(late.fence().await, []);
    eventually("its time is over", || !kept(&server).contains(&"presence/x".to_owned())).await;
    late.subscribe("presence/*").await;
    assert_eq!(late.fence().await, []);
}
