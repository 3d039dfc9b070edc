//! `pub`: values in, and what the broker made of them.

use std::{io::Write, time::Instant};

use crate::harness::{Broker, eventually, numbers};

#[test]
fn an_argument_is_json_if_it_parses_else_text() {
    let broker = Broker::start();
    broker.ok(&["pub", "json", "{\"Foo\": 0.5}"]);
    broker.ok(&["pub", "text", "hello world"]);
    broker.ok(&["pub", "number", "-5"]);
    broker.ok(&["pub", "--format", "text", "digits", "5"]);
    broker.ok(&["pub", "--format", "hex", "bytes", "00 ff"]);
    broker.ok(&["pub", "--format", "msgpack", "array", "92 01 c0"]);
    for (topic, value) in [
        ("json", "{\"Foo\":0.5}"),
        ("text", "\"hello world\""),
        ("number", "-5"),
        ("digits", "\"5\""),
        ("bytes", "{\"$bin\":\"00ff\"}"),
        ("array", "[1,null]"),
    ] {
        let line = broker.ok(&["sub", topic, "-n", "1", "--format", "json"]);
        assert!(line.starts_with(&format!("{{\"topic\":\"{topic}\",\"value\":{value},\"time\":")), "{line}");
    }
}

#[test]
fn a_value_that_is_none_is_refused_before_anything_is_sent() {
    let broker = Broker::start();
    broker.run(&["pub", "t", "{", "--format", "json"]).fails(2, "the value: not JSON");
    broker.run(&["pub", "t", "0g", "--format", "hex"]).fails(2, "not a hexadecimal digit at byte 1");
    broker.run(&["pub", "t", "v", "--whole"]).fails(2, "--whole is about standard input");
    assert_eq!(broker.ok(&["topics"]), "");
}

#[test]
fn each_line_of_standard_input_is_a_message() {
    let broker = Broker::start();
    for arguments in [&["pub", "t"][..], &["pub", "t", "-"]] {
        let sub = broker.sub(&["t", "-n", "4", "--format", "raw", "--no-retained"]);
        broker.run_with(arguments, b"1\ntwo\r\n\n[4]").ok();
        assert_eq!(sub.end().ok(), "1\ntwo\n\n[4]\n");
    }
}

#[test]
fn a_line_goes_out_before_the_next_one_is_there() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "--format", "raw"]);
    let mut publisher = broker.spawn(&["pub", "t"]);
    for line in ["one", "two"] {
        let stdin = publisher.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\nbegun").as_bytes()).unwrap();
        assert_eq!(sub.line().trim_start_matches("begun"), line);
    }
    publisher.end().ok();
}

#[test]
fn the_whole_of_standard_input_is_one_message() {
    let broker = Broker::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    broker.run_with(&["pub", "file", "--whole"], &bytes).ok();
    let outcome = broker.run(&["sub", "file", "-n", "1", "--format", "raw"]);
    assert_eq!(outcome.out, [&bytes[..], b"\n"].concat());
}

#[test]
fn many_lines_arrive_complete_and_in_order() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "-n", "20000", "--format", "raw"]);
    let lines = numbers(20_000);
    broker.run_with(&["pub", "t"], lines.as_bytes()).ok();
    assert_eq!(sub.end().ok(), lines);
}

#[test]
fn what_sub_writes_in_msgpack_pub_reads() {
    let broker = Broker::start();
    let values = b"\x01\xd9\x02hi\xc4\x02\x0a\xff\x92\xc0\x81\x02\xc3\xd4\x05\x00\xca\x3d\xcc\xcc\xcd";
    let sub = broker.sub(&["a", "-n", "6", "--format", "msgpack"]);
    broker.run_with(&["pub", "a", "--format", "msgpack"], values).ok();
    let first = sub.end();
    assert_eq!(first.out, values, "byte for byte");
    broker
        .run_with(&["pub", "b", "--format", "msgpack", "--whole"], b"\x01\x02")
        .fails(1, "1 more bytes behind it");
}

#[test]
fn a_bad_line_is_named_and_what_came_before_it_is_published() {
    let broker = Broker::start();
    let outcome = broker.run_with(&["pub", "t", "--format", "json"], b"1\n2\nthree\n4\n");
    outcome.fails(1, "line 3 of standard input: not JSON");
    assert_eq!(broker.ok(&["sub", "t", "-n", "1", "--format", "raw"]), "2\n");
}

#[test]
fn count_repeats_and_rate_spaces() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "-n", "6", "--format", "raw"]);
    let start = Instant::now();
    broker.run_with(&["pub", "t", "--count", "3", "--rate", "50"], b"a\nb\n").ok();
    // The last of six is due five fiftieths of a second after the first. That it is not much later is not a test's to say.
    assert!(start.elapsed().as_millis() >= 100);
    assert_eq!(sub.end().ok(), "a\na\na\nb\nb\nb\n");
}

#[test]
fn headers_and_key_travel_with_the_message() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "-n", "1", "--format", "json"]);
    broker.ok(&["pub", "t", "1", "-H", "unit=°C", "-H", "a=b=c", "--key", "k"]);
    let line = sub.end().ok();
    let tail = ",\"headers\":{\"a\":\"b=c\",\"unit\":\"°C\"},\"key\":\"k\"}\n";
    assert!(line.ends_with(tail), "{line}");
}

#[test]
fn no_retain_leaves_nothing_behind() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "-n", "1", "--format", "raw"]);
    broker.ok(&["pub", "t", "1", "--no-retain"]);
    assert_eq!(sub.end().ok(), "1\n");
    assert_eq!(broker.ok(&["topics"]), "");
}

#[test]
fn confirm_prints_how_many_sessions_each_message_went_to() {
    let broker = Broker::start();
    assert_eq!(broker.ok(&["pub", "t", "1", "--confirm"]), "0\n");
    let subs = [broker.sub(&["t"]), broker.sub(&["*"])];
    assert_eq!(broker.run_with(&["pub", "t", "--confirm"], b"1\n2\n").ok(), "2\n2\n");
    drop(subs);
}

#[test]
fn what_the_broker_does_not_take_is_an_error() {
    let broker = Broker::start();
    broker.run(&["pub", "!system/metrics/cpu", "1"]).fails(1, "reserved");
    broker.run(&["pub", "a\tb", "1"]).fails(2, "control character U+0009");
    broker.run(&["pub", &"t".repeat(1025), "1"]).fails(2, "1025 bytes");
    let outcome = broker.run_with(&["pub", "t", "--whole"], &vec![b'x'; 9 << 20]);
    outcome.fails(1, "limit");
    assert_eq!(broker.ok(&["topics"]), "");
}

#[test]
fn a_message_that_holds_for_a_time_is_gone_after_it() {
    let broker = Broker::start();
    broker.ok(&["pub", "long", "1", "--ttl", "1h"]);
    broker.ok(&["pub", "short", "1", "--ttl", "300ms"]);
    let gone = || (!broker.ok(&["topics", "--quiet"]).contains("short")).then_some(());
    eventually("its end", gone);
    assert!(broker.ok(&["topics"]).starts_with("long"));
}
