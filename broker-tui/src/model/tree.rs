//! The topics as a tree: split at `/` and `.`, sorted, folded, cut to what is on the screen.
//!
//! Built anew for each table; nothing in it recurses, and a topic is split at most [`DEPTH_MAX`] times, so that a
//! topic made of separators costs no more than another.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::topic::Topic;
use super::topics::TopicSort;

/// Levels of the tree; what is deeper stays one name.
pub const DEPTH_MAX: usize = 16;

/// What system topics begin with.
pub const SYSTEM: char = '!';

/// What stands on a line: a topic, or what several topics begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeId {
    /// The topic, or the common beginning with its separator.
    pub path: String,
    /// Whether it is a beginning.
    pub group: bool,
}

/// One line of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeLine {
    /// Which one it is.
    pub id: NodeId,
    /// How far in it stands.
    pub depth: usize,
    /// The part of the path that its parents do not have.
    pub label: String,
    /// Group or topic.
    pub kind: LineKind,
    /// Sums over the topics below, or the topic's own figures.
    pub sum: Sum,
}

/// Group or topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Topics that begin alike.
    Group {
        /// Its topics are shown.
        open: bool,
    },
    /// The topic at this place of the table.
    Topic(usize),
}

/// Figures of a topic, or of all topics of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// How many topics.
    pub topics: usize,
    /// Messages a second; `None` before the second table.
    pub rate: Option<f64>,
    /// Messages so far.
    pub messages: u64,
    /// Bytes of the newest values.
    pub size: u64,
    /// When the newest message came, as the dashboard's time; may lie before its start (then zero).
    pub newest: Duration,
}

struct Node {
    id: NodeId,
    label: String,
    depth: usize,
    parent: Option<usize>,
    children: Vec<usize>,
    row: Option<usize>,
    sum: Sum,
}

/// The lines of the tree of those `topics` (sorted by name) that contain `filter`. With a filter all groups are open.
pub fn lines(topics: &[Topic], filter: &str, folded: &BTreeSet<String>, sort: TopicSort) -> Vec<TreeLine> {
    let mut nodes = build(topics, filter);
    add_up(&mut nodes);
    let order = |nodes: &[Node], list: &mut Vec<usize>| list.sort_by(|a, b| compare(nodes, *a, *b, sort));
    let mut roots: Vec<usize> =
        (0..nodes.len()).filter(|i| nodes.get(*i).is_some_and(|n| n.parent.is_none())).collect();
    order(&nodes, &mut roots);
    let mut waiting: Vec<usize> = roots.into_iter().rev().collect();
    let mut out = Vec::new();
    while let Some(at) = waiting.pop() {
        let Some(node) = nodes.get(at) else { continue };
        let kind = match node.row {
            Some(row) => LineKind::Topic(row),
            None => LineKind::Group { open: !filter.is_empty() || !folded.contains(&node.id.path) },
        };
        if kind == (LineKind::Group { open: true }) {
            let mut children = node.children.clone();
            order(&nodes, &mut children);
            waiting.extend(children.into_iter().rev());
        }
        out.push(TreeLine {
            id: node.id.clone(),
            depth: node.depth,
            label: node.label.clone(),
            kind,
            sum: node.sum,
        });
    }
    out
}

/// Ends of the parts of `topic`: behind each separator that something follows, and the end.
fn parts(topic: &str) -> impl Iterator<Item = usize> + '_ {
    let separators = topic.char_indices().filter(|(at, c)| matches!(c, '/' | '.') && at + 1 < topic.len());
    separators.map(|(at, _)| at + 1).take(DEPTH_MAX - 1).chain([topic.len()])
}

/// One node per group and topic, parents before children. Relies on the order of the topics: those that begin alike stand
/// together.
fn build(topics: &[Topic], filter: &str) -> Vec<Node> {
    let filter = filter.to_lowercase();
    let mut nodes: Vec<Node> = Vec::with_capacity(topics.len() * 2);
    let mut open: Vec<usize> = Vec::new();
    for (row, topic) in topics.iter().enumerate() {
        let name = topic.row.topic.as_str();
        if !filter.is_empty() && !name.to_lowercase().contains(&filter) {
            continue;
        }
        let is_above = |at: &usize| nodes.get(*at).is_some_and(|node| name.starts_with(&node.id.path));
        let shared = open.iter().take_while(|at| is_above(at)).count().min(parts(name).count() - 1);
        open.truncate(shared);
        let mut start = open.last().and_then(|at| nodes.get(*at)).map_or(0, |node| node.id.path.len());
        for end in parts(name).skip(shared) {
            let is_topic = end == name.len();
            let parent = open.last().copied();
            let at = nodes.len();
            nodes.push(Node {
                id: NodeId { path: name.get(..end).unwrap_or(name).to_owned(), group: !is_topic },
                label: name.get(start..end).unwrap_or(name).to_owned(),
                depth: open.len(),
                parent,
                children: Vec::new(),
                row: is_topic.then_some(row),
                sum: Sum { topics: 0, rate: None, messages: 0, size: 0, newest: Duration::ZERO },
            });
            if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent)) {
                parent.children.push(at);
            }
            if let (true, Some(node)) = (is_topic, nodes.last_mut()) {
                node.sum = topic.sum();
            } else {
                open.push(at);
            }
            start = end;
        }
    }
    nodes
}

