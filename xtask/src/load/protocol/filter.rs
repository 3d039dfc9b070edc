//! A pattern of a scenario, a glob, as another protocol says it.
//!
//! Where a protocol knows levels only (NATS, MQTT), a level that is `*` becomes one level, the last one all that follow. Whatever
//! cannot be said exactly is refused: a subscriber that got other messages than it expects would look like a broken broker.

use anyhow::{Context, Result, ensure};
use broker_core::glob_tree::Pattern;

use super::Wire;

/// What a subscription names, in one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    number: u32,
    text: String,
    /// The glob that it stands for.
    glob: String,
    pattern: Pattern,
    is_pattern: bool,
}

impl Filter {
    /// Number `number` (from 1) of the subscriptions of a connection: `glob` in the dialect of `wire`.
    pub(crate) fn new(wire: Wire, number: u32, glob: &str) -> Result<Self> {
        let is_pattern = glob.contains(['*', '?', '[', '{', '\\']);
        let text = match wire {
            Wire::Redis => {
                ensure!(!glob.contains('{'), "Redis has no pattern for {glob}: it knows no {{…}}");
                glob.to_owned()
            }
            Wire::Nats if is_pattern => levels(wire, glob, ["*", ">"])?.join("."),
            Wire::Nats => glob.replace('/', "."),
            Wire::Mqtt if is_pattern => levels(wire, glob, ["+", "#"])?.join("/"),
            Wire::Native | Wire::Lbroker | Wire::Mqtt => glob.to_owned(),
        };
        let pattern = Pattern::glob(glob).with_context(|| format!("{glob} is not a pattern"))?;
        Ok(Self { number, text, glob: glob.to_owned(), pattern, is_pattern })
    }

    /// All of a connection.
    pub(crate) fn all(wire: Wire, globs: &[String]) -> Result<Vec<Self>> {
        (1..).zip(globs).map(|(number, glob)| Self::new(wire, number, glob)).collect()
    }

    /// Which subscription of its connection it is, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// As the protocol says it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has wildcards.
    pub(crate) fn is_pattern(&self) -> bool {
        self.is_pattern
    }

    /// The levels of the glob before the first one with a wildcard, without the slash behind them: `load/#` takes in `load`.
    fn beginning(&self) -> &str {
        let wildcard = self.glob.find(['*', '?', '[', '{', '\\']).unwrap_or(self.glob.len());
        let before = self.glob.get(..wildcard).unwrap_or_default();
        before.rfind('/').and_then(|slash| before.get(..slash)).unwrap_or_default()
    }

    /// Whether a server that speaks `wire` sends it the messages of `topic`, a topic of a scenario.
    ///
    /// # Errors
    /// If the glob would have it otherwise.
    pub(crate) fn accepts(&self, wire: Wire, topic: &str) -> Result<bool> {
        // What does not begin alike is accepted by neither: most pairs of a topic and a pattern end here.
        if !topic.starts_with(self.beginning()) {
            return Ok(false);
        }
        let wanted = self.pattern.matches(topic);
        let accepted = match wire {
            Wire::Native | Wire::Lbroker | Wire::Redis => wanted,
            Wire::Nats => match_levels(&self.text, &topic.replace('/', "."), '.', ["*", ">"], 1),
            Wire::Mqtt => match_levels(&self.text, topic, '/', ["+", "#"], 0),
        };
        ensure!(
            wanted == accepted,
            "the pattern {} cannot be said in {}: {} would decide otherwise about {topic}",
            self.glob,
            wire.name(),
            self.text
        );
        Ok(accepted)
    }
}

/// The levels of a glob, `*` said as `one` or, at the end, as `rest`.
fn levels<'a>(wire: Wire, glob: &'a str, [one, rest]: [&'a str; 2]) -> Result<Vec<&'a str>> {
    let last = glob.matches('/').count();
    glob.split('/')
        .enumerate()
        .map(|(index, level)| match level {
            "*" if index == last => Ok(rest),
            "*" => Ok(one),
            _ => {
                ensure!(
                    !level.contains(['*', '?', '[', '{', '\\']),
                    "{} has no pattern for {glob}: a wildcard has to be a whole level",
                    wire.name()
                );
                Ok(level)
            }
        })
        .collect()
}

/// Whether a filter of levels accepts a name. `rest` stands for at least `rest_min` levels.
fn match_levels(filter: &str, name: &str, between: char, [one, rest]: [&str; 2], rest_min: usize) -> bool {
    let mut levels = name.split(between);
    for part in filter.split(between) {
        if part == rest {
            return levels.count() >= rest_min;
        }
        match levels.next() {
            Some(level) if part == one || part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wire: Wire, glob: &str, want: Option<&str>) {
        let filter = Filter::new(wire, 1, glob);
        assert_eq!(filter.as_ref().ok().map(Filter::text), want, "{glob} in {wire:?}: {filter:?}");
    }

    #[test]
    fn patterns_are_said_in_each_dialect() {
        for glob in ["load/1", "load/*", "*", "a/*/c"] {
            check(Wire::Native, glob, Some(glob));
            check(Wire::Lbroker, glob, Some(glob));
            check(Wire::Redis, glob, Some(glob));
        }
        check(Wire::Nats, "load/1", Some("load.1"));
        check(Wire::Nats, "load/*", Some("load.>"));
        check(Wire::Nats, "a/*/c", Some("a.*.c"));
        check(Wire::Nats, "*", Some(">"));
        check(Wire::Mqtt, "load/1", Some("load/1"));
        check(Wire::Mqtt, "load/*", Some("load/#"));
        check(Wire::Mqtt, "a/*/c", Some("a/+/c"));
        check(Wire::Mqtt, "*", Some("#"));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for glob in ["load/1*", "load/?", "a[0-9]", "{a,b}", "a\\*"] {
            check(Wire::Nats, glob, None);
            check(Wire::Mqtt, glob, None);
        }
        check(Wire::Redis, "{a,b}", None);
        check(Wire::Redis, "a[0-9]?", Some("a[0-9]?"));
    }

    #[test]
    fn a_filter_accepts_what_its_glob_matches() {
        for wire in [Wire::Native, Wire::Nats, Wire::Redis, Wire::Mqtt] {
            for (glob, topic, want) in [
                ("load/*", "load/1", Some(true)),
                ("load/*", "load/1/2", Some(true)),
                ("load/*", "other/1", Some(false)),
                ("a/*/c", "a/b/c", Some(true)),
                ("a/*/c", "a/b/d", Some(false)),
                ("load/1", "load/1", Some(true)),
                ("load/1", "load/2", Some(false)),
                ("*", "a/b", Some(true)),
            ] {
                let filter = Filter::new(wire, 1, glob).unwrap();
                assert_eq!(filter.accepts(wire, topic).ok(), want, "{glob} and {topic} in {wire:?}");
            }
        }
    }

    #[test]
    fn a_filter_that_would_decide_otherwise_is_an_error() {
        // As a glob, `*` goes over levels.
        for wire in [Wire::Nats, Wire::Mqtt] {
            let error = Filter::new(wire, 1, "a/*/c").unwrap().accepts(wire, "a/b/b/c").unwrap_err();
            assert!(error.to_string().contains("cannot be said"), "{error}");
        }
        // `load/#` takes in its parent, `load/*` does not.
        assert!(Filter::new(Wire::Mqtt, 1, "load/*").unwrap().accepts(Wire::Mqtt, "load").is_err());
        assert!(!Filter::new(Wire::Nats, 1, "load/*").unwrap().accepts(Wire::Nats, "load").unwrap());
    }
}
