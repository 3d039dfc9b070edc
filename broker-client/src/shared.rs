//! What the handles of a client and its connection's task share, and what the handles do with it.
//!
//! Who holds a [`Handle`] keeps the connection alive: clients and subscriptions. The task holds [`Shared`] alone. Lock
//! order: router, link, hub.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use broker_core::wire::native::PublishOptions as WireOptions;
use tokio::{
    sync::{Notify, OnceCell, oneshot},
    time::Instant,
};

use crate::{
    CloseReason, Event, Options, PublishError, ServerInfo, State, Stats,
    address::Address,
    event::Hub,
    info::Counters,
    link::{Answer, Closed, Closing, Link, Offer},
    router::Router,
    subscription::Registration,
    sync::lock,
};

/// One client, seen from inside.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) address: Address,
    pub(crate) router: Mutex<Router>,
    pub(crate) link: Mutex<Link>,
    pub(crate) hub: Hub,
    pub(crate) counters: Counters,
    /// Wakes the task.
    pub(crate) wake: Notify,
    /// Wakes those who wait for room in the buffer.
    pub(crate) space: Notify,
    /// Wakes those who wait for the end.
    ended: Notify,
    requests: AtomicU64,
}

/// Keeps a client's connection alive.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    /// The subscription to the answers to this client's requests, from the first request on.
    pub(crate) inbox: OnceCell<Registration>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.begin_close(CloseReason::Dropped);
    }
}

impl Shared {
    pub(crate) fn new(address: Address, options: Options, server: ServerInfo) -> Self {
        let inbox = format!("!inbox/{:016x}{:016x}/", fastrand::u64(..), fastrand::u64(..));
        let connected = Event::Connected { session: server.session, reconnects: 0 };
        Self {
            router: Mutex::new(Router::new(inbox)),
            link: Mutex::new(Link::new(options.buffer_bytes_max, server)),
            hub: Hub::new(connected),
            counters: Counters::default(),
            wake: Notify::new(),
            space: Notify::new(),
            ended: Notify::new(),
            requests: AtomicU64::new(1),
            options,
            address,
        }
    }

    /// Runs `act` on the link and wakes the task if it has something to do then.
    pub(crate) fn with_link<T>(&self, act: impl FnOnce(&mut Link) -> T) -> T {
        let mut link = lock(&self.link);
        let out = act(&mut link);
        let wake = link.take_wake();
        drop(link);
        if wake {
            self.wake.notify_one();
        }
        out
    }

    /// Offers something to the buffer until there is room for it.
    ///
    /// Cancel safety: nothing is taken while this waits.
    pub(crate) async fn offer<T, E>(
        &self,
        mut attempt: impl FnMut(&mut Link) -> Result<Offer<T>, E>,
    ) -> Result<T, E> {
        if let Offer::Taken(out) = self.with_link(&mut attempt)? {
            return Ok(out);
        }
        loop {
            let mut space = pin!(self.space.notified());
            // From here on no wake-up is missed.
            space.as_mut().enable();
            if let Offer::Taken(out) = self.with_link(&mut attempt)? {
                return Ok(out);
            }
            space.await;
        }
    }

    /// Offers a message, once. The topics have been checked.
    pub(crate) fn try_send(
        &self,
        topic: &str,
        value: &[u8],
        options: WireOptions<'_>,
    ) -> Result<Offer<()>, PublishError> {
        self.with_link(|link| link.offer_message(topic, value, options))
    }

    /// Sends a message and returns where its answer will come.
    pub(crate) async fn send_confirmed(
        &self,
        topic: &str,
        value: &[u8],
        options: WireOptions<'_>,
    ) -> Result<oneshot::Receiver<Answer>, PublishError> {
        self.offer(|link| link.offer_confirmed(topic, value, options)).await
    }

    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks the task to send what waits and to end. The first reason counts.
    pub(crate) fn begin_close(&self, reason: CloseReason) {
        let mut link = lock(&self.link);
        if link.closing.is_none() && link.closed.is_none() {
            let deadline = Instant::now() + self.options.close_timeout;
            link.closing = Some(Closing { reason, deadline });
        }
        drop(link);
        self.space.notify_waiters();
        self.wake.notify_one();
    }

    /// Waits for the end.
    pub(crate) async fn closed(&self) -> Closed {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if let Some(closed) = lock(&self.link).closed.clone() {
                return closed;
            }
            ended.await;
        }
    }

    /// The end: whoever waits for something learns that it will not come. Only the first call counts.
    pub(crate) fn finish(&self, reason: CloseReason) {
        let mut router = lock(&self.router);
        let mut link = lock(&self.link);
        if link.closed.is_some() {
            return;
        }
        let closed = link.close(reason);
        router.close();
        drop((link, router));
        self.counters.unsent.add(closed.unsent);
        if closed.unsent > 0 {
            self.hub.send(&Event::Unsent { messages: closed.unsent });
        }
        tracing::debug!(address = %self.address, reason = %closed.reason, unsent = closed.unsent, "closed");
        self.hub.send(&Event::Closed { reason: closed.reason });
        self.space.notify_waiters();
        self.ended.notify_waiters();
    }

    pub(crate) fn server(&self) -> Option<ServerInfo> {
        let link = lock(&self.link);
        (link.state == State::Connected).then(|| link.server.clone())
    }

    pub(crate) fn stats(&self) -> Stats {
        let subscriptions = lock(&self.router).subscriptions();
        let (messages_out, buffered_bytes) = {
            let link = lock(&self.link);
            (link.messages_out, link.buffered_bytes())
        };
        let counters = &self.counters;
        Stats {
            messages_out,
            bytes_out: counters.bytes_out.get(),
            messages_in: counters.messages_in.get(),
            bytes_in: counters.bytes_in.get(),
            missed_here: counters.missed_here.get(),
            missed_at_server: counters.missed_at_server.get(),
            refused: counters.refused.get(),
            unconfirmed: counters.unconfirmed.get(),
            unsent: counters.unsent.get(),
            reconnects: counters.reconnects.get(),
            buffered_bytes,
            subscriptions,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.link).state;
        f.debug_struct("Shared")
            .field("address", &self.address)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
