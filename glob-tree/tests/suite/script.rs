//! A script of operations on a tree, read from bytes, each checked against a list of pairs. Random bytes make a random test of it, and the
//! fuzzer's bytes a fuzz target (`fuzz/fuzz_targets/trees.rs`).
//!
//! Every query is also held against the ceiling of steps that the crate's documentation gives.

use glob_tree::{Batch, Dialect, GlobTree, Pattern, PatternLimits, Scratch, Separator};

/// What says whether a pattern matches a text, in a tree with this reserved character.
pub(crate) type Matcher = fn(&Pattern, &str, Option<char>) -> bool;

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
    let mut run = Run {
        tree: reserved.map_or_else(GlobTree::new, GlobTree::with_reserved),
        pairs: Vec::new(),
        patterns: Vec::new(),
        reserved,
        scratch: Scratch::default(),
        parts_max,
        matcher,
    };
    let mut operations = 0;
    while let Some(operation) = script.next() {
        operations += 1;
        run.operation(operation, &mut script);
    }
    run.end();
    operations
}

struct Run {
    tree: GlobTree<u8>,
    pairs: Vec<(Pattern, u8)>,
    /// Those that were ever inserted.
    patterns: Vec<Pattern>,
    reserved: Option<char>,
    scratch: Scratch,
    /// How long patterns and texts may be.
    parts_max: usize,
    matcher: Matcher,
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
                        self.insert(&pattern, value);
                    }
                    Ok(_) => {}
                    Err(error) => assert!(error.offset <= text.len() && !error.to_string().is_empty()),
                }
            }
            4..8 => {
                if let Some(pattern) = self.chosen(chosen) {
                    self.insert(&pattern, value);
                }
            }
            8..12 => {
                if let Some(pattern) = self.chosen(chosen) {
                    self.remove(&pattern, value);
                }
            }
            _ => {
                let text = written(&TEXT_PARTS, self.parts_max, script);
                self.ask(&text);
            }
        }
        assert_eq!((self.tree.len(), self.tree.is_empty()), (self.pairs.len(), self.pairs.is_empty()));
    }

    fn chosen(&self, number: usize) -> Option<Pattern> {
        self.patterns.get(number % self.patterns.len().max(1)).cloned()
    }

    fn find(&self, pattern: &Pattern, value: u8) -> Option<usize> {
        self.pairs.iter().position(|(own, own_value)| *own_value == value && own == pattern)
    }

    fn insert(&mut self, pattern: &Pattern, value: u8) {
        let new = self.find(pattern, value).is_none();
        assert_eq!(self.tree.contains(pattern, &value), !new);
        assert_eq!(self.tree.insert(pattern, value), new, "{pattern:?}");
        if new {
            self.pairs.push((pattern.clone(), value));
        }
    }

    fn remove(&mut self, pattern: &Pattern, value: u8) {
        let at = self.find(pattern, value);
        assert_eq!(self.tree.remove(pattern, &value), at.map(|_| value), "{pattern:?}");
        at.map(|at| self.pairs.swap_remove(at));
        assert!(!self.tree.contains(pattern, &value));
    }

    fn ask(&mut self, text: &str) {
        let mut found: Vec<u8> = Vec::new();
        let steps = self.tree.matches_into(text, &mut self.scratch, &mut found);
        found.sort_unstable();
        let matching = self.pairs.iter().filter(|(pattern, _)| (self.matcher)(pattern, text, self.reserved));
        let mut expected: Vec<u8> = matching.map(|(_, value)| *value).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text:?} against {:?}", self.pairs);
        assert_eq!(self.tree.is_match(text, &mut self.scratch), !expected.is_empty());
        self.hold_against_ceiling(steps, text, expected.len());

        let batch: Batch = ["a", text, "b.a"].into_iter().collect();
        let mut found = Vec::new();
        self.tree.matches_batch(&batch, &mut self.scratch, |at, value| found.push((at, *value)));
        found.retain(|(at, _)| *at == 1);
        found.sort_unstable();
        assert!(found.iter().map(|found| found.1).eq(expected), "{text:?} in a batch");
    }

    /// The documentation's ceiling, with what the labels and the branches can be at most.
    fn hold_against_ceiling(&self, steps: u64, text: &str, found: usize) {
        let combinations = |pattern: &Pattern| if pattern.as_str().contains('{') { 64 } else { 1 };
        let branches: usize = self.pairs.iter().map(|(pattern, _)| combinations(pattern)).sum();
        let label_bytes: usize =
            self.pairs.iter().map(|(pattern, _)| combinations(pattern) * pattern.as_str().len()).sum();
        let ceiling =
            (text.len() + 1) * (4 * self.tree.node_count() + label_bytes / 16) + 2 * branches + found + 1;
        assert!(steps <= ceiling as u64, "{steps} steps, at most {ceiling}: {text:?} in {:?}", self.pairs);
    }

    fn end(mut self) {
        let mut fresh = GlobTree::new();
        for (pattern, value) in &self.pairs {
            fresh.insert(pattern, *value);
        }
        assert_eq!(self.tree.node_count(), fresh.node_count(), "{:?}", self.pairs);
        assert_eq!(self.tree.iter().count(), self.pairs.len());
        while let Some((pattern, value)) = self.pairs.first().cloned() {
            self.remove(&pattern, value);
        }
        assert_eq!((self.tree.len(), self.tree.pattern_count(), self.tree.node_count()), (0, 0, 0));
    }
}

/// Some of the parts, one behind the other.
fn written(parts: &[&str], parts_max: usize, script: &mut impl Iterator<Item = u8>) -> String {
    let count = usize::from(script.next().unwrap_or(0)) % (parts_max + 1);
    script.take(count).map(|part| parts[usize::from(part) % parts.len()]).collect()
}
