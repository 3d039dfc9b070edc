//! What is run if no scenario is named: each of them once, short enough that somebody looks at the whole of it.

use anyhow::Result;

use super::job::{How, Planned};
use super::scenario::{Kind, Scenario, ShapeArgs, Times, plan};

/// Everything but the soak, and one row for the maximum.
const STANDARD: [Kind; 14] = [
    Kind::P2p,
    Kind::Fanout,
    Kind::Fanin,
    Kind::Pairs,
    Kind::Nobody,
    Kind::Group,
    Kind::Wildcard,
    Kind::Reqrep,
    Kind::Lbroker,
    Kind::SlowConsumer,
    Kind::RetainedJoin,
    Kind::Churn,
    Kind::ConnStorm,
    Kind::Reconnect,
];

/// The selection for people.
pub(crate) fn standard(times: Times) -> Result<Vec<Planned>> {
    let mut all = of(&ShapeArgs::default(), times)?;
    let fastest = plan(Kind::P2p, &ShapeArgs::default(), times)?.with_rate(None);
    all.insert(1, planned(fastest));
    Ok(all)
}

/// The selection for CI: small everywhere.
pub(crate) fn smoke(times: Times) -> Result<Vec<Planned>> {
    let small = ShapeArgs {
        retained: Some(5_000),
        subscriptions: Some(500),
        connections: Some(50),
        ..ShapeArgs::default()
    };
    of(&small, times)
}

fn planned(scenario: Scenario) -> Planned {
    Planned { scenario, runs: 1, how: How::Plain, optional: false }
}

/// All of them, with those of the parameters that each takes.
fn of(shape: &ShapeArgs, times: Times) -> Result<Vec<Planned>> {
    STANDARD
        .iter()
        .map(|&kind| {
            let scenario = plan(kind, &shape.only(kind), times)?;
            Ok(Planned {
                optional: matches!(kind, Kind::Nobody | Kind::Group | Kind::RetainedJoin),
                ..planned(scenario)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_smoke_test_is_small_and_leaves_only_the_soak_out() {
        let times =
            Times { warm_up: Duration::ZERO, duration: Duration::from_secs(1), drain: Duration::ZERO };
        let all = smoke(times).unwrap();
        assert_eq!(all.len() + 1, clap::ValueEnum::value_variants().iter().filter(|_: &&Kind| true).count());
        assert!(
            all.iter()
                .all(|planned| planned.scenario.check().is_ok() && planned.scenario.topics.len() <= 100_000)
        );
        assert_eq!(standard(times).unwrap()[1].scenario.rate, None);
    }
}
