//! What a caller may choose: for a client, for a publish, for a subscription.
//!
//! Builders only; who uses a value checks it. Each bound says its unit and why its default is what it is.

use std::{collections::BTreeMap, time::Duration};

use broker_core::wire::native::TTL_MS_MAX;

use crate::{Backoff, Login, Policy, Secret};

/// Options of a [`Client`](crate::Client).
///
/// ```
/// use broker_client::{Backoff, Options};
/// use std::time::Duration;
///
/// let options = Options::new()
///     .name("thermometer 7")
///     .connect_timeout(Duration::from_secs(2))
///     .reconnect(Backoff { max: Duration::from_secs(30), ..Backoff::default() });
/// assert!(options != Options::default());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Options {
    pub(crate) name: Option<String>,
    pub(crate) login: Option<Login>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) reconnect: Option<Backoff>,
    pub(crate) max_reconnects: Option<u32>,
    pub(crate) buffer_bytes_max: usize,
    pub(crate) subscription_messages_max: usize,
    pub(crate) subscription_bytes_max: usize,
    pub(crate) incoming_frame_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            login: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            close_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
            reconnect: Some(Backoff::default()),
            max_reconnects: None,
            buffer_bytes_max: 8 << 20,
            subscription_messages_max: 65_536,
            subscription_bytes_max: 64 << 20,
            incoming_frame_bytes_max: 64 << 20,
        }
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name that the server shows to people, at most 256 bytes. Default: none.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says who this is, to a server that asks. Default: nothing. A server that does not ask lets everybody in.
    pub fn login(mut self, login: Login) -> Self {
        self.login = Some(login);
        self
    }

    /// Shows this token to the server; in place of a user, if one was given before.
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.login(Login::Token(token.into()))
    }

    /// Is this user, with this password; in place of a token, if one was given before.
    pub fn user(self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.login(Login::User { name: name.into(), password: password.into() })
    }

    /// How long one attempt to connect may take, from the look-up of the name to the server's `Welcome`. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long [`Client::request`](crate::Client::request) waits for an answer. Default: 5 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long [`Client::close`](crate::Client::close) waits, and how long the connection goes on for the sake of
    /// what is still buffered after the last handle was dropped. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// After how much silence the server is asked for a sign of life; after as much again the connection is taken for
    /// dead. Default: 10 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Reconnect, with these delays. This is the default, with [`Backoff::default`].
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.reconnect = Some(backoff);
        self
    }

    /// Do not reconnect: the client is closed when its connection is.
    pub fn never_reconnect(mut self) -> Self {
        self.reconnect = None;
        self
    }

    /// Give up after so many failed attempts in a row, at least 1. Default: never.
    pub fn max_reconnects(mut self, attempts: u32) -> Self {
        self.max_reconnects = Some(attempts.max(1));
        self
    }

    /// How many bytes may wait to be written before a publish waits. One frame that is larger is still accepted when
    /// nothing else waits. Default: 8 MiB.
    pub fn buffer_bytes_max(mut self, bytes: usize) -> Self {
        self.buffer_bytes_max = bytes;
        self
    }

    /// How many messages may wait in one [`Subscription`](crate::Subscription); the oldest goes first. Default: 65,536.
    pub fn subscription_messages_max(mut self, messages: usize) -> Self {
        self.subscription_messages_max = messages;
        self
    }

    /// How many bytes may wait in one [`Subscription`](crate::Subscription); the oldest goes first. Default: 64 MiB.
    pub fn subscription_bytes_max(mut self, bytes: usize) -> Self {
        self.subscription_bytes_max = bytes;
        self
    }

    /// The largest frame that the server may send. A larger one breaks the connection. Default: 64 MiB.
    pub fn incoming_frame_bytes_max(mut self, bytes: usize) -> Self {
        self.incoming_frame_bytes_max = bytes;
        self
    }
}

