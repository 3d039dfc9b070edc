//! Every figure of a result by name: what `--assert` can ask for and what a baseline keeps.
//!
//! One table for what every run measures ([`METRICS`]) and one for what only some scenarios do ([`FIGURES`]): a name that stands
//! in neither is a mistake, told before anything runs.

use super::latency::LatencySummary;
use super::outcome::{Outcome, Unit};

/// What is known of a figure before it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric {
    /// As it is asked for.
    pub(crate) name: &'static str,
    /// Another way to write it.
    pub(crate) alias: Option<&'static str>,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
}

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Less is better.
    Less,
    /// More is better.
    More,
    /// Neither: it says what was done, not how well.
    Neither,
}

use Better::{Less, More, Neither};
use Unit::{
    Bytes, BytesPerHour, BytesPerSecond, Cores, Count, Micros, PerSecond, Seconds, SecondsPerMillion, Share,
};

const fn metric(name: &'static str, unit: Unit, better: Better) -> Metric {
    Metric { name, alias: None, unit, better }
}

const fn alias(name: &'static str, alias: &'static str, unit: Unit, better: Better) -> Metric {
    Metric { name, alias: Some(alias), unit, better }
}

/// What every run measures, in the order of the text.
pub(crate) const METRICS: [Metric; 36] = [
    alias("sent_per_s", "sent/s", PerSecond, More),
    alias("delivered_per_s", "delivered/s", PerSecond, More),
    alias("bytes_per_s", "bytes/s", BytesPerSecond, More),
    metric("mean", Micros, Less),
    metric("p50", Micros, Less),
    metric("p90", Micros, Less),
    metric("p99", Micros, Less),
    alias("p999", "p99.9", Micros, Less),
    alias("p9999", "p99.99", Micros, Less),
    metric("max", Micros, Less),
    metric("raw_mean", Micros, Less),
    metric("raw_p50", Micros, Less),
    metric("raw_p90", Micros, Less),
    metric("raw_p99", Micros, Less),
    alias("raw_p999", "raw_p99.9", Micros, Less),
    alias("raw_p9999", "raw_p99.99", Micros, Less),
    metric("raw_max", Micros, Less),
    metric("cpu_per_million", SecondsPerMillion, Less),
    metric("cpu", Cores, Less),
    metric("memory", Bytes, Less),
    metric("generator_cpu", Cores, Neither),
    metric("generator_share", Share, Neither),
    metric("lag_p50", Micros, Neither),
    metric("lag_p99", Micros, Neither),
    metric("lag_max", Micros, Neither),
    metric("sent_of_due", Share, More),
    metric("limited_by_generator", Count, Neither),
    metric("sent", Count, Neither),
    metric("expected", Count, Neither),
    metric("delivered", Count, Neither),
    metric("skipped", Count, Less),
    metric("lost", Count, Less),
    metric("duplicated", Count, Less),
    metric("reordered", Count, Less),
    metric("corrupt", Count, Less),
    metric("miscounted", Count, Less),
];

/// What only some scenarios measure.
pub(crate) const FIGURES: &[Metric] = &[
    metric("found_rate", PerSecond, More),
    metric("p99_tenth", Micros, Less),
    metric("p99_tenth_ratio", Share, Less),
    metric("p50_ratio", Share, Less),
    metric("p99_ratio", Share, Less),
    metric("slow_received", Count, Neither),
    metric("slow_skipped", Count, Neither),
    metric("slow_lost", Count, Less),
    metric("slow_closed", Count, Neither),
    metric("slow_bounds", Bytes, Neither),
    metric("memory_of_bounds", Share, Less),
    metric("joins", Count, Neither),
    metric("join_time", Seconds, Less),
    metric("join_time_max", Seconds, Less),
    metric("join_lost", Count, Less),
    metric("storms", Count, Neither),
    metric("connects_per_s", PerSecond, More),
    metric("connect_p50", Micros, Less),
    metric("connect_p99", Micros, Less),
    metric("connect_max", Micros, Less),
    metric("handles_back", Seconds, Less),
    metric("handles_leaked", Count, Less),
    metric("subscribes_per_s", PerSecond, More),
    metric("subscribe_p50", Micros, Less),
    metric("subscribe_p99", Micros, Less),
    metric("rounds", Count, Neither),
    metric("all_back", Seconds, Less),
    metric("all_back_max", Seconds, Less),
    metric("back_p50", Micros, Less),
    metric("reconnects_per_s", PerSecond, More),
    metric("down_time", Seconds, Less),
    metric("visitors", Count, Neither),
    metric("memory_slope", BytesPerHour, Less),
    metric("memory_start", Bytes, Less),
    metric("memory_end", Bytes, Less),
    metric("handles_min", Count, Neither),
    metric("handles_max", Count, Less),
    metric("threads_min", Count, Neither),
    metric("threads_max", Count, Less),
];

