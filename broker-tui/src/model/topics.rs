//! The topics view: the table of topics, the tree made of it, and the topic that is selected.
//!
//! Bounded by what the broker tells: at most [`ROWS_MAX`] rows are taken from a table.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::cursor::Cursor;
use super::history::Recent;
use super::rate::Counts;
use super::topic::Topic;
use super::tree::{self, LineKind, NodeId, SYSTEM, TreeLine};
use crate::format::msgpack;
use crate::message::{Seen, Table, TopicRow};

/// Rows taken from a table; the broker sends at most as many.
pub const ROWS_MAX: usize = 1_000;

/// What the tree is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicSort {
    /// The name, from a to z.
    #[default]
    Name,
    /// The busiest first.
    Rate,
    /// The most messages so far first.
    Messages,
    /// The largest first.
    Size,
    /// The most recently published first.
    Age,
}

impl TopicSort {
    /// The next one in the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Rate,
            Self::Rate => Self::Messages,
            Self::Messages => Self::Size,
            Self::Size => Self::Age,
            Self::Age => Self::Name,
        }
    }

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Messages => "messages",
            Self::Size => "size",
            Self::Age => "age",
        }
    }
}

/// The topic that is subscribed to because it is selected.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Its name.
    pub topic: String,
    /// Its newest message.
    pub newest: Option<Seen>,
    /// Messages since it was selected.
    pub received: u64,
    /// The numbers in them (see [`msgpack::leading_number`]).
    pub numbers: Recent,
    /// The key of the numbers, if the values are maps.
    pub numbers_key: Option<String>,
}

/// State of the topics view.
#[derive(Debug, Clone, PartialEq)]
pub struct Topics {
    /// Number of topics of the broker; `None` before the first table.
    pub total: Option<u64>,
    /// What the tree is sorted by.
    pub sort: TopicSort,
    /// Only topics that contain this are shown.
    pub filter: String,
    /// The selected line.
    pub cursor: Cursor<NodeId>,
    /// Whether the pane with the selected topic is shown.
    pub detail: bool,
    /// Live news of the selected topic.
    pub watched: Option<Watched>,
    rows: Vec<Topic>,
    folded: BTreeSet<String>,
    system_seen: bool,
    lines: Vec<TreeLine>,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            total: None,
            sort: TopicSort::default(),
            filter: String::new(),
            cursor: Cursor::default(),
            detail: true,
            watched: None,
            rows: Vec::new(),
            folded: BTreeSet::new(),
            system_seen: false,
            lines: Vec::new(),
        }
    }
}

impl Topics {
    /// The table of this second has come.
    pub fn table(&mut self, now: Duration, table: Table<TopicRow>) {
        let mut known: HashMap<String, Counts<2>> = self.rows.drain(..).map(Topic::into_counts).collect();
        let seconds = table.time_ms.map_or(now, Duration::from_millis).as_secs_f64();
        self.total = Some(table.total);
        self.rows = table
            .rows
            .into_iter()
            .take(ROWS_MAX)
            .map(|row| {
                let mut counts = known.remove(&row.topic).unwrap_or_default();
                counts.push(seconds, [row.messages, row.bytes]);
                Topic::told(row, now, counts)
            })
            .collect();
        self.rows.sort_by(|a, b| a.row.topic.cmp(&b.row.topic));
        self.rows.dedup_by(|a, b| a.row.topic == b.row.topic);
        if self.rows.iter().any(Topic::is_system) && !self.system_seen {
            // What the broker says about itself is there for who looks for it.
            self.system_seen = true;
            self.folded
                .extend(self.rows.iter().filter(|topic| topic.is_system()).filter_map(Topic::first_group));
        }
        self.folded.retain(|path| self.rows.iter().any(|topic| topic.row.topic.starts_with(path.as_str())));
    }

    /// Works out the lines anew, after anything changed; `page` is the number of lines on the screen.
    pub fn settle(&mut self, page: usize) {
        self.lines = tree::lines(&self.rows, &self.filter, &self.folded, self.sort);
        self.cursor.settle(&self.ids(), page);
        self.follow_selection();
    }

