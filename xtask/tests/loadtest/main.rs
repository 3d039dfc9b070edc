//! `cargo xtask loadtest` measures right: the real command, against a fake broker that knows exactly what it does to every message.
//!
//! `fake` is the broker, `support` runs the command and reads its results, `pty` runs it in a terminal. Each of the other modules is a table: what is done, and what must
//! be reported. Nothing here asserts speed; where a time has an upper bound, it is one that only an absurd figure breaks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "../../src/load/checks.rs"]
mod checks;
mod fake;
#[cfg(unix)]
#[path = "../../../broker-tui/tests/terminal/pty.rs"]
mod pty;
mod support;

mod arguments;
mod checksum;
mod closed;
mod counts;
mod endings;
mod latency;
mod protocols;
mod results;
mod storm;
#[cfg(unix)]
mod terminal;
