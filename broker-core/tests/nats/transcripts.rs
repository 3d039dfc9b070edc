//! What a client types and what it gets, word for word as nats-server 2.9.10 answers the same (taken from it).

use std::sync::Arc;

use broker_core::reason::CloseReason;
use broker_core::{Broker, Limits, NatsOptions};

use crate::peer::{Peer, QUIET};

/// Each in a session of its own: what is sent, what comes back, and whether the connection is closed then.
const ROWS: &[(&str, &str, bool)] = &[
    ("PING\r\n", "PONG\r\n", false),
    ("ping   junk\r\n", "PONG\r\n", false),
    ("pingjunk\r\n", "PONG\r\n", false),
    ("PONG\r\nPING\r\n", "PONG\r\n", false),
    ("+OK\r\nINFO {}\r\nPING\r\n", "PONG\r\n", false),
    ("CONNECT {}\r\nPING\r\n", "+OK\r\nPONG\r\n", false),
    ("SUB foo 1\r\nPUB foo 2\r\nhi\r\n", "+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\n", false),
    ("sub foo q 1\r\npub foo 3\r\nabc\r\n", "+OK\r\n+OK\r\nMSG foo 1 3\r\nabc\r\n", false),
    ("UNSUB 99\r\nPING\r\n", "+OK\r\nPONG\r\n", false),
    ("UNSUB 99 x\r\nPING\r\n", "+OK\r\nPONG\r\n", false),
    ("SUB foo..bar 1\r\nPING\r\n", "-ERR 'Invalid Subject'\r\nPONG\r\n", false),
    (
        "SUB a q 1\r\nSUB a. 2\r\nSUB >.a 3\r\nSUB a*b 4\r\nPING\r\n",
        "+OK\r\n-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n+OK\r\nPONG\r\n",
        false,
    ),
    ("PUB foo.* 2\r\nhi\r\nPING\r\n", "-ERR 'Invalid Publish Subject'\r\n+OK\r\nPONG\r\n", false),
    ("PUB > 2\r\nhi\r\nPING\r\n", "-ERR 'Invalid Publish Subject'\r\n+OK\r\nPONG\r\n", false),
    ("PUB a..b 2\r\nhi\r\nSUB a 1 2 3 4\r\n", "-ERR 'Invalid Publish Subject'\r\n+OK\r\n", true),
    (
        "CONNECT {\"verbose\":false,\"pedantic\":true}\r\nPUB a.* 0\r\n\r\nPING\r\n",
        "-ERR 'Invalid Publish Subject'\r\nPONG\r\n",
        false,
    ),
    ("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPUB a.* 0\r\n\r\nPING\r\n", "PONG\r\n", false),
    // What closes, some of it without a word.
    ("FOO\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    ("\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    (" PING\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    ("UNSUB\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    ("PUB foo 2\r\nhiX\r\nPING\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    ("PUB foo abc\r\n", "", true),
    ("PUB foo\r\n", "", true),
    ("SUB foo\r\n", "", true),
    ("UNSUB \r\n", "", true),
    ("CONNECT {bad\r\n", "", true),
    ("CONNECT\r\nPING\r\n", "", true),
    ("CONNECT {\"verbose\":1}\r\nPING\r\n", "", true),
    ("-ERR 'x'\r\nPING\r\n", "", true),
    ("HPUB foo 12 12\r\nNATS/1.0\r\n\r\n\r\n", "", true),
    (
        "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB a 13 12\r\nNATS/1.0\r\n\r\n\r\nPING\r\n",
        "",
        true,
    ),
    ("PUB foo 99999999\r\n", "-ERR 'Maximum Payload Violation'\r\n", true),
    ("PUB foo 99999999999999999999999999\r\n", "-ERR 'Maximum Payload Violation'\r\n", true),
    ("CONNECT {\"verbose\":false,\"protocol\":5}\r\nPING\r\n", "-ERR 'invalid client protocol'\r\n", true),
    (
        "CONNECT {\"verbose\":false,\"no_responders\":true}\r\nPING\r\n",
        "-ERR 'no responders requires headers support'\r\n",
        true,
    ),
    // Headers, replies, no responders.
    (
        "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB in.* 7\r\nPUB foo in.x 2\r\nhi\r\nPING\r\n",
        "HMSG in.x 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\nPONG\r\n",
        false,
    ),
    (
        "CONNECT {\"verbose\":false,\"headers\":true,\"pedantic\":false}\r\nSUB a 7\r\nSUB a 7\r\nHPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB a 0\r\n\r\nPING\r\n",
        "HMSG a 7 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nMSG a 7 0\r\n\r\nPONG\r\n",
        false,
    ),
    (
        "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB a 1\r\nHPUB a 0 2\r\nhi\r\nHPUB a 2 2\r\nhi\r\nPING\r\n",
        "MSG a 1 2\r\nhi\r\nHMSG a 1 2 2\r\nhi\r\nPONG\r\n",
        false,
    ),
    // Ours: nats-server wants the carriage return behind a payload; people who type have none.
    ("PING\n", "PONG\r\n", false),
    ("SUB foo 1\nPUB foo 2\nhi\nPING\n", "+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\nPONG\r\n", false),
    (
        "CONNECT {}\nsub foo workers 5\npub foo r.1 5\nhello\n",
        "+OK\r\n+OK\r\n+OK\r\nMSG foo 5 r.1 5\r\nhello\r\n",
        false,
    ),
    // Ours: names that no native client could use, and topics of the server's own.
    ("PUB a\u{7f}b 0\r\n\r\nPING\r\n", "+OK\r\n-ERR 'Invalid Publish Subject'\r\nPONG\r\n", false),
    (
        "PUB !system/x 0\r\n\r\nPING\r\n",
        "-ERR 'Permissions Violation for Publish to \"!system/x\"'\r\nPONG\r\n",
        false,
    ),
    // White space of all kinds between the words, and none of the parts in one read.
    ("SUB\tfoo  \t 1\r\nPUB  foo\t2 \r\nhi\r\n", "+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\n", false),
];

#[test]
fn the_words_are_those_of_nats_server() {
    for (sent, expected, closes) in ROWS {
        let broker = Arc::new(Broker::new(Limits::default()));
        let mut peer = Peer::new(&broker);
        assert_eq!(peer.say(sent), *expected, "{sent:?}");
        assert_eq!(peer.ending().is_some(), *closes, "{sent:?}");
    }
}

#[test]
fn byte_by_byte_the_words_are_the_same() {
    for (sent, expected, closes) in ROWS {
        let broker = Arc::new(Broker::new(Limits::default()));
        let mut peer = Peer::new(&broker);
        let answers: String = sent.bytes().map(|byte| peer.say_bytes(&[byte])).collect();
        assert_eq!(answers, *expected, "{sent:?}");
        assert_eq!(peer.ending().is_some(), *closes, "{sent:?}");
    }
}

#[test]
fn a_line_has_a_limit() {
    let broker = Arc::new(Broker::new(Limits::default()));
    for line in
        [format!("PUB {} 2\r\n", "a".repeat(5000)), format!("SUB {}", "a".repeat(5000)), " ".repeat(5)]
    {
        let mut peer = Peer::new(&broker);
        let expected = match line.trim() {
            "" => "-ERR 'Unknown Protocol Operation'\r\n",
            _ => "-ERR 'maximum control line exceeded'\r\n",
        };
        assert_eq!(peer.say(&line), expected);
        assert!(peer.session.is_none());
    }
    let mut peer = Peer::new(&broker);
    let longest = format!("SUB {} 1\r\n", "a".repeat(1024));
    assert_eq!(peer.say(&longest), "+OK\r\n");
}

#[test]
fn info_says_what_the_options_say() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let options = NatsOptions {
        server_id: "NABC".to_owned(),
        version: "2.9.10".to_owned(),
        connect_urls: vec!["192.0.2.1:4222".to_owned()],
        auth_required: true,
        payload_bytes_max: 1000,
        ..NatsOptions::default()
    };
    let mut peer = Peer::with_options(&broker, options);
    let line = peer.receive();
    let json = line
        .strip_prefix("INFO ")
        .and_then(|line| line.strip_suffix(" \r\n"))
        .expect("INFO and a line's end");
    let info: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let expected = serde_json::json!({
        "server_id": "NABC", "server_name": "model", "version": "2.9.10", "proto": 1, "host": "127.0.0.1", "port": 4222,
        "headers": true, "auth_required": true, "max_payload": 1000, "client_id": 1, "client_ip": "192.0.2.7",
        "connect_urls": ["192.0.2.1:4222"],
    });
    assert_eq!(info, expected);
}

#[test]
fn what_connect_says_is_shown() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::new(&broker);
    peer.say("CONNECT {\"Name\":\"x\",\"lang\":\"rust\",\"version\":\"1.2\",\"user\":null,\"tls_required\":false,\"sig\":\"\"}\r\n");
    let info = peer.info();
    assert_eq!(
        (info.name(), info.lang(), info.version(), info.user()),
        (Some("x"), Some("rust"), Some("1.2"), None)
    );
    assert_eq!((info.protocol, info.address.as_str()), ("nats", "192.0.2.7:5000"));
}

#[test]
fn a_client_may_not_want_to_hear_itself() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut deaf = Peer::connected(&broker, "CONNECT {\"verbose\":false,\"echo\":false}\r\n");
    let mut other = Peer::connected(&broker, QUIET);
    assert_eq!(other.say("SUB a.* 9\r\n"), "");
    assert_eq!(deaf.say("SUB a.b 1\r\nSUB > q 2\r\nPUB a.b 1\r\nx\r\nPUB a.b 1\r\ny\r\n"), "");
    assert_eq!(other.receive(), "MSG a.b 9 1\r\nx\r\nMSG a.b 9 1\r\ny\r\n");
    assert_eq!(other.say("PUB a.b 1\r\nz\r\n"), "MSG a.b 9 1\r\nz\r\n");
    let heard = deaf.receive();
    assert_eq!(heard.matches("\r\nz\r\n").count(), 2, "by the subscription and by the group: {heard:?}");
    // It changes its mind.
    assert_eq!(deaf.say("CONNECT {\"echo\":true}\r\nUNSUB 2\r\nPUB a.b 1\r\nw\r\n"), "MSG a.b 1 1\r\nw\r\n");
}

