//! The patterns and texts that are compared: the same in every run, and the same for every engine.
//!
//! A pattern has a number of its own in it, so that a text made from it matches it alone. One percent of each set is *hot*: distinct patterns
//! (or, where there are not so many, one pattern again and again, as of many subscribers) that all match one text.

use glob_tree::Dialect;

/// What the patterns of a set look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Literal,
    Prefix,
    Suffix,
    InnerStar,
    Question,
    /// As in a broker: 80 % exact, 15 % with one wildcard, 5 % with several.
    Mixed,
    Subject,
}

pub(crate) const CLASSES: [(Class, &str); 7] = [
    (Class::Literal, "literal"),
    (Class::Prefix, "prefix"),
    (Class::Suffix, "suffix"),
    (Class::InnerStar, "inner star"),
    (Class::Question, "`?`"),
    (Class::Mixed, "mixed"),
    (Class::Subject, "subject"),
];

/// A text that all hot patterns match, and nothing else does.
pub(crate) const HOT: &str = "hot.abc.def.ghi.jkl.mno.pqr.stu.vwx.yza.bcd.efg.hij.klm.nop";
const TEXTS: usize = 1000;
const AREAS: [&str; 8] = ["north", "south", "harbour", "airport", "mill", "depot", "office", "lab"];
const KINDS: [&str; 8] = ["meter", "valve", "motor", "camera", "gate", "pump", "sensor", "relay"];
const VALUES: [&str; 8] =
    ["temperature", "pressure", "state", "events", "speed", "voltage", "position", "errors"];

pub(crate) struct Workload {
    pub(crate) patterns: Vec<(String, Dialect)>,
    pub(crate) none: Vec<String>,
    pub(crate) one: Vec<String>,
}

impl Workload {
    pub(crate) fn new(class: Class, count: usize) -> Self {
        let hot = count / 100;
        let mut random = Random(7);
        let mut patterns: Vec<(String, Dialect)> =
            (0..count - hot).map(|number| pattern(class, number)).collect();
        patterns.extend((0..hot).map(|number| hot_pattern(class, number)));
        let mut texts = |offset: usize| -> Vec<String> {
            let numbers = (0..TEXTS).map(|_| offset + random.below(count - hot));
            numbers.map(|number| text(class, number)).collect()
        };
        let one = texts(0);
        // The same texts with numbers that no pattern has.
        let none = texts(10 * count);
        random.shuffle(&mut patterns);
        Self { patterns, none, one }
    }
}

fn names(number: usize) -> (&'static str, &'static str, &'static str) {
    let of = |names: &[&'static str; 8], by: usize| names.get(number / by % 8).copied().unwrap_or_default();
    (of(&AREAS, 1), of(&KINDS, 8), of(&VALUES, 64))
}

fn pattern(class: Class, number: usize) -> (String, Dialect) {
    let (area, kind, value) = names(number);
    let glob = match class {
        Class::Literal => format!("{area}.{kind}.{number}.{value}"),
        Class::Prefix => format!("{area}.{kind}.{number}.*"),
        Class::Suffix => format!("*.{number}.{value}"),
        Class::InnerStar => format!("{area}.*.{number}.{value}"),
        Class::Question => format!("{area}.{kind}?{number}.{value}"),
        Class::Mixed => match number % 100 {
            0..80 => return pattern(Class::Literal, number),
            80..86 => return pattern(Class::Prefix, number),
            86..89 => return pattern(Class::Suffix, number),
            89..93 => return pattern(Class::InnerStar, number),
            93..95 => return pattern(Class::Question, number),
            95..97 => format!("*.{kind}.{number}.*"),
            97..99 => format!("{area}.*.{number}.*"),
            _ => format!("*{kind}*{number}.{value}"),
        },
        Class::Subject => {
            let subject = match number % 4 {
                0 => format!("{area}.*.{number}.{value}"),
                1 => format!("{area}.{kind}.{number}.>"),
                2 => format!("*.{kind}.{number}.*"),
                _ => format!("{area}.{kind}.{number}.{value}"),
            };
            return (subject, Dialect::Subject);
        }
    };
    (glob, Dialect::Glob)
}

/// What the pattern with this number matches, and no other one does.
fn text(class: Class, number: usize) -> String {
    let (area, kind, value) = names(number);
    match class {
        // A number may be the end of another one: the character before it tells them apart.
        Class::Mixed if number % 100 == 99 => format!("{area}.{kind}.x{number}.{value}"),
        _ => format!("{area}.{kind}.{number}.{value}"),
    }
}

fn hot_pattern(class: Class, number: usize) -> (String, Dialect) {
    // One bit of the number for each part: whether it is a wildcard. (The first and the last are never.)
    let masked = |wildcard: &str| {
        let mut parts: Vec<&str> = HOT.split('.').collect();
        for (bit, part) in parts.iter_mut().skip(1).take(13).enumerate() {
            if (number + 1) >> bit & 1 == 1 {
                *part = wildcard;
            }
        }
        parts.join(".")
    };
    match class {
        Class::Literal => (HOT.to_owned(), Dialect::Glob),
        Class::Prefix => ("hot.*".to_owned(), Dialect::Glob),
        Class::Suffix => ("*.nop".to_owned(), Dialect::Glob),
        Class::Question => (masked("???"), Dialect::Glob),
        Class::InnerStar | Class::Mixed => (masked("*"), Dialect::Glob),
        Class::Subject => (masked("*"), Dialect::Subject),
    }
}

/// A small generator (xorshift), so that every run has the same patterns.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