    /// Moves the selection.
    pub fn step(&mut self, steps: isize, page: usize) {
        self.cursor.step(steps, &self.ids(), page);
        self.follow_selection();
    }

    /// Opens or closes the selected group; says whether a group is selected.
    pub fn fold(&mut self, open: Option<bool>, page: usize) -> bool {
        let Some((path, is_open)) = self.selected().and_then(|line| match line.kind {
            LineKind::Group { open } => Some((line.id.path.clone(), open)),
            LineKind::Topic(_) => None,
        }) else {
            return false;
        };
        if open.unwrap_or(!is_open) {
            self.folded.remove(&path);
        } else {
            self.folded.insert(path);
        }
        self.settle(page);
        true
    }

    /// Opens or closes all groups.
    pub fn fold_all(&mut self, open: bool, page: usize) {
        self.folded.clear();
        if !open {
            let all = tree::lines(&self.rows, "", &self.folded, self.sort);
            self.folded = all.into_iter().filter(|line| line.id.group).map(|line| line.id.path).collect();
        }
        self.settle(page);
    }

    /// Goes to the group that the selected line stands in.
    pub fn select_parent(&mut self, page: usize) {
        let Some(depth) = self.selected().map(|line| line.depth) else { return };
        let above = self.lines.iter().enumerate().take(self.cursor.index());
        if let Some((at, _)) = above.rev().find(|(_, line)| line.depth < depth) {
            self.cursor.select(at, &self.ids(), page);
            self.follow_selection();
        }
    }

    /// Messages of the topic that is watched.
    pub fn watched(&mut self, messages: Vec<Seen>) {
        let Some(watched) = &mut self.watched else { return };
        for seen in messages.into_iter().filter(|seen| seen.topic == watched.topic) {
            if let Some((key, number)) = msgpack::leading_number(&seen.value) {
                if watched.numbers_key.as_deref() != key {
                    watched.numbers_key = key.map(str::to_owned);
                    watched.numbers = Recent::default();
                }
                watched.numbers.push(number);
            }
            watched.received += 1;
            watched.newest = Some(seen);
        }
    }

    /// The lines of the tree.
    pub fn lines(&self) -> &[TreeLine] {
        &self.lines
    }

    /// The topics that were told, by name.
    pub fn rows(&self) -> &[Topic] {
        &self.rows
    }

    /// The selected line.
    pub fn selected(&self) -> Option<&TreeLine> {
        self.lines.get(self.cursor.index())
    }

    /// The selected topic, if a topic is selected.
    pub fn selected_topic(&self) -> Option<&Topic> {
        match self.selected()?.kind {
            LineKind::Topic(row) => self.rows.get(row),
            LineKind::Group { .. } => None,
        }
    }

    /// The topics with the highest rates among those that begin with `prefix`, busiest first; system topics only if the
    /// prefix names them.
    pub fn busiest(&self, prefix: &str, count: usize) -> Vec<&Topic> {
        let wanted = |topic: &&Topic| {
            topic.row.topic.starts_with(prefix) && (!topic.is_system() || prefix.starts_with(SYSTEM))
        };
        let mut busiest: Vec<&Topic> = self.rows.iter().filter(wanted).collect();
        let rate = |topic: &Topic| topic.rate().unwrap_or_default();
        busiest.sort_by(|a, b| rate(b).total_cmp(&rate(a)).then_with(|| a.row.topic.cmp(&b.row.topic)));
        busiest.truncate(count);
        busiest
    }

    fn ids(&self) -> Vec<NodeId> {
        self.lines.iter().map(|line| line.id.clone()).collect()
    }

