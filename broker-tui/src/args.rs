//! Arguments.

use std::path::PathBuf;

use broker_client::{Login, LoginError, Secret};
use clap::Parser;

use crate::layout::{HEIGHT_MIN, WIDTH_MIN};
use crate::model::ViewName;
use crate::theme::ThemeName;

/// A live dashboard of the broker: rates, topics, traffic, connections. `?` in it tells the keys.
#[derive(Debug, Clone, Parser)]
#[command(name = "broker-tui", version)]
pub struct Args {
    /// Where the broker listens: HOST, HOST:PORT or broker://HOST:PORT
    #[arg(long, value_name = "ADDR", env = "BROKER_ADDR", default_value = "127.0.0.1:36912")]
    pub addr: String,

    /// Who this is, where the broker asks [env: `BROKER_USER`]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// The user's password; better in the environment, where the list of processes does not show it [env: `BROKER_PASSWORD`]
    #[arg(long, value_name = "TEXT")]
    pub password: Option<Secret>,

    /// In place of user and password, the token that the broker asks for; better in the environment, too [env: `BROKER_TOKEN`]
    #[arg(long, value_name = "TEXT")]
    pub token: Option<Secret>,

    /// The view to begin with
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub view: ViewName,

    /// The pattern of the traffic view
    #[arg(long, default_value = "*", value_name = "PATTERN")]
    pub pattern: String,

    /// The colours [default: dark, or mono if `NO_COLOR` is set]
    #[arg(long, value_enum, value_name = "NAME")]
    pub theme: Option<ThemeName>,

    /// Print the figures of one second and leave; exit code 1 if no broker answers
    #[arg(long)]
    pub once: bool,

    /// With --once: print one JSON document
    #[arg(long, requires = "once")]
    pub json: bool,

    /// Watch for some seconds, write the view as an SVG picture and leave
    #[arg(long, value_name = "FILE", conflicts_with = "once")]
    pub screenshot: Option<PathBuf>,

    /// With --screenshot: columns and rows of the picture
    #[arg(long, value_name = "WxH", value_parser = parse_size, default_value = "120x36")]
    pub size: (u16, u16),

    /// With --screenshot: how long to watch before
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,

    /// Write a log to this file (`RUST_LOG` says how much) [default: none]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

impl Args {
    /// Who this is: what the flags say, and else the environment.
    ///
    /// # Errors
    ///
    /// That contradicts itself, or is one half of two.
    pub fn login(&self) -> Result<Option<Login>, LoginError> {
        Login::from_flags(self.user.clone(), self.password.clone(), self.token.clone())
    }

    /// The theme: what was asked for, else without colours if the environment asks for that (<https://no-color.org>).
    pub fn theme(&self, no_color: Option<&str>) -> ThemeName {
        let by_environment =
            if no_color.is_some_and(|value| !value.is_empty()) { ThemeName::Mono } else { ThemeName::Dark };
        self.theme.unwrap_or(by_environment)
    }
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let (width, height) = text.split_once('x').ok_or("two numbers with an x between them, such as 120x36")?;
    let number = |text: &str| text.parse::<u16>().map_err(|error| format!("{text:?}: {error}"));
    let (width, height) = (number(width)?, number(height)?);
    if !(WIDTH_MIN..=500).contains(&width) || !(HEIGHT_MIN..=200).contains(&height) {
        return Err(format!("between {WIDTH_MIN}x{HEIGHT_MIN} and 500x200"));
    }
    Ok((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["broker-tui"], args].concat())
    }

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn themes() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.theme(None), ThemeName::Dark);
        assert_eq!(args.theme(Some("")), ThemeName::Dark);
        assert_eq!(args.theme(Some("1")), ThemeName::Mono);
        assert_eq!(parse(&["--theme", "light"]).unwrap().theme(Some("1")), ThemeName::Light);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let args = parse(&["--user", "alice", "--password", "hunter42"]).unwrap();
        assert!(!format!("{args:?}").contains("hunter42"));
        assert!(matches!(args.login(), Ok(Some(Login::User { name, .. })) if name == "alice"));
        let args = parse(&["--token", "hunter42", "--user", "alice"]).unwrap();
        assert_eq!(args.login(), Err(LoginError::Both));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(parse(&["--json"]).is_err());
        assert!(parse(&["--once", "--screenshot", "x.svg"]).is_err());
        assert!(parse(&["--view", "nowhere"]).is_err());
        for size in ["120", "10x10", "9999x9999", "ax3"] {
            assert!(parse(&["--size", size]).is_err(), "{size}");
        }
        assert_eq!(parse(&["--size", "80x24"]).unwrap().size, (80, 24));
    }
}
