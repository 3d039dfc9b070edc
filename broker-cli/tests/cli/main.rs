//! The binary `broker`, run as people and scripts run it, against a real broker on a port of its own.
//!
//! `harness` starts both and waits for what they say; the rest is one file a theme.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod ending;
mod harness;
mod login;
mod looking;
mod publishing;
mod requests;
mod subscribing;
