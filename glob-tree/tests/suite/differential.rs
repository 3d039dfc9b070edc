//! Against globset, on what both grammars mean alike: globs without separators against `literal_separator(false)` and paths against
//! `literal_separator(true)`, without the doubled stars and the classes that globset reads in its own way (see the rows of
//! `where_the_grammars_part`).

use glob_tree::{Dialect, GlobTree, Pattern, PatternLimits, Scratch, Separator};
use globset::{GlobBuilder, GlobMatcher};
use proptest::prelude::*;

fn globset(text: &str, literal_separator: bool) -> GlobMatcher {
    let mut builder = GlobBuilder::new(text);
    builder.literal_separator(literal_separator).backslash_escape(true).empty_alternates(true);
    builder.build().unwrap().compile_matcher()
}

fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "x.", "?", "*", "[ab]", "[!b]", "[a-x]", r"\*", r"\{", r"\\"])
        .prop_map(str::to_owned)
}

/// Parts without two stars in a row, also where the alternatives of a group meet what is around it.
fn sequence(part: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let group = prop::collection::vec(prop::sample::select(vec!["", "a", "b?", "x.", "a*b", "[ab]x"]), 1..4)
        .prop_map(|alternatives| format!("{{{}}}", alternatives.join(",")));
    prop::collection::vec(prop_oneof![4 => part, 1 => group], 0..6).prop_map(|parts| {
        let mut text = parts.concat();
        while text.contains("**") {
            text = text.replace("**", "*");
        }
        text
    })
}

/// Components between slashes, some of which are `**`.
fn path() -> impl Strategy<Value = String> {
    let leaf = leaf().prop_map(|text| text.replace("[!b]", "[a]"));
    let component = prop_oneof![3 => sequence(leaf), 1 => Just("**".to_owned())];
    prop::collection::vec(component, 1..5).prop_map(|components| components.join("/"))
}

fn text(separator: &'static str) -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "a", "b", "ab", ".", "x.", "*", "{", separator, separator]);
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Both engines on all texts; the pattern alone and in a tree.
#[track_caller]
fn check(pattern: &str, dialect: Dialect, texts: &[String]) {
    let Ok(parsed) = Pattern::parse(pattern, dialect, &PatternLimits::default()) else { return };
    let theirs = globset(pattern, matches!(dialect, Dialect::Path(_)));
    let mut tree = GlobTree::new();
    tree.insert(&parsed, ());
    for text in texts {
        let expected = theirs.is_match(text);
        assert_eq!(parsed.matches(text), expected, "{pattern:?} on {text:?}, {dialect:?}");
        assert_eq!(
            tree.is_match(text, &mut Scratch::default()),
            expected,
            "{pattern:?} on {text:?} in a tree"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn globs_mean_what_globset_means(pattern in sequence(leaf()), texts in prop::collection::vec(text("a"), 12)) {
        check(&pattern, Dialect::Glob, &texts);
    }

    #[test]
    fn paths_mean_what_globset_means(pattern in path().prop_filter("see below", |text| !text.replace("**/", "").is_empty()), texts in prop::collection::vec(text("/"), 12)) {
        check(&pattern, Dialect::Path(Separator::SLASH), &texts);
    }
}

/// What the grammars do not mean alike: this crate's reading first.
#[test]
fn where_the_grammars_part() {
    let slash = Dialect::Path(Separator::SLASH);
    for (pattern, dialect, text, ours) in [
        // A character is a Unicode scalar value here, a byte there.
        ("?", Dialect::Glob, "é", true),
        ("[!b]", Dialect::Glob, "é", true),
        // Without separators `**` is `*` here, and has its meaning between slashes there.
        ("a/**/b", Dialect::Glob, "a/b", false),
        // A class never matches the separator here, one that is negated does there.
        ("a[!b]c", slash, "a/c", false),
        // Directories with nothing behind them end in a slash here, and are anything there.
        ("**/", slash, "a", false),
    ] {
        let theirs = globset(pattern, dialect != Dialect::Glob).is_match(text);
        let parsed = Pattern::parse(pattern, dialect, &PatternLimits::default()).unwrap();
        assert_eq!((parsed.matches(text), theirs), (ours, !ours), "{pattern} on {text}");
    }
}
