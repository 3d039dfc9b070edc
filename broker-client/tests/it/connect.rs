//! The first connection: who is greeted, and what each kind of failure is called.

use std::time::Duration;

use broker_client::{Client, ConnectError, Event, Options, State, blocking};
use rmpv::Value;
use tokio::net::TcpListener;

use crate::fake::{Fake, Peer, event, get, quick, within};

/// Connects to a fake that answers the `Hello` with these bytes and then closes, or stays if there are none.
async fn answered_with(answer: &[u8]) -> ConnectError {
    let fake = Fake::start().await;
    let url = fake.url();
    let serve = async {
        let mut peer = fake.accept_silently().await;
        peer.expect("Hello").await;
        peer.bytes(answer).await;
        if answer.is_empty() {
            while peer.frame().await.is_some() {}
        }
    };
    let options = Options::new().connect_timeout(Duration::from_millis(300));
    let (outcome, ()) = tokio::join!(within(Client::connect(&url, options)), serve);
    outcome.expect_err("it must fail")
}

#[tokio::test]
async fn hello_and_welcome() {
    let fake = Fake::start().await;
    let url = fake.url();
    let serve = async {
        let mut peer = fake.accept_silently().await;
        let hello = peer.expect("Hello").await;
        assert_eq!(hello.len(), 1);
        assert_eq!(get(&hello[0], "version"), Value::from(1));
        assert_eq!(get(&hello[0], "name"), Value::from("thermometer 7"));
        peer.welcome(17, &[]).await;
        peer
    };
    let (client, _peer) = tokio::join!(within(Client::connect(&url, quick().name("thermometer 7"))), serve);
    let client = client.expect("it is welcome");
    let server = client.server().expect("it is connected");
    assert_eq!((server.server.as_str(), server.session, server.depth_max), ("fake", 17, 128));
    assert_eq!(client.state(), State::Connected);
}

#[tokio::test]
async fn nothing_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let outcome = within(Client::connect(&address, Options::new())).await;
    assert_eq!(outcome.expect_err("nobody is there"), ConnectError::Refused { address });
}

#[tokio::test]
async fn something_else_listens() {
    for (answer, word) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "it answered"),
        (b"\xc1", "0xc1"),
        (b"\x92\xa1t\xc0", "not a welcome"),
        (b"\x81\xa4Ping\x90", "not a welcome"),
        (b"\xc6\xff\xff\xff\xff", "over the limit"),
        (b"\x81\xa7Welcome\x91\x80", "it answered"),
        (b"\x81\xa7Wel", "without an answer"),
    ] {
        match answered_with(answer).await {
            ConnectError::NotABroker { what, .. } => assert!(what.contains(word), "{answer:x?}: {what}"),
            other => panic!("{answer:x?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_listener_without_a_word_is_told_from_one_that_does_not_answer() {
    match answered_with(b"").await {
        ConnectError::Timeout { connected, after, .. } => assert!(connected && after.as_millis() == 300),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_goodbye_has_its_reason() {
    let error = answered_with(b"\x81\xa7Goodbye\x92\xb4too-many-connections\xa4full").await;
    let (reason, detail) = ("too-many-connections".to_owned(), "full".to_owned());
    assert_eq!(error, ConnectError::Goodbye { reason, detail });
}

#[tokio::test]
async fn a_refusal_has_its_code() {
    let error = answered_with(b"\x81\xa3Err\x93\xc0\x08\xa3old").await;
    assert_eq!(error, ConnectError::Rejected { code: 8, text: "old".to_owned() });
}

#[tokio::test]
async fn what_is_wrong_before_anything_is_sent() {
    let outcome = Client::connect("http://localhost", Options::new()).await;
    assert!(matches!(outcome, Err(ConnectError::Address { .. })), "{outcome:?}");
    let outcome = Client::connect("localhost", Options::new().name("x".repeat(257))).await;
    assert!(matches!(outcome, Err(ConnectError::Options(_))), "{outcome:?}");
    let outcome = Client::connect("no-such-host.invalid", Options::new()).await;
    assert!(matches!(outcome, Err(ConnectError::Resolve { .. })), "{outcome:?}");
}

/// A client with these options, and what its `Hello` has as `auth`; it is answered with the code for that and a goodbye.
async fn refused_login(options: Options) -> (ConnectError, Value) {
    let fake = Fake::start().await;
    let url = fake.url();
    let serve = async {
        let mut peer = fake.accept_silently().await;
        let hello = peer.expect("Hello").await;
        refuse_login(&mut peer).await;
        get(&hello[0], "auth")
    };
    let (outcome, auth) = tokio::join!(within(Client::connect(&url, options)), serve);
    (outcome.expect_err("it is refused"), auth)
}

async fn refuse_login(peer: &mut Peer) {
    peer.event("Err", vec![Value::Nil, 12.into(), "no".into()]).await;
    peer.event("Goodbye", vec!["unauthorized".into(), "no".into()]).await;
}

#[tokio::test]
async fn who_the_client_is_goes_with_the_hello() {
    let (error, auth) = refused_login(Options::new()).await;
    assert_eq!((&error, auth), (&ConnectError::AuthRequired, Value::Nil));
    assert!(error.to_string().contains("a token, or a user and a password"), "{error}");

    let (error, auth) = refused_login(Options::new().token("hunter42")).await;
    assert_eq!((&error, auth), (&ConnectError::Unauthorized { user: None }, "hunter42".into()));
    assert_eq!(error.to_string(), "the server does not accept this token");

    let (error, auth) = refused_login(Options::new().token("t").user("alice", "hunter42")).await;
    assert_eq!(error, ConnectError::Unauthorized { user: Some("alice".to_owned()) });
    assert_eq!((get(&auth, "user"), get(&auth, "password")), ("alice".into(), "hunter42".into()));
    assert_eq!(error.to_string(), "the server does not accept user \"alice\" with this password");
    assert!(!format!("{error:?}").contains("hunter42"));
}

#[tokio::test]
async fn who_is_refused_after_a_reconnect_gives_up() {
    let fake = Fake::start().await;
    let (client, peer) = fake.client(quick().token("t")).await;
    let mut events = client.events();
    drop(peer);
    let mut peer = fake.accept_silently().await;
    let hello = peer.expect("Hello").await;
    assert_eq!(get(&hello[0], "auth"), "t".into());
    refuse_login(&mut peer).await;
    let reason = event(&mut events, |event| match event {
        Event::Closed { reason } => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.to_string().contains("does not accept this token"), "{reason}");
    assert_eq!(client.state(), State::Closed);
}

#[tokio::test]
async fn the_blocking_face_says_who_it_is_too() {
    let fake = Fake::start().await;
    let url = fake.url();
    let connecting = tokio::task::spawn_blocking(move || {
        blocking::Client::connect(&url, Options::new().user("alice", "x"))
    });
    let mut peer = fake.accept_silently().await;
    let hello = peer.expect("Hello").await;
    assert_eq!(get(&get(&hello[0], "auth"), "user"), "alice".into());
    refuse_login(&mut peer).await;
    let outcome = within(connecting).await.expect("no panic");
    assert_eq!(
        outcome.expect_err("it is refused"),
        ConnectError::Unauthorized { user: Some("alice".to_owned()) }
    );
}
