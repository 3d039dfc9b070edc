//! The connections view: who is connected, sorted and filtered; who is slow, and who was; and who has gone.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::time::Duration;

use super::closed::Closed;
use super::list::{List, Row};
use super::rate::Counts;
use crate::message::{ConnectionRow, SlowRow, Table};

/// Rows taken from a table; the broker sends at most as many.
pub const ROWS_MAX: usize = 1_000;

/// A connection, with what the dashboard worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// What the broker told.
    pub row: ConnectionRow,
    told: Duration,
    counts: Counts<5>,
}

impl Connection {
    /// Messages a second that the broker received.
    pub fn messages_in(&self) -> Option<f64> {
        self.counts.rate(0)
    }

    /// Messages a second that the broker sent.
    pub fn messages_out(&self) -> Option<f64> {
        self.counts.rate(1)
    }

    /// Bytes a second that the broker received.
    pub fn bytes_in(&self) -> Option<f64> {
        self.counts.rate(2)
    }

    /// Bytes a second that the broker sent.
    pub fn bytes_out(&self) -> Option<f64> {
        self.counts.rate(3)
    }

    /// Whether it missed messages in the last seconds.
    pub fn lags_now(&self) -> bool {
        self.counts.grew(4)
    }

    /// How long it has been there.
    pub fn age(&self, now: Duration) -> Duration {
        Duration::from_millis(self.row.age_ms) + now.saturating_sub(self.told)
    }

    /// Messages a second, both ways.
    pub fn rate(&self) -> f64 {
        self.messages_in().unwrap_or_default() + self.messages_out().unwrap_or_default()
    }
}

/// What the table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectionSort {
    /// Messages both ways, busiest first.
    #[default]
    Rate,
    /// Bytes that wait, most first.
    Queue,
    /// Messages missed, most first.
    Lag,
    /// The name.
    Name,
    /// The address.
    Address,
    /// The oldest first.
    Age,
}

impl ConnectionSort {
    /// The next one in the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Rate => Self::Queue,
            Self::Queue => Self::Lag,
            Self::Lag => Self::Name,
            Self::Name => Self::Address,
            Self::Address => Self::Age,
            Self::Age => Self::Rate,
        }
    }

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Lag => "lag",
            Self::Name => "name",
            Self::Address => "address",
            Self::Age => "age",
        }
    }
}

/// State of the connections view.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connections {
    /// Number of connections; `None` before the first table.
    pub total: Option<u64>,
    /// What the table is sorted by.
    pub sort: ConnectionSort,
    /// Only connections whose address or name contains this are shown.
    pub filter: String,
    /// The connections.
    pub list: List<Connection>,
    /// Whether the pane with the selected connection is shown.
    pub detail: bool,
    /// Those that have ended.
    pub closed: Closed,
    /// They are in front.
    pub shows_closed: bool,
    /// Of connections that were slow: how it ended, and when that was told.
    recovered: HashMap<u64, (Duration, SlowRow)>,
}

impl Row for Connection {
    fn id(&self) -> u64 {
        self.row.id
    }
}

impl Connections {
    /// The table of this second has come.
    pub fn table(&mut self, now: Duration, table: Table<ConnectionRow>) {
        let before = self.list.take().into_iter();
        let mut known: HashMap<u64, Counts<5>> = before.map(|c| (c.row.id, c.counts)).collect();
        let seconds = table.time_ms.map_or(now, Duration::from_millis).as_secs_f64();
        self.total = Some(table.total);
        let rows: Vec<Connection> = table
            .rows
            .into_iter()
            .take(ROWS_MAX)
            .map(|row| {
                let mut counts = known.remove(&row.id).unwrap_or_default();
                counts.push(
                    seconds,
                    [row.messages_in, row.messages_out, row.bytes_in, row.bytes_out, row.lagged],
                );
                Connection { row, told: now, counts }
            })
            .collect();
        self.recovered.retain(|id, _| rows.iter().any(|connection| connection.row.id == *id));
        self.list.replace(rows);
    }

    /// Sessions became slow, or recovered.
    pub fn slow(&mut self, now: Duration, news: Vec<SlowRow>) {
        for news in news {
            if news.until.is_none() {
                self.recovered.remove(&news.session);
            } else if self.recovered.len() < ROWS_MAX {
                // Of those that are gone by now the next table knows.
                self.recovered.insert(news.session, (now, news));
            }
        }
    }

    /// How long ago a connection recovered from being slow, and what it had missed; `None` if it was not, or is again.
    pub fn recovery(&self, connection: &Connection, now: Duration) -> Option<(Duration, &SlowRow)> {
        let (told, news) = self.recovered.get(&connection.row.id).filter(|_| !connection.row.slow)?;
        Some((now.saturating_sub(*told), news))
    }

    /// How many connections are slow now, of those that the broker told.
    pub fn slow_count(&self) -> usize {
        self.list.rows().iter().filter(|connection| connection.row.slow).count()
    }

    /// Sorts and filters anew, after anything changed; `page` is the number of rows on the screen.
    pub fn settle(&mut self, page: usize) {
        let filter = self.filter.to_lowercase();
        let matches = |connection: &Connection| {
            let name = connection.row.name.as_deref().unwrap_or_default();
            filter.is_empty()
                || connection.row.address.to_lowercase().contains(&filter)
                || name.to_lowercase().contains(&filter)
        };
        let sort = self.sort;
        self.list.settle(page, matches, |one, other| compare(one, other, sort));
        self.closed.settle(&self.filter, page);
    }

