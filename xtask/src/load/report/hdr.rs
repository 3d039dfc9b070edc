//! The latencies as an HDR log: one compressed histogram a second, in the V2 interval format that every `HdrHistogram` tool reads.
//!
//! Values are nanoseconds; the maximum that stands beside each histogram is in milliseconds, as in the logs of the Java library. The corrected latencies of the
//! first result have no tag, because tools show what has none unless told otherwise; all else is tagged.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::Report;
use crate::load::outcome::Outcome;

/// Nanoseconds of the unit that maxima are given in.
const MAX_UNIT: f64 = 1e6;
/// The line that names the columns.
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// The log of all results.
pub(crate) fn log(report: &Report) -> Result<Vec<u8>> {
    let started = report.results.first().map_or(0.0, |outcome| outcome.started_unix_s);
    let mut out = format!(
        "#[{}]\n#[Values are nanoseconds]\n#[Histogram log format version 1.3]\n\
         #[StartTime: {started:.3} (seconds since epoch)]\n#[BaseTime: {started:.3} (seconds since epoch)]\n{LEGEND}",
        report.command.replace('\n', " "),
    )
    .into_bytes();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let mut writer = builder.with_max_value_divisor(MAX_UNIT).begin_log_with(&mut out, &mut serializer)?;
    for (index, outcome) in report.results.iter().enumerate() {
        let names = tags(index, outcome);
        let after = Duration::try_from_secs_f64(outcome.started_unix_s - started).unwrap_or_default();
        for interval in outcome.recording.intervals() {
            let start = after + Duration::from_secs(interval.second.into());
            for (histogram, name) in [&interval.corrected, &interval.raw].into_iter().zip(&names) {
                let tag = name.as_deref().and_then(Tag::new);
                writer
                    .write_histogram(histogram, start, Duration::from_secs(1), tag)
                    .map_err(|error| anyhow::anyhow!("{error}"))
                    .context("cannot write a histogram")?;
            }
        }
    }
    Ok(out)
}

/// The tags of the corrected and of the raw latencies of result number `index`.
fn tags(index: usize, outcome: &Outcome) -> [Option<String>; 2] {
    if index == 0 {
        return [None, Some("raw".to_owned())];
    }
    let name = format!("{}-{}-{}", index + 1, outcome.peer, outcome.scenario.title());
    // A tag ends at a comma, and tools take it as one word.
    let words: Vec<&str> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    [Some(name.clone()), Some(format!("{name}-raw"))]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::load::fixture;

    #[test]
    fn the_log_reads_back() {
        let report = Report::new(None, vec![fixture::outcome(), fixture::outcome()]);
        let log = log(&report).unwrap();
        let text = String::from_utf8(log.clone()).unwrap();
        assert!(text.contains(LEGEND) && text.contains("#[StartTime: "), "{}", &text[..400]);
        let mut seen = Vec::new();
        let mut total: Histogram<u64> = Histogram::new(3).unwrap();
        for entry in IntervalLogIterator::new(&log) {
            let LogEntry::Interval(interval) = entry.unwrap() else { continue };
            let tag = interval.tag().map(|tag| tag.as_str().to_owned());
            if tag.is_none() {
                let bytes = base64_decode(interval.encoded_histogram());
                let histogram: Histogram<u64> =
                    Deserializer::new().deserialize(&mut Cursor::new(bytes)).unwrap();
                total.add(&histogram).unwrap();
            }
            seen.push(tag);
        }
        assert_eq!(seen.len(), 4 * 8);
        assert_eq!(total.len(), 80_000);
        let want = &report.results[0].recording.total.corrected;
        for quantile in [0.5, 0.99, 0.999, 1.0] {
            assert_eq!(total.value_at_quantile(quantile), want.value_at_quantile(quantile));
        }
        let tag = seen.last().unwrap().clone().unwrap();
        assert!(tag.starts_with("2-broker-") && tag.ends_with("-raw") && !tag.contains([',', ' ']), "{tag}");
    }

    /// Standard base64 with padding.
    fn base64_decode(text: &str) -> Vec<u8> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = Vec::new();
        let (mut bits, mut held) = (0_u32, 0);
        for byte in text.bytes().filter(|&byte| byte != b'=') {
            let six = ALPHABET.iter().position(|&known| known == byte).unwrap();
            bits = (bits << 6) | u32::try_from(six).unwrap();
            held += 6;
            if held >= 8 {
                held -= 8;
                out.push(u8::try_from((bits >> held) & 0xff).unwrap());
            }
        }
        out
    }
}
