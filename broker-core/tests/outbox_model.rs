//! Outboxes, sessions and the broker together, without sockets: random operations from a seed, against an account that is kept beside them.
//! What one subscriber received, missed and lost is what was published to it, in order, each frame whole, each gap told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]
#![allow(unreachable_pub, reason = "the modules are shared by several test binaries")]

#[path = "model/bounds.rs"]
mod bounds;
#[path = "model/client.rs"]
mod client;
#[path = "model/joins.rs"]
mod joins;
#[path = "model/numbered.rs"]
mod numbered;
#[path = "model/socket.rs"]
mod socket;
#[path = "model/threads.rs"]
mod threads;
#[path = "model/world.rs"]
mod world;

use world::{Checks, World};

/// Operations of one seed.
const STEPS: usize = 2_000;

/// The seeds to run: one from the environment, to replay it, or these.
fn seeds(many: u64) -> std::ops::Range<u64> {
    match std::env::var("MODEL_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("MODEL_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 1..many + 1,
    }
}

/// A run of all seeds in which a check was hardly ever made is a failure.
fn assert_proved(counts: &[u64]) {
    let replays = std::env::var_os("MODEL_SEED").is_some();
    assert!(replays || counts.iter().all(|&count| count > 50), "too few checks: {counts:?}");
}

/// Names the seed that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "seed {0} fails; to replay it: MODEL_SEED={0} cargo test -p broker-core --test outbox_model",
                self.0
            );
        }
    }
}

#[test]
fn every_message_is_received_missed_or_lost() {
    let mut sum = Checks::default();
    for seed in seeds(150) {
        let _named = Named(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        let Checks { received, missed, told, lost, bounded, ended } = world.checks;
        sum.received += received;
        sum.missed += missed;
        sum.told += told;
        sum.lost += lost;
        sum.bounded += bounded;
        sum.ended += ended;
    }
    let Checks { received, missed, told, lost, bounded, ended } = sum;
    println!("{sum:?}");
    assert_proved(&[received, missed, told, lost, bounded, ended]);
}
