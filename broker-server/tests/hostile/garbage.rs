//! Bytes without any sense.

use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{Peer, Random, Victim, assert_growth, eventually, resident_bytes};

/// Beginnings that lead garbage further in.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"\x81",
    b"\x81\xa7Publish\x91\x92\xa1t",
    b"\x81\xa9Subscribe\x91",
    b"\x81\xa5Hello\x91\x81\xa7version\x01\x81",
    b"\x81\xa5Hello\x91\x81\xa7version\x01\x81\xa7Publish\x92\x92\xa1t\x07",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_connections_of_noise() {
    let Some(victim) =
        Victim::start_alone("garbage::a_hundred_connections_of_noise", Limits::default()).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let before = victim.connections();
    let memory = resident_bytes();
    let mut random = Random::new(1);
    let mut open = Vec::new();
    for number in 0..100 {
        let mut peer = Peer::connect(victim.address).await;
        for _ in 0..4 {
            let length = 1 + random.below(4000);
            let noise = [BEGINNINGS[number % BEGINNINGS.len()], &random.bytes(length)].concat();
            // It may be closed by now.
            let _ = peer.write(&noise).await;
        }
        open.push(peer);
    }
    // Those that the server waits for more of are few, and it waits for them alone.
    drop(open);
    // The newcomers of the honest pair come and go.
    eventually("all are gone", || victim.connections() <= before + 1).await;
    assert_growth(memory, 32 << 20);
    honest.finish().await;
    victim.stop().await;
}

/// A MessagePack stream that is valid and means nothing: every kind of value where a command should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_are_no_commands() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    for value in [
        &b"\xc0"[..],
        b"\xc1",
        b"\x07",
        b"\xff",
        b"\xa5hello",
        b"\xc4\x01x",
        b"\xc7\x01\x05x",
        b"\x90",
        b"\x80",
        b"\x82\xa4Ping\x90\xa4Ping\x90",
        b"\x81\x07\x90",
        b"\x81\xa4Ping\x80",
        b"\x81\xa4Ping\xc0",
        b"\x81\xa7Publish\x91\xa1t",
        b"\x81\xa7Publish\x91\x91\xa1t",
        b"\x81\xa7Publish\x91\x93\xa1t\x07\x07",
        b"\x81\xa7Publish\x93\x92\xa1t\x07\x80\x80",
        b"\x81\xa5Hello\x91\x81\xa7version\x01\x81\xa4Ping\x91\x07",
    ] {
        let mut peer = Peer::introduced(victim.address).await;
        peer.write(value).await.unwrap();
        // The last one says Hello a second time, which does not close, and then something malformed.
        let end = peer.end().await;
        assert_eq!((end.errors.last(), end.goodbye.as_deref()), (Some(&1), Some("malformed")), "{value:x?}");
    }
    honest.finish().await;
    victim.stop().await;
}
