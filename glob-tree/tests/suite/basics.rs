//! The map: what insert, remove, contains and the iterators say.

use glob_tree::{GlobTree, Pattern, Scratch};

fn glob(text: &str) -> Pattern {
    Pattern::glob(text).unwrap()
}

fn found<'t>(tree: &'t GlobTree<&'static str>, text: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    tree.matches(text, &mut Scratch::default(), |value| found.push(*value));
    found.sort_unstable();
    found
}

#[test]
fn a_pair_is_there_once() {
    let mut tree = GlobTree::new();
    for pattern in [glob("a"), glob("a*"), glob("{a,b}")] {
        assert!(tree.insert(&pattern, "x"));
        assert!(!tree.insert(&pattern, "x"));
        assert!(tree.insert(&pattern, "y"));
        assert!(tree.contains(&pattern, &"x") && !tree.contains(&pattern, &"z"));
        assert_eq!(tree.remove(&pattern, &"z"), None);
    }
    assert_eq!((tree.len(), tree.pattern_count(), tree.is_empty()), (6, 3, false));
    assert_eq!(found(&tree, "a"), ["x", "x", "x", "y", "y", "y"]);
    assert_eq!(tree.remove(&glob("a*"), &"x"), Some("x"));
    assert_eq!(tree.remove(&glob("a*"), &"x"), None);
    assert_eq!(found(&tree, "a"), ["x", "x", "y", "y", "y"]);
}

#[test]
fn patterns_of_one_meaning_are_apart() {
    let mut tree = GlobTree::new();
    let patterns = [
        glob("a*"),
        glob("a**"),
        glob("[a]*"),
        glob("{a}*"),
        glob("{a,a}*"),
        glob(r"\a*"),
        glob("a"),
        glob(r"\a"),
    ];
    for pattern in &patterns {
        assert!(tree.insert(pattern, "x"));
    }
    assert!(tree.insert(&Pattern::subject("a").unwrap(), "x"));
    assert_eq!(found(&tree, "a").len(), 9);
    for (removed, pattern) in (1..).zip(&patterns) {
        assert_eq!(tree.remove(pattern, &"x"), Some("x"));
        assert_eq!(found(&tree, "a").len(), 9 - removed, "{pattern}");
    }
}

#[test]
fn alternatives_that_match_twice_are_visited_once() {
    let mut tree = GlobTree::new();
    tree.insert(&glob("{a,*a,?,*,[a-c]}{,*}"), "x");
    assert_eq!(found(&tree, "a"), ["x"]);
    assert_eq!(found(&tree, "aaaa"), ["x"]);
}

#[test]
fn the_reserved_character_hides_a_text_from_what_begins_with_a_wildcard() {
    let mut tree = GlobTree::with_reserved('é');
    for text in ["*", "?a", "[!x]a", "{é,x}a", "{é}a", "éa", "é*", r"\éa", "é{a,b}"] {
        tree.insert(&glob(text), text);
    }
    for text in ["*", ">"] {
        tree.insert(&Pattern::subject(text).unwrap(), text);
    }
    assert_eq!(found(&tree, "éa"), [r"\éa", "é*", "éa", "é{a,b}"]);
    assert_eq!(found(&tree, "xa"), ["*", "*", ">", "?a", "{é,x}a"]);
    assert_eq!(found(&tree, "èa"), ["*", "*", ">", "?a", "[!x]a"], "one byte in common is not the character");
}

/// Cause: `**/` at the beginning of an alternative was directories also in the middle of a component, `b{**/,x}`. Begun at a later place of the same
/// component they led to a node to the left of where others had led to before. Effect: the tree, which follows a run once, took it for covered
/// and missed a match (found by the fuzzer; the pattern alone was right). Fix: an alternative begins a component where its group does.
#[test]
fn alternatives_begin_a_component_where_their_group_does() {
    for (pattern, text, expected) in [
        ("*b{**/}[a-é]*/*", "b*bb/è", false),
        ("*b{**/}[a-é]*/*", "bb/è/x", true),
        ("*b{**/,x}y", "bab/y", true),
        ("*b{**/,x}y", "b/a/y", false),
        ("*/{**/,x}[a-é]*/*", "b/b/bb/è", true),
        ("a/{{**/,b}c,d}", "a/x/y/c", true),
        ("{a,a/}{**/}c", "ab/c", true),
        ("{a,a/}{**/}c", "a/b/c", true),
        ("{a,a/}{**/}c", "a/b/x/c", false),
        ("a{**}", "ab/c", false),
    ] {
        let pattern = Pattern::path(pattern).unwrap();
        assert_eq!(pattern.matches(text), expected, "{pattern} alone on {text}");
        let mut tree = GlobTree::new();
        tree.insert(&pattern, "it");
        assert_eq!(!found(&tree, text).is_empty(), expected, "{pattern} on {text}");
    }
}

#[test]
fn iterators_give_every_pair() {
    let mut tree = GlobTree::new();
    let pairs = [("a", 1), ("a", 2), ("b*", 1), ("{c,d}", 3)];
    for (text, value) in pairs {
        tree.insert(&glob(text), value);
    }
    tree.insert(&glob("gone"), 1);
    tree.remove(&glob("gone"), &1);
    assert_eq!(tree.iter().len(), 4);
    let mut listed: Vec<_> = tree.iter().map(|(pattern, value)| (pattern.as_str(), *value)).collect();
    listed.sort_unstable();
    assert_eq!(listed, pairs);
    assert_eq!((&tree).into_iter().count(), 4);
    assert_eq!(tree.values_of(&glob("a")).collect::<Vec<_>>(), [&1, &2]);
    assert_eq!(tree.values_of(&glob("gone")).len(), 0);
}

#[test]
fn is_match_stops_at_the_first_and_matches_counts_steps() {
    let mut tree = GlobTree::new();
    let mut scratch = Scratch::default();
    assert!(!tree.is_match("", &mut scratch));
    tree.insert(&glob(""), 0);
    assert!(tree.is_match("", &mut scratch) && !tree.is_match("a", &mut scratch));
    tree.insert(&glob("a*"), 1);
    assert!(tree.is_match("abc", &mut scratch) && !tree.is_match("bc", &mut scratch));
    let short = tree.matches("a", &mut scratch, |_| {});
    tree.insert(&glob("*c*"), 2);
    let long = tree.matches("abcabcabc", &mut scratch, |_| {});
    assert!(0 < short && short < long, "{short} {long}");
}

#[test]
fn threads_share_a_tree() {
    let mut tree = GlobTree::new();
    tree.insert(&glob("*a*"), "x");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(found(&tree, "bab"), ["x"]));
        }
    });
}
