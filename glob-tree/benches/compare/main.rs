//! Queries and changes against globset, `RegexSet` and a loop: `cargo bench -p glob-tree`.
//!
//! Every engine gets the same patterns and the same texts in one run, and must find as many as this crate does. A figure is the median
//! of samples of at least 50 µs, in nanoseconds for one text; `-` where an engine does not take such a set. The set of 1,000,000
//! patterns is too much for the peers, and is left out for them. To run a part of it, name classes and sizes, and how large a set the peers may have:
//! `cargo bench -p glob-tree -- mixed 'inner star' 1000 100000 peers=1000`; `changes`, `stars`, `memory` and `batch` are parts, too.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "its output is what it is for, a panic is how it fails, and a figure needs three digits"
)]

mod engines;
mod workload;

use std::hint::black_box;
use std::time::{Duration, Instant};

use glob_tree::{Batch, GlobTree, Pattern, Scratch};

use self::engines::{Engine, NAMES, Patterns, parse, tree};
use self::workload::{CLASSES, HOT, Random, Workload};

const SIZES: [usize; 4] = [10, 1000, 100_000, 1_000_000];
/// The largest set for engines that build it as a whole, and for the loop, unless the command says otherwise.
const PEERS_MAX: usize = 100_000;
/// How long one figure is measured for, and how short a sample may be.
const BUDGET: Duration = Duration::from_millis(200);
const SAMPLE_MIN: Duration = Duration::from_micros(50);
const SAMPLES_MAX: usize = 2000;
const FEW_TEXTS: usize = 20;

fn main() {
    // Cargo itself adds `--bench`.
    let mut parts: Vec<String> = std::env::args().skip(1).filter(|part| part != "--bench").collect();
    let named_max = parts.iter().find_map(|part| part.strip_prefix("peers="));
    let peers_max = named_max.map_or(PEERS_MAX, |max| max.parse().expect("peers= and a number"));
    parts.retain(|part| !part.starts_with("peers="));
    let named = |name: &str| parts.iter().any(|part| part == name);
    let any_class = CLASSES.iter().any(|(_, name)| named(name.trim_matches('`')));
    let any_size = SIZES.iter().any(|size| named(&size.to_string()));
    if parts.is_empty() || named("changes") {
        changes(peers_max);
    }
    if parts.is_empty() || named("stars") {
        stars();
    }
    if parts.is_empty() || named("memory") {
        memory();
    }
    if parts.is_empty() || named("batch") {
        batches();
    }
    if !parts.is_empty() && !any_class && !any_size {
        return;
    }
    println!("\nqueries, ns per text\n");
    println!("| class | patterns | texts match | query | {} |", NAMES.join(" | "));
    println!("|---|---|---|---|{}", "---|".repeat(NAMES.len()));
    for (class, name) in CLASSES {
        for size in SIZES {
            let wanted =
                (!any_class || named(name.trim_matches('`'))) && (!any_size || named(&size.to_string()));
            if wanted {
                queries(name, &Workload::new(class, size), peers_max);
            }
        }
    }
}

