//! Subscribers to the topics of the run that read slowly or never. At the end each reads all that waits for it, so that its books close: for each
//! of them sent = received + skipped, as the broker told it, and what was received is in order. Of one that the broker sent away only the order is known.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker_core::Policy;

use super::pipe::{Pipe, Reading};
use super::{Findings, Reads, Stage, Work};
use crate::load::peer::Target;
use crate::load::protocol::{Filter, Got, Terms};
use crate::load::scenario::Scenario;
use crate::load::session::Session;
use crate::load::stamp::{STAMP_BYTES, Stamp};
use crate::signal;

/// How often those that read do.
const READ_EVERY: Duration = Duration::from_millis(50);
/// How often those that read in bursts do.
const BURST_EVERY: Duration = Duration::from_millis(250);
/// What each of them reads then, at most: a sixtieth of 100,000 messages of 128 B a second. All that they read is work for the machine, which the good ones
/// share: of 256 KiB the p99 of fifty good ones grew to 1.5 times, of this to 1.1 (measured).
const BURST_BYTES: usize = 64 << 10;
/// How far those that read first are before the next ones: they have nothing to do with one another, and fifty bursts at once would keep the generator
/// from reading for the good ones.
const STEP: Duration = Duration::from_millis(5);
/// How long one read waits at most.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// How long readers are waited for once one has waited in vain.
const PATIENCE_AFTER_A_LOSS: Duration = Duration::from_millis(200);
/// The ping behind everything that waited.
const LAST: u64 = 1 << 40;

/// One of them.
#[derive(Debug)]
struct Reader {
    pipe: Pipe,
    received: u64,
    skipped: u64,
    reordered: u64,
    /// For each publisher and topic, which message it expects next at the earliest: between two topics there is no order.
    next: Vec<Vec<u64>>,
    open: bool,
    /// Whether the answer to the last ping came.
    done: bool,
}

impl Reader {
    fn new(pipe: Pipe, cycles: &[usize]) -> Self {
        let next = cycles.iter().map(|&topics| vec![0; topics.max(1)]).collect();
        Self { pipe, received: 0, skipped: 0, reordered: 0, next, open: true, done: false }
    }

    /// One read of `max` bytes at most. False if nothing came.
    fn read(&mut self, max: usize) -> Result<bool> {
        let Self { pipe, received, skipped, reordered, next, done, .. } = self;
        let reading = pipe.read(max, |got| match got {
            Got::Message { payload, .. } => {
                *received += 1;
                *reordered += u64::from(!is_next(next, payload));
            }
            Got::Lagged(missed) => *skipped += missed,
            Got::Answer(_) => *done = true,
            _ => {}
        })?;
        self.open &= reading != Reading::Closed;
        Ok(reading == Reading::Some)
    }

    /// Asks for a sign of life behind everything that waits.
    fn ask(&mut self) {
        self.done = false;
        self.open &= self.pipe.ping(LAST).is_ok();
    }

    /// Whether it got, or was told of, `sent` messages, and a ping behind them was answered.
    fn has_all(&self, sent: u64) -> bool {
        self.done && self.received + self.skipped >= sent
    }

