//! How the program ends: the exit codes, and the failure that carries one with a text that says what to do.
//!
//! Owns the mapping from the client library's errors to exit codes. Invariant: the table in [`CODES`] is what `--help` and
//! docs/cli.md show, and a code is never given another meaning.

use std::{fmt, io, process::ExitCode};

use broker_client::{
    ClearError, CloseReason, ConnectError, FlushError, PublishError, RequestError, SubscribeError,
};

/// The exit codes as `--help` shows them.
pub(crate) const CODES: &str = "\
Exit codes:
  0    it worked (also when the reader of a pipe went away, as `head` does)
  1    an error: a message or a login was refused, a line of input is no value, the output cannot be written
  2    wrong usage: an unknown option, or a topic, pattern, value or address that is none
  3    no broker there, or the connection to it was lost
  4    timed out
  5    nobody answers requests on this topic
  130  interrupted (Ctrl-C); 143 when told to terminate";

/// What the program's caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It worked.
    Ok = 0,
    /// An error that no other code names.
    Error = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No broker, or it went away.
    NoBroker = 3,
    /// Something did not happen in time.
    TimedOut = 4,
    /// A request went to nobody.
    NoResponders = 5,
    /// SIGINT: 128 + 2, as shells have it.
    Interrupted = 130,
    /// SIGTERM: 128 + 15.
    Terminated = 143,
}

impl Exit {
    /// The code as a number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command did not do what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    text: Option<String>,
    hint: Option<&'static str>,
}

impl Failure {
    /// A failure with a text: lower case, no full stop.
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Failure { exit, text: Some(text.to_string()), hint: None }
    }

    /// The broker did not answer in time.
    pub(crate) fn timed_out(text: impl fmt::Display) -> Self {
        Failure::new(Exit::TimedOut, text).hint("wait longer with --timeout")
    }

    /// An end without a word: everything was said already, or nobody is there to hear it.
    pub(crate) fn silent(exit: Exit) -> Self {
        Failure { exit, text: None, hint: None }
    }

    /// The same with what to do about it.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The same, naming what it happened to in front.
    pub(crate) fn context(mut self, what: impl fmt::Display) -> Self {
        self.text = self.text.map(|text| format!("{what}: {text}"));
        self
    }

    /// What the caller is told.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong; `None` if there is nothing to say.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// What to do about it.
    pub(crate) fn what_to_do(&self) -> Option<&'static str> {
        self.hint
    }
}

const START_ONE: &str = "start one with `broker-server`, or name another with --addr or BROKER_ADDR";
const SAY_WHO: &str =
    "set BROKER_TOKEN, or BROKER_USER and BROKER_PASSWORD; or give --token, or --user and --password";

/// Output that cannot be written. A reader that went away has what it wanted: that is no error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::silent(Exit::Ok)
        } else {
            Failure::new(Exit::Error, format_args!("cannot write the output: {error}"))
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match &error {
            ConnectError::Refused { address } => {
                Failure::new(Exit::NoBroker, format_args!("no broker at {address}")).hint(START_ONE)
            }
            ConnectError::Address { .. } => {
                Failure::new(Exit::Usage, error).hint("write it as host:port, for example 127.0.0.1:36912")
            }
            ConnectError::Options(_) => Failure::new(Exit::Usage, error),
            ConnectError::AuthRequired => Failure::new(Exit::Error, error).hint(SAY_WHO),
            ConnectError::Unauthorized { .. } => Failure::new(Exit::Error, error),
            ConnectError::Timeout { .. } => Failure::timed_out(error),
            ConnectError::NotABroker { .. } | ConnectError::Resolve { .. } | ConnectError::Io { .. } => {
                Failure::new(Exit::NoBroker, error).hint(START_ONE)
            }
            _ => Failure::new(Exit::NoBroker, error),
        }
    }
}

impl From<CloseReason> for Failure {
    fn from(reason: CloseReason) -> Self {
        Failure::new(Exit::NoBroker, reason)
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Closed(reason) => reason.into(),
            PublishError::Disconnected => Failure::new(Exit::NoBroker, error),
            PublishError::Topic(_) => Failure::new(Exit::Usage, error),
            _ => Failure::new(Exit::Error, error),
        }
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Closed(reason) => reason.into(),
            SubscribeError::Pattern(_) => {
                Failure::new(Exit::Usage, error).hint("put a \\ before a character that is meant as itself")
            }
            _ => Failure::new(Exit::Error, error),
        }
    }
}

