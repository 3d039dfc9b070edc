//! A scenario with and without what happens beside its messages, in turn, so that whatever else the machine does meets both alike.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::metric;
use super::outcome::{Figure, Outcome};
use super::scenario::Scenario;
use super::tenths;
use crate::signal;

/// The longest warm-up without sides: it is theirs that takes long.
const ALONE_WARM_UP_MAX: Duration = Duration::from_millis(500);

/// Runs `scenario` `runs` times without its sides and as often with them, the two in turn. Those with them tell how they compare with the run
/// before.
pub(crate) fn run(
    scenario: &Scenario,
    runs: usize,
    mut run: impl FnMut(&Scenario, &str) -> Result<Outcome>,
) -> Result<Vec<Outcome>> {
    let mut alone = scenario.alone();
    alone.times.warm_up = alone.times.warm_up.min(ALONE_WARM_UP_MAX);
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for turn in 0..runs {
        let note = format!("{}/{runs}: ", turn + 1);
        // A different one begins each time.
        let (first, second) = if turn % 2 == 0 { (&alone, scenario) } else { (scenario, &alone) };
        let one = run(first, &note)?;
        if signal::asked_to_stop() {
            // One without the other is still something to look at.
            quiet.push(with_tenths(one));
            break;
        }
        let other = run(second, &note)?;
        let (before, after) = if turn % 2 == 0 { (one, other) } else { (other, one) };
        loud.push(compared(&before, after)?);
        quiet.push(with_tenths(before));
        if signal::asked_to_stop() {
            break;
        }
    }
    quiet.append(&mut loud);
    Ok(quiet)
}

/// `loud` with the figures that compare it with `quiet`.
fn compared(quiet: &Outcome, mut loud: Outcome) -> Result<Outcome> {
    if let (Some(before), Some(after)) = (&quiet.latency, &loud.latency) {
        ensure!(before.p99_us > 0.0 && before.p50_us > 0.0, "a latency of nothing");
        loud.figures.push(Figure::new("p50_ratio", after.p50_us / before.p50_us));
        loud.figures.push(Figure::new("p99_ratio", after.p99_us / before.p99_us));
    }
    let mut loud = with_tenths(loud);
    if let (Some(before), Some(after)) = (tenths::median(&quiet.tenths), tenths::median(&loud.tenths)) {
        loud.figures.push(Figure::new("p99_tenth_ratio", after / before));
    }
    let memory = metric::value(&loud, "memory").zip(metric::value(&loud, "slow_bounds"));
    loud.figures.extend(memory.map(|(memory, bounds)| Figure::new("memory_of_bounds", memory / bounds)));
    Ok(loud)
}

/// `outcome` with the p99 of a typical tenth of a second.
fn with_tenths(mut outcome: Outcome) -> Outcome {
    let median = tenths::median(&outcome.tenths);
    outcome.figures.extend(median.map(|median| Figure::new("p99_tenth", median)));
    outcome
}
