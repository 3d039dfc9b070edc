//! What can go wrong, one enum per family of operations.
//!
//! Display texts are lower case without a full stop; a cause is either in the text or the `source()`, not in both.

use std::{io, time::Duration};

use broker_core::{glob_tree::PatternError, topic::TopicError};

/// Why [`Client::connect`](crate::Client::connect) failed, or one attempt to reconnect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not one of `broker://host:port`, `tcp://host:port`, `host:port`, `host`.
    #[error("{url:?} is not an address: {why}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The options contradict what the protocol allows.
    #[error("{0}")]
    Options(&'static str),
    /// The host's name has no address.
    #[error("cannot look up {host:?}: {text}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        text: String,
    },
    /// Nothing listens there.
    #[error("{address} refused the connection: is the broker running there?")]
    Refused {
        /// Host and port.
        address: String,
    },
    /// The system reported another error.
    #[error("cannot connect to {address}: {text}")]
    Io {
        /// Host and port.
        address: String,
        /// The kind of the error.
        kind: io::ErrorKind,
        /// What the system said.
        text: String,
    },
    /// No connection, or no `Welcome`, in time.
    #[error("{address} {} within {after:?}", if *.connected { "accepted the connection but did not answer as a broker does" } else { "did not answer" })]
    Timeout {
        /// Host and port.
        address: String,
        /// [`Options::connect_timeout`](crate::Options::connect_timeout).
        after: Duration,
        /// True if the connection stood and only the `Welcome` was missing.
        connected: bool,
    },
    /// Something answered, but not as a broker does.
    #[error("what listens at {address} is not a broker: {what}")]
    NotABroker {
        /// Host and port.
        address: String,
        /// What it did.
        what: String,
    },
    /// The server said `Goodbye` instead of `Welcome`.
    #[error("the server said goodbye: {reason}: {detail}")]
    Goodbye {
        /// The reason's name, such as `too-many-connections`.
        reason: String,
        /// A sentence for people.
        detail: String,
    },
    /// The server asks who the client is, and [`Options::login`](crate::Options::login) does not say.
    #[error("the server asks who this is: give it a token, or a user and a password")]
    AuthRequired,
    /// The server does not accept who the client says to be. It is not asked again, not after a lost connection either.
    #[error("the server does not accept {}", .user.as_ref().map_or_else(|| "this token".to_owned(), |user| format!("user {user:?} with this password")))]
    Unauthorized {
        /// The name that was given; none if it was a token.
        user: Option<String>,
    },
    /// The server answered `Hello` with an error.
    #[error("the server refused: {text} (code {code})")]
    Rejected {
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
}

impl ConnectError {
    /// Whether another attempt would be of no use, so that a client gives up.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::AuthRequired | Self::Unauthorized { .. })
    }
}

/// Why a connection that stood came to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The server closed the connection without a word.
    #[error("the server closed the connection")]
    Ended,
    /// The server said `Goodbye`.
    #[error("the server said goodbye: {reason}: {detail}")]
    Goodbye {
        /// The reason's name, such as `shutting-down` or `slow-consumer`.
        reason: String,
        /// A sentence for people.
        detail: String,
    },
    /// The system reported an error.
    #[error("{text}")]
    Io {
        /// The kind of the error.
        kind: io::ErrorKind,
        /// What the system said.
        text: String,
    },
    /// The server sent what is not the protocol.
    #[error("the server sent what it must not: {0}")]
    Protocol(String),
    /// The server gave no sign of life.
    #[error("the server was silent for {after:?}")]
    Silent {
        /// How long.
        after: Duration,
    },
}

/// Why a client is closed for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`Client::close`](crate::Client::close) was called.
    #[error("closed by the program")]
    Requested,
    /// The last handle was dropped.
    #[error("all handles were dropped")]
    Dropped,
    /// The connection broke and [`Options::never_reconnect`](crate::Options::never_reconnect) is set.
    #[error("connection lost: {0}")]
    Lost(ConnectionError),
    /// [`Options::max_reconnects`](crate::Options::max_reconnects) attempts in a row failed, or the server does not accept
    /// [who the client says to be](crate::Options::login) any more.
    #[error("gave up after {attempts} attempts to reconnect: {last}")]
    GaveUp {
        /// How many.
        attempts: u32,
        /// What the last one met.
        last: Box<ConnectError>,
    },
    /// The async runtime that the client lived on was shut down.
    #[error("the runtime of the connection was shut down")]
    RuntimeStopped,
}

