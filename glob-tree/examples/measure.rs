//! How long insert, query and remove take: `cargo run --release -p glob-tree --example measure`.
//!
//! The mix: 40 % subjects with wildcards, 30 % globs that end in `*`, 10 % each of `*word123*`, `*.123` and `a*b*c`; texts of three to
//! five tokens. The time of a query is the best of several rounds, in each of which all texts are asked one after another, so that none
//! finds its own nodes still in the fastest caches. The mix is the same in every run.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use glob_tree::{GlobTree, Pattern, PatternError, Scratch};

const WORDS: [&str; 12] = [
    "alpha", "bravo", "cargo", "delta", "eagle", "falcon", "gamma", "hotel", "india", "jolly", "kilo", "lima",
];
const TEXTS: usize = 20_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), PatternError> {
    println!("patterns   nodes  insert ns  query ns  p50 ns  p99 ns  max ns  found  steps  remove ns");
    for count in [1_000, 10_000, 100_000, 500_000] {
        measure(count)?;
    }
    Ok(())
}

fn measure(count: usize) -> Result<(), PatternError> {
    let mut random = Random(42);
    let patterns = (0..count).map(|_| random.pattern()).collect::<Result<Vec<_>, _>>()?;
    let texts: Vec<String> = (0..TEXTS).map(|_| random.text()).collect();

    let mut tree = GlobTree::new();
    let start = Instant::now();
    for (value, pattern) in (0_u32..).zip(&patterns) {
        tree.insert(pattern, value);
    }
    let insert = start.elapsed();

    let mut scratch = Scratch::default();
    let (mut found, mut steps) = (0, 0);
    let mut best = vec![u128::MAX; TEXTS];
    for _ in 0..ROUNDS {
        (found, steps) = (0, 0);
        for (best, text) in best.iter_mut().zip(&texts) {
            let start = Instant::now();
            steps +=
                tree.matches(text, &mut scratch, |value| found += usize::from(black_box(*value) != u32::MAX));
            *best = start.elapsed().as_nanos().min(*best);
        }
    }
    best.sort_unstable();
    let part = |percent: usize| best.get((best.len() - 1) * percent / 100).copied().unwrap_or(0);

    let nodes = tree.node_count();
    let start = Instant::now();
    for (value, pattern) in (0_u32..).zip(&patterns) {
        tree.remove(pattern, &value);
    }
    let remove = start.elapsed();
    println!(
        "{count:8} {nodes:7} {:10} {:9} {:7} {:7} {:7} {:6} {:6} {:10}",
        insert.as_nanos() / count as u128,
        best.iter().sum::<u128>() / TEXTS as u128,
        part(50),
        part(99),
        part(100),
        found / TEXTS,
        steps / TEXTS as u64,
        remove.as_nanos() / count as u128,
    );
    Ok(())
}

/// A small generator (xorshift), so that every run has the same patterns.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    fn word(&mut self) -> &'static str {
        WORDS.get(self.below(WORDS.len())).copied().unwrap_or("word")
    }

    fn token(&mut self) -> String {
        let word = self.word();
        if self.below(2) == 0 { word.to_owned() } else { format!("{word}{}", self.below(200)) }
    }

    fn text(&mut self) -> String {
        let tokens = 3 + self.below(3);
        (0..tokens).map(|_| self.token()).collect::<Vec<_>>().join(".")
    }

    fn pattern(&mut self) -> Result<Pattern, PatternError> {
        match self.below(10) {
            0..4 => {
                let mut tokens: Vec<String> = self.text().split('.').map(str::to_owned).collect();
                let at = self.below(tokens.len());
                if let Some(token) = tokens.get_mut(at) {
                    "*".clone_into(token);
                }
                if self.below(3) == 0 {
                    tokens.push(">".to_owned());
                }
                Pattern::subject(&tokens.join("."))
            }
            4..7 => {
                let text = self.text();
                let keep = 6 + self.below(text.len() - 6);
                Pattern::glob(&format!("{}*", text.get(..keep).unwrap_or(&text)))
            }
            7 => Pattern::glob(&format!("*{}{}*", self.word(), self.below(10_000))),
            8 => Pattern::glob(&format!("*.{}", self.below(10_000))),
            _ => Pattern::glob(&format!("{}*{}*{}", self.token(), self.token(), self.token())),
        }
    }
}
