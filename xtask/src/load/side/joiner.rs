//! One subscriber after the other joins topics with retained messages, reads all of them, and leaves.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::pipe::{Pipe, Reading};
use super::{Findings, Stage, Work};
use crate::load::clock::nanos;
use crate::load::latency::{histogram, micros};
use crate::load::peer::Target;
use crate::load::protocol::{Filter, Got, Terms, Wire};
use crate::load::scenario::Scenario;
use crate::load::session::Session;
use crate::signal;

/// Bytes of frames that are published at once beforehand.
const BLOCK_BYTES: usize = 64 << 10;
/// How long one read waits at most.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a joiner waits for its next message before the rest are lost.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Between two joiners.
const PAUSE: Duration = Duration::from_millis(50);
/// What joiners subscribe to.
const PATTERN: &str = "retained/*";

/// The side.
#[derive(Debug)]
pub(super) struct Joiner {
    target: Target,
    topics: u64,
}

impl Joiner {
    /// Publishes a message to each of `topics` topics.
    pub(super) fn new(scenario: &Scenario, target: Target, topics: usize) -> Result<Self> {
        ensure!(
            target.wire.retains(),
            "{} keeps no messages for those who subscribe later: retained-join needs that",
            target.wire.name()
        );
        let mut session = Session::open(target.wire, target.address, "loadtest retained")?;
        let payload = vec![0x5a; scenario.size];
        let mut frames = Vec::new();
        for number in 0..topics {
            target.wire.publish(&mut frames, &format!("retained/{number}"), &payload)?;
            if frames.len() >= BLOCK_BYTES {
                signal::check()?;
                session.send(&frames)?;
                frames.clear();
            }
        }
        session.send(&frames)?;
        session.flush()?;
        Ok(Self { target, topics: topics as u64 })
    }

    /// One joiner: how long it took until it had all, and how many that were. `None` if the run ended meanwhile.
    fn join(&self, stage: &Stage) -> Result<Option<(Duration, u64)>> {
        let wire = self.target.wire;
        let session = Session::open(wire, self.target.address, "joiner")?;
        let mut pipe = Pipe::new(session, wire, READ_TIMEOUT)?;
        let mut frames = Vec::new();
        // This one asks for the retained messages, as a client without `Hello` does.
        Wire::Lbroker.subscribe(&mut frames, &Filter::new(wire, 1, PATTERN)?, Terms::default())?;
        let started = Instant::now();
        pipe.write(&frames).context("a joiner cannot subscribe")?;
        let mut received = 0;
        let mut last = started;
        while received < self.topics && last.elapsed() < SILENCE_MAX {
            let before = received;
            let mut refused = None;
            let reading = pipe.read(usize::MAX, |got| match got {
                Got::Message { .. } => received += 1,
                Got::Refused(text) => refused = Some(text.clone()),
                _ => {}
            })?;
            if let Some(text) = refused {
                bail!("a joiner is refused: {text}");
            }
            ensure!(reading != Reading::Closed, "the server closed the connection of a joiner");
            if received > before {
                last = Instant::now();
            }
            if !stage.goes_on() {
                return Ok(None);
            }
        }
        Ok(Some((last.duration_since(started), received)))
    }
}

impl Work for Joiner {
    fn run(self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let mut findings = Findings::default();
        let mut times = histogram();
        let mut going = stage.wait_for_start();
        while going && let Some((took, received)) = self.join(stage)? {
            findings.lost += self.topics - received;
            times.saturating_record(nanos(took));
            going = stage.sleep(PAUSE);
        }
        if times.is_empty() {
            bail!("no joiner had all retained messages within the measured time: give a longer --duration");
        }
        let seconds = |value| micros(value) / 1e6;
        findings.count("joins", times.len());
        findings.note("join_time", seconds(times.value_at_quantile(0.5)));
        findings.note("join_time_max", seconds(times.max()));
        findings.count("join_lost", findings.lost);
        Ok(findings)
    }
}
