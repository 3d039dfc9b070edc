//! `--assert 'p99<2ms,lost==0'`: what a result has to be, as text.
//!
//! ```text
//! checks = check { "," check }
//! check  = metric ( "<" | "<=" | "==" | "!=" | ">=" | ">" ) number [ unit ]
//! unit   = "us" | "ms" | "s" | "k" | "M" | "B" | "KiB" | "MiB" | "%"
//! ```
//!
//! Spaces may stand between the parts. A unit has to fit its metric; a time, other than 0, has to have one. What cannot be
//! understood is an error that says where, before anything runs. Nothing here knows how results are made: [`Check::holds`] gets a number.

use std::fmt;

use super::metric::{self, Metric};
use super::outcome::Unit;

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// The relations; longer ones before those that they begin with.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::LessOrEqual),
    (">=", Relation::GreaterOrEqual),
    ("==", Relation::Equal),
    ("!=", Relation::NotEqual),
    ("<", Relation::Less),
    (">", Relation::Greater),
];

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    pub(crate) metric: &'static Metric,
    relation: Relation,
    /// In the unit that the metric is kept in: microseconds, bytes, shares of 1.
    bound: f64,
    /// As it was written.
    text: String,
}

impl Check {
    /// Whether `value` is as it has to be.
    #[expect(clippy::float_cmp, reason = "counts are exact, and a user who writes == for a time means it")]
    pub(crate) fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Less => value < self.bound,
            Relation::LessOrEqual => value <= self.bound,
            Relation::Equal => value == self.bound,
            Relation::NotEqual => value != self.bound,
            Relation::GreaterOrEqual => value >= self.bound,
            Relation::Greater => value > self.bound,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no list of checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The whole text.
    text: String,
    /// Where in it, in bytes.
    offset: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.offset).unwrap_or(&self.text).chars().count();
        write!(f, "{} at offset {}\n  {}\n  {:before$}^", self.what, self.offset, self.text, "")
    }
}

impl std::error::Error for Mistake {}

