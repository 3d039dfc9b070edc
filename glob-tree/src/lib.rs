//! A set of wildcard patterns that changes while it is asked: which of these 100,000 patterns match this text?
//!
//! [`GlobTree`] maps [`Pattern`]s to values. Patterns without wildcards are looked up by one hash; all others share one
//! compressed trie that is walked once per query, so what a query costs depends on how far the text leads into the
//! patterns, not on how many there are.
//!
//! ```
//! use glob_tree::{GlobTree, Pattern, Scratch};
//!
//! # fn main() -> Result<(), glob_tree::PatternError> {
//! let mut tree = GlobTree::new();
//! tree.insert(&Pattern::glob("weather/*/temperature")?, "thermometer");
//! tree.insert(&Pattern::glob("{weather,tide}/*")?, "log");
//! tree.insert(&Pattern::subject("orders.*.paid")?, "accounts");
//!
//! let mut scratch = Scratch::default();
//! let mut found = Vec::new();
//! tree.matches("weather/Oslo/temperature", &mut scratch, |value| found.push(*value));
//! found.sort_unstable();
//! assert_eq!(found, ["log", "thermometer"]);
//!
//! tree.remove(&Pattern::glob("{weather,tide}/*")?, &"log");
//! assert!(!tree.is_match("tide/Bergen", &mut scratch));
//! # Ok(())
//! # }
//! ```
//!
//! # The glob dialect
//!
//! A pattern matches the whole text or not at all. A character is a Unicode scalar value.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any run of characters, the empty one and separators included; `**` is the same |
//! | `?` | exactly one character |
//! | `[abc]`, `[a-z]` | one character of the class. `-` is itself at either end; `\` escapes; `*`, `?`, `[`, `{`, `,` and `^` are themselves; `]` is written `\]` |
//! | `[!a-z]` | one character outside it |
//! | `{dev,prod}` | one of the alternatives; each may be empty, hold any of the above, and nest |
//! | `\x` | the character `x` itself |
//! | anything else | itself; so do `]`, and `}` and `,` outside `{…}` |
//!
//! ```
//! # use glob_tree::Pattern;
//! # type Row = (&'static str, &'static [&'static str], &'static [&'static str]);
//! const ROWS: &[Row] = &[
//!     // pattern          matches                           does not match
//!     ("a/b",             &["a/b"],                         &["a", "a/b/c", "A/b"]),
//!     ("*",               &["", "a", "a/b.c"],              &[]),
//!     ("a/*/b",           &["a/x/b", "a//b", "a/x/y/b"],    &["a/b", "a/x/c"]),
//!     ("a**b",            &["ab", "axb"],                   &["a", "abc"]),
//!     ("?",               &["a", "é", "😀"],                &["", "ab"]),
//!     ("[a-cx]",          &["a", "b", "c", "x"],            &["d", "", "ab", "-"]),
//!     ("[a-]",            &["a", "-"],                      &["b"]),
//!     (r"[\]\\]",         &["]", r"\"],                     &["a"]),
//!     ("[!a-c]",          &["d", "é", "!"],                 &["a", ""]),
//!     ("[^a]",            &["^", "a"],                      &["b"]),
//!     ("{dev,prod}/*",    &["dev/1", "prod/"],              &["test/1"]),
//!     ("a{,b{c,d?}}",     &["a", "abc", "abdx"],            &["ab", "abd"]),
//!     (r"\*\{a\}\\",      &[r"*{a}\"],                      &["x{a}"]),
//!     ("a]b}c,d",         &["a]b}c,d"],                     &["a"]),
//!     ("",                &[""],                            &["a"]),
//! ];
//! for (pattern, matching, others) in ROWS {
//!     let pattern = Pattern::glob(pattern).unwrap();
//!     assert!(matching.iter().all(|text| pattern.matches(text)), "{pattern}");
//!     assert!(!others.iter().any(|text| pattern.matches(text)), "{pattern}");
//! }
//! ```
//!
//! Refused, with the kind of mistake and its byte ([`PatternError`]):
//!
//! ```
//! # use glob_tree::{Pattern, PatternErrorKind::*};
//! for (text, kind, offset) in [
//!     ("a[b",    UnclosedClass,                             1),
//!     ("a[]",    EmptyClass,                                1),
//!     ("[z-a]",  ReversedRange { first: 'z', last: 'a' },   1),
//!     ("a{b",    UnclosedAlternatives,                      1),
//!     (r"a\",    TrailingEscape,                            1),
//! ] {
//!     let error = Pattern::glob(text).unwrap_err();
//!     assert_eq!((error.kind, error.offset), (kind, offset), "{text}");
//! }
//! ```
//!
//! Refused as well is what goes over a limit of [`PatternLimits`]: by default 1,024 bytes, 16 runs of `*` and 64 combinations of
//! alternatives. The combinations are counted before they are built.
//!
//! # The subject dialect
//!
//! Tokens between dots, none of them empty, without white space.
//!
//! | token | matches |
//! |---|---|
//! | `*` | exactly one token: one or more characters, none of them a dot |
//! | `>`, which must be the last one | the rest: one or more characters, dots included |
//! | any other | itself, character by character: `foo*`, `[a]` and `\x` have no special meaning |
//!
//! ```
//! # use glob_tree::{Pattern, PatternErrorKind::*};
//! # type Row = (&'static str, &'static [&'static str], &'static [&'static str]);
//! const ROWS: &[Row] = &[
//!     // pattern      matches                           does not match
//!     ("foo.bar",     &["foo.bar"],                     &["foo", "foo.bar.baz"]),
//!     ("foo.*",       &["foo.bar", "foo.é"],            &["foo", "foo.", "foo.bar.baz"]),
//!     ("foo.*.baz",   &["foo.bar.baz"],                 &["foo..baz", "foo.bar.qux"]),
//!     ("foo.>",       &["foo.bar", "foo.bar.baz"],      &["foo", "foo."]),
//!     ("*.>",         &["foo.bar", "a.b.c"],            &["foo"]),
//!     ("foo*",        &["foo*"],                        &["foobar"]),
//! ];
//! for (pattern, matching, others) in ROWS {
//!     let pattern = Pattern::subject(pattern).unwrap();
//!     assert!(matching.iter().all(|text| pattern.matches(text)), "{pattern}");
//!     assert!(!others.iter().any(|text| pattern.matches(text)), "{pattern}");
//! }
//! for (text, kind, offset) in [
//!     ("",           EmptyToken,                  0),
//!     ("foo..bar",   EmptyToken,                  4),
//!     ("foo bar",    Whitespace { found: ' ' },   3),
//!     ("foo.>.bar",  TailNotLast,                 4),
//! ] {
//!     let error = Pattern::subject(text).unwrap_err();
//!     assert_eq!((error.kind, error.offset), (kind, offset), "{text}");
//! }
//! ```
//!
//! The text that is asked for is not checked: any string may be, whatever the dialects of the patterns.
//!
//! # The reserved first character
//!
//! In a tree [`with_reserved`](GlobTree::with_reserved)`('!')` a pattern whose first element, as written, is a wildcard, a class or a group of
//! alternatives does not match a text that begins with `!`: `*` and `{!,x}a` do not match `!a`, `!*` and `\!a` do.
//!
//! # Promises
//!
//! 1. Each pair of pattern and value is visited once per query, also where several alternatives of the pattern match.
//! 2. Identity is dialect and text: `a*` and `a**` are two patterns, each with its own values.
//! 3. What is removed is gone: the shape of the tree depends on what is in it, not on its history, and an empty tree has no heap memory.
//! 4. No text and no pattern makes anything here panic, recurse or take exponential time. (But a tree has room for fewer than 2³⁰ patterns and 2³² nodes.)
//! 5. A query allocates nothing once its [`Scratch`] has seen one as large, and takes `&self`: any number of threads may ask at
//!    once, each with its scratch.
//!
//! # Complexity
//!
//! A query is a walk of an automaton whose states are the nodes of the trie. A state is alive at most once for each position of the
//! text, whatever the patterns. [`matches`](GlobTree::matches) returns the steps it took: nodes entered, labels compared (one more for
//! every 16 bytes of them), classes tested, positions of the text scanned for a star, and ends of patterns looked at. With `n` bytes of
//! text, and a branch for each combination of a pattern's alternatives,
//!
//! > steps ≤ (n + 1) × (4 × [nodes](GlobTree::node_count) + bytes of labels / 16) + 2 × branches + 1.
//!
//! That is the ceiling for patterns made to reach it; the usual query stops at the first byte that leads nowhere. Insert and
//! remove cost the length of the pattern times the combinations of its alternatives.

#![forbid(unsafe_code)]

mod error;
mod pattern;
mod tree;

pub use error::{PatternError, PatternErrorKind};
pub use pattern::{Dialect, EXPANSION_FACTOR, Pattern, PatternLimits};
pub use tree::{GlobTree, Iter, Scratch, Values};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
