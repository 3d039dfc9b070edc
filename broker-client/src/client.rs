//! The handle that a program holds: all verbs of a client.
//!
//! Checks what the program gives before anything is sent, and turns answers into results. What is shared with the
//! connection's task is in `shared`, publishing in `publish`, requests are in `request`, clearing in `retained`.

mod publish;
mod request;
mod retained;

use std::sync::Arc;

use tokio::sync::{OnceCell, oneshot};

pub(crate) use self::publish::check_topic;
use crate::{
    CloseError, CloseReason, ConnectError, Events, FlushError, Options, ServerInfo, State, Stats,
    SubscribeError, SubscribeOptions, Subscription,
    address::Address,
    connection,
    link::{Answer, Closed, Failure, Loss},
    shared::{Handle, Shared},
    sync::lock,
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
