//! The golden frames of the NATS protocol: the good ones in every split into two reads, the bad ones with the words that stand beside them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "vectors/frames.rs"]
mod frames;

use std::time::{Duration, Instant};

use broker_core::wire::nats::{
    Command, Decoder, Extent, NatsError, NatsLimits, Publish, encode, headers_from_map, headers_to_map,
    message_extent,
};
use frames::{NATS_FRAMES, Row, rows};
use serde_json::Value as Json;

fn bytes<'r>(row: &'r Json, field: &str) -> Option<&'r [u8]> {
    row[field].as_str().map(str::as_bytes)
}

/// What a row says in words.
fn expected(row: &Json) -> Command<'_> {
    let field = |name: &str| bytes(row, name).unwrap_or_else(|| panic!("{name} of {row}"));
    match row["op"].as_str().unwrap() {
        "pub" => Command::Publish(Publish {
            subject: field("subject"),
            reply: bytes(row, "reply"),
            headers: bytes(row, "headers"),
            payload: field("payload"),
            tail: field("tail"),
        }),
        "sub" => {
            Command::Subscribe { subject: field("subject"), group: bytes(row, "group"), sid: field("sid") }
        }
        "unsub" => Command::Unsubscribe { sid: field("sid"), max: row["max"].as_u64() },
        "connect" => Command::Connect(field("json")),
        "ping" => Command::Ping,
        "pong" => Command::Pong,
        "nothing" => Command::Nothing,
        other => panic!("{other}"),
    }
}

#[test]
fn good_operations_in_every_split() {
    let rows = rows(NATS_FRAMES, "client");
    assert_eq!(rows.len(), 32);
    for Row { frame, json: row } in &rows {
        let expected = expected(row);
        // Something behind it must not matter.
        let behind = [frame, &b"PING\r\n"[..]].concat();
        let first = Decoder::new(NatsLimits::default()).next(&behind).unwrap().unwrap();
        assert_eq!((first.command, first.frame_bytes), (expected, frame.len()), "{row}");
        for cut in 0..frame.len() {
            let mut cut_decoder = Decoder::new(NatsLimits::default());
            assert_eq!(cut_decoder.next(&frame[..cut]), Ok(None), "{row}: a proper prefix of {cut}");
            let rest = cut_decoder.next(frame).unwrap().expect("the whole");
            assert_eq!((rest.command, rest.frame_bytes), (expected, frame.len()), "{row}: cut at {cut}");
        }
        let mut decoder = Decoder::new(NatsLimits::default());
        for end in 0..frame.len() {
            assert_eq!(decoder.next(&frame[..end]), Ok(None), "{row}: {end} one by one");
            assert!(decoder.needed() <= frame.len(), "{row}: {} needed at {end}", decoder.needed());
        }
        assert_eq!(decoder.next(frame).unwrap().unwrap().command, expected);
        // It is ready for the next.
        assert_eq!(decoder.next(b"PING\r\n").unwrap().unwrap().command, Command::Ping);
    }
}

#[test]
fn bad_operations_are_refused_with_the_words_of_nats_server() {
    let rows = rows(NATS_FRAMES, "bad");
    assert_eq!(rows.len(), 26);
    for Row { frame, json: row } in &rows {
        let error = Decoder::new(NatsLimits::default()).next(frame).unwrap_err();
        assert_eq!(error.text().as_deref(), row["error"].as_str(), "{row}: {error}");
        assert!(error.closes(), "{row}");
        let mut decoder = Decoder::new(NatsLimits::default());
        let one_by_one = (0..=frame.len()).find_map(|end| decoder.next(&frame[..end]).err());
        assert_eq!(one_by_one, Some(error), "{row}: one by one");
    }
}

#[test]
fn messages_are_what_the_encoder_writes() {
    for Row { frame, json: row } in &rows(NATS_FRAMES, "server") {
        let field = |name: &str| bytes(row, name).unwrap();
        let mut written = Vec::new();
        let (reply, headers) = (bytes(row, "reply"), bytes(row, "headers"));
        encode::message(&mut written, field("subject"), field("sid"), reply, headers, field("payload"));
        assert_eq!(written.escape_ascii().to_string(), frame.escape_ascii().to_string());
        let payload_bytes = headers.map_or(0, <[u8]>::len) + field("payload").len();
        let extent = Extent { bytes: frame.len(), payload_bytes };
        assert_eq!(message_extent(&[frame, &b"MSG"[..]].concat()), Some(extent));
        for cut in 0..frame.len() {
            assert_eq!(message_extent(&frame[..cut]), None, "{row}: a proper prefix of {cut}");
        }
    }
}

