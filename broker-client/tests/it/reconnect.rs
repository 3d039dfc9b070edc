//! A connection that breaks: what is kept, what is counted, what is told.

use std::time::Duration;

use broker_client::{
    Backoff, Client, CloseReason, ConnectError, ConnectionError, Event, FlushError, Options, PublishError,
    PublishOptions, State, SubscribeError, SubscribeOptions,
};
use rmpv::Value;

use crate::{
    fake::{Fake, Peer, event, eventually, next, quick, within},
    subscribe::subscribe,
};

/// The next `Disconnected`.
async fn disconnected(events: &mut broker_client::Events) -> (ConnectionError, u64) {
    event(events, |event| match event {
        Event::Disconnected { error, unconfirmed } => Some((error, unconfirmed)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn subscriptions_are_asked_for_again() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    let (mut a, _) = subscribe!(client, peer, "a");
    let (_b, _) = subscribe!(client, peer, "b/*", SubscribeOptions::new().meta(true).retained(false));
    let (gone, _) = subscribe!(client, peer, "gone");
    drop(gone);
    peer.expect("Unsubscribe").await;
    drop(peer);

    let mut peer = fake.accept(2).await;
    let mut asked = Vec::new();
    for _ in 0..2 {
        let arguments = peer.expect("Subscribe").await;
        peer.ok(&arguments[1], Value::Nil).await;
        let mut options = arguments[1].as_map().expect("options").clone();
        options.retain(|(name, _)| name.as_str() != Some("id"));
        asked.push((arguments[0].as_str().expect("a pattern").to_owned(), options));
    }
    asked.sort_by(|one, other| one.0.cmp(&other.0));
    let wanted = vec![("retained".into(), false.into()), ("meta".into(), true.into())];
    assert_eq!(asked, [("a".to_owned(), Vec::new()), ("b/*".to_owned(), wanted)]);

    peer.message("a", 9).await;
    assert_eq!(next(&mut a).await.1, 9);
    let told: Vec<Event> = (0..3).map_while(|_| events.try_recv()).collect();
    assert!(matches!(told[0], Event::Connected { session: 1, reconnects: 0 }), "{told:?}");
    assert!(
        matches!(told[1], Event::Disconnected { error: ConnectionError::Ended, unconfirmed: 0 }),
        "{told:?}"
    );
    assert!(matches!(told[2], Event::Connected { session: 2, reconnects: 1 }), "{told:?}");
    assert_eq!(client.server().map(|server| server.session), Some(2));
    assert_eq!(client.stats().reconnects, 1);
}

#[tokio::test]
async fn a_subscribe_under_way_is_finished_on_the_next_connection() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe("a").await }
    });
    peer.expect("Subscribe").await;
    drop(peer);
    let mut peer = fake.accept(2).await;
    peer.grant("a").await;
    peer.message("a", 1).await;
    let mut subscription = within(pending).await.expect("no panic").expect("it was granted");
    assert_eq!(next(&mut subscription).await.1, 1);
}

#[tokio::test]
async fn what_is_published_without_a_connection_is_sent_on_the_next_one() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let (_subscription, _) = subscribe!(client, peer, "a");
    drop(peer);
    eventually("the loss is noticed", || client.state() == State::Reconnecting).await;
    assert!(client.server().is_none());
    for number in 0..100 {
        within(client.publish("n", &number)).await.expect("it is buffered");
    }
    let flush = tokio::spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    let mut peer = fake.accept(2).await;
    // Subscriptions first, then messages.
    peer.grant("a").await;
    for number in 0..100 {
        assert_eq!(peer.published().await.1, Value::from(number));
    }
    peer.answer_flush().await;
    assert_eq!(within(flush).await.expect("no panic"), Ok(()));
}

/// Publishes numbered messages until the peer's sockets are full, breaks the connection, and looks for gaps and doubles.
#[tokio::test]
async fn nothing_is_lost_that_was_not_sent_and_nothing_is_sent_twice() {
    const MESSAGES: u64 = 3000;
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick().buffer_bytes_max(1 << 20)).await;
    let mut events = client.events();
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            let payload = vec![1_u8; 10_000];
            for number in 0..MESSAGES {
                client.publish("n", &(number, &payload)).await.expect("it is sent or buffered");
            }
        }
    });
    // Some arrive, then the peer dies in the middle of a frame.
    for number in 0..50 {
        assert_eq!(peer.published().await.1[0], Value::from(number));
    }
    drop(peer);
    let mut peer = fake.accept(2).await;
    let first = peer.published().await.1[0].as_u64().expect("a number");
    for number in first + 1..MESSAGES {
        assert_eq!(peer.published().await.1[0], Value::from(number), "a gap or a double");
    }
    within(publisher).await.expect("no panic");

    // What came between is what was handed over and never confirmed; and that is what is told.
    let (_, unconfirmed) = disconnected(&mut events).await;
    assert_eq!(unconfirmed, first);
    assert!(first >= 50);
    assert_eq!(client.stats().unconfirmed, first);
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Err(FlushError::Unconfirmed { messages: first }));
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Ok(()), "it is told once");
}

