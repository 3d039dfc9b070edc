//! The subject dialect: tokens between dots.
//!
//! Owns its grammar. A token that is exactly `*` or `>` is a wildcard; in a longer token these characters mean
//! themselves, and nothing needs an escape.

use super::Body;
use super::code::{Builder, Code};
use crate::error::{PatternError, PatternErrorKind};

/// The token that stands for one token.
pub(super) const TOKEN: &str = "*";
/// The token that stands for the rest.
pub(super) const TAIL: &str = ">";

/// Parses a subject.
pub(super) fn parse(text: &str) -> Result<Body, PatternError> {
    if let Some((offset, found)) = text.char_indices().find(|(_, found)| found.is_ascii_whitespace()) {
        return Err(PatternError::new(PatternErrorKind::Whitespace { found }, offset));
    }
    let mut bytes = Vec::new();
    let mut builder = Builder::new(&mut bytes);
    let mut wildcards = false;
    let mut offset = 0;
    for token in text.split('.') {
        let end = offset + token.len();
        if offset > 0 {
            builder.literal(b".");
        }
        match token {
            "" => return Err(PatternError::new(PatternErrorKind::EmptyToken, offset)),
            TOKEN => builder.token(),
            TAIL if end < text.len() => return Err(PatternError::new(PatternErrorKind::TailNotLast, offset)),
            TAIL => builder.tail(),
            _ => builder.literal(token.as_bytes()),
        }
        wildcards |= matches!(token, TOKEN | TAIL);
        offset = end + 1;
    }
    builder.finish();
    Ok(if wildcards {
        Body::Branch(Code { bytes: bytes.into(), classes: Box::default() })
    } else {
        Body::Itself
    })
}

#[cfg(test)]
mod tests {
    use super::PatternErrorKind::{EmptyToken, TailNotLast, Whitespace};
    use crate::{Pattern, PatternErrorKind};

    #[track_caller]
    fn refused(text: &str, kind: PatternErrorKind, offset: usize) {
        let error = Pattern::subject(text).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{text:?}: {error}");
    }

    #[test]
    fn what_is_no_subject_is_refused_where_it_is_wrong() {
        refused("", EmptyToken, 0);
        refused(".", EmptyToken, 0);
        refused(".foo", EmptyToken, 0);
        refused("foo.", EmptyToken, 4);
        refused("foo..bar", EmptyToken, 4);
        refused("é..", EmptyToken, 3);
        refused("foo bar", Whitespace { found: ' ' }, 3);
        refused("foo\tbar", Whitespace { found: '\t' }, 3);
        refused("*.\n", Whitespace { found: '\n' }, 2);
        refused("foo.>.bar", TailNotLast, 4);
        refused(">.>", TailNotLast, 0);
        refused(">.", TailNotLast, 0);
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::subject(pattern).unwrap().matches(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn a_token_has_at_least_one_character() {
        check("foo.*.bar", "foo..bar", false);
        check("foo.*", "foo.", false);
        check("*", "", false);
        check(">", "", false);
        check("foo.>", "foo.", false);
        check("*.b", "é.b", true);
        check("*.b", "a/c d.b", true);
    }

    #[test]
    fn only_a_whole_token_is_a_wildcard() {
        check("**", "**", true);
        check("**", "a", false);
        check(">>.*>", ">>.*>", true);
        check("a.*b.*", "a.*b.c", true);
        check("a.*b.*", "a.xb.c", false);
        check("[ab].{a,b}", "[ab].{a,b}", true);
        check("?", "a", false);
    }
}
