//! One publisher: its socket, its batch, and its window or schedule. A turn of it writes what it may, and says what it waits for.

use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use mio::net::TcpStream;

use crate::load::clock::nanos;
use crate::load::flow::Window;
use crate::load::frame::Batch;
use crate::load::protocol::Replies;
use crate::load::shared::Shared;
use crate::load::taken::Taken;

/// How long messages that were due before the end may still be sent after it.
const CATCH_UP: Duration = Duration::from_millis(500);

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
    pub(super) stream: TcpStream,
    number: u16,
    batch: Batch,
    window: Window,
    schedule: Option<Schedule>,
    pub(super) answers: Answers,
    /// To be written between two batches.
    pong: &'static [u8],
    sent: u64,
    /// What of the batch has yet to be written.
    pending: Range<usize>,
    /// Where nobody subscribes: what the server has taken.
    pub(super) taken: Option<Taken>,
    pub(super) blocked: bool,
    /// It had to wait for its socket or its window since it last had messages to send.
    held_up: bool,
    /// When that was last over: that messages due before then are late is the peer's doing.
    excused_until: u64,
    pub(super) done: bool,
}

/// What became of one turn of a publisher.
pub(super) enum Turn {
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
            taken: None,
            blocked: false,
            held_up: false,
            excused_until: 0,
            done: false,
        })
    }

    /// The same with a ping behind each batch.
    pub(crate) fn asking(mut self, taken: Option<Taken>) -> Self {
        self.taken = taken;
        self
    }

    /// Whether a batch, or the ping behind it, has been begun and not finished.
    fn is_writing(&self) -> bool {
        !self.pending.is_empty() || self.taken.as_ref().is_some_and(|taken| !taken.pending().is_empty())
    }

    pub(super) fn turn(&mut self, now: u64, shared: &Shared, lag: &mut Histogram<u64>) -> Result<Turn> {
        let until = shared.until();
        if !self.is_writing() {
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
        if let Some(taken) = &mut self.taken {
            taken.ask();
        }
    }

    fn write(&mut self) -> Result<Turn> {
        let bytes = match &self.taken {
            Some(taken) if self.pending.is_empty() => taken.pending(),
            _ => self.batch.bytes(self.pending.clone()),
        };
        let length = bytes.len();
        match self.stream.write(bytes) {
            Ok(written) => {
                match &mut self.taken {
                    Some(taken) if self.pending.is_empty() => taken.written(written),
                    _ => self.pending.start += written,
                }
                // A short write has filled the socket's buffer. Elsewhere than on Linux the next one has to say so.
                self.blocked = written < length && cfg!(target_os = "linux");
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

    /// Reads what the server answered. Returns how many more messages it has taken, where it is asked.
    pub(super) fn read(&mut self) -> Result<u64> {
        let Answers::Read(replies) = &mut self.answers else { return Ok(0) };
        let said = replies.drain(&mut self.stream).context(format!("publisher {}", self.number))?;
        if !said.pong.is_empty() {
            self.pong = said.pong;
        }
        Ok(self.taken.as_mut().map_or(0, |taken| taken.answered(said.answers)))
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
