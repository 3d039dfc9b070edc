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
        Speech::Native => {
            let mut reader = Reader::new(frame);
            reader.array("a message").and_then(|_| reader.str_bytes("a topic")).ok()
        }
        Speech::Nats => nats_key(frame),
    };
    key.unwrap_or(frame)
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

/// As [`split`], without those that are followed at once by one of the same topic, which are added to `older`.
pub(super) fn split_newest(
    frames: Frames<'_>,
    speech: Speech,
    older: &mut u64,
    mut each: impl FnMut(Frames<'_>),
) {
    if frame_end(frames.bytes(), speech) == frames.len() {
        return each(frames);
    }
    let mut last: Option<(&[u8], &[u8])> = None;
    split_bytes(frames.bytes(), speech, |frame| {
        let key = topic_key(frame, speech);
        match last.replace((key, frame)) {
            Some((before, _)) if before == key => *older += 1,
            Some((_, before)) => each(Frames::Copied(before)),
            None => {}
        }
    });
    if let Some((_, frame)) = last {
        each(Frames::Copied(frame));
    }
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
    }

    #[test]
    fn of_several_in_a_row_to_one_topic_the_last_is_left() {
        let frames = b"\x92\xa1a\x01\x92\xa1a\x02\x92\xa1b\x03\x92\xa1a\x04\x92\xa1a\x05";
        let (mut older, mut left) = (0, Vec::new());
        split_newest(Frames::Copied(frames), Speech::Native, &mut older, |frame| {
            left.extend_from_slice(frame.bytes());
        });
        assert_eq!(left, b"\x92\xa1a\x02\x92\xa1b\x03\x92\xa1a\x05");
        assert_eq!(older, 2);
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