fn queries(class: &str, workload: &Workload, peers_max: usize) {
    let size = workload.patterns.len();
    let hot = vec![HOT.to_owned()];
    // Of few texts an engine that builds its states while it reads has them all ready.
    let few = &workload.one[..FEW_TEXTS];
    let mut rows: Vec<(&str, &[String])> =
        vec![("none", &workload.none), ("one", &workload.one), ("one, of 20 texts", few)];
    if size >= 100 {
        rows.push(("1 %", &hot));
    }
    let mut expected: Vec<Vec<usize>> = Vec::new();
    let mut table = vec![[const { String::new() }; NAMES.len()]; rows.len() * 2];
    for (column, name) in NAMES.into_iter().enumerate() {
        let engine = (size <= peers_max || column == 0).then(|| Engine::build(name, &workload.patterns));
        let Some(mut engine) = engine.flatten() else {
            for row in &mut table {
                "-".clone_into(&mut row[column]);
            }
            continue;
        };
        for (at, (_, texts)) in rows.iter().enumerate() {
            // A few texts, so that the slowest need not go through all of them.
            let found: Vec<usize> = texts.iter().take(FEW_TEXTS).map(|text| engine.all(text)).collect();
            if column == 0 {
                check(rows[at].0, &found, size);
                expected.push(found);
            } else {
                assert_eq!(expected[at], found, "{name} finds other patterns, {class}, {size}");
            }
            table[2 * at][column] = figure(measure(texts, |text| engine.all(text)));
            table[2 * at + 1][column] = figure(measure(texts, |text| usize::from(engine.any(text))));
        }
    }
    for (at, row) in table.iter().enumerate() {
        let query = if at % 2 == 0 { "all" } else { "any" };
        println!("| {class} | {size} | {} | {query} | {} |", rows[at / 2].0, row.join(" | "));
    }
}

/// That the texts match as many patterns as they are meant to.
fn check(kind: &str, found: &[usize], size: usize) {
    let expected = match kind {
        "none" => 0,
        "1 %" => size / 100,
        _ => 1,
    };
    assert!(found.iter().all(|&found| found == expected), "{kind}: {found:?}");
}

