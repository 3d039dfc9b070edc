//! Clients that ask and do not listen: their answers are bounded, because the server stops to read them.

use std::time::Duration;

use broker_core::outbox::ROOM_BYTES;
use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_server::Limits;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::honest::Honest;
use crate::support::{DEADLINE, Peer, Victim, assert_growth, resident_bytes};

/// Far more than the buffers of the system hold in both directions.
const SENT_MAX: usize = 64 << 20;

/// What is asked at once.
const CHUNK: usize = 64 << 10;

/// Asks `question` until the server reads no more. Returns how many questions were sent whole, and the rest of the last one.
async fn ask_without_end(victim: &Victim, peer: &mut Peer, question: &[u8]) -> (usize, Vec<u8>) {
    let waiting = || victim.server.broker().sessions().iter().map(|session| session.queue_bytes()).max();
    let mut sent = 0;
    while sent < SENT_MAX {
        let from = sent % question.len();
        let chunk: Vec<u8> = question.iter().copied().cycle().skip(from).take(CHUNK).collect();
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            // That it takes nothing for so long may have other reasons than that the server holds it; then it is not held below.
            let written = timeout(Duration::from_millis(200), peer.stream.write(rest)).await;
            let most = waiting().unwrap_or(0);
            assert!(most <= ROOM_BYTES + 2 * CHUNK * 8, "{most} bytes of answers wait");
            let Ok(written) = written else {
                if most >= ROOM_BYTES {
                    let rest = question[sent % question.len()..].to_vec();
                    return (
                        sent / question.len(),
                        if sent % question.len() == 0 { Vec::new() } else { rest },
                    );
                }
                continue;
            };
            let written = written.expect("a client that does not read is not closed for it");
            sent += written;
            rest = &rest[written..];
        }
    }
    panic!("the server took {sent} bytes of questions from a client that reads no answer");
}

async fn check(test: &'static str, question: impl FnOnce(&mut Vec<u8>)) {
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let mut hostile = Peer::introduced(victim.address).await;
    // The receive buffer stays as it is: with a small one the system itself sends only as often as it probes a closed window, some
    // 150 KB a second, long after the server has handed everything over.
    let mut bytes = Vec::new();
    question(&mut bytes);
    let memory = resident_bytes();
    let (asked, rest) = ask_without_end(&victim, &mut hostile, &bytes).await;
    assert_growth(memory, 32 << 20);
    // It begins to read: every answer is there, and the session goes on where it was.
    let (mut reader, mut writer) = hostile.stream.into_split();
    let finish = async {
        writer.write_all(&rest).await.unwrap();
        let mut ping = Vec::new();
        encode::ping(&mut ping, Some(u64::MAX));
        writer.write_all(&ping).await.unwrap();
    };
    let count = async {
        let expected = asked + usize::from(!rest.is_empty());
        let answers = count_answers(&mut reader).await;
        assert_eq!(answers, expected, "an answer for each question");
    };
    tokio::join!(finish, count);
    drop((reader, writer));
    honest.finish().await;
    victim.stop_when_left().await;
}

/// Answers until that of `u64::MAX`.
async fn count_answers(reader: &mut tokio::net::tcp::OwnedReadHalf) -> usize {
    use broker_core::wire::native::{FrameScanner, WireLimits};
    use tokio::io::AsyncReadExt;
    let (mut buffer, mut answers) = (Vec::new(), 0);
    let mut scanner = FrameScanner::new(WireLimits::default());
    loop {
        let read = timeout(DEADLINE, reader.read_buf(&mut buffer)).await;
        let read =
            read.unwrap_or_else(|_| panic!("the server goes on when its answers are read: {answers} came"));
        assert!(read.unwrap() > 0, "closed");
        let mut at = 0;
        while let Some(bytes) = scanner.scan(&buffer[at..]).unwrap() {
            match Event::parse(&buffer[at..at + bytes]).unwrap() {
                Event::Ok { id: u64::MAX, .. } => return answers,
                Event::Ok { .. } | Event::Err { .. } | Event::Pong => answers += 1,
                other => panic!("not expected: {other:?}"),
            }
            at += bytes;
        }
        buffer.drain(..at);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_with_ids() {
    check("never_reads::pings_with_ids", |out| encode::ping(out, Some(1 << 40))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_commands() {
    // The answer is many times as long as the question.
    check("never_reads::unknown_commands", |out| out.extend(b"\x81\xa1x\x90")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_with_ids() {
    let options = PublishOptions { id: Some(1), ..PublishOptions::default() };
    check("never_reads::publishes_with_ids", |out| encode::publish(out, "t", b"\x07", &options)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_that_are_refused() {
    let options = SubscribeOptions { id: Some(1), ..SubscribeOptions::default() };
    check("never_reads::patterns_that_are_refused", |out| encode::subscribe(out, "[", &options)).await;
}
