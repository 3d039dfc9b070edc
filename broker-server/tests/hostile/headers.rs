//! Frames that announce more than they are allowed: nested without end, or 4 GiB long.

use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{End, Peer, Victim, assert_growth, resident_bytes};

/// `{"Publish": [["t", …`
const PUBLISH: &[u8] = b"\x81\xa7Publish\x91\x92\xa1t";

fn too_large() -> End {
    End { errors: vec![5], goodbye: Some("too-large".to_owned()), others: 0 }
}

/// The frame ends the connection, and one that said `Hello` is told why.
async fn check_refused(victim: &Victim, frame: &[u8]) {
    let mut introduced = Peer::introduced(victim.address).await;
    // The server may close before it has read all of it.
    let _ = introduced.write(frame).await;
    assert_eq!(introduced.end().await, too_large(), "{:x?}…", &frame[..frame.len().min(32)]);
    let mut stranger = Peer::connect(victim.address).await;
    let _ = stranger.write(frame).await;
    assert_eq!(stranger.end().await, End { errors: Vec::new(), goodbye: None, others: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_a_hundred_thousand_deep() {
    let Some(victim) =
        Victim::start_alone("headers::nested_a_hundred_thousand_deep", Limits::default()).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let memory = resident_bytes();
    for opening in
        [&b"\x91"[..], b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\x81\x07", b"\x81", b"\xde\x00\x01\xc0"]
    {
        let bomb = opening.repeat(100_000);
        check_refused(&victim, &bomb).await;
        check_refused(&victim, &[PUBLISH, &bomb].concat()).await;
        // In the options, where no value is expected.
        check_refused(&victim, &[b"\x81\xa4Ping\x91\x81\xa2id", &bomb[..]].concat()).await;
    }
    assert_growth(memory, 32 << 20);
    honest.finish().await;
    victim.stop_when_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_of_four_gigabytes() {
    let Some(victim) = Victim::start_alone("headers::lengths_of_four_gigabytes", Limits::default()).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let memory = resident_bytes();
    for marker in [0xdb, 0xc6, 0xc9, 0xdd, 0xdf] {
        for length in [[0xff; 4], [0x80, 0, 0, 0], [0x00, 0x80, 0x00, 0x01]] {
            let header = [&[marker][..], &length].concat();
            check_refused(&victim, &header).await;
            check_refused(&victim, &[PUBLISH, &header].concat()).await;
            check_refused(&victim, &[b"\x81\xa9Subscribe\x91", &header[..]].concat()).await;
            check_refused(&victim, &[b"\x81", &header[..]].concat()).await;
        }
    }
    assert_growth(memory, 32 << 20);
    honest.finish().await;
    victim.stop_when_left().await;
}
