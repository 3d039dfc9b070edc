//! How long to wait before the next attempt to connect.
//!
//! Pure: the random number comes in as an argument. Invariant: a delay is never longer than `max`.

use std::time::Duration;

/// The delays between attempts to reconnect: `min`, doubled after each failure up to `max`, each shortened by a random
/// share of up to `jitter`, so that many clients do not return at the same moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The delay before the first attempt.
    pub min: Duration,
    /// The longest delay.
    pub max: Duration,
    /// The share of a delay that chance may take away, 0.0 to 1.0.
    pub jitter: f64,
}

impl Default for Backoff {
    /// 100 ms to 5 s, with half of it left to chance.
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_secs(5), jitter: 0.5 }
    }
}

impl Backoff {
    /// The delay before attempt `attempt` (0 is the first), where `random` is in 0.0..1.0.
    ///
    /// ```
    /// use broker_client::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(1), jitter: 0.5 };
    /// assert_eq!(backoff.delay(0, 0.0), Duration::from_millis(100));
    /// assert_eq!(backoff.delay(2, 0.0), Duration::from_millis(400));
    /// assert_eq!(backoff.delay(90, 0.0), Duration::from_secs(1));
    /// ```
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self.min.saturating_mul(2_u32.saturating_pow(attempt));
        let full = doubled.min(self.max);
        // A caller's NaN or 7.0 must not reach `mul_f64`, which panics on it.
        let unit = |x: f64| if x.is_finite() { x.clamp(0.0, 1.0) } else { 0.0 };
        full.mul_f64(1.0 - unit(self.jitter) * unit(random)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let backoff = Backoff { min: Duration::from_millis(10), max: Duration::from_millis(70), jitter: 0.0 };
        let delays: Vec<u128> = (0..5).map(|n| backoff.delay(n, 0.9).as_millis()).collect();
        assert_eq!(delays, [10, 20, 40, 70, 70]);
    }

    #[test]
    fn jitter_only_shortens() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5), jitter: 0.5 };
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(200));
        assert_eq!(backoff.delay(1, 0.5), Duration::from_millis(150));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(100));
    }

    #[test]
    fn nonsense_does_not_panic() {
        for jitter in [f64::NAN, f64::INFINITY, -3.0, 9.0] {
            let backoff = Backoff { min: Duration::MAX, max: Duration::from_secs(1), jitter };
            for random in [f64::NAN, -1.0, 0.5, 2.0] {
                assert!(backoff.delay(u32::MAX, random) <= backoff.max);
            }
        }
    }
}
