//! Questions by one protocol and answers by the other.

use rmpv::Value;

use crate::support::{Both, bin, get, map};

#[test]
fn nats_asks_and_native_answers() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    native.subscribe("ask.native", &[("meta", true.into())]);
    nats.send("SUB _INBOX.cross.* 9\r\nPUB ask.native _INBOX.cross.1 3\r\n1+2\r\n");
    let question = native.message();
    assert_eq!(question.value, bin(b"1+2"));
    let reply = get(&question.meta, "reply").as_str().expect("a reply topic").to_owned();
    assert_eq!(reply, "_INBOX.cross.1");
    native.publish(&reply, 3.into(), &[]);
    nats.expect("MSG _INBOX.cross.1 9 1\r\n3\r\n");
}

#[test]
fn native_asks_and_nats_answers() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    nats.send("SUB ask.nats 1\r\n");
    nats.flush();
    native.subscribe("!inbox/cross/*", &[]);
    let headers = map(&[("Why", "because".into())]);
    let options = [("reply", Value::from("!inbox/cross/1")), ("headers", headers)];
    assert_eq!(native.publish("ask.nats", "1+2".into(), &options), 1);
    let line = nats.line();
    assert!(line.starts_with("HMSG ask.nats 1 !inbox/cross/1 "), "{line}");
    nats.expect("NATS/1.0\r\nWhy: because\r\n\r\n1+2\r\n");
    nats.send("PUB !inbox/cross/1 1\r\n3\r\n");
    let answer = native.message();
    assert_eq!((answer.topic.as_str(), answer.value), ("!inbox/cross/1", bin(b"3")));
}

/// A native subscriber is a responder; when it goes nobody is.
#[test]
fn nobody_answers_once_the_native_subscriber_is_gone() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    native.subscribe("ask.gone", &[]);
    nats.send("SUB _INBOX.gone 9\r\nPUB ask.gone _INBOX.gone 1\r\nx\r\n");
    nats.flush();
    native.ask("Unsubscribe", vec!["ask.gone".into()], &[]);
    nats.send("PUB ask.gone _INBOX.gone 1\r\nx\r\n");
    nats.expect("HMSG _INBOX.gone 9 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
    nats.flush();
}

/// A native publisher learns how many its message went to, whatever they speak.
#[test]
fn receivers_are_counted() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    assert_eq!(native.publish("count.x", 1.into(), &[]), 0);
    nats.send("SUB count.x 1\r\nSUB count.* 2\r\n");
    nats.flush();
    let mut other = server.native();
    other.subscribe("count.x", &[]);
    other.subscribe("count.*", &[]);
    // Two subscriptions of the NATS client, one session of the native one.
    assert_eq!(native.publish("count.x", 1.into(), &[]), 3);
}
