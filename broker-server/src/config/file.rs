//! The layer of the file: TOML, one section for each group of settings.

use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Problem};
use super::layers::{Given, Layer};
use super::secret::Users;
use super::topics::{self, Wrong};
use super::{SETTINGS, Setting, suggest};

/// More than this is not a configuration; a wrong path (a device, a log) must not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the file and finds the setting of each of its values.
pub(super) fn read(path: &Path) -> Layer {
    match read_text(path) {
        Ok(text) => parse(path, &text),
        Err(problem) => {
            let mut layer = Layer::default();
            layer.fail(Place::File { path: path.to_owned(), line: None }, problem);
            layer
        }
    }
}

fn read_text(path: &Path) -> Result<String, Problem> {
    use std::io::Read as _;

    let unreadable = |error: &std::io::Error| Problem::Unreadable { reason: error.to_string() };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::Unreadable { reason: format!("it has more than {FILE_BYTES_MAX} bytes") });
    }
    String::from_utf8(bytes).map_err(|error| Problem::Syntax {
        reason: format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
    })
}

fn parse(path: &Path, text: &str) -> Layer {
    let mut reader = Reader { path, text, layer: Layer::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = reader.place(error.span().map(|span| span.start));
        // The parser's messages may run over lines; an error here is one.
        let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        reader.layer.fail(place, Problem::Syntax { reason });
    }
    // What is left of a broken file would only give errors that follow from the first.
    if errors.is_empty() {
        reader.table(None, table.get_ref());
    }
    reader.layer
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    layer: Layer,
}

impl Reader<'_> {
    /// One section of the file, or what stands before the first.
    fn table(&mut self, section: Option<&'static str>, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let place = self.place(Some(key.span().start));
            let here = |setting: &&Setting| setting.section() == section && setting.name() == name;
            if let Some(setting) = SETTINGS.iter().find(here) {
                self.value(setting, value, place);
                continue;
            }
            let below = SETTINGS
                .iter()
                .filter_map(Setting::section)
                .find(|known| section.is_none() && *known == name);
            match (below, value.get_ref()) {
                (Some(known), DeValue::Table(inner)) => self.table(Some(known), inner),
                (Some(_), other) => {
                    let problem =
                        Problem::WrongType { expected: "a section of settings", found: type_name(other) };
                    self.layer.fail(place, problem);
                }
                (None, DeValue::Table(_)) if section.is_none() => {
                    let sections = SETTINGS.iter().filter_map(Setting::section);
                    let suggestion = suggest::closest(name, sections).map(|name| format!("[{name}]"));
                    self.layer.fail(place, Problem::UnknownSection { name: name.to_owned(), suggestion });
                }
                (None, _) => {
                    let suggestion =
                        suggest::setting(section, name).map(|setting| suggestion(section, setting));
                    let section = section.map(str::to_owned);
                    self.layer
                        .fail(place, Problem::UnknownSetting { name: name.to_owned(), section, suggestion });
                }
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>, place: Place) {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                // Longer than any integer type: the setting says how large it may be.
                Err(_) => number.to_string(),
            },
            DeValue::Table(users) if setting.is_table() => match users_of(users) {
                Ok(text) => text,
                Err(problem) => return self.fail(setting, place, problem),
            },
            DeValue::Array(rules) if setting.is_rules() => match topics::read(rules) {
                Ok(rules) => topics::text(&rules),
                Err(wrong) => {
                    for Wrong { offset, problem } in wrong {
                        self.fail(setting, self.place(Some(offset)), problem);
                    }
                    return;
                }
            },
            other => {
                let problem = Problem::WrongType { expected: setting.expected(), found: type_name(other) };
                return self.fail(setting, place, problem);
            }
        };
        self.layer.given.push(Given { setting, text, place });
    }

    fn fail(&mut self, setting: &'static Setting, place: Place, problem: Problem) {
        self.layer.failed.push(setting.key);
        self.layer.errors.push(ConfigError { place, setting: Some(setting.key), problem });
    }

    fn place(&self, offset: Option<usize>) -> Place {
        let before = offset.and_then(|offset| self.text.as_bytes().get(..offset));
        let line = before.map(|before| before.split(|byte| *byte == b'\n').count());
        Place::File { path: self.path.to_owned(), line }
    }
}

/// A table of names and passwords, as the text that the environment and the flags take.
fn users_of(table: &DeTable<'_>) -> Result<String, Problem> {
    let mut users = Users::default();
    for (name, password) in table {
        let DeValue::String(password) = password.get_ref() else {
            let found = type_name(password.get_ref());
            return Err(Problem::WrongType { expected: "a password or its hash", found });
        };
        users.add(name.get_ref(), password)?;
    }
    Ok(if users.is_empty() { "off".to_owned() } else { users.text() })
}

