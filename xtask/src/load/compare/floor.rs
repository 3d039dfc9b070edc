//! What the broker has to reach, compared with somebody else, and whether it did.

use serde::Serialize;

use super::{PeerRuns, Ratios};
use crate::load::peer::Peer;
use crate::load::report::digits;

/// A bound of one of the broker's figures, as a multiple of a peer's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Floor {
    /// Whose figure is 1.
    pub(crate) peer: Peer,
    pub(crate) figure: Figure,
    pub(crate) bound: f64,
}

/// The figures that can have a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Figure {
    /// Delivered messages a second: at least.
    Delivered,
    /// Processor time of a delivered message: at most.
    Cpu,
    /// The median latency: at most.
    P50,
    /// The 99th percentile of the latency: at most.
    P99,
}

/// A floor, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Judged {
    #[serde(flatten)]
    pub(crate) floor: Floor,
    /// The median of the ratios; `None` if the peer took no part.
    pub(crate) ratio: Option<f64>,
    pub(crate) reached: Option<bool>,
}

impl Floor {
    /// At least `bound` times the messages that `peer` delivers.
    pub(crate) fn delivered(peer: Peer, bound: f64) -> Self {
        Self { peer, figure: Figure::Delivered, bound }
    }

    /// At most `bound` times what a message costs `peer`.
    pub(crate) fn cpu(peer: Peer, bound: f64) -> Self {
        Self { peer, figure: Figure::Cpu, bound }
    }

    /// At most `bound` times the median latency of `peer`.
    pub(crate) fn p50(peer: Peer, bound: f64) -> Self {
        Self { peer, figure: Figure::P50, bound }
    }

    /// At most `bound` times the 99th percentile of `peer`.
    pub(crate) fn p99(peer: Peer, bound: f64) -> Self {
        Self { peer, figure: Figure::P99, bound }
    }

    /// How it stands after all runs.
    pub(super) fn judge(self, series: &[PeerRuns]) -> Judged {
        let of = |ratios: Ratios| match self.figure {
            Figure::Delivered => ratios.delivered,
            Figure::Cpu => ratios.cpu,
            Figure::P50 => ratios.p50,
            Figure::P99 => ratios.p99,
        };
        let series = series.iter().find(|series| series.peer == self.peer);
        let ratio = series.and_then(|series| of(series.broker_to_this?)).map(|ratio| ratio.median);
        let reached = ratio.map(|ratio| match self.figure {
            Figure::Delivered => ratio >= self.bound,
            Figure::Cpu | Figure::P50 | Figure::P99 => ratio <= self.bound,
        });
        Judged { floor: self, ratio, reached }
    }
}

impl Judged {
    /// For a cell of a table.
    pub(super) fn text(&self) -> String {
        let Floor { peer, figure, bound } = self.floor;
        let (figure, sign) = match figure {
            Figure::Delivered => ("delivered", "≥"),
            Figure::Cpu => ("CPU", "≤"),
            Figure::P50 => ("p50", "≤"),
            Figure::P99 => ("p99", "≤"),
        };
        let verdict = match self.reached {
            Some(true) => "reached",
            Some(false) => "NOT reached",
            None => "not measured",
        };
        format!("{figure} {sign} {} × {}: {verdict}", digits(bound), peer.name())
    }
}
