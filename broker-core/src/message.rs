//! A message on its way: the time at which it came, and the third element that some subscribers ask for.

use crate::wire::native::encode;

/// The time, as whoever calls the broker tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Now {
    /// Milliseconds since 1970-01-01 UTC: for people.
    pub unix_ms: u64,
    /// Milliseconds of a clock that never goes back: for idle times.
    pub monotonic_ms: u64,
}

/// What a publisher gave beside topic and value, as MessagePack.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MetaParts<'a> {
    /// The content of the str, validated.
    pub(crate) reply: Option<&'a str>,
    /// A map.
    pub(crate) headers: Option<&'a [u8]>,
    /// A str or bin.
    pub(crate) key: Option<&'a [u8]>,
    /// For how long the message holds, in milliseconds.
    pub(crate) ttl_ms: Option<u64>,
}

impl MetaParts<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.reply.is_none() && self.headers.is_none() && self.key.is_none() && self.ttl_ms.is_none()
    }

    /// Appends `[topic, value, meta]`.
    pub(crate) fn message(
        &self,
        out: &mut Vec<u8>,
        topic: &str,
        value: &[u8],
        time_unix_ms: u64,
        retained: bool,
    ) {
        encode::array(out, 3);
        encode::str(out, topic);
        out.extend_from_slice(value);
        let optional = [
            self.reply.is_some(),
            self.headers.is_some(),
            self.key.is_some(),
            retained,
            self.ttl_ms.is_some(),
        ];
        encode::map(out, 1 + optional.iter().filter(|&&given| given).count());
        encode::str(out, "time");
        encode::unsigned(out, time_unix_ms);
        if let Some(reply) = self.reply {
            encode::str(out, "reply");
            encode::str(out, reply);
        }
        if let Some(headers) = self.headers {
            encode::str(out, "headers");
            out.extend_from_slice(headers);
        }
        if let Some(key) = self.key {
            encode::str(out, "key");
            out.extend_from_slice(key);
        }
        if retained {
            encode::str(out, "retained");
            encode::bool(out, true);
        }
        if let Some(ttl_ms) = self.ttl_ms {
            encode::str(out, "ttl");
            encode::unsigned(out, ttl_ms);
        }
    }
}
