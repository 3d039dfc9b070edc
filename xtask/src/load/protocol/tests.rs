//! Golden bytes of every protocol, both ways, and every split of them into two reads.

use super::*;

/// Every frame of `bytes`, in text, when they arrive in two pieces.
fn frames(wire: Wire, bytes: &[u8], split: usize) -> Result<Vec<String>> {
    let mut decoder = Decoder::new(wire);
    let mut out = Vec::new();
    let mut at = 0;
    for end in [split, bytes.len()] {
        while let Some((got, length)) = decoder.next(&bytes[at..end])? {
            assert!(length > 0 && length <= end - at, "{length} of {}", end - at);
            out.push(format!("{got:?}"));
            at += length;
        }
    }
    assert_eq!(at, bytes.len(), "split at {split}");
    Ok(out)
}

#[track_caller]
fn check(wire: Wire, bytes: &[u8], want: &[Got<'_>]) {
    let want: Vec<String> = want.iter().map(|got| format!("{got:?}")).collect();
    for split in 0..=bytes.len() {
        assert_eq!(frames(wire, bytes, split).unwrap(), want, "{wire:?}, split at {split}");
    }
}

/// The terms of a member of the group `g`.
fn in_group() -> Terms<'static> {
    Terms { group: Some("g"), ..Terms::default() }
}

/// The whole of it, and every prefix that is not refused: it does not panic, and ends in an error.
#[track_caller]
fn refuses(wire: Wire, bytes: &[u8], why: &str) {
    for end in 0..bytes.len() {
        // A prefix may be a part, or show what is wrong already.
        let mut decoder = Decoder::new(wire);
        if let Ok(found) = decoder.next(&bytes[..end]) {
            assert_eq!(found, None, "{} taken for whole at {end}", bytes.escape_ascii());
        }
    }
    let error = Decoder::new(wire).next(bytes).map(|found| format!("{found:?}")).unwrap_err();
    assert!(format!("{error:#}").contains(why), "{error:#}");
}

fn message<'a>(topic: &'a str, payload: &'a [u8]) -> Got<'a> {
    Got::Message { topic: Cow::Borrowed(topic), payload }
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    out
}

#[test]
fn native_frames() {
    let wire = Wire::Native;
    let filter = Filter::new(wire, 1, "load/*").unwrap();
    let publish = written(|out| wire.publish(out, "a/b", b"xyz"));
    assert_eq!(publish, b"\x81\xa7Publish\x91\x92\xa3a/b\xc4\x03xyz");
    let delivered = written(|out| wire.delivered(out, "a/b", &filter, b"xyz"));
    assert_eq!(delivered, b"\x92\xa3a/b\xc4\x03xyz");
    assert_eq!(
        written(|out| wire.subscribe(out, &filter, Terms::default())),
        b"\x81\xa9Subscribe\x92\xa6load/*\x81\xa8retained\xc2"
    );
    assert_eq!(
        written(|out| Wire::Lbroker.subscribe(out, &filter, Terms::default())),
        b"\x81\xa9Subscribe\x91\xa6load/*"
    );
    assert_eq!(written(|out| Wire::Lbroker.unsubscribe(out, &filter)), b"\x81\xabUnsubscribe\x91\xa6load/*");
    let mut pong = Vec::new();
    broker_core::wire::native::encode::pong(&mut pong);
    assert_eq!(wire.pong(), pong);
    let lagged = b"\x81\xa6Lagged\x91\x82\xa7pattern\xa1*\xa6missed\x07";
    let all =
        [&delivered[..], lagged, b"\x81\xa4Ping\x90", b"\x81\xa2Ok\x92\x05\xc0", b"\x92\xa1t\xc3"].concat();
    check(
        wire,
        &all,
        &[message("a/b", b"xyz"), Got::Lagged(7), Got::Ping, Got::Answer(5), message("t", b"")],
    );
    refuses(wire, b"\xc1", "no native frame");
}

#[test]
fn values_of_each_length_are_found_again() {
    for size in [16, 255, 256, 65_535, 65_536] {
        let payload = vec![7; size];
        for wire in [Wire::Native, Wire::Lbroker, Wire::Nats, Wire::Redis, Wire::Mqtt] {
            let filter = Filter::new(wire, 3, "load/*").unwrap();
            let topic = wire.topic("load/2");
            let frame = written(|out| wire.delivered(out, &topic, &filter, &payload));
            let (got, length) = Decoder::new(wire).next(&frame).unwrap().unwrap();
            assert_eq!((got, length), (message(&topic, &payload), frame.len()), "{wire:?}");
            let at = frame.len() - wire.tail_bytes() - size;
            assert_eq!(frame[at..at + size], payload, "{wire:?}");
            let published = written(|out| wire.publish(out, &topic, &payload));
            let at = published.len() - wire.tail_bytes() - size;
            assert_eq!(published[at..at + size], payload, "{wire:?}");
        }
    }
}

