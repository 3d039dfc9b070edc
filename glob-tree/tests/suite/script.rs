//! A script of operations on a tree, read from bytes, each checked against a list of pairs (`beside.rs`). Random bytes make a random test of it, and the
//! fuzzer's bytes a fuzz target (`fuzz/fuzz_targets/trees.rs`).
//!
//! Every query is also held against the ceiling of steps that the crate's documentation gives.

use glob_tree::{Dialect, Pattern, PatternLimits, Separator};

use super::beside::{Beside, Matcher};

/// Parts of which patterns and texts are made. Few characters, so that what is rare in life is common here.
const PARTS: [&str; 32] = [
    "a",
    "b",
    "a",
    "é",
    "è",
    ".",
    "/",
    "!",
    "*",
    "*",
    "**",
    "?",
    "{",
    ",",
    "}",
    "[ab]",
    "[!a]",
    "[a-é]",
    "\\",
    ">",
    ".*",
    "*.",
    "/*",
    "*/",
    "**/",
    "/**",
    "ab",
    "aaaaaaaaaaaaaaaab",
    "{a,b}",
    "{a,*b,}",
    "{/,**/}",
    "a*",
];
/// Texts have none of the expensive ones, so that the obvious matcher comes to an end.
const TEXT_PARTS: [&str; 12] =
    ["a", "b", "é", "è", ".", "/", "!", "ab", "*", "a.b", "/a", "aaaaaaaaaaaaaaaab"];
const PATTERNS_MAX: usize = 40;
const VALUES: u8 = 12;

/// Runs a script: how many operations it had.
pub(crate) fn run(script: &[u8], parts_max: usize, matcher: Matcher) -> usize {
    let mut script = script.iter().copied();
    let Some(first) = script.next() else { return 0 };
    let reserved = (first & 1 == 1).then_some('!');
    let alternatives_max = PatternLimits::default().alternatives_max;
    let beside = Beside::new(reserved, alternatives_max, matcher);
    let mut run = Run { beside, patterns: Vec::new(), parts_max };
    let mut operations = 0;
    while let Some(operation) = script.next() {
        operations += 1;
        run.operation(operation, &mut script);
    }
    run.beside.end();
    operations
}

struct Run {
    beside: Beside,
    /// Those that were ever inserted.
    patterns: Vec<Pattern>,
    /// How long patterns and texts may be.
    parts_max: usize,
}

impl Run {
    fn operation(&mut self, operation: u8, script: &mut impl Iterator<Item = u8>) {
        let mut next = || script.next().unwrap_or(0);
        let chosen = usize::from(next());
        let value = next() % VALUES;
        match operation % 16 {
            0..4 => {
                let dialect = match chosen % 4 {
                    0 => Dialect::Glob,
                    1 => Dialect::Subject,
                    2 => Dialect::Path(Separator::SLASH),
                    _ => Dialect::Path(Separator::DOT),
                };
                let text = written(&PARTS, self.parts_max, script);
                match Pattern::parse(&text, dialect, &PatternLimits::default()) {
                    Ok(pattern) if self.patterns.len() < PATTERNS_MAX => {
                        self.patterns.push(pattern.clone());
                        self.beside.insert(&pattern, value);
                    }
                    Ok(_) => {}
                    Err(error) => assert!(error.offset <= text.len() && !error.to_string().is_empty()),
                }
            }
            4..8 => {
                if let Some(pattern) = self.chosen(chosen) {
                    self.beside.insert(&pattern, value);
                }
            }
            8..12 => {
                if let Some(pattern) = self.chosen(chosen) {
                    self.beside.remove(&pattern, value);
                }
            }
            _ => self.beside.ask(&written(&TEXT_PARTS, self.parts_max, script)),
        }
    }

    fn chosen(&self, number: usize) -> Option<Pattern> {
        self.patterns.get(number % self.patterns.len().max(1)).cloned()
    }
}

/// Some of the parts, one behind the other.
fn written(parts: &[&str], parts_max: usize, script: &mut impl Iterator<Item = u8>) -> String {
    let count = usize::from(script.next().unwrap_or(0)) % (parts_max + 1);
    script.take(count).map(|part| parts[usize::from(part) % parts.len()]).collect()
}
