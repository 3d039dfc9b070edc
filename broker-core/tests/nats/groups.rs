//! Groups, within a protocol and across: each message to one member, fairly, and to those first who take it at once.

use std::fmt::Write;
use std::sync::Arc;

use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits};

use crate::client::Client;
use crate::peer::{Peer, QUIET};

const MESSAGES: usize = 4000;

fn native_member(broker: &Arc<Broker>, pattern: &str, group: Option<&str>, meta: bool) -> Client {
    let mut client = Client::introduced(broker);
    let options = SubscribeOptions { meta, ..SubscribeOptions::default() };
    client.send(|out| encode::subscribe_in_group(out, pattern, group, &options));
    client.settle();
    client
}

fn publish(peer: &mut Peer, messages: usize) {
    let mut batch = String::new();
    for number in 0..messages {
        write!(batch, "PUB work 5\r\n{number:05}\r\n").unwrap();
    }
    peer.say(&batch);
}

/// A fair share, with four times the standard deviation on either side.
#[track_caller]
#[allow(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn assert_fair(counts: &[usize]) {
    let share = MESSAGES as f64 / counts.len() as f64;
    let deviation = (share * (1.0 - 1.0 / counts.len() as f64)).sqrt();
    for &count in counts {
        assert!((count as f64 - share).abs() < 4.0 * deviation, "{counts:?}");
    }
    assert_eq!(counts.iter().sum::<usize>(), MESSAGES, "{counts:?}");
}

#[test]
fn members_of_both_protocols_and_of_several_patterns_share_fairly() {
    let broker = Arc::new(Broker::seeded(Limits::default(), 7));
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::connected(&broker, QUIET)).collect();
    peers[0].say("SUB work q 1\r\n");
    peers[1].say("SUB * q 1\r\n");
    peers[2].say("SUB work q 1\r\nSUB work q 2\r\n");
    let mut natives =
        [native_member(&broker, "work", Some("q"), false), native_member(&broker, "w*", Some("q"), true)];
    let mut publisher = Peer::connected(&broker, QUIET);
    publish(&mut publisher, MESSAGES / 2);
    let mut counts = Vec::new();
    // The other half comes from a native client.
    let mut native_publisher = Client::introduced(&broker);
    for _ in 0..MESSAGES / 2 {
        native_publisher.send(|out| encode::publish(out, "work", b"\x07", &PublishOptions::default()));
    }
    native_publisher.settle();
    for peer in &mut peers {
        let text = peer.receive();
        let of = |sid: &str| text.matches(&format!("MSG work {sid} ")).count();
        counts.push(of("1"));
        if of("2") > 0 {
            counts.push(of("2"));
        }
    }
    counts.extend(natives.iter_mut().map(|native| {
        native.settle();
        native.receive().len()
    }));
    assert_eq!(counts.len(), 6);
    assert_fair(&counts);
}

#[test]
fn order_holds_for_each_member() {
    let broker = Arc::new(Broker::seeded(Limits::default(), 1));
    let mut members: Vec<Peer> = (0..4).map(|_| Peer::connected(&broker, QUIET)).collect();
    for member in &mut members {
        member.say("SUB work q 1\r\n");
    }
    let mut publisher = Peer::connected(&broker, QUIET);
    publish(&mut publisher, 1000);
    for member in &mut members {
        let text = member.receive();
        let numbers: Vec<&str> = text.lines().filter(|line| !line.starts_with("MSG")).collect();
        assert!(numbers.len() > 100 && numbers.is_sorted(), "{numbers:?}");
    }
}

#[test]
fn two_groups_and_those_without_one_get_a_message_each() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut one = Peer::connected(&broker, QUIET);
    one.say("SUB work a 1\r\nSUB work b 2\r\nSUB work 3\r\n");
    let mut publisher = Peer::connected(&broker, QUIET);
    publish(&mut publisher, 1);
    let text = one.receive();
    for sid in 1..=3 {
        assert_eq!(text.matches(&format!("MSG work {sid} 5\r\n00000\r\n")).count(), 1, "{text}");
    }
}

/// A native session gets a message once, by whichever of its subscriptions.
#[test]
fn a_native_session_gets_a_message_once() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut client = native_member(&broker, "work", Some("q"), false);
    for (pattern, group) in [("w*", Some("q")), ("wor?", Some("r")), ("*", None)] {
        client.send(|out| encode::subscribe_in_group(out, pattern, group, &SubscribeOptions::default()));
    }
    client.settle();
    let mut publisher = Peer::connected(&broker, QUIET);
    publish(&mut publisher, 50);
    client.settle();
    assert_eq!(client.receive().len(), 50);
    client.send(|out| encode::unsubscribe(out, "*", None));
    client.settle();
    publish(&mut publisher, 50);
    client.settle();
    assert_eq!(client.receive().len(), 50, "by one of the two groups");
}

#[test]
fn a_member_that_is_behind_is_passed_over() {
    let broker = Arc::new(Broker::seeded(Limits::default(), 3));
    let mut slow = Peer::connected(&broker, QUIET);
    let mut quick: Vec<Peer> = (0..3).map(|_| Peer::connected(&broker, QUIET)).collect();
    slow.say("SUB work q 1\r\n");
    for member in &mut quick {
        member.say("SUB work q 1\r\n");
    }
    slow.socket.take(0, 0);
    let mut publisher = Peer::connected(&broker, QUIET);
    // Until it is chosen for the first time nobody knows.
    publish(&mut publisher, 100);
    let waiting = slow.outbox.stats().waiting_bytes;
    for member in &mut quick {
        member.receive();
    }
    publish(&mut publisher, MESSAGES);
    assert_eq!(slow.outbox.stats().waiting_bytes, waiting, "it got nothing more");
    let counts: Vec<usize> = quick.iter_mut().map(|member| member.receive().matches("MSG").count()).collect();
    assert_fair(&counts);
    // It reads again, and gets its share again.
    slow.socket.take(usize::MAX, usize::MAX);
    slow.receive();
    publish(&mut publisher, MESSAGES);
    quick.push(slow);
    let counts: Vec<usize> = quick.iter_mut().map(|member| member.receive().matches("MSG").count()).collect();
    assert_fair(&counts);
}

#[test]
fn where_all_are_behind_one_of_them_gets_it() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut members: Vec<Peer> = (0..3).map(|_| Peer::connected(&broker, QUIET)).collect();
    for member in &mut members {
        member.say("SUB work q 1\r\n");
        member.socket.take(0, 0);
    }
    let mut publisher = Peer::connected(&broker, QUIET);
    for _ in 0..30 {
        publish(&mut publisher, 10);
    }
    let mut received = 0;
    for member in &mut members {
        member.socket.take(usize::MAX, usize::MAX);
        received += member.receive().matches("MSG").count();
    }
    assert_eq!(received, 300);
}

#[test]
fn a_member_that_leaves_takes_nothing_with_it() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut members: Vec<Peer> = (0..3).map(|_| Peer::connected(&broker, QUIET)).collect();
    for member in &mut members {
        member.say("SUB work q 1\r\n");
    }
    let mut publisher = Peer::connected(&broker, QUIET);
    members[0].end();
    members[1].say("UNSUB 1 10\r\n");
    publish(&mut publisher, 100);
    assert_eq!(members[1].receive().matches("MSG").count(), 10, "as many as it wanted");
    assert_eq!(members[2].receive().matches("MSG").count(), 90);
    assert_eq!(broker.subscriptions(), 1);
}
