//! Ratios, tables and who is left out, from made-up runs.

use super::*;
use crate::load::fixture;

/// A run with the figures that are compared.
fn run(delivered_per_s: f64, lost: u64) -> Outcome {
    let mut outcome = fixture::outcome();
    outcome.delivered_per_s = delivered_per_s;
    outcome.checks.lost = lost;
    outcome
}

fn series(peer: Peer, delivered: &[f64], broker: &[f64], lost: u64) -> PeerRuns {
    let of_peer = |value, lost| Outcome { peer: peer.name().to_owned(), ..run(value, lost) };
    let runs = |values: &[f64], lost| values.iter().map(|&value| of_peer(value, lost)).collect::<Vec<_>>();
    PeerRuns::new(peer, Wire::Nats, Some("1.0".to_owned()), runs(delivered, lost), &runs(broker, 0))
}

fn comparison(series: Vec<PeerRuns>, left_out: Vec<LeftOut>) -> Comparison {
    Comparison { name: "1 to 1".to_owned(), rate_per_s: None, floors: Vec::new(), series, left_out }
}

#[test]
fn a_ratio_is_taken_turn_by_turn() {
    // A machine that is half as fast in the second turn is so for both.
    let broker = [400.0, 200.0, 480.0];
    let ratios = series(Peer::NatsServer, &[100.0, 50.0, 100.0], &broker, 0).broker_to_this.unwrap();
    assert_eq!(ratios.delivered, Some(Ratio { median: 4.0, min: 4.0, max: 4.8 }));
    assert_eq!(series(Peer::Broker, &broker, &broker, 0).broker_to_this, None);
}

#[test]
fn a_peer_that_delivers_nothing_has_no_ratio() {
    let ratios = series(Peer::Redis, &[0.0], &[100.0], 0).broker_to_this.unwrap();
    assert_eq!(ratios.delivered, None);
}

#[test]
fn the_losses_of_others_are_shown_and_do_not_count() {
    let broker = series(Peer::Broker, &[4e6], &[4e6], 0);
    let lossy = series(Peer::Mosquitto, &[1e6], &[4e6], 12);
    let comparison = comparison(vec![broker, lossy], Vec::new());
    let table = throughput_table(&[&comparison]).text();
    assert!(table.contains("NO, 12 lost") && table.contains("4.00 (4.00–4.00)"), "{table}");
    let report = |comparison| CompareReport { runs: 1, comparisons: vec![comparison] }.report().unwrap();
    assert!(report(comparison).checks_hold());
    let lossy = self::comparison(vec![series(Peer::Broker, &[1.0], &[1.0], 1)], Vec::new());
    assert!(!report(lossy).checks_hold());
}

#[test]
fn who_is_missing_is_told_once_with_advice() {
    let missing = || LeftOut { peer: Peer::NatsServer, why: Peer::NatsServer.advice() };
    let broker = || vec![series(Peer::Broker, &[1.0], &[1.0], 0)];
    let report = CompareReport {
        runs: 1,
        comparisons: vec![comparison(broker(), vec![missing()]), comparison(broker(), vec![missing()])],
    };
    let text: String = report.tables().iter().map(Table::text).collect();
    assert_eq!(text.matches("nats-server is left out: ").count(), 1, "{text}");
    assert!(text.contains("apt-get install nats-server"), "{text}");
}

#[test]
fn the_standard_scenarios_can_be_run() {
    let second = std::time::Duration::from_secs(1);
    let times = Times { warm_up: second, duration: second, drain: second };
    let scenarios = standard(times).unwrap();
    assert_eq!(scenarios.len(), 8);
    for scenario in scenarios {
        scenario.check().unwrap();
    }
}

#[test]
fn a_floor_is_the_median_of_the_ratios() {
    let broker = [300.0, 100.0, 480.0];
    let all = [series(Peer::Broker, &broker, &broker, 0), series(Peer::NatsServer, &[100.0; 3], &broker, 0)];
    let text = |floor: Floor| floor.judge(&all).text();
    assert_eq!(text(Floor::delivered(Peer::NatsServer, 3.0)), "delivered ≥ 3.00 × nats-server: reached");
    assert_eq!(text(Floor::delivered(Peer::NatsServer, 3.1)), "delivered ≥ 3.10 × nats-server: NOT reached");
    // Both runs cost the same, and took as long.
    assert_eq!(text(Floor::cpu(Peer::NatsServer, 0.4)), "CPU ≤ 0.400 × nats-server: NOT reached");
    assert_eq!(text(Floor::p50(Peer::NatsServer, 1.0)), "p50 ≤ 1.00 × nats-server: reached");
    assert_eq!(text(Floor::p99(Peer::Redis, 1.0)), "p99 ≤ 1.00 × redis: not measured");
}
