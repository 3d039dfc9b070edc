//! Groups of members that speak different protocols.

use crate::support::{Both, Wire};

const MESSAGES: usize = 6_000;

fn publish(wire: &mut Wire, subject: &str) {
    wire.send(format!("PUB {subject} 1\r\nx\r\n").repeat(MESSAGES));
    wire.flush();
}

/// Messages of one byte that have come.
fn count(wire: &mut Wire, subject: &str) -> usize {
    wire.send("PING\r\n");
    wire.read_until(|bytes| bytes.ends_with(b"PONG\r\n"));
    let message = format!("MSG {subject} 1 1\r\nx\r\n").len();
    (std::mem::take(&mut wire.buffer).len() - "PONG\r\n".len()) / message
}

#[test]
fn members_of_both_protocols_share() {
    let server = Both::start();
    let (mut native, mut other) = (server.native(), server.native());
    let (mut nats, mut second) = (server.nats(), server.nats());
    for member in [&mut native, &mut other] {
        member.subscribe("mixed.*", &[("group", "workers".into())]);
    }
    for member in [&mut nats, &mut second] {
        member.send("SUB mixed.x workers 1\r\n");
        member.flush();
    }
    let mut publisher = server.nats();
    publish(&mut publisher, "mixed.x");
    let counts = [
        native.messages().len(),
        other.messages().len(),
        count(&mut nats, "mixed.x"),
        count(&mut second, "mixed.x"),
    ];
    assert_eq!(counts.iter().sum::<usize>(), MESSAGES, "{counts:?}");
    // Six standard deviations of a fair choice: 6 * sqrt(6000 * 1/4 * 3/4).
    assert!(counts.iter().all(|count| count.abs_diff(MESSAGES / 4) < 202), "{counts:?}");
}

/// What a native client publishes is shared too.
#[test]
fn native_messages_are_shared() {
    let server = Both::start();
    let (mut native, mut nats, mut publisher) = (server.native(), server.nats(), server.native());
    native.subscribe("shared.x", &[("group", "workers".into())]);
    nats.send("SUB shared.x workers 1\r\n");
    nats.flush();
    for _ in 0..1_000 {
        assert_eq!(publisher.publish("shared.x", "x".into(), &[]), 1);
    }
    let counts = [native.messages().len(), count(&mut nats, "shared.x")];
    assert_eq!(counts[0] + counts[1], 1_000, "{counts:?}");
    assert!(counts.iter().all(|count| count.abs_diff(500) < 95), "{counts:?}");
}

/// A member whose socket takes no more is passed over; the others get all of it, at once.
#[test]
fn a_member_that_does_not_read_is_passed_over() {
    let server = Both::start();
    let (mut slow, mut native, mut nats) = (server.nats(), server.native(), server.nats());
    slow.send("SUB passed.x workers 1\r\nSUB fill 2\r\n");
    slow.flush();
    native.subscribe("passed.x", &[("group", "workers".into())]);
    nats.send("SUB passed.x workers 1\r\n");
    nats.flush();
    // Until the slow member's socket takes no more, and far from what makes the server close it.
    let mut publisher = server.nats();
    let payload = "x".repeat(512 << 10);
    for _ in 0..64 {
        publisher.send(format!("PUB fill {}\r\n{payload}\r\n", payload.len()));
    }
    publisher.flush();
    publish(&mut publisher, "passed.x");
    let counts = [native.messages().len(), count(&mut nats, "passed.x")];
    assert_eq!(counts[0] + counts[1], MESSAGES, "nothing went to the one that does not read: {counts:?}");
    assert!(counts.iter().all(|count| count.abs_diff(MESSAGES / 2) < 233), "{counts:?}");
    drop(slow);
}
