//! A publishing thread: some publishers, each with its socket, its batch and its window or schedule.
//!
//! It never reads. Sockets do not block; a thread with nothing to do sleeps until a socket takes more, a window opens or a message is
//! due. A batch that was begun is always finished, so that the stream ends between two frames.

use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use super::clock::nanos;
use super::flow::Window;
use super::frame::Batch;
use super::shared::Shared;

/// How long a thread sleeps at most before it looks at everything again. Guessed; only a lost wake-up would need it.
const IDLE_MAX: Duration = Duration::from_millis(10);
/// The shortest sleep between two messages that are due: what comes sooner is sent together. Measured: a sleep takes
/// about 5 us longer than asked for.
const NAP_MIN: Duration = Duration::from_micros(10);
/// How long messages that were due before the end may still be sent after it.
const CATCH_UP: Duration = Duration::from_millis(500);
/// The token of the waker; publishers have their index.
const WAKER: Token = Token(usize::MAX);

/// When a publisher's messages are due, in an open loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// When message 0 is due, nanoseconds.
    pub(crate) first: u64,
    /// Nanoseconds between two messages.
    pub(crate) interval: f64,
}

impl Schedule {
    /// When message `number` is due.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn due(&self, number: u64) -> u64 {
        // Exact to the nanosecond for the first 104 days: f64 holds 53 bits.
        self.first + (number as f64 * self.interval) as u64
    }

    /// How many messages are due by `now`, the first included.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn due_by(&self, now: u64) -> u64 {
        now.checked_sub(self.first).map_or(0, |since| (since as f64 / self.interval) as u64 + 1)
    }
}

/// One publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    stream: TcpStream,
    number: u16,
    batch: Batch,
    window: Window,
    schedule: Option<Schedule>,
    /// Set by the receiving side of the same connection when the server asks for a sign of life.
    ping: Option<Arc<AtomicBool>>,
    sent: u64,
    /// What of the batch has yet to be written.
    pending: Range<usize>,
    blocked: bool,
    done: bool,
}

/// What became of one turn of a publisher.
enum Turn {
    /// It wrote something.
    Wrote,
    /// It waits for its socket or its window.
    Waits,
    /// Its next message is due then.
    Due(u64),
    /// It has stopped.
    Done,
}

impl Publisher {
    /// Publisher `number`, connected.
    pub(crate) fn new(
        stream: std::net::TcpStream,
        number: u16,
        batch: Batch,
        window: Window,
        schedule: Option<Schedule>,
        ping: Option<Arc<AtomicBool>>,
    ) -> Result<Self> {
        stream.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            number,
            batch,
            window,
            schedule,
            ping,
            sent: 0,
            pending: 0..0,
            blocked: false,
            done: false,
        })
    }

    fn turn(&mut self, now: u64, until: u64) -> Result<Turn> {
        if self.pending.is_empty() {
            // Without a schedule everything is always due.
            let due = self
                .schedule
                .map_or(u64::MAX, |schedule| schedule.due_by(now.min(until - 1)).saturating_sub(self.sent));
            let stop_at = until + if self.schedule.is_some() { nanos(CATCH_UP) } else { 0 };
            if now >= stop_at || (now >= until && due == 0) {
                self.done = true;
                return Ok(Turn::Done);
            }
            self.answer_ping()?;
            if let Some(schedule) = self.schedule.filter(|_| due == 0) {
                return Ok(Turn::Due(schedule.due(self.sent)));
            }
            let count = due.min(self.window.room(self.sent)).min(self.batch.messages_max() as u64);
            if count == 0 {
                return Ok(Turn::Waits);
            }
            self.fill(now, count);
        }
        if self.blocked {
            return Ok(Turn::Waits);
        }
        self.write()
    }

    fn fill(&mut self, now: u64, count: u64) {
        let count_here = usize::try_from(count).unwrap_or(usize::MAX);
        self.pending = match self.schedule {
            Some(schedule) => {
                self.batch.fill(self.number, self.sent, count_here, |number| schedule.due(number))
            }
            None => self.batch.fill(self.number, self.sent, count_here, |_| now),
        };
        self.sent += count;
        self.window.flow().set_sent(self.sent);
    }

    fn write(&mut self) -> Result<Turn> {
        let bytes = self.batch.bytes(self.pending.clone());
        match self.stream.write(bytes) {
            Ok(written) => {
                self.pending.start += written;
                // A short write has filled the socket's buffer. Elsewhere than on Linux the next one has to say so.
                self.blocked = !self.pending.is_empty() && cfg!(target_os = "linux");
                Ok(Turn::Wrote)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Ok(Turn::Waits)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Turn::Wrote),
            Err(error) => Err(error).context(format!("publisher {} lost its connection", self.number)),
        }
    }

    /// A server that heard nothing for a while asks; any frame would do, this is the smallest.
    fn answer_ping(&mut self) -> Result<()> {
        if self.ping.as_ref().is_some_and(|ping| ping.swap(false, Ordering::Relaxed)) {
            let mut pong = Vec::new();
            broker_core::wire::native::encode::pong(&mut pong);
            // The socket is empty: whoever writes much is not asked.
            self.stream.write_all(&pong).context("cannot answer a ping")?;
        }
        Ok(())
    }
}

