//! The command line: every command, option and default. Parses and checks; does nothing.
//!
//! Invariant: an option that is accepted is obeyed. What contradicts is refused here, before anything is connected.

mod login;
mod parse;

use std::{ffi::OsString, time::Duration};

use broker_client::Policy;
use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use clap_complete::Shell;

use self::login::LoginArgs;
use crate::{
    exit,
    print::{Color, message::OutputFormat},
    value::InputFormat,
};

/// The command line of the broker: publish, subscribe, request, reply, look.
#[derive(Debug, Parser)]
#[command(name = "broker", version, after_help = exit::CODES, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where the broker listens: host:port, host, or broker://host:port
    #[arg(short, long, global = true, env = "BROKER_ADDR", default_value = "127.0.0.1:36912", value_parser = NonEmptyStringValueParser::new())]
    pub addr: String,

    #[command(flatten)]
    pub login: LoginArgs,

    /// A name for this connection, which the broker shows to people [default: broker-COMMAND]
    #[arg(long, global = true)]
    pub name: Option<String>,

    /// How long to wait: for the broker and its answers (5s if not given); in `sub` and `reply` for messages (for ever if not given)
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse::duration)]
    pub timeout: Option<Duration>,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,

    /// Say nothing on standard error but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more on standard error; twice for the client library's log, which `RUST_LOG` selects too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish messages: an argument, or standard input line by line
    #[command(name = "pub", visible_alias = "publish")]
    Publish(Publish),
    /// Print the messages of topics, as they come
    #[command(name = "sub", visible_alias = "subscribe")]
    Subscribe(Subscribe),
    /// Send a request and print its answer
    #[command(name = "req", visible_alias = "request")]
    Request(Request),
    /// Answer requests
    Reply(Reply),
    /// List the topics that have a retained message
    Topics(Topics),
    /// Have the broker forget retained messages
    Clear(Clear),
    /// Print the broker's metrics, each second
    Metrics(Metrics),
    /// Measure round trips to the broker
    Ping(Ping),
    /// Print a shell's completions
    Completions(Completions),
}

impl Command {
    /// Its name, as it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Command::Publish(_) => "pub",
            Command::Subscribe(_) => "sub",
            Command::Request(_) => "req",
            Command::Reply(_) => "reply",
            Command::Topics(_) => "topics",
            Command::Clear(_) => "clear",
            Command::Metrics(_) => "metrics",
            Command::Ping(_) => "ping",
            Command::Completions(_) => "completions",
        }
    }
}

/// `pub`
#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// The topic, for example weather/Oslo
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,

    /// The value; `-` or none: each line of standard input is one
    #[arg(allow_negative_numbers = true)]
    pub value: Option<String>,

    /// How to understand the value
    #[arg(short, long, default_value = "auto")]
    pub format: InputFormat,

    /// Take the whole standard input as one value
    #[arg(short, long)]
    pub whole: bool,

    /// Publish each value so many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,

    /// So many messages a second, evenly spaced [default: as fast as possible]
    #[arg(short, long, value_name = "PER_SECOND", value_parser = parse::rate)]
    pub rate: Option<f64>,

    /// A header of every message; may be given again
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = parse::header)]
    pub headers: Vec<(String, String)>,

    /// The key of every message
    #[arg(short, long)]
    pub key: Option<String>,

    /// Do not keep the message for later subscribers
    #[arg(long)]
    pub no_retain: bool,

    /// For how long the message holds: then it is not kept any more, nor sent to those it still waits for [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = parse::ttl)]
    pub ttl: Option<Duration>,

    /// Wait for the broker after each message and print to how many sessions it went
    #[arg(short, long)]
    pub confirm: bool,
}

/// `sub`
#[derive(Args, Debug)]
pub(crate) struct Subscribe {
    /// Patterns, for example 'weather/*'; a message that matches several is printed once
    #[arg(required = true, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    pub patterns: Vec<String>,

    /// How to print messages
    #[arg(short, long, visible_alias = "output", default_value = "pretty")]
    pub format: OutputFormat,

    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Only what is published from now on, not the retained message of each topic
    #[arg(long)]
    pub no_retained: bool,

    /// Share the work with the others of this group: each message goes to one of them
    #[arg(short, long, value_name = "NAME", value_parser = parse::group)]
    pub group: Option<String>,

    /// What the broker does when this reads too slowly [default: as the broker is set]
    #[arg(short, long, value_name = "NAME", value_parser = parse::policy)]
    pub policy: Option<Policy>,

    /// At most so many messages a second of each topic, the newest of them [default: all]
    #[arg(short = 'r', long, value_name = "PER_SECOND", value_parser = parse::max_rate, conflicts_with = "group")]
    pub max_rate: Option<f64>,

    /// End each value with a zero byte and not with a new line (for --format raw)
    #[arg(short = '0', long)]
    pub null: bool,

    /// When the connection is lost, connect again and go on
    #[arg(long)]
    pub reconnect: bool,
}

