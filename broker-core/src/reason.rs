//! Why: the numbered errors of the native protocol and the reasons for which a session ends, with the names that each protocol has for them.

use std::fmt;

use crate::wire::nats::NatsError;

/// An error code on the wire. The numbers stand in `docs/protocol.md` and are never used again for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum ErrorCode {
    /// Not a command.
    Malformed = 1,
    /// A command of a name that this version does not have.
    UnknownCommand = 2,
    /// A topic that is empty, too long, not UTF-8, or holds a control character.
    InvalidTopic = 3,
    /// A pattern that is empty, too long, does not parse, or is too complex.
    InvalidPattern = 4,
    /// A frame or a nesting over the limit.
    TooLarge = 5,
    /// The session has as many subscriptions as it may have.
    TooManySubscriptions = 6,
    /// An option that is unknown or of the wrong type.
    InvalidOption = 7,
    /// `Hello` asks for a version that the server does not speak.
    UnsupportedVersion = 8,
    /// A topic that only the server publishes to.
    ReservedTopic = 9,
    /// A second `Hello`.
    UnexpectedHello = 10,
    /// An option or a command that needs a `Hello` before it.
    HelloRequired = 11,
    /// A `Hello` without the credentials that the server asks for, or another command before it.
    Unauthorized = 12,
}

impl ErrorCode {
    /// The number that stands on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The name that `docs/protocol.md` gives it.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorCode::Malformed => "malformed",
            ErrorCode::UnknownCommand => "unknown-command",
            ErrorCode::InvalidTopic => "invalid-topic",
            ErrorCode::InvalidPattern => "invalid-pattern",
            ErrorCode::TooLarge => "too-large",
            ErrorCode::TooManySubscriptions => "too-many-subscriptions",
            ErrorCode::InvalidOption => "invalid-option",
            ErrorCode::UnsupportedVersion => "unsupported-version",
            ErrorCode::ReservedTopic => "reserved-topic",
            ErrorCode::UnexpectedHello => "unexpected-hello",
            ErrorCode::HelloRequired => "hello-required",
            ErrorCode::Unauthorized => "unauthorized",
        }
    }

    /// Whether the connection ends with it even after `Hello`. Without `Hello` every error ends it.
    pub const fn closes(self) -> bool {
        matches!(
            self,
            ErrorCode::Malformed
                | ErrorCode::TooLarge
                | ErrorCode::UnsupportedVersion
                | ErrorCode::HelloRequired
                | ErrorCode::Unauthorized
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client said `Close`.
    Closed,
    /// The client ended the connection, between two frames.
    Disconnected,
    /// The client ended the connection in the middle of a frame.
    CutOff {
        /// Bytes of the frame that had come.
        bytes: usize,
    },
    /// The transport failed.
    Transport(String),
    /// The server stops.
    ShuttingDown,
    /// The outbox was full under the policy `disconnect`.
    SlowConsumer,
    /// Silence for longer than the idle time.
    Idle,
    /// The server has as many connections as it may have.
    TooManyConnections,
    /// The client did something wrong.
    Protocol(ErrorCode, String),
    /// The client did something wrong in the NATS protocol.
    Nats(NatsError),
    /// It did not answer the server's pings.
    Stale,
    /// It did not say who it is in time.
    AuthTimeout,
    /// It did not say who it is, or the wrong thing.
    Unauthorized,
}

impl CloseReason {
    /// The name that `Goodbye` tells.
    pub const fn name(&self) -> &'static str {
        match self {
            CloseReason::Closed => "closed",
            CloseReason::Disconnected => "disconnected",
            CloseReason::CutOff { .. } => "cut-off",
            CloseReason::Transport(_) => "transport",
            CloseReason::ShuttingDown => "shutting-down",
            CloseReason::SlowConsumer => "slow-consumer",
            CloseReason::Idle => "idle",
            CloseReason::TooManyConnections => "too-many-connections",
            CloseReason::Protocol(code, _) => code.name(),
            CloseReason::Nats(_) => "malformed",
            CloseReason::Stale => "stale",
            CloseReason::AuthTimeout => "auth-timeout",
            CloseReason::Unauthorized => "unauthorized",
        }
    }

    /// What `-ERR` tells a NATS client before the connection closes; `None` where nats-server says nothing.
    pub fn nats_error(&self) -> Option<String> {
        Some(match self {
            CloseReason::Nats(error) => return error.text().map(Into::into),
            CloseReason::SlowConsumer => "Slow Consumer".to_owned(),
            CloseReason::Stale | CloseReason::Idle => "Stale Connection".to_owned(),
            CloseReason::AuthTimeout => "Authentication Timeout".to_owned(),
            CloseReason::Unauthorized => "Authorization Violation".to_owned(),
            CloseReason::TooManyConnections => "maximum connections exceeded".to_owned(),
            CloseReason::Closed
            | CloseReason::Disconnected
            | CloseReason::CutOff { .. }
            | CloseReason::Transport(_)
            | CloseReason::ShuttingDown
            | CloseReason::Protocol(..) => return None,
        })
    }

    /// The name that nats-server's monitoring has for it.
    pub fn nats_name(&self) -> &'static str {
        match self {
            CloseReason::Closed | CloseReason::Disconnected | CloseReason::CutOff { .. } => "Client Closed",
            CloseReason::Transport(_) => "Read Error",
            CloseReason::ShuttingDown => "Server Shutdown",
            CloseReason::SlowConsumer => "Slow Consumer (Pending Bytes)",
            CloseReason::Idle | CloseReason::Stale => "Stale Connection",
            CloseReason::TooManyConnections => "Maximum Connections Exceeded",
            CloseReason::Protocol(..) => "Protocol Violation",
            CloseReason::Nats(error) => error.close_name(),
            CloseReason::AuthTimeout => "Authentication Timeout",
            CloseReason::Unauthorized => "Authentication Failure",
        }
    }
}

impl fmt::Display for CloseReason {
    /// A sentence for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Closed => f.write_str("closed as asked"),
            CloseReason::Disconnected => f.write_str("the client disconnected"),
            CloseReason::CutOff { bytes } => {
                write!(f, "the client disconnected after {bytes} bytes of an unfinished frame")
            }
            CloseReason::Transport(error) => write!(f, "the connection failed: {error}"),
            CloseReason::ShuttingDown => f.write_str("the server is shutting down"),
            CloseReason::SlowConsumer => f.write_str("too slow: the outbox is full"),
            CloseReason::Idle => f.write_str("silent for longer than the idle timeout"),
            CloseReason::TooManyConnections => {
                f.write_str("the server has as many connections as it may have")
            }
            CloseReason::Protocol(code, text) => write!(f, "{code}: {text}"),
            CloseReason::Nats(error) => write!(f, "{error}"),
            CloseReason::Stale => f.write_str("the server's pings were not answered"),
            CloseReason::AuthTimeout => f.write_str("no credentials in time"),
            CloseReason::Unauthorized => f.write_str("not authorized"),
        }
    }
}
