//! What all threads of one run see: the clock, when to measure, when to stop, and the counters that the progress bar reads.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::clock::Clock;

/// Counters that one thread writes, alone on their cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counter {
    delivered: AtomicU64,
    skipped: AtomicU64,
}

impl Counter {
    /// Sets them. Only their owner does.
    pub(crate) fn set(&self, delivered: u64, skipped: u64) {
        self.delivered.store(delivered, Ordering::Relaxed);
        self.skipped.store(skipped, Ordering::Relaxed);
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
    until: AtomicU64,
    /// How long subscribers wait after that while nothing arrives.
    pub(crate) drain: Duration,
    /// Messages delivered and skipped, for each thread that counts them: those that receive, or, where nobody does, those that publish.
    pub(crate) delivered: Vec<Counter>,
    publishing: AtomicUsize,
    aborted: AtomicBool,
    over: AtomicBool,
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
            until: AtomicU64::new(measure_from + super::clock::nanos(duration)),
            drain,
            delivered: (0..receiving_threads).map(|_| Counter::default()).collect(),
            publishing: AtomicUsize::new(publishing_threads),
            aborted: AtomicBool::new(false),
            over: AtomicBool::new(false),
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

    /// When publishing and measuring end.
    #[inline]
    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }

    /// Ends publishing and measuring now: what was sent is still waited for, and what was measured is a result.
    pub(crate) fn stop(&self) {
        self.until.fetch_min(self.clock.now(), Ordering::SeqCst);
    }

    /// Every subscriber is done, or has given up.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Whether nobody waits for a message any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst) || self.is_aborted()
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
        self.delivered.iter().map(|counter| counter.delivered.load(Ordering::Relaxed)).sum()
    }

    /// Messages that the peer said it had left out so far, by all threads.
    pub(crate) fn skipped(&self) -> u64 {
        self.delivered.iter().map(|counter| counter.skipped.load(Ordering::Relaxed)).sum()
    }
}
