//! Too many subscriptions, questions without an ear for the answers, and connections that come and go.

use std::time::{Duration, Instant};

use broker_core::outbox::ROOM_BYTES;
use broker_server::Limits;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::{CHUNK, Peer, exchange};
use crate::churn;
use crate::honest::Honest;
use crate::support::{Victim, assert_growth, eventually, resident_bytes};

/// Far more than the buffers of the system hold in both directions.
const SENT_MAX: usize = 64 << 20;

/// Patterns that all match one subject, and as many that match nothing: a message finds its way through all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wildcards() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut peer = Peer::quiet(victim.nats).await;
    let mut lines = String::new();
    for number in 0..10_000_u32 {
        // Sixteen tokens, each a name or a wildcard: as many patterns as a tree can be made to follow.
        let tokens: Vec<&str> = (0..14).map(|bit| if number >> bit & 1 == 1 { "*" } else { "a" }).collect();
        let last = if number % 2 == 0 { "b" } else { ">" };
        lines.extend(["SUB ", &tokens.join("."), ".", last, " ", &number.to_string(), "\r\n"]);
    }
    peer.say(&lines).await;
    peer.flush().await;
    assert!(victim.server.broker().subscriptions() >= 10_000);
    let mut publisher = Peer::quiet(victim.nats).await;
    let begun = Instant::now();
    let subject = "a.".repeat(14);
    for number in 0..20 {
        // Different names, so that no cache knows them.
        publisher.say(&format!("PUB {subject}c{number} 1\r\nx\r\n")).await;
    }
    publisher.flush().await;
    // Each goes to the 5,000 that end in `>`.
    let got = peer.flush().await;
    let message = |number: usize| format!("MSG {subject}c{number} ").len() + "\r\nx\r\n".len();
    assert!(got.len() > 20 * 5_000 * message(0), "{} bytes", got.len());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop((peer, publisher));
    exchange(victim.nats).await;
    honest.finish().await;
    eventually("all are gone", || victim.connections() == 0).await;
    assert_eq!(victim.server.broker().subscriptions(), 0);
    victim.stop().await;
}

/// Says `question` until the server reads no more; what it keeps of the answers is bounded.
async fn ask_without_end(test: &'static str, question: &str) {
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let mut peer = Peer::quiet(victim.nats).await;
    let memory = resident_bytes();
    let chunk = question.repeat(CHUNK / question.len());
    let waiting = || victim.server.broker().sessions().iter().map(|session| session.queue_bytes()).max();
    let (mut sent, mut held) = (0, false);
    while sent < SENT_MAX && !held {
        // It goes on where it was cut off, in the middle of a question or not.
        let rest = &chunk.as_bytes()[sent % chunk.len()..];
        // That it takes nothing for so long may have other reasons than that the server holds it.
        match timeout(Duration::from_millis(200), peer.stream.write(rest)).await {
            Ok(written) => sent += written.expect("a client that does not read is not closed for it"),
            Err(_) => held = waiting().unwrap_or(0) >= ROOM_BYTES,
        }
        let most = waiting().unwrap_or(0);
        assert!(most <= ROOM_BYTES + 2 * CHUNK * 8, "{most} bytes of answers wait");
    }
    assert!(held, "the server took {sent} bytes of questions from a client that reads no answer");
    assert_growth(memory, 32 << 20);
    drop(peer);
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_without_an_ear() {
    ask_without_end("nats::floods::pings_without_an_ear", "PING\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_subscriptions_without_an_ear() {
    ask_without_end("nats::floods::refused_subscriptions_without_an_ear", "SUB a..b 1\r\n").await;
}

/// A subscriber that reads nothing costs what it may cost, is closed, and the publisher goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_without_an_ear() {
    let test = "nats::floods::messages_without_an_ear";
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let before = victim.connections();
    let mut deaf = Peer::quiet(victim.nats).await;
    deaf.say("SUB deaf 1\r\n").await;
    deaf.flush().await;
    let memory = resident_bytes();
    let mut publisher = Peer::quiet(victim.nats).await;
    let message = format!("PUB deaf 65536\r\n{}\r\n", "x".repeat(65_536));
    for _ in 0..2_000 {
        publisher.say(&message).await;
    }
    publisher.flush().await;
    // 64 MiB is the bound, and what the system's buffers hold is not the process's.
    assert_growth(memory, 96 << 20);
    drop(publisher);
    // It is closed though it does not read; a newcomer of the honest pair may be there.
    eventually("the deaf one is closed", || victim.connections() <= before + 1).await;
    deaf.end().await;
    exchange(victim.nats).await;
    honest.finish().await;
    victim.stop_when_left().await;
}

/// Comes, does what clients do, and goes in one of several ways.
async fn visit(victim: &Victim, number: usize) {
    let mut peer = Peer::connect(victim.nats).await;
    match number % 5 {
        0 => {}
        1 => SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).unwrap(),
        2 => {
            peer.say(&format!("SUB visit.> g {number}\r\nSUB visit.{number} 1\r\nPUB visit.1 10\r\nabc"))
                .await;
            SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
        3 => {
            // Answers and messages are on their way to it when it goes.
            peer.say("SUB visit.> 1\r\n").await;
            peer.say(&"PUB visit.1 1\r\nx\r\nPING\r\n".repeat(100)).await;
        }
        _ => {
            peer.say("SUB visit.* 1\r\nwhat?\r\n").await;
            let said = peer.end().await;
            assert!(said.ends_with("-ERR 'Unknown Protocol Operation'\r\n"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_leave_nothing() {
    let test = "nats::floods::a_thousand_connections_leave_nothing";
    churn::check(test, visit, async |victim| exchange(victim.nats).await).await;
}
