//! Patterns that are made to be slow to match, or to fill the memory.

use std::time::{Duration, Instant};

use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};
use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{Peer, Victim, assert_growth, eventually, resident_bytes};

/// Subscribes to all of them and waits for the last answer.
async fn subscribe_all(peer: &mut Peer, patterns: impl Iterator<Item = String>) {
    let patterns: Vec<String> = patterns.collect();
    for some in patterns.chunks(500) {
        peer.send(|out| {
            for pattern in some {
                encode::subscribe(
                    out,
                    pattern,
                    &SubscribeOptions { retained: false, ..SubscribeOptions::default() },
                );
            }
        })
        .await;
        peer.flush().await;
    }
}

/// 10,000 variants of `*a*a*a*b`, every one of which is alive at every character of a topic of `a`s, and topics that the routes of no other
/// topic answer for. It takes long, and only the hostile client may have to wait for it: the deadlines of the honest ones are in `honest`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_patterns_of_many_stars() {
    const TOPICS: usize = 24;
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut hostile = Peer::introduced(victim.address).await;
    let variants = (0..10_000).map(|number: usize| {
        let runs = [number % 22, number / 22 % 22, number / 22 / 22].map(|more| "a".repeat(more + 1));
        format!("*{}*b", runs.join("*"))
    });
    subscribe_all(&mut hostile, variants).await;
    assert!(victim.server.broker().subscriptions() >= 10_001);
    hostile
        .send(|out| {
            for number in 0..TOPICS {
                let topic = format!("{number}{}", "a".repeat(1000));
                encode::publish(out, &topic, b"\x07", &PublishOptions::default());
            }
        })
        .await;
    let begun = Instant::now();
    hostile.flush_within(Duration::from_mins(1)).await;
    let hostile_waited = begun.elapsed();
    let honest_waited = honest.finish().await;
    // They share the machine, and so wait for a topic or two, but not for all of them.
    assert!(
        honest_waited < hostile_waited / 3 + Duration::from_millis(300),
        "the honest ones waited {honest_waited:?}, the hostile one {hostile_waited:?}"
    );
    drop(hostile);
    eventually("its subscriptions are gone", || victim.server.broker().subscriptions() == 0).await;
    victim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_patterns_go_with_their_session() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    for begin in ["exact", "wild*"] {
        let mut hostile = Peer::introduced(victim.address).await;
        subscribe_all(&mut hostile, (0..20_000).map(|number| format!("{begin}/{number}"))).await;
        assert!(victim.server.broker().subscriptions() >= 20_001);
        hostile.reset();
        let gone = || victim.server.broker().subscriptions() <= 2;
        eventually("its subscriptions are gone", gone).await;
        assert!(!victim.server.broker().has_subscribers(&format!("{begin}/7")));
    }
    honest.finish().await;
    victim.stop().await;
}

/// A pattern with alternatives stands for all their combinations: what the index keeps is bounded by what they have when written out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alternatives_take_no_more_than_when_written_out() {
    const PATTERNS: usize = 2000;
    /// The limit of docs/protocol.md, in bytes.
    const WRITTEN_OUT_MAX: usize = 8192;
    let Some(victim) =
        Victim::start_alone("patterns::alternatives_take_no_more_than_when_written_out", Limits::default())
            .await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let mut hostile = Peer::introduced(victim.address).await;
    let memory = resident_bytes();
    // 64 combinations of 120 and a few bytes each.
    let pattern = |number: usize| format!("{number:04}{}{}*", "{a,b}".repeat(6), "x".repeat(110));
    subscribe_all(&mut hostile, (0..PATTERNS).map(pattern)).await;
    assert!(victim.server.broker().subscriptions() > PATTERNS, "they are within the limits");
    // The pattern keeps its text alone; the index has a node of 64 bytes for each of the 127 choices, and the long end of the combinations
    // once. That is 1.1 times what is written out; the rest is the subscription and the allocator.
    assert_growth(memory, (PATTERNS * WRITTEN_OUT_MAX * 2) as u64);
    honest.finish().await;
    drop(hostile);
    eventually("its subscriptions are gone", || victim.server.broker().subscriptions() == 0).await;
    victim.stop().await;
}

/// Patterns that do not parse, or are too complex: refused one by one, and the session goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_that_are_refused() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut hostile = Peer::introduced(victim.address).await;
    let refused = [
        String::new(),
        "x".repeat(1025),
        "*a".repeat(17),
        "{a,b}".repeat(7),
        "{a,b}".repeat(6) + &"x".repeat(900),
        "{a,b,".repeat(150) + &"}".repeat(150),
        "{".repeat(1024),
        "[".repeat(1024),
        "[a-".repeat(300),
        "\\".to_owned(),
        "{".to_owned() + &",".repeat(1000) + "}",
    ];
    for pattern in &refused {
        for _ in 0..50 {
            hostile.send(|out| encode::subscribe(out, pattern, &SubscribeOptions::default())).await;
        }
    }
    hostile.send(|out| encode::ping(out, Some(7))).await;
    let errors = hostile.answer(7).await;
    assert_eq!(errors, vec![4; refused.len() * 50]);
    honest.finish().await;
    victim.stop().await;
}