#[tokio::test]
async fn what_a_flush_confirmed_is_not_in_doubt() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    for number in 0..5 {
        within(client.publish("n", &number)).await.expect("published");
    }
    let answer = async {
        for _ in 0..5 {
            peer.published().await;
        }
        peer.answer_flush().await;
    };
    let (flushed, ()) = tokio::join!(within(client.flush()), answer);
    assert_eq!(flushed, Ok(()));
    for number in 0..3 {
        within(client.publish("n", &number)).await.expect("published");
    }
    for _ in 0..3 {
        peer.published().await;
    }
    drop(peer);
    assert_eq!(disconnected(&mut events).await, (ConnectionError::Ended, 3));
}

#[tokio::test]
async fn calls_that_wait_for_an_answer_fail_and_are_not_tried_again() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    let confirmed = tokio::spawn({
        let client = client.clone();
        async move { client.publish_confirmed("a", &1, PublishOptions::new()).await }
    });
    peer.published().await;
    let flush = tokio::spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    peer.expect("Ping").await;
    drop(peer);
    assert_eq!(within(confirmed).await.expect("no panic"), Err(PublishError::Disconnected));
    assert_eq!(within(flush).await.expect("no panic"), Err(FlushError::Disconnected));
    assert_eq!(disconnected(&mut events).await.1, 0, "they were told themselves");

    let mut peer = fake.accept(2).await;
    within(client.publish("b", &2)).await.expect("published");
    assert_eq!(peer.published().await.0, "b");
}

#[tokio::test]
async fn the_servers_ping_is_answered() {
    let (_client, mut peer) = Fake::start().await.client(quick()).await;
    peer.event("Ping", vec![]).await;
    assert_eq!(peer.expect("Pong").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_silent_server_is_asked_and_then_left() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick().ping_interval(Duration::from_millis(50))).await;
    let mut events = client.events();
    // It answers once: that is a sign of life.
    peer.answer_flush().await;
    peer.expect("Ping").await;
    let (error, _) = disconnected(&mut events).await;
    assert!(matches!(error, ConnectionError::Silent { after } if after.as_millis() >= 100), "{error:?}");
    // The socket is closed, and a new one opened.
    assert!(peer.frame().await.is_none());
    fake.accept(2).await;
}

#[tokio::test]
async fn a_goodbye_is_told_with_its_reason() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    peer.event("Goodbye", vec!["shutting-down".into(), "until later".into()]).await;
    let (reason, detail) = ("shutting-down".to_owned(), "until later".to_owned());
    assert_eq!(disconnected(&mut events).await.0, ConnectionError::Goodbye { reason, detail });
    let _peer = fake.accept(2).await;
    eventually("it is connected", || client.state() == State::Connected).await;
}

#[tokio::test]
async fn nonsense_is_an_error_and_a_new_connection() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    let (mut subscription, _) = subscribe!(client, peer, "a");
    let deep = [vec![0x92, 0xa1, b'a'], vec![0x91; 100_000]].concat();
    for (session, nonsense) in [
        &b"\xc1"[..],
        b"\x05",
        b"\x80",
        b"\x91\xa1a",
        b"\x92\x01\x02",
        b"\x92\xa2\xff\xfe\x01",
        b"\x93\xa1a\x01\x02",
        b"\x93\xa1a\x01\x81\xa4time\xa1x",
        b"\x81\xa2Ok\x92\xcd\xff\xff\xc0",
        b"\x81\xa2Ok\x90",
        b"\x81\xa7Goodbye\x90",
        b"\x81\xa7Welcome\x91\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\x92\xa1a\xc6\xff\xff\xff\xff",
        &deep,
    ]
    .into_iter()
    .enumerate()
    {
        // What came whole before the nonsense counts.
        peer.message("a", session as u64).await;
        peer.bytes(nonsense).await;
        let (error, _) = disconnected(&mut events).await;
        assert!(matches!(error, ConnectionError::Protocol(_)), "{nonsense:x?}: {error:?}");
        assert_eq!(next(&mut subscription).await.1, session as u64);
        peer = fake.accept(session as u64).await;
        peer.grant("a").await;
    }
}

