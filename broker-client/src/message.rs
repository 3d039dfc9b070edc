//! A message as it was received.
//!
//! Topic and value stand behind each other in one shared block of bytes, so that a message costs no allocation of its own.
//! Invariant: the first `topic_len` bytes are UTF-8.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;

pub use broker_core::wire::native::Meta;

use crate::DecodeError;

/// A message: a topic, a value, and its [`Meta`] where the subscription asked for it. Cheap to clone.
///
/// A small message shares a block of at most 4 KiB with its neighbours, which lives as long as the last of them. Who keeps few
/// messages out of many for long may want to keep [`value`](Self::value)`.to_vec()` instead.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    topic_len: usize,
    meta: Option<Arc<Meta>>,
}

impl Message {
    /// `bytes` is the topic and then the value.
    pub(crate) fn new(bytes: Bytes, topic_len: usize, meta: Option<Arc<Meta>>) -> Self {
        Self { bytes, topic_len, meta }
    }

    /// A message with a block of bytes of its own.
    pub(crate) fn copied(topic: &str, value: &[u8], meta: Option<Arc<Meta>>) -> Self {
        Self::new([topic.as_bytes(), value].concat().into(), topic.len(), meta)
    }

    /// The topic that it was published to.
    pub fn topic(&self) -> &str {
        let topic = self.bytes.get(..self.topic_len).unwrap_or_default();
        std::str::from_utf8(topic).unwrap_or_default()
    }

    /// The value: one msgpack value, byte for byte as it was published.
    pub fn value(&self) -> &[u8] {
        self.bytes.get(self.topic_len..).unwrap_or_default()
    }

    /// The value as a Rust type.
    ///
    /// # Errors
    ///
    /// If the value is not of that type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        rmp_serde::from_slice(self.value()).map_err(DecodeError)
    }

    /// What the server added, if this subscription, or another of the same client that matches, asked for it.
    pub fn meta(&self) -> Option<&Meta> {
        self.meta.as_deref()
    }

    /// The topic that an answer should go to, if there is one and the subscription asked for meta.
    pub fn reply(&self) -> Option<&str> {
        self.meta()?.reply.as_deref()
    }

    /// What it counts against the bound of a queue, in bytes: topic, value and the message itself.
    pub(crate) fn cost(&self) -> usize {
        let meta = self.meta.as_deref().map_or(0, |meta| {
            let headers: usize = meta.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
            let reply = meta.reply.as_ref().map_or(0, String::len);
            let key = meta.key.as_ref().map_or(0, Vec::len);
            size_of::<Meta>() + headers + reply + key
        });
        size_of::<Self>() + self.bytes.len() + meta
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("value_bytes", &self.value().len())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let message = Message::new(Bytes::from_static(b"weather/Oslo\xa4rain"), 12, None);
        assert_eq!(message.topic(), "weather/Oslo");
        assert_eq!(message.value(), b"\xa4rain");
        assert_eq!(message.decode::<String>().expect("a str"), "rain");
        assert!(message.decode::<u8>().is_err());
        assert!(message.meta().is_none() && message.reply().is_none());
    }

    #[test]
    fn cost_counts_what_is_kept() {
        let plain = Message::new(Bytes::from_static(b"t\xc0"), 1, None);
        assert!(plain.cost() >= 2 + size_of::<Message>());
        let mut meta = Meta::default();
        meta.key = Some(vec![0; 1000]);
        let keyed = Message::new(Bytes::from_static(b"t\xc0"), 1, Some(Arc::new(meta)));
        assert!(keyed.cost() >= plain.cost() + 1000);
    }
}
