//! Every row of `tests/vectors/patterns.json`: one pattern alone, one in a tree, all in one tree, and the oracle.

use glob_tree::{Dialect, GlobTree, Pattern, PatternErrorKind, PatternLimits, Scratch};
use serde::Deserialize;

use crate::oracle;

#[derive(Deserialize)]
struct Vectors {
    glob: Cases,
    subject: Cases,
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<(String, String, bool)>,
    #[serde(default)]
    invalid_subjects: Vec<String>,
}

/// A row: the pattern, the text, and whether it matches in a tree with `!` reserved.
type Row = (Pattern, String, bool);

fn rows() -> Vec<Row> {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/patterns.json")).unwrap();
    let dialects = [(Dialect::Glob, vectors.glob.cases), (Dialect::Subject, vectors.subject.cases)];
    let mut rows = Vec::new();
    for (dialect, cases) in dialects {
        for (pattern, text, expected) in cases {
            // The file's note: the broker refuses the empty pattern; this crate matches empty to empty.
            let expected = expected || (pattern.is_empty() && text.is_empty());
            rows.push((
                Pattern::parse(&pattern, dialect, &PatternLimits::default()).unwrap(),
                text,
                expected,
            ));
        }
    }
    rows
}

#[test]
fn each_row_in_a_tree_of_its_own() {
    let (rows, mut scratch) = (rows(), Scratch::default());
    assert_eq!(rows.len(), 70, "a row was added or lost: check that it is one of these tests' kind");
    for (pattern, text, expected) in rows {
        let mut tree = GlobTree::with_reserved('!');
        tree.insert(&pattern, ());
        let mut found = 0;
        tree.matches(&text, &mut scratch, |()| found += 1);
        assert_eq!(found, usize::from(expected), "{pattern:?} on {text:?}");
        assert_eq!(tree.is_match(&text, &mut scratch), expected, "{pattern:?} on {text:?}");
        let hidden = text.starts_with('!') && pattern.begins_with_wildcard();
        assert_eq!(pattern.matches(&text) && !hidden, expected, "{pattern:?} alone on {text:?}");
        assert_eq!(oracle::matches(&pattern, &text, Some('!')), expected, "oracle: {pattern:?} on {text:?}");
    }
}

#[test]
fn all_rows_in_one_tree() {
    let (rows, mut scratch) = (rows(), Scratch::default());
    let mut tree = GlobTree::with_reserved('!');
    for (pattern, _, _) in &rows {
        tree.insert(pattern, pattern.clone());
    }
    for (pattern, text, expected) in &rows {
        let mut found = Vec::new();
        tree.matches(text, &mut scratch, |value| found.push(value.clone()));
        assert_eq!(found.contains(pattern), *expected, "{pattern:?} on {text:?}");
        for pattern in tree.iter().map(|(pattern, _)| pattern) {
            let times = usize::from(oracle::matches(pattern, text, Some('!')));
            assert_eq!(
                found.iter().filter(|value| *value == pattern).count(),
                times,
                "{pattern:?} on {text:?}"
            );
        }
    }
}

#[test]
fn invalid_subjects_are_refused() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/patterns.json")).unwrap();
    assert_eq!(vectors.subject.invalid_subjects.len(), 6);
    for text in vectors.subject.invalid_subjects {
        // One of the entries is a sentence about a pattern.
        let (text, kind) = match text.split_once(" is invalid") {
            Some((text, _)) => (text.to_owned(), PatternErrorKind::TailNotLast),
            None if text.contains(' ') => (text, PatternErrorKind::Whitespace { found: ' ' }),
            None => (text, PatternErrorKind::EmptyToken),
        };
        assert_eq!(Pattern::subject(&text).unwrap_err().kind, kind, "{text:?}");
    }
}
