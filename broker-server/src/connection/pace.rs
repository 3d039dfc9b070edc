//! How soon a session that has much to do is handled again.
//!
//! A batch costs a system call for each subscriber, however few messages are in it. A publisher that sends one message at a time, and sends more
//! while the one before is being written, made as many batches as a machine could bear: with fifty subscribers all of two cores at 5,000 messages a
//! second and at 100,000. So the next batch waits until the last one has paid: what comes meanwhile goes together. Nobody waits for more: a publisher
//! whose batches are rare, large, or go to few subscribers is read at once.
//!
//! A subscriber that joins a hundred thousand topics rests between its turns: on a machine whose cores are all at work the system lets a thread that never
//! sleeps go on for some milliseconds before others have their turn.

use std::io;
use std::time::{Duration, Instant};

use broker_core::{Next, Progress};

/// The time between two small batches, for each subscriber that they are written to. A write takes the broker 4 us and the one who reads it 3 us (measured).
const PER_OUTBOX: Duration = Duration::from_micros(10);

/// The longest time between two of them.
const PAUSE_MAX: Duration = Duration::from_millis(1);

/// A batch of this size has paid for its writes: copying it takes about as long.
const LARGE_BYTES: usize = 16 << 10;

/// Turns of a join behind one another: half a millisecond. A shorter one is not held up.
const JOIN_TURNS: u32 = 8;

/// Behind so many of them. Measured: at 10,000 messages a second from one to another, p99 beside joins of 100,000 topics went from 3.0 to 0.8 ms.
const JOIN_REST: Duration = Duration::from_micros(250);

/// Of one session.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Turns of a join since its last rest.
    join_turns: u32,
    /// When its last batch for many was handled.
    last: Option<Instant>,
    /// While one pause follows the other.
    timer: Option<Timer>,
}

impl Pace {
    /// Waits behind a turn, if it was one of many small batches, or of a long join.
    #[inline]
    pub(super) async fn keep(&mut self, progress: &Progress) {
        if let Some(pause) = self.pause(progress, Instant::now) {
            self.wait(pause).await;
        }
    }

    #[inline]
    fn pause(&mut self, progress: &Progress, now: impl FnOnce() -> Instant) -> Option<Duration> {
        if progress.joins {
            self.join_turns += 1;
            let rests = self.join_turns >= JOIN_TURNS && progress.next == Next::Turn;
            return rests.then(|| self.join_turns = 0).map(|()| JOIN_REST);
        }
        self.join_turns = 0;
        if progress.left == 0 || progress.consumed >= LARGE_BYTES {
            self.timer = None;
            return None;
        }
        let outboxes = u32::try_from(progress.left).unwrap_or(u32::MAX);
        let pause = PER_OUTBOX.saturating_mul(outboxes).min(PAUSE_MAX);
        let last = self.last.replace(now());
        // One that came soon behind another: with the pause between them, it would still be one of many.
        let is_soon = self.last.zip(last).is_some_and(|(this, last)| this - last < pause * 2);
        if !is_soon {
            self.timer = None;
        }
        is_soon.then_some(pause)
    }

    async fn wait(&mut self, pause: Duration) {
        let timer = self.timer.take().map_or_else(Timer::new, Ok);
        match timer {
            Ok(timer) if timer.wait(pause).await.is_ok() => self.timer = Some(timer),
            // Out of handles.
            _ => tokio::time::sleep(pause).await,
        }
    }
}

/// Waits for parts of a millisecond, which the timers of the runtime round up. It holds a handle.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Timer(tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "what took its place is unsafe code, and asks for no more than to own the handle"
        )]
        AsyncFd::with_interest(timer, Interest::READABLE).map(Timer)
    }

    /// Cancel safe: the next one sets it anew.
    async fn wait(&self, pause: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let it_value = Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

/// Waits as the runtime does.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    fn new() -> io::Result<Self> {
        Ok(Timer)
    }

    #[expect(clippy::unused_self, reason = "elsewhere it is a handle")]
    async fn wait(&self, pause: Duration) -> io::Result<()> {
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_batches_for_many_that_come_often_are_held_apart() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut check = |at_us, consumed, left, want_us: Option<u64>| {
            let progress = Progress { consumed, next: Next::Turn, left, joins: false };
            let pause = pace.pause(&progress, || start + Duration::from_micros(at_us));
            assert_eq!(pause, want_us.map(Duration::from_micros), "at {at_us}");
        };
        check(0, 100, 50, None);
        check(10, 100, 0, None);
        check(300, 100, 50, Some(500));
        check(810, 100, 50, Some(500));
        check(900, LARGE_BYTES, 50, None);
        check(1_400, 100, 5_000, Some(1_000));
        check(9_000, 100, 50, None);
    }

    #[test]
    fn a_long_join_rests() {
        let mut pace = Pace::default();
        let mut turn = |next, joins| {
            let progress = Progress { consumed: 0, next, left: 0, joins };
            pace.pause(&progress, Instant::now)
        };
        for _ in 1..JOIN_TURNS {
            assert_eq!(turn(Next::Turn, true), None, "it may be a short one");
        }
        assert_eq!(turn(Next::Room, true), None, "it rests anyway");
        assert_eq!(turn(Next::Turn, true), Some(JOIN_REST));
        for _ in 1..JOIN_TURNS {
            assert_eq!(turn(Next::Turn, true), None, "it has rested");
        }
        assert_eq!(turn(Next::Turn, false), None, "it is over");
        assert_eq!(turn(Next::Turn, true), None, "and this is another");
    }

    #[tokio::test]
    async fn each_pause_takes_its_time() {
        let mut pace = Pace::default();
        for _ in 0..3 {
            let start = Instant::now();
            pace.wait(Duration::from_micros(300)).await;
            assert!(start.elapsed() >= Duration::from_micros(300));
        }
    }
}