#[tokio::test]
async fn a_subscription_that_is_not_granted_again_ends() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let mut events = client.events();
    let (mut subscription, _) = subscribe!(client, peer, "a");
    drop(peer);
    let mut peer = fake.accept(2).await;
    let arguments = peer.expect("Subscribe").await;
    peer.refuse(&arguments[1], 6, "too many").await;
    let lost = event(&mut events, |event| match event {
        Event::SubscriptionLost { pattern, code, .. } => Some((pattern, code)),
        _ => None,
    });
    assert_eq!(lost.await, ("a".to_owned(), 6));
    assert!(within(subscription.recv()).await.is_none());
    assert_eq!(client.stats().subscriptions, 0);
}

#[tokio::test]
async fn a_client_that_never_reconnects_is_closed_and_says_what_was_not_sent() {
    let (client, mut peer) = Fake::start().await.client(quick().never_reconnect()).await;
    let mut events = client.events();
    let (mut subscription, _) = subscribe!(client, peer, "a");
    drop(peer);
    let reason = CloseReason::Lost(ConnectionError::Ended);
    let closed = event(&mut events, |event| match event {
        Event::Closed { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(closed.await, reason);
    assert!(within(events.recv()).await.is_none());
    assert_eq!(client.state(), State::Closed);
    assert!(within(subscription.recv()).await.is_none());
    assert_eq!(within(client.publish("a", &1)).await, Err(PublishError::Closed(reason.clone())));
    assert_eq!(within(client.flush()).await, Err(FlushError::Closed(reason.clone())));
    assert_eq!(within(client.subscribe("a")).await.err(), Some(SubscribeError::Closed(reason.clone())));
    assert_eq!(within(client.close()).await, Err(broker_client::CloseError::Closed(reason)));
}

#[tokio::test]
async fn giving_up_is_told_to_everyone_who_waits() {
    let fake = Fake::start().await;
    let backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_millis(50), jitter: 0.0 };
    let options = Options::new().reconnect(backoff).max_reconnects(2);
    let (client, peer) = fake.client(options).await;
    let mut events = client.events();
    drop((peer, fake));
    eventually("the loss is noticed", || client.state() != State::Connected).await;
    for number in 0..3 {
        within(client.publish("a", &number)).await.expect("it is buffered");
    }
    let (flushed, confirmed, subscribed) = tokio::join!(
        within(client.flush()),
        within(client.publish_confirmed("a", &1, PublishOptions::new())),
        within(client.subscribe("a")),
    );
    let unsent = event(&mut events, |event| match event {
        Event::Unsent { messages } => Some(messages),
        _ => None,
    });
    assert_eq!(unsent.await, 3);
    let closed = event(&mut events, |event| match event {
        Event::Closed { reason } => Some(reason),
        _ => None,
    });
    let reason = closed.await;
    let CloseReason::GaveUp { attempts: 2, last } = &reason else { panic!("{reason:?}") };
    assert!(matches!(**last, ConnectError::Refused { .. }), "{last:?}");
    assert_eq!(flushed, Err(FlushError::Closed(reason.clone())));
    assert_eq!(confirmed, Err(PublishError::Closed(reason.clone())));
    assert_eq!(subscribed.err(), Some(SubscribeError::Closed(reason)));
    assert_eq!(client.stats().unsent, 3);
}

#[tokio::test]
async fn attempts_go_on_until_the_server_is_back() {
    let fake = Fake::start().await;
    let (client, peer) = fake.client(quick()).await;
    drop(peer);
    // Three times it does not get a welcome, each time for another reason.
    drop(fake.accept_silently().await);
    let mut peer: Peer = fake.accept_silently().await;
    peer.event("Goodbye", vec!["too-many-connections".into(), "full".into()]).await;
    let mut peer = fake.accept_silently().await;
    peer.bytes(b"\xc1").await;
    let _peer = fake.accept(4).await;
    eventually("it is connected", || client.state() == State::Connected).await;
    assert_eq!(client.stats().reconnects, 1);
}

#[test]
fn a_runtime_that_goes_away_is_an_error_and_not_a_silence() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let (client, peer): (Client, Peer) = first.block_on(async { Fake::start().await.client(quick()).await });
    drop((first, peer));
    runtime().block_on(async {
        let stopped = Err(PublishError::Closed(CloseReason::RuntimeStopped));
        assert_eq!(within(client.publish("a", &1)).await, stopped);
        assert_eq!(client.state(), State::Closed);
    });
}
