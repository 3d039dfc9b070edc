//! Random scripts against the obvious matcher.
//!
//! A short run of them is a normal test; `GLOB_TREE_OPERATIONS=1000000 GLOB_TREE_SEED=2 cargo test --release -p glob-tree random` is a long one. The seed
//! that fails is in the message.

use crate::{oracle, script};

const OPERATIONS: usize = 30_000;
const SCRIPT_BYTES: usize = 600;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn random_operations_do_what_a_list_does() {
    let operations = setting("GLOB_TREE_OPERATIONS", OPERATIONS);
    let first_seed = setting("GLOB_TREE_SEED", 1);
    let (mut done, mut seed) = (0, first_seed as u64 * 1_000_000_007);
    while done < operations {
        seed += 1;
        let mut state = seed;
        let bytes: Vec<u8> = (0..SCRIPT_BYTES)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let result = std::panic::catch_unwind(|| script::run(&bytes, 7, oracle::matches));
        done += result.unwrap_or_else(|_| panic!("the script of seed {seed}"));
    }
    println!(
        "{done} operations in {} scripts from seed {first_seed}",
        seed - first_seed as u64 * 1_000_000_007
    );
}

/// The single pattern's matcher has nothing in common with the tree's walk: longer patterns and texts than the obvious one could take.
#[test]
fn longer_scripts_agree_with_the_patterns_alone() {
    for seed in 0..200_u64 {
        let mut state = seed;
        let bytes: Vec<u8> = (0..2000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        script::run(&bytes, 24, |pattern, text, reserved| {
            let hidden =
                reserved.is_some_and(|first| text.starts_with(first)) && pattern.begins_with_wildcard();
            !hidden && pattern.matches(text)
        });
    }
}