#[test]
fn the_number_of_subscriptions_has_a_limit_where_that_is_set() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let options = NatsOptions { subscriptions_max: 2, ..NatsOptions::default() };
    let mut peer = Peer::with_options(&broker, options);
    peer.receive();
    let answers = peer.say("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nUNSUB 1\r\nSUB c 3\r\n");
    assert_eq!(answers, "+OK\r\n+OK\r\n-ERR 'maximum subscriptions exceeded'\r\n+OK\r\n+OK\r\n");
    assert_eq!((peer.info().subscriptions(), broker.subscriptions()), (2, 2));
}

#[test]
fn a_slow_consumer_is_told_so_and_closed() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut slow = Peer::connected(&broker, QUIET);
    slow.say("SUB a 1\r\n");
    slow.socket.take(0, 0);
    let mut publisher = Peer::connected(&broker, QUIET);
    let message = format!("PUB a 100000\r\n{}\r\n", "x".repeat(100_000));
    for _ in 0..20 {
        publisher.say(&message);
    }
    assert_eq!(slow.ending(), Some(CloseReason::SlowConsumer));
    slow.socket.take(usize::MAX, usize::MAX);
    let received = slow.receive();
    assert!(received.ends_with("\r\n-ERR 'Slow Consumer'\r\n"), "{:?}", &received[received.len() - 60..]);
    let stats = slow.outbox.stats();
    assert_eq!(stats.messages_out + stats.lagged + stats.lost, 20, "{stats:?}");
}
