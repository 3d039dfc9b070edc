//! `cargo xtask sim`: a deterministic simulation of the broker's core with the sessions' glue, one world for each seed.
//!
//! A world is a broker, some connections with bounded sockets and clients that do as chance says, on one thread and under a virtual time. After
//! every step and at the end the promises of the design are checked against an oracle that knows what was published. The same
//! seed is the same run, byte for byte. Real threads are not simulated: steps of others happen between two steps and in the middle of a write.
//!
//! Owns the glue that the server has in `connection/`, in steps; decides nothing that the broker decides.

#![allow(
    clippy::struct_excessive_bools,
    reason = "what may or may not be in a world is many small questions"
)]

mod checks;
mod client;
mod config;
mod effect;
mod extras;
mod operator;
mod oracle;
mod peer;
mod rule;
mod socket;
mod trace;
mod wire;
mod world;

use std::time::{Duration, Instant};

use self::checks::Checks;

/// Seeds below which a run need not have been everywhere.
const SEEDS_FOR_ALL: u64 = 1000;

/// Failing seeds that are shown; the run ends with the last of them.
const FAILURES_MAX: usize = 5;

/// Which seeds are run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SimArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "minutes")]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Runs seeds for so long
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// How many of its last steps are shown of a seed that fails
    #[arg(long, value_name = "LINES", default_value_t = LINES)]
    lines: usize,
}

/// Steps that are shown where nobody says how many.
const LINES: usize = 60;

/// Seeds of a CI run: some seconds.
const CI_SEEDS: u64 = 1500;

impl SimArgs {
    /// What CI runs.
    pub(crate) fn for_ci() -> Self {
        SimArgs { seeds: CI_SEEDS, seed: None, minutes: None, lines: LINES }
    }
}

/// Runs the seeds; true if every promise held and none went unchecked.
pub(crate) fn run(args: &SimArgs) -> bool {
    let started = Instant::now();
    let first = args.seed.unwrap_or(1);
    let (checks, seeds, failed) = run_seeds(first, args.lines, |done| match args.minutes {
        Some(minutes) => started.elapsed() < Duration::from_secs_f64(minutes * 60.0),
        None => done < args.seeds,
    });
    println!("{checks}");
    let seconds = started.elapsed().as_secs_f64();
    println!("{seeds} seeds from {first} in {seconds:.1} s, {failed} failed");
    let gaps = if seeds >= SEEDS_FOR_ALL && failed == 0 { checks.gaps() } else { Vec::new() };
    for gap in &gaps {
        println!("NEVER EXERCISED: {gap}");
    }
    failed == 0 && gaps.is_empty()
}

/// Runs seeds while `goes_on` says so of their count. Returns the checks, how many seeds were run, and how many of them failed.
fn run_seeds(first: u64, lines: usize, goes_on: impl Fn(u64) -> bool) -> (Checks, u64, usize) {
    let mut checks = Checks::default();
    let (mut seeds, mut failed) = (0, 0);
    while goes_on(seeds) && failed < FAILURES_MAX {
        let seed = first + seeds;
        let outcome = world::run(seed, 0);
        checks.add(&outcome.checks);
        seeds += 1;
        if outcome.broken.is_some() {
            failed += 1;
            show(seed, lines);
        }
    }
    (checks, seeds, failed)
}

/// Runs a seed again, and shows how it came to its end.
fn show(seed: u64, lines: usize) {
    let outcome = world::run(seed, lines);
    println!("seed {seed}: the last steps");
    for line in &outcome.lines {
        println!("  {line}");
    }
    match outcome.broken {
        Some(broken) => println!("seed {seed} BROKE {}: {}", broken.promise.name(), broken.text),
        None => println!("seed {seed} held this time: it does not depend on the seed alone"),
    }
    println!("trace {:016x}; again: cargo xtask sim --seeds 1 --seed {seed}\n", outcome.hash);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of what CI runs, so that the tests alone find what is badly broken.
    #[test]
    fn some_seeds_hold_and_leave_no_gap() {
        let (checks, seeds, failed) = run_seeds(1, LINES, |done| done < 600);
        assert_eq!((seeds, failed), (600, 0));
        assert_eq!(checks.gaps(), Vec::<String>::new());
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        for seed in 1..20 {
            let (one, other) = (world::run(seed, 0), world::run(seed, LINES));
            assert_eq!(one.hash, other.hash, "seed {seed}");
            assert_eq!(one.checks, other.checks, "seed {seed}");
        }
        assert_ne!(world::run(1, 0).hash, world::run(2, 0).hash);
    }
}
