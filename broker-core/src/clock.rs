//! The time as it was told last. For what happens between two calls that bring the time: a flush by a writer, say.

use crate::message::Now;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Set by every [`Session::handle`](crate::Session::handle) and about once a second by
/// [`Broker::check_silence`](crate::Broker::check_silence); so it is late by up to a second where nothing happens.
#[derive(Debug, Default)]
pub(crate) struct CoarseClock {
    unix_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl CoarseClock {
    /// It never goes back, whoever comes late.
    pub(crate) fn set(&self, now: Now) {
        // Written only when it changes: everybody reads it.
        if self.monotonic_ms.load(Relaxed) < now.monotonic_ms {
            self.monotonic_ms.fetch_max(now.monotonic_ms, Relaxed);
            self.unix_ms.store(now.unix_ms, Relaxed);
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now { unix_ms: self.unix_ms.load(Relaxed), monotonic_ms: self.monotonic_ms.load(Relaxed) }
    }
}
