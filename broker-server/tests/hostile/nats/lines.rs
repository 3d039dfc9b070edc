//! Control lines without an end, without sense, and with zero bytes.

use broker_server::Limits;

use super::{CHUNK, Peer, exchange};
use crate::honest::Honest;
use crate::support::{Random, Victim, assert_growth, eventually, resident_bytes};

/// Beginnings that lead what follows further in.
const BEGINNINGS: [&[u8]; 12] = [
    b"",
    b"SUB ",
    b"PUB ",
    b"PUB a b c d ",
    b"HPUB a 1",
    b"UNSUB ",
    b"CONNECT {",
    b"CONNECT [",
    b"CONNECT {\"name\":\"",
    b"SUB a.b 1\r\nPUB a.b ",
    b"-ERR '",
    b"\x00",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_without_an_end() {
    let Some(victim) = Victim::start_alone("nats::lines::lines_without_an_end", Limits::default()).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let memory = resident_bytes();
    let chunk = vec![b'a'; CHUNK];
    for beginning in BEGINNINGS.into_iter().cycle().take(24) {
        let mut peer = Peer::connect(victim.nats).await;
        peer.write(beginning).await;
        let mut sent = 0;
        // 64 MiB is what it would cost if it were kept.
        while sent < 64 << 20 && peer.write(&chunk).await {
            sent += CHUNK;
        }
        assert!(sent < 32 << 20, "the server reads {sent} bytes of a line that does not end");
    }
    assert_growth(memory, 32 << 20);
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise() {
    let Some(victim) = Victim::start_alone("nats::lines::noise", Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let memory = resident_bytes();
    let mut random = Random::new(4);
    let mut open = Vec::new();
    for beginning in BEGINNINGS.into_iter().cycle().take(240) {
        let mut peer = Peer::connect(victim.nats).await;
        for _ in 0..4 {
            let length = 1 + random.below(4000);
            // It may be closed by now.
            peer.write(&[beginning, &random.bytes(length), b"\r\n"].concat()).await;
        }
        open.push(peer);
    }
    drop(open);
    assert_growth(memory, 32 << 20);
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

/// Every command with a zero byte at every place: the connection is closed or goes on, and nothing else happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_bytes() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    for command in [
        "PING\r\n",
        "SUB a.b g 1\r\n",
        "PUB a.b 2\r\nhi\r\n",
        "UNSUB 1 2\r\n",
        "CONNECT {\"name\":\"a\"}\r\n",
    ] {
        for at in 0..=command.len() {
            let mut peer = Peer::quiet(victim.nats).await;
            let (before, after) = command.as_bytes().split_at(at);
            peer.write(&[before, b"\0", after].concat()).await;
            // Half an operation waits for its rest, as it should.
            drop(peer);
        }
    }
    exchange(victim.nats).await;
    honest.finish().await;
    eventually("all are gone", || victim.connections() == 0).await;
    assert_eq!(victim.server.broker().subscriptions(), 0);
    victim.stop().await;
}

/// Whoever reads JSON by recursion dies of this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_nested_as_deep_as_a_line_is_long() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 4_000 / open.len();
        for closes in [0, depth / 2] {
            let mut peer = Peer::connect(victim.nats).await;
            let line = format!("CONNECT {{\"a\":{}{}\r\n", open.repeat(depth), close.repeat(closes));
            peer.write(&line.as_bytes()[..line.len().min(4_090)]).await;
            peer.write(b"\r\n").await;
            peer.end().await;
        }
    }
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}
