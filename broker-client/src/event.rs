//! What a client tells of its connection, and the streams that it tells it on.
//!
//! Invariants: a stream begins with where the client stands now; it holds at most [`EVENTS_MAX`] events, and what it
//! had to drop it tells as [`Event::EventsMissed`]; nothing follows [`Event::Closed`].

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
};

use crate::{CloseReason, ConnectionError, sync::lock};

/// How many events wait in one stream. A guess: seconds of the worst flapping, in a few 100 KiB.
const EVENTS_MAX: usize = 1024;

/// What happened to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection stands, and all subscriptions are asked for again.
    Connected {
        /// The session's number, as the server gave it.
        session: u64,
        /// How often this client has reconnected, this time included.
        reconnects: u64,
    },
    /// The connection is lost.
    Disconnected {
        /// Why.
        error: ConnectionError,
        /// Messages handed to the socket that no answer of the server covers: they may have arrived or not. Those of
        /// [`publish_confirmed`](crate::Client::publish_confirmed) and [`request`](crate::Client::request) are not
        /// among them: each of these calls fails for itself.
        unconfirmed: u64,
    },
    /// Messages were missed.
    Lagged {
        /// The subscription's pattern.
        pattern: String,
        /// How many.
        missed: u64,
        /// Who dropped them.
        by: LaggedBy,
    },
    /// The server refused a command that asked for no answer: a message is lost.
    Refused {
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
    /// After a reconnect the server refused a subscription that stood before. Its stream has ended.
    SubscriptionLost {
        /// The subscription's pattern.
        pattern: String,
        /// The code, as in docs/protocol.md.
        code: u16,
        /// A sentence for people.
        text: String,
    },
    /// So many events were dropped because this stream was not read.
    EventsMissed(u64),
    /// The client is closing for good, and so many messages that a publish had accepted were never sent.
    Unsent {
        /// How many.
        messages: u64,
    },
    /// The client is closed for good. The last event.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Who dropped what a subscription missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaggedBy {
    /// The server: this client read its socket too slowly.
    Server,
    /// This client: the program read its [`Subscription`](crate::Subscription) too slowly.
    Client,
}

/// The stream of a client's [`Event`]s, from [`Client::events`](crate::Client::events).
///
/// It begins with where the client stands: [`Event::Connected`], [`Event::Disconnected`] or [`Event::Closed`]. It does not
/// keep the connection alive. It holds at most 1,024 events; [`Event::Lagged`] of one subscription are added up.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Mutex<Queue>>,
}

impl Events {
    /// The next event; `None` after [`Event::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next event, if one waits.
    pub fn try_recv(&mut self) -> Option<Event> {
        lock(&self.queue).pop()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        if let Some(event) = queue.pop() {
            return Poll::Ready(Some(event));
        }
        if queue.ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(cx)
    }
}

/// Where events come in, and go out to every stream that still exists.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<HubState>,
}

#[derive(Debug)]
struct HubState {
    /// The newest of `Connected`, `Disconnected`, `Closed`: what a new stream begins with.
    current: Event,
    queues: Vec<Weak<Mutex<Queue>>>,
}

impl Hub {
    pub(crate) fn new(current: Event) -> Self {
        Self { state: Mutex::new(HubState { current, queues: Vec::new() }) }
    }

    pub(crate) fn subscribe(&self) -> Events {
        let mut state = lock(&self.state);
        let mut queue = Queue::default();
        queue.push(state.current.clone());
        let queue = Arc::new(Mutex::new(queue));
        state.queues.retain(|queue| queue.strong_count() > 0);
        state.queues.push(Arc::downgrade(&queue));
        Events { queue }
    }

    pub(crate) fn send(&self, event: &Event) {
        let mut state = lock(&self.state);
        if matches!(state.current, Event::Closed { .. }) {
            return;
        }
        if matches!(event, Event::Connected { .. } | Event::Disconnected { .. } | Event::Closed { .. }) {
            state.current = event.clone();
        }
        for queue in state.queues.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut queue = lock(&queue);
                queue.push(event.clone());
                queue.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// What waits in one stream.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    dropped: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn push(&mut self, event: Event) {
        if self.add_up(&event) {
            return;
        }
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.ended |= matches!(event, Event::Closed { .. });
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.dropped) {
            0 => self.events.pop_front(),
            dropped => Some(Event::EventsMissed(dropped)),
        }
    }

    /// Adds a `Lagged` to the one of the same subscription that waits already, unless something else happened since.
    fn add_up(&mut self, event: &Event) -> bool {
        let Event::Lagged { pattern, missed, by } = event else { return false };
        for waiting in self.events.iter_mut().rev() {
            match waiting {
                Event::Lagged { pattern: p, missed: m, by: b } => {
                    if p == pattern && b == by {
                        *m = m.saturating_add(*missed);
                        return true;
                    }
                }
                _ => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(session: u64) -> Event {
        Event::Connected { session, reconnects: session }
    }

    fn lagged(pattern: &str, missed: u64) -> Event {
        Event::Lagged { pattern: pattern.to_owned(), missed, by: LaggedBy::Client }
    }

    fn drain(events: &mut Events) -> Vec<Event> {
        std::iter::from_fn(|| events.try_recv()).collect()
    }

    #[test]
    fn a_stream_begins_with_where_the_client_stands() {
        let hub = Hub::new(connected(1));
        let mut early = hub.subscribe();
        let lost = Event::Disconnected { error: ConnectionError::Ended, unconfirmed: 3 };
        hub.send(&lost);
        hub.send(&lagged("a", 1));
        assert_eq!(drain(&mut early), [connected(1), lost.clone(), lagged("a", 1)]);
        assert_eq!(drain(&mut hub.subscribe()), [lost]);
    }

    #[test]
    fn lags_of_one_pattern_are_added_up() {
        let hub = Hub::new(connected(1));
        let mut events = hub.subscribe();
        for event in [lagged("a", 1), lagged("b", 2), lagged("a", 3), connected(2), lagged("a", 9)] {
            hub.send(&event);
        }
        assert_eq!(
            drain(&mut events),
            [connected(1), lagged("a", 4), lagged("b", 2), connected(2), lagged("a", 9)]
        );
    }

    #[test]
    fn a_stream_that_is_not_read_is_bounded_and_says_so() {
        let hub = Hub::new(connected(0));
        let mut events = hub.subscribe();
        for session in 1..=EVENTS_MAX as u64 + 9 {
            hub.send(&connected(session));
        }
        let all = drain(&mut events);
        assert_eq!(all.len(), EVENTS_MAX + 1);
        assert_eq!(all[0], Event::EventsMissed(10));
        assert_eq!(all[1], connected(10));
    }

    #[test]
    fn nothing_follows_closed() {
        let hub = Hub::new(connected(0));
        let mut events = hub.subscribe();
        let closed = Event::Closed { reason: CloseReason::Requested };
        hub.send(&closed);
        hub.send(&connected(1));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(events.poll_recv(&mut cx), Poll::Ready(Some(connected(0))));
        assert_eq!(events.poll_recv(&mut cx), Poll::Ready(Some(closed.clone())));
        assert_eq!(events.poll_recv(&mut cx), Poll::Ready(None));
        assert_eq!(drain(&mut hub.subscribe()), [closed]);
    }

    #[test]
    fn dropped_streams_are_forgotten() {
        let hub = Hub::new(connected(0));
        for _ in 0..100 {
            drop(hub.subscribe());
        }
        assert!(lock(&hub.state).queues.len() <= 1);
    }
}
