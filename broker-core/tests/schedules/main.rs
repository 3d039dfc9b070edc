//! The places where threads meet, under thousands of schedules each: whose turn it is to write, the bound, cached routes, joins, who is held back, groups,
//! times. The broker is the real one; its locks and atomics are shuttle's, so that each of them is a place at which another thread may go on.
//!
//! `cargo xtask model-check` builds this with `--cfg shuttle`. Without it there is nothing here.
#![cfg(shuttle)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is how they fail"
)]

mod bounds;
mod chance;
mod check;
mod claims;
mod connection;
mod endings;
mod groups;
mod held;
mod joins;
mod messages;
mod rates;
mod routes;
mod topics;
mod turns;
