//! Why a text is not a pattern: the kind of mistake, with its numbers, and the byte that it begins at.
//!
//! Owns the words of these errors; the parsers own the decisions.

use std::fmt;

/// What is wrong with a pattern, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PatternError {
    /// What is wrong.
    pub kind: PatternErrorKind,
    /// The byte of the pattern's text at which it is wrong: of an unclosed bracket the bracket, of a limit the first
    /// byte over it.
    pub offset: usize,
}

/// The mistakes that a pattern can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// The text is longer than [`PatternLimits::bytes_max`](crate::PatternLimits::bytes_max).
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A glob with more runs of `*` than [`PatternLimits::stars_max`](crate::PatternLimits::stars_max).
    TooManyStars {
        /// The limit.
        stars_max: usize,
    },
    /// A glob whose alternatives have more combinations than
    /// [`PatternLimits::alternatives_max`](crate::PatternLimits::alternatives_max).
    TooManyAlternatives {
        /// The limit.
        alternatives_max: usize,
    },
    /// A glob whose combinations of alternatives are too long when they are written out, one behind the other.
    TooLongWrittenOut {
        /// The limit in bytes: [`EXPANSION_FACTOR`](crate::EXPANSION_FACTOR) times
        /// [`PatternLimits::bytes_max`](crate::PatternLimits::bytes_max).
        bytes_max: usize,
    },
    /// A `[` without its `]`.
    UnclosedClass,
    /// `[]` or `[!]`. (A `]` that belongs to a class is written `\]`.)
    EmptyClass,
    /// A range whose last character comes before its first.
    ReversedRange {
        /// The character before the `-`.
        first: char,
        /// The character behind the `-`.
        last: char,
    },
    /// A `{` without its `}`.
    UnclosedAlternatives,
    /// A `\` with nothing behind it.
    TrailingEscape,
    /// A subject that is empty, begins or ends with `.`, or has two of them in a row.
    EmptyToken,
    /// White space (space, tab, line end, form feed) in a subject.
    Whitespace {
        /// The character.
        found: char,
    },
    /// A token `>` that is not the last one of its subject.
    TailNotLast,
}

impl PatternError {
    pub(crate) fn new(kind: PatternErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.kind {
            PatternErrorKind::TooLong { bytes, bytes_max } => {
                write!(f, "the pattern has {bytes} bytes, more than {bytes_max}")
            }
            PatternErrorKind::TooManyStars { stars_max } => {
                write!(f, "more than {stars_max} runs of `*`, the first of them too many at byte {offset}")
            }
            PatternErrorKind::TooManyAlternatives { alternatives_max } => {
                write!(
                    f,
                    "more than {alternatives_max} combinations of alternatives with the `{{` at byte {offset}"
                )
            }
            PatternErrorKind::TooLongWrittenOut { bytes_max } => {
                write!(
                    f,
                    "the combinations of alternatives have more than {bytes_max} bytes when they are written out"
                )
            }
            PatternErrorKind::UnclosedClass => write!(f, "the `[` at byte {offset} has no `]`"),
            PatternErrorKind::EmptyClass => write!(f, "the class at byte {offset} is empty"),
            PatternErrorKind::ReversedRange { first, last } => {
                write!(f, "the range {first:?} to {last:?} at byte {offset} is reversed")
            }
            PatternErrorKind::UnclosedAlternatives => write!(f, "the `{{` at byte {offset} has no `}}`"),
            PatternErrorKind::TrailingEscape => write!(f, "the `\\` at byte {offset} has nothing behind it"),
            PatternErrorKind::EmptyToken => write!(f, "the token at byte {offset} is empty"),
            PatternErrorKind::Whitespace { found } => write!(f, "white space {found:?} at byte {offset}"),
            PatternErrorKind::TailNotLast => write!(f, "the `>` at byte {offset} is not the last token"),
        }
    }
}

impl std::error::Error for PatternError {}
