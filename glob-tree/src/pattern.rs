//! One pattern: its text, its dialect, and what it means, parsed once.
//!
//! Owns the public type, its limits and its identity (dialect and text: `a*` and `a**` mean the same and are two
//! patterns). Parsing is in `glob` and `subject`, matching one text in `single`, matching against many patterns in
//! [`GlobTree`](crate::GlobTree).
//!
//! Alternatives are kept as they are written: a pattern of 64 combinations takes the memory of its text, and writes one of them
//! out at a time when a tree asks for its branches.

pub(crate) mod class;
pub(crate) mod code;
mod glob;
mod single;
mod states;
mod subject;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::code::{Branch, Code};
use crate::error::{PatternError, PatternErrorKind};

/// How a pattern is written. The grammar of both stands in the [crate's documentation](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `*`, `?`, `[a-z]`, `{a,b}` and `\` over the whole text.
    Glob,
    /// Tokens between dots; `*` is one token, `>` all the rest.
    Subject,
    /// As [`Glob`](Self::Glob), but `*`, `?` and classes do not match the separator, and `**` between separators does.
    Path(Separator),
}

/// What separates the components of a path: one ASCII character that has no meaning in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Separator(u8);

impl Separator {
    /// `/`
    pub const SLASH: Self = Self(b'/');
    /// `.`
    pub const DOT: Self = Self(b'.');

    /// `None` if the character is not ASCII, or has a meaning of its own: `* ? [ ] { } , \\ ! -`.
    ///
    /// ```
    /// use glob_tree::Separator;
    /// assert_eq!(Separator::new('/'), Some(Separator::SLASH));
    /// assert_eq!((Separator::new('*'), Separator::new('é')), (None, None));
    /// ```
    pub const fn new(separator: char) -> Option<Self> {
        match separator {
            '*' | '?' | '[' | ']' | '{' | '}' | ',' | '\\' | '!' | '-' => None,
            '\0'..='\x7f' => Some(Self(separator as u8)),
            _ => None,
        }
    }

    /// The character.
    pub const fn get(self) -> char {
        self.0 as char
    }

    pub(crate) const fn byte(self) -> u8 {
        self.0
    }
}

/// What a glob or a path begins with that begins with a wildcard, a class or alternatives.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// No pattern is longer than this many bytes, whatever its limits: its parts are numbered with 32 bits.
const BYTES_MAX: usize = 1 << 28;

/// How many times [`PatternLimits::bytes_max`] the combinations of a glob's alternatives may have when they are written out: each
/// is kept, and a short text must not fill the memory.
pub const EXPANSION_FACTOR: usize = 8;

/// How large and how costly a pattern may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PatternLimits {
    /// Length of the text in bytes. Default 1,024: that of the longest topic.
    pub bytes_max: usize,
    /// Runs of `*` in a glob, as written. Default 16. Each is a state that stays alive through a text. (The token `*` of a
    /// subject is none and is not limited.)
    pub stars_max: usize,
    /// Combinations of alternatives in a glob: `{a,b}{c,d}` has four. Default 64. Each is a path of its own in the tree.
    pub alternatives_max: usize,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self { bytes_max: 1024, stars_max: 16, alternatives_max: 64 }
    }
}

/// A pattern, parsed. Immutable; a clone shares what was parsed. Equal if dialect and text are.
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: Arc<str>,
    dialect: Dialect,
    begins_with_wildcard: bool,
    body: Body,
}

/// What a pattern means.
enum Body {
    /// The pattern matches its own text only.
    Itself,
    /// The pattern matches this text only, which it writes with escapes.
    Literal(Arc<str>),
    /// It has wildcards, and no choice of alternatives.
    Branch(Code),
    /// It matches what one of so many combinations does; some of them may be equal. Also where there is one, with runs.
    Template(Code, usize),
}

