//! Sessions that have to say who they are, of both protocols.

use std::sync::Arc;

use broker_core::outbox::Outbox;
use broker_core::reason::{CloseReason, ErrorCode};
use broker_core::wire::native::{Event, Hello, PublishOptions, encode};
use broker_core::{Broker, Credentials, Limits, NatsOptions, Next, Now, ServerName, Session};

use crate::peer::Peer;
use crate::socket::Socket;

fn asked(broker: &Arc<Broker>) -> Peer {
    let mut peer = Peer::with_options(broker, NatsOptions { auth_required: true, ..NatsOptions::default() });
    assert!(peer.receive().contains("\"auth_required\":true"));
    peer
}

fn at(seconds: u64) -> Now {
    Now { unix_ms: 0, monotonic_ms: seconds * 1000 }
}

#[test]
fn nothing_is_done_before_the_credentials_are_accepted() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = asked(&broker);
    assert_eq!(
        peer.say("CONNECT {\"user\":\"a\",\"pass\":\"secret\",\"verbose\":false}\r\nPING\r\nSUB a 1\r\n"),
        ""
    );
    assert_eq!((&peer.next, broker.subscriptions()), (&Next::Auth, 0));
    assert!(!format!("{:?}", peer.session).contains("secret"));
    // It waits for as long as it takes.
    broker.check_silence(at(100));
    let answer = peer.answer_auth(|credentials| {
        *credentials
            == Credentials { user: Some("a".to_owned()), password: Some("secret".to_owned()), token: None }
    });
    assert_eq!(answer, "PONG\r\n");
    assert_eq!((broker.subscriptions(), peer.info().user()), (1, Some("a")));
}

#[test]
fn wrong_credentials_and_none_are_refused() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = asked(&broker);
    assert_eq!(peer.say("CONNECT {\"auth_token\":\"wrong\"}\r\nPING\r\n"), "");
    let answer = peer.answer_auth(|credentials| credentials.token.as_deref() == Some("right"));
    assert_eq!(answer, "-ERR 'Authorization Violation'\r\n");
    assert!(peer.session.is_none());
    for command in
        ["PING\r\n", "SUB a 1\r\n", "PUB a 0\r\n\r\n", "PUB a r 0\r\n\r\n", "UNSUB 1\r\n", "+OK\r\n"]
    {
        let mut peer = asked(&broker);
        assert_eq!(peer.say(command), "-ERR 'Authorization Violation'\r\n", "{command}");
        assert_eq!(peer.ending(), Some(CloseReason::Unauthorized));
    }
    assert_eq!(broker.topic_stats().topics, 0);
}

#[test]
fn who_says_nothing_is_closed_in_time() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let mut peer = asked(&broker);
    broker.check_silence(at(1));
    assert_eq!(peer.ending(), None);
    broker.check_silence(at(2));
    assert_eq!(peer.receive(), "-ERR 'Authentication Timeout'\r\n");
    assert_eq!(peer.ending(), Some(CloseReason::AuthTimeout));
    // Who need not, need not.
    let mut peer = Peer::new(&broker);
    broker.check_silence(at(60));
    assert_eq!(peer.receive(), "");
}

fn native(broker: &Arc<Broker>) -> (Session, Arc<Outbox>, Arc<Socket>) {
    let socket = Arc::new(Socket::open(usize::MAX));
    let outbox = Arc::new(Outbox::new(broker.next_session(), 1 << 20, Arc::clone(&socket) as _));
    let server = ServerName { name: "model", version: "0" };
    let mut session =
        Session::new(Arc::clone(broker), Arc::clone(&outbox), "model".to_owned(), server, Now::default());
    session.require_auth(2000);
    (session, outbox, socket)
}

#[test]
fn a_native_client_says_it_in_hello() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let (mut session, _, socket) = native(&broker);
    let auth = Credentials { user: Some("u".to_owned()), password: Some("p".to_owned()), token: None };
    let mut input = Vec::new();
    encode::hello(&mut input, &Hello { version: 1, name: None, auth: Some(auth.clone()) });
    let hello_bytes = input.len();
    encode::ping(&mut input, Some(3));
    let progress = session.handle(Now::default(), &input);
    assert_eq!((progress.consumed, progress.next), (hello_bytes, Next::Auth));
    assert_eq!(session.credentials(), Some(&auth));
    session.authenticated(true);
    let progress = session.handle(Now::default(), &input[hello_bytes..]);
    assert_eq!(progress.consumed, input.len() - hello_bytes);
    let received = socket.received(0);
    assert!(received.starts_with(b"\x81\xa7Welcome") && received.ends_with(b"\x81\xa2Ok\x92\x03\xc0"));
    assert_eq!(session.info().user(), Some("u"));
}

#[test]
fn a_native_client_that_does_not_is_refused() {
    let broker = Arc::new(Broker::new(Limits::default()));
    let token = Some(Credentials { token: Some("t".to_owned()), ..Credentials::default() });
    let written = |hello: &Hello| {
        let mut out = Vec::new();
        encode::hello(&mut out, hello);
        out
    };
    let mut publish = Vec::new();
    encode::publish(&mut publish, "a", b"\x01", &PublishOptions::default());
    let with_token = written(&Hello { version: 1, auth: token, ..Hello::default() });
    let without = written(&Hello { version: 1, ..Hello::default() });
    for (input, is_told) in [(with_token, true), (without, true), (publish, false)] {
        let (mut session, outbox, socket) = native(&broker);
        let mut progress = session.handle(Now::default(), &input);
        if progress.next == Next::Auth {
            assert_eq!(session.credentials().unwrap().token.as_deref(), Some("t"));
            session.authenticated(false);
            progress = session.handle(Now::default(), b"");
        }
        assert_eq!(progress.next, Next::End);
        let ending = outbox.ending();
        assert!(matches!(ending, Some(CloseReason::Protocol(ErrorCode::Unauthorized, _))), "{ending:?}");
        let received = socket.received(0);
        if is_told {
            assert!(matches!(Event::parse(&received), Ok(Event::Err { id: None, code: 12, .. })));
        } else {
            assert_eq!(received, b"");
        }
    }
    assert_eq!(broker.topic_stats().topics, 0);
    let (_session, outbox, _) = native(&broker);
    broker.check_silence(at(3));
    assert_eq!(outbox.ending(), Some(CloseReason::AuthTimeout));
}