#[test]
fn nats_frames() {
    let wire = Wire::Nats;
    let filter = Filter::new(wire, 12, "load/*").unwrap();
    assert_eq!(wire.topic("load/0"), "load.0");
    assert_eq!(written(|out| wire.publish(out, "load.0", b"hello")), b"PUB load.0 5\r\nhello\r\n");
    let delivered = written(|out| wire.delivered(out, "load.0", &filter, b"hello"));
    assert_eq!(delivered, b"MSG load.0 12 5\r\nhello\r\n");
    assert_eq!(written(|out| wire.subscribe(out, &filter, Terms::default())), b"SUB load.> 12\r\n");
    assert_eq!(written(|out| wire.subscribe(out, &filter, in_group())), b"SUB load.> g 12\r\n");
    assert_eq!(written(|out| wire.unsubscribe(out, &filter)), b"UNSUB 12\r\n");
    let hello = String::from_utf8(written(|out| wire.hello(out, "me"))).unwrap();
    assert!(hello.starts_with("CONNECT {") && hello.ends_with("}\r\n"), "{hello}");
    assert!(hello.contains("\"verbose\":false") && hello.contains("\"name\":\"me\""), "{hello}");
    let all = [
        &b"INFO {\"server_id\":\"X\",\"max_payload\":1048576,\"tls_required\":false} \r\n"[..],
        &delivered,
        b"PING\r\nPONG\r\n+OK\r\n",
        b"MSG a.b 1 an.inbox 3\r\n\r\nx\r\n",
        b"MSG empty 1 0\r\n\r\n",
        b"-ERR 'Slow Consumer'\r\n",
    ];
    check(
        wire,
        &all.concat(),
        &[
            Got::Greeting(Greeting { payload_bytes_max: Some(1 << 20), ..Greeting::default() }),
            message("load.0", b"hello"),
            Got::Ping,
            Got::Answer(0),
            Got::Other,
            message("a.b", b"\r\nx"),
            message("empty", b""),
            Got::Refused("Slow Consumer".to_owned()),
        ],
    );
}

#[test]
fn what_is_no_nats_is_refused() {
    refuses(Wire::Nats, b"HTTP/1.1 400 Bad Request\r\n", "unknown operation");
    refuses(Wire::Nats, b"MSG a 1\r\n", "too few arguments");
    refuses(Wire::Nats, b"MSG a 1 b c 5\r\n", "too many arguments");
    refuses(Wire::Nats, b"MSG a 1 -5\r\n", "no number");
    refuses(Wire::Nats, b"MSG a 1 99999999999\r\n", "are allowed");
    refuses(Wire::Nats, b"MSG a 1 1\r\nxyz", "longer than it says");
    refuses(Wire::Nats, b"INFO no json\r\n", "INFO");
    assert!(Decoder::new(Wire::Nats).next(&vec![b'x'; LINE_BYTES_MAX]).is_err(), "an endless line");
}

#[test]
fn redis_frames() {
    let wire = Wire::Redis;
    let (plain, pattern) = (Filter::new(wire, 1, "load/0").unwrap(), Filter::new(wire, 2, "load/*").unwrap());
    assert_eq!(
        written(|out| wire.publish(out, "load/0", b"hello")),
        b"*3\r\n$7\r\nPUBLISH\r\n$6\r\nload/0\r\n$5\r\nhello\r\n"
    );
    assert_eq!(
        written(|out| wire.subscribe(out, &plain, Terms::default())),
        b"*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nload/0\r\n"
    );
    assert_eq!(
        written(|out| wire.unsubscribe(out, &pattern)),
        b"*2\r\n$12\r\nPUNSUBSCRIBE\r\n$6\r\nload/*\r\n"
    );
    assert!(wire.subscribe(&mut Vec::new(), &plain, in_group()).is_err());
    let (one, other) = (
        written(|out| wire.delivered(out, "load/0", &plain, b"hello")),
        written(|out| wire.delivered(out, "load/7", &pattern, b"\r\n")),
    );
    assert_eq!(one, b"*3\r\n$7\r\nmessage\r\n$6\r\nload/0\r\n$5\r\nhello\r\n");
    assert_eq!(other, b"*4\r\n$8\r\npmessage\r\n$6\r\nload/*\r\n$6\r\nload/7\r\n$2\r\n\r\n\r\n");
    let all = [
        &b"*3\r\n$9\r\nsubscribe\r\n$6\r\nload/0\r\n:1\r\n"[..],
        b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
        &one,
        b":12\r\n+PONG\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
        &other,
        b"-NOAUTH Authentication required.\r\n",
    ];
    check(
        wire,
        &all.concat(),
        &[
            Got::Other,
            Got::Other,
            message("load/0", b"hello"),
            Got::Other,
            Got::Answer(0),
            Got::Answer(0),
            message("load/7", b"\r\n"),
            Got::Refused("NOAUTH Authentication required.".to_owned()),
        ],
    );
}

