//! What waits to be written to one session: a bounded queue of whole frames, the policy at its bound, and the turn-taking of those
//! who write it out.
//!
//! Publishers append and, at the end of their batch, flush or wake. Whoever flushes takes the bytes out under the lock and writes
//! without it. Invariants: what waits never exceeds the bound by messages; a frame that has begun to be written is written to its end;
//! answers and events are never dropped; every message that is dropped is counted, and told before the next one.

mod chunk;
mod lag;
mod policy;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::{Arc, Mutex};

use chunk::{Chunk, Flight, Written, count, shrink};
use lag::Lag;
pub use policy::Policy;

pub(crate) use self::chunk::Frames;
use crate::reason::CloseReason;
use crate::routing::Subscription;
use crate::sync::lock;
use crate::wire::native::encode;

/// A session whose own answers or retained messages exceed this is not served before it has read some of them.
pub const ROOM_BYTES: usize = 128 << 10;

/// `Lagged` events that are appended at once.
const LAG_BYTES: usize = 32 << 10;

/// What the owner of the connection does for an outbox. Called without any lock held.
pub trait Link: Send + Sync {
    /// There is something to write: write what the socket takes at once, on the caller's thread.
    fn flush_now(&self, outbox: &Outbox);

    /// There is something to write: have it written by somebody else, soon.
    fn wake(&self);

    /// There is room again in the outbox of a session that waited for it: it may go on.
    fn room(&self);
}

/// Who calls [`Outbox::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A publisher at the end of its batch. It gives up as soon as the socket takes no more.
    Publisher,
    /// The session's own writer, which alone goes on after that.
    Owner,
}

/// How a flush ended.
#[derive(Debug)]
#[must_use]
pub enum Flushed {
    /// Nothing waits.
    Idle,
    /// Somebody else is writing and will see to what waits.
    Busy,
    /// The socket takes no more: the owner goes on when it does.
    Blocked,
    /// The budget is spent: the owner goes on.
    More,
    /// The session ends and all is written: close the connection.
    Drained,
    /// The socket failed, now or earlier.
    Failed(io::Error),
}

/// The figures of an outbox.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStats {
    /// Messages written out.
    pub messages_out: u64,
    /// Bytes written out, answers and events included.
    pub bytes_out: u64,
    /// Messages missed: dropped at the bound.
    pub lagged: u64,
    /// Messages that were still waiting when the session ended.
    pub lost: u64,
    /// Bytes that wait now.
    pub waiting_bytes: usize,
}

/// What waits for one session.
pub struct Outbox {
    session: u64,
    bytes_max: usize,
    link: Arc<dyn Link>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// Nobody writes.
    #[default]
    Free,
    /// Somebody has taken the flight out.
    Taken,
    /// Bytes are left, and only the owner may go on.
    Owners,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Chunk>,
    /// All that waits.
    waiting_bytes: usize,
    /// Of that, answers and events.
    control_bytes: usize,
    flight: Flight,
    turn: Turn,
    /// The session said `Hello`: it is told what it missed.
    tells: bool,
    /// Missed and not told yet.
    lag: Lag,
    /// Nothing more is accepted.
    ending: Option<CloseReason>,
    /// The socket is of no use.
    failed: bool,
    /// The session waits for room for so many bytes.
    wants_room: Option<usize>,
    /// The batch that appended last, so that a batch notes each outbox once.
    batch: u64,
    stats: OutboxStats,
}

impl Outbox {
    /// An empty outbox for the session of this number.
    pub fn new(session: u64, bytes_max: usize, link: Arc<dyn Link>) -> Self {
        Outbox { session, bytes_max, link, inner: Mutex::default() }
    }

    /// The session's number.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Who owns the connection.
    pub fn link(&self) -> &dyn Link {
        &*self.link
    }

    /// From now on the session is told what it misses.
    pub(crate) fn tell(&self) {
        lock(&self.inner).tells = true;
    }

    /// Appends messages of a subscription. True if `batch` is to flush this outbox, and has not been told so before.
    pub(crate) fn push(
        &self,
        frames: Frames<'_>,
        subscription: &Arc<Subscription>,
        messages: u64,
        batch: u64,
    ) -> bool {
        let mut inner = lock(&self.inner);
        if inner.ending.is_some() {
            inner.stats.lost += messages;
            return false;
        }
        if inner.waiting_bytes + frames.len() > self.bytes_max
            && !inner.make_room(frames.len(), self.bytes_max, subscription, messages)
        {
            return inner.touch(batch);
        }
        inner.tell_lag();
        inner.append(frames, Some((subscription, messages)));
        inner.touch(batch)
    }

    /// Appends an answer or an event, which no policy drops: [`Outbox::is_congested`] tells when to stop asking for more of them.
    pub(crate) fn push_control(&self, frame: &[u8]) {
        let mut inner = lock(&self.inner);
        if inner.ending.is_none() {
            inner.append(Frames::Copied(frame), None);
        }
    }

