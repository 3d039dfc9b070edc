//! The series as CSV: one line for each second of each run.

use std::fmt::Write as _;

use crate::load::outcome::Outcome;

/// The columns, in order.
const HEAD: &str = "run,peer,protocol,scenario,end_s,sent,delivered,skipped,sent_per_s,delivered_per_s,p50_us,p99_us,p999_us,max_us,\
                    raw_p50_us,raw_p99_us,peer_cpu_cores,generator_cpu_cores,peer_resident_bytes";

/// Every second of every result. What was not measured is an empty field.
pub(crate) fn csv(results: &[Outcome]) -> String {
    let mut out = format!("{HEAD}\n");
    for (run, outcome) in (1..).zip(results) {
        let who = format!(
            "{run},{},{},{}",
            field(&outcome.peer),
            field(&outcome.protocol),
            field(&outcome.scenario.title())
        );
        for second in &outcome.series {
            write!(
                out,
                "{who},{:.3},{},{},{},{:.1},{:.1}",
                second.end_s,
                second.sent,
                second.delivered,
                second.skipped,
                second.sent_per_s,
                second.delivered_per_s
            )
            .unwrap_or_default();
            for value in [
                second.p50_us,
                second.p99_us,
                second.p999_us,
                second.max_us,
                second.raw_p50_us,
                second.raw_p99_us,
                second.peer_cpu_cores,
                second.generator_cpu_cores,
            ] {
                out.push(',');
                if let Some(value) = value {
                    write!(out, "{value:.3}").unwrap_or_default();
                }
            }
            out.push(',');
            if let Some(bytes) = second.peer_resident_bytes {
                write!(out, "{bytes}").unwrap_or_default();
            }
            out.push('\n');
        }
    }
    out
}

/// A text as a field, in quotes where it has to be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn a_line_for_each_second_with_all_columns() {
        let csv = csv(&[fixture::outcome(), fixture::outcome()]);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 1 + 2 * 8);
        let columns = HEAD.split(',').count();
        // The title of the scenario has commas in it, inside of quotes.
        let quoted = field(&fixture::outcome().scenario.title());
        assert!(quoted.starts_with('"'));
        for line in &lines[1..] {
            assert_eq!(line.replace(&quoted, "x").split(',').count(), columns, "{line}");
        }
        assert!(lines[1].starts_with("1,broker,native,"), "{}", lines[1]);
        assert!(lines[16].starts_with("2,broker,native,"), "{}", lines[16]);
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
