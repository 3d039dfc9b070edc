//! Patterns and texts made to be as slow as they can be, held against the ceiling that the crate's documentation gives.

use glob_tree::{Dialect, GlobTree, Pattern, PatternLimits, Scratch};

const UNLIMITED: PatternLimits =
    PatternLimits { bytes_max: usize::MAX, stars_max: usize::MAX, alternatives_max: usize::MAX };

fn glob(text: &str) -> Pattern {
    Pattern::parse(text, Dialect::Glob, &UNLIMITED).unwrap()
}

fn tree(patterns: impl IntoIterator<Item = String>) -> GlobTree<usize> {
    let mut tree = GlobTree::new();
    for (value, text) in patterns.into_iter().enumerate() {
        tree.insert(&glob(&text), value);
    }
    tree
}

/// Asks, and checks the steps against the documented ceiling. Returns them and the number of values found.
#[track_caller]
fn ask(tree: &GlobTree<usize>, text: &str) -> (u64, usize) {
    let mut found = 0;
    let steps = tree.matches(text, &mut Scratch::default(), |_| found += 1);
    // The labels of all nodes together are no longer than the patterns. These have no alternatives.
    let label_bytes: usize = tree.iter().map(|(pattern, _)| pattern.as_str().len()).sum();
    let ceiling =
        (text.len() + 1) * (4 * tree.node_count() + label_bytes / 16) + 2 * tree.pattern_count() + 1;
    assert!(steps <= ceiling as u64, "{steps} steps, at most {ceiling}");
    (steps, found)
}

/// Small enough that a walk without memory fails here, at a million steps, and not by never ending.
#[test]
fn a_few_stars_on_a_short_text() {
    let (steps, found) = ask(&tree(["*a".repeat(6) + "b"]), &"a".repeat(40));
    assert_eq!(found, 0);
    assert!(steps <= 6 * 41 * 4, "{steps}");
}

#[test]
fn one_pattern_of_many_stars() {
    for stars in [16, 500] {
        let text = "a".repeat(1024);
        let (steps, found) = ask(&tree(["*a".repeat(stars) + "b"]), &text);
        assert_eq!(found, 0);
        // Quadratic in the worst case, never more: each star looks at each position once.
        assert!(steps <= (stars * 1025 * 4) as u64, "{steps}");
        let (_, found) =
            ask(&tree(["*a".repeat(stars), "*a".repeat(stars) + "*", "a*".repeat(stars)]), &text);
        assert_eq!(found, 3);
    }
}

#[test]
fn one_pattern_alone() {
    let text = "a".repeat(4096);
    assert!(!glob(&("*a".repeat(400) + "b")).matches(&text));
    assert!(!glob(&("*?a".repeat(400) + "[b-c]")).matches(&text));
    assert!(glob(&"*a".repeat(400)).matches(&text));
    assert!(!glob(&("*".to_owned() + &"a".repeat(2000) + "b")).matches(&text));
}

#[test]
fn twenty_thousand_patterns_that_keep_every_star_alive() {
    let patterns = (0..20_000_usize).map(|number| {
        let (first, second) = (number / 141 + 1, number % 141 + 1);
        format!("*{}*{}x", "a".repeat(first), "a".repeat(second))
    });
    let tree = tree(patterns);
    let (steps, found) = ask(&tree, &"a".repeat(255));
    assert_eq!(found, 0);
    // Each of the 20,000 states at each position.
    assert!(steps <= 256 * 20_000 * 4, "{steps}");
    // And of the texts that end well, those patterns that are not too long.
    let (_, found) = ask(&tree, &("a".repeat(255) + "x"));
    assert_eq!(found, (0..20_000).filter(|number| number / 141 + number % 141 + 2 <= 255).count());
}

