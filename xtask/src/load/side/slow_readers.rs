//! Subscribers to the topics of the run that read slowly or never. At the end each reads all that waits for it, so that its books close:
//! sent = received + skipped, as the broker told it, + lost.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::pipe::{Pipe, Reading};
use super::{Findings, Stage, Work};
use crate::load::peer::Target;
use crate::load::protocol::Got;
use crate::load::scenario::Scenario;
use crate::load::session::Session;
use crate::signal;

/// How often those that read do.
const READ_EVERY: Duration = Duration::from_millis(50);
/// How long one read waits at most.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// The ping behind everything that waited.
const LAST: u64 = 1 << 40;

/// One of them.
#[derive(Debug)]
struct Reader {
    pipe: Pipe,
    received: u64,
    skipped: u64,
    open: bool,
    /// Whether the answer to the last ping came.
    done: bool,
}

impl Reader {
    /// One read of `max` bytes at most. False if nothing came.
    fn read(&mut self, max: usize) -> Result<bool> {
        let Self { pipe, received, skipped, done, .. } = self;
        let reading = pipe.read(max, |got| match got {
            Got::Message { .. } => *received += 1,
            Got::Lagged(missed) => *skipped += missed,
            Got::Answer(_) => *done = true,
            _ => {}
        })?;
        self.open &= reading != Reading::Closed;
        Ok(reading == Reading::Some)
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct SlowReaders {
    readers: Vec<Reader>,
    bytes_per_s: usize,
}

impl SlowReaders {
    /// Connects and subscribes.
    pub(super) fn new(scenario: &Scenario, target: Target, count: usize, bytes_per_s: usize) -> Result<Self> {
        ensure!(count > 0, "--slow has to be 1 or more");
        let patterns = scenario.subscribers.first().map(|plan| plan.patterns.to_vec()).unwrap_or_default();
        let mut readers = Vec::with_capacity(count);
        for number in 0..count {
            signal::check()?;
            let mut session = Session::open(target.wire, target.address, &format!("slow {number}"))?;
            session.subscribe(&patterns)?;
            let pipe = Pipe::new(session, target.wire, READ_TIMEOUT)?;
            readers.push(Reader { pipe, received: 0, skipped: 0, open: true, done: false });
        }
        Ok(Self { readers, bytes_per_s })
    }

    /// Everything that waits, up to the answer to a ping, or to silence for as long as the run drains.
    fn drain(&mut self, stage: &Stage) -> Result<()> {
        for reader in &mut self.readers {
            reader.done = false;
            reader.open &= reader.pipe.ping(LAST).is_ok();
            let mut silent = Duration::ZERO;
            while reader.open && !reader.done && silent < stage.shared.drain && !stage.shared.is_aborted() {
                silent = if reader.read(usize::MAX)? { Duration::ZERO } else { silent + READ_TIMEOUT };
            }
        }
        Ok(())
    }
}

impl Work for SlowReaders {
    fn run(mut self: Box<Self>, stage: &Stage) -> Result<Findings> {
        // At so many bytes at once the rate is kept; a read never waits long for them.
        let share = self.bytes_per_s / 20;
        while stage.sleep(READ_EVERY) {
            for reader in self.readers.iter_mut().filter(|reader| share > 0 && reader.open) {
                reader.read(share)?;
            }
        }
        while !stage.shared.all_published() && !stage.shared.is_aborted() {
            std::thread::sleep(READ_TIMEOUT);
        }
        self.drain(stage)?;
        let sent = stage.sent();
        let mut findings = Findings::default();
        let sum = |of: fn(&Reader) -> u64| self.readers.iter().map(of).sum::<u64>();
        // Who was sent away has been told so: what it missed is neither skipped nor lost.
        let lost = |reader: &Reader| sent.saturating_sub(reader.received + reader.skipped);
        findings.lost = self.readers.iter().filter(|reader| reader.open).map(lost).sum();
        findings.count("slow_received", sum(|reader| reader.received));
        findings.count("slow_skipped", sum(|reader| reader.skipped));
        findings.count("slow_lost", findings.lost);
        findings.count("slow_closed", sum(|reader| u64::from(!reader.open)));
        Ok(findings)
    }
}