/// The publishers of one thread.
#[derive(Debug)]
pub(crate) struct PublishThread {
    poll: Poll,
    waker: Arc<Waker>,
    publishers: Vec<Publisher>,
}

impl PublishThread {
    /// None yet.
    pub(crate) fn new() -> Result<Self> {
        let poll = Poll::new().context("cannot poll sockets")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("cannot make a waker")?);
        Ok(Self { poll, waker, publishers: Vec::new() })
    }

    /// What wakes this thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Adds one.
    pub(crate) fn add(&mut self, mut publisher: Publisher) -> Result<()> {
        let token = Token(self.publishers.len());
        self.poll
            .registry()
            .register(&mut publisher.stream, token, Interest::WRITABLE)
            .context("cannot poll a socket")?;
        self.publishers.push(publisher);
        Ok(())
    }

    /// Publishes until the run ends. The sockets stay open until the thread's state is dropped: it is returned.
    pub(crate) fn run(mut self, shared: &Shared) -> Result<Self> {
        let result = self.publish(shared);
        shared.published();
        if result.is_err() {
            shared.abort();
        }
        result.map(|()| self)
    }

    fn publish(&mut self, shared: &Shared) -> Result<()> {
        precise_sleep();
        let mut events = Events::with_capacity(256);
        loop {
            let now = shared.clock.now();
            if now < shared.start {
                std::thread::sleep(Duration::from_nanos(shared.start - now));
                continue;
            }
            if shared.is_aborted() {
                return Ok(());
            }
            let (mut wrote, mut blocked, mut due, mut done) = (false, false, None, true);
            for publisher in self.publishers.iter_mut().filter(|publisher| !publisher.done) {
                match publisher.turn(now, shared.until)? {
                    Turn::Wrote => wrote = true,
                    Turn::Due(at) => due = Some(due.map_or(at, |earlier: u64| earlier.min(at))),
                    Turn::Waits => {}
                    Turn::Done => continue,
                }
                blocked |= publisher.blocked;
                done = false;
            }
            if done {
                return Ok(());
            }
            // A full pipe to the peer must not hang the run: the drain time bounds the last batch as well.
            if now > shared.until + nanos(shared.drain) {
                anyhow::bail!("the peer did not take the last messages within {:?}", shared.drain);
            }
            match (wrote, due) {
                (true, _) if !blocked => {}
                (true, _) => self.wait(&mut events, Duration::ZERO)?,
                (false, Some(at)) if !blocked => {
                    let nap = Duration::from_nanos(at.saturating_sub(shared.clock.now()));
                    std::thread::sleep(nap.max(NAP_MIN).min(IDLE_MAX));
                }
                (false, Some(_)) => self.wait(&mut events, Duration::from_millis(1))?,
                (false, None) => self.wait(&mut events, IDLE_MAX)?,
            }
        }
    }

    fn wait(&mut self, events: &mut Events, timeout: Duration) -> Result<()> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error).context("cannot poll"),
            _ => {}
        }
        for event in &*events {
            if let Some(publisher) = self.publishers.get_mut(event.token().0) {
                publisher.blocked = false;
            }
        }
        if events.is_empty() && timeout > Duration::ZERO {
            self.publishers.iter_mut().for_each(|publisher| publisher.blocked = false);
        }
        Ok(())
    }
}

/// Asks the kernel not to round this thread's sleeps: by default they end up to 50 us late, as much as a relay takes.
fn precise_sleep() {
    #[cfg(target_os = "linux")]
    if rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).is_err() {
        // Sleeps are coarser then; the latencies show it for every peer alike.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_no_drift() {
        let schedule = Schedule { first: 1_000, interval: 1e9 / 3.0 };
        assert_eq!(schedule.due_by(999), 0);
        assert_eq!(schedule.due_by(1_000), 1);
        assert_eq!(schedule.due(3_000_000), 1_000 + 1_000_000_000_000_000);
        for number in [0, 1, 2, 10, 999_999] {
            assert!(schedule.due_by(schedule.due(number) + 1) == number + 1, "{number}");
        }
    }
}
