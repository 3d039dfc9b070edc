//! The window: how far each publisher may run ahead of the slowest subscriber that gets its messages.
//!
//! Publishers and subscribers are threads of one process, so what has arrived is told through shared atomics, not through the broker.
//! A publisher that finds its window full names the subscriber it waits for and sleeps; that subscriber's thread wakes
//! it once half of the window is free again. Invariant: with a window, `sent` is never more than `window` numbers ahead of any slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use mio::Waker;

/// What one publisher and its subscribers share.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Messages handed to the socket. Written by the publisher.
    sent: AtomicU64,
    /// For each subscriber of this publisher: the number it expects next. Written by the subscribers.
    slots: Box<[AtomicU64]>,
    /// The slot that the publisher waits for, and how far it has to come; `u64::MAX` while it does not wait.
    waits_for: AtomicUsize,
    waits_until: AtomicU64,
    waker: Arc<Waker>,
}

impl Flow {
    /// For a publisher with `subscribers` subscribers, whose thread `waker` wakes.
    pub(crate) fn new(subscribers: usize, waker: Arc<Waker>) -> Self {
        Self {
            sent: AtomicU64::new(0),
            slots: (0..subscribers).map(|_| AtomicU64::new(0)).collect(),
            waits_for: AtomicUsize::new(0),
            waits_until: AtomicU64::new(u64::MAX),
            waker,
        }
    }

    /// Messages sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(SeqCst)
    }

    /// Tells how many messages have been sent.
    pub(crate) fn set_sent(&self, sent: u64) {
        self.sent.store(sent, SeqCst);
    }

    /// Tells that the subscriber in `slot` expects `next`, and wakes the publisher if it waits for that.
    pub(crate) fn advance(&self, slot: usize, next: u64) {
        let Some(place) = self.slots.get(slot) else { return };
        place.store(next, SeqCst);
        let until = self.waits_until.load(SeqCst);
        if next >= until && self.waits_for.load(SeqCst) == slot {
            // Whoever takes the wish out wakes; a failed exchange means that the publisher is awake already.
            let taken = self.waits_until.compare_exchange(until, u64::MAX, SeqCst, SeqCst);
            if taken.is_ok() && self.waker.wake().is_err() {
                // The publisher looks again by itself before long (`IDLE_MAX` in `publish.rs`).
            }
        }
    }

    /// The subscriber that is furthest behind, and what it expects next. `None` without subscribers.
    fn slowest(&self) -> Option<(usize, u64)> {
        self.slots.iter().map(|slot| slot.load(SeqCst)).enumerate().min_by_key(|&(_, next)| next)
    }
}

/// The publisher's side of a [`Flow`].
#[derive(Debug)]
pub(crate) struct Window {
    flow: Arc<Flow>,
    /// `None`: no bound (open loop).
    messages: Option<u64>,
    /// The slowest slot when it was last looked up: it can only have moved up since.
    slowest_next: u64,
}

impl Window {
    /// A window of `messages` over `flow`.
    pub(crate) fn new(flow: Arc<Flow>, messages: Option<u64>) -> Self {
        Self { flow, messages, slowest_next: 0 }
    }

    /// What it is shared through.
    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// How many messages may be sent now, after `sent`. At 0 the waker is called when there is room again.
    pub(crate) fn room(&mut self, sent: u64) -> u64 {
        let Some(window) = self.messages else { return u64::MAX };
        let half = window / 2;
        let ahead = sent.saturating_sub(self.slowest_next);
        if ahead < window {
            return window - ahead;
        }
        // Full, as far as is known. Whoever waits waits for half of it: many small batches would cost more.
        for _ in 0..2 {
            let Some((slot, next)) = self.flow.slowest() else { return u64::MAX };
            self.slowest_next = next;
            let ahead = sent.saturating_sub(next);
            if ahead <= half {
                self.flow.waits_until.store(u64::MAX, SeqCst);
                return window - ahead;
            }
            // Say what is waited for, then look again: the slot may have moved in between, unseen by the subscriber.
            self.flow.waits_for.store(slot, SeqCst);
            self.flow.waits_until.store(sent - half, SeqCst);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    fn flow(subscribers: usize) -> (Arc<Flow>, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        (Arc::new(Flow::new(subscribers, waker)), poll)
    }

    fn woken(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    }

    #[test]
    fn the_slowest_subscriber_holds_the_publisher() {
        let (flow, mut poll) = flow(3);
        let mut window = Window::new(Arc::clone(&flow), Some(10));
        assert_eq!(window.room(0), 10);
        flow.advance(0, 10);
        flow.advance(2, 10);
        assert_eq!(window.room(10), 0);
        assert!(!woken(&mut poll));
        flow.advance(1, 4);
        assert!(!woken(&mut poll), "less than half of the window is free");
        flow.advance(1, 5);
        assert!(woken(&mut poll));
        assert_eq!(window.room(10), 5);
    }

    #[test]
    fn a_window_of_one_still_moves() {
        let (flow, mut poll) = flow(1);
        let mut window = Window::new(Arc::clone(&flow), Some(1));
        for sent in 0..5 {
            assert_eq!(window.room(sent), 1);
            assert_eq!(window.room(sent + 1), 0);
            flow.advance(0, sent + 1);
            assert!(woken(&mut poll));
        }
    }

    #[test]
    fn every_place_of_the_window_is_used() {
        let mut window = Window::new(flow(1).0, Some(7));
        for sent in 0..7 {
            assert_eq!(window.room(sent), 7 - sent);
        }
        assert_eq!(window.room(7), 0);
    }

    #[test]
    fn no_window_and_no_subscriber_are_no_bound() {
        assert_eq!(Window::new(flow(1).0, None).room(1_000), u64::MAX);
        assert_eq!(Window::new(flow(0).0, Some(4)).room(1_000), u64::MAX);
    }

    #[test]
    fn no_wake_up_is_lost() {
        let (flow, mut poll) = flow(1);
        let total = 200_000_u64;
        let subscriber = Arc::clone(&flow);
        let thread = std::thread::spawn(move || {
            let mut next = 0;
            while next < total {
                let sent = subscriber.sent();
                if sent > next {
                    next = sent;
                    subscriber.advance(0, next);
                } else {
                    std::thread::yield_now();
                }
            }
        });
        let mut window = Window::new(Arc::clone(&flow), Some(8));
        let mut events = Events::with_capacity(4);
        let mut sent = 0;
        while sent < total {
            let room = window.room(sent);
            if room == 0 {
                poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
                assert!(!events.is_empty(), "not woken at {sent}");
                continue;
            }
            sent += room;
            flow.set_sent(sent);
        }
        thread.join().unwrap();
    }
}
