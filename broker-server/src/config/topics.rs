//! Rules for topics: `[[topics]]` in the file, and the same as one line of TOML elsewhere.
//!
//! Invariant: what [`text`] writes, [`parse`] reads back.

use std::time::Duration;

use broker_core::Policy;
use broker_core::glob_tree::Pattern;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::quantity::{Range, parse_duration, show_duration};
use super::suggest;
use crate::clock::millis;

/// How long a retained message may be told to hold: ten years.
const TTL: Range<Duration> =
    Range { min: Duration::from_millis(1), max: Duration::from_hours(87_600), zero: None };

/// What stands in a rule.
const NAMES: [&str; 4] = ["pattern", "retain", "ttl", "policy"];

/// What holds for the topics that match a pattern. Of several rules that match, the first that says something of a matter decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct TopicRule {
    /// A glob over the whole topic.
    pub pattern: String,
    /// Whether the newest message is retained. False is stronger than what a publisher asks for.
    pub retain: Option<bool>,
    /// How long a retained message holds where its publisher does not say, 1 ms to 87,600 h.
    pub ttl: Option<Duration>,
    /// What happens when the outbox of a subscriber is full that does not say, and whose own pattern, read as a topic, this one matches.
    pub policy: Option<Policy>,
}

/// What is wrong, and where in the text it stands.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

impl TopicRule {
    /// What is wrong with a rule that a program made.
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_pattern(&self.pattern)?;
        if let Some(ttl) = &self.ttl {
            TTL.check(ttl, |time| show_duration(*time))?;
        }
        if self.retain.is_none() && self.ttl.is_none() && self.policy.is_none() {
            return Err(Problem::Missing { what: "one of 'retain', 'ttl' and 'policy' of a rule" });
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut fields = vec![format!("pattern = {}", toml::Value::from(self.pattern.as_str()))];
        fields.extend(self.retain.map(|retain| format!("retain = {retain}")));
        fields.extend(self.ttl.map(|ttl| format!("ttl = \"{}\"", show_duration(ttl))));
        fields.extend(self.policy.map(|policy| format!("policy = \"{policy}\"")));
        format!("{{ {} }}", fields.join(", "))
    }
}

/// The rules as core has them. One whose pattern does not parse is left out: [`TopicRule::check`] refuses it before.
pub(crate) fn core_rules(rules: &[TopicRule]) -> broker_core::TopicRules {
    let rule = |rule: &TopicRule| {
        Some(broker_core::TopicRule {
            pattern: Pattern::glob(&rule.pattern).ok()?,
            retain: rule.retain,
            ttl_ms: rule.ttl.map(millis),
            policy: rule.policy,
        })
    };
    broker_core::TopicRules::new(rules.iter().filter_map(rule).collect())
}

/// The rules as an array of TOML, on one line.
pub(super) fn text(rules: &[TopicRule]) -> String {
    let rules: Vec<String> = rules.iter().map(TopicRule::text).collect();
    format!("[{}]", rules.join(", "))
}

/// Reads what [`text`] writes. The first thing that is wrong is told.
pub(super) fn parse(text: &str) -> Result<Vec<TopicRule>, Problem> {
    let invalid = || Problem::Invalid {
        text: text.to_owned(),
        expected: "an array of rules such as [{ pattern = \"log/*\", retain = false }]".to_owned(),
        suggestion: None,
    };
    let document = format!("topics = {text}");
    let table = DeTable::parse(&document).map_err(|_| invalid())?;
    match table.get_ref().get("topics").map(Spanned::get_ref) {
        // Nothing else may have come in behind a line end.
        Some(DeValue::Array(rules)) if table.get_ref().len() == 1 => {
            read(rules).map_err(|wrong| wrong.into_iter().next().map_or_else(invalid, |wrong| wrong.problem))
        }
        _ => Err(invalid()),
    }
}

