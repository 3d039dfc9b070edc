//! Where torture begins: the golden frames, and patterns and topics that use all of their grammar. Shared by `decoder_torture` and by the
//! workspace `fuzz/`, whose corpus is made of these.

#[path = "../vectors/frames.rs"]
mod frames;

use frames::{NATIVE_FRAMES, NATS_FRAMES, rows};

/// Golden frames longer than this are left to the tests that read them.
const FRAME_BYTES_MAX: usize = 400;

/// Events and commands that are not among the golden frames: with options, ids and all optional parts.
const MORE_FRAMES: [(&str, &[u8]); 18] = [
    ("commands", b"\x81\xa5Hello\x91\x82\xa7version\x01\xa4name\xa1x"),
    ("commands", b"\x81\xa9Subscribe\x92\xa2a*\x84\xa2id\x05\xa6policy\xaadisconnect\xa8retained\xc2\xa4meta\xc3"),
    ("commands", b"\x81\xabUnsubscribe\x92\xa2a*\x81\xa2id\xcd\x01\x00"),
    ("commands", b"\x81\xa7Publish\x92\x92\xa1t\x07\x84\xa2id\x05\xa5reply\xa1r\xa7headers\x81\xa1k\xa1v\xa3key\xc4\x01k"),
    ("commands", b"\x81\xa9Subscribe\x92\xa2a*\x82\xa6policy\xabdrop-oldest\xa8max_rate\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"),
    ("commands", b"\x81\xa9Subscribe\x92\xa2a*\x82\xa8max_rate\xca\x7f\xc0\x00\x00\xa5group\xa1g"),
    ("commands", b"\x81\xa7Publish\x92\x92\xa1t\xc0\x82\xa6retain\xc3\xa3ttl\xcd\x13\x88"),
    ("commands", b"\x81\xa7Publish\x92\x92\xa1t\xc4\x00\x81\xa3ttl\xcf\x00\x20\x00\x00\x00\x00\x00\x01"),
    ("commands", b"\x81\xa5Clear\x92\xa2a*\x81\xa2id\x05\x81\xa5Clear\x91\xa1a"),
    ("commands", b"\x81\xa4Ping\x91\x81\xa2id\x09\x81\xa4Pong\x90\x81\xa5Close\x90"),
    ("events", b"\x81\xa2Ok\x92\x05\xc0\x81\xa3Err\x93\xc0\x03\xa2no"),
    ("events", b"\x81\xa6Lagged\x91\x82\xa7pattern\xa2a*\xa6missed\xcd\x01\x00"),
    ("events", b"\x81\xa7Goodbye\x92\xa6closed\xa0\x81\xa4Ping\x90\x81\xa4Pong\x90"),
    ("events", b"\x93\xa1t\x07\x85\xa4time\xcf\x00\x00\x01\x90\x00\x00\x00\x00\xa5reply\xa1r\xa7headers\x81\xa1k\xa1v\xa3key\xc4\x01k\xa8retained\xc3"),
    ("events", b"\x81\xa7Welcome\x91\x8b\xa6server\xa1s\xa7version\xa10\xa8protocol\x01\xa7session\x11\xaframe_bytes_max\x01"),
    ("events", b"\x93\xa1t\x07\x82\xa4time\x05\xa3ttl\xcd\x13\x88"),
    ("events", b"\x83\xa4time\x05\xa3new\x93\x01\x02\x03\xa8retained\xc3"),
    ("events", b"\x81\xa3Fly\x90"),
];

/// Lines for the target `patterns`: patterns, and the text behind them.
const PATTERNS: [&str; 8] = [
    "*\nweather/oslo",
    "a/*/b\na/?/b\n{a,b}/x/b\na/x/b",
    "*a*a*a*b\n*a*a*b\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "[a-cx]\n[!a-c]\n[a-]\nb",
    "a{,b{c,d?}}\n{{a,b},{c,d}}{e,f}\nabdx",
    "\\*\\{a\\}\\\\\n\\!a\n!*\n!a",
    "orders.*.paid\norders.>\n>\norders.7.paid",
    "é*😀\n?\n[é-ü]\né",
];

/// Names for the target `topics`.
const TOPICS: [&[u8]; 8] = [
    b"weather/oslo",
    "Москва/погода".as_bytes(),
    b"!system/metrics/cpu",
    b"!inbox/1/2",
    b"a\nb",
    "a\u{85}b".as_bytes(),
    b"a\xffb",
    b"12345678",
];

/// The seeds of one target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = match target {
        "patterns" => PATTERNS.iter().map(|lines| lines.as_bytes().to_vec()).collect(),
        "topics" => TOPICS.iter().map(|name| name.to_vec()).collect(),
        "nats" => nats_frames(),
        _ => golden_frames(target),
    };
    seeds.extend(MORE_FRAMES.iter().filter(|(of, _)| *of == target).map(|(_, frame)| frame.to_vec()));
    seeds
}

fn nats_frames() -> Vec<Vec<u8>> {
    let rows = ["client", "bad", "server"].into_iter().flat_map(|group| rows(NATS_FRAMES, group));
    rows.map(|row| row.frame).collect()
}

fn golden_frames(target: &str) -> Vec<Vec<u8>> {
    let rows = ["good", "bad"].into_iter().flat_map(|group| rows(NATIVE_FRAMES, group));
    rows.filter(|row| row.is_from_server() == (target == "events"))
        .map(|row| row.frame)
        .filter(|frame| frame.len() <= FRAME_BYTES_MAX)
        .collect()
}
