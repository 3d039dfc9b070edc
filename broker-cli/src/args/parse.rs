//! Options that are more than a word: durations, rates, headers, secrets, names of groups and policies.
//!
//! Invariant: what is accepted neither overflows nor waits for ever; what is refused is told how to write it.

use std::time::Duration;

use broker_client::{Policy, Secret};

/// The longest name of a group, in bytes: docs/protocol.md.
const GROUP_BYTES_MAX: usize = 256;

/// The largest duration that is accepted: a hundred days.
const DURATION_MAX: Duration = Duration::from_hours(2400);

/// A number with `ms`, `s`, `m` or `h`; seconds where there is no unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds_each = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("{unit:?} is not a unit: write 500ms, 2s, 1.5m or 1h")),
    };
    let number: f64 = number.parse().map_err(|_| "write it as 500ms, 2s, 1.5m or 1h".to_string())?;
    match Duration::try_from_secs_f64(number * seconds_each) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        _ => Err(format!("longer than {} hours", DURATION_MAX.as_secs() / 3_600)),
    }
}

/// Messages a second: more than one in a hundred days, less than a million million.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0 / DURATION_MAX.as_secs_f64()..=1e12).contains(&rate) => Ok(rate),
        _ => Err("write how many messages a second, for example 10 or 0.5".to_string()),
    }
}

/// Messages a second of a topic, as far as the broker counts: docs/protocol.md.
pub(super) fn max_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("write how many messages a second, 0.001 to 1000000, for example 10 or 0.5".to_string()),
    }
}

/// A duration that is one.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a message that holds for no time is none".to_string()),
        ttl => Ok(ttl),
    }
}

/// A name and a value, at the first equals sign.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("write it as NAME=VALUE".to_string()),
    }
}

/// A secret; an error must not show it, and does not, because only an empty one is refused.
pub(super) fn secret(text: &str) -> Result<Secret, String> {
    if text.is_empty() { Err("it is empty".to_string()) } else { Ok(text.into()) }
}

/// The name of a group.
pub(super) fn group(text: &str) -> Result<String, String> {
    if (1..=GROUP_BYTES_MAX).contains(&text.len()) {
        Ok(text.to_string())
    } else {
        Err(format!("a group's name has 1 to {GROUP_BYTES_MAX} bytes"))
    }
}

/// The name of a policy.
pub(super) fn policy(text: &str) -> Result<Policy, String> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("500ms", Ok(Duration::from_millis(500))),
            ("2s", Ok(Duration::from_secs(2))),
            ("2", Ok(Duration::from_secs(2))),
            ("1.5m", Ok(Duration::from_secs(90))),
            ("1h", Ok(Duration::from_hours(1))),
            ("0", Ok(Duration::ZERO)),
            ("2400h", Ok(DURATION_MAX)),
            ("2401h", Err("longer than 2400 hours")),
            ("1e9", Err("\"e9\" is not a unit: write 500ms, 2s, 1.5m or 1h")),
            ("s", Err("write it as 500ms, 2s, 1.5m or 1h")),
            ("", Err("write it as 500ms, 2s, 1.5m or 1h")),
            ("-1s", Err("\"-1s\" is not a unit: write 500ms, 2s, 1.5m or 1h")),
            ("1.2.3", Err("write it as 500ms, 2s, 1.5m or 1h")),
        ] {
            assert_eq!(duration(text), expected.map_err(str::to_string), "{text:?}");
        }
    }

    #[test]
    fn rates_are_positive_and_finite() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "1e13", "fast"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_broker_takes() {
        assert_eq!((max_rate("0.001"), max_rate("1000000")), (Ok(0.001), Ok(1e6)));
        for text in ["0", "0.0009", "1000001", "-1", "NaN", "often"] {
            assert!(max_rate(text).is_err(), "{text}");
        }
        assert_eq!(ttl("1ms"), Ok(Duration::from_millis(1)));
        assert!(ttl("0").is_err() && ttl("soon").is_err());
    }

    #[test]
    fn names() {
        assert_eq!(group("g"), Ok("g".to_string()));
        assert!(group("").is_err() && group(&"g".repeat(257)).is_err());
        assert_eq!(policy("disconnect"), Ok(Policy::Disconnect));
        assert!(policy("hope").unwrap_err().contains("'skip'"));
    }

    #[test]
    fn a_header_may_hold_further_equals_signs() {
        assert_eq!(header("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(header("a="), Ok(("a".into(), String::new())));
        assert!(header("=b").is_err() && header("a").is_err());
    }
}
