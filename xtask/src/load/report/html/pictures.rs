//! Which charts a scenario gets: percentiles, throughput, latency, processor time and memory; a line for each peer.

use hdrhistogram::Histogram;

use super::chart::{Chart, Line, Scale};
use crate::load::latency::{histogram, micros as to_micros};
use crate::load::middle::Group;
use crate::load::outcome::Outcome;
use crate::load::report::{digits, micros, number};
use crate::load::series::Second;

/// Points of a percentile line for each halving of what is above it.
const STEPS_PER_HALVING: u32 = 6;

/// The charts of one scenario, of which there is a group for each peer.
pub(super) fn of_scenario(groups: &[&Group<'_>]) -> String {
    let typical: Vec<&Outcome> = groups.iter().filter_map(|group| typical(group)).collect();
    let mut charts = vec![percentiles(groups), latency(&typical), throughput(&typical)];
    charts.push(match typical.as_slice() {
        [one] => processor(one),
        several => over_time("Processor time of the peer, cores", Scale::Linear, digits, several, |second| {
            second.peer_cpu_cores
        }),
    });
    charts.push(over_time("Memory of the peer", Scale::Linear, mebibytes, &typical, |second| {
        #[expect(clippy::cast_precision_loss, reason = "a chart")]
        second.peer_resident_bytes.map(|bytes| bytes as f64)
    }));
    charts.iter().map(Chart::html).collect()
}

fn mebibytes(value: f64) -> String {
    broker_tui::format::number::bytes(value)
}

/// The run that delivered the middle number of messages.
fn typical<'a>(group: &Group<'a>) -> Option<&'a Outcome> {
    let mut runs = group.runs.clone();
    runs.sort_by(|a, b| a.delivered_per_s.total_cmp(&b.delivered_per_s));
    runs.get(runs.len() / 2).copied()
}

/// Latency by percentile, all runs of a peer together.
fn percentiles(groups: &[&Group<'_>]) -> Chart {
    let mut lines = Vec::new();
    let rated = |group: &Group<'_>| group.runs.first().is_some_and(|run| run.scenario.rate_per_s().is_some());
    for (colour, group) in groups.iter().enumerate() {
        let (mut corrected, mut raw) = (histogram(), histogram());
        for run in &group.runs {
            crate::load::latency::add(&mut corrected, &run.recording.total.corrected);
            crate::load::latency::add(&mut raw, &run.recording.total.raw);
        }
        let name =
            if groups.len() == 1 { "from the intended time".to_owned() } else { group.peer.to_owned() };
        lines.push(Line { name, colour, dashed: false, points: distribution(&corrected) });
        if groups.len() == 1 && rated(group) {
            let name = "from the hand-over to the socket (raw)".to_owned();
            lines.push(Line { name, colour: 1, dashed: true, points: distribution(&raw) });
        }
    }
    let reach = lines.iter().flat_map(|line| &line.points).fold(1.0_f64, |reach, &(x, _)| reach.max(x));
    let ticks = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"];
    let places = (0_u32..).map(f64::from).zip(ticks.map(str::to_owned)).take_while(|&(x, _)| x <= reach);
    Chart {
        title: "Latency by percentile".to_owned(),
        x_label: "share of the messages that took at most so long".to_owned(),
        x_ticks: Some(places.collect()),
        y_scale: Scale::Log,
        show: micros,
        lines,
    }
}

/// Percentiles with their distance from 1 by magnitude: 0 is 0 %, 1 is 90 %, 2 is 99 %, …
fn distribution(histogram: &Histogram<u64>) -> Vec<(f64, Option<f64>)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let mut points: Vec<(f64, Option<f64>)> = Vec::new();
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        let left = 1.0 - step.quantile_iterated_to();
        // The last step is the maximum: it stands where one message is left.
        #[expect(clippy::cast_precision_loss, reason = "a chart")]
        let left = left.max(1.0 / histogram.len() as f64);
        let value = to_micros(step.value_iterated_to());
        points.push((-left.log10(), Some(value)));
    }
    points
}

