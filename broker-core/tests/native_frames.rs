//! The golden frames of the native protocol: the good ones in every split into two reads, the bad ones with the outcome that stands
//! beside them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "vectors/frames.rs"]
mod frames;

use std::collections::BTreeMap;

use broker_core::reason::ErrorCode;
use broker_core::wire::native::{
    Command, CommandError, Decoder, Event, FrameScanner, Hello, Meta, PublishOptions, SubscribeOptions,
    WireLimits, encode,
};
use broker_core::{MaxRate, Policy, topic};
use frames::{NATIVE_FRAMES, Row, rows};
use serde_json::Value as Json;

/// What the decoder says of `bytes` in one piece.
fn decode(bytes: &[u8]) -> Result<Option<Command<'_>>, CommandError> {
    match Decoder::new(WireLimits::default()).next(bytes)? {
        None => Ok(None),
        Some(decoded) => {
            assert_eq!(decoded.frame_bytes, bytes.len(), "one frame, all of it");
            decoded.command.map(Some)
        }
    }
}

#[test]
fn good_commands_in_every_split() {
    let mut seen = 0;
    for row in rows(NATIVE_FRAMES, "good").iter().filter(|row| !row.is_from_server()) {
        let (what, bytes) = (row.what(), &row.frame);
        let whole = decode(bytes).unwrap_or_else(|error| panic!("{what}: {error:?}")).expect(what);
        assert_eq!(Command::parse(bytes), Ok(whole.clone()), "{what}: the short way and the long way agree");
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::new(WireLimits::default());
            assert_eq!(decoder.next(&bytes[..cut]), Ok(None), "{what}: a proper prefix of {cut}");
            let rest = decoder.next(bytes).unwrap().expect(what);
            assert_eq!(rest.command, Ok(whole.clone()), "{what}: cut at {cut}");
            assert_eq!(rest.frame_bytes, bytes.len());
        }
        check_content(&row.json, &whole);
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// Compares a command with what its row says in JSON, where it does.
fn check_content(row: &Json, command: &Command<'_>) {
    match command {
        Command::Publish(publish) => {
            assert_eq!(publish.pair.last(), publish.value.last());
            assert!(publish.meta.is_none());
            let expected = &row["value_json"]["Publish"][0];
            if expected.is_array() {
                assert_eq!(std::str::from_utf8(publish.topic).unwrap(), expected[0].as_str().unwrap());
                let value: Json = rmp_serde::from_slice(publish.value).unwrap();
                assert_eq!(value, expected[1]);
            }
            assert!(topic::validate(publish.topic, topic::TOPIC_BYTES_MAX).is_ok());
        }
        Command::Subscribe(subscribe) => {
            assert!(subscribe.retained && !subscribe.has_options && subscribe.id.is_none());
            if let Some(pattern) = row["value_json"]["Subscribe"][0].as_str() {
                assert_eq!(subscribe.pattern, pattern);
            }
        }
        Command::Unsubscribe { pattern, id: None } => {
            assert_eq!(row["value_json"]["Unsubscribe"][0].as_str(), Some(*pattern));
        }
        other => panic!("not in the vectors: {other:?}"),
    }
}

#[test]
fn good_commands_are_what_the_encoder_writes() {
    let mut written = Vec::new();
    encode::subscribe(&mut written, "topic/*/pattern", &SubscribeOptions::default());
    encode::subscribe(&mut written, "*", &SubscribeOptions::default());
    encode::unsubscribe(&mut written, "topic/*/pattern", None);
    encode::publish(&mut written, "my-topic", b"\xc3", &PublishOptions::default());
    let expected: Vec<u8> =
        rows(NATIVE_FRAMES, "good").into_iter().take(4).flat_map(|row| row.frame).collect();
    assert_eq!(written, expected);
}

#[test]
fn good_messages_in_every_split() {
    for Row { frame: bytes, json } in rows(NATIVE_FRAMES, "good").into_iter().filter(Row::is_from_server) {
        for cut in 0..bytes.len() {
            let mut scanner = FrameScanner::new(WireLimits::default());
            assert_eq!(scanner.scan(&bytes[..cut]), Ok(None));
            assert_eq!(scanner.scan(&bytes), Ok(Some(bytes.len())));
        }
        let Ok(Event::Message(message)) = Event::parse(&bytes) else { panic!("a message: {bytes:x?}") };
        assert_eq!(message.topic, json["value_json"][0].as_str().unwrap());
        let value: Json = rmp_serde::from_slice(message.value).unwrap();
        assert_eq!(value, json["value_json"][1]);
        let mut written = Vec::new();
        encode::message(&mut written, message.topic, message.value);
        assert_eq!(written, bytes);
    }
}

#[test]
fn bad_frames_end_as_their_row_says() {
    for row in rows(NATIVE_FRAMES, "bad") {
        let (what, expect, bytes) = (row.what(), row.text("expect"), &row.frame);
        let outcome = decode(bytes);
        let code = outcome.as_ref().err().map(|error| error.code);
        match expect.split([':', ';']).next().unwrap() {
            "malformed" => {
                assert_eq!(code, Some(ErrorCode::Malformed), "{what}");
                assert!(ErrorCode::Malformed.closes());
            }
            "unknown command" => {
                assert_eq!(code, Some(ErrorCode::UnknownCommand), "{what}");
                assert!(!ErrorCode::UnknownCommand.closes());
            }
            "invalid topic" => {
                let Ok(Some(Command::Publish(publish))) = outcome else { panic!("{what}: {outcome:?}") };
                assert!(topic::validate(publish.topic, topic::TOPIC_BYTES_MAX).is_err(), "{what}");
            }
            "no allocation by the announced count" | "too large" => {
                assert_eq!(code, Some(ErrorCode::TooLarge), "{what}");
                assert!(ErrorCode::TooLarge.closes());
            }
            "hex is cut to 2000 levels" => {
                assert_eq!(code, Some(ErrorCode::TooLarge), "{what}");
                let mut deep = bytes[..11 + 2].to_vec();
                deep.resize(100_000 + 13, 0x91);
                deep.push(0xc0);
                assert_eq!(decode(&deep).unwrap_err().code, ErrorCode::TooLarge, "{what}");
            }
            other => panic!("{what}: no check for '{other}'"),
        }
    }
}

#[test]
fn options_are_written_and_read() {
    let headers = BTreeMap::from([("unit".to_owned(), "K".to_owned())]);
    let options = PublishOptions {
        id: Some(300),
        reply: Some("!inbox/1/2"),
        headers: Some(&headers),
        key: Some(b"k"),
        retain: Some(false),
        ttl_ms: Some(5000),
    };
    let mut bytes = Vec::new();
    encode::publish(&mut bytes, "t", b"\x07", &options);
    let Ok(Some(Command::Publish(publish))) = decode(&bytes) else { panic!("a publish") };
    let meta = publish.meta.expect("options");
    assert_eq!(
        (publish.topic, publish.value, publish.pair),
        (&b"t"[..], &b"\x07"[..], &b"\x92\xa1t\x07"[..])
    );
    assert_eq!((meta.id, meta.reply, meta.retain), (Some(300), Some(&b"!inbox/1/2"[..]), Some(false)));
    assert_eq!(meta.ttl_ms, Some(5000));
    assert_eq!((meta.headers, meta.key), (Some(&b"\x81\xa4unit\xa1K"[..]), Some(&b"\xc4\x01k"[..])));

    bytes.clear();
    let options = SubscribeOptions {
        id: Some(1),
        policy: Some(Policy::Disconnect),
        retained: false,
        meta: true,
        max_rate: Some(0.5),
    };
    encode::subscribe(&mut bytes, "a*", &options);
    let Ok(Some(Command::Subscribe(subscribe))) = decode(&bytes) else { panic!("a subscribe") };
    assert_eq!((subscribe.id, subscribe.policy), (Some(1), Some(Policy::Disconnect)));
    assert_eq!(subscribe.max_rate, MaxRate::per_second(0.5));
    assert!(!subscribe.retained && subscribe.meta && subscribe.has_options);
}

#[test]
fn small_commands_are_written_and_read() {
    let hello = Hello { version: 1, name: Some("x".to_owned()), auth: None };
    for (write, expected) in [
        (&(|out: &mut Vec<u8>| encode::ping(out, None)) as &dyn Fn(&mut Vec<u8>), Command::Ping { id: None }),
        (&|out| encode::ping(out, Some(9)), Command::Ping { id: Some(9) }),
        (&|out| encode::pong(out), Command::Pong),
        (&|out| encode::close(out), Command::Close),
        (&|out| encode::unsubscribe(out, "a", Some(2)), Command::Unsubscribe { pattern: "a", id: Some(2) }),
        (&|out| encode::clear(out, "a*", Some(2)), Command::Clear { pattern: "a*", id: Some(2) }),
        (&|out| encode::clear(out, "a", None), Command::Clear { pattern: "a", id: None }),
        (&|out| encode::hello(out, &hello), Command::Hello(hello.clone())),
        (&|out| out.extend(b"\x81\xa4Ping\x91\x80"), Command::Ping { id: None }),
        (&|out| out.extend(b"\x81\xa5Close\x91\x80"), Command::Close),
    ] {
        let mut bytes = Vec::new();
        write(&mut bytes);
        assert_eq!(decode(&bytes), Ok(Some(expected)));
    }
}

#[test]
fn wrong_commands_are_refused_with_their_code() {
    for (bytes, code, id) in [
        (&b"\x81\xa4Ping\x91\x81\xa2id\xa1x"[..], ErrorCode::InvalidOption, None),
        (b"\x81\xa4Ping\x91\x82\xa1x\x01\xa2id\x05", ErrorCode::InvalidOption, Some(5)),
        (b"\x81\xa9Subscribe\x92\xa1a\x82\xa2id\x05\xa6policy\xa1x", ErrorCode::InvalidOption, Some(5)),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa5shard\xa1x", ErrorCode::InvalidOption, None),
        (b"\x81\xa7Publish\x92\x92\xa1a\x01\x81\xa7headers\x81\xa1a\x01", ErrorCode::InvalidOption, None),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa8max_rate\x00", ErrorCode::InvalidOption, None),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa8max_rate\xce\x00\x0f\x42\x41", ErrorCode::InvalidOption, None),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa8max_rate\xca\x7f\xc0\x00\x00", ErrorCode::InvalidOption, None),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa8max_rate\xca\xbf\x80\x00\x00", ErrorCode::InvalidOption, None),
        (b"\x81\xa9Subscribe\x92\xa1a\x81\xa8max_rate\xa11", ErrorCode::InvalidOption, None),
        (
            b"\x81\xa9Subscribe\x92\xa1a\x83\xa8max_rate\x05\xa5group\xa1g\xa2id\x07",
            ErrorCode::InvalidOption,
            Some(7),
        ),
        (b"\x81\xa7Publish\x92\x92\xa1a\x01\x81\xa3ttl\x00", ErrorCode::InvalidOption, None),
        (b"\x81\xa7Publish\x92\x92\xa1a\x01\x81\xa3ttl\xff", ErrorCode::InvalidOption, None),
        (b"\x81\xa7Publish\x92\x92\xa1a\x01\x81\xa3ttl\xca\x3f\x80\x00\x00", ErrorCode::InvalidOption, None),
        (
            b"\x81\xa7Publish\x92\x92\xa1a\x01\x81\xa3ttl\xcf\x00\x20\x00\x00\x00\x00\x00\x01",
            ErrorCode::InvalidOption,
            None,
        ),
        (b"\x81\xa5Clear\x92\xa1a\x81\xa3ttl\x01", ErrorCode::InvalidOption, None),
        (b"\x81\xa5Clear\x90", ErrorCode::Malformed, None),
        (b"\x81\xa5Clear\x91\xc0", ErrorCode::Malformed, None),
        (b"\x81\xa5Clear\x91\xa2\xff\xfe", ErrorCode::InvalidPattern, None),
        (b"\x81\xa9Subscribe\x90", ErrorCode::Malformed, None),
        (b"\x81\xa9Subscribe\x93\xa1a\x80\x80", ErrorCode::Malformed, None),
        (b"\x81\xa9Subscribe\x91\x01", ErrorCode::Malformed, None),
        (b"\x81\xa7Publish\x91\x93\xa1a\x01\x02", ErrorCode::Malformed, None),
        (b"\x81\xa7Publish\x91\x91\xa1a", ErrorCode::Malformed, None),
        (b"\x81\xa7Publish\x01", ErrorCode::Malformed, None),
        (b"\x81\xa5Close\x91\x01", ErrorCode::Malformed, None),
        (b"\x81\x01\x90", ErrorCode::Malformed, None),
        (b"\x80", ErrorCode::Malformed, None),
        (b"\x81\xa5Hello\x91\x81\xa7version\x02", ErrorCode::UnsupportedVersion, None),
        (b"\x81\xa5Hello\x91\x80", ErrorCode::UnsupportedVersion, None),
        (b"\x81\xa5Hello\x91\x81\xa4auth\x02", ErrorCode::InvalidOption, None),
        (b"\x81\xa5Hello\x90", ErrorCode::Malformed, None),
    ] {
        let error = decode(bytes).expect_err("refused");
        assert_eq!((error.code, error.id), (code, id), "{bytes:x?}: {}", error.text);
    }
}

