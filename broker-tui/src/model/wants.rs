//! What the dashboard wants to be subscribed to, worked out from where the user is.
//!
//! Figures of the broker are always wanted. The rest costs the broker work for each subscriber, so it is wanted exactly
//! while it is on the screen.

use super::{Model, ViewName};
use crate::layout;

/// Subscriptions beside those that always are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// `!system/connections`, and what happens to slow ones.
    pub connections: bool,
    /// `!system/connections/closed`.
    pub closed: bool,
    /// `!system/topics`.
    pub topics: bool,
    /// The pattern of the traffic view.
    pub tap: Option<String>,
    /// The topic that is selected in the topics view.
    pub watch: Option<String>,
}

impl Model {
    /// What is wanted now.
    pub fn wants(&self) -> Wants {
        let sides = self.view == ViewName::Overview && layout::overview(self.screen().body).sides.is_some();
        let watched = self.topics.watched.as_ref().filter(|_| self.view == ViewName::Topics);
        Wants {
            connections: sides || self.view == ViewName::Connections,
            closed: self.view == ViewName::Connections && self.connections.shows_closed,
            topics: sides || self.view == ViewName::Topics,
            tap: (self.view == ViewName::Traffic).then(|| self.traffic.pattern.clone()),
            watch: watched.map(|watched| watched.topic.clone()),
        }
    }
}

/// The pattern that matches `topic` and nothing else.
pub fn exactly(topic: &str) -> String {
    let mut pattern = String::with_capacity(topic.len());
    for c in topic.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Table, TopicRow};
    use std::time::Duration;

    #[test]
    fn wants_what_is_on_the_screen() {
        let mut model = Model::new("x");
        assert_eq!(model.wants(), Wants::default());
        model.view = ViewName::Connections;
        assert_eq!(model.wants(), Wants { connections: true, ..Wants::default() });
        model.connections.shows_closed = true;
        assert_eq!(model.wants(), Wants { connections: true, closed: true, ..Wants::default() });
        model.view = ViewName::Traffic;
        assert_eq!(model.wants(), Wants { tap: Some("*".to_owned()), ..Wants::default() });
        model.view = ViewName::Topics;
        let row = TopicRow { topic: "a*b".to_owned(), ..TopicRow::default() };
        model.topics.table(Duration::ZERO, Table { time_ms: None, total: 1, rows: vec![row] });
        model.topics.settle(10);
        assert_eq!(model.wants(), Wants { topics: true, watch: Some("a*b".to_owned()), ..Wants::default() });
    }

    #[test]
    fn a_wide_overview_shows_tables_and_wants_them() {
        let mut model = Model::new("x");
        (model.width, model.height) = (200, 50);
        assert_eq!(model.wants(), Wants { connections: true, topics: true, ..Wants::default() });
    }

    #[test]
    fn a_topic_as_a_pattern() {
        assert_eq!(exactly("weather/berlin.t"), "weather/berlin.t");
        assert_eq!(exactly("a*[b]{c,d}?\\e"), "a\\*\\[b\\]\\{c,d\\}\\?\\\\e");
    }
}
