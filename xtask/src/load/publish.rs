//! A publishing thread: some publishers, each with its socket, its batch and its window or schedule.
//!
//! It reads what the server answers, and throws it away. Sockets do not block; a thread with nothing to do sleeps until a socket takes more, a window opens or a message is
//! due. A batch that was begun is always finished, so that the stream ends between two frames.

use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use super::busy::Busy;
use super::clock::nanos;
use super::flow::Window;
use super::frame::Batch;
use super::latency::histogram;
use super::protocol::Replies;
use super::shared::Shared;

/// How long a thread sleeps at most before it looks at everything again. Guessed; only a lost wake-up would need it.
const IDLE_MAX: Duration = Duration::from_millis(10);
/// The shortest sleep between two messages that are due: what comes sooner is sent together. Measured: a sleep takes
/// about 5 us longer than asked for.
const NAP_MIN: Duration = Duration::from_micros(10);
/// How long messages that were due before the end may still be sent after it.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How often a thread that never waits looks for answers of the server. Guessed: Redis answers 10 KB in that time.
const ANSWERS_EVERY: Duration = Duration::from_millis(1);
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

/// Who reads what the server says to a publisher.
#[derive(Debug)]
pub(crate) enum Answers {
    /// It says nothing.
    None,
    /// The publisher.
    Read(Replies),
    /// The subscriber on the same connection. It sets the flag when the server asks for a sign of life, which these bytes are.
    ReadElsewhere(Arc<AtomicBool>, &'static [u8]),
}

/// One publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    stream: TcpStream,
    number: u16,
    batch: Batch,
    window: Window,
    schedule: Option<Schedule>,
    answers: Answers,
    /// To be written between two batches.
    pong: &'static [u8],
    sent: u64,
    /// What of the batch has yet to be written.
    pending: Range<usize>,
    blocked: bool,
    /// It had to wait for its socket or its window since it last had messages to send.
    held_up: bool,
    /// When that was last over: that messages due before then are late is the peer's doing.
    excused_until: u64,
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
        answers: Answers,
    ) -> Result<Self> {
        stream.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            number,
            batch,
            window,
            schedule,
            answers,
            pong: &[],
            sent: 0,
            pending: 0..0,
            blocked: false,
            held_up: false,
            excused_until: 0,
            done: false,
        })
    }

    fn turn(&mut self, now: u64, shared: &Shared, lag: &mut Histogram<u64>) -> Result<Turn> {
        let until = shared.until();
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
                self.held_up = true;
                return Ok(Turn::Waits);
            }
            if std::mem::take(&mut self.held_up) {
                self.excused_until = now;
            }
            if let Some(schedule) = self.schedule.filter(|_| now >= shared.measure_from) {
                for due in (self.sent..self.sent + count).map(|number| schedule.due(number)) {
                    if due >= self.excused_until {
                        lag.saturating_record(now.saturating_sub(due));
                    }
                }
            }
            self.fill(now, count);
        }
        if self.blocked {
            self.held_up = true;
            return Ok(Turn::Waits);
        }
        self.write()
    }

    fn fill(&mut self, now: u64, count: u64) {
        let count_here = usize::try_from(count).unwrap_or(usize::MAX);
        self.pending = match self.schedule {
            Some(schedule) => {
                self.batch.fill(self.number, self.sent, count_here, now, |number| schedule.due(number))
            }
            None => self.batch.fill(self.number, self.sent, count_here, now, |_| now),
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

    /// Reads what the server answered.
    fn read(&mut self) -> Result<()> {
        if let Answers::Read(replies) = &mut self.answers {
            let pong = replies.drain(&mut self.stream).context(format!("publisher {}", self.number))?;
            if !pong.is_empty() {
                self.pong = pong;
            }
        }
        Ok(())
    }

    /// A server that heard nothing for a while asks. Only between two batches.
    fn answer_ping(&mut self) -> Result<()> {
        if let Answers::ReadElsewhere(flag, pong) = &self.answers
            && flag.swap(false, Ordering::Relaxed)
        {
            self.pong = pong;
        }
        if !self.pong.is_empty() {
            // The socket is empty: whoever writes much is not asked, or answers in time.
            self.stream.write_all(std::mem::take(&mut self.pong)).context("cannot answer a ping")?;
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
    /// Whether there may be answers to read.
    reads: bool,
    /// How much later than intended messages were handed over while measuring, nanoseconds; but for what a full socket or window held up.
    pub(crate) lag: Histogram<u64>,
    /// How busy the thread was while measuring.
    pub(crate) busy: Busy,
}

impl PublishThread {
    /// None yet.
    pub(crate) fn new() -> Result<Self> {
        let poll = Poll::new().context("cannot poll sockets")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("cannot make a waker")?);
        Ok(Self {
            poll,
            waker,
            publishers: Vec::new(),
            reads: false,
            lag: histogram(),
            busy: Busy::default(),
        })
    }

    /// What wakes this thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Adds one.
    pub(crate) fn add(&mut self, mut publisher: Publisher) -> Result<()> {
        let token = Token(self.publishers.len());
        let interest = match publisher.answers {
            Answers::Read(_) => Interest::WRITABLE | Interest::READABLE,
            Answers::None | Answers::ReadElsewhere(..) => Interest::WRITABLE,
        };
        self.reads |= interest.is_readable();
        self.poll
            .registry()
            .register(&mut publisher.stream, token, interest)
            .context("cannot poll a socket")?;
        self.publishers.push(publisher);
        Ok(())
    }

    /// Publishes until the run ends. The sockets stay open until the thread's state is dropped: it is returned.
    pub(crate) fn run(mut self, shared: &Shared) -> Result<Self> {
        let result = self.publish(shared);
        self.busy.look(shared.clock.now(), shared);
        shared.published();
        if result.is_err() {
            shared.abort();
        }
        result.map(|()| self)
    }

    fn publish(&mut self, shared: &Shared) -> Result<()> {
        precise_sleep();
        let mut events = Events::with_capacity(256);
        let mut looked = 0;
        loop {
            let now = shared.clock.now();
            self.busy.look(now, shared);
            if self.reads && now > looked + nanos(ANSWERS_EVERY) {
                looked = now;
                self.wait(&mut events, Duration::ZERO)?;
            }
            if now < shared.start {
                std::thread::sleep(Duration::from_nanos(shared.start - now));
                continue;
            }
            if shared.is_aborted() {
                return Ok(());
            }
            let (mut wrote, mut blocked, mut due, mut done) = (false, false, None, true);
            for publisher in self.publishers.iter_mut().filter(|publisher| !publisher.done) {
                match publisher.turn(now, shared, &mut self.lag)? {
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
            if now > shared.until() + nanos(shared.drain) {
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
                publisher.blocked &= !event.is_writable();
                if event.is_readable() {
                    publisher.read()?;
                }
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
