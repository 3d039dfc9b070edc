//! `reconnect --restart`: the server is stopped and started again, and everybody has to come back.
//!
//! There is nothing beside it to measure: whoever publishes or subscribes loses its connection too.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::bench::Bench;
use super::outcome::{Figure, Measured, Outcome, Sample};
use super::peer::Peer;
use super::scenario::{Scenario, Times};
use super::series::Recording;
use super::side::resets::{Fleet, TICKS_PER_S, findings};
use crate::signal;

/// Rounds, at the most: each waits for a process to end and to begin.
const ROUNDS_MAX: usize = 20;
/// Between two rounds: everybody receives in peace.
const PAUSE: Duration = Duration::from_millis(300);

/// Restarts the broker again and again for as long as `times` says, at least once.
pub(crate) fn run(bench: &Bench, connections: usize, times: Times) -> Result<Outcome> {
    let mut process = bench.start(Peer::Broker)?;
    let target = bench.target(Peer::Broker, &process)?;
    let mut fleet = Fleet::new(target, connections)?;
    let going = || !signal::asked_to_stop();
    let started = Instant::now();
    fleet.come_back(started, &going)?.context("interrupted")?;
    let (mut rounds, mut down) = (Vec::new(), Vec::new());
    while rounds.is_empty() || (started.elapsed() < times.duration && rounds.len() < ROUNDS_MAX) {
        signal::check()?;
        let broken = Instant::now();
        drop(process);
        process = bench.start_at(Peer::Broker, target.address)?;
        down.push(broken.elapsed().as_secs_f64());
        fleet.break_all();
        let Some(round) = fleet.come_back(broken, &going)? else { break };
        rounds.push(round);
        std::thread::sleep(PAUSE);
    }
    ensure!(!rounds.is_empty(), "interrupted");
    process.check()?;
    let mut outcome = nothing(connections, bench, times)?;
    outcome.figures = findings(&rounds, connections).figures;
    down.sort_by(f64::total_cmp);
    if let Some(&middle) = down.get(down.len() / 2) {
        outcome.figures.push(Figure::new("down_time", middle));
    }
    Ok(outcome)
}

/// An outcome without messages.
fn nothing(connections: usize, bench: &Bench, times: Times) -> Result<Outcome> {
    let sample = Sample {
        time: 0,
        sent: 0,
        delivered: 0,
        skipped: 0,
        peer_cpu: None,
        own_cpu: None,
        peer_resident_bytes: None,
    };
    let mut scenario = Scenario::new(1, 1, 1, &[], times)?;
    scenario.name = format!("reconnect, {connections} connections, the server restarted");
    // So often everybody gets a message.
    scenario.rate = Some(TICKS_PER_S);
    Ok(Outcome::new(Measured {
        peer: Peer::Broker.name().to_owned(),
        protocol: bench.wire(Peer::Broker)?.name().to_owned(),
        scenario: scenario.summary(None),
        payload_bytes: scenario.size,
        samples: [sample, sample],
        sent: 0,
        due: None,
        books: &[],
        recording: Recording::new(),
        series: Vec::new(),
    }))
}
