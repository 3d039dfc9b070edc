//! The blocking face, used from threads that know nothing of async.

use std::{
    sync::mpsc::RecvTimeoutError,
    thread,
    time::{Duration, Instant},
};

use broker_client::{
    ConnectError, Event, Options, PublishError, PublishOptions, RequestError, State, SubscribeOptions,
    blocking::Client,
};
use rmpv::Value;
use tokio::runtime::Runtime;

use crate::fake::{Fake, Peer, get, quick};

const PATIENCE: Duration = Duration::from_secs(20);

/// A fake server, with the runtime that it runs on, and a client.
fn start(options: Options) -> (Runtime, Fake, Client, Peer) {
    let runtime = Runtime::new().expect("a runtime");
    let fake = runtime.block_on(Fake::start());
    let url = fake.url();
    let connecting = thread::spawn(move || Client::connect(&url, options));
    let peer = runtime.block_on(fake.accept(1));
    let client = connecting.join().expect("no panic").expect("it is welcome");
    (runtime, fake, client, peer)
}

#[test]
fn the_verbs() {
    let (runtime, _fake, client, mut peer) = start(quick());
    let serve = runtime.spawn(async move {
        peer.grant("a/*").await;
        assert_eq!(peer.published().await.1, Value::from(1));
        assert_eq!(peer.published().await.1, Value::Binary(vec![2]));
        assert_eq!(peer.published().await.1, Value::from(3));
        let (_, _, options) = peer.published().await;
        assert_eq!(get(&options, "retain"), Value::from(false));
        let (_, _, options) = peer.published().await;
        peer.ok(&options, 5.into()).await;
        peer.message("a/1", 1).await;
        peer.message("a/2", 2).await;
        peer.answer_flush().await;
        peer.part().await;
    });
    let mut subscription = client.subscribe("a/*").expect("it is granted");
    client.publish("a", &1).expect("published");
    client.publish_bytes("a", &[2]).expect("published");
    client.publish_raw("a", b"\x03").expect("published");
    client.publish_with("a", &4, PublishOptions::new().retain(false)).expect("published");
    assert_eq!(client.publish_confirmed("a", &5, PublishOptions::new()), Ok(5));
    client.flush().expect("nothing was lost");
    let topics: Vec<String> =
        subscription.by_ref().take(2).map(|message| message.topic().to_owned()).collect();
    assert_eq!(topics, ["a/1", "a/2"]);
    assert!(subscription.try_recv().is_none());
    let started = Instant::now();
    let timeout = Duration::from_millis(30);
    assert_eq!(subscription.recv_timeout(timeout).err(), Some(RecvTimeoutError::Timeout));
    assert!(started.elapsed() >= timeout);
    client.close().expect("nothing was lost");
    assert_eq!(subscription.recv_timeout(PATIENCE).err(), Some(RecvTimeoutError::Disconnected));
    assert!(subscription.next().is_none());
    assert!(client.publish("a", &1).is_err() && client.state() == State::Closed);
    runtime.block_on(serve).expect("the peer heard what it expected");
}

#[test]
fn requests_and_answers() {
    let (runtime, _fake, client, mut peer) = start(quick().request_timeout(Duration::from_millis(100)));
    let serve = runtime.spawn(async move {
        let arguments = peer.expect("Subscribe").await;
        peer.ok(&arguments[1], Value::Nil).await;
        let (_, _, options) = peer.published().await;
        peer.ok(&options, 1.into()).await;
        peer.message(get(&options, "reply").as_str().expect("a topic"), 42).await;
        let (_, _, options) = peer.published().await;
        peer.ok(&options, 1.into()).await;
        peer.grant("add").await;
        let meta = Value::Map(vec![("reply".into(), "!inbox/x".into())]);
        peer.value(&Value::Array(vec!["add".into(), 1.into(), meta])).await;
        let (topic, value, _) = peer.published().await;
        assert_eq!((topic.as_str(), value), ("!inbox/x", Value::from(43)));
    });
    assert_eq!(client.request("add", &1).expect("an answer").decode::<u8>().expect("a number"), 42);
    assert!(matches!(client.request("add", &1), Err(RequestError::Timeout { .. })));
    let mut requests = client.subscribe_with("add", SubscribeOptions::new().meta(true)).expect("granted");
    let request = requests.recv().expect("a request");
    client.respond(&request, &43).expect("it is sent");
    runtime.block_on(serve).expect("the peer heard what it expected");
}

#[test]
fn it_reconnects_while_the_program_does_something_else() {
    let (runtime, fake, client, peer) = start(quick());
    let mut events = client.events();
    drop(peer);
    let _peer = runtime.block_on(fake.accept(2));
    let told: Vec<Event> = (0..3).map(|_| events.recv_timeout(PATIENCE).expect("an event")).collect();
    assert!(matches!(told[2], Event::Connected { session: 2, .. }), "{told:?}");
    assert!(events.try_recv().is_none());
}

#[test]
fn dropping_it_sends_what_is_buffered() {
    let (runtime, _fake, client, mut peer) = start(quick());
    let serve = runtime.spawn(async move {
        for number in 0..1000 {
            assert_eq!(peer.published().await.1, Value::from(number));
        }
        peer.part().await;
    });
    for number in 0..1000 {
        client.publish("a", &number).expect("published");
    }
    drop(client);
    runtime.block_on(serve).expect("all of it arrived");
}

#[test]
fn a_full_buffer_waits_on_the_callers_thread() {
    let (runtime, _fake, client, mut peer) = start(quick().buffer_bytes_max(1 << 16));
    let publisher = thread::spawn(move || {
        let payload = vec![0_u8; 50_000];
        for number in 0..500_u64 {
            client.publish("a", &(number, &payload)).expect("published");
        }
        client
    });
    runtime.block_on(async {
        for number in 0..500_u64 {
            assert_eq!(peer.published().await.1[0], Value::from(number));
        }
    });
    let client = publisher.join().expect("no panic");
    drop(peer);
    assert!(
        client.publish("!system/x", &1).is_err_and(|error| matches!(error, PublishError::ReservedTopic(_)))
    );
}

#[test]
fn a_failed_connect_is_an_error() {
    let outcome = Client::connect("ftp://localhost", Options::new());
    assert!(matches!(outcome, Err(ConnectError::Address { .. })), "{outcome:?}");
}