/// The metric that is called so, by its name or its alias.
pub(crate) fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name || metric.alias == Some(name))
}

/// A name for people, who see the unit beside the value.
pub(crate) fn shown(name: &str) -> String {
    name.strip_suffix("_per_s").unwrap_or(name).replace('_', " ")
}

/// Every metric.
pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().chain(FIGURES)
}

/// The value of `metric` in a result; times in microseconds, shares of 1. `None` if it was not measured.
#[expect(clippy::cast_precision_loss, reason = "counts are compared with what a user writes")]
pub(crate) fn value(outcome: &Outcome, name: &str) -> Option<f64> {
    if let Some(figure) = outcome.figures.iter().find(|figure| figure.name == name) {
        return Some(figure.value);
    }
    let checks = &outcome.checks;
    let count = |count: u64| Some(count as f64);
    match name {
        "sent_per_s" => Some(outcome.sent_per_s),
        "delivered_per_s" => Some(outcome.delivered_per_s),
        "bytes_per_s" => Some(outcome.delivered_mb_per_s * 1e6),
        "cpu_per_million" => outcome.peer_cpu_s_per_million,
        "cpu" => outcome.peer_cpu_cores,
        "memory" => outcome.peer_resident_bytes.and_then(count),
        "generator_cpu" => outcome.generator_cpu_cores,
        "generator_share" => outcome.generator_cpu_share,
        "lag_p50" => outcome.schedule_lag.map(|lag| lag.p50_us),
        "lag_p99" => outcome.schedule_lag.map(|lag| lag.p99_us),
        "lag_max" => outcome.schedule_lag.map(|lag| lag.max_us),
        "sent_of_due" => outcome.sent_of_due,
        "limited_by_generator" => count(u64::from(outcome.limited_by_generator.is_some())),
        "sent" => count(checks.sent),
        "expected" => count(checks.expected),
        "delivered" => count(checks.delivered),
        "skipped" => count(checks.skipped),
        "lost" => count(checks.lost),
        "duplicated" => count(checks.duplicated),
        "reordered" => count(checks.reordered),
        "corrupt" => count(checks.corrupt),
        "miscounted" => count(checks.miscounted),
        _ => match name.strip_prefix("raw_") {
            Some(name) => percentile(outcome.raw_latency.as_ref(), name),
            None => percentile(outcome.latency.as_ref(), name),
        },
    }
}

fn percentile(latency: Option<&LatencySummary>, name: &str) -> Option<f64> {
    let latency = latency?;
    Some(match name {
        "mean" => latency.mean_us,
        "p50" => latency.p50_us,
        "p90" => latency.p90_us,
        "p99" => latency.p99_us,
        "p999" => latency.p999_us,
        "p9999" => latency.p9999_us,
        "max" => latency.max_us,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::load::fixture;

    #[test]
    fn every_metric_of_a_full_result_has_a_value() {
        let outcome = fixture::outcome();
        for metric in &METRICS {
            assert!(value(&outcome, metric.name).is_some(), "{}", metric.name);
        }
        assert_eq!(value(&outcome, "nonsense"), None);
        assert_eq!(value(&outcome, "join_time"), None);
        assert_eq!(value(&outcome, "connects_per_s"), Some(12_000.0));
    }

    #[test]
    fn names_are_unique() {
        let mut names = HashSet::new();
        for metric in all() {
            assert!(names.insert(metric.name), "{}", metric.name);
            assert!(metric.alias.is_none_or(|alias| names.insert(alias)), "{}", metric.name);
        }
        assert_eq!(find("p99.9"), find("p999"));
    }
}
