//! Publishing, in all its ways, and what is checked before.

use broker_core::{
    topic::{TopicError, is_reserved, validate},
    wire::native::PublishOptions as WireOptions,
};
use serde::Serialize;
use tokio::task::coop::consume_budget;

use super::{Client, settled};
use crate::{
    PublishError, PublishOptions,
    link::Offer,
    value::{Bin, Encoded, check_one},
};

impl Client {
    /// Publishes a value; structs become msgpack maps.
    ///
    /// `Ok` says that it is buffered and will be sent in order, also across a reconnect. It waits while the buffer is full
    /// ([`Options::buffer_bytes_max`](crate::Options::buffer_bytes_max)).
    ///
    /// # Errors
    ///
    /// The value or the topic is not publishable, or the client is closed: then nothing is sent.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, nothing was published.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<(), PublishError> {
        check_topic(topic)?;
        let value = Encoded::of(value)?;
        self.send(topic, value.as_bytes(), WireOptions::default()).await
    }

    /// Publishes bytes that are exactly one msgpack value. Otherwise as [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As `publish`, and [`PublishError::NotOneValue`].
    pub async fn publish_raw(&self, topic: &str, msgpack: &[u8]) -> Result<(), PublishError> {
        check_topic(topic)?;
        check_one(msgpack)?;
        self.send(topic, msgpack, WireOptions::default()).await
    }

    /// Publishes bytes as a msgpack bin. Otherwise as [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As `publish`.
    pub async fn publish_bytes(&self, topic: &str, bytes: &[u8]) -> Result<(), PublishError> {
        self.publish(topic, &Bin(bytes)).await
    }

    /// Publishes a value with options. Otherwise as [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As `publish`; the reply topic is checked too.
    pub async fn publish_with<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
        options: PublishOptions,
    ) -> Result<(), PublishError> {
        check_topics(topic, &options)?;
        let value = Encoded::of(value)?;
        self.send(topic, value.as_bytes(), wire_options(&options)).await
    }

    /// [`publish_raw`](Self::publish_raw) with options.
    ///
    /// # Errors
    ///
    /// As `publish_raw`; the reply topic is checked too.
    pub async fn publish_raw_with(
        &self,
        topic: &str,
        msgpack: &[u8],
        options: PublishOptions,
    ) -> Result<(), PublishError> {
        check_topics(topic, &options)?;
        check_one(msgpack)?;
        self.send(topic, msgpack, wire_options(&options)).await
    }

    /// Publishes a value and waits until the server has handled it. Returns the number of sessions that it went to.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and: the server refused it; or the connection broke before the answer, and then nobody
    /// knows. It is not sent again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may have been published or not.
    pub async fn publish_confirmed<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
        options: PublishOptions,
    ) -> Result<u64, PublishError> {
        check_topics(topic, &options)?;
        let value = Encoded::of(value)?;
        self.send_confirmed(topic, value.as_bytes(), wire_options(&options)).await
    }

    /// [`publish_confirmed`](Self::publish_confirmed) for bytes that are exactly one msgpack value.
    ///
    /// # Errors
    ///
    /// As `publish_confirmed`, and [`PublishError::NotOneValue`].
    pub async fn publish_raw_confirmed(
        &self,
        topic: &str,
        msgpack: &[u8],
        options: PublishOptions,
    ) -> Result<u64, PublishError> {
        check_topics(topic, &options)?;
        check_one(msgpack)?;
        self.send_confirmed(topic, msgpack, wire_options(&options)).await
    }

    /// Sends a message that has been checked.
    async fn send(&self, topic: &str, value: &[u8], options: WireOptions<'_>) -> Result<(), PublishError> {
        // A program that does nothing but publish must leave its thread to others now and then.
        consume_budget().await;
        let shared = &self.handle.shared;
        if let Offer::Taken(()) = shared.try_send(topic, value, options)? {
            return Ok(());
        }
        shared.offer(|link| link.offer_message(topic, value, options)).await
    }

    async fn send_confirmed(
        &self,
        topic: &str,
        value: &[u8],
        options: WireOptions<'_>,
    ) -> Result<u64, PublishError> {
        let answer = self.handle.shared.send_confirmed(topic, value, options).await?;
        settled(answer).await.map_err(PublishError::from)
    }

    /// Sends a message if there is room for it now. For the blocking face.
    pub(crate) fn try_publish(&self, topic: &str, value: &[u8]) -> Result<bool, PublishError> {
        let offer = self.handle.shared.try_send(topic, value, WireOptions::default())?;
        Ok(matches!(offer, Offer::Taken(())))
    }
}

/// Checks a topic as far as that needs no server; its length is checked against the server's limit.
pub(crate) fn check_topic(topic: &str) -> Result<(), PublishError> {
    check_name(topic)?;
    if is_reserved(topic) {
        return Err(PublishError::ReservedTopic(topic.to_owned()));
    }
    Ok(())
}

fn check_topics(topic: &str, options: &PublishOptions) -> Result<(), PublishError> {
    check_topic(topic)?;
    if let Some(reply) = &options.reply {
        check_name(reply)?;
    }
    Ok(())
}

fn check_name(topic: &str) -> Result<&str, TopicError> {
    validate(topic.as_bytes(), usize::MAX)
}

fn wire_options(options: &PublishOptions) -> WireOptions<'_> {
    WireOptions {
        id: None,
        reply: options.reply.as_deref(),
        headers: options.headers.as_ref(),
        key: options.key.as_deref(),
        retain: options.retain,
        ttl_ms: options.ttl_ms,
    }
}
