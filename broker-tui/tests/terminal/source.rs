//! The source against a real broker: what it subscribes to, and that it accounts for every message.

use broker_client::Client;
use broker_tui::message::News;
use broker_tui::model::wants::Wants;
use broker_tui::source::{self, Source};

use crate::{Broker, runtime};

/// The subscriptions of the dashboard, as the broker tells every second, until they are `expected`.
async fn has_subscriptions(watcher: &Client, expected: u64) {
    let mut tables = watcher.subscribe("!system/connections").await.unwrap();
    let mut last = None;
    let wait = async {
        while last != Some(expected) {
            let table: serde_json::Value = tables.recv().await.unwrap().decode().unwrap();
            let rows = table["rows"].as_array().unwrap();
            last = rows
                .iter()
                .find(|row| row["name"] == "broker-tui")
                .and_then(|row| row["subscriptions"].as_u64());
        }
    };
    let patience = tokio::time::timeout(crate::pty::PATIENCE, wait).await;
    assert!(patience.is_ok(), "{last:?} subscriptions, not {expected}");
}

#[test]
fn subscribes_to_what_is_wanted_and_to_nothing_else() {
    let broker = Broker::start("127.0.0.1:0");
    runtime().block_on(async {
        let source =
            Source::start(&broker.address, None, Some(source::connect(&broker.address, None).await.unwrap()));
        let watcher =
            Client::connect(&broker.address, broker_client::Options::new().name("watcher")).await.unwrap();
        has_subscriptions(&watcher, 3).await;
        source.want(Wants { connections: true, topics: true, ..Wants::default() });
        has_subscriptions(&watcher, 6).await;
        source.want(Wants { connections: true, closed: true, ..Wants::default() });
        has_subscriptions(&watcher, 6).await;
        source.want(Wants { tap: Some("*".to_owned()), watch: Some("a*b".to_owned()), ..Wants::default() });
        has_subscriptions(&watcher, 5).await;
        source.want(Wants { tap: Some("weather/*".to_owned()), ..Wants::default() });
        has_subscriptions(&watcher, 4).await;
        source.want(Wants::default());
        has_subscriptions(&watcher, 3).await;
    });
}

#[test]
fn every_message_of_a_flood_is_shown_or_counted() {
    const MESSAGES: u64 = 50_000;
    let broker = Broker::start("127.0.0.1:0");
    runtime().block_on(async {
        let mut source =
            Source::start(&broker.address, None, Some(source::connect(&broker.address, None).await.unwrap()));
        source.want(Wants { tap: Some("flood".to_owned()), ..Wants::default() });
        let options = broker_client::Options::new().name("publisher");
        let publisher = Client::connect(&broker.address, options).await.unwrap();
        has_subscriptions(&publisher, 4).await;
        for n in 0..MESSAGES {
            publisher.publish("flood", &n).await.unwrap();
        }
        publisher.flush().await.unwrap();
        let (mut seen, mut dropped, mut missed, mut last) = (0, 0, 0, None);
        let all = async {
            while seen + dropped + missed < MESSAGES {
                source.changed().await.unwrap();
                for news in source.take() {
                    let News::Traffic(traffic) = news else { continue };
                    assert!(traffic.seen.len() <= source::inbox::TRAFFIC_MAX);
                    seen += traffic.seen.len() as u64;
                    dropped += traffic.dropped;
                    missed += traffic.missed;
                    last = traffic.seen.last().map(|seen| seen.value.clone()).or_else(|| last.take());
                }
            }
        };
        let patience = tokio::time::timeout(crate::pty::PATIENCE, all).await;
        assert!(patience.is_ok(), "{seen} shown, {dropped} dropped, {missed} missed of {MESSAGES}");
        assert_eq!(seen + dropped + missed, MESSAGES, "{seen} shown, {dropped} dropped, {missed} missed");
        let newest = rmp_serde::to_vec(&(MESSAGES - 1)).unwrap();
        assert_eq!(last, Some(newest), "what is shown ends with the newest");
    });
}
