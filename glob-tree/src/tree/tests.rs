//! What can only be seen from inside: memory that is given back, and memory that is not asked for.

use super::change::REBUILD_SPARSITY;
use super::*;

fn mixed(number: usize) -> Pattern {
    let text = match number % 8 {
        5 => format!("*/suffix/{number}"),
        0 => format!("exact/{number}"),
        1 => format!("prefix/{number}/*"),
        2 => format!("*{number}*"),
        3 => format!("{{a,b{number}}}?*x"),
        4 => format!("[a-f]{number}*y*z"),
        6 => return Pattern::subject(&format!("a.{number}.*")).unwrap(),
        _ => return Pattern::subject(&format!("a.*.{number}.>")).unwrap(),
    };
    Pattern::glob(&text).unwrap()
}

#[track_caller]
fn assert_nothing_is_left<V>(tree: &GlobTree<V>) {
    assert_eq!((tree.len(), tree.pattern_count(), tree.node_count()), (0, 0, 0));
    assert_eq!((tree.entries.capacity(), tree.trie.nodes.capacity()), (0, 0));
    assert_eq!((tree.index.capacity(), tree.exact.capacity(), tree.suffixes.nodes.capacity()), (0, 0, 0));
    assert_eq!(tree.families.capacity(), 0);
    assert_eq!((tree.marks.slot_count(), tree.trie.marks.slot_count()), (0, 0));
}

#[test]
fn an_empty_tree_has_no_memory() {
    let mut tree = GlobTree::with_reserved('!');
    assert_nothing_is_left(&tree);
    // In the order of insertion, and in the opposite one.
    for backwards in [false, true] {
        for number in 0..3000 {
            assert!(tree.insert(&mixed(number), number));
            assert!(tree.insert(&mixed(number), number + 1));
        }
        assert_eq!((tree.len(), tree.pattern_count()), (6000, 3000));
        for at in 0..3000 {
            let number = if backwards { 2999 - at } else { at };
            assert_eq!(tree.remove(&mixed(number), &number), Some(number));
            assert_eq!(tree.remove(&mixed(number), &number), None);
            assert_eq!(tree.remove(&mixed(number), &(number + 1)), Some(number + 1));
        }
        assert_nothing_is_left(&tree);
    }
    assert_eq!(tree.reserved, Some('!'), "what was set outlives the patterns");
}

#[test]
fn a_tree_that_shrank_gives_back_what_it_does_not_use() {
    let mut tree = GlobTree::new();
    for number in 0..12_000 {
        tree.insert(&mixed(number), ());
    }
    for number in 500..12_000 {
        tree.remove(&mixed(number), &());
    }
    assert_eq!(tree.len(), 500);
    let mut fresh = GlobTree::new();
    for number in 0..500 {
        fresh.insert(&mixed(number), ());
        assert!(tree.contains(&mixed(number), &()));
    }
    assert_eq!(tree.node_count(), fresh.node_count());
    assert!(tree.entries.slot_count() < 500 * REBUILD_SPARSITY, "{}", tree.entries.slot_count());
    assert!(tree.trie.nodes.slot_count() < tree.node_count() * REBUILD_SPARSITY);
}

#[test]
fn wildcard_patterns_give_back_though_exact_ones_stay() {
    let mut tree = GlobTree::new();
    for number in 0..6000 {
        tree.insert(&Pattern::glob(&format!("exact/{number}")).unwrap(), ());
        tree.insert(&Pattern::glob(&format!("prefix/{number}/*")).unwrap(), ());
    }
    let slots = tree.trie.nodes.slot_count();
    for number in 0..5900 {
        tree.remove(&Pattern::glob(&format!("prefix/{number}/*")).unwrap(), &());
    }
    assert_eq!(tree.len(), 6100);
    assert!(tree.trie.nodes.slot_count() < slots / REBUILD_SPARSITY, "{}", tree.trie.nodes.slot_count());
}

