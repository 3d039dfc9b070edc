//! How busy a thread of the generator was while measuring: a thread that needs its whole core measures itself and not the peer.

use std::time::Duration;

use super::clock::nanos;
use super::shared::Shared;

/// Processor time of this thread, and when it had used that.
type Reading = (u64, Duration);

/// Looks at the processor time of its own thread at the start and at the end of what is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Busy {
    from: Option<Reading>,
    to: Option<Reading>,
}

impl Busy {
    /// Called by its thread now and then.
    #[inline]
    pub(crate) fn look(&mut self, now: u64, shared: &Shared) {
        if now < shared.measure_from || self.to.is_some() {
            return;
        }
        if self.from.is_none() {
            self.from = cpu_time().map(|cpu| (now, cpu));
        } else if now >= shared.until() {
            self.to = cpu_time().map(|cpu| (now, cpu));
        }
    }

    /// The share of the measured time in which the thread ran. `None` if it is not known.
    #[expect(clippy::cast_precision_loss, reason = "a share with two digits")]
    pub(crate) fn share(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.from?, self.to?);
        let ran = nanos(after.checked_sub(before)?);
        (to > from).then(|| ran as f64 / (to - from) as f64)
    }
}

/// Processor time that this thread has used.
fn cpu_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Says why the figures of a run are those of the generator, if they are: of its threads' shares, and of the time that messages left later
/// than intended for no fault of the peer's.
pub(crate) fn verdict(shares: [Option<f64>; 2], lag_p99_us: Option<f64>) -> Option<String> {
    /// A thread that ran for so much of the time had no time left. Measured: one that is preempted now and then reaches no more.
    const SHARE_MAX: f64 = 0.95;
    /// Microseconds. Ten times what an idle machine shows; a guess.
    const LAG_P99_MAX: f64 = 1_000.0;
    let mut reasons = Vec::new();
    for (share, what) in shares.into_iter().zip(["publishes", "receives"]) {
        if let Some(share) = share.filter(|&share| share > SHARE_MAX) {
            reasons.push(format!("a thread that {what} needed {:.0} % of a core", share * 100.0));
        }
    }
    if let Some(lag) = lag_p99_us.filter(|&lag| lag > LAG_P99_MAX) {
        reasons.push(format!("one message in a hundred left more than {:.1} ms late", lag / 1e3));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_what_was_at_its_limit() {
        assert_eq!(verdict([Some(0.5), Some(0.9)], Some(80.0)), None);
        assert_eq!(verdict([None, None], None), None);
        let text = verdict([Some(0.2), Some(0.99)], Some(2_500.0)).unwrap();
        assert_eq!(
            text,
            "a thread that receives needed 99 % of a core; one message in a hundred left more than 2.5 ms late"
        );
    }
}
