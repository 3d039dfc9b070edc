//! The settings as people see them: the effective configuration as a file, the table of the docs, the list in `--help`.

use super::error::source_name;
use super::settings::Kind;
use super::{Config, SETTINGS, Setting, Sources};

/// Up to this width lines have their origin in one column.
const COLUMN_MAX: usize = 80;

/// The configuration as a file that gives the same again but for passwords and tokens that are not hashes, with the origin of each value behind it.
///
/// # Examples
///
/// ```
/// use broker_server::config::{Config, Sources, effective_toml};
///
/// let text = effective_toml(&Config::default(), &Sources::default());
/// assert!(text.contains("listen = \"127.0.0.1:36912\""));
/// assert!(text.contains("# default"));
/// ```
pub fn effective_toml(config: &Config, sources: &Sources) -> String {
    let lines: Vec<(&Setting, String)> =
        SETTINGS.iter().map(|setting| (setting, line(setting, config))).collect();
    let widths = lines.iter().map(|(_, line)| line.chars().count());
    // Long lines stand out of the column: they are lists.
    let width = widths.filter(|width| *width <= COLUMN_MAX).max().unwrap_or(0);
    let mut text = String::new();
    let mut section = None;
    for (setting, line) in lines {
        if setting.section() != section {
            section = setting.section();
            text.extend(["\n[", section.unwrap_or_default(), "]\n"]);
        }
        // A path may hold what would end the comment.
        let source = source_name(sources.of(setting.key)).replace(char::is_control, "\u{fffd}");
        text.extend([format!("{line:width$}  # {source}\n")]);
    }
    text
}

/// A setting as it stands in the file. A secret is told to be there, and not shown.
fn line(setting: &Setting, config: &Config) -> String {
    if setting.is_secret(config) {
        return format!("# {} is set, and not shown", setting.name());
    }
    format!("{} = {}", setting.name(), setting.toml(config))
}

/// The table of `docs/configuration.md`.
pub fn settings_table() -> String {
    let defaults = Config::default();
    let mut table = String::from(
        "| setting | environment | flag | default | allowed | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let flag = match (setting.key, setting.flag) {
            ("listen", Some(flag)) => format!("`--{flag}`, `-p`"),
            (_, Some(flag)) => format!("`--{flag}`"),
            (_, None) => "`--set`".to_owned(),
        };
        table.extend([format!(
            "| `{}` | `{}` | {flag} | `{}` | {} | {} |\n",
            setting.key,
            setting.variable(),
            setting.toml(&defaults),
            setting.range(),
            setting.meaning.replace('*', "`*`"),
        )]);
    }
    table
}

/// What stands below the flags in `--help`: the settings that have no flag of their own, and where else to give them all.
pub fn settings_help() -> String {
    let defaults = Config::default();
    let mut help = String::from("Settings without a flag of their own, for --set KEY=VALUE:\n");
    for setting in SETTINGS.iter().filter(|setting| setting.flag.is_none()) {
        help.extend([format!(
            "  {:32} {} [default: {}]\n",
            setting.key,
            setting.meaning,
            setting.text(&defaults)
        )]);
    }
    help.push_str(
        "\nEvery setting can also stand in the configuration file ([limits] depth_max = 128) and in the environment \
         (BROKER_LIMITS_DEPTH_MAX=128). Flags win over the environment, the environment over the file.\n",
    );
    help
}

impl Setting {
    /// Its value as it stands in the file.
    fn toml(&self, config: &Config) -> String {
        match self.kind {
            Kind::Count { .. } | Kind::Topics(_) => self.text(config),
            _ => toml::Value::String(self.text(config)).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_stand_together_and_names_are_unique() {
        let mut sections: Vec<_> = SETTINGS.iter().map(Setting::section).collect();
        sections.dedup();
        let mut unique = sections.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), sections.len(), "{sections:?}");
        assert_eq!(sections.first(), Some(&None));
        for names in [
            SETTINGS.iter().map(Setting::variable).collect::<Vec<_>>(),
            SETTINGS.iter().map(|setting| setting.key.to_owned()).collect(),
        ] {
            let mut unique = names.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), names.len(), "{names:?}");
        }
    }
}