#[test]
fn a_line_is_bounded_however_it_comes() {
    let limits = NatsLimits { control_line_bytes_max: 10, ..NatsLimits::default() };
    let refused = Err(NatsError::ControlLine { limit: 10 });
    for (line, good) in [
        ("SUB 12345678 1\r\n", true),
        ("SUB 12345678 1\n", true),
        ("SUB 123456789 1\r\n", false),
        ("PUB 12345678 0\r\n\r\n", true),
        ("PUB 123456789 0\r\n\r\n", false),
        ("PUB 123456 7 0\r\n\r\n", true),
        ("PUB 1234567 8 0\r\n\r\n", false),
        ("SUB       12345678 1\r\n", true),
        ("SUB                                       1 1\r\n", false),
        ("PING                                        \r\n", false),
    ] {
        let whole = Decoder::new(limits).next(line.as_bytes());
        let mut decoder = Decoder::new(limits);
        let pieces =
            (0..=line.len()).map(|end| decoder.next(&line.as_bytes()[..end])).find(|next| *next != Ok(None));
        assert_eq!(pieces, Some(whole.clone()), "{line:?}");
        if good {
            assert!(whole.is_ok(), "{line:?}: {whole:?}");
        } else {
            assert_eq!(whole, refused, "{line:?}");
        }
    }
}

/// The work does not depend on how an operation is cut: were each piece to begin from the start again, these would take minutes.
#[test]
fn an_operation_byte_by_byte_takes_linear_time() {
    const BYTES: usize = 1 << 20;
    let begun = Instant::now();
    let limits = NatsLimits { control_line_bytes_max: BYTES, payload_bytes_max: BYTES };
    let payload = format!("PUB foo {BYTES}\r\n{}\r\n", "\n".repeat(BYTES));
    let line = format!("SUB {} 1\r\n", "x".repeat(BYTES - 2));
    let ping = format!("PING{}\r\n", " ".repeat(BYTES));
    for frame in [payload, line, ping] {
        let mut decoder = Decoder::new(limits);
        for end in 0..frame.len() {
            assert_eq!(decoder.next(&frame.as_bytes()[..end]), Ok(None), "cut at {end}");
        }
        assert_eq!(decoder.next(frame.as_bytes()).unwrap().unwrap().frame_bytes, frame.len());
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn headers_to_a_map_and_back() {
    for (block, map, back) in [
        ("NATS/1.0\r\n\r\n", serde_json::json!({}), "NATS/1.0\r\n\r\n"),
        (
            "NATS/1.0\r\nA: b\r\nC:d \r\n\r\n",
            serde_json::json!({"A": "b", "C": "d"}),
            "NATS/1.0\r\nA: b\r\nC: d\r\n\r\n",
        ),
        (
            "NATS/1.0\r\nA: 1\r\nB: x:y\r\nA: 2\r\n\r\n",
            serde_json::json!({"A": "1, 2", "B": "x:y"}),
            "NATS/1.0\r\nA: 1, 2\r\nB: x:y\r\n\r\n",
        ),
        ("NATS/1.0 503\r\n\r\n", serde_json::json!({"Status": "503"}), "NATS/1.0\r\nStatus: 503\r\n\r\n"),
        (
            "NATS/1.0 100 Idle Heartbeat\r\n\r\n",
            serde_json::json!({"Status": "100", "Description": "Idle Heartbeat"}),
            "NATS/1.0\r\nStatus: 100\r\nDescription: Idle Heartbeat\r\n\r\n",
        ),
        ("hi", serde_json::json!({}), "NATS/1.0\r\n\r\n"),
        ("", serde_json::json!({}), "NATS/1.0\r\n\r\n"),
        ("NATS/1.0\r\nno colon\r\n: v\r\n", serde_json::json!({}), "NATS/1.0\r\n\r\n"),
    ] {
        let mut written = Vec::new();
        headers_to_map(block.as_bytes(), &mut written);
        assert_eq!(rmp_serde::from_slice::<Json>(&written).unwrap(), map, "{block:?}");
        let mut again = Vec::new();
        headers_from_map(&written, &mut again);
        assert_eq!(String::from_utf8(again).unwrap(), back, "{block:?}");
    }
}
