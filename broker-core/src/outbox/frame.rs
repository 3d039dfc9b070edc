//! Where frames end and which topic each is of, for those who have to take a run apart.

use super::Speech;
use super::chunk::Frames;
use crate::wire::native::{Reader, value_end};
use crate::wire::nats::message_extent;

/// The end of the first frame of some: at least 1, if there is anything, and at most all.
pub(super) fn frame_end(bytes: &[u8], speech: Speech) -> usize {
    let end = match speech {
        Speech::Native => value_end(bytes, usize::MAX).ok().flatten(),
        Speech::Nats => message_extent(bytes).map(|extent| extent.bytes),
    };
    end.unwrap_or(bytes.len())
}

/// What tells messages that may take each other's place: the topic, and for a client of NATS the sid as well. Nobody appends what has none;
/// if it were so, it would be like nothing but itself.
pub(super) fn topic_key(frame: &[u8], speech: Speech) -> &[u8] {
    let key = match speech {
        Speech::Native => native_key(frame).map(|native| native.key),
        Speech::Nats => nats_key(frame),
    };
    key.unwrap_or(frame)
}

/// The first frame of some, its key and what is behind it.
pub(super) fn split_first(bytes: &[u8], speech: Speech) -> (&[u8], &[u8], &[u8]) {
    if speech == Speech::Native
        && let Some((key, rest)) = native_parts(bytes)
    {
        let frame = bytes.get(..bytes.len() - rest.len()).unwrap_or(bytes);
        return (frame, key, rest);
    }
    let (frame, rest) = bytes.split_at(frame_end(bytes, speech));
    (frame, topic_key(frame, speech), rest)
}

/// The topic of the first message, and what is behind that message: every byte that has to be looked at is looked at once.
fn native_parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let NativeKey { values, key, mut rest } = native_key(bytes)?;
    for _ in 1..values {
        rest = rest.get(value_end(rest, usize::MAX).ok()??..)?;
    }
    Some((key, rest))
}

/// What a message begins with.
struct NativeKey<'b> {
    /// How many there are, the topic included.
    values: u64,
    key: &'b [u8],
    rest: &'b [u8],
}

fn native_key(bytes: &[u8]) -> Option<NativeKey<'_>> {
    // Nearly all begin with one of these, and reading them so takes a third of the time (measured).
    let short = match bytes {
        [array @ (0x92 | 0x93), length @ 0xa0..=0xbf, rest @ ..] => Some((array, length & 0x1f, rest)),
        [array @ (0x92 | 0x93), 0xd9, length, rest @ ..] => Some((array, *length, rest)),
        _ => None,
    };
    if let Some((array, length, rest)) = short {
        let (key, rest) = rest.split_at_checked(usize::from(length))?;
        return Some(NativeKey { values: u64::from(array & 0x0f), key, rest });
    }
    let mut reader = Reader::new(bytes);
    let values = reader.array("a message").ok()?;
    let key = reader.str_bytes("a topic").ok()?;
    Some(NativeKey { values, key, rest: reader.rest() })
}

/// `subject sid` of `MSG subject sid …` and `HMSG subject sid …`.
fn nats_key(frame: &[u8]) -> Option<&[u8]> {
    let space = |from: usize| {
        let rest = frame.get(from..)?;
        rest.iter().position(|&byte| byte == b' ').map(|at| from + at)
    };
    let start = space(0)? + 1;
    let end = space(space(start)? + 1)?;
    frame.get(start..end)
}

/// Calls `each` with every frame. One that stands alone is passed on as it is.
pub(super) fn split(frames: Frames<'_>, speech: Speech, mut each: impl FnMut(Frames<'_>)) {
    if frame_end(frames.bytes(), speech) == frames.len() {
        return each(frames);
    }
    split_bytes(frames.bytes(), speech, |frame| each(Frames::Copied(frame)));
}

/// As [`split`], of bytes.
pub(super) fn split_bytes<'b>(bytes: &'b [u8], speech: Speech, mut each: impl FnMut(&'b [u8])) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (frame, behind) = rest.split_at(frame_end(rest, speech));
        each(frame);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(speech: Speech, frames: &[(&[u8], &[u8])]) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(frame, _)| frame.iter().copied()).collect();
        let mut found = Vec::new();
        split_bytes(&bytes, speech, |frame| found.push((frame, topic_key(frame, speech))));
        assert_eq!(found, frames);
        let (first, key) = frames[0];
        assert_eq!(split_first(&bytes, speech), (first, key, &bytes[first.len()..]));
    }

    #[test]
    fn frames_are_told_apart() {
        check(Speech::Native, &[(b"\x92\xa1a\x01", b"a"), (b"\x93\xd9\x02bc\xc0\x80", b"bc")]);
        check(
            Speech::Nats,
            &[
                (b"MSG a.b 7 2\r\nhi\r\n", b"a.b 7"),
                (b"HMSG a 8 re 12 12\r\nNATS/1.0\r\n\r\n\r\n", b"a 8"),
                (b"MSG a.b 9 0\r\n\r\n", b"a.b 9"),
            ],
        );
    }
}
