//! What must hold for every sequence of bytes: one function for each parser. Shared by `decoder_torture` and by the workspace `fuzz/`.
//!
//! A target panics where a promise is broken and returns nothing else. It never looks at the clock and is the same for the same bytes.

use broker_core::MaxRate;
use broker_core::glob_tree::{Dialect, GlobTree, Pattern, PatternLimits, Scratch};
use broker_core::topic::{TOPIC_BYTES_MAX, TopicError, is_inbox, is_reserved, validate};
use broker_core::wire::native::{
    Command, CommandError, Decoded, Decoder, Event, FrameScanner, Meta, PublishOptions, SubscribeOptions,
    TTL_MS_MAX, WireError, WireLimits, encode, value_end,
};

#[path = "nats.rs"]
mod nats_stream;

pub use nats_stream::nats;

/// One parser and what is to be held against it.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub const TARGETS: [(&str, Target); 5] =
    [("commands", commands), ("events", events), ("nats", nats), ("patterns", patterns), ("topics", topics)];

/// Small limits, so that short inputs meet them, and the usual ones.
const LIMITS: [WireLimits; 3] = [
    WireLimits { frame_bytes_max: 8 << 20, depth_max: 128 },
    WireLimits { frame_bytes_max: 64, depth_max: 3 },
    WireLimits { frame_bytes_max: 21, depth_max: 128 },
];

/// What a decoder makes of a stream: the commands, and the error that ends it if there is one.
#[derive(Debug, PartialEq)]
struct Outcome<'a> {
    commands: Vec<Decoded<'a>>,
    /// The code alone: how much a refused frame needs depends on how much of it was there.
    broken: Option<broker_core::reason::ErrorCode>,
}

/// A stream of commands: the same commands however it is cut, each one what its frame says, and nothing kept but the frame under way.
pub fn commands(stream: &[u8]) {
    let mut cuts = Cuts::of(stream);
    for limits in LIMITS {
        let whole = decode(stream, limits, || usize::MAX);
        whole.commands.iter().fold(0, |start, decoded| check_command(stream, start, decoded, limits));
        let pieces = decode(stream, limits, || cuts.piece());
        assert_eq!(whole, pieces, "another split, another result");
    }
    if stream.len() <= 64 {
        let limits = WireLimits::default();
        assert_eq!(decode(stream, limits, || usize::MAX), decode(stream, limits, || 1), "byte by byte");
    }
    // What was cut out wrongly is an error and not a panic.
    let _ = Command::parse(stream);
}

/// Decodes a stream that comes in pieces of as many bytes as `next_piece` says.
fn decode(stream: &[u8], limits: WireLimits, mut next_piece: impl FnMut() -> usize) -> Outcome<'_> {
    let mut decoder = Decoder::new(limits);
    let mut outcome = Outcome { commands: Vec::new(), broken: None };
    let (mut start, mut end) = (0, 0);
    loop {
        match decoder.next(&stream[start..end]) {
            Ok(Some(command)) => {
                assert!(command.frame_bytes > 0 && command.frame_bytes <= end - start);
                assert!(command.frame_bytes <= limits.frame_bytes_max);
                start += command.frame_bytes;
                outcome.commands.push(command);
            }
            Ok(None) => {
                let there = end - start;
                assert_eq!(decoder.is_inside(), there > 0);
                assert!(
                    there == 0 || (there < decoder.needed() && decoder.needed() <= limits.frame_bytes_max),
                    "{} needed with {there} there",
                    decoder.needed()
                );
                if end == stream.len() {
                    return outcome;
                }
                end = end.saturating_add(next_piece()).min(stream.len());
            }
            Err(CommandError { code, .. }) => {
                assert!(code.closes(), "{code} does not say where the next frame begins");
                outcome.broken = Some(code);
                return outcome;
            }
        }
    }
}

