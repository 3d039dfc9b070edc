//! What can be wrong with what a NATS client sends, in the words of nats-server 2.9, which clients look for.

use std::borrow::Cow;

use thiserror::Error;

/// A mistake of a client. Display is for the log; [`NatsError::text`] is what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NatsError {
    /// Not an operation of the protocol, or a payload without its end of line.
    #[error("unknown protocol operation")]
    UnknownOperation,
    /// An operation with arguments that are too few, too many or of the wrong kind.
    #[error("{operation} with wrong arguments")]
    Arguments {
        /// Which operation.
        operation: &'static str,
    },
    /// A line without an end.
    #[error("a control line of more than {limit} bytes")]
    ControlLine {
        /// Bytes that it may have.
        limit: usize,
    },
    /// An announced payload that is too large.
    #[error("a payload of {bytes} bytes is over the limit of {limit}")]
    Payload {
        /// Bytes that were announced.
        bytes: u64,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The options of CONNECT are not the JSON that they should be.
    #[error("CONNECT: {0}")]
    Connect(String),
    /// CONNECT asks for a version of the protocol that there is not.
    #[error("client protocol {0} is unknown")]
    ClientProtocol(i64),
    /// CONNECT asks for answers that need headers, and does without headers.
    #[error("no_responders without headers")]
    NoRespondersWithoutHeaders,
    /// HPUB from a client that did not say that it knows headers.
    #[error("HPUB without headers in CONNECT")]
    HeadersNotSupported,
    /// The client sent `-ERR`.
    #[error("the client sent -ERR")]
    ClientError,
    /// A command from somebody who has not said who it is.
    #[error("not authorized")]
    Unauthorized,
    /// A subject that nobody can subscribe to.
    #[error("invalid subject")]
    InvalidSubject,
    /// A subject that is not one name, or not a topic.
    #[error("invalid publish subject")]
    InvalidPublishSubject,
    /// A subject that only the server publishes to.
    #[error("publishing to '{0}' is not permitted")]
    PublishNotPermitted(String),
    /// The session has as many subscriptions as it may have.
    #[error("more than {limit} subscriptions")]
    TooManySubscriptions {
        /// How many it may have.
        limit: usize,
    },
}

impl NatsError {
    /// What `-ERR` tells; `None` where nats-server closes without a word.
    pub fn text(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            NatsError::UnknownOperation => "Unknown Protocol Operation",
            NatsError::ControlLine { .. } => "maximum control line exceeded",
            NatsError::Payload { .. } => "Maximum Payload Violation",
            NatsError::ClientProtocol(_) => "invalid client protocol",
            NatsError::NoRespondersWithoutHeaders => "no responders requires headers support",
            NatsError::Unauthorized => "Authorization Violation",
            NatsError::InvalidSubject => "Invalid Subject",
            NatsError::InvalidPublishSubject => "Invalid Publish Subject",
            NatsError::TooManySubscriptions { .. } => "maximum subscriptions exceeded",
            NatsError::PublishNotPermitted(subject) => {
                return Some(Cow::Owned(format!("Permissions Violation for Publish to {subject:?}")));
            }
            NatsError::Arguments { .. }
            | NatsError::Connect(_)
            | NatsError::HeadersNotSupported
            | NatsError::ClientError => return None,
        }))
    }

    /// Whether the connection ends with it.
    pub const fn closes(&self) -> bool {
        !matches!(
            self,
            NatsError::InvalidSubject
                | NatsError::InvalidPublishSubject
                | NatsError::PublishNotPermitted(_)
                | NatsError::TooManySubscriptions { .. }
        )
    }

    /// The name that nats-server's monitoring has for a connection that ended with it.
    pub const fn close_name(&self) -> &'static str {
        match self {
            NatsError::ControlLine { .. } => "Maximum Control Line Exceeded",
            NatsError::Payload { .. } => "Maximum Message Payload Exceeded",
            NatsError::ClientProtocol(_) => "Bad Client Protocol Version",
            NatsError::NoRespondersWithoutHeaders => "No Responders Requires Headers",
            NatsError::ClientError => "Parse Error",
            NatsError::Unauthorized => "Authentication Failure",
            _ => "Protocol Violation",
        }
    }
}
