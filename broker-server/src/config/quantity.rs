//! Numbers with units: how counts, sizes and durations are written and read.
//!
//! What this module writes, it reads back as the same value (durations in whole milliseconds).

use std::time::Duration;

use super::error::Problem;

/// Powers of two first: sizes are written with the largest of these that divides them.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// In milliseconds.
const TIME_UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units that people write for sizes, and that could mean two things.
const SIZE_GUESSES: &[(&str, &str)] = &[
    ("k", "KiB"),
    ("m", "MiB"),
    ("g", "GiB"),
    ("t", "TiB"),
    ("ki", "KiB"),
    ("mi", "MiB"),
    ("gi", "GiB"),
    ("ti", "TiB"),
];

/// Units that people write for times.
const TIME_GUESSES: &[(&str, &str)] = &[
    ("", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hour", "h"),
    ("hours", "h"),
    ("msec", "ms"),
    ("millis", "ms"),
];

/// What values are allowed.
#[derive(Debug)]
pub(super) struct Range<T> {
    pub(super) min: T,
    pub(super) max: T,
    /// What zero means, where it is allowed although it is below `min`.
    pub(super) zero: Option<&'static str>,
}

/// A whole number: digits, with `_` between them where that reads better.
pub(super) fn parse_count(text: &str, range: &Range<u64>) -> Result<u64, Problem> {
    let number = Number::read(text);
    let expected = "a whole number";
    let (Some(number), Some("")) = (&number, number.as_ref().map(|number| number.unit)) else {
        // A number with a unit: say the number that it would be.
        let meant = number.and_then(|number| number.times(factor(SIZE_UNITS, number.unit, true)?).within());
        return Err(invalid(text, expected, meant.map(|number| number.to_string())));
    };
    range.admit(&number.times(1), text, u64::to_string)
}

/// A number of bytes: `4096`, `64KB`, `8 MiB`. Case does not matter.
pub(super) fn parse_bytes(text: &str, range: &Range<u64>) -> Result<u64, Problem> {
    let expected = "a size such as 4096, 64KB or 8 MiB";
    let Some(number) = Number::read(text) else { return Err(invalid(text, expected, None)) };
    let unit = if number.unit.is_empty() { "B" } else { number.unit };
    let Some(factor) = factor(SIZE_UNITS, unit, true) else {
        return Err(invalid(text, expected, number.guess(SIZE_GUESSES, " ")));
    };
    range.admit(&number.times(factor), text, |bytes| show_bytes(*bytes))
}

/// A duration: `500ms`, `30s`, `2m`, `1h`; `0` and `off` for none.
pub(super) fn parse_duration(text: &str, range: &Range<Duration>) -> Result<Duration, Problem> {
    let expected = "a duration such as 500ms, 30s or 2m";
    let text = if text.trim() == "off" { "0" } else { text };
    let Some(number) = Number::read(text) else { return Err(invalid(text, expected, None)) };
    let unit = if number.is_zero() && number.unit.is_empty() { "s" } else { number.unit };
    // `M` is not `m`: nobody should get a minute or a megabyte wrong in silence.
    let Some(factor) = factor(TIME_UNITS, unit, false) else {
        return Err(invalid(text, expected, number.guess(TIME_GUESSES, "")));
    };
    range.admit(&number.times(factor).map(Duration::from_millis), text, |time| show_duration(*time))
}

impl<T: Copy + PartialOrd + Default> Range<T> {
    /// Whether `value` is in it.
    pub(super) fn check(&self, value: &T, show: impl Fn(&T) -> String) -> Result<(), Problem> {
        if *value > self.max {
            Err(Problem::TooLarge { value: show(value), max: show(&self.max) })
        } else if *value >= self.min || self.zero.is_some() && *value == T::default() {
            Ok(())
        } else {
            Err(Problem::TooSmall { value: show(value), min: self.least(show) })
        }
    }

    /// For people: `1 to 4,096`. `zero` is how zero is written.
    pub(super) fn show(&self, show: impl Fn(&T) -> String, zero: &str) -> String {
        let range = format!("{} to {}", show(&self.min), show(&self.max));
        self.zero.map_or_else(|| range.clone(), |meaning| format!("{range}; {zero}: {meaning}"))
    }

    fn admit(&self, number: &Scaled<T>, text: &str, show: impl Fn(&T) -> String) -> Result<T, Problem> {
        let text = text.trim().to_owned();
        match number {
            Scaled::Below => Err(Problem::TooSmall { value: text, min: self.least(show) }),
            Scaled::Within(value) => self.check(value, show).map(|()| *value),
            Scaled::Above => Err(Problem::TooLarge { value: text, max: show(&self.max) }),
        }
    }

    fn least(&self, show: impl Fn(&T) -> String) -> String {
        let min = show(&self.min);
        self.zero
            .map_or_else(|| min.clone(), |meaning| format!("{min}, or {} for {meaning}", show(&T::default())))
    }
}

/// A size as `parse_bytes` reads it: `8 MiB`, `1000 B`.
pub(super) fn show_bytes(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let (unit, factor) = SIZE_UNITS
        .iter()
        .copied()
        .filter(|(unit, _)| unit.ends_with("iB"))
        .find(|(_, factor)| bytes.is_multiple_of(*factor))
        .unwrap_or(("B", 1));
    format!("{} {unit}", bytes / factor)
}

/// A duration as `parse_duration` reads it: `60s`, `2m`, `off`.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if duration.is_zero() {
        return "off".to_owned();
    }
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return format!("{duration:?}");
    }
    // One of a unit reads better as sixty of the next, but for the hour.
    let fits = |unit: &str, factor: u128| millis.is_multiple_of(factor) && (millis > factor || unit != "m");
    let (unit, factor) = TIME_UNITS
        .iter()
        .map(|(unit, factor)| (*unit, u128::from(*factor)))
        .find(|(unit, factor)| fits(unit, *factor))
        .unwrap_or(("ms", 1));
    format!("{}{unit}", millis / factor)
}