/// Holds a command against its frame. Returns where the next one begins.
fn check_command(stream: &[u8], start: usize, decoded: &Decoded<'_>, limits: WireLimits) -> usize {
    let end = start + decoded.frame_bytes;
    let frame = &stream[start..end];
    assert_eq!(value_end(frame, usize::MAX), Ok(Some(frame.len())));
    assert_eq!(Command::parse(frame), decoded.command, "the short way and the long way");
    match &decoded.command {
        Ok(Command::Publish(publish)) => {
            assert_eq!(value_end(publish.value, limits.depth_max), Ok(Some(publish.value.len())));
            assert_eq!(value_end(publish.pair, usize::MAX), Ok(Some(publish.pair.len())));
            assert!(publish.pair.ends_with(publish.value));
            assert!(is_part_of(publish.pair, frame) && is_part_of(publish.topic, frame));
            let ttl_ms = publish.meta.and_then(|meta| meta.ttl_ms);
            assert!(ttl_ms.is_none_or(|ttl_ms| (1..=TTL_MS_MAX).contains(&ttl_ms)));
            if let (Ok(topic), None) = (std::str::from_utf8(publish.topic), publish.meta) {
                let written =
                    write(|out| encode::publish(out, topic, publish.value, &PublishOptions::default()));
                let Ok(Command::Publish(again)) = Command::parse(&written) else { panic!("{written:x?}") };
                assert_eq!((again.topic, again.value), (publish.topic, publish.value));
            }
        }
        Ok(Command::Subscribe(subscribe)) => {
            let &broker_core::wire::native::Subscribe { pattern, id, policy, retained, meta, .. } = subscribe;
            let max_rate = subscribe.max_rate.map(MaxRate::messages_per_second);
            assert!(max_rate.is_none() || subscribe.group.is_none());
            let options = SubscribeOptions { id, policy, retained, meta, max_rate };
            let written = write(|out| encode::subscribe_in_group(out, pattern, subscribe.group, &options));
            let Ok(Command::Subscribe(again)) = Command::parse(&written) else { panic!("{written:x?}") };
            let has_options = again.has_options;
            assert_eq!(again, broker_core::wire::native::Subscribe { has_options, ..*subscribe });
        }
        Ok(Command::Clear { pattern, id }) => {
            let written = write(|out| encode::clear(out, pattern, *id));
            assert_eq!(Command::parse(&written), decoded.command);
        }
        Ok(_) => {}
        Err(error) => assert!(error.text.len() <= 512, "an error of {} bytes", error.text.len()),
    }
    end
}

/// A stream of what a server says: every split gives the same frames, and whatever a frame holds is a value.
pub fn events(stream: &[u8]) {
    let mut cuts = Cuts::of(stream);
    for limits in LIMITS {
        let whole = scan(stream, limits, || usize::MAX);
        assert_eq!(whole, scan(stream, limits, || cuts.piece()), "another split, another result");
        let mut start = 0;
        for bytes in whole.0 {
            check_event(&stream[start..start + bytes]);
            start += bytes;
        }
    }
    check_event(stream);
    let _ = Meta::parse(stream);
}

/// The lengths of the frames of a stream, and whether it breaks.
fn scan(stream: &[u8], limits: WireLimits, mut piece: impl FnMut() -> usize) -> (Vec<usize>, bool) {
    let mut scanner = FrameScanner::new(limits);
    let (mut frames, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        match scanner.scan(&stream[start..end]) {
            Ok(Some(bytes)) => {
                assert!(bytes > 0 && bytes <= limits.frame_bytes_max);
                start += bytes;
                frames.push(bytes);
            }
            Ok(None) if end == stream.len() => return (frames, false),
            Ok(None) => end = end.saturating_add(piece()).min(stream.len()),
            Err(WireError::Reserved { offset }) => {
                assert_eq!(stream[start + offset], 0xc1);
                return (frames, true);
            }
            Err(error) => {
                assert!(matches!(error, WireError::TooLarge { .. } | WireError::TooDeep { .. }), "{error}");
                return (frames, true);
            }
        }
    }
}

/// A frame, or bytes that are none.
fn check_event(frame: &[u8]) {
    let one_value = |value: &[u8]| {
        assert_eq!(value_end(value, usize::MAX), Ok(Some(value.len())));
        assert!(is_part_of(value, frame));
    };
    match Event::parse(frame) {
        Ok(Event::Message(message)) => {
            one_value(message.value);
            if let Some(bytes) = message.meta {
                one_value(bytes);
                if let Ok(meta) = Meta::parse(bytes) {
                    let kept: usize = meta.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                    assert!(kept <= bytes.len() && meta.key.is_none_or(|key| key.len() <= bytes.len()));
                }
            }
        }
        Ok(Event::Ok { result, .. }) => one_value(result),
        _ => {}
    }
}

