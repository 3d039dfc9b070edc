//! A group whose members leave while others publish: each message goes to one of them, and to nobody twice.

use broker_core::outbox::OutboxStats;
use broker_core::wire::native::{SubscribeOptions, encode};
use shuttle::rand::{Rng, thread_rng};

use crate::check::check;
use crate::connection::Connection;
use crate::messages::{Received, answers, broker, join, publisher, sum};

const BATCHES: [&[u8]; 2] = [&[1, 2, 1], &[2, 1, 1]];

#[test]
fn groups_with_a_member_that_leaves() {
    check("groups_with_a_member_that_leaves", 6_000, || run(false));
}

#[test]
fn groups_with_a_member_that_goes() {
    check("groups_with_a_member_that_goes", 6_000, || run(true));
}

fn run(goes: bool) {
    let broker = broker(1 << 20);
    let options = SubscribeOptions { id: Some(1), retained: false, ..SubscribeOptions::default() };
    let mut members: Vec<Connection> = (0..2)
        .map(|_| {
            let mut member = Connection::new(&broker);
            member.send(|out| encode::subscribe_in_group(out, "p/*", Some("g"), &options));
            member.with_writer()
        })
        .collect();
    for member in &members {
        member.wire.open();
    }
    let publishers: Vec<_> =
        (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
    let mut leaver = members.swap_remove(thread_rng().gen_range(0..2));
    let stayed = members.remove(0);
    let left = if goes {
        let left = leaver.finish();
        join(publishers);
        left
    } else {
        leaver.send(|out| encode::unsubscribe(out, "p/*", Some(2)));
        leaver.await_frames(1, |event| answers(event, 2));
        let so_far = Received::of(&leaver.wire.received()).messages;
        join(publishers);
        let left = leaver.finish();
        assert_eq!(left.0.messages, so_far, "none behind the answer");
        left
    };
    check_all(&[left, stayed.finish()]);
}

fn check_all(members: &[(Received, OutboxStats)]) {
    let mut numbers: Vec<(u8, u8)> = Vec::new();
    for (publisher, own) in members.iter().flat_map(|(received, _)| &received.numbers) {
        numbers.extend(own.iter().map(|number| (*publisher, *number)));
    }
    let messages = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), messages, "none twice");
    let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
    let lost: u64 = members.iter().map(|(_, stats)| stats.lost).sum();
    assert_eq!(messages as u64 + lost, published as u64);
}
