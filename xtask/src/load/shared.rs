//! What all threads of one run see: the clock, when to measure, when to stop, and the counters that the progress bar reads.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::clock::Clock;

/// A counter that one thread writes, alone on its cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Sets it. Only its owner does.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Its value.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of a run. Times are nanoseconds on `clock`.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The clock that the stamps are taken from.
    pub(crate) clock: Clock,
    /// When publishing begins.
    pub(crate) start: u64,
    /// When measuring begins: what was meant to be sent before is warm-up.
    pub(crate) measure_from: u64,
    /// When publishing and measuring end.
    pub(crate) until: u64,
    /// How long subscribers wait after that while nothing arrives.
    pub(crate) drain: Duration,
    /// Messages delivered, for each receiving thread.
    pub(crate) delivered: Vec<Counter>,
    publishing: AtomicUsize,
    aborted: AtomicBool,
}

impl Shared {
    /// A run that begins at `start`, with so many threads on each side.
    pub(crate) fn new(
        clock: Clock,
        start: u64,
        [warm_up, duration, drain]: [Duration; 3],
        publishing_threads: usize,
        receiving_threads: usize,
    ) -> Self {
        let measure_from = start + super::clock::nanos(warm_up);
        Self {
            clock,
            start,
            measure_from,
            until: measure_from + super::clock::nanos(duration),
            drain,
            delivered: (0..receiving_threads).map(|_| Counter::default()).collect(),
            publishing: AtomicUsize::new(publishing_threads),
            aborted: AtomicBool::new(false),
        }
    }

    /// A publishing thread has sent all it ever will.
    pub(crate) fn published(&self) {
        self.publishing.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether all publishing threads have: the numbers in the flows are final.
    pub(crate) fn all_published(&self) -> bool {
        self.publishing.load(Ordering::SeqCst) == 0
    }

    /// Ends the run at once, because of a failure or of Ctrl-C.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
    }

    /// Whether the run is to end at once.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    /// Messages delivered so far, by all threads.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.iter().map(Counter::get).sum()
    }
}