    /// Whether so many answers wait that the session must not be served before it has read some.
    pub(crate) fn is_congested(&self) -> bool {
        let mut inner = lock(&self.inner);
        if inner.control_bytes < ROOM_BYTES {
            return false;
        }
        inner.wants_room = Some(0);
        true
    }

    /// Whether so many bytes can be pushed without waiting for long and without making the policy drop any: all together stay below
    /// [`ROOM_BYTES`] and the bound, or nothing waits. If not, [`Link::room`] will be called when they can.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        let mut inner = lock(&self.inner);
        let room = inner.failed || inner.room_for(bytes, self.bytes_max);
        inner.wants_room = (!room).then_some(bytes);
        room
    }

    /// Whether so many bytes can be pushed beside what waits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        lock(&self.inner).waiting_bytes + bytes <= ROOM_BYTES.min(self.bytes_max)
    }

    /// Accepts nothing more. What waits is still written, and `goodbye` behind it; then [`Flushed::Drained`] tells so. The first reason
    /// stands. Does not flush.
    pub fn end(&self, reason: CloseReason) {
        lock(&self.inner).end(reason);
    }

    /// Why the session ends, once it does.
    pub fn ending(&self) -> Option<CloseReason> {
        lock(&self.inner).ending.clone()
    }

    /// Drops everything, because nobody will write it. Returns the messages that are lost by it; they are counted.
    pub fn abandon(&self) -> u64 {
        let mut inner = lock(&self.inner);
        inner.end(CloseReason::Disconnected);
        inner.fail()
    }

    /// The figures as they stand.
    pub fn stats(&self) -> OutboxStats {
        let inner = lock(&self.inner);
        OutboxStats { waiting_bytes: inner.waiting_bytes, ..inner.stats }
    }

    /// Writes what waits with `write`, which is called without a lock, until nothing waits, the socket takes no more
    /// ([`io::ErrorKind::WouldBlock`]), or about `budget` bytes are written. One caller at a time writes; the others are
    /// told [`Flushed::Busy`] and need not come again.
    pub fn flush(
        &self,
        writer: Writer,
        budget: usize,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Flushed {
        let mut flight = match lock(&self.inner).begin(writer) {
            Ok(flight) => flight,
            Err(flushed) => return flushed,
        };
        let mut written = Written::default();
        let mut spent = 0;
        let (flushed, room) = loop {
            let outcome = write(&flight.slices());
            match outcome {
                Ok(0) => break lock(&self.inner).broke(flight, written, io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    flight.advance(bytes, &mut written);
                    spent += bytes;
                    if !flight.is_empty() && spent < budget {
                        continue;
                    }
                    let mut inner = lock(&self.inner);
                    match inner.go_on(flight, mem::take(&mut written), spent < budget) {
                        Ok(next) => flight = next,
                        Err(end) => break end,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    break lock(&self.inner).put_back(flight, written, Flushed::Blocked);
                }
                Err(error) => break lock(&self.inner).broke(flight, written, error),
            }
        };
        if room {
            self.link.room();
        }
        flushed
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Inner {
    /// Whether the batch has to see that this outbox is flushed. Whoever has the turn will look again before it gives it back, so that a
    /// subscriber that does not read costs its publishers no wake-up.
    fn touch(&mut self, batch: u64) -> bool {
        let first = mem::replace(&mut self.batch, batch) != batch;
        first && self.turn == Turn::Free || self.ending.is_some()
    }

    /// The bound is met. True if `bytes` more may be appended all the same.
    fn make_room(
        &mut self,
        bytes: usize,
        bytes_max: usize,
        subscription: &Arc<Subscription>,
        messages: u64,
    ) -> bool {
        self.skip();
        if subscription.policy == Policy::Disconnect {
            self.miss(subscription, messages);
            self.end(CloseReason::SlowConsumer);
            return false;
        }
        // What is larger than the bound waits alone, but not behind more answers than a session may leave unread.
        let alone = bytes > bytes_max && self.control_bytes < ROOM_BYTES;
        let room = alone || self.waiting_bytes + bytes <= bytes_max;
        if !room {
            self.miss(subscription, messages);
        }
        room
    }

    /// Drops the messages that wait, and counts them.
    fn skip(&mut self) {
        for chunk in mem::take(&mut self.waiting) {
            if chunk.is_control() {
                self.waiting.push_back(chunk);
                continue;
            }
            self.waiting_bytes -= chunk.bytes().len();
            for (subscription, messages) in &chunk.tally {
                self.miss(subscription, *messages);
            }
        }
    }

    fn miss(&mut self, subscription: &Arc<Subscription>, messages: u64) {
        self.stats.lagged += messages;
        if self.tells {
            self.lag.count(subscription, messages);
        }
    }

    /// Tells what was missed, before the next message. What would take too much room is told as soon as there is some.
    fn tell_lag(&mut self) {
        if self.lag.is_empty() {
            return;
        }
        let mut frames = Vec::new();
        while let Some((subscription, missed)) = self.lag.pop() {
            encode::lagged(&mut frames, subscription.pattern.as_str(), missed);
            if frames.len() >= LAG_BYTES {
                break;
            }
        }
        self.append(Frames::Owned(frames), None);
    }

    fn append(&mut self, frames: Frames<'_>, messages: Option<(&Arc<Subscription>, u64)>) {
        let bytes = frames.len();
        self.waiting_bytes += bytes;
        if messages.is_none() {
            self.control_bytes += bytes;
        }
        let last = self.waiting.back_mut().filter(|last| last.is_control() == messages.is_none());
        if !last.is_some_and(|last| last.gather(&frames)) {
            self.waiting.push_back(Chunk::new(frames));
        }
        if let (Some((subscription, messages)), Some(last)) = (messages, self.waiting.back_mut()) {
            count(&mut last.tally, subscription, messages);
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if self.ending.is_some() {
            return;
        }
        if self.tells {
            while !self.lag.is_empty() {
                self.tell_lag();
            }
            let mut frame = Vec::new();
            encode::goodbye(&mut frame, reason.name(), &reason.to_string());
            self.append(Frames::Owned(frame), None);
        }
        self.ending = Some(reason);
    }

    /// Takes the turn and what to write, or says why not.
    fn begin(&mut self, writer: Writer) -> Result<Flight, Flushed> {
        if self.failed {
            return Err(Flushed::Failed(io::ErrorKind::NotConnected.into()));
        }
        match (self.turn, writer) {
            (Turn::Free, _) | (Turn::Owners, Writer::Owner) => self.load().ok_or_else(|| self.rest()),
            _ => Err(Flushed::Busy),
        }
    }

    fn load(&mut self) -> Option<Flight> {
        if self.waiting.is_empty() && self.flight.is_empty() && self.ending.is_none() {
            self.tell_lag();
        }
        let (moved, control) = self.flight.load(&mut self.waiting);
        self.waiting_bytes -= moved;
        self.control_bytes -= control;
        if self.flight.is_empty() {
            return None;
        }
        self.turn = Turn::Taken;
        Some(mem::take(&mut self.flight))
    }

    /// Nothing waits: the turn is free.
    fn rest(&mut self) -> Flushed {
        self.turn = Turn::Free;
        shrink(&mut self.waiting);
        self.flight.shrink();
        if self.ending.is_some() { Flushed::Drained } else { Flushed::Idle }
    }

    /// A write is done: the next one, or how it ends and whether somebody waits for the room.
    fn go_on(&mut self, flight: Flight, written: Written, may: bool) -> Result<Flight, (Flushed, bool)> {
        if !may {
            return Err(self.put_back(flight, written, Flushed::More));
        }
        self.flight = flight;
        self.wrote(written);
        if self.failed {
            return Err(self.gave_up());
        }
        self.load().ok_or_else(|| {
            let flushed = self.rest();
            (flushed, self.makes_room())
        })
    }

    /// The owner has to go on.
    fn put_back(&mut self, flight: Flight, written: Written, flushed: Flushed) -> (Flushed, bool) {
        self.flight = flight;
        self.turn = Turn::Owners;
        self.wrote(written);
        if self.failed {
            return self.gave_up();
        }
        (flushed, self.makes_room())
    }

    /// The outbox was abandoned while this was being written.
    fn gave_up(&mut self) -> (Flushed, bool) {
        self.fail();
        (Flushed::Failed(io::ErrorKind::NotConnected.into()), self.wants_room.take().is_some())
    }

    fn broke(&mut self, flight: Flight, written: Written, error: io::Error) -> (Flushed, bool) {
        self.flight = flight;
        self.wrote(written);
        self.end(CloseReason::Transport(error.to_string()));
        self.fail();
        (Flushed::Failed(error), self.wants_room.take().is_some())
    }

    fn fail(&mut self) -> u64 {
        self.failed = true;
        let (whole, lost) = self.flight.abandon();
        self.stats.messages_out += whole;
        let lost = lost + self.waiting.iter().map(Chunk::messages).sum::<u64>();
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
        self.control_bytes = 0;
        self.stats.lost += lost;
        lost
    }

    fn wrote(&mut self, written: Written) {
        self.stats.messages_out += written.messages;
        self.stats.bytes_out += written.bytes;
    }

    fn room_for(&self, bytes: usize, bytes_max: usize) -> bool {
        self.waiting_bytes == 0 || self.waiting_bytes + bytes <= ROOM_BYTES.min(bytes_max)
    }

    fn makes_room(&mut self) -> bool {
        // The bound is at least what a session asks room for, and then nothing need wait.
        let room = self.wants_room.is_some_and(|bytes| self.room_for(bytes, ROOM_BYTES));
        room && self.wants_room.take().is_some()
    }
}
