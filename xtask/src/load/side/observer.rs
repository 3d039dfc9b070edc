//! Looks at the peer's memory, handles and threads every second, and says where they go.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Findings, Stage, Work, handles};
use crate::load::peer::Target;
use crate::procfs;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The share of the looks that are warm-up: caches and pools fill up to what the load needs. A guess.
const WARM_UP: f64 = 0.2;
/// Seconds of an hour.
const HOUR: f64 = 3600.0;

/// One look.
#[derive(Debug, Clone, Copy)]
struct Look {
    seconds: f64,
    bytes: u64,
    handles: u64,
    threads: u64,
}

/// The side. Of a server that somebody else started it sees nothing.
#[derive(Debug)]
pub(super) struct Observer {
    target: Target,
}

impl Observer {
    /// Nothing is seen yet.
    pub(super) fn new(target: Target) -> Result<Self> {
        let observer = Self { target };
        if target.pid.is_some() {
            observer.look(0).context("this system does not tell the memory and the handles of a process")?;
        }
        Ok(observer)
    }

    #[expect(clippy::cast_precision_loss, reason = "a slope is shown with three digits")]
    fn look(&self, now: u64) -> Option<Look> {
        let pid = self.target.pid?;
        Some(Look {
            seconds: now as f64 / 1e9,
            bytes: procfs::resident_bytes(pid)?,
            handles: handles::open(self.target)?,
            threads: procfs::threads(pid)?,
        })
    }
}

impl Work for Observer {
    fn run(self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let mut looks = Vec::new();
        let mut going = stage.wait_for_start();
        while going {
            looks.extend(self.look(stage.now()));
            going = stage.sleep(LOOK_EVERY);
        }
        Ok(findings(&looks))
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count"
)]
fn findings(looks: &[Look]) -> Findings {
    let mut findings = Findings::default();
    let steady = looks.get((looks.len() as f64 * WARM_UP) as usize..).unwrap_or(&[]);
    let points: Vec<(f64, f64)> = steady.iter().map(|look| (look.seconds, look.bytes as f64)).collect();
    if let Some(slope) = slope(&points) {
        findings.note("memory_slope", slope * HOUR);
    }
    if let (Some(first), Some(last)) = (steady.first(), steady.last()) {
        findings.count("memory_start", first.bytes);
        findings.count("memory_end", last.bytes);
    }
    for (name, of) in [
        ("handles", (|look: &Look| look.handles) as fn(&Look) -> u64),
        ("threads", |look: &Look| look.threads),
    ] {
        if let (Some(least), Some(most)) = (steady.iter().map(of).min(), steady.iter().map(of).max()) {
            findings.count(&format!("{name}_min"), least);
            findings.count(&format!("{name}_max"), most);
        }
    }
    findings
}

/// How steep the line through the points is that has the least squares. `None` without two points apart.
#[expect(clippy::cast_precision_loss, reason = "a count of seconds")]
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean_x) * (y - mean_y);
        below += (x - mean_x) * (x - mean_x);
    }
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_a_slope_and_noise_is_none() {
        let leak: Vec<(f64, f64)> = (0..100).map(|s| (f64::from(s), 5e6 + f64::from(s) * 1_000.0)).collect();
        assert!((slope(&leak).unwrap() - 1_000.0).abs() < 1e-6);
        let noise: Vec<(f64, f64)> = (0..100).map(|s| (f64::from(s), 5e6 + f64::from(s % 2))).collect();
        assert!(slope(&noise).unwrap().abs() < 0.01);
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(1.0, 2.0)]), None);
    }

    #[test]
    fn the_first_fifth_is_warm_up() {
        let look = |second: u32| Look {
            seconds: f64::from(second),
            bytes: if second < 20 { 1_000_000 + u64::from(second) * 100_000 } else { 3_000_000 },
            handles: 20 + u64::from(second % 3),
            threads: 5,
        };
        let looks: Vec<Look> = (0..100).map(look).collect();
        let findings = findings(&looks);
        let value = |name: &str| findings.figures.iter().find(|figure| figure.name == name).unwrap().value;
        assert!(value("memory_slope").abs() < 1e-6);
        assert!((value("memory_start") - 3e6).abs() < 1.0);
        assert!((value("handles_min") - 20.0).abs() < 1e-9 && (value("handles_max") - 22.0).abs() < 1e-9);
    }
}
