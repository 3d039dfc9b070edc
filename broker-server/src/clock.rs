//! The time, for a core that has no clock of its own.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use broker_core::Now;

/// Tells the time since the server started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            unix_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            monotonic_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
