//! The tree against a list of pairs and the obvious matcher: random operations on small alphabets, both dialects, with removes in
//! between, and at the end everything removed.
//!
//! Small alphabets make what is rare in life common here: shared prefixes, characters that share bytes (`é`, `è`), nested stars,
//! alternatives that match twice.

use glob_tree::{Dialect, GlobTree, Pattern, PatternLimits, Scratch, Separator};
use proptest::prelude::*;

use crate::beside::Beside;
use crate::oracle;

const RESERVED: char = '!';
const ALTERNATIVES_MAX: usize = 4096;

/// A valid glob: from its parts, so that alternatives and classes are common.
fn glob() -> impl Strategy<Value = String> {
    let class_member = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", ".", "!", "é", "-", "^", ",", "{", r"\]", r"\-", r"\\"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["a-b", "b-é", "!-.", "a-a", r"\--a"]).prop_map(str::to_owned),
    ];
    // A member before a lone `-` could make a reversed range of it: `-` last is the only place where it is safe.
    let class = (any::<bool>(), prop::collection::vec(class_member, 1..4)).prop_map(|(negated, members)| {
        let (dashes, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| member == "-");
        let body: String = others.into_iter().skip_while(|member| !negated && member == "!").collect();
        let body = if body.is_empty() && dashes.is_empty() { "a".to_owned() } else { body };
        format!("[{}{body}{}]", if negated { "!" } else { "" }, if dashes.is_empty() { "" } else { "-" })
    });
    let leaf = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", ".", "!", "é", "è", "ab", "aa"]).prop_map(str::to_owned),
        4 => Just("*".to_owned()),
        2 => Just("?".to_owned()),
        1 => prop::sample::select(vec![r"\*", r"\{", r"\a", r"\!", "]"]).prop_map(str::to_owned),
        2 => class,
    ];
    let sequence = prop::collection::vec(leaf, 0..5).prop_map(|parts| parts.concat());
    sequence.prop_recursive(2, 12, 3, |inner| {
        let group =
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("{{{}}}", parts.join(",")));
        (inner.clone(), group, inner).prop_map(|(before, group, behind)| [before, group, behind].concat())
    })
}

fn subject() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "b", "ab", "é", "!", "*", "*", "a*", "[a]", "{a,b}", "*a"]);
    (prop::collection::vec(token, 1..5), any::<bool>()).prop_map(|(mut tokens, tail)| {
        if tail {
            tokens.push(">");
        }
        tokens.join(".")
    })
}

/// A glob with more separators and doubled stars, of which most are whole components.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(vec!["**/", "**", "*/", "/**/", "/", "*", "a*", "*a/", "{**/a,b}", "{a/,**}/", "{a,b/**}"]).prop_map(str::to_owned),
        3 => glob().prop_map(|text| text.replace('.', "/")),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

/// A pattern within wide limits; a glob that goes over them is left out.
fn pattern() -> impl Strategy<Value = Pattern> {
    let limits =
        PatternLimits { stars_max: 64, alternatives_max: ALTERNATIVES_MAX, ..PatternLimits::default() };
    let parse = move |text: String, dialect| Pattern::parse(&text, dialect, &limits);
    prop_oneof![
        2 => glob().prop_filter_map("too complex", move |text| parse(text, Dialect::Glob).ok()),
        1 => subject().prop_map(move |text| parse(text, Dialect::Subject).unwrap()),
        2 => path().prop_filter_map("too complex", move |text| parse(text, Dialect::Path(Separator::SLASH)).ok()),
        1 => glob().prop_filter_map("too complex", move |text| parse(text, Dialect::Path(Separator::DOT)).ok()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(vec!["a", "a", "b", ".", "!", "é", "è", "*", "{"]), 0..10)
            .prop_map(|parts| parts.concat()),
        prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "é", "!", "a*", ""]), 1..5)
            .prop_map(|tokens| tokens.join(".")),
        prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "é", "aab", ""]), 1..6)
            .prop_map(|tokens| tokens.join("/")),
    ]
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(usize, u8),
    Remove(usize, u8),
    Ask(String),
}

fn operation(patterns: usize) -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (0..patterns, 0..3_u8).prop_map(|(pattern, value)| Operation::Insert(pattern, value)),
        2 => (0..patterns, 0..3_u8).prop_map(|(pattern, value)| Operation::Remove(pattern, value)),
        3 => text().prop_map(Operation::Ask),
    ]
}

/// Some patterns, and what is done with them.
fn script() -> impl Strategy<Value = (Vec<Pattern>, Vec<Operation>)> {
    prop::collection::vec(pattern(), 1..30).prop_flat_map(|patterns| {
        let operations = prop::collection::vec(operation(patterns.len()), 1..80);
        (Just(patterns), operations)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_does_what_a_list_does((patterns, operations) in script(), reserve in any::<bool>()) {
        let mut beside = Beside::new(reserve.then_some(RESERVED), ALTERNATIVES_MAX, oracle::matches);
        for operation in &operations {
            match operation {
                Operation::Insert(at, value) => beside.insert(&patterns[*at], *value),
                Operation::Remove(at, value) => beside.remove(&patterns[*at], *value),
                Operation::Ask(text) => beside.ask(text),
            }
        }
        beside.end();
    }

    #[test]
    fn one_pattern_does_what_the_oracle_does(pattern in pattern(), texts in prop::collection::vec(text(), 20)) {
        for text in texts {
            prop_assert_eq!(pattern.matches(&text), oracle::matches(&pattern, &text, None), "{:?} on {:?}", pattern, text);
        }
        if let Some(literal) = pattern.literal() {
            prop_assert!(pattern.matches(literal) && oracle::matches(&pattern, literal, None));
        }
    }

    /// Any text at all: parsing says yes or no, and what it accepts can be used.
    #[test]
    fn no_text_hurts_the_parsers(text in r"[a-c\[\]{},*?!\\.>\- é-]{0,40}|\PC{0,20}", asked in "[a-cé.]{0,10}") {
        for dialect in [Dialect::Glob, Dialect::Subject, Dialect::Path(Separator::SLASH)] {
            match Pattern::parse(&text, dialect, &PatternLimits::default()) {
                Err(error) => prop_assert!(error.offset <= text.len() && !error.to_string().is_empty()),
                Ok(pattern) => {
                    let mut tree = GlobTree::new();
                    tree.insert(&pattern, ());
                    let mut scratch = Scratch::default();
                    prop_assert_eq!(tree.is_match(&asked, &mut scratch), pattern.matches(&asked));
                    prop_assert_eq!(tree.remove(&pattern, &()), Some(()));
                    prop_assert_eq!(tree.node_count(), 0);
                }
            }
        }
    }
}
