//! The same client for programs without async.
//!
//! A [`Client`] here has a thread of its own, on which a small runtime keeps the connection: it reconnects also while the
//! program does something else. Calls wait on the program's thread, by parking it. Do not call them from async code: they
//! would block its thread (they do not panic).
//!
//! ```no_run
//! use broker_client::{Options, blocking::Client};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("localhost", Options::default())?;
//! let weather = client.subscribe("weather/*")?;
//! client.publish("weather/Oslo", &3.5)?;
//! for message in weather {
//!     println!("{}: {}", message.topic(), message.decode::<f64>()?);
//! }
//! # Ok(())
//! # }
//! ```

mod park;

use std::{
    fmt,
    sync::{Arc, mpsc::RecvTimeoutError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use self::park::{wait, wait_until};
use crate::{
    ClearError, CloseError, ConnectError, Event, FlushError, Message, Options, PublishError, PublishOptions,
    RequestError, ServerInfo, State, Stats, SubscribeError, SubscribeOptions,
    client::check_topic,
    value::{Bin, Encoded, check_one},
};

/// A connection to a broker, with a thread of its own. Cheap to clone; all clones share both.
///
/// When the last clone and the last [`Subscription`] are dropped, what is buffered is sent first, which takes
/// [`Options::close_timeout`] at the most. To learn whether all of it was, [`close`](Self::close) it.
#[derive(Debug, Clone)]
pub struct Client {
    // First the client: its end is what the thread waits for.
    client: crate::Client,
    thread: Arc<Thread>,
}

/// The thread on which the connection lives.
struct Thread {
    runtime: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects. See [`crate::Client::connect`].
    ///
    /// # Errors
    ///
    /// What kept the first connection from standing; also, as [`ConnectError::Io`], that the system gave no thread.
    pub fn connect(url: &str, options: Options) -> Result<Self, ConnectError> {
        let failed = |error: std::io::Error| ConnectError::Io {
            address: url.to_owned(),
            kind: error.kind(),
            text: error.to_string(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (sender, receiver) = oneshot::channel();
        let to = url.to_owned();
        let live = async move {
            let connected = crate::Client::connect(&to, options).await;
            // The thread lives as long as the connection, but it must not be what keeps it alive.
            let shared = connected.as_ref().ok().map(|client| Arc::clone(client.shared()));
            drop(sender.send(connected));
            if let Some(shared) = shared {
                shared.closed().await;
            }
        };
        let thread = std::thread::Builder::new()
            .name("broker-client".to_owned())
            .spawn(move || runtime.block_on(live))
            .map_err(failed)?;
        let thread = Arc::new(Thread { runtime: handle, thread: Some(thread) });
        let client =
            wait(receiver).map_err(|_| ConnectError::Options("the connection's thread has died"))??;
        Ok(Self { client, thread })
    }

    /// Publishes a value. See [`crate::Client::publish`].
    ///
    /// # Errors
    ///
    /// The value or the topic is not publishable, or the client is closed: then nothing is sent.
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<(), PublishError> {
        check_topic(topic)?;
        let encoded = Encoded::of(value)?;
        self.send(topic, encoded.as_bytes())
    }

    /// Publishes bytes that are exactly one msgpack value. See [`crate::Client::publish_raw`].
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and [`PublishError::NotOneValue`].
    pub fn publish_raw(&self, topic: &str, msgpack: &[u8]) -> Result<(), PublishError> {
        check_topic(topic)?;
        check_one(msgpack)?;
        self.send(topic, msgpack)
    }

    /// Publishes bytes as a msgpack bin.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_bytes(&self, topic: &str, bytes: &[u8]) -> Result<(), PublishError> {
        self.publish(topic, &Bin(bytes))
    }

    /// Publishes a value with options. See [`crate::Client::publish_with`].
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish); the reply topic is checked too.
    pub fn publish_with<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
        options: PublishOptions,
    ) -> Result<(), PublishError> {
        wait(self.client.publish_with(topic, value, options))
    }

    /// Publishes a value and waits until the server has handled it. See [`crate::Client::publish_confirmed`].
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and: refused, or the connection broke before the answer.
    pub fn publish_confirmed<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
        options: PublishOptions,
    ) -> Result<u64, PublishError> {
        wait(self.client.publish_confirmed(topic, value, options))
    }

    /// Has the server forget the retained messages of all topics that match. See [`crate::Client::clear`].
    ///
    /// # Errors
    ///
    /// The pattern does not parse, the server refuses it, the client is closed, or the connection broke before the answer.
    pub fn clear(&self, pattern: &str) -> Result<u64, ClearError> {
        wait(self.client.clear(pattern))
    }

    /// Subscribes to a pattern. See [`crate::Client::subscribe`].
    ///
    /// # Errors
    ///
    /// The pattern does not parse, the server refuses it, or the client is closed.
    pub fn subscribe(&self, pattern: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(pattern, SubscribeOptions::default())
    }

    /// Subscribes with options. See [`crate::Client::subscribe_with`].
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let subscription = wait(self.client.subscribe_with(pattern, options))?;
        Ok(Subscription { subscription, _thread: Arc::clone(&self.thread) })
    }

    /// Publishes a value with a reply topic, and waits for the first answer. See [`crate::Client::request`].
    ///
    /// # Errors
    ///
    /// Nobody subscribes to the topic, nobody answers in time, or the request could not be sent.
    pub fn request<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<Message, RequestError> {
        // Its timer belongs to the runtime.
        let _runtime = self.thread.runtime.enter();
        wait(self.client.request(topic, value))
    }

    /// Answers a message of a subscription that asked for [meta](SubscribeOptions::meta).
    ///
    /// # Errors
    ///
    /// [`PublishError::NoReplyTopic`] if nobody waits for an answer, and as [`publish`](Self::publish).
    pub fn respond<T: Serialize + ?Sized>(&self, request: &Message, value: &T) -> Result<(), PublishError> {
        self.publish(request.reply().ok_or(PublishError::NoReplyTopic)?, value)
    }

    /// A round trip. See [`crate::Client::flush`].
    ///
    /// # Errors
    ///
    /// Something that was published before is lost, or may be; or the client is closed.
    pub fn flush(&self) -> Result<(), FlushError> {
        wait(self.client.flush())
    }

    /// Sends what is buffered, waits until the server has handled it, and closes. See [`crate::Client::close`].
    ///
    /// # Errors
    ///
    /// Not everything could be sent and confirmed. The client is closed in any case.
    pub fn close(&self) -> Result<(), CloseError> {
        wait(self.client.close())
    }

    /// What happens to the connection, from now on; the first event says where the client stands.
    pub fn events(&self) -> Events {
        Events { events: self.client.events() }
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.client.state()
    }

    /// What the server said of itself; `None` while there is no connection.
    pub fn server(&self) -> Option<ServerInfo> {
        self.client.server()
    }

    /// What was sent, received and lost so far.
    pub fn stats(&self) -> Stats {
        self.client.stats()
    }

    /// Most of the time there is room, and nothing to wait for.
    fn send(&self, topic: &str, value: &[u8]) -> Result<(), PublishError> {
        if self.client.try_publish(topic, value)? {
            return Ok(());
        }
        wait(self.client.publish_raw(topic, value))
    }
}

