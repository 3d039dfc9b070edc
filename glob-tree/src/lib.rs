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
//! # The path dialect
//!
//! As the glob dialect, but with a [separator](Separator), of one's own choice, that only itself and `**` match:
//! [`Pattern::path`] for `/`, [`Dialect::Path`] for any.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any run of characters, the empty one included, without separators |
//! | `?`, `[…]`, `[!…]` | one character, never the separator |
//! | `**/` where a component begins | any number of whole directories, none included |
//! | `**` where a component begins, and the pattern or its alternative ends behind it | anything |
//! | `**` elsewhere | the same as `*` |
//! | the rest | as in a glob |
//!
//! A component begins with the pattern and behind a separator; with an alternative where one begins with its group.
//!
//! ```
//! # use glob_tree::{Dialect, Pattern, PatternLimits, Separator};
//! # type Row = (&'static str, &'static [&'static str], &'static [&'static str]);
//! const ROWS: &[Row] = &[
//!     // pattern         matches                                  does not match
//!     ("*.rs",           &["a.rs", ".rs"],                        &["src/a.rs", "a.rs/"]),
//!     ("a?c",            &["abc", "aéc"],                         &["a/c", "ac"]),
//!     ("a[!b]c",         &["axc"],                                &["abc", "a/c"]),
//!     ("src/*/mod.rs",   &["src/a/mod.rs", "src//mod.rs"],        &["src/mod.rs", "src/a/b/mod.rs"]),
//!     ("src/**/mod.rs",  &["src/mod.rs", "src/a/b/mod.rs"],       &["mod.rs", "src/amod.rs"]),
//!     ("**/*.rs",        &["a.rs", "src/a.rs", "a/b/.rs"],        &["a.rs/b"]),
//!     ("src/**",         &["src/", "src/a", "src/a/b.rs"],        &["src", "src2/a"]),
//!     ("**",             &["", "a", "a/b"],                       &[]),
//!     ("a**b",           &["ab", "axb"],                          &["a/b"]),
//!     ("{a/**,**/b}/c",  &["a/x/c", "b/c", "x/b/c"],              &["a/c", "x/c"]),
//!     ("a{**/,b}c",      &["ax/c", "abc"],                          &["ac", "ax/y/c"]),
//! ];
//! for (pattern, matching, others) in ROWS {
//!     let pattern = Pattern::path(pattern).unwrap();
//!     assert!(matching.iter().all(|text| pattern.matches(text)), "{pattern}");
//!     assert!(!others.iter().any(|text| pattern.matches(text)), "{pattern}");
//! }
//! let dots = Dialect::Path(Separator::DOT);
//! let metric = Pattern::parse("servers.*.cpu.**", dots, &PatternLimits::default()).unwrap();
//! assert!(metric.matches("servers.web-1.cpu.0.idle") && !metric.matches("servers.eu.web-1.cpu.0"));
//! ```
//!
//! The text that is asked for is not checked: any string may be, whatever the dialects of the patterns. In particular, `.` and `..` in a
//! path are components like others.
//!
//! # The reserved first character
//!
//! In a tree [`with_reserved`](GlobTree::with_reserved)`('!')` a pattern whose first element, as written, is a wildcard, a class or a group of
//! alternatives does not match a text that begins with `!`: `*` and `{!,x}a` do not match `!a`, `!*` and `\!a` do.
//!
//! # Promises
//!
//! 1. Each pair of pattern and value is visited once per query, also where several alternatives of the pattern match.
//! 2. Identity is dialect (with its separator) and text: `a*` and `a**` are two patterns, each with its own values.
//! 3. What is removed is gone: the shape of the tree depends on what is in it, not on its history, and an empty tree has no heap memory.
//! 4. No text and no pattern makes anything here panic, recurse or take exponential time. (But a tree has room for fewer than 2³⁰ patterns and 2³² nodes.)
//! 5. A query allocates nothing once its [`Scratch`] has seen one as large, and takes `&self`: any number of threads may ask at
//!    once, each with its scratch.
//!
//! # Complexity
//!
//! | operation | costs |
//! |---|---|
//! | [`Pattern::parse`] | the length of the text; with alternatives, no more than that either: they are counted, not written out |
//! | [`Pattern::matches`] | at most length of the text × length of the pattern, whatever its alternatives |
//! | [`insert`](GlobTree::insert), [`remove`](GlobTree::remove) | the length of the pattern × the combinations of its alternatives; a hash of the value |
//! | a query, for patterns without wildcards | one hash of the text |
//! | for subjects `literal.*`, `literal.>` | a hash of the text up to its last dot; for tails one at each depth at which there are any, up to eight |
//! | for patterns `literal*`, `*literal` | the bytes of the text that lead into them: a radix lookup from either end |
//! | for all others | the states of the trie that the text leads into |
//!
//! The last one is a walk of an automaton whose states are the nodes of the trie. A state is alive at most once for each position of the
//! text, whatever the patterns. [`matches`](GlobTree::matches) returns the steps it took: nodes entered, labels compared (one more for
//! every 16 bytes of them), parents of subjects looked up, classes tested, positions of the text scanned for a star or a run, and ends of patterns looked at. With `n` bytes of
//! text, and a branch for each combination of a pattern's alternatives,
//!
//! > steps ≤ (n + 1) × (4 × [nodes](GlobTree::node_count) + bytes of labels / 16) + 2 × branches + patterns that are the text + 1.
//!
//! That is the ceiling for patterns made to reach it; the usual query stops at the first byte that leads nowhere. What one pattern can add to it
//! is bounded when it is parsed, by [`PatternLimits`]. A growing hash table is rebuilt now and then, and a tree that has shrunk to a quarter
//! as well: the costs of changes are those of many, on average.
//!
//! # Threads
//!
//! A tree is `Send` and `Sync` as its values are. Queries take `&self`; changes take `&mut self`, so readers beside a writer need a
//! `RwLock`, held for a query or a batch of them. Changes are short; a tree is `Clone`, but a copy costs its size.
//!
//! # Features
//!
//! `serde`: patterns are written as their dialect and text, a tree as its reserved character and its pairs. What is read is parsed, under
//! the default [`PatternLimits`].
//!
//! # When to use something else
//!
//! For a set that is built once and rarely changes, [globset](https://docs.rs/globset) has more of the shell's grammar and matches bytes
//! that are not UTF-8; for up to some hundred regular expressions, [`RegexSet`](https://docs.rs/regex) says which of them match in one pass, and
//! for "does any match" over a set that stays, nothing is faster. For literals that are looked for inside a text, use
//! [aho-corasick](https://docs.rs/aho-corasick); for exact names alone, a `HashMap`.

#![forbid(unsafe_code)]

mod error;
mod pattern;
#[cfg(feature = "serde")]
mod serde;
mod tree;

pub use error::{PatternError, PatternErrorKind};
pub use pattern::{Dialect, EXPANSION_FACTOR, Pattern, PatternLimits, Separator};
pub use tree::{Batch, GlobTree, Iter, Scratch, Values};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
