//! The end: what is sent before it, and what it admits.

use std::time::Duration;

use broker_client::{CloseError, CloseReason, Event, FlushError, PublishError, State};
use rmpv::Value;

use crate::fake::{Fake, event, eventually, quick, within};

#[tokio::test]
async fn everything_is_sent_before_the_goodbye() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let mut events = client.events();
    for number in 0..1000 {
        within(client.publish("a", &number)).await.expect("published");
    }
    let clone = client.clone();
    let serve = async {
        for number in 0..1000 {
            assert_eq!(peer.published().await.1, Value::from(number));
        }
        peer.part().await;
    };
    let (closed, again, ()) = tokio::join!(within(client.close()), within(clone.close()), serve);
    assert_eq!((closed, again), (Ok(()), Ok(())));
    assert_eq!(within(clone.publish("a", &1)).await, Err(PublishError::Closed(CloseReason::Requested)));
    assert_eq!(within(clone.flush()).await, Err(FlushError::Closed(CloseReason::Requested)));
    assert_eq!(client.state(), State::Closed);
    let closed = event(&mut events, |event| match event {
        Event::Closed { reason } => Some(reason),
        other => {
            assert!(matches!(other, Event::Connected { .. }), "{other:?}");
            None
        }
    });
    assert_eq!(closed.await, CloseReason::Requested);
    assert_eq!(within(client.close()).await, Ok(()), "closing twice is no error");
}

#[tokio::test]
async fn an_end_without_goodbye_is_not_called_clean() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    for number in 0..7 {
        within(client.publish("a", &number)).await.expect("published");
    }
    let serve = async {
        for _ in 0..7 {
            peer.published().await;
        }
        peer.expect("Close").await;
        drop(peer);
    };
    let (closed, ()) = tokio::join!(within(client.close()), serve);
    assert_eq!(closed, Err(CloseError::Incomplete { unsent: 0, unconfirmed: 7, refused: 0 }));
}

#[tokio::test]
async fn a_server_that_never_answers_ends_the_wait() {
    let options = quick().close_timeout(Duration::from_millis(100));
    let (client, mut peer) = Fake::start().await.client(options).await;
    within(client.publish("a", &1)).await.expect("published");
    let closed = within(client.close()).await;
    assert_eq!(closed, Err(CloseError::Incomplete { unsent: 0, unconfirmed: 1, refused: 0 }));
    peer.published().await;
    peer.expect("Close").await;
    assert!(peer.frame().await.is_none(), "the socket is closed");
}

#[tokio::test]
async fn closing_without_a_connection_sends_what_waits_on_the_next_one() {
    let fake = Fake::start().await;
    let (client, peer) = fake.client(quick()).await;
    drop(peer);
    eventually("the loss is noticed", || client.state() == State::Reconnecting).await;
    within(client.publish("a", &7)).await.expect("it is buffered");
    let serve = async {
        let mut peer = fake.accept(2).await;
        assert_eq!(peer.published().await.1, Value::from(7));
        peer.part().await;
    };
    let (closed, ()) = tokio::join!(within(client.close()), serve);
    assert_eq!(closed, Ok(()));
}

#[tokio::test]
async fn closing_without_a_server_says_what_was_not_sent() {
    let fake = Fake::start().await;
    let (client, peer) = fake.client(quick().close_timeout(Duration::from_millis(100))).await;
    drop((peer, fake));
    eventually("the loss is noticed", || client.state() == State::Reconnecting).await;
    within(client.publish("a", &7)).await.expect("it is buffered");
    let closed = within(client.close()).await;
    assert_eq!(closed, Err(CloseError::Incomplete { unsent: 1, unconfirmed: 0, refused: 0 }));

    // With nothing to send there is nothing to wait for.
    let fake = Fake::start().await;
    let (client, peer) = fake.client(quick()).await;
    drop((peer, fake));
    eventually("the loss is noticed", || client.state() == State::Reconnecting).await;
    assert_eq!(within(client.close()).await, Ok(()));
}

#[tokio::test]
async fn the_last_handle_sends_what_is_buffered() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let mut events = client.events();
    let clone = client.clone();
    drop(client);
    within(clone.publish("a", &7)).await.expect("a clone is as good");
    drop(clone);
    assert_eq!(peer.published().await.1, Value::from(7));
    peer.part().await;
    let closed = event(&mut events, |event| match event {
        Event::Closed { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(closed.await, CloseReason::Dropped);
}

#[tokio::test]
async fn a_publisher_that_waits_for_room_is_told_of_the_end() {
    let (client, _peer) = Fake::start().await.client(quick().buffer_bytes_max(1 << 16)).await;
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            let payload = vec![0_u8; 100_000];
            loop {
                if let Err(error) = client.publish("a", &payload).await {
                    return error;
                }
            }
        }
    });
    eventually("the buffer is full", || client.stats().buffered_bytes >= 1 << 16).await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    assert_eq!(within(publisher).await.expect("no panic"), PublishError::Closed(CloseReason::Requested));
    closing.abort();
}
