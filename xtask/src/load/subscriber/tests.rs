//! The books of one subscriber, from frames that are made up.

use super::*;
use crate::load::frame::{Batch, Outgoing};
use crate::load::payload::Payload;
use crate::load::protocol::{Filter, Wire};
use broker_core::wire::native::encode;
use mio::{Poll, Token, Waker};

const SIZE: usize = 40;

/// A subscriber to topics a and b, to which publisher 0 publishes in turn, and the frames of its first messages.
fn subscriber(sent: u64) -> (Subscriber, Vec<Vec<u8>>) {
    let topics = ["a".to_owned(), "b".to_owned()];
    let filters = Filter::all(Wire::Native, &topics).unwrap();
    let payload = Payload::new(SIZE, false).unwrap();
    let layouts = Arc::new(Layouts::new(Wire::Native, &topics, &filters, payload.clone()).unwrap());
    let expected = Arc::new(Expected::new(&[true, true]).unwrap());
    let poll = Poll::new().unwrap();
    let flow = Arc::new(Flow::new(1, Arc::new(Waker::new(poll.registry(), Token(0)).unwrap())));
    flow.set_sent(sent);
    let source = Source::new(expected, [0, 1].into(), flow, 0);
    let mut batch = Batch::new(Wire::Native, &Outgoing::Delivered(filters), &["a", "b"], payload, 1).unwrap();
    let frames = (0..sent).map(|number| {
        let range = batch.fill(0, number, 1, 0, |number| number);
        batch.bytes(range).to_vec()
    });
    let frames = frames.collect();
    (Subscriber::new("s".to_owned(), layouts, vec![Some(source)], Pong::Here), frames)
}

fn take(subscriber: &mut Subscriber, bytes: &[u8]) -> Result<usize> {
    subscriber.take(bytes, 1_000, &mut Latencies::new(Arc::default()))
}

#[track_caller]
fn check(bytes: &[Vec<u8>], sent: u64, want: impl Fn(&Books) -> bool) {
    let (mut subscriber, _) = subscriber(sent);
    let bytes = bytes.concat();
    assert_eq!(take(&mut subscriber, &bytes).unwrap(), bytes.len());
    let books = subscriber.books();
    assert!(want(&books), "{books:?}");
}

#[test]
fn the_books_tell_what_became_of_the_messages() {
    let (_, f) = subscriber(4);
    check(&f, 4, |b| b.counts.received == 4 && b.missing == 0 && b.counts.corrupt == 0);
    check(&f[..3], 4, |b| b.counts.received == 3 && b.missing == 1);
    check(&[f[0].clone(), f[2].clone(), f[1].clone()], 3, |b| b.counts.reordered == 1 && b.missing == 0);
    check(&[f[0].clone(), f[0].clone()], 1, |b| b.counts.duplicated == 1);
}

#[test]
fn a_lag_that_was_told_is_not_a_loss() {
    let (_, f) = subscriber(4);
    let mut lagged = Vec::new();
    encode::lagged(&mut lagged, "*", 2);
    check(&[f[0].clone(), lagged, f[3].clone()], 4, |b| b.skipped == 2 && b.missing == 2);
}

#[test]
fn another_encoding_of_the_same_message_counts() {
    let (_, f) = subscriber(2);
    // The topic as str 8, the value as bin 16.
    let stamp = &f[0][f[0].len() - SIZE..];
    let other = [&[0x92, 0xd9, 1, b'a', 0xc5, 0, 40][..], stamp].concat();
    check(&[other, f[1].clone()], 2, |b| b.counts.received == 2 && b.counts.corrupt == 0);
}

#[test]
fn what_was_not_asked_for_is_corrupt() {
    let (_, f) = subscriber(2);
    let mut wrong_topic = f[0].clone();
    wrong_topic[2] = b'b';
    check(&[wrong_topic], 1, |b| b.counts.corrupt == 1 && b.missing == 1);
    let mut unknown_publisher = f[0].clone();
    let at = unknown_publisher.len() - SIZE + 6;
    unknown_publisher[at] = 9;
    check(&[unknown_publisher], 1, |b| b.counts.corrupt == 1);
    let mut changed = f[0].clone();
    *changed.last_mut().unwrap() ^= 1;
    check(&[changed], 1, |b| b.counts.corrupt == 1);
    let mut other_value = Vec::new();
    encode::message(&mut other_value, "a", &[0xc3]);
    check(&[other_value], 0, |b| b.counts.corrupt == 1);
}

#[test]
fn every_split_gives_the_same_books() {
    let (_, f) = subscriber(3);
    let mut lagged = Vec::new();
    encode::lagged(&mut lagged, "*", 1);
    let all = [f[0].clone(), lagged, f[2].clone()].concat();
    for split in 0..=all.len() {
        let (mut subscriber, _) = subscriber(3);
        let used = take(&mut subscriber, &all[..split]).unwrap();
        let rest = take(&mut subscriber, &all[used..]).unwrap();
        assert_eq!(used + rest, all.len(), "split at {split}");
        let books = subscriber.books();
        assert_eq!((books.counts.received, books.skipped, books.missing), (2, 1, 1), "split at {split}");
    }
}

#[test]
fn a_frame_that_is_none_ends_the_run() {
    let (mut s, f) = subscriber(1);
    assert!(take(&mut s, &[0xc1]).is_err());
    let (mut s, _) = subscriber(1);
    assert!(take(&mut s, &[f[0].clone(), vec![0x07]].concat()).is_err());
    let mut goodbye = Vec::new();
    encode::goodbye(&mut goodbye, "slow-consumer", "too slow");
    let (mut s, _) = subscriber(1);
    assert!(take(&mut s, &goodbye).unwrap_err().to_string().contains("slow-consumer"));
}
