//! Results for people: numbers with three digits, tables that line up.

use std::fmt::Write as _;

use super::latency::LatencySummary;
use super::outcome::{Checks, Outcome};

/// A number with three significant digits and a unit: `12.3 M`.
pub(crate) fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, " G"),
        v if v >= 1e6 => (value / 1e6, " M"),
        v if v >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    format!("{}{unit}", digits(scaled))
}

/// A number with three significant digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        v if v >= 0.1 => format!("{value:.3}"),
        v if v >= 0.01 => format!("{value:.4}"),
        _ => format!("{value:.5}"),
    }
}

/// A count with its digits in groups of three.
pub(crate) fn grouped(count: u64) -> String {
    let plain = count.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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

/// Nanoseconds that are known to a microsecond or better.
fn micros(value: f64) -> String {
    if value >= 10_000.0 { format!("{} ms", digits(value / 1e3)) } else { format!("{} us", digits(value)) }
}

fn or_unknown<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "unknown".to_owned(), show)
}

/// One run as a table of names and values.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut rows = vec![
        ("sent/s", number(outcome.sent_per_s)),
        ("delivered/s", number(outcome.delivered_per_s)),
        ("payload delivered", format!("{} MB/s", digits(outcome.delivered_mb_per_s))),
        ("CPU s per million delivered", or_unknown(outcome.peer_cpu_s_per_million, digits)),
        ("CPU, cores in use", or_unknown(outcome.peer_cpu_cores, digits)),
        ("generator's CPU, cores in use", or_unknown(outcome.generator_cpu_cores, digits)),
        ("resident memory", or_unknown(outcome.peer_resident_bytes, bytes)),
    ];
    if let Some(share) = outcome.sent_of_due.filter(|share| *share < 0.999) {
        rows.push(("sent of what was due", format!("{:.1} %", share * 100.0)));
    }
    if let Some(window) = outcome.scenario.window_messages() {
        rows.push(("window, messages", grouped(window)));
    }
    let mut out = format!("{} (measured for {:.1} s)\n", outcome.peer, outcome.seconds);
    for (name, value) in rows {
        line(&mut out, name, &value);
    }
    if let Some(latency) = &outcome.latency {
        line(&mut out, "latency", &latencies(latency));
    }
    out.push_str(&checks(&outcome.checks));
    out
}

fn line(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "  {name:<30} {value}").unwrap_or_default();
}

/// Percentiles in one line.
fn latencies(latency: &LatencySummary) -> String {
    let parts = [
        ("p50", latency.p50_us),
        ("p90", latency.p90_us),
        ("p99", latency.p99_us),
        ("p99.9", latency.p999_us),
        ("p99.99", latency.p9999_us),
        ("max", latency.max_us),
    ];
    parts.map(|(name, value)| format!("{name} {}", micros(value))).join(" · ")
}

/// What became of the messages, over the whole run.
fn checks(checks: &Checks) -> String {
    let mut out = String::new();
    let verdict = if checks.hold() { "all there" } else { "PROMISES BROKEN" };
    line(&mut out, "checks, warm-up included", verdict);
    let rows = [
        ("sent", checks.sent),
        ("to be delivered", checks.expected),
        ("delivered", checks.delivered),
        ("skipped by policy", checks.skipped),
        ("lost", checks.lost),
        ("duplicated", checks.duplicated),
        ("reordered", checks.reordered),
        ("corrupt", checks.corrupt),
        ("miscounted", checks.miscounted),
    ];
    for (name, count) in rows {
        writeln!(out, "    {name:<28} {}", grouped(count)).unwrap_or_default();
    }
    out
}

/// A Markdown table.
pub(crate) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut push = |cells: Vec<&str>| {
        for (cell, width) in cells.iter().zip(&widths) {
            write!(out, "| {cell:<width$} ").unwrap_or_default();
        }
        out.push_str("|\n");
    };
    push(head.to_vec());
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    push(rules.iter().map(String::as_str).collect());
    for row in rows {
        push(row.iter().map(String::as_str).collect());
    }
    out
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
            (2.5e7, "25.0 M"),
            (3.1e9, "3.10 G"),
        ];
        for (value, want) in rows {
            assert_eq!(number(value), want);
        }
        assert_eq!(digits(0.018), "0.0180");
    }

    #[test]
    fn counts_are_grouped() {
        for (count, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(count), want);
        }
    }

    #[test]
    fn markdown_lines_up() {
        let table = markdown(&["a", "long head"], &[vec!["value".to_owned(), "x".to_owned()]]);
        assert_eq!(table, "| a     | long head |\n| ----- | --------- |\n| value | x         |\n");
    }
}