    /// Moves the selection of the list in front.
    pub fn step(&mut self, steps: isize, page: usize) {
        if self.shows_closed {
            self.closed.list.step(steps, page);
        } else {
            self.list.step(steps, page);
        }
    }

    /// The connections with the most messages, busiest first.
    pub fn busiest(&self, count: usize) -> Vec<&Connection> {
        let mut busiest: Vec<&Connection> = self.list.rows().iter().collect();
        busiest.sort_by(|a, b| compare(a, b, ConnectionSort::Rate));
        busiest.truncate(count);
        busiest
    }
}

fn compare(a: &Connection, b: &Connection, sort: ConnectionSort) -> Ordering {
    let (x, y) = (&a.row, &b.row);
    let order = match sort {
        ConnectionSort::Rate => b.rate().total_cmp(&a.rate()),
        ConnectionSort::Queue => Reverse(x.queue_bytes).cmp(&Reverse(y.queue_bytes)),
        ConnectionSort::Lag => Reverse(x.lagged).cmp(&Reverse(y.lagged)),
        // Those without a name come last.
        ConnectionSort::Name => (x.name.is_none(), &x.name).cmp(&(y.name.is_none(), &y.name)),
        ConnectionSort::Address => x.address.cmp(&y.address),
        ConnectionSort::Age => Reverse(x.age_ms).cmp(&Reverse(y.age_ms)),
    };
    order.then(x.id.cmp(&y.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, name: Option<&str>, messages_in: u64, lagged: u64) -> ConnectionRow {
        ConnectionRow {
            id,
            name: name.map(str::to_owned),
            address: format!("10.0.0.{id}:1"),
            messages_in,
            lagged,
            ..ConnectionRow::default()
        }
    }

    fn table(time_ms: u64, rows: Vec<ConnectionRow>) -> Table<ConnectionRow> {
        Table { time_ms: Some(time_ms), total: rows.len() as u64, rows }
    }

    fn ids(connections: &Connections) -> Vec<u64> {
        connections.list.shown().map(|c| c.row.id).collect()
    }

    #[test]
    fn sorts_filters_and_keeps_the_selection() {
        let mut connections = Connections::default();
        let rows = || vec![row(1, None, 0, 0), row(2, Some("b"), 0, 9), row(3, Some("A"), 0, 0)];
        connections.table(Duration::ZERO, table(1_000, rows()));
        connections.settle(10);
        assert_eq!(ids(&connections), [1, 2, 3]);
        connections.step(2, 10);
        let mut later = rows();
        later[2].messages_in = 50;
        connections.table(Duration::from_secs(1), table(2_000, later));
        connections.settle(10);
        assert_eq!(ids(&connections), [3, 1, 2]);
        assert_eq!(connections.list.selected().unwrap().row.id, 3);
        assert_eq!(connections.list.selected().unwrap().messages_in(), Some(50.0));
        connections.sort = ConnectionSort::Lag;
        connections.settle(10);
        assert_eq!(ids(&connections), [2, 1, 3]);
        connections.sort = ConnectionSort::Name;
        connections.filter = "10.0.0".to_owned();
        connections.settle(10);
        assert_eq!(ids(&connections), [3, 2, 1]);
        connections.filter = "a".to_owned();
        connections.settle(10);
        assert_eq!(ids(&connections), [3]);
    }

    #[test]
    fn lag_that_grows_is_told_from_old_lag() {
        let mut connections = Connections::default();
        connections.table(Duration::ZERO, table(1_000, vec![row(1, None, 0, 5), row(2, None, 0, 5)]));
        connections.table(Duration::ZERO, table(2_000, vec![row(1, None, 0, 5), row(2, None, 0, 6)]));
        let lags: Vec<bool> = connections.list.rows().iter().map(Connection::lags_now).collect();
        assert_eq!(lags, [false, true]);
    }

    #[test]
    fn who_recovered_is_remembered_while_it_is_there_and_not_slow_again() {
        let second = Duration::from_secs(1);
        let mut connections = Connections::default();
        connections.table(second, table(1_000, vec![row(1, None, 0, 5), row(2, None, 0, 5)]));
        let news = |session, until| SlowRow { session, until, missed: 5, ..SlowRow::default() };
        connections.slow(second, vec![news(1, None), news(1, Some(7)), news(2, Some(7)), news(9, Some(7))]);
        let ago = |connections: &Connections, at: usize| {
            let connection = &connections.list.rows()[at];
            connections.recovery(connection, 3 * second).map(|(ago, news)| (ago.as_secs(), news.missed))
        };
        assert_eq!((ago(&connections, 0), ago(&connections, 1)), (Some((2, 5)), Some((2, 5))));
        let slow = ConnectionRow { slow: true, ..row(2, None, 0, 5) };
        connections.table(2 * second, table(2_000, vec![row(1, None, 0, 5), slow]));
        assert_eq!((ago(&connections, 1), connections.slow_count()), (None, 1));
        assert_eq!(connections.recovered.len(), 2, "the one that is gone is forgotten");
        connections.slow(second, vec![news(1, None)]);
        assert_eq!(ago(&connections, 0), None);
    }

    #[test]
    fn the_cycle_of_sorts_is_round() {
        let mut sort = ConnectionSort::default();
        for _ in 0..6 {
            sort = sort.next();
        }
        assert_eq!(sort, ConnectionSort::default());
    }
}
