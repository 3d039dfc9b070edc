//! How one figure compares with another over several turns: the middle, the least and the greatest of their ratios.

use serde::Serialize;

/// Ratios of several turns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Ratio {
    /// Of the ratios of each turn; those that are no number, because a peer did nothing, are left out. `None` if there are none.
    pub(crate) fn of(ratios: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut ratios: Vec<f64> = ratios.into_iter().filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        let (&min, &max) = (ratios.first()?, ratios.last()?);
        let upper = *ratios.get(ratios.len() / 2)?;
        let lower = *ratios.get((ratios.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends() {
        assert_eq!(Ratio::of([]), None);
        assert_eq!(Ratio::of([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Ratio::of([3.0]), Some(Ratio { median: 3.0, min: 3.0, max: 3.0 }));
        assert_eq!(Ratio::of([5.0, 1.0, f64::NAN, 4.0]), Some(Ratio { median: 4.0, min: 1.0, max: 5.0 }));
        assert_eq!(Ratio::of([4.0, 2.0, 1.0, 8.0]), Some(Ratio { median: 3.0, min: 1.0, max: 8.0 }));
    }
}
