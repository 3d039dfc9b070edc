//! Numbers, sizes and ages in a few columns.
//!
//! Counts are decimal (`1.23 M`), sizes binary (`1.2 MiB`). At most three digits that matter: a dashboard is read at
//! a glance, and exact figures are in `--once --json`.

use std::time::Duration;

const DECIMAL: [&str; 6] = ["", "k", "M", "G", "T", "P"];
const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `0`, `12`, `1.23 k`, `45.6 M`.
pub fn count(value: f64) -> String {
    scaled(value, 1000.0, &DECIMAL)
}

/// `0 B`, `12.3 KiB`.
pub fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &BINARY)
}

/// [`count`] of a whole number.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn count_of(value: u64) -> String {
    count(value as f64)
}

/// [`bytes`] of a whole number.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn bytes_of(value: u64) -> String {
    bytes(value as f64)
}

/// As `text` writes it, or a dash before it is known.
pub fn known<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), text)
}

/// A count with `/s` behind it.
pub fn per_second(value: f64) -> String {
    let text = count(value);
    if text.contains(' ') { format!("{text}/s") } else { format!("{text} /s") }
}

/// A size with `/s` behind it.
pub fn bytes_per_second(value: f64) -> String {
    format!("{}/s", bytes(value))
}

/// `0.4 %`, `12 %`.
pub fn percent(value: f64) -> String {
    if value < 10.0 { format!("{:.1} %", value.max(0.0)) } else { format!("{value:.0} %") }
}

/// All the digits, in groups of three: `1,234,567`.
pub fn exact(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `0.4 s`, `12 s`, `3 m 04 s`, `2 h 05 m`, `3 d 04 h`.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let tenths = age.subsec_millis() / 100;
    match seconds {
        0..10 => format!("{seconds}.{tenths} s"),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The largest unit alone, for narrow columns: `0.4 s`, `12 s`, `3 m`, `2 h`, `3 d`.
pub fn age_short(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => self::age(age),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The time of day in UTC, to the millisecond: `12:34:56.789`.
pub fn time_of_day(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60, unix_ms % 1_000)
}

/// A width or a height as the screen counts it, at most `u16::MAX`.
pub fn cells(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A rounded share of `whole`, for bars: `value / most * whole`, within `0..=whole`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=whole on the line before"
)]
pub fn share(value: f64, most: f64, whole: u32) -> u32 {
    if most <= 0.0 || !value.is_finite() {
        return 0;
    }
    (value / most * f64::from(whole)).round().clamp(0.0, f64::from(whole)) as u32
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let mut rest = value.abs();
    let mut unit = 0;
    // 999.5 would be written as 1000: it belongs to the next unit already.
    while rest >= step.min(1000.0) - 0.5 && unit + 1 < units.len() {
        rest /= step;
        unit += 1;
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let digits = match (unit, rest) {
        (0, r) if r.fract() == 0.0 || r >= 9.95 => format!("{r:.0}"),
        (0, r) => format!("{r:.1}"),
        (_, r) if r >= 99.95 => format!("{r:.0}"),
        (_, r) if r >= 9.995 => format!("{r:.1}"),
        (_, r) => format!("{r:.2}"),
    };
    let unit = units.get(unit).copied().unwrap_or_default();
    if unit.is_empty() { format!("{sign}{digits}") } else { format!("{sign}{digits} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (value, expected) in [
            (0.0, "0"),
            (7.0, "7"),
            (7.25, "7.2"),
            (82.2, "82"),
            (999.0, "999"),
            (999.9, "1.00 k"),
            (1_234.0, "1.23 k"),
            (45_600.0, "45.6 k"),
            (999_600.0, "1.00 M"),
            (123_456_789.0, "123 M"),
            (1e21, "1000000 P"),
            (-1_234.0, "-1.23 k"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(count(value), expected, "{value}");
        }
    }

    #[test]
    fn sizes_and_rates() {
        for (value, expected) in
            [(0.0, "0 B"), (1_000.0, "0.98 KiB"), (1_536.0, "1.50 KiB"), (8_388_608.0, "8.00 MiB")]
        {
            assert_eq!(bytes(value), expected, "{value}");
        }
        assert_eq!(per_second(0.0), "0 /s");
        assert_eq!(per_second(1_200.0), "1.20 k/s");
        assert_eq!(bytes_per_second(2048.0), "2.00 KiB/s");
        assert_eq!((percent(0.44), percent(12.5)), ("0.4 %".to_owned(), "12 %".to_owned()));
    }

    #[test]
    fn ages() {
        for (ms, expected, short) in [
            (0, "0.0 s", "0.0 s"),
            (450, "0.4 s", "0.4 s"),
            (12_900, "12 s", "12 s"),
            (184_000, "3 m 04 s", "3 m"),
            (7_500_000, "2 h 05 m", "2 h"),
            (277_200_000, "3 d 05 h", "3 d"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!((age(duration).as_str(), age_short(duration).as_str()), (expected, short));
        }
    }

    #[test]
    fn digits_in_groups() {
        for (value, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(exact(value), expected);
        }
        assert_eq!(time_of_day(1_700_000_000_123), "22:13:20.123");
    }

    #[test]
    fn shares_are_within_the_whole() {
        for (value, most, expected) in
            [(0.0, 1.0, 0), (1.0, 1.0, 8), (2.0, 1.0, 8), (-1.0, 1.0, 0), (1.0, 0.0, 0), (f64::NAN, 1.0, 0)]
        {
            assert_eq!(share(value, most, 8), expected);
        }
    }
}
