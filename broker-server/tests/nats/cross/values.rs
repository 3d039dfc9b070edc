//! Values, headers and names on their way from one protocol to the other.

use rmpv::Value;

use crate::support::{Both, Wire, bin, get, map};

/// The next message of sid `1`, without headers.
#[track_caller]
fn payload(wire: &mut Wire, topic: &str) -> Vec<u8> {
    let line = wire.line();
    let words: Vec<&str> = line.split(' ').collect();
    let ["MSG", subject, "1", bytes] = words[..] else { panic!("a message, not {line}") };
    assert_eq!(subject, topic);
    let bytes: usize = bytes.parse().unwrap();
    assert!(wire.read_until(|buffer| buffer.len() >= bytes + 2), "{:?}", wire.shown());
    let payload = wire.buffer[..bytes].to_vec();
    wire.buffer.drain(..bytes);
    wire.expect("\r\n");
    payload
}

fn list(values: &[Value]) -> Value {
    Value::Array(values.to_vec())
}

#[test]
fn native_values_become_payloads() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    nats.send("SUB cross.value 1\r\n");
    nats.flush();
    let rows: &[(Value, &[u8])] = &[
        ("hello".into(), b"hello"),
        ("".into(), b""),
        ("a\r\nb \"c\" день".into(), "a\r\nb \"c\" день".as_bytes()),
        (bin(b"\x00\xff\r\n"), b"\x00\xff\r\n"),
        (bin(b""), b""),
        (Value::Nil, b"null"),
        (true.into(), b"true"),
        (false.into(), b"false"),
        (0.into(), b"0"),
        ((-7).into(), b"-7"),
        (i64::MIN.into(), b"-9223372036854775808"),
        (u64::MAX.into(), b"18446744073709551615"),
        (0.5.into(), b"0.5"),
        (Value::F32(0.1), b"0.1"),
        (f64::NAN.into(), b"null"),
        (f64::INFINITY.into(), b"null"),
        (list(&[]), b"[]"),
        (map(&[]), b"{}"),
        (list(&[1.into(), "a".into(), list(&[Value::Nil])]), br#"[1,"a",[null]]"#),
        (map(&[("Foo", 0.5.into()), ("b\"", list(&[]))]), br#"{"Foo":0.5,"b\"":[]}"#),
        (list(&["\n\u{1}\\".into()]), br#"["\n\u0001\\"]"#),
        (list(&[bin(b"\x00\xff")]), br#"["AP8="]"#),
        (Value::Map(vec![(7.into(), 8.into())]), br#"{"7":8}"#),
        (list(&[Value::Ext(5, vec![1, 2])]), br#"[{"type":5,"data":"AQI="}]"#),
    ];
    for (value, expected) in rows {
        assert_eq!(native.publish("cross.value", value.clone(), &[]), 1, "{value}");
        let came = payload(&mut nats, "cross.value");
        assert_eq!(String::from_utf8_lossy(&came), String::from_utf8_lossy(expected), "{value}");
    }
}

/// The deepest nesting that a frame may have does no harm in another encoding.
#[test]
fn a_deep_value_becomes_a_payload() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    nats.send("SUB cross.deep 1\r\n");
    nats.flush();
    let deep = (0..100).fold(Value::from(7), |inner, _| list(&[inner]));
    native.publish("cross.deep", deep, &[]);
    let expected = format!("{}7{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(payload(&mut nats, "cross.deep"), expected.as_bytes());
}

#[test]
fn payloads_become_bins() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    native.subscribe("cross.payload", &[]);
    let large = vec![b'x'; 300_000];
    for payload in
        [&b"hello"[..], b"", b"\x00\xff\r\n", b"{\"json\":1}", &large[..255], &large[..70_000], &large]
    {
        nats.send(format!("PUB cross.payload {}\r\n", payload.len()));
        nats.send([payload, b"\r\n"].concat());
        let message = native.message();
        assert_eq!((message.topic.as_str(), &message.meta), ("cross.payload", &Value::Nil));
        assert!(message.value == bin(payload), "{} bytes", payload.len());
    }
}

/// Large messages go other ways than small ones.
#[test]
fn large_values_go_both_ways() {
    let server = Both::start();
    let (mut native, mut other, mut nats) = (server.native(), server.native(), server.nats());
    let mut second = server.nats();
    for wire in [&mut nats, &mut second] {
        wire.send("SUB cross.large 1\r\n");
        wire.flush();
    }
    other.subscribe("cross.large", &[]);
    for size in [1_000, 16 << 10, 16 << 10 | 1, 100_000, 900_000] {
        let text = "день".repeat(size / 8);
        native.publish("cross.large", text.as_str().into(), &[]);
        assert_eq!(other.message().value.as_str(), Some(text.as_str()));
        for wire in [&mut nats, &mut second] {
            assert!(payload(wire, "cross.large") == text.as_bytes(), "{size}");
        }
        let numbers = list(&vec![7.into(); size / 2]);
        native.publish("cross.large", numbers, &[]);
        assert_eq!(other.message().value.as_array().map(Vec::len), Some(size / 2));
        let json = payload(&mut nats, "cross.large");
        assert_eq!(json.len(), size / 2 * 2 + 1);
        assert!(json.starts_with(b"[7,7") && payload(&mut second, "cross.large") == json);
        nats.send(format!("PUB cross.large {}\r\n{}\r\n", text.len(), text));
        assert!(other.message().value == bin(text.as_bytes()), "{size}");
        for wire in [&mut nats, &mut second] {
            assert!(payload(wire, "cross.large") == text.as_bytes(), "{size}");
        }
    }
}

/// Frames of all kinds in one batch keep their order for everybody.
#[test]
fn order_is_kept() {
    let server = Both::start();
    let (mut native, mut nats, mut publisher) = (server.native(), server.nats(), server.nats());
    native.subscribe("order.*", &[]);
    nats.send("SUB order.> 1\r\n");
    nats.flush();
    let mut batch = Vec::new();
    for number in 0..2_000 {
        let text = format!("{number}{}", " ".repeat(if number % 97 == 0 { 20_000 } else { number % 50 }));
        batch.extend(format!("PUB order.{} {}\r\n{text}\r\n", number % 7, text.len()).into_bytes());
    }
    let sender = std::thread::spawn(move || {
        publisher.send(batch);
        publisher.flush();
        publisher
    });
    for number in 0..2_000_usize {
        let topic = format!("order.{}", number % 7);
        let text = payload(&mut nats, &topic);
        assert_eq!(String::from_utf8(text).unwrap().trim_end(), number.to_string());
    }
    for number in 0..2_000_usize {
        let message = native.message();
        assert_eq!(message.topic, format!("order.{}", number % 7));
        let text = String::from_utf8(message.value.as_slice().unwrap().to_vec()).unwrap();
        assert_eq!(text.trim_end(), number.to_string());
    }
    sender.join().unwrap();
}

#[test]
fn headers_of_nats_become_headers() {
    let server = Both::start();
    let (mut native, mut plain, mut nats) = (server.native(), server.native(), server.nats());
    native.subscribe("cross.headers", &[("meta", true.into())]);
    plain.subscribe("cross.headers", &[]);
    let block =
        "NATS/1.0\r\nOne: 1\r\nTwo-Words:a b: c\r\nMany: a\r\nMany: b\r\nEmpty:\r\nUnicode: день\r\n\r\n";
    nats.send(format!("HPUB cross.headers {} {}\r\n{block}body\r\n", block.len(), block.len() + 4));
    let message = native.message();
    assert_eq!(message.value, bin(b"body"));
    let headers = get(&message.meta, "headers");
    for (name, value) in [("One", "1"), ("Two-Words", "a b: c"), ("Empty", ""), ("Unicode", "день")] {
        assert_eq!(get(headers, name).as_str(), Some(value), "{headers}");
    }
    assert_eq!(get(headers, "Many").as_str(), Some("a, b"), "{headers}");
    let message = plain.message();
    assert_eq!((message.value, message.meta), (bin(b"body"), Value::Nil));
}

#[test]
fn native_headers_become_a_block() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    let mut simple = Wire::ready(server.nats_address(), "{\"verbose\":false}");
    for wire in [&mut nats, &mut simple] {
        wire.send("SUB cross.block 1\r\n");
        wire.flush();
    }
    let headers = map(&[("One", "1".into()), ("Evil", "a\r\nInjected: yes\r\n\r\nMSG x 1 0".into())]);
    native.publish("cross.block", "body".into(), &[("headers", headers)]);
    let line = nats.line();
    let words: Vec<&str> = line.split(' ').collect();
    let ["HMSG", "cross.block", "1", header_bytes, all_bytes] = words[..] else { panic!("{line}") };
    let (header_bytes, all_bytes): (usize, usize) =
        (header_bytes.parse().unwrap(), all_bytes.parse().unwrap());
    assert_eq!(all_bytes, header_bytes + 4);
    assert!(nats.read_until(|buffer| buffer.len() >= all_bytes + 2));
    let block = String::from_utf8(nats.buffer[..header_bytes].to_vec()).unwrap();
    nats.buffer.drain(..header_bytes);
    nats.expect("body\r\n");
    let lines: Vec<&str> = block.split("\r\n").collect();
    assert_eq!((lines[0], lines[1], lines.len()), ("NATS/1.0", "One: 1", 5), "{block:?}");
    assert!(lines[2].starts_with("Evil: a"), "what looks like lines stays in its line: {block:?}");
    nats.flush();
    // Who knows no headers gets the body.
    assert_eq!(payload(&mut simple, "cross.block"), b"body");
    simple.flush();
}

/// Topics that no subject can be are not sent to those who would take them for something else.
#[test]
fn a_topic_that_is_no_subject_breaks_no_line() {
    let server = Both::start();
    let (mut native, mut other, mut nats) = (server.native(), server.native(), server.nats());
    other.subscribe("*", &[("retained", false.into())]);
    nats.send("SUB > 1\r\n");
    nats.flush();
    for topic in
        ["two words", "a b.c 99", " ", "x\u{a0}y", "tab", "weather/Oslo/*", "a..b", ".a", "a.", "a.>", "*"]
    {
        native.publish(topic, topic.into(), &[]);
        assert_eq!(other.message().topic, topic);
    }
    native.publish("the.last", "end".into(), &[]);
    let mut seen = Vec::new();
    loop {
        let line = nats.line();
        let words: Vec<&str> = line.split(' ').collect();
        let ["MSG", subject, "1", bytes] = words[..] else { panic!("a message, not {line:?}") };
        nats.expect(if subject == "the.last" { "end" } else { subject });
        nats.expect("\r\n");
        let length = if subject == "the.last" { 3 } else { subject.len() };
        assert_eq!(bytes.parse::<usize>().unwrap(), length);
        if subject == "the.last" {
            break;
        }
        seen.push(subject.to_owned());
    }
    assert!(seen.contains(&"weather/Oslo/*".to_owned()), "{seen:?}");
    assert!(seen.iter().all(|topic| !topic.contains(' ')), "{seen:?}");
    nats.flush();
}

/// A pattern that begins with a wildcard does not match the server's own topics, in either dialect.
#[test]
fn system_topics_are_asked_for_by_name() {
    let server = Both::start_with(|builder| builder.metrics_interval(std::time::Duration::from_millis(50)));
    let (mut curious, mut nats) = (server.nats(), server.nats());
    curious.send("SUB > 1\r\nSUB * 2\r\n");
    nats.send("SUB !system/metrics/connections 1\r\n");
    for _ in 0..3 {
        assert_eq!(payload(&mut nats, "!system/metrics/connections"), b"2");
    }
    curious.flush();
    // Nobody but the server says what its figures are.
    nats.send("PUB !system/metrics/connections 2\r\n99\r\n");
    loop {
        let line = nats.line();
        if line.starts_with("-ERR") {
            assert!(line.starts_with("-ERR 'Permissions Violation for Publish to"), "{line}");
            break;
        }
    }
}
