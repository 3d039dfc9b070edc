//! `req` and `reply`.

use crate::harness::{Broker, Running};

fn reply(broker: &Broker, arguments: &[&str]) -> Running {
    let running = broker.spawn(&[&["reply"], arguments].concat());
    running.wait_for_err("answering requests on ");
    running
}

#[test]
fn a_request_gets_its_answer() {
    let broker = Broker::start();
    let replier = reply(&broker, &["svc", "--value", "{\"a\": 1}", "-n", "4"]);
    assert_eq!(broker.ok(&["req", "svc", "5"]), "{\"a\":1}\n");
    assert_eq!(broker.ok(&["req", "svc", "5", "--output", "raw"]), "{\"a\":1}\n");
    let line = broker.ok(&["req", "svc", "5", "--output", "json"]);
    assert!(line.starts_with("{\"topic\":\"!inbox/") && line.contains("\",\"value\":{\"a\":1}"), "{line}");
    let outcome = broker.run(&["req", "svc", "5", "--output", "msgpack"]);
    assert_eq!(outcome.out, b"\x81\xa1a\x01");
    replier.end().ok();
}

#[test]
fn echo_gives_back_the_very_bytes() {
    let broker = Broker::start();
    let _replier = reply(&broker, &["svc/*", "--echo"]);
    assert_eq!(broker.ok(&["req", "svc/a", "[1, \"x\"]"]), "[1,\"x\"]\n");
    let outcome = broker.run(&["req", "svc/b", "d9026869", "--format", "msgpack", "--output", "msgpack"]);
    assert_eq!(outcome.out, b"\xd9\x02hi");
    // From standard input, without the line end that a command prints.
    assert_eq!(broker.run_with(&["req", "svc/c"], b"hello\n").ok(), "\"hello\"\n");
    assert_eq!(broker.run_with(&["req", "svc/c", "-"], b"{\"a\":\n1}\n").ok(), "{\"a\":1}\n");
}

#[cfg(unix)]
#[test]
fn a_command_answers() {
    let broker = Broker::start();
    let _upper = reply(&broker, &["upper", "--exec", "tr a-z A-Z"]);
    let _topic = reply(&broker, &["t/*", "--format", "text", "--exec", "printf %s \"$BROKER_TOPIC\""]);
    let _sum = reply(&broker, &["sum", "--exec", "cat; echo"]);
    assert_eq!(broker.ok(&["req", "upper", "hello"]), "\"HELLO\"\n");
    assert_eq!(broker.ok(&["req", "t/7", "0"]), "\"t/7\"\n");
    assert_eq!(broker.ok(&["req", "sum", "[1,2]"]), "[1,2]\n");
}

#[cfg(unix)]
#[test]
fn a_command_that_does_not_answer_is_answered_for() {
    let broker = Broker::start();
    let failing = reply(&broker, &["fail", "--exec", "exit 3", "-n", "2"]);
    assert_eq!(broker.ok(&["req", "fail", "0"]), "{\"error\":\"the command failed: exit status: 3\"}\n");
    failing.wait_for_err("the command failed");
    // It goes on.
    broker.ok(&["req", "fail", "0"]);
    failing.end().ok();
    let _hanging = reply(&broker, &["hang", "--exec", "sleep 1000", "--exec-timeout", "100ms"]);
    assert_eq!(broker.ok(&["req", "hang", "0"]), "{\"error\":\"the command ran for longer than 100ms\"}\n");
    let _babbling = reply(&broker, &["json", "--exec", "echo no json", "--format", "json"]);
    let answer = broker.ok(&["req", "json", "0"]);
    assert!(answer.starts_with("{\"error\":\"what the command printed is not JSON"), "{answer}");
}

#[test]
fn nobody_there_is_known_at_once_and_silence_after_the_timeout() {
    let broker = Broker::start();
    broker.run(&["req", "svc", "1"]).fails(5, "nobody answers on \"svc\"");
    let _listener = broker.sub(&["svc"]);
    broker.run(&["req", "svc", "1", "--timeout", "2s"]).fails(4, "no answer within 2s");
}

#[test]
fn a_message_that_is_no_request_is_not_counted() {
    let broker = Broker::start();
    let replier = reply(&broker, &["svc", "--echo", "-n", "1"]);
    broker.ok(&["pub", "svc", "1"]);
    replier.wait_for_err("asks for no answer");
    assert_eq!(broker.ok(&["req", "svc", "2"]), "2\n");
    replier.end().ok();
}

#[test]
fn a_replier_may_give_up() {
    let broker = Broker::start();
    broker.run(&["reply", "svc", "--echo", "--timeout", "50ms"]).fails(4, "no request within 50ms");
    broker.run(&["reply", "svc[", "--echo"]).fails(2, "svc[: not a pattern");
    broker.run(&["reply", "svc", "--value", "{", "--format", "json"]).fails(2, "the value: not JSON");
}
