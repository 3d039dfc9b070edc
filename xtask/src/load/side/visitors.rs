//! Sessions that come, subscribe to what flows, and go: half of them with a last word, half without.

use std::time::Duration;

use anyhow::Result;

use super::{Findings, Stage, Work};
use crate::load::peer::Target;
use crate::load::scenario::Scenario;
use crate::load::session::Session;

/// Between two visitors. A guess: in an hour 72,000 have come and gone.
const PAUSE: Duration = Duration::from_millis(50);

/// The side.
#[derive(Debug)]
pub(super) struct Visitors {
    target: Target,
    patterns: Vec<String>,
}

impl Visitors {
    /// Nobody has come yet.
    pub(super) fn new(scenario: &Scenario, target: Target) -> Result<Self> {
        let patterns = scenario.subscribers.first().map(|plan| plan.patterns.to_vec()).unwrap_or_default();
        Session::open(target.wire, target.address, "visitor")?;
        Ok(Self { target, patterns })
    }
}

impl Work for Visitors {
    fn run(self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let mut visitors = 0;
        while stage.sleep(PAUSE) {
            let mut session = Session::open(self.target.wire, self.target.address, "visitor")?;
            session.subscribe(&self.patterns)?;
            if visitors % 2 == 0 {
                session.flush()?;
            }
            visitors += 1;
        }
        let mut findings = Findings::default();
        findings.count("visitors", visitors);
        Ok(findings)
    }
}
