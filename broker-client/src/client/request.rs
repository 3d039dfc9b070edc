//! Requests: a publish with a reply topic, and the answer that comes there. And answering, which is publishing there.
//!
//! Invariant: a request that is over, for whatever reason, has no place among those that wait.

use broker_core::wire::native::PublishOptions as WireOptions;
use serde::Serialize;
use tokio::time::timeout;

use super::{Client, check_topic, settled};
use crate::{
    Message, PublishError, RequestError, SubscribeError, SubscribeOptions,
    shared::Shared,
    subscription::{Registration, parse_pattern},
    sync::lock,
    value::{Encoded, check_one},
};

impl Client {
    /// Publishes a value with a reply topic, and waits for the first answer.
    ///
    /// # Errors
    ///
    /// [`RequestError::NoResponders`] if no session subscribes to the topic; [`RequestError::Timeout`] after
    /// [`Options::request_timeout`](crate::Options::request_timeout); and what a confirmed publish and a subscribe may fail with.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the request may have been published or not; its answer is thrown away.
    pub async fn request<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
    ) -> Result<Message, RequestError> {
        check_topic(topic)?;
        let value = Encoded::of(value)?;
        self.ask(topic, value.as_bytes()).await
    }

    /// [`request`](Self::request) with bytes that are exactly one msgpack value.
    ///
    /// # Errors
    ///
    /// As `request`, and [`PublishError::NotOneValue`].
    pub async fn request_raw(&self, topic: &str, msgpack: &[u8]) -> Result<Message, RequestError> {
        check_topic(topic)?;
        check_one(msgpack)?;
        self.ask(topic, msgpack).await
    }

    /// Answers a message of a subscription that asked for [meta](SubscribeOptions::meta).
    ///
    /// # Errors
    ///
    /// [`PublishError::NoReplyTopic`] if nobody waits for an answer, and as [`publish`](Self::publish).
    pub async fn respond<T: Serialize + ?Sized>(
        &self,
        request: &Message,
        value: &T,
    ) -> Result<(), PublishError> {
        self.publish(request.reply().ok_or(PublishError::NoReplyTopic)?, value).await
    }

    /// [`respond`](Self::respond) with bytes that are exactly one msgpack value.
    ///
    /// # Errors
    ///
    /// As `respond`, and [`PublishError::NotOneValue`].
    pub async fn respond_raw(&self, request: &Message, msgpack: &[u8]) -> Result<(), PublishError> {
        self.publish_raw(request.reply().ok_or(PublishError::NoReplyTopic)?, msgpack).await
    }

    /// Sends a request that has been checked and waits for its answer.
    pub(super) async fn ask(&self, topic: &str, value: &[u8]) -> Result<Message, RequestError> {
        let after = self.handle.shared.options.request_timeout;
        match timeout(after, self.exchange(topic, value)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RequestError::Timeout { after }),
        }
    }

    async fn exchange(&self, topic: &str, value: &[u8]) -> Result<Message, RequestError> {
        let shared = &*self.handle.shared;
        self.handle.inbox.get_or_try_init(|| self.open_inbox()).await?;
        let number = shared.next_request();
        let _place = Place { shared, number };
        let (reply, mut answer) = lock(&shared.router).expect_answer(number);
        let options = WireOptions { reply: Some(&reply), ..WireOptions::default() };
        let confirmation = shared.send_confirmed(topic, value, options).await?;
        let answer = tokio::select! {
            // An answer may overtake the confirmation.
            biased;
            answer = &mut answer => answer,
            sessions = settled(confirmation) => match sessions.map_err(PublishError::from)? {
                0 => return Err(RequestError::NoResponders(topic.to_owned())),
                _ => answer.await,
            },
        };
        // All places are cleared when the connection breaks, and when the client is closed.
        answer.map_err(|_| {
            let reason = lock(&shared.link).closed.as_ref().map(|closed| closed.reason.clone());
            reason.map_or(PublishError::Disconnected, PublishError::Closed).into()
        })
    }

    async fn open_inbox(&self) -> Result<Registration, SubscribeError> {
        let shared = &self.handle.shared;
        let pattern = lock(&shared.router).inbox_pattern();
        let pattern = parse_pattern(&pattern).map_err(SubscribeError::Pattern)?;
        let options = SubscribeOptions::new().retained(false);
        Registration::open(shared, &pattern, &options, None).await
    }
}

/// The place of a request among those that wait for an answer.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.shared.router).forget_answer(self.number);
    }
}