#[test]
fn what_is_no_redis_is_refused() {
    refuses(Wire::Redis, b"INFO {}\r\n", "unknown kind");
    refuses(Wire::Redis, b"*5\r\n", "an array of 5");
    refuses(Wire::Redis, b"*1\r\n*1\r\n", "unknown kind");
    refuses(Wire::Redis, b"*1\r\n$1\r\nabc", "longer than it says");
    refuses(Wire::Redis, b"*1\r\n$999999999999\r\n", "are allowed");
    refuses(Wire::Redis, b"*1\r\n$3\r\nabc\r\n", "unknown event");
    refuses(Wire::Redis, b"*x\r\n", "no number");
}

#[test]
fn mqtt_frames() {
    let wire = Wire::Mqtt;
    let filter = Filter::new(wire, 2, "load/*").unwrap();
    let publish = written(|out| wire.publish(out, "load/0", b"hello"));
    assert_eq!(publish, b"\x30\x0d\x00\x06load/0hello");
    assert_eq!(written(|out| wire.delivered(out, "load/0", &filter, b"hello")), publish);
    let long = written(|out| wire.publish(out, "t", &[b'x'; 200]));
    assert_eq!(long[..6], *b"\x30\xcb\x01\x00\x01t");
    assert_eq!(
        written(|out| wire.subscribe(out, &filter, Terms::default())),
        b"\x82\x0b\x00\x02\x00\x06load/#\x00"
    );
    assert_eq!(
        written(|out| wire.subscribe(out, &filter, in_group())),
        b"\x82\x14\x00\x02\x00\x0f$share/g/load/#\x00"
    );
    assert_eq!(written(|out| wire.unsubscribe(out, &filter)), b"\xa2\x0a\x00\x02\x00\x06load/#");
    assert_eq!(written(|out| wire.hello(out, "me")), b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02me");
    let all = [
        &b"\x20\x02\x00\x00"[..],
        b"\x90\x03\x00\x01\x00",
        &publish,
        b"\xd0\x00",
        &long,
        b"\xb0\x02\x00\x01",
    ];
    check(
        wire,
        &all.concat(),
        &[
            Got::Greeting(Greeting::default()),
            Got::Other,
            message("load/0", b"hello"),
            Got::Answer(0),
            message("t", &[b'x'; 200]),
            Got::Other,
        ],
    );
    check(wire, b"\x90\x03\x00\x01\x80", &[Got::Refused("a subscribe is not allowed".to_owned())]);
    check(wire, b"\x20\x02\x00\x05", &[Got::Refused("not authorised".to_owned())]);
}

#[test]
fn what_is_no_mqtt_is_refused() {
    refuses(Wire::Mqtt, b"INFO {}\r\n", "unknown kind");
    refuses(Wire::Mqtt, b"\x30\xff\xff\xff\xff\x01", "a length of more than");
    refuses(Wire::Mqtt, b"\x30\xff\xff\xff\x7f", "are allowed");
    refuses(Wire::Mqtt, b"\x30\x02\x00\x05", "without topic");
    refuses(Wire::Mqtt, b"\x32\x05\x00\x01t\x00\x01", "another QoS");
    refuses(Wire::Mqtt, b"\x20\x01\x00", "wrong length");
    refuses(Wire::Mqtt, b"\x90\x02\x00\x01", "wrong length");
}

#[test]
fn a_packet_number_is_never_0() {
    let wire = Wire::Mqtt;
    for (number, want) in [(1, [0, 1]), (65_535, [0xff, 0xff]), (65_536, [0, 1])] {
        let filter = Filter::new(wire, number, "t").unwrap();
        assert_eq!(written(|out| wire.subscribe(out, &filter, Terms::default()))[2..4], want);
    }
}

#[test]
fn only_the_native_protocol_has_policies() {
    let terms = Terms { policy: Some(Policy::Conflate), ..Terms::default() };
    let written = written(|out| Wire::Native.subscribe(out, &Filter::new(Wire::Native, 1, "a")?, terms));
    let text = written.escape_ascii().to_string();
    assert!(text.contains("policy") && text.contains("conflate") && text.contains("retained"), "{text}");
    for wire in [Wire::Nats, Wire::Redis, Wire::Mqtt, Wire::Lbroker] {
        let filter = Filter::new(wire, 1, "a").unwrap();
        assert!(wire.subscribe(&mut Vec::new(), &filter, terms).is_err(), "{wire:?}");
    }
}
