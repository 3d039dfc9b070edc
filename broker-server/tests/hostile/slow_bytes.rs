//! A frame that comes byte by byte: it costs the server its bytes, and not their square.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broker_core::wire::native::{Event, PublishOptions, encode};
use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{Peer, Victim};

/// The time is that of a million writes; a server that began each piece from the start would take hours.
const LIMIT: Duration = Duration::from_secs(30);

fn dribble(address: SocketAddr, frame: &[u8], piece: usize) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    for bytes in frame.chunks(piece) {
        stream.write_all(bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_megabyte_byte_by_byte() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut subscriber = Peer::introduced(victim.address).await;
    subscriber.subscribe("slow/*").await;
    let begun = Instant::now();
    // One value of a megabyte, and a megabyte of values: the second has to be walked.
    let bin = [b"\xc6\x00\x10\x00\x00", &vec![7; 1 << 20][..]].concat();
    let array = [b"\xdd\x00\x10\x00\x00", &vec![7; 1 << 20][..]].concat();
    let mut writers = Vec::new();
    for (topic, value, piece) in [("slow/bin", bin, 2), ("slow/array", array, 1)] {
        let mut frame = Vec::new();
        encode::publish(&mut frame, topic, &value, &PublishOptions::default());
        let address = victim.address;
        writers.push(tokio::task::spawn_blocking(move || dribble(address, &frame, piece)));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for _ in 0..2 {
        let frame = subscriber.frame().await.expect("a message");
        let Ok(Event::Message(message)) = Event::parse(&frame) else { panic!("a message") };
        assert_eq!(message.value.len(), 5 + (1 << 20));
    }
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    drop(subscriber);
    honest.finish().await;
    victim.stop_when_left().await;
}
