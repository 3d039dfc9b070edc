//! A publishing thread: some publishers, each with its socket, its batch and its window or schedule.
//!
//! It reads what the server answers, and throws it away. Sockets do not block; a thread with nothing to do sleeps until a socket takes more, a window opens or a message is
//! due. A batch that was begun is always finished, so that the stream ends between two frames.

mod publisher;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, Waker};

use publisher::Turn;
pub(crate) use publisher::{Answers, Publisher, Schedule};

use super::busy::Busy;
use super::clock::nanos;
use super::latency::histogram;
use super::shared::Shared;
use super::subscriber::Books;
use super::taken::Taken;

/// How long a thread sleeps at most before it looks at everything again. Guessed; only a lost wake-up would need it.
const IDLE_MAX: Duration = Duration::from_millis(10);
/// The shortest sleep between two messages that are due: what comes sooner is sent together. Measured: a sleep takes
/// about 5 us longer than asked for.
const NAP_MIN: Duration = Duration::from_micros(10);
/// What is added to that for each subscriber, up to [`NAP_MAX`]. No peer hands a message to so many sooner; who sends more often takes nothing but
/// processor time from it: a tenth of two cores at 100,000 a second to fifty (measured).
const NAP_PER_SUBSCRIBER: Duration = Duration::from_micros(2);
/// The longest of them. It counts as latency, as everything does behind the time that was meant.
const NAP_MAX: Duration = Duration::from_micros(200);
/// How often a thread that never waits looks for answers of the server. Guessed: Redis answers 10 KB in that time.
const ANSWERS_EVERY: Duration = Duration::from_millis(1);
/// The token of the waker; publishers have their index.
const WAKER: Token = Token(usize::MAX);

/// The publishers of one thread.
#[derive(Debug)]
pub(crate) struct PublishThread {
    index: usize,
    /// The shortest sleep.
    nap: Duration,
    poll: Poll,
    waker: Arc<Waker>,
    publishers: Vec<Publisher>,
    /// Whether there may be answers to read.
    reads: bool,
    /// Messages that servers have taken, where they are asked.
    taken: u64,
    /// How much later than intended messages were handed over while measuring, nanoseconds; but for what a full socket or window held up.
    pub(crate) lag: Histogram<u64>,
    /// How busy the thread was while measuring.
    pub(crate) busy: Busy,
}

impl PublishThread {
    /// Thread `index`, without publishers yet, in a run with so many subscribers.
    pub(crate) fn new(index: usize, subscribers: usize) -> Result<Self> {
        let others = u32::try_from(subscribers).unwrap_or(u32::MAX).saturating_sub(1);
        let nap = (NAP_MIN + NAP_PER_SUBSCRIBER.saturating_mul(others)).min(NAP_MAX);
        let poll = Poll::new().context("cannot poll sockets")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("cannot make a waker")?);
        Ok(Self {
            index,
            nap,
            poll,
            waker,
            publishers: Vec::new(),
            reads: false,
            taken: 0,
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

    /// What became of the messages, where nobody subscribes.
    pub(crate) fn books(&self) -> impl Iterator<Item = Books> {
        self.publishers.iter().filter_map(|publisher| publisher.taken.as_ref()).map(Taken::books)
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
                self.wait(&mut events, Duration::ZERO, shared)?;
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
                return self.wait_for_answers(&mut events, shared);
            }
            // A full pipe to the peer must not hang the run: the drain time bounds the last batch as well.
            if now > shared.until() + nanos(shared.drain) {
                anyhow::bail!("the peer did not take the last messages within {:?}", shared.drain);
            }
            match (wrote, due) {
                (true, _) if !blocked => {}
                (true, _) => self.wait(&mut events, Duration::ZERO, shared)?,
                (false, Some(at)) if !blocked => {
                    let nap = Duration::from_nanos(at.saturating_sub(shared.clock.now()));
                    std::thread::sleep(nap.max(self.nap).min(IDLE_MAX));
                }
                (false, Some(_)) => self.wait(&mut events, Duration::from_millis(1), shared)?,
                (false, None) => self.wait(&mut events, IDLE_MAX, shared)?,
            }
        }
    }

    /// Waits until everything that was asked is answered, or nothing has come for the drain time.
    fn wait_for_answers(&mut self, events: &mut Events, shared: &Shared) -> Result<()> {
        let mut waited_from = shared.clock.now();
        let complete = |publisher: &Publisher| publisher.taken.as_ref().is_none_or(Taken::is_complete);
        while !self.publishers.iter().all(complete) && !shared.is_aborted() {
            let before = self.taken;
            self.wait(events, IDLE_MAX, shared)?;
            let now = shared.clock.now();
            if self.taken != before {
                waited_from = now;
            } else if now > waited_from + nanos(shared.drain) {
                break;
            }
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, timeout: Duration, shared: &Shared) -> Result<()> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error).context("cannot poll"),
            _ => {}
        }
        for event in &*events {
            if let Some(publisher) = self.publishers.get_mut(event.token().0) {
                publisher.blocked &= !event.is_writable();
                if event.is_readable() {
                    self.taken += publisher.read()?;
                }
            }
        }
        if let Some(counter) = shared.delivered.get(self.index).filter(|_| self.taken > 0) {
            counter.set(self.taken, 0);
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
