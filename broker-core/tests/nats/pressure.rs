//! Clients of NATS under pressure: the policies on their side of the outbox, and publishers that are held back.

use std::fmt::Write;
use std::sync::Arc;

use broker_core::wire::native::{SubscribeOptions, encode};
use broker_core::{Broker, Limits, NatsOptions, Next, Now, Policy};

use crate::client::Client;
use crate::peer::{Peer, QUIET};

fn peer(broker: &Arc<Broker>, policy: Policy) -> Peer {
    let mut peer = Peer::with_options(broker, NatsOptions { policy, ..NatsOptions::default() });
    peer.receive();
    assert_eq!(peer.say(QUIET), "");
    peer
}

fn native(broker: &Arc<Broker>, pattern: &str, group: Option<&str>) -> Client {
    let mut client = Client::introduced(broker);
    let options = SubscribeOptions { policy: Some(Policy::Block), ..SubscribeOptions::default() };
    client.send(|out| encode::subscribe_in_group(out, pattern, group, &options));
    client.settle();
    client
}

/// Of each subject and sid the newest, in the order of the first, in whole lines.
#[test]
fn conflate_goes_by_subject_and_sid() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut slow = peer(&broker, Policy::Conflate);
    slow.say("SUB s.* 1\r\nSUB s.b 2\r\nPING\r\n");
    slow.socket.take(0, usize::MAX);
    let mut publisher = Peer::connected(&broker, QUIET);
    for number in 0..1000 {
        let headers = "NATS/1.0\r\nA: b\r\n\r\n";
        let all = headers.len() + 4;
        publisher.say(&format!(
            "PUB s.a 4\r\na{number:03}\r\nHPUB s.b {} {all}\r\n{headers}b{number:03}\r\n",
            headers.len()
        ));
    }
    slow.socket.take(usize::MAX, usize::MAX);
    let text = slow.receive();
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line:?} is not in {text:?}"));
    let (a, b1, b2) = (at("MSG s.a 1 4\r\na999\r\n"), at("HMSG s.b 1 "), at("HMSG s.b 2 "));
    assert!(a < b1 && a < b2, "{text}");
    assert_eq!((text.matches("MSG ").count(), text.matches("b999").count()), (3, 2), "{text}");
    let stats = slow.outbox.stats();
    assert_eq!((stats.messages_out, stats.lagged), (3, 3 * 999));
}

/// A publisher of NATS is held back by a native subscriber under `block`, goes on when that reads, and has lost nothing.
#[test]
fn a_publisher_of_nats_is_held_back() {
    let limits = Limits { outbox_bytes_max: 16 << 10, block_ms: 1_000, ..Limits::default() };
    let broker = Arc::new(Broker::new(limits));
    let mut slow = native(&broker, "t", None);
    slow.socket.take(0, usize::MAX);
    let mut publisher = Peer::connected(&broker, QUIET);
    let mut batch = String::new();
    for number in 0..1000 {
        write!(batch, "PUB t 100\r\n{number:0100}\r\n").unwrap();
    }
    publisher.say(&batch);
    assert_eq!(publisher.next, Next::Held { until_monotonic_ms: 1_000 });
    let info = publisher.info();
    broker.check_silence(Now { unix_ms: 0, monotonic_ms: 900 });
    assert!(publisher.outbox.ending().is_none(), "{info:?} is not asked while it is held");
    while matches!(publisher.next, Next::Held { .. }) {
        slow.settle();
        assert!(publisher.socket.take_room(), "it is told that it may go on");
        publisher.go_on(Now { unix_ms: 0, monotonic_ms: 900 });
    }
    slow.settle();
    assert_eq!((slow.receive().len(), slow.stats().lagged), (1000, 0));
}

/// A member of a group that publishers would be held back for is passed over while another one takes messages.
#[test]
fn a_full_member_under_block_is_passed_over() {
    let limits = Limits { outbox_bytes_max: 16 << 10, ..Limits::default() };
    let broker = Arc::new(Broker::seeded(limits, 3));
    let mut members = [native(&broker, "work", Some("q")), native(&broker, "work", Some("q"))];
    members[0].socket.take(0, usize::MAX);
    let mut publisher = Peer::connected(&broker, QUIET);
    for number in 0..2_000 {
        publisher.say(&format!("PUB work 100\r\n{number:0100}\r\n"));
        members[1].settle();
        assert_eq!(publisher.next, Next::Read { needed: 0 }, "message {number}");
    }
    let taken = members[1].receive().len();
    // The other one is chosen until its socket is known to be full.
    assert!(taken > 1_900, "{taken}");
    members[0].settle();
    assert_eq!(members[0].receive().len() + taken, 2_000);
}

/// Cause: a run is as long as the bound of native sessions allows. Effect: one that was longer than the bound of a NATS session waited there, or was dropped, as one
/// piece. Fix: it is taken apart.
#[test]
fn a_run_larger_than_the_bound_is_taken_apart() {
    const BYTES_MAX: usize = 8 << 10;
    let broker = Arc::new(Broker::new(Limits::default()));
    let options = NatsOptions { policy: Policy::DropNewest, ..NatsOptions::default() };
    let mut slow = Peer::bounded(&broker, options, BYTES_MAX);
    slow.receive();
    slow.say(&format!("{QUIET}SUB t 1\r\n"));
    slow.socket.take(0, usize::MAX);
    let mut publisher = Peer::connected(&broker, QUIET);
    let mut batch = String::new();
    for number in 0..1000 {
        write!(batch, "PUB t 50\r\n{number:050}\r\n").unwrap();
    }
    publisher.say(&batch);
    let stats = slow.outbox.stats();
    assert!(stats.waiting_bytes <= BYTES_MAX && stats.lagged < 1000, "{stats:?}");
    slow.socket.take(usize::MAX, usize::MAX);
    let text = slow.receive();
    let stats = slow.outbox.stats();
    assert_eq!(stats.messages_out + stats.lagged, 1000);
    assert_eq!(text.matches("MSG t 1 50\r\n").count() as u64, stats.messages_out);
}