/// Options of one publish.
///
/// ```
/// use broker_client::PublishOptions;
///
/// let options = PublishOptions::new().retain(false).header("unit", "°C");
/// assert_ne!(options, PublishOptions::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PublishOptions {
    pub(crate) retain: Option<bool>,
    pub(crate) reply: Option<String>,
    pub(crate) headers: Option<BTreeMap<String, String>>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) ttl_ms: Option<u64>,
}

impl PublishOptions {
    /// The defaults: no headers, no key, no reply topic, retained as the server's rules say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the server keeps the message as its topic's newest. Default: yes, unless there is a reply topic. To say yes to a value that is
    /// nil or empty clears the topic: its subscribers get the message, and nothing is kept.
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// For how long the message holds, counted from when the server took it: then it is kept no more as its topic's newest, and who it
    /// still waits for misses it. In whole milliseconds, at least one. Default: for ever, or as the server's rules say of the topic.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let ms = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.ttl_ms = Some(ms.clamp(1, TTL_MS_MAX));
        self
    }

    /// The topic that answers go to.
    pub fn reply(mut self, topic: impl Into<String>) -> Self {
        self.reply = Some(topic.into());
        self
    }

    /// Adds a header, or replaces the one of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// The key of the message.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Options of one subscription.
///
/// ```
/// use broker_client::SubscribeOptions;
///
/// let options = SubscribeOptions::new().meta(true).retained(false).buffer_messages(100);
/// assert_ne!(options, SubscribeOptions::default());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct SubscribeOptions {
    pub(crate) meta: bool,
    pub(crate) retained: bool,
    pub(crate) policy: Option<Policy>,
    pub(crate) group: Option<String>,
    pub(crate) max_rate: Option<f64>,
    pub(crate) buffer_messages: Option<usize>,
    pub(crate) buffer_bytes: Option<usize>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            meta: false,
            retained: true,
            policy: None,
            group: None,
            max_rate: None,
            buffer_messages: None,
            buffer_bytes: None,
        }
    }
}

impl SubscribeOptions {
    /// The defaults: retained messages, no meta, the server's default policy, the client's bounds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether messages carry their [`Meta`](crate::Meta): time, reply topic, headers, key. Default: no.
    /// Who wants to answer requests needs it.
    pub fn meta(mut self, meta: bool) -> Self {
        self.meta = meta;
        self
    }

    /// Whether the retained messages of the matching topics come first. Default: yes.
    pub fn retained(mut self, retained: bool) -> Self {
        self.retained = retained;
        self
    }

    /// What the server does when this client's outbox there is full. Default: what the server is set to for the pattern, else for its
    /// listener.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Shares the work with the other subscriptions of this group, of 1 to 256 bytes: each message goes to one of them. Default: none.
    ///
    /// A message that matches another subscription of this client as well reaches both, whether it was this client's turn or not:
    /// the server sends it once. To share exactly, give the group a client of its own.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// At most so many messages a second of each topic, 0.001 to 1,000,000: the newest wins, and the last one always comes. What is thinned out
    /// so is not missed. Default: all of them. It does not go together with a group.
    pub fn max_rate(mut self, per_second: f64) -> Self {
        self.max_rate = Some(per_second);
        self
    }

    /// How many messages may wait in this subscription; at least 1. Default: [`Options::subscription_messages_max`].
    pub fn buffer_messages(mut self, messages: usize) -> Self {
        self.buffer_messages = Some(messages);
        self
    }

    /// How many bytes may wait in this subscription. Default: [`Options::subscription_bytes_max`].
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = Some(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_at_least_a_millisecond() {
        for (ttl, ms) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(1_001), 2),
            (Duration::from_secs(2), 2_000),
            (Duration::MAX, TTL_MS_MAX),
        ] {
            assert_eq!(PublishOptions::new().ttl(ttl).ttl_ms, Some(ms), "{ttl:?}");
        }
    }
}
