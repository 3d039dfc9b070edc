//! The protocols that the generator speaks: the frames of each, both ways, and how names and patterns are said in it.
//!
//! Pure: bytes in, bytes out; sockets are `session.rs`'s and `publish.rs`'s. Messages are encoded once (`frame.rs`) and recognised by
//! their first bytes; what does not look as expected goes through [`Decoder`], which trusts nothing. A topic of a scenario is levels between slashes
//! (`load/3`), its pattern a glob; [`Filter`] says a pattern in another dialect, or that it cannot be said there. Invariant: a filter accepts
//! exactly those topics of the scenario that its glob matches.

mod filter;
mod mqtt;
mod native;
mod nats;
mod redis;
mod replies;
mod requests;

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use broker_core::Policy;
use broker_core::wire::native::{FrameScanner, WireLimits};
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use filter::Filter;
pub(crate) use replies::Replies;
pub(crate) use requests::{Asked, ask_topic, reply_topic};

/// Bytes of a line of a text protocol, at most: the longest, the INFO of a NATS server in a cluster, has a few KiB.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Bytes of a frame that is read, at most.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wire {
    /// This project's own: MessagePack values on a TCP stream, with `Hello` where answers are needed
    Native,
    /// What of it lbroker knows: no `Hello`, no answers, no options
    Lbroker,
    /// NATS, core messages
    Nats,
    /// Redis pub/sub, RESP 2
    Redis,
    /// MQTT 3.1.1, QoS 0
    Mqtt,
}

/// What stands at the start of some bytes that a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got<'a> {
    /// A message: its topic as the protocol says it, and its payload; empty where it has none that the generator could have sent.
    Message { topic: Cow<'a, str>, payload: &'a [u8] },
    /// So many messages were left out.
    Lagged(u64),
    /// The server's first words.
    Greeting(Greeting),
    /// The answer to a ping that carried this number; 0 where pings carry none.
    Answer(u64),
    /// The server asks for a sign of life.
    Ping,
    /// The server refuses something, or is about to close.
    Refused(String),
    /// What nobody waits for: confirmations, events of later versions.
    Other,
}

/// What a subscriber asks for beside its filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms<'a> {
    /// The group that it shares its messages with.
    pub(crate) group: Option<&'a str>,
    /// What happens when it is slow; the server's default if `None`.
    pub(crate) policy: Option<Policy>,
}

/// What a server says of itself at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Bytes that a payload may have.
    pub(crate) payload_bytes_max: Option<u64>,
    /// Bytes that may wait for a session.
    pub(crate) outbox_bytes_max: Option<u64>,
    /// Whether it speaks only under TLS.
    pub(crate) needs_tls: bool,
}

