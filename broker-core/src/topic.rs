//! What a topic is: the rule, and the names that are special.

use glob_tree::Pattern;
use thiserror::Error;

/// The first character of a system topic; a pattern that begins with a wildcard does not match it.
pub const SYSTEM_MARK: char = '!';

/// Topics that only the server publishes to.
pub const RESERVED_PREFIX: &str = "!system/";

/// Reply addresses: topics that begin so are never retained. The last one is what clients of NATS make of their own prefixes.
pub const INBOX_PREFIXES: [&str; 3] = ["!inbox/", "_INBOX.", "_INBOX_"];

/// Default limit on the length of a topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 1024;

/// Why a name is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicError {
    /// It has no bytes.
    #[error("the topic is empty")]
    Empty,
    /// It has too many.
    #[error("the topic has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("the topic is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// The first byte that does not belong.
        offset: usize,
    },
    /// It holds a control character.
    #[error("the topic holds the control character U+{code:04X} at byte {offset}")]
    Control {
        /// The character.
        code: u32,
        /// Where it stands.
        offset: usize,
    },
}

/// Checks that `name` is a topic: UTF-8, 1 to `bytes_max` bytes, no control characters.
///
/// # Errors
///
/// The first rule that it breaks.
///
/// # Examples
///
/// ```
/// use broker_core::topic::{TOPIC_BYTES_MAX, TopicError, validate};
///
/// assert_eq!(validate("weather/oslo".as_bytes(), TOPIC_BYTES_MAX), Ok("weather/oslo"));
/// assert_eq!(validate(b"", TOPIC_BYTES_MAX), Err(TopicError::Empty));
/// ```
pub fn validate(name: &[u8], bytes_max: usize) -> Result<&str, TopicError> {
    if name.is_empty() {
        return Err(TopicError::Empty);
    }
    if name.len() > bytes_max {
        return Err(TopicError::TooLong { bytes: name.len(), limit: bytes_max });
    }
    let text =
        std::str::from_utf8(name).map_err(|error| TopicError::NotUtf8 { offset: error.valid_up_to() })?;
    match text.char_indices().find(|(_, character)| character.is_control()) {
        Some((offset, character)) => Err(TopicError::Control { code: character.into(), offset }),
        None => Ok(text),
    }
}

/// Whether `name` is a system topic that a pattern does not match because it begins with a wildcard.
pub(crate) fn is_hidden(pattern: &Pattern, name: &str) -> bool {
    pattern.begins_with_wildcard() && name.starts_with(SYSTEM_MARK)
}

/// Whether only the server may publish to it.
pub fn is_reserved(topic: &str) -> bool {
    topic.starts_with(RESERVED_PREFIX)
}

/// Whether it is a reply address, which is never retained.
pub fn is_inbox(topic: &str) -> bool {
    INBOX_PREFIXES.iter().any(|prefix| topic.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        let longest = "x".repeat(TOPIC_BYTES_MAX);
        for (name, expected) in [
            (&b"a"[..], Ok(())),
            ("Москва/погода".as_bytes(), Ok(())),
            (longest.as_bytes(), Ok(())),
            (b"", Err(TopicError::Empty)),
            (b"a\xff", Err(TopicError::NotUtf8 { offset: 1 })),
            (b"a\nb", Err(TopicError::Control { code: 10, offset: 1 })),
            ("a\u{85}".as_bytes(), Err(TopicError::Control { code: 0x85, offset: 1 })),
            (b"a\x7f", Err(TopicError::Control { code: 0x7f, offset: 1 })),
            (&[b'x'; TOPIC_BYTES_MAX + 1], Err(TopicError::TooLong { bytes: 1025, limit: 1024 })),
        ] {
            assert_eq!(validate(name, TOPIC_BYTES_MAX).map(drop), expected, "{name:?}");
        }
    }

    #[test]
    fn special_names() {
        assert!(is_reserved("!system/metrics/cpu") && !is_reserved("!system") && !is_reserved("system/x"));
        assert!(
            is_inbox("!inbox/1/2") && is_inbox("_INBOX.x") && is_inbox("_INBOX_me.x") && !is_inbox("inbox/1")
        );
    }
}