    /// A burst: what there is, up to a bound.
    fn burst(&mut self) -> Result<()> {
        let before = self.pipe.bytes_read();
        while self.open && self.read(BURST_BYTES)? {
            if self.pipe.bytes_read() - before >= BURST_BYTES as u64 {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a message is later than those of its publisher before it.
fn is_next(next: &mut [Vec<u64>], payload: &[u8]) -> bool {
    let Some(stamp) = payload.first_chunk::<STAMP_BYTES>().map(|bytes| Stamp::from_bytes(*bytes)) else {
        return false;
    };
    let Some(next) = next.get_mut(usize::from(stamp.publisher)) else { return false };
    // Each publishes to its topics in turn.
    let topic = usize::try_from(stamp.number).unwrap_or(usize::MAX) % next.len().max(1);
    let Some(expected) = next.get_mut(topic) else { return false };
    let in_order = stamp.number >= *expected;
    *expected = (*expected).max(stamp.number + 1);
    in_order
}

/// All of them.
#[derive(Debug)]
pub(super) struct SlowReaders {
    readers: Vec<Reader>,
    reads: Reads,
    /// What may wait for all of them, where the server says so: bytes.
    bounds: Option<u64>,
}

impl SlowReaders {
    /// Connects and subscribes.
    pub(super) fn new(
        scenario: &Scenario,
        target: Target,
        count: usize,
        reads: Reads,
        policy: Option<Policy>,
    ) -> Result<Self> {
        ensure!(count > 0, "--slow has to be 1 or more");
        let patterns = scenario.subscribers.first().map(|plan| plan.patterns.to_vec()).unwrap_or_default();
        let filters = Filter::all(target.wire, &patterns)?;
        let terms = Terms { policy, ..Terms::default() };
        let cycles: Vec<usize> = scenario.publishers.iter().map(|plan| plan.cycle.len()).collect();
        let mut readers = Vec::with_capacity(count);
        let mut bounds = None;
        for number in 0..count {
            signal::check()?;
            let mut session = Session::open(target.wire, target.address, &format!("slow {number}"))?;
            session.subscribe_to(&filters, terms).context("--policy")?;
            bounds = session.outbox_bytes_max().map(|bytes| bytes + bounds.unwrap_or(0));
            let pipe = Pipe::new(session, target.wire, READ_TIMEOUT)?;
            readers.push(Reader::new(pipe, &cycles));
        }
        Ok(Self { readers, reads, bounds })
    }

    /// Reads until publishing ends, as slowly as they do, each at its own time.
    fn read_slowly(&mut self, stage: &Stage) -> Result<()> {
        let every = if self.reads == Reads::Bursts { BURST_EVERY } else { READ_EVERY };
        let steps = usize::try_from(every.as_millis() / STEP.as_millis()).unwrap_or(1);
        let mut turn = 0;
        while stage.sleep(STEP) {
            for reader in self.readers.iter_mut().skip(turn).step_by(steps).filter(|reader| reader.open) {
                match self.reads {
                    Reads::Never => {}
                    // At so many bytes at once the rate is kept; a read never waits long for them.
                    Reads::Rate(bytes) => {
                        reader.read((bytes / 20).max(1))?;
                    }
                    Reads::Bursts => reader.burst()?,
                }
            }
            turn = (turn + 1) % steps;
        }
        Ok(())
    }

    /// Everything that waits: each reads until it has or was told of all that was sent, and a ping behind that is answered; or until nothing came for
    /// as long as the run drains. The answer to a ping alone says little: the last messages may still be on their way from the publisher to the server.
    fn drain(&mut self, stage: &Stage) -> Result<()> {
        let (sent, mut patience) = (stage.sent(), stage.shared.drain);
        for reader in &mut self.readers {
            reader.ask();
            let mut silent = Duration::ZERO;
            while reader.open && !reader.has_all(sent) && silent < patience && !stage.shared.is_aborted() {
                if reader.read(usize::MAX)? {
                    silent = Duration::ZERO;
                } else {
                    silent += READ_TIMEOUT;
                    if reader.done {
                        reader.ask();
                    }
                }
            }
            if silent >= patience {
                // It is not alone, probably: fifty times the whole time would help nobody.
                patience = patience.min(PATIENCE_AFTER_A_LOSS);
            }
        }
        Ok(())
    }
}

impl Work for SlowReaders {
    fn run(mut self: Box<Self>, stage: &Stage) -> Result<Findings> {
        self.read_slowly(stage)?;
        while !stage.shared.all_published() && !stage.shared.is_aborted() {
            std::thread::sleep(READ_TIMEOUT);
        }
        self.drain(stage)?;
        let mut findings = findings(&self.readers, stage.sent());
        if let Some(bounds) = self.bounds {
            findings.count("slow_bounds", bounds);
        }
        Ok(findings)
    }
}

/// What became of `sent` messages with each of them.
fn findings(readers: &[Reader], sent: u64) -> Findings {
    let mut findings = Findings::default();
    let sum = |of: fn(&Reader) -> u64| readers.iter().map(of).sum::<u64>();
    // Who was sent away has been told so: what it missed is neither skipped nor lost.
    for reader in readers.iter().filter(|reader| reader.open) {
        // One's excess does not make up for another's loss.
        let told = reader.received + reader.skipped;
        findings.lost += sent.saturating_sub(told);
        findings.miscounted += told.saturating_sub(sent);
    }
    findings.reordered = sum(|reader| reader.reordered);
    findings.count("slow_received", sum(|reader| reader.received));
    findings.count("slow_skipped", sum(|reader| reader.skipped));
    findings.count("slow_lost", findings.lost);
    findings.count("slow_closed", sum(|reader| u64::from(!reader.open)));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_or_twice_is_not_next() {
        let payload = |publisher, number| Stamp { publisher, number, intended: 0, sent: 0 }.to_bytes();
        let mut next = vec![vec![0, 0], vec![0]];
        let rows = [
            ((0, 0), true),
            ((0, 5), true),
            ((1, 3), true),
            ((0, 5), false),
            // Of the other topic.
            ((0, 4), true),
            ((0, 3), false),
            ((0, 2), false),
            ((0, 7), true),
            ((1, 2), false),
        ];
        for ((publisher, number), want) in rows {
            assert_eq!(is_next(&mut next, &payload(publisher, number)), want, "{publisher} {number}");
        }
        // Nobody of the run sends these.
        assert!(!is_next(&mut next, &payload(2, 1)) && !is_next(&mut next, b"short"));
    }
}
