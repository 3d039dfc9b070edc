//! Two days compared: which way a figure moved, and whether that counts.

use super::*;
use crate::load::fixture;
use crate::load::middle::groups;
use crate::load::outcome::Outcome;

fn report(changed: fn(&mut Outcome)) -> Report {
    let mut outcome = fixture::outcome();
    changed(&mut outcome);
    Report::new(None, vec![outcome])
}

#[track_caller]
fn change_of(metric: &str, after: fn(&mut Outcome)) -> (Change, bool) {
    let before = Baseline::new("x", &report(|_| {}));
    let report = report(after);
    let comparison = before.compare(&groups(&report.results), &report.host, 0.1);
    let row = comparison.rows.iter().find(|row| row.metric == metric).unwrap();
    (row.change, comparison.is_worse())
}

fn p99(outcome: &mut Outcome, factor: f64) {
    outcome.latency.as_mut().unwrap().p99_us *= factor;
}

#[test]
fn changes_have_a_direction_and_a_threshold() {
    assert_eq!(change_of("p99", |_| {}), (Change::Same, false));
    assert_eq!(change_of("p99", |o| p99(o, 1.09)), (Change::Same, false));
    assert_eq!(change_of("p99", |o| p99(o, 1.2)), (Change::Worse, true));
    assert_eq!(change_of("p99", |o| p99(o, 0.8)), (Change::Better, false));
    assert_eq!(change_of("lost", |o| o.checks.lost = 1), (Change::Worse, true));
    // Shown, but it depends on single events: it decides nothing.
    let p999 = change_of("p999", |o| o.latency.as_mut().unwrap().p999_us *= 3.0);
    assert_eq!(p999, (Change::Worse, false));
    // With a rate the throughput is the generator's choice.
    assert_eq!(change_of("delivered_per_s", |o| o.delivered_per_s /= 2.0), (Change::Worse, false));
    assert_eq!(change_of("connects_per_s", |o| o.figures[0].value /= 2.0), (Change::Worse, true));
}

#[test]
fn what_lies_within_the_spread_is_no_change() {
    let runs = |factors: [f64; 3]| {
        let run = |factor| {
            let mut outcome = fixture::outcome();
            p99(&mut outcome, factor);
            outcome
        };
        Report::new(None, factors.map(run).to_vec())
    };
    let before = Baseline::new("x", &runs([0.5, 1.0, 1.5]));
    let compared = |report: &Report| before.compare(&groups(&report.results), &report.host, 0.1).is_worse();
    assert!(!compared(&runs([1.3, 1.3, 1.3])));
    assert!(compared(&runs([1.7, 1.7, 1.7])));
}

#[test]
fn a_baseline_without_the_scenario_is_no_success() {
    let report = report(|_| {});
    let before = Baseline { results: Vec::new(), ..Baseline::new("x", &report) };
    let comparison = before.compare(&groups(&report.results), &report.host, 0.1);
    assert!(comparison.is_worse());
    assert!(comparison.notes[0].contains("has no"), "{:?}", comparison.notes);
    assert_eq!(comparison.section(&before).unwrap().tables.len(), 1);
}

#[test]
fn another_machine_is_told() {
    let report = report(|_| {});
    let before = Baseline { host: "another, 64 cores; rustc 1".to_owned(), ..Baseline::new("x", &report) };
    let comparison = before.compare(&groups(&report.results), &report.host, 0.1);
    assert_eq!(comparison.notes, ["The baseline is of another machine: another, 64 cores"]);
}

#[test]
fn a_baseline_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep").join("x.json");
    let baseline = Baseline::new("x", &report(|_| {}));
    write(&path, &baseline).unwrap();
    let read: Baseline = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(Baseline { name: "x".to_owned(), ..read }, baseline);
}

#[test]
fn names_are_file_names() {
    assert!(name("main-2026.1_a").is_ok());
    for wrong in ["", ".", "..", "a/b", "a b", "ä", ".x"] {
        assert!(name(wrong).is_err(), "{wrong}");
    }
}