    /// What was heard of another topic than the selected one is forgotten.
    fn follow_selection(&mut self) {
        let selected = self.selected_topic().map(|topic| topic.row.topic.clone());
        if self.watched.as_ref().map(|watched| &watched.topic) != selected.as_ref() {
            self.watched = selected.map(|topic| Watched {
                topic,
                newest: None,
                received: 0,
                numbers: Recent::default(),
                numbers_key: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(time_ms: u64, rows: &[(&str, u64)]) -> Table<TopicRow> {
        let row = |(topic, messages): &(&str, u64)| TopicRow {
            topic: (*topic).to_owned(),
            messages: *messages,
            bytes: messages * 10,
            ..TopicRow::default()
        };
        Table { time_ms: Some(time_ms), total: rows.len() as u64, rows: rows.iter().map(row).collect() }
    }

    fn topics() -> Topics {
        let mut topics = Topics::default();
        topics.table(Duration::from_secs(1), table(1_000, &[("b/x", 10), ("a", 5), ("b/y", 7)]));
        topics.settle(10);
        topics
    }

    #[test]
    fn rates_are_differences_of_two_tables() {
        let mut topics = topics();
        assert_eq!(topics.rows()[0].rate(), None);
        topics.table(Duration::from_secs(2), table(3_000, &[("b/x", 30), ("a", 5), ("new", 1)]));
        let rates: Vec<_> =
            topics.rows().iter().map(|t| (t.row.topic.as_str(), t.rate(), t.bytes_rate())).collect();
        assert_eq!(
            rates,
            [("a", Some(0.0), Some(0.0)), ("b/x", Some(10.0), Some(100.0)), ("new", None, None)]
        );
        assert_eq!(topics.busiest("", 1)[0].row.topic, "b/x");
        assert_eq!(topics.busiest("n", 9).len(), 1);
    }

    #[test]
    fn the_age_goes_on_between_tables() {
        let mut topic = topics().rows()[0].clone();
        topic.row.age_ms = 400;
        assert_eq!(topic.age(Duration::from_millis(1_500)), Duration::from_millis(900));
    }

    #[test]
    fn the_selected_topic_is_watched_and_no_other() {
        let mut topics = topics();
        assert_eq!(topics.watched.as_ref().unwrap().topic, "a");
        let seen = |topic: &str, value: &[u8]| Seen {
            topic: topic.to_owned(),
            value: value.to_vec(),
            ..Seen::default()
        };
        topics.watched(vec![seen("a", &[1]), seen("b/x", &[2]), seen("a", &[3])]);
        let watched = topics.watched.clone().unwrap();
        assert_eq!((watched.received, watched.newest.unwrap().value), (2, vec![3]));
        assert_eq!(watched.numbers.columns(2), [Some(1.0), Some(3.0)]);
        topics.step(1, 10);
        assert_eq!(topics.watched, None, "a group is selected");
        topics.step(1, 10);
        assert_eq!(topics.watched.as_ref().unwrap().topic, "b/x");
    }

    #[test]
    fn groups_fold() {
        let mut topics = topics();
        assert!(!topics.fold(None, 10), "a topic does not fold");
        topics.step(3, 10);
        topics.select_parent(10);
        assert_eq!(topics.selected().unwrap().label, "b/");
        assert!(topics.fold(None, 10));
        assert_eq!(topics.lines().len(), 2);
        assert!(topics.fold(Some(true), 10));
        assert_eq!(topics.lines().len(), 4);
        topics.fold_all(false, 10);
        assert_eq!(topics.lines().len(), 2);
        topics.table(Duration::from_secs(2), table(2_000, &[("a", 1)]));
        assert!(topics.folded.is_empty(), "what is gone is not remembered");
    }

    #[test]
    fn system_topics_are_folded_until_someone_looks() {
        let mut topics = Topics::default();
        let rows = [("a", 1), ("!system/metrics/cpu", 9), ("!system/totals", 9)];
        topics.table(Duration::from_secs(1), table(1_000, &rows));
        topics.settle(10);
        assert_eq!(topics.lines().len(), 2);
        assert_eq!((topics.busiest("", 9).len(), topics.busiest("!system/", 9).len()), (1, 2));
        topics.step(1, 10);
        topics.fold(Some(true), 10);
        topics.table(Duration::from_secs(2), table(2_000, &rows));
        topics.settle(10);
        assert_eq!(topics.lines().len(), 5, "it stays as the user left it");
    }

    #[test]
    fn takes_no_more_rows_than_it_should() {
        let names: Vec<String> = (0..5_000).map(|i| format!("t{i}")).collect();
        let rows: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut topics = Topics::default();
        topics.table(Duration::ZERO, table(0, &rows));
        assert_eq!((topics.rows().len(), topics.total), (ROWS_MAX, Some(5_000)));
    }
}