/// `req`
#[derive(Args, Debug)]
pub(crate) struct Request {
    /// The topic that somebody answers on
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,

    /// The value; `-` or none: the whole standard input
    #[arg(allow_negative_numbers = true)]
    pub value: Option<String>,

    /// How to understand the value
    #[arg(short, long, default_value = "auto")]
    pub format: InputFormat,

    /// How to print the answer; pretty is its value as JSON
    #[arg(short, long, value_name = "FORMAT", default_value = "pretty")]
    pub output: OutputFormat,
}

/// `reply`
#[derive(Args, Debug)]
pub(crate) struct Reply {
    /// The topics whose requests to answer
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub pattern: String,

    #[command(flatten)]
    pub answer: Answer,

    /// How to understand the value given with --value, or what the command printed
    #[arg(short, long, default_value = "auto", conflicts_with = "echo")]
    pub format: InputFormat,

    /// End after so many requests
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// How long the command of --exec may run for one request
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse::duration, conflicts_with_all = ["echo", "value"])]
    pub exec_timeout: Duration,

    /// When the connection is lost, connect again and go on
    #[arg(long)]
    pub reconnect: bool,
}

/// What `reply` answers: one of them.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Answer {
    /// Answer with this value
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub value: Option<String>,

    /// Answer with the value of the request
    #[arg(long)]
    pub echo: bool,

    /// Run this command with the shell, the request's value on its standard input, and answer with what it prints
    #[arg(long, value_name = "COMMAND", value_parser = clap::builder::OsStringValueParser::new())]
    pub exec: Option<OsString>,
}

/// `topics`
#[derive(Args, Debug)]
pub(crate) struct Topics {
    /// Which ones
    #[arg(default_value = "*", value_parser = NonEmptyStringValueParser::new())]
    pub pattern: String,

    /// One JSON object a topic, with the whole value
    #[arg(long)]
    pub json: bool,
}

/// `clear`
#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Of which topics, for example 'weather/*'
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub pattern: String,
}

/// `metrics`
#[derive(Args, Debug)]
pub(crate) struct Metrics {
    /// Print them once and end
    #[arg(long)]
    pub once: bool,

    /// One JSON object a second and not one line a metric
    #[arg(long)]
    pub json: bool,
}

/// `ping`
#[derive(Args, Debug)]
pub(crate) struct Ping {
    /// How many round trips
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,

    /// Time from the start of one to the start of the next
    #[arg(short, long, value_name = "DURATION", default_value = "200ms", value_parser = parse::duration)]
    pub interval: Duration,
}

/// `completions`
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    fn parse(line: &[&str]) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from([&["broker"], line].concat()).map_err(|error| error.kind())
    }

    #[track_caller]
    fn refused(line: &[&str]) {
        match parse(line) {
            Ok(arguments) => panic!("{line:?} is accepted as {arguments:?}"),
            Err(kind) => assert!(
                !matches!(kind, clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion),
                "{line:?}"
            ),
        }
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in [["-a", "h:1", "ping"], ["ping", "-a", "h:1"]] {
            let arguments = parse(&line).unwrap();
            assert_eq!(arguments.global.addr, "h:1");
            assert_eq!(arguments.command.name(), "ping");
        }
    }

    #[test]
    fn the_long_names_of_commands_work_too() {
        for (line, name) in
            [(["publish", "t"], "pub"), (["subscribe", "t"], "sub"), (["request", "t"], "req")]
        {
            assert_eq!(parse(&line).unwrap().command.name(), name);
        }
    }

    #[test]
    fn values_may_be_negative_numbers_or_a_dash() {
        for value in ["-5", "-0.5", "-"] {
            let Command::Publish(publish) = parse(&["pub", "t", value]).unwrap().command else {
                panic!("not pub")
            };
            assert_eq!(publish.value.as_deref(), Some(value));
        }
    }

    #[test]
    fn what_contradicts_or_is_missing_is_refused() {
        for line in [
            &["pub"][..],
            &["pub", ""],
            &["pub", "t", "v", "--count", "0"],
            &["pub", "t", "v", "--rate", "0"],
            &["pub", "t", "v", "--header", "no-equals"],
            &["sub"],
            &["sub", "t", "--count", "0"],
            &["sub", "t", "--format", "yaml"],
            &["reply", "t"],
            &["reply", "t", "--echo", "--value", "1"],
            &["reply", "t", "--echo", "--format", "json"],
            &["reply", "t", "--echo", "--exec-timeout", "1s"],
            &["ping", "-q", "-v"],
            &["ping", "--timeout", "soon"],
            &["ping", "--addr", ""],
            &["ping", "--token", ""],
            &["ping", "--user", ""],
            &["sub", "t", "--group", ""],
            &["sub", "t", "--policy", "hope"],
            &["sub", "t", "--max-rate", "0"],
            &["sub", "t", "--max-rate", "5", "--group", "g"],
            &["pub", "t", "v", "--ttl", "0"],
            &["clear"],
            &["clear", ""],
            &["completions", "cobol"],
        ] {
            refused(line);
        }
    }
}