/// A subscription: an iterator of messages, which waits for each. Dropping it unsubscribes.
///
/// See [`crate::Subscription`] for what happens when it is read too slowly, and after a reconnect.
#[derive(Debug)]
pub struct Subscription {
    subscription: crate::Subscription,
    _thread: Arc<Thread>,
}

impl Subscription {
    /// The next message; waits for it. `None` when no more will come.
    pub fn recv(&mut self) -> Option<Message> {
        wait(self.subscription.recv())
    }

    /// The next message; waits for it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if none came in time, [`RecvTimeoutError::Disconnected`] if no more will come.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message, RecvTimeoutError> {
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            return self.recv().ok_or(RecvTimeoutError::Disconnected);
        };
        match wait_until(self.subscription.recv(), deadline) {
            Some(message) => message.ok_or(RecvTimeoutError::Disconnected),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// The next message, if one is here.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.subscription.try_recv()
    }

    /// True when everything was read and no more will come.
    pub fn has_ended(&self) -> bool {
        self.subscription.has_ended()
    }

    /// The pattern that was subscribed to.
    pub fn pattern(&self) -> &str {
        self.subscription.pattern()
    }

    /// How many messages this subscription missed so far. See [`crate::Subscription::missed`].
    pub fn missed(&self) -> u64 {
        self.subscription.missed()
    }
}

impl Iterator for Subscription {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.recv()
    }
}

/// The events of a client: an iterator that waits for each, and ends behind [`Event::Closed`].
#[derive(Debug)]
pub struct Events {
    events: crate::Events,
}

impl Events {
    /// The next event, if one is here.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.events.try_recv()
    }

    /// The next event; waits for it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if none came in time, [`RecvTimeoutError::Disconnected`] behind [`Event::Closed`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            return self.next().ok_or(RecvTimeoutError::Disconnected);
        };
        match wait_until(self.events.recv(), deadline) {
            Some(event) => event.ok_or(RecvTimeoutError::Disconnected),
            None => Err(RecvTimeoutError::Timeout),
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        wait(self.events.recv())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The handles are gone: the thread sends what is buffered and ends, within the close timeout. A panic in it has been
        // reported by the panic hook.
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}