/// The median time of one call, in nanoseconds.
fn measure(texts: &[String], mut ask: impl FnMut(&str) -> usize) -> f64 {
    let begun = Instant::now();
    let mut texts = texts.iter().cycle();
    let mut sample = |calls: u32| {
        let start = Instant::now();
        for text in texts.by_ref().take(calls as usize) {
            black_box(ask(black_box(text)));
        }
        start.elapsed()
    };
    let mut calls = 1;
    while sample(calls) < SAMPLE_MIN && calls < 1 << 20 {
        calls *= 2;
    }
    let mut samples = Vec::new();
    while samples.len() < 5 || (begun.elapsed() < BUDGET && samples.len() < SAMPLES_MAX) {
        samples.push(sample(calls).as_nanos() as f64 / f64::from(calls));
    }
    median(&mut samples)
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn figure(nanoseconds: f64) -> String {
    if nanoseconds < 100.0 { format!("{nanoseconds:.1}") } else { format!("{nanoseconds:.0}") }
}

/// Insert and remove of one pattern in a full set, and how long the others take to build theirs.
fn changes(peers_max: usize) {
    println!("\nchanges of a full set, mixed patterns\n");
    println!("| patterns | parse, ns | insert, ns | remove, ns | globset builds in | RegexSet builds in |");
    println!("|---|---|---|---|---|---|");
    for size in SIZES {
        let Workload { patterns, .. } = Workload::new(workload::Class::Mixed, size);
        let (parse, insert, remove) = change(&patterns);
        let build = |name| {
            let start = Instant::now();
            let built = size <= peers_max && Engine::build(name, &patterns).is_some();
            if built { format!("{:.1} ms", start.elapsed().as_secs_f64() * 1e3) } else { "-".to_owned() }
        };
        let (globset, regexes) = (build("globset"), build("RegexSet"));
        println!(
            "| {size} | {} | {} | {} | {globset} | {regexes} |",
            figure(parse),
            figure(insert),
            figure(remove)
        );
    }
}

/// Medians of one parse, one insert and one remove: in each sample, some patterns leave a full set, and some come again that left it long
/// ago, so that neither finds its way warm.
fn change(patterns: &Patterns) -> (f64, f64, f64) {
    const SOME: usize = 100;
    let mut tree: GlobTree<u32> = tree(patterns);
    let mut random = Random(11);
    let (mut parses, mut inserts, mut removes) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < 5 * BUDGET {
        // Each pattern is named by its place, which is its value too.
        let mut places: Vec<u32> = (0..).take(patterns.len()).collect();
        random.shuffle(&mut places);
        let groups: Vec<&[u32]> = places.chunks(SOME).take(50).collect();
        let one = |time: Instant, places: &[u32]| time.elapsed().as_nanos() as f64 / places.len() as f64;
        let mut gone = Vec::new();
        for places in &groups {
            let start = Instant::now();
            let some: Vec<Pattern> = places.iter().map(|&at| parse(&patterns[at as usize])).collect();
            parses.push(one(start, places));
            let start = Instant::now();
            for (at, pattern) in places.iter().zip(&some) {
                assert!(tree.remove(pattern, at).is_some());
            }
            removes.push(one(start, places));
            gone.push(some);
        }
        for (places, some) in groups.iter().zip(&gone) {
            let start = Instant::now();
            for (at, pattern) in places.iter().zip(some) {
                assert!(tree.insert(pattern, *at));
            }
            inserts.push(one(start, places));
        }
    }
    (median(&mut parses), median(&mut inserts), median(&mut removes))
}

/// The pattern that takes backtracking matchers exponential time.
fn stars() {
    let mut tree = GlobTree::new();
    tree.insert(&Pattern::glob(&("*a".repeat(10) + "*b")).expect("a pattern"), ());
    let (text, mut scratch) = ("a".repeat(1 << 20), Scratch::default());
    let time = measure(&[text], |text| usize::from(tree.is_match(text, &mut scratch)));
    println!("\n`*a*a*a*a*a*a*a*a*a*a*b` against 1 MiB of `a`: {:.2} ms", time / 1e6);
}

/// What a pattern takes: how far the resident memory grows with 100,000 of them. (The trees stay, so that each finds new memory.)
fn memory() {
    const COUNT: usize = 100_000;
    println!("\nmemory of {COUNT} patterns, bytes per pattern\n");
    println!("| class | length of the text | resident memory |");
    println!("|---|---|---|");
    let mut trees = Vec::new();
    for (class, name) in CLASSES {
        let Workload { patterns, .. } = Workload::new(class, COUNT);
        let text_bytes: usize = patterns.iter().map(|(text, _)| text.len()).sum();
        let before = resident_bytes();
        trees.push(tree(&patterns));
        let grown = before.zip(resident_bytes()).map(|(before, after)| after.saturating_sub(before) / COUNT);
        let grown = grown.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        println!("| {name} | {} | {grown} |", text_bytes / COUNT);
    }
    let full = resident_bytes();
    drop(trees);
    if let Some((full, empty)) = full.zip(resident_bytes()) {
        println!("\nall of them: {} MB; after they are gone: {} MB", full / 1_000_000, empty / 1_000_000);
    }
}

/// Where the system tells.
fn resident_bytes() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// A thousand texts one by one and as a prepared batch, and a copy of the tree.
fn batches() {
    println!("\na thousand texts that match one mixed pattern each, ns per text; a copy of the tree, ms\n");
    println!("| patterns | one by one | as a batch | copy |");
    println!("|---|---|---|---|");
    for size in SIZES {
        let Workload { patterns, one, .. } = Workload::new(workload::Class::Mixed, size);
        let (tree, mut scratch) = (tree(&patterns), Scratch::default());
        let batch: Batch = one.iter().collect();
        let all = [String::new()];
        let texts = one.len() as f64;
        let mut by_text = |_: &str| {
            let mut found = 0;
            for text in &one {
                tree.matches(text, &mut scratch, |_| found += 1);
            }
            found
        };
        let single = measure(&all, &mut by_text) / texts;
        let mut together = |_: &str| {
            let mut found = 0;
            tree.matches_batch(&batch, &mut scratch, |_, _| found += 1);
            found
        };
        let batched = measure(&all, &mut together) / texts;
        let copy = measure(&all, |_| tree.clone().len()) / 1e6;
        println!("| {size} | {} | {} | {copy:.3} |", figure(single), figure(batched));
    }
}
