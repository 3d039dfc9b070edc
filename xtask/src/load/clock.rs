//! The clock of a run: nanoseconds since it was made, the same for all threads of the generator.

use std::time::{Duration, Instant};

/// A monotonic clock that fits into the eight bytes of a stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    /// Begins at 0 now.
    pub(crate) fn start() -> Self {
        Self { base: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.base.elapsed())
    }
}

/// A duration in nanoseconds; 584 years at the most.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
