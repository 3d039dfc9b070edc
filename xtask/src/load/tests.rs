//! Whole runs, in this process: the real threads and sockets, against the real relay and against one that cheats.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::outcome::Outcome;
use super::peer::{Peer, Target};
use super::protocol::Wire;
use super::run::{Watch, run};
use super::scenario::{Scenario, Times};
use crate::relay;

const TIMES: Times = Times {
    warm_up: Duration::from_millis(20),
    duration: Duration::from_millis(150),
    drain: Duration::from_millis(300),
};

pub(crate) struct Nobody;

impl Watch for Nobody {
    fn tick(&mut self, _: Duration, _: Duration, _: f64) {}

    fn second(&mut self, _: &super::series::Second) {}

    fn check(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

fn target(address: SocketAddr) -> Target {
    Target { peer: Peer::Relay, wire: Wire::Native, address, pid: None }
}

fn through_the_relay(scenario: &Scenario) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || relay::serve(&listener, 10_000));
    run(scenario, target(address), &mut Nobody).unwrap()
}

/// A relay for one publisher and one subscriber whose blocks go through `cheat`.
fn through_a_cheat(scenario: &Scenario, cheat: fn(usize, &mut Vec<u8>)) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let [mut subscriber, mut publisher] = [(); 2].map(|()| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; 8];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(&greeting).unwrap();
            stream
        });
        // Whole frames of `load/0` with 16 bytes: a cheat cuts between them.
        let mut block = vec![0; 26];
        for count in 0.. {
            if publisher.read_exact(&mut block).is_err() {
                return;
            }
            let mut bytes = block.clone();
            cheat(count, &mut bytes);
            if subscriber.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let outcome = run(scenario, target(address), &mut Nobody).unwrap();
    thread.join().unwrap();
    outcome
}

fn rated(rate: f64) -> Scenario {
    Scenario::new(1, 1, 1, &[], TIMES).unwrap().with_size(16).with_rate(Some(rate))
}

#[test]
fn everything_arrives_through_the_relay() {
    for (subs, topics, size) in [(1, 1, 16), (3, 1, 128), (1, 4, 1_000), (2, 1, 65_536)] {
        let mut scenario = Scenario::new(1, subs, topics, &[], TIMES).unwrap().with_size(size);
        scenario.threads = Some(2);
        let outcome = through_the_relay(&scenario);
        assert!(outcome.checks.hold(), "{outcome:?}");
        assert!(outcome.checks.sent > 0, "{outcome:?}");
        assert_eq!(outcome.checks.delivered, outcome.checks.sent * subs as u64, "{outcome:?}");
        assert_eq!(outcome.checks.delivered, outcome.checks.expected, "{outcome:?}");
        // Latencies are `a_rate_is_kept`'s: on a starved machine nothing may be meant for the time that is measured here.
    }
}

#[test]
fn pairs_do_not_mix() {
    let outcome = through_the_relay(&Scenario::pairs(5, TIMES).unwrap());
    assert!(outcome.checks.hold() && outcome.checks.delivered == outcome.checks.sent, "{outcome:?}");
    assert!(outcome.checks.sent > 0, "{outcome:?}");
}

#[test]
fn a_rate_is_kept() {
    let outcome = through_the_relay(&rated(1_000.0));
    assert_eq!(outcome.checks.sent, 170, "{outcome:?}");
    assert!(outcome.checks.hold(), "{outcome:?}");
    assert!(outcome.latency.is_some_and(|latency| latency.messages == 150), "{outcome:?}");
}

#[test]
fn a_cheat_is_found_out() {
    let outcome = through_a_cheat(&rated(1_000.0), |_, _| {});
    assert!(outcome.checks.hold(), "{outcome:?}");

    let outcome =
        through_a_cheat(&rated(1_000.0), |count, bytes| bytes.truncate(if count == 30 { 0 } else { 26 }));
    assert_eq!((outcome.checks.lost, outcome.checks.duplicated), (1, 0), "{outcome:?}");

    let outcome = through_a_cheat(&rated(1_000.0), |count, bytes| {
        if count == 30 {
            bytes.extend_from_within(..);
        }
    });
    assert_eq!((outcome.checks.lost, outcome.checks.duplicated), (0, 1), "{outcome:?}");

    let outcome = through_a_cheat(&rated(1_000.0), |count, bytes| {
        if count == 30 {
            // The topic: nobody asked for `load/1`.
            bytes[7] = b'1';
        }
    });
    assert_eq!((outcome.checks.lost, outcome.checks.corrupt), (1, 1), "{outcome:?}");
    assert!(!outcome.checks.hold());
}

#[test]
fn a_peer_that_hangs_up_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || drop(listener.accept().unwrap()));
    assert!(run(&rated(10.0), target(address), &mut Nobody).is_err());
    thread.join().unwrap();
}