/// A count with commas, for people only: `1,000,000`.
pub(super) fn show_grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number as written.
struct Number<'a> {
    minus: bool,
    /// One at least.
    digits: String,
    /// What stands behind.
    unit: &'a str,
}

/// A number times its unit.
enum Scaled<T> {
    Below,
    Within(T),
    Above,
}

impl<'a> Number<'a> {
    fn read(text: &'a str) -> Option<Number<'a>> {
        let text = text.trim();
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(unsigned.len());
        let (digits, unit) = unsigned.split_at(end);
        if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') {
            return None;
        }
        let minus = unsigned.len() < text.len();
        Some(Number { minus, digits: digits.replace('_', ""), unit: unit.trim_start() })
    }

    fn is_zero(&self) -> bool {
        self.digits.bytes().all(|digit| digit == b'0')
    }

    fn times(&self, factor: u64) -> Scaled<u64> {
        if self.minus && !self.is_zero() {
            return Scaled::Below;
        }
        let value = self.digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        value.map_or(Scaled::Above, Scaled::Within)
    }

    /// The same number with the unit that was probably meant.
    fn guess(&self, guesses: &[(&str, &str)], space: &str) -> Option<String> {
        let (_, unit) = guesses.iter().find(|(written, _)| written.eq_ignore_ascii_case(self.unit))?;
        (!self.minus).then(|| format!("{}{space}{unit}", self.digits))
    }
}

impl<T> Scaled<T> {
    fn map<U>(self, change: impl Fn(T) -> U) -> Scaled<U> {
        match self {
            Scaled::Below => Scaled::Below,
            Scaled::Within(value) => Scaled::Within(change(value)),
            Scaled::Above => Scaled::Above,
        }
    }

    fn within(self) -> Option<T> {
        match self {
            Scaled::Within(value) => Some(value),
            Scaled::Below | Scaled::Above => None,
        }
    }
}

fn factor(units: &[(&str, u64)], unit: &str, any_case: bool) -> Option<u64> {
    let same = |name: &str| name == unit || any_case && name.eq_ignore_ascii_case(unit);
    units.iter().find(|(name, _)| same(name)).map(|(_, factor)| *factor)
}

