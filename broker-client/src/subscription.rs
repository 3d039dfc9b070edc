//! A subscription: what a program reads messages from, and what asks the server for them.
//!
//! Invariant: whoever is dropped, at whatever point, leaves nothing behind, here or at the server.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use broker_core::glob_tree::{Dialect, Pattern, PatternError, PatternLimits};
use tokio::{sync::oneshot, task::coop};

use crate::{
    Message, State, SubscribeError, SubscribeOptions,
    link::Offer,
    queue::Queue,
    router::{Subscribed, Subscriber},
    shared::{Handle, Shared},
    sync::lock,
};

/// The server decides which patterns are too complex; these limits only keep a slip from eating memory here.
const PATTERN_LIMITS: PatternLimits =
    PatternLimits { bytes_max: 1 << 16, stars_max: 256, alternatives_max: 4096 };

/// A pattern as a program gives it.
pub(crate) fn parse_pattern(pattern: &str) -> Result<Pattern, PatternError> {
    Pattern::parse(pattern, Dialect::Glob, &PATTERN_LIMITS)
}

/// A stream of the messages that match a pattern, from [`Client::subscribe`](crate::Client::subscribe).
///
/// Messages wait here in a queue that is bounded in messages and in bytes. If the program reads too slowly, the oldest
/// are dropped: counted in [`missed`](Self::missed) and told as [`Event::Lagged`](crate::Event::Lagged). No subscription ever
/// holds up another.
///
/// After a reconnect the subscription goes on by itself. What was published in between is not delivered; but the
/// retained messages of the topics that match are sent again (unless
/// [`SubscribeOptions::retained`] is false), so that it ends with the newest.
///
/// Dropping it unsubscribes. A subscription keeps the connection alive, as a [`Client`](crate::Client) does.
#[derive(Debug)]
pub struct Subscription {
    // First the registration: it is to be gone before the handle, whose end closes the connection.
    _registration: Registration,
    queue: Arc<Queue>,
    taken: VecDeque<Message>,
    _handle: Arc<Handle>,
}

impl Subscription {
    /// Subscribes, and waits for the server's answer.
    pub(crate) async fn open(
        handle: &Arc<Handle>,
        pattern: &str,
        options: &SubscribeOptions,
    ) -> Result<Self, SubscribeError> {
        let shared = &handle.shared;
        let pattern = parse_pattern(pattern).map_err(SubscribeError::Pattern)?;
        let queue = Arc::new(Queue::new(
            pattern.as_str().into(),
            options.buffer_messages.unwrap_or(shared.options.subscription_messages_max),
            options.buffer_bytes.unwrap_or(shared.options.subscription_bytes_max),
        ));
        let registration = Registration::open(shared, &pattern, options, Some(&queue)).await?;
        Ok(Self { _registration: registration, queue, taken: VecDeque::new(), _handle: Arc::clone(handle) })
    }

    /// The next message; waits for it. `None` when no more will come: the client is closed (or the server refused the
    /// subscription after a reconnect), and everything that had arrived was read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message, if one is here.
    pub fn try_recv(&mut self) -> Option<Message> {
        if self.taken.is_empty() {
            // Pending and ended are the same here: nothing to give.
            let _ = self.queue.poll_take(&mut self.taken, None);
        }
        self.taken.pop_front()
    }

    /// True when everything was read and no more will come.
    pub fn has_ended(&self) -> bool {
        self.taken.is_empty() && self.queue.has_ended()
    }

    /// The pattern that was subscribed to.
    pub fn pattern(&self) -> &str {
        self.queue.pattern()
    }

    /// How many messages this subscription missed so far: dropped here because the program read too slowly, and dropped by the
    /// server, as far as it told so for this pattern (where several patterns match a message, it names one of them).
    pub fn missed(&self) -> u64 {
        self.queue.missed()
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        if let Some(message) = self.taken.pop_front() {
            return Poll::Ready(Some(message));
        }
        // Once per batch: a stream that never runs dry must not starve other tasks of its thread.
        let budget = ready!(coop::poll_proceed(cx));
        let some = ready!(self.queue.poll_take(&mut self.taken, Some(cx)));
        budget.made_progress();
        Poll::Ready(if some { self.taken.pop_front() } else { None })
    }
}

impl futures_core::Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_recv(cx)
    }
}

/// That a pattern is subscribed to. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Registration {
    shared: Arc<Shared>,
    pattern: Pattern,
    id: u64,
}

impl Registration {
    /// Subscribes and waits for the answer, however often the connection breaks meanwhile.
    ///
    /// Cancel safety: if the future is dropped, the registration in it is, and with that the subscription.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        pattern: &Pattern,
        options: &SubscribeOptions,
        queue: Option<&Arc<Queue>>,
    ) -> Result<Self, SubscribeError> {
        shared
            .offer(|link| match link.end() {
                Some(reason) => Err(SubscribeError::Closed(reason)),
                // Without a connection nothing is appended: what is subscribed to is asked for when there is one.
                None if link.is_full() && link.state == State::Connected => Ok(Offer::Full),
                None => Ok(Offer::Taken(())),
            })
            .await?;
        let (registration, answer) = Self::begin(shared, pattern, options, queue)?;
        match answer.await {
            Ok(outcome) => outcome.map(|()| registration),
            // The router was emptied: the client is closed.
            Err(_) => Err(SubscribeError::Closed(shared.closed().await.reason)),
        }
    }

    fn begin(
        shared: &Arc<Shared>,
        pattern: &Pattern,
        options: &SubscribeOptions,
        queue: Option<&Arc<Queue>>,
    ) -> Result<(Self, oneshot::Receiver<Subscribed>), SubscribeError> {
        let (subscriber, answer) = Subscriber::new(queue.cloned(), options);
        let registration = Self { shared: Arc::clone(shared), pattern: pattern.clone(), id: subscriber.id() };
        let mut router = lock(&shared.router);
        shared.with_link(|link| {
            if let Some(reason) = link.end() {
                return Err(SubscribeError::Closed(reason));
            }
            let ask = router.add(pattern, subscriber)?;
            if link.state == State::Connected {
                link.subscribe(ask);
            }
            Ok(())
        })?;
        drop(router);
        Ok((registration, answer))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut router = lock(&self.shared.router);
        if router.remove(self.pattern.as_str(), self.id) {
            self.shared.with_link(|link| {
                if link.state == State::Connected && link.end().is_none() {
                    link.unsubscribe(self.pattern.as_str());
                }
            });
        }
    }
}
