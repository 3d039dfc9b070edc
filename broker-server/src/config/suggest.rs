//! "Did you mean …?": the known name that is closest to an unknown one.

use super::{SETTINGS, Setting};

/// Names that other programs have for a setting.
const SYNONYMS: &[(&str, &str)] = &[
    ("port", "listen"),
    ("address", "listen"),
    ("bind", "listen"),
    ("host", "listen"),
    ("threads", "workers"),
    ("retention", "retained.messages_max"),
    ("verbosity", "log.level"),
];

/// The one of `names` that `name` may have been meant for.
pub(super) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .filter_map(|candidate| distance(name, candidate).map(|distance| (distance, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The setting that `name` in `section` of the file may have been meant for.
pub(super) fn setting(section: Option<&str>, name: &str) -> Option<&'static Setting> {
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == name.to_ascii_lowercase());
    if let Some((_, key)) = synonym {
        return Setting::find(key);
    }
    let flat = |section: Option<&str>, name: &str| {
        section.map_or(name.to_owned(), |section| format!("{section}_{name}"))
    };
    let given = flat(section, name).replace('.', "_");
    let name_alone = name.rsplit('.').next().unwrap_or(name);
    let score = |setting: &&Setting| {
        let here =
            distance(name_alone, setting.name()).map(|distance| (distance, section != setting.section()));
        let whole = flat(setting.section(), setting.name());
        let anywhere =
            distance(&given, &whole).min_some(distance(name, &whole)).map(|distance| (distance, false));
        here.min_some(anywhere)
    };
    SETTINGS
        .iter()
        .filter_map(|setting| Some((score(&setting)?, setting)))
        .min_by_key(|(score, _)| *score)
        .map(|(_, setting)| setting)
}

/// How far apart two names are; none if nobody would take one for the other. The order of words and their separators do not count.
fn distance(one: &str, other: &str) -> Option<usize> {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let distance = strsim::osa_distance(&one, &other)
        .min(strsim::osa_distance(&sorted_words(&one), &sorted_words(&other)));
    (distance <= one.len().max(other.len()) / 3).then_some(distance)
}

fn sorted_words(name: &str) -> String {
    let mut words: Vec<&str> = name.split(['_', '-', '.']).collect();
    words.sort_unstable();
    words.join("_")
}

/// The lesser of two options, where none is more than any.
trait MinSome {
    fn min_some(self, other: Self) -> Self;
}

impl<T: Ord> MinSome for Option<T> {
    fn min_some(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(section: Option<&str>, name: &str, expected: Option<&str>) {
        assert_eq!(setting(section, name).map(|setting| setting.key), expected, "{name} in {section:?}");
    }

    #[test]
    fn settings() {
        check(None, "lisen", Some("listen"));
        check(None, "Listen", Some("listen"));
        check(None, "port", Some("listen"));
        check(Some("limits"), "conections_max", Some("limits.connections_max"));
        check(Some("limits"), "max_connections", Some("limits.connections_max"));
        check(Some("limits"), "connections-max", Some("limits.connections_max"));
        check(Some("limits"), "outbox_bytez_max", Some("outbox.bytes_max"));
        check(Some("outbox"), "byte_max", Some("outbox.bytes_max"));
        check(Some("retained"), "byte_max", Some("retained.bytes_max"));
        check(None, "retained_messages_max", Some("retained.messages_max"));
        check(None, "idle_timeout", Some("limits.idle_timeout"));
        check(None, "limits.dept_max", Some("limits.depth_max"));
        check(Some("server"), "workers", Some("workers"));
        check(Some("limits"), "depth", Some("limits.depth_max"));
        check(Some("limits"), "timeout", Some("limits.idle_timeout"));
        check(None, "connections", Some("limits.connections_max"));
        check(Some("limits"), "colour", None);
        check(Some("limits"), "max", None);
        check(None, "x", None);
    }

    #[test]
    fn words() {
        let names = ["skip", "disconnect"];
        assert_eq!(closest("skpi", names.into_iter()), Some("skip"));
        assert_eq!(closest("disconect", names.into_iter()), Some("disconnect"));
        assert_eq!(closest("block", names.into_iter()), None);
    }
}