/// Reads the array of the file. Everything that is wrong is told.
pub(super) fn read(array: &[Spanned<DeValue<'_>>]) -> Result<Vec<TopicRule>, Vec<Wrong>> {
    let mut rules = Vec::new();
    let mut wrong = Vec::new();
    for entry in array {
        let offset = entry.span().start;
        let DeValue::Table(table) = entry.get_ref() else {
            wrong.push(Wrong { offset, problem: unexpected("a rule: a table with 'pattern'", entry) });
            continue;
        };
        let before = wrong.len();
        let rule = rule(table, &mut wrong);
        if wrong.len() == before {
            match rule.check() {
                Ok(()) => rules.push(rule),
                Err(problem) => wrong.push(Wrong { offset, problem }),
            }
        }
    }
    if wrong.is_empty() { Ok(rules) } else { Err(wrong) }
}

fn rule(table: &DeTable<'_>, wrong: &mut Vec<Wrong>) -> TopicRule {
    let mut rule = TopicRule::default();
    for (name, value) in table {
        if let Err(problem) = rule.set(name.get_ref(), value) {
            wrong.push(Wrong { offset: name.span().start, problem });
        }
    }
    rule
}

impl TopicRule {
    fn set(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Problem> {
        match (name, value.get_ref()) {
            ("pattern", DeValue::String(pattern)) => {
                check_pattern(pattern)?;
                self.pattern = pattern.to_string();
            }
            ("retain", DeValue::Boolean(retain)) => self.retain = Some(*retain),
            ("ttl", DeValue::String(ttl)) => self.ttl = Some(parse_duration(ttl, &TTL)?),
            ("policy", DeValue::String(policy)) => self.policy = Some(parse_policy(policy)?),
            ("pattern", _) => return Err(unexpected("a pattern as a string", value)),
            ("retain", _) => return Err(unexpected("true or false", value)),
            ("ttl", _) => return Err(unexpected("a string such as \"30s\"", value)),
            ("policy", _) => return Err(unexpected("the name of a policy as a string", value)),
            _ => {
                return Err(Problem::UnknownSetting {
                    name: name.to_owned(),
                    section: Some("[topics]".to_owned()),
                    suggestion: suggest::closest(name, NAMES.into_iter()).map(|name| format!("'{name}'")),
                });
            }
        }
        Ok(())
    }
}

fn check_pattern(text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Missing { what: "the 'pattern' of a rule" });
    }
    match Pattern::glob(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::Invalid {
            text: text.to_owned(),
            expected: format!("a pattern: {error}"),
            suggestion: None,
        }),
    }
}

fn parse_policy(text: &str) -> Result<Policy, Problem> {
    text.parse().map_err(|_| {
        let names = Policy::ALL.map(Policy::name);
        let suggestion = suggest::closest(&text.to_ascii_lowercase(), names.into_iter());
        Problem::Invalid {
            text: text.to_owned(),
            expected: names.join(" or "),
            suggestion: suggestion.map(|name| format!("'{name}'")),
        }
    })
}

fn unexpected(expected: &'static str, value: &Spanned<DeValue<'_>>) -> Problem {
    Problem::WrongType { expected, found: super::file::type_name(value.get_ref()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_same(rules: &[TopicRule]) {
        assert_eq!(parse(&text(rules)).as_deref(), Ok(rules), "{}", text(rules));
    }

    #[test]
    fn what_is_written_is_read_back() {
        check_same(&[]);
        let all = TopicRule {
            pattern: "a \"b\" 'c' \\\\ {x,y} # = ü".to_owned(),
            retain: Some(true),
            ttl: Some(Duration::from_mins(5)),
            policy: Some(Policy::DropOldest),
        };
        let one =
            |policy| TopicRule { pattern: "*".to_owned(), policy: Some(policy), ..TopicRule::default() };
        let mut rules = vec![all];
        rules.extend(Policy::ALL.map(one));
        check_same(&rules);
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map_err(|problem| problem.to_string()), Err(expected.to_owned()), "{text}");
    }

    #[test]
    fn what_is_wrong() {
        const ARRAY: &str = "is not an array of rules such as [{ pattern = \"log/*\", retain = false }]";
        for text in ["log/*", "1", "[", "{}", "[]\nlisten = 1"] {
            check(text, &format!("'{text}' {ARRAY}"));
        }
        check("[1]", "expected a rule: a table with 'pattern', found an integer");
        check("[{ retain = false }]", "the 'pattern' of a rule is missing");
        check("[{ pattern = '' , retain = false }]", "the 'pattern' of a rule is missing");
        check("[{ pattern = 'a' }]", "one of 'retain', 'ttl' and 'policy' of a rule is missing");
        check(
            "[{ pattern = 'a', retan = false }]",
            "unknown setting 'retan' in [[topics]]; did you mean 'retain'?",
        );
        check("[{ pattern = 'a', retain = 'no' }]", "expected true or false, found a string");
        check("[{ pattern = 'a', ttl = '0s' }]", "off is too small, the least is 1ms");
        check(
            "[{ pattern = 'a', policy = 'Skip' }]",
            "'Skip' is not skip or conflate or drop-oldest or drop-newest or disconnect or block; did you mean 'skip'?",
        );
        let error = parse("[{ pattern = 'a[', retain = false }]").unwrap_err().to_string();
        assert!(error.starts_with("'a[' is not a pattern: "), "{error}");
    }
}
