//! The scenarios of each piece, and what the broker has to reach in them. Pure.

use std::time::Duration;

use anyhow::Result;
use broker_core::Policy;

use crate::load::compare::{Floor, Row};
use crate::load::peer::Peer;
use crate::load::scenario::{Kind, Scenario, ShapeArgs, SlowMode, Times, plan};

/// Messages a second of the rows about latency beside the relay and others.
const LATENCY_RATE: f64 = 10_000.0;
/// Messages a second of the rows about latency over NATS.
const NATS_RATES: [f64; 3] = [1_000.0, 10_000.0, 50_000.0];
/// Messages a second beside fifty slow subscribers.
const SLOW_RATE: f64 = 100_000.0;
/// The same at a rate that leaves a machine of two cores room.
const EASY_RATE: f64 = 20_000.0;
/// Bytes of a payload there: of 1 KiB this machine cannot deliver a hundred thousand a second to fifty.
const SLOW_BYTES: usize = 128;
/// How long it takes there until 8 MiB wait for each, and some in the sockets. Measured: about a second.
const SLOW_WARM_UP: Duration = Duration::from_millis(1_200);
/// The same at a fifth of the rate.
const EASY_WARM_UP: Duration = Duration::from_secs(5);
/// Bytes of a retained message.
const JOIN_BYTES: usize = 100;
/// Bytes of a payload, from what a sensor says to a document.
const SIZES: [usize; 4] = [16, 128, 1_024, 65_536];

fn one(size: usize, times: Times) -> Result<Scenario> {
    Ok(Scenario::new(1, 1, 1, &[], times)?.with_size(size))
}

/// Beside the relay.
pub(super) fn relay(times: Times) -> Result<Vec<Row>> {
    let row = |scenario, floors: &[Floor]| Row { scenario, floors: floors.to_vec() };
    let delivered = |bound| [Floor::delivered(Peer::Relay, bound)];
    Ok(vec![
        row(one(16, times)?, &delivered(0.35)),
        row(one(128, times)?, &[]),
        row(one(1_024, times)?, &delivered(0.65)),
        row(one(65_536, times)?, &delivered(0.85)),
        row(Scenario::new(1, 100, 1, &[], times)?, &delivered(0.40)),
        row(Scenario::pairs(10, times)?, &[]),
        row(one(128, times)?.with_rate(Some(LATENCY_RATE)), &[Floor::p50(Peer::Relay, 1.3)]),
    ])
}

/// One to one, all sizes.
pub(super) fn sizes(times: Times) -> Result<Vec<Row>> {
    SIZES.iter().map(|&size| Ok(one(size, times)?.into())).collect()
}

/// Every other way in which publishers and subscribers come together, and one row about latency.
pub(super) fn shapes(times: Times) -> Result<Vec<Row>> {
    let mut all: Vec<Row> = many(times)?.into_iter().map(Row::from).collect();
    all.push(one(128, times)?.with_rate(Some(LATENCY_RATE)).into());
    Ok(all)
}

/// As fast as possible, and not one to one.
fn many(times: Times) -> Result<Vec<Scenario>> {
    Ok(vec![
        Scenario::new(1, 100, 1, &[], times)?,
        Scenario::pairs(10, times)?,
        Scenario::new(10, 1, 1, &[], times)?,
        plan(Kind::Nobody, &ShapeArgs::default(), times)?.with_rate(None),
    ])
}

/// All of them over NATS.
pub(super) fn nats(times: Times) -> Result<Vec<Row>> {
    let mut all: Vec<Scenario> = SIZES.iter().map(|&size| one(size, times)).collect::<Result<_>>()?;
    all.extend(many(times)?);
    let floors = vec![Floor::delivered(Peer::NatsServer, 2.5), Floor::cpu(Peer::NatsServer, 0.4)];
    Ok(all.into_iter().map(|scenario| Row { scenario, floors: floors.clone() }).collect())
}

