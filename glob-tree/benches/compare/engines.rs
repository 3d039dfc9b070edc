//! What is compared: this crate, globset, a set of regexes, and a loop over all patterns.

use glob_tree::{Dialect, GlobTree, Pattern, PatternLimits, Scratch};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{RegexSet, RegexSetBuilder};

/// A set of regexes may take this much memory, and its cache of states this much: far more than by default, in its favour.
const REGEX_BYTES_MAX: usize = 4 << 30;
const REGEX_CACHE_BYTES_MAX: usize = 512 << 20;

pub(crate) type Patterns = [(String, Dialect)];

/// One engine with a set of patterns in it.
pub(crate) enum Engine {
    Tree(Box<(GlobTree<u32>, Scratch)>),
    Globset(GlobSet, Vec<usize>),
    Regexes(RegexSet),
    Naive(Vec<Pattern>),
}

pub(crate) const NAMES: [&str; 4] = ["glob-tree", "globset", "RegexSet", "loop"];

impl Engine {
    /// The engine with this place in [`NAMES`]; `None` if it does not take these patterns.
    pub(crate) fn build(name: &str, patterns: &Patterns) -> Option<Self> {
        match name {
            "glob-tree" => Some(Self::Tree(Box::new((tree(patterns), Scratch::default())))),
            "globset" => {
                let mut builder = GlobSetBuilder::new();
                for (text, dialect) in patterns {
                    let glob = (*dialect == Dialect::Glob).then(|| GlobBuilder::new(text).build().ok())??;
                    builder.add(glob);
                }
                Some(Self::Globset(builder.build().ok()?, Vec::new()))
            }
            "RegexSet" => {
                let regexes = patterns.iter().map(|(text, dialect)| regex(text, *dialect));
                let mut builder = RegexSetBuilder::new(regexes);
                builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_CACHE_BYTES_MAX);
                builder.build().ok().map(Self::Regexes)
            }
            _ => Some(Self::Naive(patterns.iter().map(parse).collect())),
        }
    }

    /// How many patterns match.
    pub(crate) fn all(&mut self, text: &str) -> usize {
        match self {
            Self::Tree(tree) => {
                let (tree, scratch) = &mut **tree;
                let mut found = 0;
                tree.matches(text, scratch, |value| found += usize::from(*value != u32::MAX));
                found
            }
            Self::Globset(set, found) => {
                set.matches_into(text, found);
                found.len()
            }
            Self::Regexes(set) => set.matches(text).iter().count(),
            Self::Naive(patterns) => patterns.iter().filter(|pattern| pattern.matches(text)).count(),
        }
    }

    /// Whether any does.
    pub(crate) fn any(&mut self, text: &str) -> bool {
        match self {
            Self::Tree(tree) => {
                let (tree, scratch) = &mut **tree;
                tree.is_match(text, scratch)
            }
            Self::Globset(set, _) => set.is_match(text),
            Self::Regexes(set) => set.is_match(text),
            Self::Naive(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
        }
    }
}

pub(crate) fn parse((text, dialect): &(String, Dialect)) -> Pattern {
    Pattern::parse(text, *dialect, &PatternLimits::default()).expect("a pattern of the workload")
}

pub(crate) fn tree(patterns: &Patterns) -> GlobTree<u32> {
    let mut tree = GlobTree::new();
    for (value, pattern) in (0..).zip(patterns) {
        tree.insert(&parse(pattern), value);
    }
    tree
}

fn regex(text: &str, dialect: Dialect) -> String {
    let mut regex = "(?s)^".to_owned();
    for part in text.split_inclusive(['*', '?', '>']) {
        let literal = part.trim_end_matches(['*', '?', '>']);
        regex.push_str(&regex::escape(literal));
        regex.push_str(match (dialect, part.get(literal.len()..)) {
            (_, None | Some("")) => "",
            (Dialect::Subject, Some(">")) => ".+",
            (Dialect::Subject, _) => "[^.]+",
            (_, Some("?")) => ".",
            _ => ".*",
        });
    }
    regex + "$"
}
