//! Pings of the server, and how sessions end when the server does.

use std::sync::Arc;

use broker_core::reason::CloseReason;
use broker_core::{Broker, Limits, NatsOptions, Now};

use crate::peer::{BARE, Peer, QUIET};

fn at(seconds: u64) -> Now {
    Now { unix_ms: 0, monotonic_ms: seconds * 1000 }
}

fn pinged(broker: &Arc<Broker>) -> Peer {
    let options = NatsOptions { ping_interval_ms: 10_000, pings_out_max: 2, ..NatsOptions::default() };
    let mut peer = Peer::with_options(broker, options);
    peer.receive();
    peer
}

/// Whatever the native protocol's idle time is.
fn brokers() -> [Arc<Broker>; 2] {
    [0, 60_000].map(|idle_timeout_ms| Arc::new(Broker::new(Limits { idle_timeout_ms, ..Limits::default() })))
}

#[test]
fn a_client_that_does_not_answer_is_stale() {
    for broker in brokers() {
        let mut peer = pinged(&broker);
        let mut pings = Vec::new();
        for second in 0..40 {
            broker.check_silence(at(second));
            match peer.receive().as_str() {
                "" => {}
                "PING\r\n" => pings.push(second),
                "-ERR 'Stale Connection'\r\n" => {
                    assert_eq!((second, pings), (30, vec![10, 20]));
                    assert_eq!(peer.ending(), Some(CloseReason::Stale));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(peer.ending().is_some());
    }
}

#[test]
fn a_client_that_says_anything_is_not() {
    for broker in brokers() {
        let mut peer = pinged(&broker);
        for second in 0..100 {
            broker.check_silence(at(second));
            if peer.receive() == "PING\r\n" {
                peer.info().heard(at(second));
                peer.say("PONG\r\n");
            }
        }
        assert_eq!(peer.ending(), None);
    }
}

#[test]
fn before_the_server_goes_it_says_so_to_those_who_understand() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut new = Peer::connected(&broker, QUIET);
    let mut old = Peer::connected(&broker, BARE);
    broker.announce_lame_duck();
    let info = new.receive();
    assert!(info.starts_with("INFO {") && info.ends_with(",\"ldm\":true} \r\n"), "{info}");
    assert_eq!((new.ending(), old.receive().as_str()), (None, ""));
    assert_eq!(new.say("PING\r\n"), "PONG\r\n", "it is still served");
    new.info().end(CloseReason::ShuttingDown);
    assert_eq!(new.receive(), "");
    assert_eq!(new.ending(), Some(CloseReason::ShuttingDown));
    let mut newer = Peer::connected(&broker, QUIET);
    broker.end_sessions(&CloseReason::ShuttingDown);
    assert!(newer.receive().contains("\"ldm\":true"));
    assert_eq!(
        (newer.ending(), old.ending()),
        (Some(CloseReason::ShuttingDown), Some(CloseReason::ShuttingDown))
    );
    let mut late = Peer::with_options(&broker, NatsOptions::default());
    late.go_on(Now::default());
    assert_eq!(late.ending(), Some(CloseReason::ShuttingDown));
}

#[test]
fn subscriptions_can_be_listed() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, QUIET);
    peer.say("SUB a.* q 1\r\nSUB b 2\r\nUNSUB 2 7\r\nPUB b 1\r\nx\r\n");
    let mut list = Vec::new();
    broker.for_each_subscription(|session, subscription| {
        let pattern = subscription.pattern.as_str().to_owned();
        let group = subscription.group().map(str::to_owned);
        let sid = subscription.sid().map(str::to_owned);
        list.push((session, pattern, group, sid, subscription.delivered(), subscription.delivered_max()));
    });
    list.sort();
    let some = |text: &str| Some(text.to_owned());
    let id = peer.info().id;
    let expected = [
        (id, "a.*".to_owned(), some("q"), some("1"), 0, None),
        (id, "b".to_owned(), None, some("2"), 1, Some(7)),
    ];
    assert_eq!(list, expected);
    assert_eq!(broker.table_changes(), 3);
}
