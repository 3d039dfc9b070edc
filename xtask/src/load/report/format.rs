//! Numbers for people: three digits and a unit.

use crate::load::outcome::Unit;

/// A number with three significant digits and a unit: `12.3 M`.
pub(crate) fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 999.5e6 => (value / 1e9, " G"),
        v if v >= 999.5e3 => (value / 1e6, " M"),
        v if v >= 9_995.0 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    format!("{}{unit}", digits(scaled))
}

/// A number with three significant digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 || v == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        v if v >= 0.09995 => format!("{value:.3}"),
        v if v >= 0.009_995 => format!("{value:.4}"),
        _ => format!("{value:.5}"),
    }
}

/// A count with its digits in groups of three.
pub(crate) fn grouped(count: u64) -> String {
    broker_tui::format::number::exact(count)
}

/// Bytes with a unit.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = count as f64;
    match value {
        v if v >= 1e9 => format!("{} GiB", digits(v / f64::from(1 << 30))),
        v if v >= 1e6 => format!("{} MiB", digits(v / f64::from(1 << 20))),
        v => format!("{} KiB", digits(v / 1024.0)),
    }
}

/// Microseconds, with the unit that suits them.
pub(crate) fn micros(value: f64) -> String {
    match value {
        v if v >= 999_500.0 => format!("{} s", digits(v / 1e6)),
        v if v >= 999.5 => format!("{} ms", digits(v / 1e3)),
        v => format!("{} us", digits(v)),
    }
}

/// A share of 1 in hundredths.
pub(crate) fn percent(share: f64) -> String {
    let hundredths = share * 100.0;
    if hundredths.abs() < 9.95 { format!("{hundredths:.1} %") } else { format!("{hundredths:.0} %") }
}

/// A figure in its unit.
pub(crate) fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => number(value),
        Unit::PerSecond => format!("{}/s", number(value)),
        Unit::Micros => micros(value),
        Unit::Seconds => micros(value * 1e6),
        Unit::Bytes => broker_tui::format::number::bytes(value),
        Unit::BytesPerSecond => broker_tui::format::number::bytes_per_second(value),
        Unit::BytesPerHour => format!("{} MB/h", digits(value / 1e6)),
        Unit::Share => percent(value),
        Unit::Cores => format!("{} cores", digits(value)),
        Unit::SecondsPerMillion => format!("{} s", digits(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let rows = [
            (0.0, "0"),
            (7.0, "7.00"),
            (999.6, "1000"),
            (12_345.0, "12.3 k"),
            (999_900.0, "1.00 M"),
            (2.5e7, "25.0 M"),
            (3.1e9, "3.10 G"),
        ];
        for (value, want) in rows {
            assert_eq!(number(value), want);
        }
        assert_eq!(digits(0.018), "0.0180");
        assert_eq!(digits(99.97), "100");
    }

    #[test]
    fn counts_are_grouped() {
        for (count, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(count), want);
        }
    }

    #[test]
    fn figures_have_units() {
        let rows = [
            (12_500.0, Unit::PerSecond, "12.5 k/s"),
            (42.4, Unit::Micros, "42.4 us"),
            (999.0, Unit::Micros, "999 us"),
            (1_187.0, Unit::Micros, "1.19 ms"),
            (42_400.0, Unit::Micros, "42.4 ms"),
            (1_500_000.0, Unit::Micros, "1.50 s"),
            (0.25, Unit::Seconds, "250 ms"),
            (0.999, Unit::Share, "100 %"),
            (0.034, Unit::Share, "3.4 %"),
            (2048.0, Unit::Bytes, "2.00 KiB"),
        ];
        for (value, unit, want) in rows {
            assert_eq!(in_unit(value, unit), want);
        }
    }
}
