//! The handle that a program holds: all verbs of a client.
//!
//! Checks what the program gives before anything is sent, and turns answers into results. What is shared with the
//! connection's task is in `shared`, requests are in `request`, clearing in `retained`.

mod request;
mod retained;

use std::sync::Arc;

use broker_core::{
    topic::{TopicError, is_reserved, validate},
    wire::native::PublishOptions as WireOptions,
};
use serde::Serialize;
use tokio::{
    sync::{OnceCell, oneshot},
    task::coop::consume_budget,
};

use crate::{
    CloseError, CloseReason, ConnectError, Events, FlushError, Message, Options, PublishError,
    PublishOptions, RequestError, ServerInfo, State, Stats, SubscribeError, SubscribeOptions, Subscription,
    address::Address,
    connection,
    link::{Answer, Closed, Failure, Loss, Offer},
    shared::{Handle, Shared},
    sync::lock,
    value::{Bin, Encoded, check_one},
};

/// A connection to a broker. Cheap to clone; all clones share one connection.
///
/// The client reconnects by itself and subscribes again. What a publish has accepted and the connection has not taken yet
/// is sent on the next one. What the connection had taken, and the server had not confirmed, may be lost: it is never sent twice,
/// and it is counted, in [`Event::Disconnected`](crate::Event::Disconnected) and by the next [`flush`](Self::flush).
///
/// When the last clone and the last [`Subscription`] are dropped, what is buffered is still sent, if that is possible within
/// [`Options::close_timeout`] and if the runtime lives so long. To be sure, [`close`](Self::close) it.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

impl Client {
    /// Connects, and starts the task that keeps the connection. Must be called within a tokio runtime.
    ///
    /// `url` is `broker://host:port`, `tcp://host:port`, `host:port` or `host`; the port is 36912 if there is none.
    ///
    /// # Errors
    ///
    /// What kept the first connection from standing; it is tried once. Later losses are mended in the background.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn connect(url: &str, options: Options) -> Result<Self, ConnectError> {
        let address = Address::parse(url)?;
        let (wire, server) = connection::open(&address, &options, options.connect_timeout).await?;
        tracing::debug!(%address, session = server.session, "connected");
        let shared = Arc::new(Shared::new(address, options, server));
        tokio::spawn(connection::run(connection::Guard(Arc::clone(&shared)), wire));
        Ok(Self { handle: Arc::new(Handle { shared, inbox: OnceCell::new() }) })
    }

    /// Publishes a value; structs become msgpack maps.
    ///
    /// `Ok` says that it is buffered and will be sent in order, also across a reconnect. It waits while the buffer is full
    /// ([`Options::buffer_bytes_max`]).
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

    /// Subscribes to a pattern: a topic, or a glob with `*`, `?`, `[a-z]`, `{a,b}`. When it returns, the server has answered:
    /// every later publish is delivered. The retained messages of the matching topics come first.
    ///
    /// A second subscription to the same pattern gets the retained messages as well; the first one sees them again.
    ///
    /// # Errors
    ///
    /// The pattern does not parse, the server refuses it, or the client is closed. If the connection breaks meanwhile, it
    /// goes on waiting for the next one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves no subscription behind.
    pub async fn subscribe(&self, pattern: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(pattern, SubscribeOptions::default()).await
    }

    /// Subscribes with options. Otherwise as [`subscribe`](Self::subscribe).
    ///
    /// The server knows one subscription for each pattern of a client: several here share it. It has meta and retained
    /// messages if one of them asks for it, and the policy that was asked for last; it has the highest `max_rate`, or none if one of them has none. They are all of one group or of none.
    ///
    /// # Errors
    ///
    /// As `subscribe`, and [`SubscribeError::OtherGroup`].
    pub async fn subscribe_with(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        Subscription::open(&self.handle, pattern, &options).await
    }

    /// Publishes a value with a reply topic, and waits for the first answer.
    ///
    /// # Errors
    ///
    /// [`RequestError::NoResponders`] if no session subscribes to the topic; [`RequestError::Timeout`] after
    /// [`Options::request_timeout`]; and what a confirmed publish and a subscribe may fail with.
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

    /// A round trip: `Ok` says that the server has handled everything that was published before, and that nothing was lost since
    /// the last flush.
    ///
    /// # Errors
    ///
    /// The connection broke meanwhile; or it broke earlier and messages are unaccounted for; or the server refused messages; or the
    /// client is closed. A loss is told by one flush, once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let shared = &self.handle.shared;
        let answer = shared.offer(crate::link::Link::offer_flush).await?;
        match settled(answer).await {
            Ok(_) => {}
            Err(Failure::Refused { code, text }) => {
                return Err(FlushError::Refused { messages: 0, code, text });
            }
            Err(Failure::Disconnected) => return Err(FlushError::Disconnected),
            Err(Failure::Closed(reason)) => return Err(FlushError::Closed(reason)),
        }
        let mut link = lock(&shared.link);
        if link.loss.unconfirmed > 0 {
            return Err(FlushError::Unconfirmed { messages: std::mem::take(&mut link.loss.unconfirmed) });
        }
        if link.loss.refused > 0 {
            let Loss { refused: messages, code, text, .. } = std::mem::take(&mut link.loss);
            return Err(FlushError::Refused { messages, code, text });
        }
        Ok(())
    }

    /// Closes the client and all its clones: accepts nothing more, sends what is buffered, and waits until the server has handled
    /// it and said goodbye. Subscriptions are not cut off before: what the server sends until then can be read; then they end.
    ///
    /// # Errors
    ///
    /// Not everything could be sent and confirmed within [`Options::close_timeout`], or had not been before; or the client had been
    /// closed for another reason. It is closed in any case.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the close back. Calling it again waits for the same end.
    pub async fn close(&self) -> Result<(), CloseError> {
        let shared = &self.handle.shared;
        shared.begin_close(CloseReason::Requested);
        let Closed { reason, unsent, loss } = shared.closed().await;
        if reason != CloseReason::Requested {
            return Err(CloseError::Closed(reason));
        }
        if unsent == 0 && loss.unconfirmed == 0 && loss.refused == 0 {
            return Ok(());
        }
        Err(CloseError::Incomplete { unsent, unconfirmed: loss.unconfirmed, refused: loss.refused })
    }

    /// What happens to the connection, from now on; the first event says where the client stands. May be called any number of
    /// times: each stream gets every event.
    pub fn events(&self) -> Events {
        self.handle.shared.hub.subscribe()
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        lock(&self.handle.shared.link).state
    }

    /// What the server said of itself; `None` while there is no connection.
    pub fn server(&self) -> Option<ServerInfo> {
        self.handle.shared.server()
    }

    /// What was sent, received and lost so far.
    pub fn stats(&self) -> Stats {
        self.handle.shared.stats()
    }

    /// Sends a message that has been checked.
    async fn send(&self, topic: &str, value: &[u8], options: WireOptions<'_>) -> Result<(), PublishError> {
        // A program that does nothing but publish must leave its thread to others now and then.
        consume_budget().await;
        let shared = &self.handle.shared;
        if let Offer::Taken(()) = shared.try_send(topic, value, options)? {
            return Ok(());
        }
        shared.offer(|link| link.offer_message(topic, value, options, false)).await.map(drop)
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

    /// What outlives the handles: for who waits for the end.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

/// The answer to a call.
async fn settled(answer: oneshot::Receiver<Answer>) -> Answer {
    // The link answers everyone whom it forgets; should it not have, nobody knows.
    answer.await.unwrap_or(Err(Failure::Disconnected))
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
