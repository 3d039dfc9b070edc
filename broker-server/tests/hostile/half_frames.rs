//! Frames that begin and do not end. What is kept of them is what has come, not what was announced.

use broker_core::wire::native::{Event, encode};
use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{Peer, Victim, assert_growth, eventually, resident_bytes};

const CONNECTIONS: usize = 200;

/// The head of a publish of a bin of 8,000,000 bytes.
const LARGE: &[u8] = b"\x81\xa7Publish\x91\x92\xa1t\xc6\x00\x7a\x12\x00";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_half_frames_are_held_open() {
    let Some(victim) =
        Victim::start_alone("half_frames::two_hundred_half_frames_are_held_open", Limits::default()).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let before = victim.connections();
    let memory = resident_bytes();
    let mut halves = Vec::new();
    for (number, kept) in
        [(0, 0), (1, 0), (2, 1), (3, 10_000), (4, 100_000)].into_iter().cycle().take(CONNECTIONS)
    {
        let mut peer = Peer::connect(victim.address).await;
        let begun = match number {
            // In the middle of a name.
            0 => b"\x81\xa7Pub".to_vec(),
            // Between two elements of many.
            1 => b"\x81\xa7Publish\x91\x92\xa1t\xdd\x00\x7a\x12\x00\x07\x07".to_vec(),
            _ => [LARGE, &vec![7; kept]].concat(),
        };
        peer.write(&begun).await.unwrap();
        halves.push(peer);
    }
    let there = || victim.connections() >= before + CONNECTIONS;
    eventually("all are served", there).await;
    // A fifth of them sent 100 KB, a fifth 10 KB; each of those may hold a read buffer of twice 128 KiB.
    assert_growth(memory, 48 << 20);

    // Held open is not closed: one that goes on is served.
    let mut subscriber = Peer::introduced(victim.address).await;
    subscriber.subscribe("t").await;
    let mut late = halves.swap_remove(4);
    late.write(&vec![7; 8_000_000 - 100_000]).await.unwrap();
    let frame = subscriber.frame().await.expect("a message");
    assert!(matches!(Event::parse(&frame), Ok(Event::Message(message)) if message.value.len() == 8_000_005));
    drop((late, subscriber, halves));
    honest.finish().await;
    victim.stop_when_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_cut_off_leaves_nothing() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut subscriber = Peer::introduced(victim.address).await;
    subscriber.subscribe("cut").await;
    let mut frame = Vec::new();
    encode::publish(&mut frame, "cut", b"\xd9\x05hello", &encode::PublishOptions::default());
    for cut in 1..frame.len() {
        let mut peer = Peer::connect(victim.address).await;
        peer.write(&frame[..cut]).await.unwrap();
    }
    let before = victim.server.broker().totals().messages_in;
    subscriber.flush().await;
    let mut whole = Peer::introduced(victim.address).await;
    whole.write(&frame).await.unwrap();
    whole.flush().await;
    let message = subscriber.frame().await.expect("the whole one");
    assert!(matches!(Event::parse(&message), Ok(Event::Message(message)) if message.topic == "cut"));
    assert!(victim.server.broker().totals().messages_in > before);
    drop((subscriber, whole));
    honest.finish().await;
    victim.stop_when_left().await;
}
