//! Several runs of one thing: the middle and the spread of their figures.

use serde::Serialize;

use super::metric::{self, Metric};
use super::outcome::Outcome;

/// The middle of some values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    /// Largest less smallest, as a share of the median.
    pub(crate) spread: f64,
}

impl Middle {
    /// Of `values`; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&first, &last) = (values.first()?, values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        let median = f64::midpoint(lower, upper);
        let spread = if median == 0.0 { 0.0 } else { (last - first) / median };
        Some(Self { median, spread })
    }

    /// Half of the spread, in hundredths: ` ±12 %`. Empty where all values are the same.
    pub(crate) fn plus_minus(&self) -> String {
        if self.spread == 0.0 { String::new() } else { format!(" ±{:.0} %", self.spread * 50.0) }
    }
}

/// The runs of one scenario against one peer.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) title: String,
    pub(crate) peer: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) runs: Vec<&'a Outcome>,
}

impl Group<'_> {
    /// The values of a figure, one for each run that has it.
    pub(crate) fn values(&self, metric: &str) -> Vec<f64> {
        self.runs.iter().filter_map(|run| metric::value(run, metric)).collect()
    }

    /// The middle of a figure.
    pub(crate) fn middle(&self, metric: &str) -> Option<Middle> {
        Middle::of(self.values(metric))
    }

    /// The figures that only this scenario has.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &'static Metric> {
        let first = self.runs.first();
        first.into_iter().flat_map(|run| run.figures.iter().filter_map(|figure| metric::find(&figure.name)))
    }

    /// Whether every run kept every promise.
    pub(crate) fn checks_hold(&self) -> bool {
        self.runs.iter().all(|run| run.checks.hold())
    }

    /// Why the generator was the limit, in the first run that says so.
    pub(crate) fn limited_by_generator(&self) -> Option<&str> {
        self.runs.iter().find_map(|run| run.limited_by_generator.as_deref())
    }
}

/// Results by scenario and peer, in the order in which each came first.
pub(crate) fn groups(results: &[Outcome]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for outcome in results {
        let title = outcome.scenario.title();
        let known = groups
            .iter_mut()
            .find(|g| g.title == title && g.peer == outcome.peer && g.protocol == outcome.protocol);
        match known {
            Some(group) => group.runs.push(outcome),
            None => groups.push(Group {
                title,
                peer: &outcome.peer,
                protocol: &outcome.protocol,
                runs: vec![outcome],
            }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn the_middle_of_some_values() {
        assert_eq!(Middle::of([]), None);
        assert_eq!(Middle::of([3.0]), Some(Middle { median: 3.0, spread: 0.0 }));
        assert_eq!(Middle::of([5.0, 1.0, 4.0]), Some(Middle { median: 4.0, spread: 1.0 }));
        assert_eq!(Middle::of([4.0, 2.0, 1.0, 8.0]), Some(Middle { median: 3.0, spread: 7.0 / 3.0 }));
        assert_eq!(Middle::of([5.0, 1.0, 4.0]).unwrap().plus_minus(), " ±50 %");
    }

    #[test]
    fn runs_of_one_scenario_and_peer_belong_together() {
        let peer = |name: &str| Outcome { peer: name.to_owned(), ..fixture::outcome() };
        let results = [peer("broker"), peer("relay"), peer("broker")];
        let groups = groups(&results);
        let sizes: Vec<_> = groups.iter().map(|group| (group.peer, group.runs.len())).collect();
        assert_eq!(sizes, [("broker", 2), ("relay", 1)]);
        assert_eq!(groups[0].values("lost"), [0.0, 0.0]);
        assert_eq!(groups[0].figures().map(|metric| metric.name).collect::<Vec<_>>(), ["connects_per_s"]);
        assert!(groups[0].checks_hold());
    }
}