/// How to write the setting that was meant, seen from `section`.
fn suggestion(section: Option<&str>, setting: &Setting) -> String {
    match setting.section() {
        there if there == section => format!("'{}'", setting.name()),
        Some(there) => format!("'{}' in [{there}]", setting.name()),
        None => format!("'{}' before the first section", setting.name()),
    }
}

pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let errors: Vec<String> =
            parse(Path::new("broker.toml"), text).errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, expected, "{text}");
    }

    #[test]
    fn what_is_unknown_or_of_the_wrong_type() {
        check("", &[]);
        check("# nothing\nlisten = 36912\n[limits]\ndepth_max = 1_0\n", &[]);
        check("limits.depth_max = 10", &[]);
        check("lisen = 'off'", &["broker.toml:1: unknown setting 'lisen'; did you mean 'listen'?"]);
        check("\n\nport = 1", &["broker.toml:3: unknown setting 'port'; did you mean 'listen'?"]);
        check(
            "[limits]\noutbox_bytez_max = 1",
            &[
                "broker.toml:2: unknown setting 'outbox_bytez_max' in [limits]; did you mean 'bytes_max' in [outbox]?",
            ],
        );
        check(
            "[limits]\ntopic_byte_max = 1",
            &["broker.toml:2: unknown setting 'topic_byte_max' in [limits]; did you mean 'topic_bytes_max'?"],
        );
        check(
            "[log]\nlisten = 1",
            &[
                "broker.toml:2: unknown setting 'listen' in [log]; did you mean 'listen' before the first section?",
            ],
        );
        check("colour = 1", &["broker.toml:1: unknown setting 'colour'"]);
        check("\n[limit]\na = 1", &["broker.toml:2: unknown section [limit]; did you mean [limits]?"]);
        check("[[limits]]\na = 1", &["broker.toml:1: expected a section of settings, found an array"]);
        check("limits = 5", &["broker.toml:1: expected a section of settings, found an integer"]);
        check("[limits.depth_max]", &["broker.toml:1: limits.depth_max: expected an integer, found a table"]);
        check(
            "[limits.depth]",
            &["broker.toml:1: unknown setting 'depth' in [limits]; did you mean 'depth_max'?"],
        );
        check("[auth.users]\nalice = 'a'\nbob = 'b'", &[]);
        check("[auth]\nusers = 'alice:a bob:b'", &[]);
        check(
            "[auth.users]\nalice = 1",
            &["broker.toml:1: auth.users: expected a password or its hash, found an integer"],
        );
        check(
            "auth.users.alice = 'two words'",
            &[
                "broker.toml:1: auth.users: expected a token or password without white space, found something else",
            ],
        );
        check("[[topics]]\npattern = 'a'\nretain = false\n[[topics]]\npattern = 'b'\nttl = '5m'", &[]);
        check("topics = [{ pattern = 'a', policy = 'block' }]", &[]);
        check(
            "[[topics]]\npattern = 'a'\nttl = '1s'\n[[topics]]\npattern = 'b['\nretain = 'no'\n[[topics]]\nttl = '5m'",
            &[
                "broker.toml:5: topics: 'b[' is not a pattern: the `[` at byte 1 has no `]`",
                "broker.toml:6: topics: expected true or false, found a string",
                "broker.toml:7: topics: the 'pattern' of a rule is missing",
            ],
        );
        check(
            "[topics]\npattern = 'a'",
            &["broker.toml:1: topics: expected an array of rules, found a table"],
        );
        check("listen = false", &["broker.toml:1: listen: expected a string or a port, found a boolean"]);
        check(
            "limits.idle_timeout = 1.5\nworkers = [1]",
            &[
                "broker.toml:1: limits.idle_timeout: expected a string such as \"30s\", found a fraction",
                "broker.toml:2: workers: expected an integer, found an array",
            ],
        );
    }

    #[test]
    fn what_is_not_toml() {
        for text in ["listen = ", "a = 1\na = 2", "[limits\n", "listen = 'x", "= 1", "\u{0}"] {
            let layer = parse(Path::new("broker.toml"), text);
            assert!(layer.given.is_empty(), "{text}");
            let error = layer.errors.first().map(ToString::to_string).unwrap_or_default();
            assert!(error.starts_with("broker.toml:") && error.contains(": not TOML: "), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