/// The checks that `text` asks for, at least one.
pub(crate) fn parse(text: &str) -> Result<Vec<Check>, Mistake> {
    let mut parser = Parser { text, at: 0 };
    let mut checks = Vec::new();
    loop {
        checks.push(parser.check()?);
        parser.skip_spaces();
        if parser.rest().is_empty() {
            return Ok(checks);
        }
        if !parser.take(",") {
            return Err(parser.mistake("a comma or the end is expected".to_owned()));
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn mistake(&self, what: String) -> Mistake {
        Mistake { text: self.text.to_owned(), offset: self.at, what }
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// The longest run of characters that `belongs` says yes to.
    fn run(&self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    }

    fn check(&mut self) -> Result<Check, Mistake> {
        self.skip_spaces();
        let start = self.at;
        let metric = self.metric()?;
        self.skip_spaces();
        let relation = RELATIONS.iter().find(|(sign, _)| self.take(sign)).map(|&(_, relation)| relation);
        let Some(relation) = relation else {
            return Err(self.mistake("one of < <= == != >= > is expected".to_owned()));
        };
        self.skip_spaces();
        let number = self.number()?;
        let bound = number * self.unit(metric, number)?;
        let text = self.text.get(start..self.at).unwrap_or("").to_owned();
        Ok(Check { metric, relation, bound, text })
    }

    fn metric(&mut self) -> Result<&'static Metric, Mistake> {
        let name = self.run(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'));
        if name.is_empty() {
            return Err(self.mistake("the name of a metric is expected".to_owned()));
        }
        match metric::find(name) {
            Some(metric) => {
                self.at += name.len();
                Ok(metric)
            }
            None => Err(self.mistake(unknown(name))),
        }
    }

    fn number(&mut self) -> Result<f64, Mistake> {
        let digits = self.run(|c| c.is_ascii_digit() || c == '.');
        match digits.parse::<f64>() {
            Ok(number) => {
                self.at += digits.len();
                Ok(number)
            }
            Err(_) => Err(self.mistake("a number is expected".to_owned())),
        }
    }

    /// What the number has to be multiplied by.
    fn unit(&mut self, metric: &Metric, number: f64) -> Result<f64, Mistake> {
        self.skip_spaces();
        let unit = if self.rest().starts_with('%') { "%" } else { self.run(char::is_alphabetic) };
        let factor = match (metric.unit, unit) {
            (Unit::Micros, "") if number == 0.0 => 1.0,
            (Unit::Micros, "us")
            | (Unit::Seconds | Unit::SecondsPerMillion, "" | "s")
            | (Unit::Share | Unit::Cores | Unit::Count | Unit::PerSecond, "")
            | (Unit::Bytes | Unit::BytesPerSecond | Unit::BytesPerHour, "" | "B") => 1.0,
            (Unit::Micros, "ms") | (Unit::Count | Unit::PerSecond, "k") => 1e3,
            (Unit::Micros, "s") | (Unit::Count | Unit::PerSecond, "M") => 1e6,
            (Unit::Seconds, "us") => 1e-6,
            (Unit::Seconds, "ms") => 1e-3,
            (Unit::Share | Unit::Cores, "%") => 0.01,
            (Unit::Bytes | Unit::BytesPerSecond | Unit::BytesPerHour, "KiB") => 1024.0,
            (Unit::Bytes | Unit::BytesPerSecond | Unit::BytesPerHour, "MiB") => 1024.0 * 1024.0,
            _ => {
                let wanted = wanted(metric.unit);
                let got = if unit.is_empty() { "none".to_owned() } else { format!("\"{unit}\"") };
                return Err(self.mistake(format!("{} takes {wanted}, not {got}", metric.name)));
            }
        };
        self.at += unit.len();
        Ok(factor)
    }
}

/// The units of a kind of figure, in words.
fn wanted(unit: Unit) -> &'static str {
    match unit {
        Unit::Micros => "the unit us, ms or s",
        Unit::Seconds => "no unit or us, ms or s",
        Unit::SecondsPerMillion => "no unit or s",
        Unit::Share | Unit::Cores => "no unit or %",
        Unit::Count | Unit::PerSecond => "no unit or k or M",
        Unit::Bytes | Unit::BytesPerSecond | Unit::BytesPerHour => "no unit or B, KiB or MiB",
    }
}

/// What to say of a name that is none: the nearest one, if one is near, and all of them.
fn unknown(name: &str) -> String {
    let near = metric::all()
        .flat_map(|metric| [Some(metric.name), metric.alias].into_iter().flatten())
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|&(distance, known)| distance <= 2.max(known.len() / 3));
    let suggestion = near.map_or_else(String::new, |(_, known)| format!(", did you mean {known}?"));
    let names: Vec<&str> = metric::all().map(|metric| metric.name).collect();
    format!("unknown metric \"{name}\"{suggestion} (known are {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(&str, Relation, f64)]) {
        let checks = parse(text).unwrap_or_else(|mistake| panic!("{mistake}"));
        let got: Vec<_> =
            checks.iter().map(|check| (check.metric.name, check.relation, check.bound)).collect();
        assert_eq!(got, want, "{text}");
    }

    #[track_caller]
    fn mistake(text: &str, offset: usize, what: &str) {
        let mistake = parse(text).unwrap_err();
        assert_eq!(mistake.offset, offset, "{mistake}");
        assert!(mistake.what.contains(what), "{mistake}");
    }

    #[test]
    fn what_is_understood() {
        check("p99<2ms,lost==0", &[("p99", Relation::Less, 2_000.0), ("lost", Relation::Equal, 0.0)]);
        check(" p99.9 <= 1.5 s ", &[("p999", Relation::LessOrEqual, 1.5e6)]);
        check("delivered/s>=1M", &[("delivered_per_s", Relation::GreaterOrEqual, 1e6)]);
        check("sent>10k", &[("sent", Relation::Greater, 10_000.0)]);
        check("memory<64MiB", &[("memory", Relation::Less, 64.0 * 1024.0 * 1024.0)]);
        check("memory!=4096", &[("memory", Relation::NotEqual, 4096.0)]);
        check("bytes/s>3KiB", &[("bytes_per_s", Relation::Greater, 3072.0)]);
        check("generator_share<50%", &[("generator_share", Relation::Less, 0.5)]);
        check("sent_of_due>=0.999", &[("sent_of_due", Relation::GreaterOrEqual, 0.999)]);
        check("max<0", &[("max", Relation::Less, 0.0)]);
        check("join_time<250ms", &[("join_time", Relation::Less, 0.25)]);
        check("cpu_per_million<0.5", &[("cpu_per_million", Relation::Less, 0.5)]);
    }

    #[test]
    fn what_is_not() {
        mistake("", 0, "name of a metric");
        mistake("p99<2ms,", 8, "name of a metric");
        mistake("p99<2ms;lost==0", 7, "a comma or the end");
        mistake("p99=2ms", 3, "one of < <=");
        mistake("p99 2ms", 4, "one of < <=");
        mistake("p99<", 4, "a number");
        mistake("p99<1.2.3ms", 4, "a number");
        mistake("p99<-1ms", 4, "a number");
        mistake("p99<2", 5, "p99 takes the unit us, ms or s, not none");
        mistake("p99<2MiB", 5, "not \"MiB\"");
        mistake("lost==0ms", 7, "lost takes no unit or k or M");
        mistake("lost==0, p98<1ms", 9, "did you mean");
        mistake("delivered_per_sec>1", 0, "did you mean delivered_per_s?");
        mistake("zzzzzzzzzzzzzzzzz>1", 0, "known are sent_per_s, delivered_per_s");
        mistake("täglich<1", 0, "unknown metric");
        assert!(!parse("zzzzzzzzzzzzzzzzz>1").unwrap_err().what.contains("did you mean"));
    }

    #[test]
    fn a_mistake_points_at_its_place() {
        let text = parse("lost==0,p99<2").unwrap_err().to_string();
        assert!(text.ends_with("at offset 13\n  lost==0,p99<2\n               ^"), "{text}");
    }

    #[test]
    fn relations_hold_or_not() {
        let holds = |text: &str| {
            let checks = parse(text).unwrap();
            [1.0, 2.0, 3.0].map(|value| checks[0].holds(value))
        };
        assert_eq!(holds("lost<2"), [true, false, false]);
        assert_eq!(holds("lost<=2"), [true, true, false]);
        assert_eq!(holds("lost==2"), [false, true, false]);
        assert_eq!(holds("lost!=2"), [true, false, true]);
        assert_eq!(holds("lost>=2"), [false, true, true]);
        assert_eq!(holds("lost>2"), [false, false, true]);
    }
}
