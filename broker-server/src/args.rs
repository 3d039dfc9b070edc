//! The command line of `broker-server`.
//!
//! Owns what flags there are and what clap checks about each; what they mean for the server is [`crate::config`]'s. The flags that are
//! settings come from its table, so they are the same settings with the same ranges.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Parser};

use crate::config::{self, Config, SETTINGS, Setting};

/// A message broker for live state and events. Without any argument it listens on 127.0.0.1:36912, and for NATS clients on 127.0.0.1:4222 if that is free.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "broker-server", version, after_long_help = config::settings_help())]
pub struct Args {
    /// Port to listen on, on 127.0.0.1; short for --listen 127.0.0.1:PORT
    #[arg(short, long, value_name = "PORT", conflicts_with = "listen")]
    pub port: Option<u16>,

    /// Configuration file, in TOML; `BROKER_CONFIG` names it, too.
    #[arg(long, value_name = "FILE", help = "Configuration file, in TOML [env: BROKER_CONFIG]")]
    pub config: Option<PathBuf>,

    /// Print the configuration as it would be used and where each value comes from, or what is wrong with it, and exit
    #[arg(long)]
    pub check_config: bool,

    /// Read a password from standard input, one line, and print its hash for auth.users or auth.token
    #[arg(long)]
    pub hash_password: bool,

    /// Take the place of another program: nats-server, whose flags follow; must be the first argument
    #[arg(long = "as", value_name = "PROGRAM", value_parser = misplaced)]
    pub program: Option<String>,

    /// Any setting, by its key in the configuration file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_assignment)]
    pub set: Vec<Assignment>,

    /// The settings that have a flag of their own.
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// `--set KEY=VALUE`: a value that has passed the checks of its setting.
#[derive(Debug, Clone)]
pub struct Assignment {
    setting: &'static Setting,
    text: String,
}

/// The settings given by flags of their own; each value has passed the checks of its setting.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags(Vec<Assignment>);

impl Args {
    /// Every setting that is given: the flag as it is written, the setting, and the text of its value.
    pub(crate) fn given(&self) -> impl Iterator<Item = (String, &'static Setting, String)> {
        let port = self
            .port
            .and_then(|port| Some(("--port".to_owned(), Setting::find("listen")?, port.to_string())));
        let own = self.settings.0.iter().map(|assignment| {
            let flag = assignment.setting.flag.unwrap_or(assignment.setting.key);
            (format!("--{flag}"), assignment.setting, assignment.text.clone())
        });
        let set = self.set.iter().map(|assignment| {
            (format!("--set {}", assignment.setting.key), assignment.setting, assignment.text.clone())
        });
        port.into_iter().chain(own).chain(set)
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let defaults = Config::default();
        SETTINGS.iter().fold(command, |command, setting| match setting.flag {
            Some(flag) => {
                let meaning = capitalized(setting.meaning);
                let other = format!("[env: {}] [default: {}]", setting.variable(), setting.text(&defaults));
                let allowed = setting.range().replace('`', "");
                command.arg(
                    Arg::new(setting.key)
                        .long(flag)
                        .value_name(setting.value_name())
                        .help(format!("{meaning} {other}"))
                        .long_help(format!("{meaning}\n\n{other} [allowed: {allowed}]"))
                        .help_heading("Settings")
                        .allow_negative_numbers(true)
                        .value_parser(|text: &str| check(setting, text)),
                )
            }
            None => command,
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = SettingFlags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
            let given = matches.try_get_one::<Assignment>(setting.key);
            if let Some(assignment) =
                given.map_err(|error| clap::Error::raw(ErrorKind::InvalidValue, error))?
            {
                self.0.retain(|before| before.setting.key != setting.key);
                self.0.push(assignment.clone());
            }
        }
        Ok(())
    }
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn parse_assignment(text: &str) -> Result<Assignment, String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err("there is no '=' between the setting and its value".to_owned());
    };
    let (key, value) = (key.trim(), value.trim());
    match Setting::find(key) {
        Some(setting) => check(setting, value),
        None => Err(config::unknown_key(key).to_string()),
    }
}

/// It is looked for before the other arguments are read, because they are those of another program then.
fn misplaced(_: &str) -> Result<String, String> {
    Err("it is '--as nats-server', as the first argument".to_owned())
}

/// What clap shows behind `error: invalid value 'x' for '--flag <X>': `.
fn check(setting: &'static Setting, text: &str) -> Result<Assignment, String> {
    match setting.apply(&mut Config::default(), text) {
        Ok(()) => Ok(Assignment { setting, text: text.to_owned() }),
        Err(problem) => Err(problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<&[&str], &str>) {
        let parsed = Args::try_parse_from(
            std::iter::once("broker-server").chain(line.split(' ').filter(|word| !word.is_empty())),
        );
        match (parsed, expected) {
            (Ok(args), Ok(expected)) => {
                let given: Vec<String> = args
                    .given()
                    .map(|(flag, setting, text)| format!("{flag}: {} = {text}", setting.key))
                    .collect();
                assert_eq!(given, expected, "{line}");
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{line}: {error}"),
            (parsed, expected) => panic!("{line}: {parsed:?}, not {expected:?}"),
        }
    }

    #[test]
    fn clap_finds_no_fault() {
        Args::command().debug_assert();
    }

    #[test]
    fn lines() {
        check("", Ok(&[]));
        check("-p 4000", Ok(&["--port: listen = 4000"]));
        check("--listen off", Ok(&["--listen: listen = off"]));
        check(
            "--workers 2 --idle-timeout off",
            Ok(&["--workers: workers = 2", "--idle-timeout: limits.idle_timeout = off"]),
        );
        check(
            "--set limits.connections_max=10",
            Ok(&["--set limits.connections_max: limits.connections_max = 10"]),
        );
        check(
            "--set log.level=warn,broker_server=debug --log-format json",
            Ok(&["--log-format: log.format = json", "--set log.level: log.level = warn,broker_server=debug"]),
        );
    }

    #[test]
    fn wrong_lines() {
        check(
            "-p 4000 --listen off",
            Err("the argument '--port <PORT>' cannot be used with '--listen <ADDR|off>'"),
        );
        check("--lisen off", Err("a similar argument exists: '--listen'"));
        check(
            "--listen localhost",
            Err("invalid value 'localhost' for '--listen <ADDR|off>': 'localhost' is not an address"),
        );
        check("-p 70000", Err("70000 is not in 0..=65535"));
        check("--workers -1", Err("-1 is too small, the least is 1, or 0 for one for each core"));
        check("--workers --check-config", Err("a value is required for '--workers <N>'"));
        check("--workers 9999", Err("9999 is too large, the most is 1024"));
        check("--workers=", Err("the value is empty"));
        check("--log-format jsn", Err("'jsn' is not text or json; did you mean 'json'?"));
        check("--log-level inof", Err("did you mean 'info'?"));
        check("--set listen", Err("there is no '='"));
        check(
            "--set limits.dept_max=1",
            Err("unknown setting 'limits.dept_max'; did you mean 'limits.depth_max'?"),
        );
        check("--set limits.depth_max=", Err("the value is empty"));
        check("--set limits.depth_max=0", Err("0 is too small, the least is 1"));
        check("--workers 1 --as nats-server", Err("it is '--as nats-server', as the first argument"));
        check("--workers 1 --workers 2", Err("cannot be used multiple times"));
    }
}