fn invalid(text: &str, expected: &str, suggestion: Option<String>) -> Problem {
    Problem::Invalid {
        text: text.to_owned(),
        expected: expected.to_owned(),
        suggestion: suggestion.map(|text| format!("'{text}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Range<u64> = Range { min: 1, max: 2_000_000, zero: None };
    const SIZES: Range<u64> = Range { min: 64, max: 1 << 41, zero: Some("none") };
    const TIMES: Range<Duration> =
        Range { min: Duration::from_millis(10), max: Duration::from_hours(24), zero: Some("never") };

    #[track_caller]
    fn check<T: PartialEq + std::fmt::Debug>(parsed: Result<T, Problem>, expected: Result<T, &str>) {
        assert_eq!(parsed.map_err(|problem| problem.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn counts() {
        let check = |text: &str, expected: Result<_, &str>| check(parse_count(text, &COUNTS), expected);
        check("1", Ok(1));
        check(" 12 ", Ok(12));
        check("1_000_000", Ok(1_000_000));
        check("0", Err("0 is too small, the least is 1"));
        check("-1", Err("-1 is too small, the least is 1"));
        check("2000001", Err("2000001 is too large, the most is 2000000"));
        check("18446744073709551616", Err("18446744073709551616 is too large, the most is 2000000"));
        check("64KB", Err("'64KB' is not a whole number; did you mean '64000'?"));
        check("many", Err("'many' is not a whole number"));
        check("1.5", Err("'1.5' is not a whole number"));
        check("", Err("'' is not a whole number"));
        check("_1", Err("'_1' is not a whole number"));
    }

    #[test]
    fn sizes() {
        const NOT: &str = "is not a size such as 4096, 64KB or 8 MiB";
        let check = |text: &str, expected: Result<_, &str>| check(parse_bytes(text, &SIZES), expected);
        check("0", Ok(0));
        check("4096", Ok(4096));
        check("70 B", Ok(70));
        check("64KB", Ok(64_000));
        check("64kb", Ok(64_000));
        check("8 MiB", Ok(8 << 20));
        check("1GiB", Ok(1 << 30));
        check("2 TB", Ok(2_000_000_000_000));
        check("1 tib", Ok(1 << 40));
        check("63", Err("63 B is too small, the least is 64 B, or 0 for none"));
        check("3 TiB", Err("3 TiB is too large, the most is 2 TiB"));
        check("99999999 TiB", Err("99999999 TiB is too large, the most is 2 TiB"));
        check("-8 MiB", Err("-8 MiB is too small, the least is 64 B, or 0 for none"));
        check("8M", Err(&format!("'8M' {NOT}; did you mean '8 MiB'?")));
        check("8 Gi", Err(&format!("'8 Gi' {NOT}; did you mean '8 GiB'?")));
        check("1.5 GiB", Err(&format!("'1.5 GiB' {NOT}")));
        check("MiB", Err(&format!("'MiB' {NOT}")));
    }

    #[test]
    fn durations() {
        const NOT: &str = "is not a duration such as 500ms, 30s or 2m";
        let check = |text: &str, expected: Result<_, &str>| check(parse_duration(text, &TIMES), expected);
        check("500ms", Ok(Duration::from_millis(500)));
        check("30s", Ok(Duration::from_secs(30)));
        check("2 m", Ok(Duration::from_mins(2)));
        check("1h", Ok(Duration::from_hours(1)));
        check("0", Ok(Duration::ZERO));
        check("0s", Ok(Duration::ZERO));
        check("off", Ok(Duration::ZERO));
        check("9ms", Err("9ms is too small, the least is 10ms, or off for never"));
        check("25h", Err("25h is too large, the most is 24h"));
        check("99999999999999999999s", Err("99999999999999999999s is too large, the most is 24h"));
        check("30", Err(&format!("'30' {NOT}; did you mean '30s'?")));
        check("5 minutes", Err(&format!("'5 minutes' {NOT}; did you mean '5m'?")));
        check("5M", Err(&format!("'5M' {NOT}")));
        check("soon", Err(&format!("'soon' {NOT}")));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1 B"),
            (1000, "1000 B"),
            (1024, "1 KiB"),
            (8 << 20, "8 MiB"),
            (3 << 29, "1536 MiB"),
        ] {
            assert_eq!(show_bytes(bytes), text);
            let all = Range { min: 0, max: u64::MAX, zero: None };
            check(parse_bytes(text, &all), Ok(bytes));
        }
        for (millis, text) in [
            (0, "off"),
            (1, "1ms"),
            (1500, "1500ms"),
            (60_000, "60s"),
            (90_000, "90s"),
            (120_000, "2m"),
            (3_600_000, "1h"),
            (86_400_000, "24h"),
        ] {
            assert_eq!(show_duration(Duration::from_millis(millis)), text);
            let all = Range { min: Duration::ZERO, max: Duration::MAX, zero: None };
            check(parse_duration(text, &all), Ok(Duration::from_millis(millis)));
        }
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(show_grouped(number), text);
        }
    }
}
