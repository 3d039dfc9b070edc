//! How many handles the peer has open, and the wait until they are back where they were.

use std::time::{Duration, Instant};

use crate::load::peer::Target;
use crate::procfs;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Open files of the peer. `None` where the system or the address does not tell.
pub(super) fn open(target: Target) -> Option<u64> {
    procfs::open_files(target.pid?)
}

/// Waits until the peer has no more than `before` open files: how long that took, and how many there are at the end.
pub(super) fn wait_until_back(target: Target, before: u64, timeout: Duration) -> Option<(Duration, u64)> {
    let started = Instant::now();
    loop {
        let now = open(target)?;
        let took = started.elapsed();
        if now <= before || took > timeout {
            return Some((took, now));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