impl From<ClearError> for Failure {
    fn from(error: ClearError) -> Self {
        match error {
            ClearError::Closed(reason) => reason.into(),
            ClearError::Disconnected => Failure::new(Exit::NoBroker, error),
            ClearError::Pattern(error) => SubscribeError::Pattern(error).into(),
            _ => Failure::new(Exit::Error, error),
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NoResponders(_) => Failure::new(Exit::NoResponders, error)
                .hint("somebody has to subscribe to it first, for example `broker reply`"),
            RequestError::Timeout { .. } => Failure::timed_out(error),
            RequestError::Publish(error) => error.into(),
            RequestError::Subscribe(error) => error.into(),
            _ => Failure::new(Exit::Error, error),
        }
    }
}

impl From<FlushError> for Failure {
    fn from(error: FlushError) -> Self {
        match error {
            FlushError::Closed(reason) => reason.into(),
            FlushError::Disconnected | FlushError::Unconfirmed { .. } => Failure::new(Exit::NoBroker, error),
            _ => Failure::new(Exit::Error, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker_client::{ConnectionError, TopicError};

    use super::*;

    #[track_caller]
    fn check(failure: impl Into<Failure>, exit: Exit, text: &str) {
        let failure = failure.into();
        assert_eq!((failure.exit(), failure.text().unwrap_or_default()), (exit, text));
    }

    #[test]
    fn every_code_of_the_table_is_one_that_the_program_uses() {
        let all = [
            Exit::Ok,
            Exit::Error,
            Exit::Usage,
            Exit::NoBroker,
            Exit::TimedOut,
            Exit::NoResponders,
            Exit::Interrupted,
        ];
        let codes: Vec<u8> =
            CODES.lines().skip(1).filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        assert_eq!(codes, all.map(Exit::code));
        assert!(CODES.contains(&format!("{} when told to terminate", Exit::Terminated.code())));
    }

    #[test]
    fn a_missing_broker_says_how_to_start_one() {
        let failure = Failure::from(ConnectError::Refused { address: "127.0.0.1:36912".into() });
        assert_eq!(failure.exit(), Exit::NoBroker);
        assert_eq!(failure.text(), Some("no broker at 127.0.0.1:36912"));
        assert!(failure.what_to_do().is_some_and(|hint| hint.contains("`broker-server`")));
    }

    #[test]
    fn a_broker_that_asks_says_what_to_give() {
        let failure = Failure::from(ConnectError::AuthRequired);
        assert_eq!(failure.exit(), Exit::Error);
        assert!(failure.what_to_do().is_some_and(|hint| hint.contains("BROKER_TOKEN")));
        check(
            ConnectError::Unauthorized { user: Some("al".into()) },
            Exit::Error,
            "the server does not accept user \"al\" with this password",
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit(), failure.text()), (Exit::Ok, None));
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), Exit::Error);
    }

    #[test]
    fn errors_of_the_client_have_their_codes() {
        let lost = || CloseReason::Lost(ConnectionError::Ended);
        check(lost(), Exit::NoBroker, "connection lost: the server closed the connection");
        check(
            PublishError::Closed(lost()),
            Exit::NoBroker,
            "connection lost: the server closed the connection",
        );
        check(PublishError::Topic(TopicError::Empty), Exit::Usage, "the topic is empty");
        check(
            FlushError::Closed(lost()),
            Exit::NoBroker,
            "connection lost: the server closed the connection",
        );
        check(
            FlushError::Refused { messages: 2, code: 9, text: "reserved".into() },
            Exit::Error,
            "the server refused 2 messages, the last one with: reserved (code 9)",
        );
        check(RequestError::NoResponders("svc".into()), Exit::NoResponders, "nobody answers on \"svc\"");
        check(RequestError::Timeout { after: Duration::from_secs(1) }, Exit::TimedOut, "no answer within 1s");
        check(
            RequestError::Publish(PublishError::Closed(lost())),
            Exit::NoBroker,
            "connection lost: the server closed the connection",
        );
        check(
            SubscribeError::Refused { code: 6, text: "too many".into() },
            Exit::Error,
            "the server refused: too many (code 6)",
        );
    }

    #[test]
    fn context_comes_first() {
        check(Failure::new(Exit::Error, "not JSON").context("line 7"), Exit::Error, "line 7: not JSON");
    }
}
