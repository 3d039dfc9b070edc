//! Outboxes, sessions and the broker together, without sockets: random operations from a seed, against an account that is kept beside them.
//! What one subscriber received, missed and lost is what was published to it, in order, each frame whole, each gap told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]
#![allow(unreachable_pub, reason = "the modules are shared by several test binaries")]

#[path = "model/account.rs"]
mod account;
#[path = "model/blocking.rs"]
mod blocking;
#[path = "model/bounds.rs"]
mod bounds;
#[path = "model/client.rs"]
mod client;
#[path = "model/joins.rs"]
mod joins;
#[path = "model/numbered.rs"]
mod numbered;
#[path = "model/policies.rs"]
mod policies;
#[path = "model/racing.rs"]
mod racing;
#[path = "model/rates.rs"]
mod rates;
#[path = "model/socket.rs"]
mod socket;
#[path = "model/threads.rs"]
mod threads;
#[path = "model/world.rs"]
mod world;

use account::Checks;
use broker_core::Policy;
use world::World;

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

/// Runs worlds of these policies, and returns how often each check was made.
fn run(many: u64, policies: &'static [Policy], limits_rates: bool) -> Checks {
    let mut sum = Checks::default();
    for seed in seeds(many) {
        let _named = Named(seed);
        let mut world = World::new(seed, policies, limits_rates);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        sum.add(world.checks);
    }
    println!("{policies:?}: {sum:?}");
    let Checks { received, lost, bounded, ended, .. } = sum;
    assert_proved(&[received, lost, bounded, ended]);
    sum
}

#[test]
fn skip_keeps_its_promises() {
    let Checks { missed, told, .. } = run(100, &[Policy::Skip], false);
    assert_proved(&[missed, told]);
}

#[test]
fn disconnect_keeps_its_promises() {
    assert_proved(&[run(30, &[Policy::Disconnect], false).missed]);
}

#[test]
fn drop_oldest_keeps_its_promises() {
    let Checks { missed, told, .. } = run(60, &[Policy::DropOldest], false);
    assert_proved(&[missed, told]);
}

#[test]
fn drop_newest_keeps_its_promises() {
    let Checks { missed, told, .. } = run(60, &[Policy::DropNewest], false);
    assert_proved(&[missed, told]);
}

#[test]
fn block_keeps_its_promises() {
    let Checks { missed, told, held, .. } = run(100, &[Policy::Block], false);
    assert_proved(&[missed, told, held]);
}

#[test]
fn conflate_keeps_its_promises() {
    let Checks { missed, told, .. } = run(100, &[Policy::Conflate], false);
    assert_proved(&[missed, told]);
}

#[test]
fn all_policies_on_one_session_keep_their_promises() {
    let Checks { missed, told, held, .. } = run(150, &Policy::ALL, false);
    assert_proved(&[missed, told, held]);
}

#[test]
fn rates_keep_the_promises_of_every_policy() {
    let Checks { missed, told, held, thinned, .. } = run(150, &Policy::ALL, true);
    assert_proved(&[missed, told, held, thinned]);
}
