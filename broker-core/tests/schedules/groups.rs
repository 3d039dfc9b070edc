//! A group whose members leave while others publish: each message goes to one of them, and to nobody twice.

use std::sync::Arc;

use broker_core::wire::native::{SubscribeOptions, encode};
use shuttle::rand::{Rng, thread_rng};

use crate::check::check;
use crate::connection::{Connection, Wire};
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
    let wire = leaver.wire.clone();
    let stayed = members.remove(0);
    let mut lost = 0;
    if goes {
        lost += leaver.close().lost;
    } else {
        leaver.send(|out| encode::unsubscribe(out, "p/*", Some(2)));
        leaver.await_frames(1, |event| answers(event, 2));
        let so_far = Received::of(&leaver.wire.received()).messages;
        join(publishers);
        lost += leaver.close().lost;
        assert_eq!(Received::of(&wire.received()).messages, so_far, "none behind the answer");
        return check_all(&[wire, finish(stayed, &mut lost)], lost);
    }
    join(publishers);
    check_all(&[wire, finish(stayed, &mut lost)], lost);
}

fn finish(member: Connection, lost: &mut u64) -> Arc<Wire> {
    let wire = member.wire.clone();
    *lost += member.close().lost;
    wire
}

fn check_all(wires: &[Arc<Wire>], lost: u64) {
    let mut numbers: Vec<(u8, u8)> = Vec::new();
    for wire in wires {
        let received = Received::of(&wire.received());
        received.check_order();
        numbers.extend(
            received
                .numbers
                .iter()
                .flat_map(|(publisher, own)| own.iter().map(|number| (*publisher, *number))),
        );
    }
    let messages = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), messages, "none twice");
    let published: usize = BATCHES.iter().map(|batches| sum(batches)).sum();
    assert_eq!(messages as u64 + lost, published as u64);
}
