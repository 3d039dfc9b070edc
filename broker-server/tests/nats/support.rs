//! What the chapters share: programs that speak NATS, connections to them made of a socket and nothing else, and waits that end.

mod both;
mod native;
mod program;
mod wire;

use std::time::{Duration, Instant};

pub(crate) use both::Both;
pub(crate) use native::*;
pub(crate) use program::*;
pub(crate) use wire::*;

/// Longer than anything takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How often `eventually` looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks again and again until `check` is content.
#[track_caller]
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !check() {
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        // tidy: sleep: between two looks at the condition.
        std::thread::sleep(LOOK);
    }
}
