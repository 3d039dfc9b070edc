//! Sessions that have ended, as the broker remembers them, sorted and filtered.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use super::connections::ROWS_MAX;
use super::list::{List, Row};
use crate::message::{ClosedRow, Table};

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClosedSort {
    /// The last one first.
    #[default]
    Ago,
    /// The name of the reason.
    Reason,
    /// Messages that it did not get, most first.
    Missed,
}

impl ClosedSort {
    /// The next one.
    pub fn next(self) -> Self {
        match self {
            Self::Ago => Self::Reason,
            Self::Reason => Self::Missed,
            Self::Missed => Self::Ago,
        }
    }

    /// The title of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ago => "ago",
            Self::Reason => "reason",
            Self::Missed => "missed",
        }
    }
}

/// The list of closed sessions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Closed {
    /// Sessions that have ended since the broker's start; `None` before the first table.
    pub total: Option<u64>,
    /// What it is sorted by.
    pub sort: ClosedSort,
    /// The sessions.
    pub list: List<ClosedRow>,
    /// When the broker made the table, unix ms by its clock, and when it came.
    made: Option<(u64, Duration)>,
}

impl Row for ClosedRow {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Closed {
    /// The table of this second has come.
    pub fn table(&mut self, now: Duration, table: Table<ClosedRow>) {
        self.total = Some(table.total);
        self.made = table.time_ms.map(|time_ms| (time_ms, now));
        let mut rows = table.rows;
        rows.truncate(ROWS_MAX);
        self.list.replace(rows);
    }

    /// Filters anew, after anything changed; `page` is the number of rows on the screen.
    pub fn settle(&mut self, filter: &str, page: usize) {
        let filter = filter.to_lowercase();
        let matches = |row: &ClosedRow| {
            let name = row.name.as_deref().unwrap_or_default();
            [&row.address, name, &row.reason].into_iter().any(|text| text.to_lowercase().contains(&filter))
        };
        self.list.settle(page, matches, |one, other| match self.sort {
            // The last one first, as the broker tells them.
            ClosedSort::Ago => Ordering::Equal,
            ClosedSort::Reason => one.reason.cmp(&other.reason),
            ClosedSort::Missed => Reverse(one.missed()).cmp(&Reverse(other.missed())),
        });
    }

    /// How long ago it ended, by the broker's clock; `None` if the broker did not tell its time.
    pub fn ago(&self, row: &ClosedRow, now: Duration) -> Option<Duration> {
        let (made, told) = self.made?;
        Some(Duration::from_millis(made.saturating_sub(row.closed)) + now.saturating_sub(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, name: &str, reason: &str) -> ClosedRow {
        let (name, reason) = (Some(name.to_owned()), reason.to_owned());
        ClosedRow { id, name, reason, closed: id * 1_000, ..ClosedRow::default() }
    }

    fn ids(closed: &Closed) -> Vec<u64> {
        closed.list.shown().map(|row| row.id).collect()
    }

    #[test]
    fn the_selection_stays_while_sessions_end() {
        let mut closed = Closed::default();
        let rows = vec![row(3, "c", "idle"), row(2, "b", "closed"), row(1, "a", "slow-consumer")];
        let mut table = Table { time_ms: Some(5_000), total: 7, rows };
        closed.table(Duration::from_secs(9), table.clone());
        closed.settle("", 10);
        assert_eq!((ids(&closed), closed.total), (vec![3, 2, 1], Some(7)));
        closed.list.step(1, 10);
        table.rows.insert(0, row(4, "d", "closed"));
        closed.table(Duration::from_secs(9), table.clone());
        closed.settle("", 10);
        assert_eq!(closed.list.selected().map(|row| row.id), Some(2));
        let ago = closed.ago(closed.list.selected().unwrap(), Duration::from_secs(10));
        assert_eq!(ago, Some(Duration::from_secs(4)));
        closed.sort = closed.sort.next();
        closed.settle("", 10);
        assert_eq!(ids(&closed), [4, 2, 3, 1], "closed, closed, idle, slow-consumer");
        assert_eq!(closed.list.selected().map(|row| row.id), Some(2));
        table.rows[3].lost = 5;
        closed.table(Duration::from_secs(9), table);
        closed.sort = closed.sort.next();
        closed.settle("", 10);
        assert_eq!(ids(&closed), [1, 4, 3, 2]);
        closed.settle("SLOW", 10);
        assert_eq!(ids(&closed), [1]);
        assert_eq!(closed.sort.next(), ClosedSort::default());
    }
}
