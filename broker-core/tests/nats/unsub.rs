//! UNSUB, at once and after a number of messages.

use std::sync::Arc;

use broker_core::{Broker, Limits};

use crate::peer::{Peer, QUIET};

#[test]
fn after_as_many_messages_as_it_says() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, QUIET);
    // The three come in one batch, and two of them are all that it gets.
    let answers =
        peer.say("SUB a 1\r\nUNSUB 1 2\r\nPUB a 1\r\nx\r\nPUB a 1\r\ny\r\nPUB a 1\r\nz\r\nPING\r\n");
    assert_eq!(answers, "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\nPONG\r\n");
    assert_eq!((peer.info().subscriptions(), broker.subscriptions()), (0, 0), "it has left the table");
    assert_eq!(peer.outbox.stats().messages_out, 2);
    assert_eq!(peer.say("SUB a 1\r\nPUB a 1\r\nw\r\n"), "MSG a 1 1\r\nw\r\n", "the sid is free again");
}

#[test]
fn what_it_got_before_counts() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, QUIET);
    assert_eq!(peer.say("SUB a 1\r\nPUB a 1\r\nx\r\nPUB a 1\r\ny\r\n").matches("MSG").count(), 2);
    assert_eq!(peer.say("UNSUB 1 3\r\nPUB a 1\r\nz\r\nPUB a 1\r\nw\r\n"), "MSG a 1 1\r\nz\r\n");
    assert_eq!(peer.say("SUB a 2\r\nPUB a 1\r\nx\r\nUNSUB 2 1\r\nPUB a 1\r\ny\r\n"), "MSG a 2 1\r\nx\r\n");
    assert_eq!(broker.subscriptions(), 0);
}

#[test]
fn a_bound_can_be_raised_and_taken_back() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, QUIET);
    assert_eq!(
        peer.say("SUB a 1\r\nUNSUB 1 1\r\nUNSUB 1 2\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\n")
            .matches("MSG")
            .count(),
        2
    );
    assert_eq!(peer.say("SUB a 2\r\nUNSUB 2 5\r\nUNSUB 2\r\nPUB a 0\r\n\r\n"), "");
    assert_eq!((peer.info().subscriptions(), broker.subscriptions()), (0, 0));
}

/// Cause: the new bound was compared with the count alone, while the subscription waited for the end of the batch to be taken out. Effect: in one
/// read batch with its last message, a higher bound revived it. Found by the simulation. Fix: what has ended stays so.
#[test]
fn a_bound_does_not_revive_what_has_had_its_last_message() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, QUIET);
    let answers = peer.say("SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nUNSUB 1 5\r\nPUB a 1\r\ny\r\nPING\r\n");
    assert_eq!(answers, "MSG a 1 1\r\nx\r\nPONG\r\n");
    assert_eq!((peer.info().subscriptions(), broker.subscriptions()), (0, 0));
}

/// Cause: who is told that nobody got a request was looked for among all subscriptions in the table, where one stays until the batch is over. Effect: in one
/// read batch with its last message, a subscription got that as one more, and an open one beside it did not. Found by the simulation. Fix: what has
/// ended is passed over.
#[test]
fn what_has_had_its_last_message_is_not_told_of_requests_that_nobody_got() {
    const ASKS: &str =
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n";
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = Peer::connected(&broker, ASKS);
    let last = "SUB in 1\r\nUNSUB 1 1\r\nPUB in 1\r\nx\r\n";
    assert_eq!(peer.say(&format!("{last}PUB foo in 0\r\n\r\nPING\r\n")), "MSG in 1 1\r\nx\r\nPONG\r\n");
    let answers = peer.say(&format!("SUB in 4\r\n{last}PUB foo in 0\r\n\r\n"));
    assert!(answers.ends_with("HMSG in 4 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"), "{answers}");
    assert_eq!(answers.matches("503").count(), 1);
}

#[test]
fn each_of_those_who_share_a_sid_has_a_bound_of_its_own() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peers: Vec<Peer> = (0..5).map(|_| Peer::connected(&broker, QUIET)).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.say("SUB a 1\r\n");
        if number > 0 {
            peer.say(&format!("UNSUB 1 {number}\r\n"));
        }
    }
    let mut publisher = Peer::connected(&broker, QUIET);
    // In one batch, with large ones, which go by another way.
    let large = format!("PUB a 20000\r\n{}\r\n", "x".repeat(20_000));
    publisher.say(&format!("PUB a 1\r\nx\r\n{large}PUB a 1\r\ny\r\n{large}PUB a 1\r\nz\r\n"));
    let got: Vec<usize> = peers.iter_mut().map(|peer| peer.receive().matches("MSG a 1 ").count()).collect();
    assert_eq!(got, [5, 1, 2, 3, 4]);
    assert_eq!(broker.subscriptions(), 1);
    assert_eq!(peers[0].info().subscriptions(), 1);
}

#[test]
fn many_requests_with_an_inbox_each_leave_nothing_behind() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut replier = Peer::connected(&broker, QUIET);
    replier.say("SUB service 1\r\n");
    let mut requester = Peer::connected(&broker, QUIET);
    for number in 0..10_000 {
        requester.say(&format!(
            "SUB _INBOX.{number} {number}\r\nUNSUB {number} 1\r\nPUB service _INBOX.{number} 0\r\n\r\n"
        ));
        let request = replier.receive();
        assert_eq!(request, format!("MSG service 1 _INBOX.{number} 0\r\n\r\n"));
        replier.say(&format!("PUB _INBOX.{number} 2\r\nok\r\n"));
        assert_eq!(requester.receive(), format!("MSG _INBOX.{number} {number} 2\r\nok\r\n"));
    }
    assert_eq!((requester.info().subscriptions(), broker.subscriptions()), (0, 1));
    assert_eq!(broker.topic_stats().topics, 1, "inboxes are no topics");
}
