//! What must hold for every sequence of bytes that is brought to the NATS decoder and to the conversions between the protocols.

use broker_core::wire::native::value_end;
use broker_core::wire::nats::{
    Command, Connect, Decoded, Decoder, Extent, NatsError, NatsLimits, Publish, encode, headers_from_map,
    headers_to_map, message_extent,
};

use super::{Cuts, is_part_of};

/// Small limits, so that short inputs meet them, and the usual ones.
const LIMITS: [NatsLimits; 2] = [
    NatsLimits { control_line_bytes_max: 4096, payload_bytes_max: 1 << 20 },
    NatsLimits { control_line_bytes_max: 12, payload_bytes_max: 9 },
];

/// A stream of operations: the same ones however it is cut, each one a part of the stream, and nothing kept but the one under way.
pub fn nats(stream: &[u8]) {
    let mut cuts = Cuts::of(stream);
    for limits in LIMITS {
        let whole = decode(stream, limits, || usize::MAX);
        assert_eq!(whole, decode(stream, limits, || cuts.piece()), "another split, another result");
        if stream.len() <= 256 {
            assert_eq!(whole, decode(stream, limits, || 1), "byte by byte");
        }
        let mut start = 0;
        for decoded in &whole.0 {
            let frame = &stream[start..start + decoded.frame_bytes];
            check(frame, &decoded.command, limits);
            start += decoded.frame_bytes;
        }
        if let Some(error) = whole.1 {
            assert!(error.closes(), "{error} does not say where the next one begins");
        }
    }
    let mut map = Vec::new();
    headers_to_map(stream, &mut map);
    assert_eq!(value_end(&map, 1), Ok(Some(map.len())));
    let mut block = Vec::new();
    headers_from_map(stream, &mut block);
    assert!(block.starts_with(b"NATS/1.0\r\n") && block.ends_with(b"\r\n\r\n"));
    assert_eq!(
        block.windows(4).filter(|window| window == b"\r\n\r\n").count(),
        1,
        "a header that ends the block"
    );
    // JSON of any kind is taken in or refused.
    let _ = Connect::default().update(stream);
}

/// The operations of a stream that comes in pieces of as many bytes as `next_piece` says, and the error that ends it.
fn decode(
    stream: &[u8],
    limits: NatsLimits,
    mut next_piece: impl FnMut() -> usize,
) -> (Vec<Decoded<'_>>, Option<NatsError>) {
    let mut decoder = Decoder::new(limits);
    let mut commands = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        match decoder.next(&stream[start..end]) {
            Ok(Some(command)) => {
                assert!(command.frame_bytes > 0 && command.frame_bytes <= end - start);
                start += command.frame_bytes;
                commands.push(command);
            }
            Ok(None) => {
                let there = end - start;
                let longest = 2 * limits.control_line_bytes_max + limits.payload_bytes_max + 32;
                assert!(there <= longest, "{there} bytes of one operation");
                assert!(
                    decoder.needed() == 0 || decoder.needed() > there,
                    "{} needed with {there} there",
                    decoder.needed()
                );
                if end == stream.len() {
                    return (commands, None);
                }
                end = end.saturating_add(next_piece()).min(stream.len());
            }
            Err(error) => return (commands, Some(error)),
        }
    }
}

fn check(frame: &[u8], command: &Command<'_>, limits: NatsLimits) {
    assert_eq!(frame.last(), Some(&b'\n'));
    let word = |word: &[u8]| {
        assert!(
            !word.is_empty() && !word.iter().any(|byte| b" \t\r\n".contains(byte)),
            "{word:x?} is not a word"
        );
        assert!(is_part_of(word, frame));
    };
    match *command {
        Command::Publish(publish) => check_publish(frame, &publish, limits),
        Command::Subscribe { subject, group, sid } => {
            [Some(subject), group, Some(sid)].into_iter().flatten().for_each(word);
        }
        Command::Unsubscribe { sid, .. } => word(sid),
        _ => {}
    }
}

fn check_publish(frame: &[u8], publish: &Publish<'_>, limits: NatsLimits) {
    let Publish { subject, reply, headers, payload, tail } = *publish;
    assert!(is_part_of(payload, frame) && is_part_of(subject, frame));
    assert!(payload.len() + headers.map_or(0, <[u8]>::len) <= limits.payload_bytes_max);
    let mut message = Vec::new();
    encode::message(&mut message, subject, b"7", reply, headers, payload);
    let payload_bytes = payload.len() + headers.map_or(0, <[u8]>::len);
    let extent = |message: &[u8]| Some(Extent { bytes: message.len(), payload_bytes });
    assert_eq!(message_extent(&message), extent(&message));
    if !tail.is_empty() {
        // What is sent on as it came is what would be written, but for zeros before a number.
        let head = if headers.is_some() { "HMSG " } else { "MSG " };
        let short = [head.as_bytes(), subject, b" 7 ", tail].concat();
        assert_eq!(message_extent(&short), extent(&short));
        let zeros = short.len() - message.len();
        assert!(short.ends_with(payload_end(&message, payload)) && zeros <= limits.control_line_bytes_max);
    }
}

fn payload_end<'m>(message: &'m [u8], payload: &[u8]) -> &'m [u8] {
    &message[message.len() - payload.len() - 2..]
}