/// Three rates over NATS.
pub(super) fn nats_latency(times: Times) -> Result<Vec<Row>> {
    let floors = [Floor::p50(Peer::Redis, 1.0), Floor::p99(Peer::Redis, 1.0)];
    let row = |rate| Ok(Row { scenario: one(128, times)?.with_rate(Some(rate)), floors: floors.to_vec() });
    NATS_RATES.into_iter().map(row).collect()
}

/// A hundred thousand wildcards on a hundred sessions, a million topics, one match each.
pub(super) fn wildcard(times: Times) -> Result<Vec<Row>> {
    let shape = ShapeArgs {
        subscriptions: Some(100_000),
        sessions: Some(100),
        topics: Some(1_000_000),
        ..ShapeArgs::default()
    };
    let scenario = plan(Kind::Wildcard, &shape, times)?.with_rate(None);
    Ok(vec![Row { scenario, floors: vec![Floor::delivered(Peer::NatsServer, 1.5)] }])
}

/// One to one, beside subscribers that join one after the other.
pub(super) fn joins(times: Times) -> Result<Scenario> {
    Ok(plan(Kind::RetainedJoin, &ShapeArgs::default(), times)?.with_size(JOIN_BYTES))
}

/// Good subscribers beside a few that never read.
pub(super) fn slow_consumer(times: Times) -> Result<Scenario> {
    plan(Kind::SlowConsumer, &ShapeArgs::default(), times)
}

/// Fifty good subscribers at a high rate beside fifty slow ones: under each policy some that never read, and some that read slowly.
pub(super) fn policies(times: Times) -> Result<Vec<Scenario>> {
    let row = |(policy, slow_mode, rate)| {
        let shape = ShapeArgs {
            subs: Some(50),
            slow: Some(50),
            slow_mode: Some(slow_mode),
            policy: Some(policy),
            ..ShapeArgs::default()
        };
        // In a run of no time, for a test, there is no time for these either.
        let warm_up = if rate < SLOW_RATE { EASY_WARM_UP } else { SLOW_WARM_UP };
        let warm_up = warm_up.min(times.duration * 4).max(times.warm_up);
        let scenario = plan(Kind::SlowConsumer, &shape, Times { warm_up, ..times })?;
        Ok(scenario.with_size(SLOW_BYTES).with_rate(Some(rate)))
    };
    // Who blocks holds the publisher back, and so everybody: that is what it is asked for. The books close under it as well, but its row would tell the
    // deadline and how much of the run that was: with 20,000 messages of 1 KiB a second a p50 of 1 s and a p99 of 5.5 s (measured).
    let never = Policy::ALL.into_iter().filter(|policy| *policy != Policy::Block);
    let never = never.map(|policy| (policy, SlowMode::Never, SLOW_RATE));
    // Who disconnects is gone after the first second.
    let read = [Policy::Skip, Policy::Conflate, Policy::DropOldest, Policy::DropNewest];
    let slowly = read.map(|policy| (policy, SlowMode::Rate, SLOW_RATE));
    let bursts = read.map(|policy| (policy, SlowMode::Bursts, SLOW_RATE));
    let easy = (Policy::Skip, SlowMode::Never, EASY_RATE);
    never.chain(slowly).chain(bursts).chain([easy]).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_run_and_those_beside_the_relay_by_the_relay() {
        let second = Duration::from_secs(1);
        let times = Times { warm_up: second, duration: second, drain: second };
        for row in relay(times).unwrap() {
            row.scenario.check_relay().unwrap();
        }
        let all = [sizes(times), shapes(times), nats(times), nats_latency(times)];
        for row in all.into_iter().flat_map(Result::unwrap) {
            row.scenario.check().unwrap();
        }
        for scenario in
            policies(times).unwrap().into_iter().chain([slow_consumer(times).unwrap(), joins(times).unwrap()])
        {
            scenario.check().unwrap();
        }
        assert!(nats(times).unwrap().iter().all(|row| row.scenario.rate.is_none() && row.floors.len() == 2));
    }
}
