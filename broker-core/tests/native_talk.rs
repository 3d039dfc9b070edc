//! A conversation with `Hello` and all options, frame by frame: the commands are read in every split, and what the encoder writes for
//! them is the same; the events are read, and written as they stand.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "vectors/frames.rs"]
mod frames;

use std::collections::BTreeMap;

use broker_core::wire::native::{
    Command, Decoder, Event, Meta, PublishOptions, SubscribeOptions, WireLimits, encode,
};
use frames::{NATIVE_TALK, Row, rows};
use serde_json::Value as Json;

/// What the decoder says of a frame that comes in two pieces.
fn in_two(frame: &[u8], cut: usize) -> Result<Command<'_>, (u16, Option<u64>)> {
    let mut decoder = Decoder::new(WireLimits::default());
    assert_eq!(decoder.next(&frame[..cut]), Ok(None), "a part of a frame says nothing");
    let found = decoder.next(frame).expect("a frame").expect("all of it");
    assert_eq!(found.frame_bytes, frame.len());
    found.command.map_err(|error| (error.code.number(), error.id))
}

#[test]
fn commands_are_read_in_every_split() {
    let (mut taken, mut refused) = (0, 0);
    for row in rows(NATIVE_TALK, "talk").iter().filter(|row| !row.is_from_server()) {
        let (what, frame, json) = (row.what(), &row.frame, &row.json["value_json"]);
        if !json.is_null() {
            assert_eq!(&rmp_serde::from_slice::<Json>(frame).unwrap(), json, "{what}: the hex is the value");
        }
        let whole = in_two(frame, 0);
        for cut in 1..frame.len() {
            assert_eq!(in_two(frame, cut), whole, "{what}: cut at {cut}");
        }
        match whole {
            Ok(command) => {
                assert_eq!(
                    Command::parse(frame),
                    Ok(command),
                    "{what}: the short way and the long way agree"
                );
                taken += 1;
            }
            Err((code, id)) => {
                assert!(code == 2 || code == 7, "{what}: {code}");
                assert_eq!(id.is_some(), json.to_string().contains("\"id\""), "{what}");
                refused += 1;
            }
        }
    }
    assert_eq!((taken, refused), (19, 4));
}

#[test]
fn commands_are_written_as_they_stand() {
    let mut compared = 0;
    for row in rows(NATIVE_TALK, "talk").iter().filter(|row| !row.is_from_server()) {
        let (what, frame, json) = (row.what(), &row.frame, &row.json["value_json"]);
        let Ok(command) = in_two(frame, 0) else { continue };
        let mut written = Vec::new();
        match command {
            Command::Hello(hello) => encode::hello(&mut written, &hello),
            Command::Subscribe(subscribe) => {
                let options = SubscribeOptions {
                    id: subscribe.id,
                    policy: subscribe.policy,
                    retained: subscribe.retained,
                    meta: subscribe.meta,
                    max_rate: json["Subscribe"][1]["max_rate"].as_f64(),
                };
                encode::subscribe_in_group(&mut written, subscribe.pattern, subscribe.group, &options);
            }
            Command::Publish(publish) => {
                let meta = publish.meta.as_ref();
                let headers: Option<BTreeMap<String, String>> =
                    meta.and_then(|meta| meta.headers).map(|bytes| rmp_serde::from_slice(bytes).unwrap());
                let options = PublishOptions {
                    id: meta.and_then(|meta| meta.id),
                    reply: meta.and_then(|meta| meta.reply).map(|reply| std::str::from_utf8(reply).unwrap()),
                    headers: headers.as_ref(),
                    // A key may be written as a str or as a bin; this encoder writes a bin.
                    key: None,
                    retain: meta.and_then(|meta| meta.retain),
                    ttl_ms: meta.and_then(|meta| meta.ttl_ms),
                };
                let topic = std::str::from_utf8(publish.topic).unwrap();
                encode::publish(&mut written, topic, publish.value, &options);
            }
            Command::Unsubscribe { pattern, id } => encode::unsubscribe(&mut written, pattern, id),
            Command::Clear { pattern, id } => encode::clear(&mut written, pattern, id),
            Command::Ping { id } => encode::ping(&mut written, id),
            Command::Pong => encode::pong(&mut written),
            Command::Close => encode::close(&mut written),
            other => panic!("{what}: not in the vectors: {other:?}"),
        }
        // The order of options is free, and so is the width of a number.
        let mut expected: Json = json.clone();
        if let Some(options) = expected.pointer_mut("/Publish/1").and_then(Json::as_object_mut) {
            options.remove("key");
        }
        // A bin has no JSON.
        if !expected.is_null() {
            let written: Json = rmp_serde::from_slice(&written).unwrap();
            assert_eq!(normal(written), normal(expected), "{what}");
            compared += 1;
        }
    }
    assert_eq!(compared, 18);
}

/// Numbers alike, whether they came as an integer or a float.
fn normal(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.as_u64().is_none_or(|integer| integer < 1 << 53) => Json::from(float),
            _ => Json::Number(number),
        },
        Json::Array(elements) => elements.into_iter().map(normal).collect(),
        Json::Object(entries) => entries.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

#[test]
fn events_are_read_and_written_as_they_stand() {
    let mut seen = [0; 7];
    let rows = [rows(NATIVE_TALK, "talk"), rows(NATIVE_TALK, "events")].into_iter().flatten();
    for row in rows.filter(Row::is_from_server) {
        let (what, frame) = (row.what(), &row.frame);
        let mut written = Vec::new();
        let kind = match Event::parse(frame).unwrap_or_else(|error| panic!("{what}: {error:?}")) {
            Event::Welcome(welcome) => {
                encode::welcome(&mut written, &welcome);
                0
            }
            Event::Message(message) => {
                if let Some(meta) = message.meta {
                    let meta = Meta::parse(meta).unwrap();
                    assert!(
                        meta.time > 1_600_000_000_000 && meta.ttl_ms.is_none_or(|ttl| ttl <= 60_000),
                        "{what}"
                    );
                    continue;
                }
                encode::message(&mut written, message.topic, message.value);
                1
            }
            Event::Ok { id, result } => {
                encode::ok(&mut written, id, result);
                2
            }
            Event::Err { id, code, text } => {
                encode::err(&mut written, id, code, text);
                3
            }
            Event::Lagged { pattern, missed } => {
                encode::lagged(&mut written, pattern, missed);
                4
            }
            Event::Goodbye { reason, detail } => {
                encode::goodbye(&mut written, reason, detail);
                5
            }
            Event::Ping | Event::Pong | Event::Unknown(_) => {
                written.clone_from(frame);
                6
            }
            other => panic!("{what}: not in the vectors: {other:?}"),
        };
        assert_eq!(&written, frame, "{what}");
        seen[kind] += 1;
    }
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
}
