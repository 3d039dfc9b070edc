//! Lays the file over the defaults, the environment over that, and the flags on top.
//!
//! A layer is a list of texts, each for a setting and with its place. Applying it reads each text into the field of [`Config`]; what cannot be
//! read is an error, even if a layer above gives the same setting well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::{ConfigError, ConfigErrors, Place, Problem};
use super::{Config, Setting, environment, file, rules};

/// Where each value of a [`Config`] comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<&'static str, Place>);

impl Sources {
    /// Where the setting with this key was given; none if it was not, and has its default.
    ///
    /// # Examples
    ///
    /// ```
    /// use broker_server::{args::Args, config::{Config, Place}};
    ///
    /// let environment = [("BROKER_WORKERS".to_owned(), "2".to_owned())];
    /// let (_, sources) = Config::load_with_sources(&Args::default(), environment.into_iter()).unwrap();
    /// assert_eq!(sources.of("workers"), Some(&Place::Environment("BROKER_WORKERS".to_owned())));
    /// assert_eq!(sources.of("listen"), None);
    /// ```
    pub fn of(&self, key: &str) -> Option<&Place> {
        self.0.get(key)
    }
}

/// The text that was given for a setting, and where.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    pub(super) place: Place,
}

/// What one layer holds: what can be applied, and what is wrong already.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) given: Vec<Given>,
    pub(super) errors: Vec<ConfigError>,
    /// Keys of settings whose value is among the errors.
    pub(super) failed: Vec<&'static str>,
}

impl Layer {
    /// Adds an error that is about no setting that exists.
    pub(super) fn fail(&mut self, place: Place, problem: Problem) {
        self.errors.push(ConfigError { place, setting: None, problem });
    }
}

/// The configuration that all layers make together, over `base`. `file` is the flag that names the configuration file, and what it names.
pub(super) fn resolve(
    base: Config,
    file: Option<(&'static str, PathBuf)>,
    variables: impl Iterator<Item = (String, String)>,
    given: impl Iterator<Item = (String, &'static Setting, String)>,
) -> Result<(Config, Sources), ConfigErrors> {
    let variables: BTreeMap<String, String> = variables.collect();
    let mut stack = Stack { config: base, ..Stack::default() };
    match config_file(file, &variables) {
        Ok(Some(path)) => stack.put(file::read(&path)),
        Ok(None) => {}
        Err(place) => stack.errors.push(ConfigError { place, setting: None, problem: Problem::Empty }),
    }
    stack.put(environment::read(&variables));
    stack.put(flags(given));
    stack.finish()
}

/// The file to read, if any: the flag before `BROKER_CONFIG`. An error is where an empty name was given.
fn config_file(
    named: Option<(&'static str, PathBuf)>,
    variables: &BTreeMap<String, String>,
) -> Result<Option<PathBuf>, Place> {
    match (named, variables.get(environment::CONFIG)) {
        (Some((flag, path)), _) if path.as_os_str().is_empty() => Err(Place::Flag(flag.to_owned())),
        (Some((_, path)), _) => Ok(Some(path)),
        (None, Some(path)) if path.is_empty() => Err(Place::Environment(environment::CONFIG.to_owned())),
        (None, Some(path)) => Ok(Some(PathBuf::from(path))),
        (None, None) => Ok(None),
    }
}

/// Flags have no order among them, so no setting may be given by two.
fn flags(given: impl Iterator<Item = (String, &'static Setting, String)>) -> Layer {
    let mut layer = Layer::default();
    for (flag, setting, text) in given {
        let place = Place::Flag(flag);
        match layer.given.iter().find(|before| before.setting.key == setting.key) {
            Some(before) => {
                let problem = Problem::Twice { key: setting.key, other: before.place.clone() };
                layer.errors.push(ConfigError { place, setting: Some(setting.key), problem });
            }
            None => layer.given.push(Given { setting, text, place }),
        }
    }
    layer
}

/// The layers that are applied already.
#[derive(Default)]
struct Stack {
    config: Config,
    sources: Sources,
    errors: Vec<ConfigError>,
    failed: BTreeSet<&'static str>,
}

impl Stack {
    fn put(&mut self, layer: Layer) {
        self.errors.extend(layer.errors);
        self.failed.extend(layer.failed);
        for Given { setting, text, place } in layer.given {
            match setting.apply(&mut self.config, &text) {
                Ok(()) => {
                    self.sources.0.insert(setting.key, place);
                }
                Err(problem) => {
                    self.failed.insert(setting.key);
                    self.errors.push(ConfigError { place, setting: Some(setting.key), problem });
                }
            }
        }
        // Within a layer the errors come from two passes; a person reads the file from top to bottom.
        self.errors.sort_by_key(|error| match &error.place {
            Place::File { line, .. } => (0, line.unwrap_or(0)),
            _ => (1, 0),
        });
    }

    fn finish(mut self) -> Result<(Config, Sources), ConfigErrors> {
        // A value that was refused says nothing about the others.
        let rules = rules::loaded(&self.config, &self.sources);
        self.errors.extend(
            rules
                .into_iter()
                .filter(|broken| broken.keys.iter().all(|key| !self.failed.contains(key)))
                .map(|broken| broken.error),
        );
        ConfigErrors::check(self.errors)?;
        Ok((self.config, self.sources))
    }
}