/// Adds each node to its parent, from the leaves up.
fn add_up(nodes: &mut [Node]) {
    for at in (0..nodes.len()).rev() {
        let Some((sum, Some(parent))) = nodes.get(at).map(|node| (node.sum, node.parent)) else { continue };
        if let Some(parent) = nodes.get_mut(parent) {
            let total = &mut parent.sum;
            total.topics += sum.topics;
            total.rate = match (total.rate, sum.rate) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
            total.messages = total.messages.saturating_add(sum.messages);
            total.size = total.size.saturating_add(sum.size);
            total.newest = total.newest.max(sum.newest);
        }
    }
}

fn compare(nodes: &[Node], a: usize, b: usize, sort: TopicSort) -> std::cmp::Ordering {
    let (Some(a), Some(b)) = (nodes.get(a), nodes.get(b)) else { return std::cmp::Ordering::Equal };
    // What the broker says about itself comes last, however it is sorted.
    let system = |node: &Node| node.id.path.starts_with(SYSTEM);
    let by_name = || a.id.path.cmp(&b.id.path).then(b.id.group.cmp(&a.id.group));
    let (x, y) = (&a.sum, &b.sum);
    system(a).cmp(&system(b)).then_with(|| match sort {
        TopicSort::Name => by_name(),
        TopicSort::Rate => y.rate.unwrap_or(-1.0).total_cmp(&x.rate.unwrap_or(-1.0)).then_with(by_name),
        TopicSort::Messages => Reverse(x.messages).cmp(&Reverse(y.messages)).then_with(by_name),
        TopicSort::Size => Reverse(x.size).cmp(&Reverse(y.size)).then_with(by_name),
        TopicSort::Age => Reverse(x.newest).cmp(&Reverse(y.newest)).then_with(by_name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TopicRow;

    fn topics(names: &[&str]) -> Vec<Topic> {
        let mut names = names.to_vec();
        names.sort_unstable();
        let row = |name: &&str| TopicRow {
            topic: (*name).to_owned(),
            messages: name.len() as u64,
            size: 10,
            ..TopicRow::default()
        };
        names.iter().map(|name| Topic::new(row(name), Duration::from_secs(10))).collect()
    }

    #[track_caller]
    fn check(names: &[&str], filter: &str, folded: &[&str], sort: TopicSort, expected: &[&str]) {
        let folded = folded.iter().map(|path| (*path).to_owned()).collect();
        let got: Vec<String> = lines(&topics(names), filter, &folded, sort)
            .iter()
            .map(|line| {
                let mark = match line.kind {
                    LineKind::Group { open: true } => format!("-{}", line.sum.topics),
                    LineKind::Group { open: false } => format!("+{}", line.sum.topics),
                    LineKind::Topic(_) => String::new(),
                };
                format!("{}{}{mark}", " ".repeat(line.depth), line.label)
            })
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn splits_at_slash_and_dot() {
        let names = ["w/b/t", "w/b/h", "w/m.x", "alone", "w/b"];
        check(
            &names,
            "",
            &[],
            TopicSort::Name,
            &["alone", "w/-4", " b", " b/-2", "  h", "  t", " m.-1", "  x"],
        );
    }

    #[test]
    fn odd_names() {
        check(&["a/", "a/b"], "", &[], TopicSort::Name, &["a/-1", " b", "a/"]);
        check(&["/", "//", "//x"], "", &[], TopicSort::Name, &["/-2", " /-1", "  x", " /", "/"]);
        check(&["a"], "", &[], TopicSort::Name, &["a"]);
        check(&["!system/x", "a"], "", &["!system/"], TopicSort::Messages, &["a", "!system/+1"]);
        check(&[], "", &[], TopicSort::Name, &[]);
    }

    #[test]
    fn folds_filters_and_sorts() {
        let names = ["a/x", "b/xx", "b/y"];
        check(&names, "", &["b/"], TopicSort::Name, &["a/-1", " x", "b/+2"]);
        check(&names, "X", &["b/"], TopicSort::Name, &["a/-1", " x", "b/-1", " xx"]);
        check(&names, "", &[], TopicSort::Messages, &["b/-2", " xx", " y", "a/-1", " x"]);
    }

    #[test]
    fn a_topic_of_separators_is_bounded() {
        let hostile = "a/".repeat(512);
        let lines = lines(&topics(&[&hostile]), "", &BTreeSet::new(), TopicSort::Name);
        assert_eq!(lines.len(), DEPTH_MAX);
    }

    #[test]
    fn sums_are_those_of_the_topics() {
        let lines = lines(&topics(&["a/b/c", "a/d"]), "", &BTreeSet::new(), TopicSort::Name);
        let sum = lines[0].sum;
        assert_eq!((sum.topics, sum.messages, sum.size), (2, 8, 20));
    }
}