#[test]
fn a_thousand_writings_of_one_pattern() {
    // All end in one node, which each position of the text reaches again.
    let tree = tree((0..1000).map(|more| "*a*".to_owned() + &"*".repeat(more)));
    assert_eq!(tree.node_count(), 3);
    let (steps, found) = ask(&tree, &"a".repeat(1024));
    assert_eq!(found, 1000);
    assert!(steps <= 1025 * 4 * 3 + 2 * 1000 + 1, "{steps}");
}

#[test]
fn wildcards_in_a_row() {
    for (pattern, matching) in [
        ("*".repeat(5000), true),
        ("*?".repeat(300) + "b", false),
        ("?*".repeat(300), true),
        ("[ab]*".repeat(300) + "b", false),
        ("*[!b]".repeat(300) + "*", true),
    ] {
        let (_, found) = ask(&tree([pattern.clone()]), &"a".repeat(1024));
        assert_eq!(found, usize::from(matching), "{}", &pattern[..10]);
    }
}

#[test]
fn a_long_label_at_every_position() {
    let tree = tree((0..200).map(|number| format!("*{}b{number}", "a".repeat(800 + number))));
    let (_, found) = ask(&tree, &"a".repeat(4096));
    assert_eq!(found, 0);
}

#[test]
fn every_class_at_every_position() {
    let characters = || (b'a'..=b'z').map(char::from);
    let patterns = characters().flat_map(|first| {
        characters()
            .filter(move |last| first <= *last)
            .map(move |last| format!("*[{first}-{last}][!{last}]*é"))
    });
    let (_, found) = ask(&tree(patterns), &"am".repeat(500));
    assert_eq!(found, 0);
}

#[test]
fn tokens_that_branch_at_every_level() {
    // All 2^10 patterns of ten tokens `a` or `*`: every one of them is alive to the end.
    let mut tree = GlobTree::new();
    for number in 0..1024_usize {
        let tokens: Vec<&str> = (0..10).map(|bit| if number >> bit & 1 == 0 { "a" } else { "*" }).collect();
        tree.insert(&Pattern::subject(&tokens.join(".")).unwrap(), number);
        tree.insert(&Pattern::subject(&(tokens.join(".") + ".>")).unwrap(), number);
    }
    let (_, found) = ask(&tree, &["a"; 10].join("."));
    assert_eq!(found, 1024);
    let (_, found) = ask(&tree, &vec!["a"; 400].join("."));
    assert_eq!(found, 1024);
    let (_, found) = ask(&tree, &("a.".repeat(10) + &"b".repeat(60_000)));
    assert_eq!(found, 1024);
}

#[test]
fn a_deep_tree_is_built_walked_and_dropped_without_recursion() {
    // One node below the other, a hundred thousand deep, on a thread with hardly any stack.
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let work = || {
        let text = "a?".repeat(100_000);
        let mut tree = GlobTree::new();
        tree.insert(&glob(&text), 0);
        tree.insert(&glob(&(text.clone() + "*")), 1);
        assert!(tree.node_count() > 200_000);
        let mut found = 0;
        tree.matches(&"ab".repeat(100_000), &mut Scratch::default(), |_| found += 1);
        assert_eq!(found, 2);
        assert_eq!(tree.remove(&glob(&text), &0), Some(0));
        drop(tree);
        let nested = "{".repeat(100_000) + "a*" + &"}".repeat(100_000);
        assert!(glob(&nested).matches("ab"));
    };
    small.spawn(work).unwrap().join().unwrap();
}

#[test]
fn hostile_alternatives_cost_no_more_than_reading_them() {
    let limits = PatternLimits { bytes_max: 1 << 20, ..PatternLimits::default() };
    for text in [
        "{a,b}".repeat(200_000),
        "{a,b,".repeat(100_000) + &"}".repeat(100_000),
        "{".to_owned() + &",".repeat(1_000_000) + "}",
        "{{a,b}{c,d}".repeat(50_000) + &"}".repeat(50_000),
    ] {
        assert!(Pattern::parse(&text, Dialect::Glob, &limits).is_err());
    }
}
