//! Whole runs against real servers, where they are installed: nats-server, mosquitto, redis, and lbroker if `LBROKER` names its program.
//!
//! A server that is missing is said to be so on the terminal, with the command that installs it, whatever the test runner captures.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::outcome::Outcome;
use super::peer::{Peer, Start, Target};
use super::protocol::Wire;
use super::run::run;
use super::scenario::{Scenario, Times};
use super::tests::Nobody;
use crate::process::{Process, free_address};

const TIMES: Times = Times {
    warm_up: Duration::from_millis(100),
    duration: Duration::from_millis(300),
    drain: Duration::from_secs(2),
};

/// Where lbroker is: the only one without a package.
fn program(peer: Peer) -> Option<PathBuf> {
    if peer == Peer::Lbroker { std::env::var_os("LBROKER").map(PathBuf::from) } else { peer.find() }
}

/// A server, or `None` after the terminal was told that it is missing.
fn start(peer: Peer) -> Option<(Process, Target)> {
    let Some(program) = program(peer) else {
        // Not through `eprintln!`, which the test runner keeps to itself.
        writeln!(std::io::stderr(), "SKIPPED: {} is not installed: {}", peer.name(), peer.advice()).unwrap();
        return None;
    };
    let wire = peer.wire(Wire::Native).unwrap();
    let how = Start { program: &program, wire, relay_block: 0, paced: true };
    let process = peer.start(how, free_address().unwrap()).unwrap();
    let target = Target { peer, wire, address: process.address(), pid: Some(process.pid()) };
    Some((process, target))
}

/// Runs it, and finds every message where it was to be.
#[track_caller]
fn check(scenario: &Scenario, target: Target) -> Outcome {
    let outcome = run(scenario, target, &mut Nobody).unwrap();
    let about = format!("{}, {}: {:?}", target.peer.name(), scenario.title(), outcome.checks);
    assert!(outcome.checks.hold() && outcome.checks.sent > 0, "{about}");
    assert_eq!(outcome.checks.delivered, outcome.checks.expected, "{about}");
    assert!(outcome.latency.is_some(), "{about}");
    outcome
}

/// Every shape that a plain run can have.
fn all_shapes(peer: Peer) {
    let Some((_process, target)) = start(peer) else { return };
    let scenario = |pubs, subs, topics| Scenario::new(pubs, subs, topics, &[], TIMES).unwrap();
    for size in [16, 128, 70_000] {
        check(&scenario(1, 1, 1).with_size(size).with_rate(None), target);
    }
    let outcome = check(&scenario(1, 1, 1).with_rate(Some(500.0)), target);
    assert_eq!(outcome.checks.sent, 200);
    // Several topics are subscribed to with a pattern. lbroker keeps the order of each topic, not of all that a publisher sends.
    let several = scenario(2, 3, 5).with_rate(Some(2_000.0));
    if peer == Peer::Lbroker {
        let checks = run(&several, target, &mut Nobody).unwrap().checks;
        assert_eq!((checks.delivered, checks.lost, checks.duplicated), (checks.expected, 0, 0), "{checks:?}");
    } else {
        check(&several, target);
    }
    check(&Scenario::pairs(3, TIMES).unwrap().with_rate(None), target);
    let mut checked = scenario(1, 2, 1).with_rate(Some(500.0));
    checked.checksum = true;
    check(&checked, target);
    // Clients that publish and subscribe, on one connection where that is possible.
    check(&Scenario::lbroker(4, &[], TIMES).unwrap().with_rate(Some(700.0)), target);
}

#[test]
fn nats_server() {
    all_shapes(Peer::NatsServer);
}

#[test]
fn mosquitto() {
    all_shapes(Peer::Mosquitto);
}

#[test]
fn redis() {
    all_shapes(Peer::Redis);
}

#[test]
fn lbroker() {
    all_shapes(Peer::Lbroker);
}

#[test]
fn a_server_that_speaks_something_else_is_told_by_its_answer() {
    let refused = |target: Target, wire| {
        let target = Target { wire, ..target };
        let scenario = Scenario::new(1, 1, 1, &[], TIMES).unwrap();
        format!("{:#}", run(&scenario, target, &mut Nobody).unwrap_err())
    };
    if let Some((_process, target)) = start(Peer::NatsServer) {
        for wire in [Wire::Native, Wire::Redis, Wire::Mqtt] {
            let text = refused(target, wire);
            assert!(text.contains(&format!("speaks {}?", wire.name())), "{text}");
        }
    }
    if let Some((_process, target)) = start(Peer::Redis) {
        let text = refused(target, Wire::Nats);
        assert!(text.contains("speaks nats?"), "{text}");
    }
}

#[test]
fn a_payload_that_the_server_does_not_take_is_refused_before_the_run() {
    let Some((_process, target)) = start(Peer::NatsServer) else { return };
    let scenario = Scenario::new(1, 1, 1, &[], TIMES).unwrap().with_size(65 << 20);
    let text = format!("{:#}", run(&scenario, target, &mut Nobody).unwrap_err());
    assert!(text.contains("payloads of 67108864 bytes at most"), "{text}");
}

#[test]
fn a_group_shares_the_work() {
    for peer in [Peer::NatsServer, Peer::Mosquitto] {
        let Some((_process, target)) = start(peer) else { continue };
        let mut scenario = Scenario::new(1, 3, 1, &[], TIMES).unwrap().with_rate(Some(1_000.0));
        for subscriber in &mut scenario.subscribers {
            subscriber.queue = Some("workers".into());
        }
        let checks = run(&scenario, target, &mut Nobody).unwrap().checks;
        assert_eq!((checks.delivered, checks.duplicated), (checks.sent, 0), "{checks:?}");
        assert!(checks.sent > 0, "{checks:?}");
    }
}
