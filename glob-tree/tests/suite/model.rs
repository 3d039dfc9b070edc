//! The tree against a list of pairs and the obvious matcher: random operations on small alphabets, both dialects, with removes in
//! between, and at the end everything removed.
//!
//! Small alphabets make what is rare in life common here: shared prefixes, characters that share bytes (`é`, `è`), nested stars,
//! alternatives that match twice.

use glob_tree::{Batch, Dialect, GlobTree, Pattern, PatternLimits, Scratch, Separator};
use proptest::prelude::*;

use crate::oracle;

const RESERVED: char = '!';

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
    let limits = PatternLimits { stars_max: 64, alternatives_max: 4096, ..PatternLimits::default() };
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

/// The obvious implementation, and the tree beside it.
struct Model {
    tree: GlobTree<u8>,
    pairs: Vec<(Pattern, u8)>,
    reserved: Option<char>,
    scratch: Scratch,
}

impl Model {
    fn apply(&mut self, patterns: &[Pattern], operation: &Operation) {
        match operation {
            Operation::Insert(at, value) => self.insert(&patterns[*at], *value),
            Operation::Remove(at, value) => self.remove(&patterns[*at], *value),
            Operation::Ask(text) => self.ask(text),
        }
        assert_eq!((self.tree.len(), self.tree.is_empty()), (self.pairs.len(), self.pairs.is_empty()));
    }

    fn find(&self, pattern: &Pattern, value: u8) -> Option<usize> {
        self.pairs.iter().position(|(own, own_value)| own == pattern && *own_value == value)
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
        let mut found = Vec::new();
        self.tree.matches(text, &mut self.scratch, |value| found.push(*value));
        found.sort_unstable();
        let matching = self.pairs.iter().filter(|(pattern, _)| oracle::matches(pattern, text, self.reserved));
        let mut expected: Vec<u8> = matching.map(|(_, value)| *value).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text:?} against {:?}", self.pairs);
        assert_eq!(self.tree.is_match(text, &mut self.scratch), !expected.is_empty());
        let batch: Batch = ["", text, "a.b"].into_iter().collect();
        let mut in_batch = Vec::new();
        self.tree.matches_batch(&batch, &mut self.scratch, |at, value| in_batch.push((at, *value)));
        in_batch.retain(|found| found.0 == 1);
        in_batch.sort_unstable();
        assert!(in_batch.iter().map(|found| found.1).eq(expected), "{text:?} in a batch");
    }

    /// The tree has the shape of one that never held anything else.
    fn compare_with_fresh(&self) {
        let mut fresh = GlobTree::new();
        for (pattern, value) in &self.pairs {
            fresh.insert(pattern, *value);
        }
        assert_eq!(self.tree.node_count(), fresh.node_count(), "{:?}", self.pairs);
        let mut listed: Vec<_> =
            self.tree.iter().map(|(pattern, value)| format!("{pattern:?} {value}")).collect();
        let mut expected: Vec<_> =
            fresh.iter().map(|(pattern, value)| format!("{pattern:?} {value}")).collect();
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_does_what_a_list_does((patterns, operations) in script(), reserve in any::<bool>()) {
        let reserved = reserve.then_some(RESERVED);
        let tree = reserved.map_or_else(GlobTree::new, GlobTree::with_reserved);
        let mut model = Model { tree, pairs: Vec::new(), reserved, scratch: Scratch::default() };
        for operation in &operations {
            model.apply(&patterns, operation);
        }
        model.compare_with_fresh();
        while let Some((pattern, value)) = model.pairs.first().cloned() {
            model.remove(&pattern, value);
        }
        prop_assert_eq!((model.tree.len(), model.tree.pattern_count(), model.tree.node_count()), (0, 0, 0));
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