#[test]
fn events_are_written_and_read() {
    let mut bytes = Vec::new();
    encode::ok(&mut bytes, 70_000, b"\x07");
    assert_eq!(Event::parse(&bytes), Ok(Event::Ok { id: 70_000, result: b"\x07" }));
    bytes.clear();
    encode::err(&mut bytes, None, 3, "no");
    assert_eq!(Event::parse(&bytes), Ok(Event::Err { id: None, code: 3, text: "no" }));
    bytes.clear();
    encode::lagged(&mut bytes, "a*", 990_000);
    assert_eq!(Event::parse(&bytes), Ok(Event::Lagged { pattern: "a*", missed: 990_000 }));
    bytes.clear();
    encode::goodbye(&mut bytes, "idle", "silent");
    assert_eq!(Event::parse(&bytes), Ok(Event::Goodbye { reason: "idle", detail: "silent" }));
    assert_eq!(Event::parse(b"\x81\xa3Fly\x90"), Ok(Event::Unknown("Fly")));
    assert!(
        Event::parse(b"\x05").is_err() && Event::parse(b"\x91\x01").is_err() && Event::parse(b"").is_err()
    );
}

#[test]
fn meta_passes_over_what_it_does_not_know() {
    let meta =
        Meta::parse(b"\x84\xa4time\xcd\x01\x00\xa3new\x93\x01\x02\x03\xa8retained\xc3\xa3key\xa1k").unwrap();
    assert_eq!((meta.time, meta.retained, meta.key.as_deref()), (256, true, Some(&b"k"[..])));
    assert!(Meta::parse(b"\x90").is_err());
}

#[test]
fn many_frames_in_one_buffer_and_byte_by_byte() {
    let mut good = rows(NATIVE_FRAMES, "good");
    good.retain(|row| !row.is_from_server());
    let frames: Vec<Vec<u8>> = good.into_iter().map(|row| row.frame).collect();
    let stream: Vec<u8> = frames.concat();
    let mut decoder = Decoder::new(WireLimits::default());
    let (mut at, mut lengths) = (0, Vec::new());
    for end in 0..=stream.len() {
        while let Some(decoded) = decoder.next(&stream[at..end]).unwrap() {
            decoded.command.expect("a good frame");
            lengths.push(decoded.frame_bytes);
            at += decoded.frame_bytes;
        }
    }
    assert_eq!(lengths, frames.iter().map(Vec::len).collect::<Vec<_>>());
}
