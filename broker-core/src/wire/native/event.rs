//! What a server says: messages, and the events of a session that said `Hello`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::WireError;
use super::read::Reader;
use super::skip::Kind;
use crate::auth::Credentials;

/// What a client says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hello {
    /// The version of the protocol that it speaks.
    pub version: u32,
    /// A name that is shown to people; 256 bytes at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who it is, where the server asks: written as a token, or as a map of `user` and `password`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_auth")]
    pub auth: Option<Credentials>,
}

// The signature that serde asks for.
#[allow(clippy::ref_option)]
fn write_auth<S: Serializer>(auth: &Option<Credentials>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(auth) = auth else { return serializer.serialize_none() };
    if let Some(token) = &auth.token {
        return serializer.serialize_str(token);
    }
    let given = [("user", &auth.user), ("password", &auth.password)];
    serializer.collect_map(given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))))
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The program.
    pub server: String,
    /// The program's version.
    pub version: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// The number of this session, unique while the server runs.
    pub session: u64,
    /// Bytes that a frame may have.
    pub frame_bytes_max: u64,
    /// Bytes that a topic may have.
    pub topic_bytes_max: u64,
    /// Bytes that a pattern may have.
    pub pattern_bytes_max: u64,
    /// Subscriptions that a session may have.
    pub subscriptions_max: u64,
    /// How deep a value may nest.
    pub depth_max: u64,
    /// Bytes that may wait for this session.
    pub outbox_bytes_max: u64,
    /// What happens at that bound where a subscription does not say.
    #[serde(default)]
    pub policy: String,
    /// Milliseconds for which the policy `block` holds publishers back.
    #[serde(default)]
    pub block_ms: u64,
    /// Milliseconds of silence after which the session is closed; 0 for never.
    pub idle_timeout_ms: u64,
}

/// One event, borrowed from the frame that it stands in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A message.
    Message(MessageRef<'a>),
    /// The answer to `Hello`.
    Welcome(Welcome),
    /// A command was done.
    Ok {
        /// The command's.
        id: u64,
        /// One MessagePack value.
        result: &'a [u8],
    },
    /// A command was refused.
    Err {
        /// The command's, if it had one.
        id: Option<u64>,
        /// A number of [`ErrorCode`](crate::reason::ErrorCode).
        code: u16,
        /// A sentence for people.
        text: &'a str,
    },
    /// Messages were missed before the next one.
    Lagged {
        /// The subscription's.
        pattern: &'a str,
        /// How many.
        missed: u64,
    },
    /// The server asks for a sign of life.
    Ping,
    /// The answer to a `Ping` without id.
    Pong,
    /// The server is about to close.
    Goodbye {
        /// A name from `docs/protocol.md`.
        reason: &'a str,
        /// A sentence for people.
        detail: &'a str,
    },
    /// An event of a later version, by name.
    Unknown(&'a str),
}

/// A message as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRef<'a> {
    /// Where it was published.
    pub topic: &'a str,
    /// One MessagePack value.
    pub value: &'a [u8],
    /// The third element, a MessagePack map, for [`Meta::parse`].
    pub meta: Option<&'a [u8]>,
}

/// What is known of a message beside topic and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Milliseconds since 1970-01-01 UTC at which the server took it.
    pub time: u64,
    /// Where an answer is expected.
    pub reply: Option<String>,
    /// As published.
    pub headers: BTreeMap<String, String>,
    /// As published; the content of the str or bin.
    pub key: Option<Vec<u8>>,
    /// The retained message, sent because of the subscription.
    pub retained: bool,
    /// For how long it still holds, in milliseconds, from when the server queued it.
    pub ttl_ms: Option<u64>,
}

impl<'a> Event<'a> {
    /// Reads one whole frame, as [`FrameScanner`](super::FrameScanner) found it.
    ///
    /// # Errors
    ///
    /// [`WireError::Unexpected`] or [`WireError::NotUtf8`] where a server says something that is not of the protocol.
    pub fn parse(frame: &'a [u8]) -> Result<Event<'a>, WireError> {
        let mut reader = Reader::new(frame);
        if reader.kind()? == Kind::Array {
            return message(&mut reader).map(Event::Message);
        }
        if reader.map("a message or an event")? != 1 {
            return Err(WireError::Unexpected {
                expected: "a map of one entry",
                found: "a map of another size",
            });
        }
        let name = reader.str("an event's name")?;
        reader.array("the array of an event's arguments")?;
        Ok(match name {
            "Welcome" => Event::Welcome(welcome(reader.rest())?),
            "Ok" => Event::Ok { id: reader.unsigned("an id")?, result: reader.value()? },
            "Err" => Event::Err {
                id: optional_id(&mut reader)?,
                code: u16::try_from(reader.unsigned("an error code")?).unwrap_or(u16::MAX),
                text: reader.str("the text of an error")?,
            },
            "Lagged" => lagged(&mut reader)?,
            "Ping" => Event::Ping,
            "Pong" => Event::Pong,
            "Goodbye" => Event::Goodbye { reason: reader.str("a reason")?, detail: reader.str("a detail")? },
            other => Event::Unknown(other),
        })
    }
}

fn message<'a>(reader: &mut Reader<'a>) -> Result<MessageRef<'a>, WireError> {
    let elements = reader.array("a message")?;
    if !matches!(elements, 2 | 3) {
        return Err(WireError::Unexpected {
            expected: "an array of two or three",
            found: "an array of another size",
        });
    }
    Ok(MessageRef {
        topic: reader.str("a topic")?,
        value: reader.value()?,
        meta: (elements == 3).then(|| reader.value()).transpose()?,
    })
}

fn welcome(bytes: &[u8]) -> Result<Welcome, WireError> {
    rmp_serde::from_slice(bytes)
        .map_err(|_| WireError::Unexpected { expected: "a Welcome", found: "something else" })
}

fn optional_id(reader: &mut Reader<'_>) -> Result<Option<u64>, WireError> {
    if reader.kind()? == Kind::Nil {
        reader.value()?;
        return Ok(None);
    }
    reader.unsigned("an id or nil").map(Some)
}

fn lagged<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>, WireError> {
    let (mut pattern, mut missed) = ("", 0);
    for _ in 0..reader.map("the map of a Lagged")? {
        match reader.str("the name of a field")? {
            "pattern" => pattern = reader.str("a pattern")?,
            "missed" => missed = reader.unsigned("a count")?,
            _ => drop(reader.value()?),
        }
    }
    Ok(Event::Lagged { pattern, missed })
}

impl Meta {
    /// Reads the third element of a message. Keys that this version does not know are passed over.
    ///
    /// # Errors
    ///
    /// [`WireError`] where it is not a map or a known key has a value of the wrong type.
    pub fn parse(bytes: &[u8]) -> Result<Meta, WireError> {
        let mut reader = Reader::new(bytes);
        let mut meta = Meta::default();
        for _ in 0..reader.map("a map of meta")? {
            match reader.str("the name of a field")? {
                "time" => meta.time = reader.unsigned("a time")?,
                "reply" => meta.reply = Some(reader.str("a topic")?.to_owned()),
                "key" => meta.key = Some(reader.bytes("a key")?.to_vec()),
                "ttl" => meta.ttl_ms = Some(reader.unsigned("milliseconds")?),
                "retained" => meta.retained = reader.bool("a bool")?,
                "headers" => {
                    for _ in 0..reader.map("a map of headers")? {
                        let name = reader.str("a header's name")?.to_owned();
                        meta.headers.insert(name, reader.str("a header's value")?.to_owned());
                    }
                }
                _ => drop(reader.value()?),
            }
        }
        Ok(meta)
    }
}
