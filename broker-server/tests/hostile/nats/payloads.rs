//! Payloads that are announced and do not come, and headers that are many.

use std::time::{Duration, Instant};

use broker_core::wire::native::{SubscribeOptions, encode};
use broker_server::Limits;

use super::{Peer, exchange};
use crate::honest::Honest;
use crate::support::{self, Victim, assert_growth, eventually, resident_bytes};

const CONNECTIONS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_lengths() {
    let test = "nats::payloads::absurd_lengths";
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let memory = resident_bytes();
    for length in [
        "1048577",
        "2147483647",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "-1",
        "+1",
        "0x10",
        "1e3",
        "1 ",
        " ",
        "\u{661}",
    ] {
        for command in [
            format!("PUB a b {length} \r\n"),
            format!("HPUB a {length} {length}\r\n"),
            format!("HPUB a 0 {length}\r\n"),
        ] {
            let mut peer = Peer::quiet(victim.nats).await;
            peer.say(&command).await;
            // What is no length after all waits for its payload: `PUB a b 1`, `HPUB a 1 1`.
            if length != "1 " && length != " " {
                let said = peer.end().await;
                assert!(said.is_empty() || said.starts_with("-ERR '"), "{command}: {said}");
            }
        }
    }
    assert_growth(memory, 16 << 20);
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_payloads_are_held_open() {
    let test = "nats::payloads::half_payloads_are_held_open";
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let before = victim.connections();
    let memory = resident_bytes();
    let mut halves = Vec::new();
    let kinds: [(&str, usize); 5] = [
        ("PU", 0),
        ("SUB a", 0),
        ("PUB held 1048576\r\n", 1),
        ("HPUB held 1000000 1048576\r\n", 10_000),
        ("PUB held 1048576\r\n", 100_000),
    ];
    for (head, kept) in kinds.into_iter().cycle().take(CONNECTIONS) {
        let mut peer = Peer::quiet(victim.nats).await;
        peer.say(&format!("{head}{}", "x".repeat(kept))).await;
        halves.push(peer);
    }
    eventually("all are served", || victim.connections() >= before + CONNECTIONS).await;
    // A fifth of them sent 100 KB, a fifth 10 KB; each of those may hold a read buffer of twice 128 KiB.
    assert_growth(memory, 48 << 20);
    // Held open is not closed: one that goes on is served.
    let mut subscriber = Peer::quiet(victim.nats).await;
    subscriber.say("SUB held 1\r\n").await;
    subscriber.flush().await;
    let mut late = halves.swap_remove(4);
    late.say(&format!("{}\r\n", "x".repeat(1_048_576 - 100_000))).await;
    subscriber.until(b"MSG held 1 1048576\r\n").await;
    subscriber.until(b"xx\r\n").await;
    drop((late, subscriber, halves));
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

/// A block of as many different headers as fit into a message, for a subscriber that gets them as a map: the work is in proportion to its size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_very_many_headers() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut native = support::Peer::introduced(victim.address).await;
    let options = SubscribeOptions { id: Some(1), meta: true, ..SubscribeOptions::default() };
    native.send(|out| encode::subscribe(out, "many", &options)).await;
    native.answer(1).await;
    let mut block = "NATS/1.0\r\n".to_owned();
    for number in 0.. {
        let line = format!("{number:x}:\n");
        if block.len() + line.len() + 2 > 1_000_000 {
            break;
        }
        block += &line;
    }
    block += "\r\n";
    let mut peer = Peer::quiet(victim.nats).await;
    let begun = Instant::now();
    peer.say(&format!("HPUB many {0} {0}\r\n{block}\r\n", block.len())).await;
    peer.flush().await;
    let took = begun.elapsed();
    // Milliseconds where it is linear; where each is compared with each of 150,000, a minute.
    assert!(took < Duration::from_secs(3), "{took:?}");
    drop((native, peer));
    honest.finish().await;
    victim.stop_when_left().await;
}