/// Why a publish failed. The message was not, and will not be, sent; except for [`Disconnected`](Self::Disconnected),
/// where nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The value does not serialize.
    #[error("cannot encode the value: {0}")]
    Encode(String),
    /// The bytes are not exactly one msgpack value.
    #[error("not exactly one msgpack value: {0}")]
    NotOneValue(String),
    /// The value nests deeper than the server takes.
    #[error("the value is nested deeper than {limit} levels")]
    TooDeep {
        /// The server's `depth_max`.
        limit: usize,
    },
    /// The topic, or the reply topic, is none.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Topics below `!system/` are the server's own.
    #[error("{0:?} is reserved for the server")]
    ReservedTopic(String),
    /// The frame would be larger than the server takes.
    #[error("a frame of {bytes} bytes is over the server's limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The server's `frame_bytes_max`.
        limit: usize,
    },
    /// The message that should be answered names no reply topic.
    #[error("the message asks for no answer (or its subscription did not ask for meta)")]
    NoReplyTopic,
    /// The server refused this message.
    #[error("the server refused: {text} (code {code})")]
    Refused {
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
    /// The connection broke before the server confirmed the message: it may have arrived or not.
    #[error("the connection broke before the server confirmed")]
    Disconnected,
    /// The client is closed.
    #[error("the client is closed: {0}")]
    Closed(CloseReason),
}

/// Why a subscribe failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The pattern does not parse.
    #[error("not a pattern: {0}")]
    Pattern(PatternError),
    /// This client has a subscription to the same pattern already, in another group or in none. The server knows one for each
    /// pattern of a client: it takes another client.
    #[error("this client subscribes to {pattern:?} already, {}", .group.as_ref().map_or_else(|| "in no group".to_owned(), |group| format!("in group {group:?}")))]
    OtherGroup {
        /// The pattern.
        pattern: String,
        /// The group of the subscription that there is.
        group: Option<String>,
    },
    /// The server refused the subscription.
    #[error("the server refused: {text} (code {code})")]
    Refused {
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
    /// The client is closed.
    #[error("the client is closed: {0}")]
    Closed(CloseReason),
}

/// Why retained messages were not cleared, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClearError {
    /// The pattern does not parse.
    #[error("not a pattern: {0}")]
    Pattern(PatternError),
    /// The server refused.
    #[error("the server refused: {text} (code {code})")]
    Refused {
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
    /// The connection broke before the answer: they may be cleared or not.
    #[error("the connection broke before the server confirmed")]
    Disconnected,
    /// The client is closed.
    #[error("the client is closed: {0}")]
    Closed(CloseReason),
}

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nobody subscribes to the topic.
    #[error("nobody answers on {0:?}")]
    NoResponders(String),
    /// Nobody answered in time.
    #[error("no answer within {after:?}")]
    Timeout {
        /// [`Options::request_timeout`](crate::Options::request_timeout).
        after: Duration,
    },
    /// The request could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The inbox for answers could not be subscribed to.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
}

/// Why a flush failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The connection broke while the flush was under way.
    #[error("the connection broke before the server confirmed")]
    Disconnected,
    /// The connection broke since the last flush: so many messages had been handed to the old one and were never confirmed. Told once.
    #[error("{messages} messages were lost or not confirmed when the connection broke")]
    Unconfirmed {
        /// How many.
        messages: u64,
    },
    /// The server refused messages that were published before. Told once.
    #[error("the server refused {messages} messages, the last one with: {text} (code {code})")]
    Refused {
        /// How many.
        messages: u64,
        /// The code of the last one, as in docs/protocol.md.
        code: u16,
        /// What it said of the last one.
        text: String,
    },
    /// The client is closed.
    #[error("the client is closed: {0}")]
    Closed(CloseReason),
}

/// Why a close was not a clean one. The client is closed all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Not everything was sent and confirmed in time, or before the connection broke.
    #[error("closed with {unsent} messages not sent, {unconfirmed} not confirmed and {refused} refused")]
    Incomplete {
        /// Messages that never left.
        unsent: u64,
        /// Messages that were sent and that no answer of the server covers, and that no flush told of.
        unconfirmed: u64,
        /// Messages that the server refused, and that no flush told of.
        refused: u64,
    },
    /// The client had been closed before, for another reason than a call of `close`.
    #[error("the client was closed before: {0}")]
    Closed(CloseReason),
}

/// A message's value is not what the program expects.
#[derive(Debug, thiserror::Error)]
#[error("cannot decode the value: {0}")]
pub struct DecodeError(pub(crate) rmp_serde::decode::Error);