impl Pattern {
    /// Parses a glob under the default [limits](PatternLimits).
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn glob(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Dialect::Glob, &PatternLimits::default())
    }

    /// Parses a subject under the default [limits](PatternLimits).
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn subject(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Dialect::Subject, &PatternLimits::default())
    }

    /// Parses a path between slashes under the default [limits](PatternLimits).
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn path(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Dialect::Path(Separator::SLASH), &PatternLimits::default())
    }

    /// Parses a pattern of any dialect.
    ///
    /// Complexity: `bytes_max` × [`EXPANSION_FACTOR`] at most, in time and in memory. The number of combinations is known and checked
    /// before the first one is built, and nothing here recurses, so `{{{{…` and `{a,b}{a,b}…` cost no more than reading them.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str, dialect: Dialect, limits: &PatternLimits) -> Result<Self, PatternError> {
        let bytes_max = limits.bytes_max.min(BYTES_MAX);
        if text.len() > bytes_max {
            return Err(PatternError::new(
                PatternErrorKind::TooLong { bytes: text.len(), bytes_max },
                bytes_max,
            ));
        }
        let (body, begins_with_wildcard) = match dialect {
            Dialect::Glob => (glob::parse(text, None, limits)?, text.starts_with(WILDCARDS)),
            Dialect::Path(separator) => {
                (glob::parse(text, Some(separator), limits)?, text.starts_with(WILDCARDS))
            }
            Dialect::Subject => (
                subject::parse(text)?,
                matches!(text.split('.').next(), Some(subject::TOKEN | subject::TAIL)),
            ),
        };
        Ok(Self { inner: Arc::new(Inner { text: text.into(), dialect, begins_with_wildcard, body }) })
    }

    /// The text that it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The dialect that it is written in.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// The one text that the pattern matches, without escapes; `None` if there is a wildcard, a class or a group of
    /// alternatives in it, even one that leaves no choice (`[a]`, `{a}`).
    pub fn literal(&self) -> Option<&str> {
        self.shared_literal().map(|literal| &**literal)
    }

    /// As [`literal`](Self::literal), to be kept.
    pub(crate) fn shared_literal(&self) -> Option<&Arc<str>> {
        match &self.inner.body {
            Body::Itself => Some(&self.inner.text),
            Body::Literal(text) => Some(text),
            Body::Branch(_) | Body::Template(..) => None,
        }
    }

    /// Whether it matches the whole of `text`. Knows no reserved first character: that is the tree's.
    ///
    /// Complexity: length of the text × length of the pattern, at most. No allocation (unless the pattern is written with hundreds
    /// of braces).
    pub fn matches(&self, text: &str) -> bool {
        match &self.inner.body {
            Body::Itself => *self.inner.text == *text,
            Body::Literal(literal) => **literal == *text,
            Body::Branch(code) => single::matches(code.view(), text),
            Body::Template(code, _) => states::matches(code.view(), text),
        }
    }

    /// Whether its first element, as written, is a wildcard, a class or a group of alternatives. `\*` is none of these,
    /// and neither is the `*` of the subject `*x`.
    pub fn begins_with_wildcard(&self) -> bool {
        self.inner.begins_with_wildcard
    }

    /// How many combinations of alternatives it has: 1 without any, 0 if there is a [`literal`](Self::literal).
    pub(crate) fn combinations(&self) -> usize {
        match &self.inner.body {
            Body::Itself | Body::Literal(_) => 0,
            Body::Branch(_) => 1,
            Body::Template(_, combinations) => *combinations,
        }
    }

    /// Calls `visit` with each combination of its alternatives; two of them may be equal.
    pub(crate) fn each_branch(&self, mut visit: impl FnMut(Branch<'_>)) {
        match &self.inner.body {
            Body::Itself | Body::Literal(_) => {}
            Body::Branch(code) => visit(code.view()),
            Body::Template(code, combinations) => {
                let mut bytes = Vec::new();
                for number in 0..*combinations {
                    glob::expand(code.view(), number, &mut bytes);
                    visit(Branch { bytes: &bytes, classes: &code.classes });
                }
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.dialect() == other.dialect() && self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dialect().hash(state);
        self.as_str().hash(state);
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.dialect(), self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_equal_by_dialect_and_text() {
        let glob = Pattern::glob("a.b").unwrap();
        assert_eq!(glob, Pattern::glob("a.b").unwrap());
        assert_ne!(glob, Pattern::subject("a.b").unwrap());
        assert_ne!(Pattern::glob("a*").unwrap(), Pattern::glob("a**").unwrap());
        assert_eq!(format!("{glob} {glob:?}"), r#"a.b Glob("a.b")"#);
    }

    #[test]
    fn a_literal_has_neither_wildcard_nor_class_nor_alternatives() {
        for (text, literal) in [
            ("", Some("")),
            ("a/é", Some("a/é")),
            (r"\*\\x", Some(r"*\x")),
            ("a]b}c,", Some("a]b}c,")),
            ("a*", None),
            ("?", None),
            ("[a]", None),
            ("{a}", None),
        ] {
            assert_eq!(Pattern::glob(text).unwrap().literal(), literal, "{text}");
        }
        for (text, literal) in
            [("foo*.bar", Some("foo*.bar")), (r"a.\{[", Some(r"a.\{[")), ("a.*", None), (">", None)]
        {
            assert_eq!(Pattern::subject(text).unwrap().literal(), literal, "{text}");
        }
    }

    #[test]
    fn what_a_pattern_begins_with_is_decided_as_written() {
        for (text, wildcard) in [
            ("*", true),
            ("?a", true),
            ("[a]b", true),
            ("{!,x}a", true),
            ("{!}a", true),
            (r"\*", false),
            ("!*", false),
            ("", false),
            ("]", false),
        ] {
            assert_eq!(Pattern::glob(text).unwrap().begins_with_wildcard(), wildcard, "{text}");
        }
        for (text, wildcard) in
            [("*", true), ("*.a", true), (">", true), ("*a", false), (">a.b", false), ("a.*", false)]
        {
            assert_eq!(Pattern::subject(text).unwrap().begins_with_wildcard(), wildcard, "{text}");
        }
    }

    #[test]
    fn a_limit_is_the_last_value_that_is_allowed() {
        let limits = PatternLimits { bytes_max: 4, ..PatternLimits::default() };
        for dialect in [Dialect::Glob, Dialect::Subject] {
            assert!(Pattern::parse("abcd", dialect, &limits).is_ok());
            let error = Pattern::parse("abcde", dialect, &limits).unwrap_err();
            assert_eq!(error, PatternError::new(PatternErrorKind::TooLong { bytes: 5, bytes_max: 4 }, 4));
        }
    }
}
