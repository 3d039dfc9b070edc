//! MessagePack as the tests write and cut it: values are built with `rmpv`, frames are found by a scanner of a few lines, so that a
//! fault of the server's own scanner cannot hide itself.

use rmpv::Value;

/// What the first bytes of a value say: bytes of the header, bytes of the content, values inside.
type Head = (usize, usize, usize);

fn number(bytes: &[u8], width: usize) -> Option<usize> {
    let digits = bytes.get(1..=width)?;
    Some(digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
}

fn head(bytes: &[u8]) -> Option<Head> {
    let low = |mask: u8| usize::from(bytes[0] & mask);
    Some(match *bytes.first()? {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (1, 0, 0),
        0x80..=0x8f => (1, 0, 2 * low(0x0f)),
        0x90..=0x9f => (1, 0, low(0x0f)),
        0xa0..=0xbf => (1, low(0x1f), 0),
        0xc1 => panic!("the server sent the byte that MessagePack never uses"),
        0xc4 | 0xd9 => (2, number(bytes, 1)?, 0),
        0xc5 | 0xda => (3, number(bytes, 2)?, 0),
        0xc6 | 0xdb => (5, number(bytes, 4)?, 0),
        0xc7 => (2, number(bytes, 1)? + 1, 0),
        0xc8 => (3, number(bytes, 2)? + 1, 0),
        0xc9 => (5, number(bytes, 4)? + 1, 0),
        0xca | 0xce | 0xd2 => (5, 0, 0),
        0xcb | 0xcf | 0xd3 => (9, 0, 0),
        0xcc | 0xd0 => (2, 0, 0),
        0xcd | 0xd1 => (3, 0, 0),
        marker @ 0xd4..=0xd8 => (2, 1 << (marker - 0xd4), 0),
        0xdc => (3, 0, number(bytes, 2)?),
        0xdd => (5, 0, number(bytes, 4)?),
        0xde => (3, 0, 2 * number(bytes, 2)?),
        0xdf => (5, 0, 2 * number(bytes, 4)?),
    })
}

/// Where the first value in `bytes` ends, if it is all there.
pub(crate) fn value_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0, 1_usize);
    while open > 0 {
        let (header, content, children) = head(bytes.get(at..)?)?;
        at += header + content;
        open = open - 1 + children;
    }
    (at <= bytes.len()).then_some(at)
}

/// The elements of an array, each as the bytes that stand there; `None` if it is no array.
pub(crate) fn elements(frame: &[u8]) -> Option<Vec<&[u8]>> {
    if !matches!(frame.first()?, 0x90..=0x9f | 0xdc | 0xdd) {
        return None;
    }
    let (mut at, _, count) = head(frame)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let end = at + value_end(frame.get(at..)?)?;
        elements.push(&frame[at..end]);
        at = end;
    }
    Some(elements)
}

pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

pub(crate) fn decode(mut bytes: &[u8]) -> Value {
    let value = rmpv::decode::read_value(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "one value and nothing behind it");
    value
}

pub(crate) fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect())
}

/// What stands in a map under `key`; nil if nothing does.
pub(crate) fn get<'a>(map: &'a Value, key: &str) -> &'a Value {
    let entries = map.as_map().unwrap_or_else(|| panic!("a map, not {map}"));
    entries.iter().find(|(name, _)| name.as_str() == Some(key)).map_or(&Value::Nil, |(_, value)| value)
}

/// The number that stands in a map under `key`.
#[track_caller]
pub(crate) fn count(map: &Value, key: &str) -> u64 {
    get(map, key).as_u64().unwrap_or_else(|| panic!("'{key}' is a count in {map}"))
}

/// The keys of a map, sorted.
pub(crate) fn keys(map: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = map.as_map().unwrap().iter().map(|(key, _)| key.as_str().unwrap()).collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn command(name: &str, arguments: Vec<Value>) -> Vec<u8> {
    encode(&map(&[(name, Value::Array(arguments))]))
}

pub(crate) fn subscribe(pattern: &str) -> Vec<u8> {
    command("Subscribe", vec![pattern.into()])
}

pub(crate) fn unsubscribe(pattern: &str) -> Vec<u8> {
    command("Unsubscribe", vec![pattern.into()])
}

/// A publish of `value`, the bytes of one MessagePack value.
pub(crate) fn publish(topic: &str, value: &[u8]) -> Vec<u8> {
    let mut frame = b"\x81\xa7Publish\x91\x92".to_vec();
    frame.extend(encode(&topic.into()));
    frame.extend(value);
    frame
}

pub(crate) fn publish_with(topic: &str, value: impl Into<Value>, options: &[(&str, Value)]) -> Vec<u8> {
    command("Publish", vec![Value::Array(vec![topic.into(), value.into()]), map(options)])
}

/// The message that a client gets for such a publish.
pub(crate) fn message(topic: &str, value: &[u8]) -> Vec<u8> {
    [&b"\x92"[..], &encode(&topic.into()), value].concat()
}

pub(crate) fn uint(number: u64) -> Vec<u8> {
    encode(&number.into())
}

/// `[number, filler of so many bytes]`.
pub(crate) fn padded(number: u64, filler: usize) -> Vec<u8> {
    encode(&Value::Array(vec![number.into(), Value::Binary(vec![b'.'; filler])]))
}
