//! Many connections opened as fast as possible, each greeted, then all closed, and the handles counted.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;

use super::{Findings, Stage, Work, handles};
use crate::load::clock::nanos;
use crate::load::latency::{add, histogram, micros};
use crate::load::peer::Target;
use crate::load::session::Session;
use crate::procfs;

/// Threads that connect: as many connections are on their way at once. A guess: one alone would measure round trips.
const THREADS: usize = 8;
/// How long handles may take to come back.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two storms.
const PAUSE: Duration = Duration::from_millis(100);

/// The side.
#[derive(Debug)]
pub(super) struct Storm {
    target: Target,
    connections: usize,
}

/// An error if this process cannot have so many connections.
pub(super) fn check_open_files(connections: usize) -> Result<()> {
    let files = procfs::raise_open_files();
    let needed = connections as u64 + 200;
    ensure!(
        files.is_none_or(|files| files >= needed),
        "{connections} connections need {needed} open files, and the system allows {}: raise `ulimit -n`",
        files.unwrap_or_default()
    );
    Ok(())
}

impl Storm {
    /// Nothing is connected yet.
    pub(super) fn new(target: Target, connections: usize) -> Result<Self> {
        ensure!(connections > 0, "--connections has to be 1 or more");
        check_open_files(connections)?;
        Ok(Self { target, connections })
    }

    /// Opens all of them. Fewer if the run ends meanwhile.
    fn open(&self, stage: &Stage) -> Result<(Vec<Session>, Histogram<u64>)> {
        let share = self.connections.div_ceil(THREADS);
        let one = |thread: usize| {
            let mut sessions = Vec::with_capacity(share);
            let mut times = histogram();
            for number in (thread * share)..((thread + 1) * share).min(self.connections) {
                if !stage.goes_on() {
                    break;
                }
                let started = Instant::now();
                sessions.push(Session::open(
                    self.target.wire,
                    self.target.address,
                    &format!("storm {number}"),
                )?);
                times.saturating_record(nanos(started.elapsed()));
            }
            Ok((sessions, times))
        };
        let opened: Vec<Result<_>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || one(thread))).collect();
            let panicked = |_| Err(anyhow!("a thread of the storm panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        let (mut sessions, mut times) = (Vec::new(), histogram());
        for part in opened {
            let (some, histogram) = part?;
            sessions.extend(some);
            add(&mut times, &histogram);
        }
        Ok((sessions, times))
    }
}

impl Work for Storm {
    #[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
    fn run(self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let mut times = histogram();
        let (mut opened, mut opening, mut closing) = (0, Duration::ZERO, Duration::ZERO);
        let (mut storms, mut leaked) = (0, None);
        let before = handles::open(self.target);
        let mut going = stage.wait_for_start();
        while going {
            let started = Instant::now();
            let (sessions, histogram) = self.open(stage)?;
            opening += started.elapsed();
            opened += sessions.len() as u64;
            add(&mut times, &histogram);
            storms += u64::from(sessions.len() == self.connections);
            drop(sessions);
            if let Some(before) = before
                && let Some((took, after)) = handles::wait_until_back(self.target, before, CLOSE_TIMEOUT)
            {
                closing = closing.max(took);
                leaked = Some(leaked.unwrap_or(0).max(after.saturating_sub(before)));
            }
            going = stage.sleep(PAUSE);
        }
        let mut findings = Findings::default();
        findings.count("storms", storms);
        findings.note("connects_per_s", opened as f64 / opening.as_secs_f64().max(1e-9));
        findings.note("connect_p50", micros(times.value_at_quantile(0.5)));
        findings.note("connect_p99", micros(times.value_at_quantile(0.99)));
        findings.note("connect_max", micros(times.max()));
        if let Some(leaked) = leaked {
            findings.note("handles_back", closing.as_secs_f64());
            findings.count("handles_leaked", leaked);
        }
        Ok(findings)
    }
}