impl Wire {
    /// As the user and the results name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Lbroker => "lbroker",
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Mqtt => "mqtt",
        }
    }

    /// A topic of a scenario as this protocol says it.
    pub(crate) fn topic(self, topic: &str) -> Cow<'_, str> {
        match self {
            Self::Nats => Cow::Owned(topic.replace('/', ".")),
            Self::Native | Self::Lbroker | Self::Redis | Self::Mqtt => Cow::Borrowed(topic),
        }
    }

    /// Whether a message comes once for each subscription that matches it, not once for each connection.
    pub(crate) fn delivers_per_subscription(self) -> bool {
        match self {
            Self::Native | Self::Lbroker => false,
            // MQTT leaves it to the server.
            Self::Nats | Self::Redis | Self::Mqtt => true,
        }
    }

    /// Whether one connection can both publish and subscribe.
    pub(crate) fn shares_connection(self) -> bool {
        self != Self::Redis
    }

    /// Whether the server keeps the last message of each topic for those who subscribe later.
    pub(crate) fn retains(self) -> bool {
        matches!(self, Self::Native | Self::Lbroker)
    }

    /// Whether the server answers a ping.
    pub(crate) fn answers(self) -> bool {
        self != Self::Lbroker
    }

    /// Whether each of a group of subscribers can get a part of the messages.
    pub(crate) fn has_groups(self) -> bool {
        matches!(self, Self::Native | Self::Nats | Self::Mqtt)
    }

    /// Appends the message that a publisher sends; `topic` is said as in [`topic`](Self::topic).
    pub(crate) fn publish(self, out: &mut Vec<u8>, topic: &str, payload: &[u8]) -> Result<()> {
        match self {
            Self::Native | Self::Lbroker => native::publish(out, topic, payload),
            Self::Nats => nats::publish(out, topic, payload),
            Self::Redis => redis::publish(out, topic, payload),
            Self::Mqtt => return mqtt::publish(out, topic, payload),
        }
        Ok(())
    }

    /// Appends the message that a subscriber receives because of `filter`.
    pub(crate) fn delivered(
        self,
        out: &mut Vec<u8>,
        topic: &str,
        filter: &Filter,
        payload: &[u8],
    ) -> Result<()> {
        match self {
            Self::Native | Self::Lbroker => native::delivered(out, topic, payload),
            Self::Nats => nats::delivered(out, topic, filter.number(), payload),
            Self::Redis => redis::delivered(out, topic, filter, payload),
            Self::Mqtt => return mqtt::publish(out, topic, payload),
        }
        Ok(())
    }

    /// Bytes of a message behind its payload, both ways.
    pub(crate) fn tail_bytes(self) -> usize {
        match self {
            Self::Native | Self::Lbroker | Self::Mqtt => 0,
            Self::Nats | Self::Redis => 2,
        }
    }

    /// Appends a subscribe to `filter`, without retained messages where that can be said.
    pub(crate) fn subscribe(self, out: &mut Vec<u8>, filter: &Filter, terms: Terms<'_>) -> Result<()> {
        let Terms { group, policy } = terms;
        ensure!(group.is_none() || self.has_groups(), "the protocol {} has no groups", self.name());
        ensure!(policy.is_none() || self == Self::Native, "the protocol {} has no policies", self.name());
        match self {
            Self::Native => native::subscribe(out, filter.text(), terms),
            Self::Lbroker => native::subscribe_bare(out, filter.text()),
            Self::Nats => nats::subscribe(out, filter, group),
            Self::Redis => redis::subscribe(out, filter),
            Self::Mqtt => return mqtt::subscribe(out, filter, group),
        }
        Ok(())
    }

    /// Appends what takes a subscribe back.
    pub(crate) fn unsubscribe(self, out: &mut Vec<u8>, filter: &Filter) -> Result<()> {
        match self {
            Self::Native | Self::Lbroker => native::unsubscribe(out, filter.text()),
            Self::Nats => nats::unsubscribe(out, filter.number()),
            Self::Redis => redis::unsubscribe(out, filter),
            Self::Mqtt => return mqtt::unsubscribe(out, filter),
        }
        Ok(())
    }

    /// Appends the first words of a connection that wants answers.
    pub(crate) fn hello(self, out: &mut Vec<u8>, name: &str) -> Result<()> {
        match self {
            Self::Native => native::hello(out, name),
            Self::Nats => nats::connect(out, name)?,
            Self::Mqtt => mqtt::connect(out, name)?,
            Self::Redis | Self::Lbroker => {}
        }
        Ok(())
    }

    /// Appends a ping. Its answer is [`Got::Answer`]`(number)`, or 0 where pings carry no number. lbroker knows none.
    pub(crate) fn ping(self, out: &mut Vec<u8>, number: u64) {
        match self {
            Self::Native => native::ping(out, number),
            Self::Lbroker => {}
            Self::Nats => out.extend_from_slice(nats::PING),
            Self::Redis => out.extend_from_slice(redis::PING),
            Self::Mqtt => out.extend_from_slice(mqtt::PING),
        }
    }

    /// The answer to the server's ping; empty where servers do not ask.
    pub(crate) fn pong(self) -> &'static [u8] {
        match self {
            Self::Native => native::PONG,
            Self::Nats => nats::PONG,
            Self::Lbroker | Self::Redis | Self::Mqtt => &[],
        }
    }
}

/// Tells the frames of a server apart. One for each connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    wire: Wire,
    /// Remembers how far a native frame that is not whole was read.
    scanner: FrameScanner,
}

impl Decoder {
    /// For a connection that speaks `wire`.
    pub(crate) fn new(wire: Wire) -> Self {
        let limits = WireLimits { frame_bytes_max: FRAME_BYTES_MAX, ..WireLimits::default() };
        Self { wire, scanner: FrameScanner::new(limits) }
    }

    /// The frame at the start of `bytes` and its length; `None` if it is not whole yet. `bytes` begins at a frame, and has grown since the
    /// last call if that was `None`.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Got<'a>, usize)>> {
        let found = match self.wire {
            Wire::Native | Wire::Lbroker => native::next(&mut self.scanner, bytes),
            Wire::Nats => nats::next(bytes),
            Wire::Redis => redis::next(bytes),
            Wire::Mqtt => mqtt::next(bytes),
        };
        found.with_context(|| format!("this is no {} frame: {}", self.wire.name(), beginning(bytes)))
    }
}

/// The first bytes of something that was not understood, for an error.
fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = bytes.get(..SHOWN.min(bytes.len())).unwrap_or(bytes);
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}{dots}\"", shown.escape_ascii())
}

/// The line at the start of `bytes` without its end, and the bytes that it takes; `None` if its end is not there yet.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>> {
    let within = bytes.get(..LINE_BYTES_MAX.min(bytes.len())).unwrap_or(bytes);
    if let Some(end) = within.iter().position(|&byte| byte == b'\n') {
        let text = within.get(..end).unwrap_or(&[]);
        return Ok(Some((text.strip_suffix(b"\r").unwrap_or(text), end + 1)));
    }
    ensure!(bytes.len() < LINE_BYTES_MAX, "a line of more than {LINE_BYTES_MAX} bytes");
    Ok(None)
}

/// A number of a text protocol: digits and nothing else.
fn number(text: &[u8]) -> Result<u64> {
    ensure!(!text.is_empty() && text.iter().all(u8::is_ascii_digit), "no number: {}", beginning(text));
    Ok(std::str::from_utf8(text)?.parse()?)
}

/// A length of a text protocol, within bounds.
fn length(text: &[u8]) -> Result<usize> {
    let length = usize::try_from(number(text)?)?;
    ensure!(length <= FRAME_BYTES_MAX, "{length} bytes announced, {FRAME_BYTES_MAX} are allowed");
    Ok(length)
}

#[cfg(test)]
mod tests;
