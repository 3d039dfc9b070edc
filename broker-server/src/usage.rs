//! What this process takes of the machine.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// A share over less time than this says nothing: the last one is told again.
const SAMPLE: Duration = Duration::from_millis(500);

/// Measures the share of one core that the process took since it was asked last.
#[derive(Debug)]
pub(crate) struct CpuMeter(Mutex<Sample>);

#[derive(Debug)]
struct Sample {
    at: Instant,
    time: Option<Duration>,
    percent: f64,
}

impl CpuMeter {
    pub(crate) fn start() -> Self {
        CpuMeter(Mutex::new(Sample { at: Instant::now(), time: cpu_time(), percent: 0.0 }))
    }

    /// Percent of one core, to a tenth. 0 where the platform does not tell.
    pub(crate) fn percent(&self) -> f64 {
        let mut last = lock(&self.0);
        let elapsed = last.at.elapsed();
        if elapsed >= SAMPLE
            && let (Some(now), Some(before)) = (cpu_time(), last.time)
        {
            let percent = 100.0 * now.saturating_sub(before).as_secs_f64() / elapsed.as_secs_f64();
            *last = Sample { at: Instant::now(), time: Some(now), percent: (percent * 10.0).round() / 10.0 };
        }
        last.percent
    }
}

/// Bytes of memory that the process holds. 0 where the platform does not tell.
pub(crate) fn memory_bytes() -> u64 {
    memory_stats::memory_stats().map_or(0, |memory| memory.physical_mem as u64)
}

/// The time that all threads of this process have spent on a processor.
#[cfg(unix)]
pub(crate) fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Not told on this platform.
#[cfg(not(unix))]
pub(crate) fn cpu_time() -> Option<Duration> {
    None
}
