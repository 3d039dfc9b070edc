//! How many messages a second a subscription wants of each topic, at the most.

/// So many messages a second.
///
/// # Examples
///
/// ```
/// use broker_core::MaxRate;
///
/// assert_eq!(MaxRate::per_second(50.0).map(MaxRate::interval_ns), Some(20_000_000));
/// assert_eq!(MaxRate::per_second(0.0), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRate {
    interval_ns: u64,
}

impl MaxRate {
    /// The lowest rate: one message in about a quarter of an hour.
    pub const PER_SECOND_MIN: f64 = 0.001;

    /// The highest rate, above which there is nothing to thin out.
    pub const PER_SECOND_MAX: f64 = 1_000_000.0;

    /// So many messages a second; nothing for a number outside the bounds, or none.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds give 1e3 to 1e12")]
    pub fn per_second(messages: f64) -> Option<Self> {
        let is_allowed = (Self::PER_SECOND_MIN..=Self::PER_SECOND_MAX).contains(&messages);
        is_allowed.then(|| MaxRate { interval_ns: (1e9 / messages).round() as u64 })
    }

    /// As it was given, to the nearest nanosecond between two messages.
    #[allow(clippy::cast_precision_loss, reason = "1e12 at the most")]
    pub fn messages_per_second(self) -> f64 {
        1e9 / self.interval_ns as f64
    }

    /// Nanoseconds between two messages.
    pub fn interval_ns(self) -> u64 {
        self.interval_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds() {
        for (messages, interval_ns) in [
            (0.001, Some(1_000_000_000_000)),
            (1.0, Some(1_000_000_000)),
            (3.0, Some(333_333_333)),
            (1_000_000.0, Some(1_000)),
            (0.000_999, None),
            (1_000_001.0, None),
            (-1.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            let rate = MaxRate::per_second(messages);
            assert_eq!(rate.map(MaxRate::interval_ns), interval_ns, "{messages}");
            assert_eq!(rate.and_then(|rate| MaxRate::per_second(rate.messages_per_second())), rate);
        }
    }
}