#[test]
fn many_values_of_one_pattern_give_back_too() {
    let mut tree = GlobTree::new();
    let pattern = mixed(1);
    for value in 0..1000 {
        tree.insert(&pattern, value);
    }
    for value in 1..1000 {
        assert_eq!(tree.remove(&pattern, &value), Some(value));
    }
    assert_eq!(tree.values_of(&pattern).collect::<Vec<_>>(), [&0]);
    assert!(tree.entry(&pattern).unwrap().values.capacity() <= REBUILD_SPARSITY);
}

#[test]
fn a_warm_scratch_asks_for_no_memory() {
    let mut tree = GlobTree::new();
    for number in 0..3000 {
        tree.insert(&mixed(number), number);
    }
    let texts: Vec<String> = (0..500).map(|at| format!("a{at}/prefix/{at}/1y2z3.{at}.x")).collect();
    let mut scratch = Scratch::default();
    let ask = |scratch: &mut Scratch| {
        let mut found = 0;
        for text in &texts {
            tree.matches(text, scratch, |_| found += 1);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        tree.matches_each(&texts, scratch, |_, _| found += 1);
        found
    };
    let cold = ask(&mut scratch);
    assert!(cold > 500, "{cold}");
    let capacity = scratch.capacity();
    assert_eq!(ask(&mut scratch), cold);
    assert_eq!(scratch.capacity(), capacity);
}

/// Parents are in a table up to a depth, and deeper ones in the trie: nobody may notice where that ends.
#[test]
fn parents_of_any_depth_are_found() {
    let patterns: Vec<Pattern> = (1..12)
        .flat_map(|depth| {
            ["*", ">"].map(|last| Pattern::subject(&format!("{}{last}", "a.".repeat(depth))).unwrap())
        })
        .collect();
    let mut tree = GlobTree::new();
    for pattern in &patterns {
        tree.insert(pattern, pattern.as_str());
    }
    assert!(tree.families.capacity() > 0 && tree.node_count() > 0);
    let texts: Vec<String> =
        (0..16).flat_map(|depth| ["", "b", "a.b"].map(|last| "a.".repeat(depth) + last)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut scratch = Scratch::default();
    let mut together = vec![Vec::new(); texts.len()];
    tree.matches_each(&texts, &mut scratch, |at, value| together[at].push(*value));
    for (text, together) in texts.iter().zip(&mut together) {
        let mut alone = Vec::new();
        tree.matches_into(text, &mut scratch, &mut alone);
        for found in [&mut alone, together] {
            found.sort_unstable();
            let mut expected: Vec<&str> =
                patterns.iter().filter(|pattern| pattern.matches(text)).map(Pattern::as_str).collect();
            expected.sort_unstable();
            assert_eq!(*found, expected, "{text:?}");
        }
        assert_eq!(tree.is_match(text, &mut scratch), !alone.is_empty(), "{text:?}");
    }
    for pattern in &patterns {
        assert_eq!(tree.remove(pattern, &pattern.as_str()), Some(pattern.as_str()));
    }
    assert_nothing_is_left(&tree);
}

#[test]
fn a_scratch_serves_several_trees_in_turn() {
    let mut scratch = Scratch::default();
    let mut trees = [GlobTree::new(), GlobTree::new()];
    // The same mark numbers in both: nested stars and alternatives.
    for (tree, text) in trees.iter_mut().zip(["{a,*a}*a*a*", "{b,*b}*b*b*"]) {
        tree.insert(&Pattern::glob(text).unwrap(), text);
    }
    for _ in 0..10 {
        let mut found = Vec::new();
        for tree in &trees {
            tree.matches("abababab", &mut scratch, |value| found.push(*value));
        }
        assert_eq!(found, ["{a,*a}*a*a*", "{b,*b}*b*b*"]);
    }
}

#[test]
fn a_visitor_that_panics_leaves_a_scratch_that_works() {
    let mut tree = GlobTree::new();
    for text in ["*a*", "*b*c", "?*", "a*c"] {
        tree.insert(&Pattern::glob(text).unwrap(), text);
    }
    let mut scratch = Scratch::default();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tree.matches("abc", &mut scratch, |_| panic!("on purpose"));
    }));
    assert!(unwound.is_err());
    let mut found = Vec::new();
    tree.matches("xc", &mut scratch, |value| found.push(*value));
    assert_eq!(found, ["?*"]);
}
