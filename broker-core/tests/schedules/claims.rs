//! `UNSUB` with a number: several publishers take what is left of a subscription's allowance at once. It gets so many messages, and not one more.

use std::sync::Arc;

use broker_core::outbox::Outbox;
use broker_core::{Broker, NatsOptions, NatsSession, Next, Now, ServerName};

use crate::check::check;
use crate::connection::Wire;
use crate::messages::{broker, join, publisher};

const BATCHES: [&[u8]; 2] = [&[1, 2, 1], &[2, 1, 1]];

/// Messages that each subscription gets.
const ALLOWED: usize = 3;

#[test]
fn claims_of_a_subscription() {
    check("claims_of_a_subscription", 6_000, || run(&["SUB * 1\r\nUNSUB 1 3\r\n"]));
}

/// In a group a message goes to another member where one has had its last.
#[test]
fn claims_in_a_group() {
    let member = "SUB * g 1\r\nUNSUB 1 3\r\n";
    check("claims_in_a_group", 6_000, move || run(&[member, member]));
}

fn run(members: &[&str]) {
    let broker = broker(1 << 20);
    let members: Vec<_> = members.iter().map(|lines| subscriber(&broker, lines.as_bytes())).collect();
    let publishers: Vec<_> =
        (0..).zip(BATCHES).map(|(number, batches)| publisher(&broker, number, batches)).collect();
    join(publishers);
    for (session, wire) in members {
        // What publishers left to the owner.
        let _ = session.outbox().write_as_owner(usize::MAX, |slices| wire.try_write(slices));
        let received = wire.received();
        let messages = received.windows(4).filter(|bytes| bytes == b"MSG ").count();
        assert_eq!(messages, ALLOWED, "{}", received.escape_ascii());
    }
    assert_eq!(broker.subscriptions(), 0, "they have had their last message");
}

/// A client of NATS that has said this, and its socket.
fn subscriber(broker: &Arc<Broker>, lines: &[u8]) -> (NatsSession, Arc<Wire>) {
    let wire = Arc::new(Wire::default());
    wire.open();
    let link: Arc<Wire> = Arc::clone(&wire);
    let outbox = Outbox::nats(broker.next_session(), broker.limits().outbox_bytes_max, link);
    let (address, options) = (([192, 0, 2, 7], 5000).into(), Arc::new(NatsOptions::default()));
    let server = ServerName { name: "schedules", version: "0" };
    let (broker, outbox) = (Arc::clone(broker), Arc::new(outbox));
    let mut session = NatsSession::new(broker, outbox, address, server, options, Now::default());
    let progress = session.handle(Now::default(), lines);
    assert_eq!((progress.consumed, progress.next), (lines.len(), Next::Read { needed: 0 }));
    (session, wire)
}
