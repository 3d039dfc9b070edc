//! What no single value shows: settings that contradict each other.

use super::error::{ConfigError, Excess, Place, Problem};
use super::{Config, Listen, SETTINGS, Setting, Sources};

/// A rule between settings that is broken.
pub(super) struct Broken {
    /// The settings that it is about.
    pub(super) keys: Vec<&'static str>,
    pub(super) error: ConfigError,
}

/// Pairs of settings of which the first must not be larger than the second, and why.
const AT_MOST: &[(&str, &str, &str)] = &[
    ("limits.frame_bytes_max", "outbox.bytes_max", "the largest frame would not fit into an outbox"),
    ("nats.payload_bytes_max", "nats.outbox_bytes_max", "the largest message would not fit into an outbox"),
    ("limits.topic_bytes_max", "limits.frame_bytes_max", "the longest topic would not fit into a frame"),
    ("limits.pattern_bytes_max", "limits.frame_bytes_max", "the longest pattern would not fit into a frame"),
];

/// All that is wrong with a configuration that a program put together.
pub(super) fn validate(config: &Config) -> Vec<ConfigError> {
    let out_of_range = SETTINGS.iter().filter_map(|setting| {
        let problem = setting.check(config).err()?;
        Some(ConfigError { place: Place::Field(setting.key), setting: Some(setting.key), problem })
    });
    let mut errors: Vec<ConfigError> = out_of_range.collect();
    let failed: Vec<_> = errors.iter().filter_map(|error| error.setting).collect();
    let broken = too_large(config, &Sources::default()).into_iter();
    errors.extend(
        broken
            .filter(|broken| broken.keys.iter().all(|key| !failed.contains(key)))
            .map(|broken| broken.error),
    );
    errors
}

/// The rules that are broken by a configuration whose values are each in range.
pub(super) fn loaded(config: &Config, sources: &Sources) -> Vec<Broken> {
    let mut broken = too_large(config, sources);
    if config.listen == Listen::Off && config.nats.listen == Listen::Off {
        let place = sources.of("listen").or(sources.of("nats.listen")).cloned();
        let place = place.unwrap_or(Place::Field("listen"));
        let error = ConfigError { place, setting: Some("listen"), problem: Problem::NothingListens };
        broken.push(Broken { keys: vec!["listen", "nats.listen"], error });
    }
    broken
}

fn too_large(config: &Config, sources: &Sources) -> Vec<Broken> {
    let broken = AT_MOST.iter().filter_map(|(key, other, why)| {
        let (setting, bound) = (Setting::find(key)?, Setting::find(other)?);
        if setting.amount(config)? <= bound.amount(config)? {
            return None;
        }
        let other_place = sources.of(other).cloned();
        // Whoever left one of the two alone changed the other.
        let place = sources.of(key).or(other_place.as_ref()).cloned().unwrap_or(Place::Field(setting.key));
        let excess = Excess {
            key: setting.key,
            value: setting.text(config),
            other: bound.key,
            limit: bound.text(config),
            other_place,
            why,
        };
        let problem = Problem::from(Box::new(excess));
        Some(Broken {
            keys: vec![setting.key, bound.key],
            error: ConfigError { place, setting: None, problem },
        })
    });
    broken.collect()
}