/// Lines: the first ones are patterns, the last one is a text to match.
pub fn patterns(lines: &[u8]) {
    let lines = String::from_utf8_lossy(lines);
    let (patterns, text) = lines.rsplit_once('\n').unwrap_or((&lines, "weather/oslo"));
    for dialect in [Dialect::Glob, Dialect::Subject] {
        check_patterns(patterns, text, dialect);
    }
}

fn check_patterns(patterns: &str, text: &str, dialect: Dialect) {
    let limits = PatternLimits::default();
    let mut tree = GlobTree::with_reserved('!');
    let mut parsed: Vec<Pattern> = Vec::new();
    for line in patterns.split('\n').take(64) {
        match Pattern::parse(line, dialect, &limits) {
            Ok(pattern) => {
                assert_eq!((pattern.as_str(), pattern.dialect()), (line, dialect));
                assert!(line.len() <= limits.bytes_max);
                assert!(pattern.literal().is_none_or(|literal| pattern.matches(literal)), "{line:?}");
                if tree.insert(&pattern, parsed.len()) {
                    assert!(tree.contains(&pattern, &parsed.len()));
                    parsed.push(pattern);
                }
            }
            Err(error) => assert!(error.offset <= line.len(), "{error:?} in {line:?}"),
        }
    }
    let mut found = Vec::new();
    let mut scratch = Scratch::default();
    let steps = tree.matches(text, &mut scratch, |&at| found.push(at));
    found.sort_unstable();
    let hidden = |pattern: &Pattern| text.starts_with('!') && pattern.begins_with_wildcard();
    let expected: Vec<usize> =
        (0..parsed.len()).filter(|&at| !hidden(&parsed[at]) && parsed[at].matches(text)).collect();
    assert_eq!(found, expected, "{patterns:?} on {text:?}");
    assert_eq!(tree.is_match(text, &mut scratch), !expected.is_empty());
    let label_bytes: usize =
        parsed.iter().map(|pattern| pattern.as_str().len() * limits.alternatives_max).sum();
    let ceiling = (text.len() + 1) * (4 * tree.node_count() + label_bytes / 16) + 2 * parsed.len() + 1;
    assert!(steps <= ceiling as u64, "{steps} steps, at most {ceiling}, {patterns:?} on {text:?}");
    for (at, pattern) in parsed.iter().enumerate() {
        assert_eq!(tree.remove(pattern, &at), Some(at));
    }
    assert!(tree.is_empty() && tree.node_count() == 0 && !tree.is_match(text, &mut scratch));
}

/// A name, against the rule in words.
pub fn topics(name: &[u8]) {
    let text = std::str::from_utf8(name);
    let control = |text: &str| text.chars().any(|c| matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}'));
    for limit in [TOPIC_BYTES_MAX, 8] {
        let good = !name.is_empty() && name.len() <= limit && text.is_ok_and(|text| !control(text));
        match validate(name, limit) {
            Ok(topic) => assert!(good && topic.as_bytes() == name),
            Err(error) => {
                assert!(!good, "{error}");
                if let TopicError::NotUtf8 { offset } | TopicError::Control { offset, .. } = error {
                    assert!(offset < name.len() && std::str::from_utf8(&name[..offset]).is_ok());
                }
            }
        }
    }
    if let Ok(text) = text {
        assert!(!(is_reserved(text) && is_inbox(text)));
    }
}

/// Sizes of pieces that depend on the bytes alone, so that an input that fails goes on failing.
struct Cuts {
    state: u64,
}

impl Cuts {
    /// FNV-1a of the bytes.
    fn of(bytes: &[u8]) -> Self {
        let mix = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Cuts { state: bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) }
    }

    fn piece(&mut self) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        [1, 1, 2, 3, 5, 8, 21, 144][(self.state >> 61) as usize]
    }
}

fn write(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

fn is_part_of(part: &[u8], whole: &[u8]) -> bool {
    whole.as_ptr_range().start <= part.as_ptr_range().start
        && part.as_ptr_range().end <= whole.as_ptr_range().end
}
