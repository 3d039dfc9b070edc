//! Waiting for a future by parking the thread.
//!
//! The futures of this crate need no runtime to be polled, only to be woken; so a thread can wait for them without being
//! part of one. Invariant: a wake-up between a poll and the parking is not lost, since `unpark` leaves a token.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use tokio::task::coop::unconstrained;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    // Should this thread run a task after all, that task's budget must not keep the future from its end.
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(out) = future.as_mut().poll(&mut cx) {
            return out;
        }
        thread::park();
    }
}

/// Waits for a future until `deadline`, then drops it. It is polled at least once.
pub(super) fn wait_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(out) = future.as_mut().poll(&mut cx) {
            return Some(out);
        }
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[test]
    fn a_value_from_another_thread_is_waited_for() {
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || sender.send(7));
        assert_eq!(wait(receiver), Ok(7));
        assert_eq!(other.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let (sender, receiver) = oneshot::channel::<u8>();
        assert_eq!(wait_until(receiver, Instant::now() + Duration::from_millis(5)), None);
        assert!(sender.is_closed());
        assert_eq!(wait_until(std::future::ready(7), Instant::now()), Some(7));
    }
}
