//! Stopping: everybody is told, what waits is written until the deadline, what is lost is counted.

use std::time::Duration;

use broker_server::{Limits, Server};
use tokio::net::TcpStream;

use crate::support::*;

/// One that drains for a long time, and one that hardly does.
async fn draining(drain_timeout: Duration) -> Server {
    let limits = Limits { outbox_bytes_max: 64 << 20, ..Limits::default() };
    start(|builder| builder.limits(limits).drain_timeout(drain_timeout)).await
}

/// A subscriber that has read nothing of `count` messages of 10 kB.
async fn loaded(server: &Server, hello: bool, count: u64) -> Client {
    let mut client = Client::raw(address(server), 32 << 10).await;
    if hello {
        client = client.introduced("loaded").await;
    }
    client.send(&subscribe("load")).await;
    client.fence().await;
    let mut publisher = Client::hello(server).await;
    for number in 0..count {
        publisher.outgoing.publish("load", &padded(number, 10_000)).await;
    }
    publisher.flush().await;
    publisher.leave().await;
    eventually("the publisher has gone", || server.broker().connections() == 1).await;
    client
}

#[tokio::test]
async fn nobody_there() {
    let report = server().await.stop().await;
    assert_eq!((report.sessions, report.sessions_cut, report.messages_lost), (0, 0, 0));
}

#[tokio::test]
async fn everybody_is_told_and_nobody_is_let_in() {
    let server = server().await;
    let place = address(&server);
    let mut client = Client::hello(&server).await;
    client.subscribe("a").await;
    let mut plain = Client::plain(&server).await;
    plain.send(&subscribe("a")).await;
    plain.fence().await;
    let mut half = Client::plain(&server).await;
    half.send(b"\x81\xa7Publi").await;
    eventually("all are there", || server.broker().connections() == 3).await;
    let report = within("stopping", server.stop()).await;
    assert_eq!((report.sessions, report.sessions_cut, report.messages_lost), (3, 0, 0));
    assert_eq!(client.incoming.goodbye().await, "shutting-down");
    plain.incoming.closed().await;
    half.incoming.closed().await;
    assert!(TcpStream::connect(place).await.is_err(), "it does not listen any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_written() {
    const COUNT: u64 = 2_000;
    for hello in [true, false] {
        let server = draining(DEADLINE).await;
        let mut client = loaded(&server, hello, COUNT).await;
        let stopping = tokio::spawn(server.stop());
        for number in 0..COUNT {
            assert_eq!(client.message().await.number(), number);
        }
        if hello {
            assert_eq!(client.incoming.goodbye().await, "shutting-down");
        } else {
            client.incoming.closed().await;
        }
        let report = within("stopping", stopping).await.unwrap();
        assert_eq!((report.sessions, report.sessions_cut, report.messages_lost), (1, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_off_and_what_it_misses_is_counted() {
    const COUNT: u64 = 4_000;
    for hello in [false, true] {
        let server = draining(Duration::from_millis(200)).await;
        let mut client = loaded(&server, hello, COUNT).await;
        let report = within("stopping", server.stop()).await;
        assert_eq!((report.sessions, report.sessions_cut), (1, 1));
        assert!(report.messages_lost > 0);
        // What the system had taken still comes.
        let frames = client.incoming.rest().await;
        let mut received = 0;
        for frame in frames {
            let Frame::Message(message) = frame else { continue };
            assert_eq!(message.number(), received);
            received += 1;
        }
        assert_eq!(received + report.messages_lost, COUNT, "received and lost are all that was published");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_does_not_take_the_time_of_the_others() {
    let server = draining(Duration::from_millis(300)).await;
    let dead = loaded(&server, true, 4_000).await;
    let mut others = Vec::new();
    for _ in 0..10 {
        let mut other = Client::hello(&server).await;
        other.subscribe_with("load", &[("retained", false.into())]).await;
        others.push(other);
    }
    let report = within("stopping", server.stop()).await;
    assert_eq!((report.sessions, report.sessions_cut), (11, 1));
    for other in &mut others {
        assert_eq!(other.incoming.goodbye().await, "shutting-down");
    }
    drop(dead);
}

/// A connection that is accepted at the moment of the stop is ended as any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_while_it_stops_are_closed() {
    for round in 0..60 {
        let server = draining(DEADLINE * 2).await;
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::plain(&server).await);
        }
        for _ in 0..round % 6 {
            tokio::task::yield_now().await;
        }
        let report = within("stopping", server.stop()).await;
        assert_eq!((report.sessions_cut, report.messages_lost), (0, 0));
        for client in &mut clients {
            client.incoming.closed().await;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_closes_its_connections() {
    let server = server().await;
    let place = address(&server);
    let mut clients = [Client::hello(&server).await, Client::plain(&server).await];
    drop(server);
    for client in &mut clients {
        client.incoming.rest().await;
    }
    eventually("it does not listen any more", || std::net::TcpListener::bind(place).is_ok()).await;
}

#[tokio::test]
async fn two_servers_share_nothing() {
    let (one, other) = (server().await, server().await);
    let mut client = Client::hello(&one).await;
    client.subscribe("a").await;
    assert_eq!(Client::hello(&other).await.publish("a", 1).await, 0);
    other.stop().await;
    assert_eq!(client.publish("a", 2).await, 1, "the first goes on");
    assert_eq!(client.message().await.number(), 2);
}
