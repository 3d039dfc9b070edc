//! What the fuzzer and its stand-in share: the targets, the seeds and the mutator. They are those of `broker-core`'s own test
//! `decoder_torture`, so that a crash found here becomes a row there.

#[path = "../../broker-core/tests/torture/mutate.rs"]
pub mod mutate;
#[path = "../../broker-core/tests/torture/seeds.rs"]
pub mod seeds;
#[path = "../../broker-core/tests/torture/targets.rs"]
pub mod targets;