fn latency(typical: &[&Outcome]) -> Chart {
    if let [one] = typical {
        let line = |name: &str, colour, of: fn(&Second) -> Option<f64>| Line {
            name: name.to_owned(),
            colour,
            dashed: false,
            points: points(one, of),
        };
        let mut lines = vec![
            line("p50", 0, |second| second.p50_us),
            line("p99", 1, |second| second.p99_us),
            line("max", 2, |second| second.max_us),
        ];
        if one.scenario.rate_per_s().is_some() {
            lines.push(Line { dashed: true, ..line("p99, raw", 1, |second| second.raw_p99_us) });
        }
        return time_chart("Latency, second by second", Scale::Log, micros, lines);
    }
    over_time("p99 of the latency, second by second", Scale::Log, micros, typical, |second| second.p99_us)
}

fn throughput(typical: &[&Outcome]) -> Chart {
    if let [one] = typical {
        let line = |name: &str, colour, dashed, of: fn(&Second) -> Option<f64>| Line {
            name: name.to_owned(),
            colour,
            dashed,
            points: points(one, of),
        };
        let mut lines = vec![
            line("delivered/s", 0, false, |second| Some(second.delivered_per_s)),
            line("sent/s", 1, true, |second| Some(second.sent_per_s)),
        ];
        if one.checks.skipped > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a chart")]
            lines.push(line("skipped", 2, false, |second| Some(second.skipped as f64)));
        }
        return time_chart("Messages a second", Scale::Linear, number, lines);
    }
    over_time("Delivered messages a second", Scale::Linear, number, typical, |second| {
        Some(second.delivered_per_s)
    })
}

fn processor(one: &Outcome) -> Chart {
    let line = |name: &str, colour, of: fn(&Second) -> Option<f64>| Line {
        name: name.to_owned(),
        colour,
        dashed: colour > 0,
        points: points(one, of),
    };
    let lines = vec![
        line("peer", 0, |second| second.peer_cpu_cores),
        line("generator", 1, |second| second.generator_cpu_cores),
    ];
    time_chart("Processor time, cores", Scale::Linear, digits, lines)
}

/// A line for each peer.
fn over_time(
    title: &str,
    scale: Scale,
    show: fn(f64) -> String,
    runs: &[&Outcome],
    of: fn(&Second) -> Option<f64>,
) -> Chart {
    let lines = runs.iter().enumerate().map(|(colour, run)| Line {
        name: run.peer.clone(),
        colour,
        dashed: false,
        points: points(run, of),
    });
    time_chart(title, scale, show, lines.collect())
}

fn time_chart(title: &str, y_scale: Scale, show: fn(f64) -> String, lines: Vec<Line>) -> Chart {
    // A figure that no second has is not worth a place in the legend, and one of a single second is no course of time.
    let known = |line: &Line| line.points.iter().filter(|(_, value)| value.is_some()).count();
    let lines = lines.into_iter().filter(|line| known(line) > 1).collect();
    Chart {
        title: title.to_owned(),
        x_label: "seconds since measuring began".to_owned(),
        x_ticks: None,
        y_scale,
        show,
        lines,
    }
}

fn points(outcome: &Outcome, of: fn(&Second) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    outcome.series.iter().map(|second| (second.end_s, of(second))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_ends_at_its_maximum() {
        let mut histogram = histogram();
        for value in 1..=1_000 {
            histogram.record(value * 1_000).unwrap();
        }
        let points = distribution(&histogram);
        let (x, y) = points[points.len() - 1];
        assert!((x - 3.0).abs() < 1e-9 && (y.unwrap() - 1_000.0).abs() < 1.0, "{x} {y:?}");
        let half = points.iter().find(|(x, _)| *x >= 0.301).unwrap();
        assert!((half.1.unwrap() - 500.0).abs() < 20.0, "{half:?}");
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
    }
}
