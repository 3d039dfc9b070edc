//! What waits to be written to one session: a bounded queue of whole frames, the policy at its bound, and the turn-taking of those
//! who write it out.
//!
//! Publishers append and, at the end of their batch, flush or wake. Whoever flushes takes the bytes out under the lock and writes
//! without it. Invariants: what waits never exceeds the bound by messages; a frame that has begun to be written is written to its end;
//! answers and events are never dropped; every message that is dropped is counted, and told before the next one.

mod admit;
mod chunk;
mod conflate;
mod figures;
mod flight;
mod frame;
mod lag;
mod late;
mod limiter;
mod line;
mod losses;
mod newest;
mod policy;
mod queue;
mod retained;
mod slow;
mod turns;
mod waiting;

use std::fmt;
use std::mem;
use std::sync::Arc;

pub use self::figures::OutboxStats;
pub use self::policy::Policy;
use self::queue::Queue;
pub use self::slow::{SlowChange, SlowNews};
pub use self::turns::{Flushed, Writer, WriterNext};

pub(crate) use self::admit::{Origin, Parcel};
pub(crate) use self::chunk::{Frames, NEVER};
pub(crate) use self::retained::PushedIf;
use crate::clock::CoarseClock;
use crate::message::Now;
use crate::reason::CloseReason;
use crate::routing::Subscription;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, MutexGuard, lock};

/// A session whose own answers or retained messages exceed this is not served before it has read some of them.
pub const ROOM_BYTES: usize = 128 << 10;

/// What the owner of the connection does for an outbox. Called without any lock held.
pub trait Link: Send + Sync {
    /// There is something to write: write what the socket takes at once, on the caller's thread.
    fn flush_now(&self, outbox: &Outbox);

    /// There is something to write: have it written by somebody else, soon.
    fn wake(&self);

    /// The same, where what one batch left is to be written to many: it may be done for all of them together.
    fn flush_soon(&self, outbox: &Arc<Outbox>) {
        let _ = outbox;
        self.wake();
    }

    /// There is room again in the outbox of a session that waited for it: it may go on.
    fn room(&self);
}

/// What waits for one session.
pub struct Outbox {
    session: u64,
    bytes_max: usize,
    link: Arc<dyn Link>,
    /// [`Queue::readiness`], for those who choose between outboxes.
    readiness: AtomicU8,
    /// See [`Outbox::count_payload`].
    payload_bytes: AtomicU64,
    queue: Mutex<Queue>,
}

/// What a push did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The batch is to flush this outbox, and has not been told so before.
    pub(crate) flush: bool,
    /// The publisher is held back: see [`Outbox::holds`].
    pub(crate) held: bool,
    /// Something waits for its time: see [`Outbox::take_due`].
    pub(crate) due: bool,
}

/// Which frames wait in an outbox, and so what it says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Speech {
    /// Those of the native protocol: `Goodbye`, to a session that said `Hello`.
    #[default]
    Native,
    /// Those of NATS: `-ERR`, where nats-server has one.
    Nats,
}

/// How soon an outbox can take a message: what those who choose between outboxes know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// At once, as far as is known.
    Ready = 0,
    /// When the socket takes more, if ever.
    Behind = 1,
    /// Not before its publishers have been held back.
    Holding = 2,
}

impl Outbox {
    /// An empty outbox for the session of this number, of the native protocol.
    pub fn new(session: u64, bytes_max: usize, link: Arc<dyn Link>) -> Self {
        Outbox::speaking(Speech::Native, session, bytes_max, link)
    }

    /// An empty outbox for the session of this number, of the NATS protocol.
    pub fn nats(session: u64, bytes_max: usize, link: Arc<dyn Link>) -> Self {
        Outbox::speaking(Speech::Nats, session, bytes_max, link)
    }

    fn speaking(speech: Speech, session: u64, bytes_max: usize, link: Arc<dyn Link>) -> Self {
        let spread = usize::try_from(session).unwrap_or_default();
        let mut queue = Queue::new(speech, bytes_max);
        queue.spread = spread;
        let queue = Mutex::new(queue);
        let readiness = AtomicU8::new(Readiness::Ready as u8);
        Outbox { session, bytes_max, link, readiness, payload_bytes: AtomicU64::new(0), queue }
    }

    /// From now on it goes by the clock of a broker.
    pub(crate) fn attach(&self, clock: &Arc<CoarseClock>, block_ms: u64) {
        lock(&self.queue).attach(clock, block_ms);
    }

    /// Whether the socket took no more when it was last written to, or never will.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        self.readiness.load(Relaxed) != Readiness::Ready as u8
    }

    /// Whether publishers are held back for it.
    pub(crate) fn is_holding(&self) -> bool {
        self.readiness.load(Relaxed) == Readiness::Holding as u8
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
        lock(&self.queue).losses.tells = true;
    }

    /// A publisher hands over messages whose values, and headers where NATS has them, are so long. Counted then and not when they are written, as nats-server
    /// does.
    #[inline]
    pub(crate) fn count_payload(&self, bytes: u64) {
        self.payload_bytes.fetch_add(bytes, Relaxed);
    }

    /// Appends messages of a subscription.
    pub(crate) fn push(&self, frames: Frames<'_>, parcel: &Parcel<'_>, batch: u64) -> Pushed {
        let mut queue = lock(&self.queue);
        if queue.ending.is_some() {
            queue.stats.lost += parcel.messages;
            return Pushed::default();
        }
        let held = queue.push(frames, parcel);
        let due = queue.limiter.as_ref().is_some_and(|limiter| limiter.has_news());
        if held {
            self.note_readiness(&queue);
        }
        // Whom it let in from the line is told when this outbox is flushed, without its lock.
        let flush = queue.touch(batch) || !queue.released.is_empty();
        Pushed { flush, held, due }
    }

    /// Until when a publisher is held back here, in monotonic milliseconds: it has something in line, and goes on when its link is told of room, or
    /// then at the latest. `None` if it is not.
    pub(crate) fn holds(&self, session: u64, now: Now) -> Option<u64> {
        self.under_lock(|queue| queue.holds(session, now.monotonic_ms))
    }

    /// A publisher ends. What it has in line is missed.
    pub(crate) fn leave_line(&self, session: u64) {
        self.under_lock(|queue| queue.leave_line(session));
    }

    /// When somebody has to call [`Outbox::release`], in monotonic milliseconds, if that is sooner than was told before.
    pub(crate) fn take_due(&self) -> Option<u64> {
        let mut queue = lock(&self.queue);
        queue.limiter.as_mut().and_then(|limiter| limiter.take_news()).map(|due_us| due_us.div_ceil(1000))
    }

    /// Sends what waited for its time and is due. Returns when to come again, if at all. Does not flush.
    pub(crate) fn release(&self, now: Now) -> Option<u64> {
        let mut queue = lock(&self.queue);
        queue.release(now.monotonic_ms.saturating_mul(1000));
        queue.tune();
        let due_us = queue.limiter.as_mut().and_then(|limiter| limiter.take_news());
        due_us.map(|due_us| due_us.div_ceil(1000))
    }

    /// Sends what waits for its time of a subscription that ends, or of all of them. Does not flush.
    pub(crate) fn release_early(&self, ended: Option<&Arc<Subscription>>) {
        self.under_lock(|queue| queue.release_early(ended));
    }

    /// Appends an answer or an event, which no policy drops: [`Outbox::is_congested`] tells when to stop asking for more of them.
    pub(crate) fn push_control(&self, frame: &[u8]) {
        let mut queue = lock(&self.queue);
        if queue.ending.is_none() {
            queue.append_control(frame);
        }
    }

    /// Whether so many answers wait that the session must not be served before it has read some.
    pub(crate) fn is_congested(&self) -> bool {
        let mut queue = lock(&self.queue);
        if queue.waiting.control_bytes() < ROOM_BYTES {
            return false;
        }
        queue.wants_room = Some(0);
        true
    }

    /// Whether so many bytes can be pushed without waiting for long and without making the policy drop any: all together stay below
    /// [`ROOM_BYTES`] and the bound, or nothing waits. If not, [`Link::room`] will be called when they can.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        let mut queue = lock(&self.queue);
        let room = queue.failed || queue.room_for(bytes, self.bytes_max);
        queue.wants_room = (!room).then_some(bytes);
        room
    }

    /// Whether so many bytes can be pushed beside what waits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        let queue = lock(&self.queue);
        queue.line.is_empty() && queue.waiting.bytes() + bytes <= ROOM_BYTES.min(self.bytes_max)
    }

    /// Accepts nothing more. What waits is still written, and `goodbye` behind it; then [`Flushed::Drained`] tells so. The first reason
    /// stands. Does not flush.
    pub fn end(&self, reason: CloseReason) {
        self.under_lock(|queue| queue.end(reason));
    }

    /// Why the session ends, once it does.
    pub fn ending(&self) -> Option<CloseReason> {
        lock(&self.queue).ending.clone()
    }

    /// Drops everything, because nobody will write it. Returns the messages that are lost by it; they are counted.
    pub fn abandon(&self) -> u64 {
        self.under_lock(|queue| {
            queue.end(CloseReason::Disconnected);
            queue.fail()
        })
    }

    /// The figures as they stand.
    pub fn stats(&self) -> OutboxStats {
        let queue = self.settled();
        OutboxStats {
            lagged: queue.losses.lagged,
            payload_bytes_out: self.payload_bytes.load(Relaxed),
            waiting_bytes: queue.waiting.bytes(),
            held_bytes: queue.line.bytes(),
            ..queue.stats
        }
    }

    /// Since when the session has been slow, if it is.
    pub fn slow(&self) -> Option<SlowNews> {
        self.settled().losses.slowness.now()
    }

    /// What happened since the last call: the session became slow, or recovered. None is lost: what does not fit is put together.
    pub fn take_slow_news(&self) -> Vec<SlowNews> {
        self.settled().losses.slowness.take_news()
    }

    /// What happened until the end of the session, which is one of the news if it was slow then.
    pub(crate) fn take_last_slow_news(&self) -> Vec<SlowNews> {
        let losses = &mut self.settled().losses;
        let clock = &losses.clock;
        losses.slowness.take_last_news(|| clock.now())
    }

    /// For those who want to know: all that was missed is counted.
    fn settled(&self) -> MutexGuard<'_, Queue> {
        let mut queue = lock(&self.queue);
        queue.settle();
        queue
    }

    /// Changes the state, and then tells the publishers that may go on by it.
    fn under_lock<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = lock(&self.queue);
        let outcome = change(&mut queue);
        queue.tune();
        self.note_readiness(&queue);
        let released = mem::take(&mut queue.released);
        drop(queue);
        for home in released {
            home.link.room();
        }
        outcome
    }

    fn note_readiness(&self, queue: &Queue) {
        // Written only when it changes: those who choose read it for each message.
        let readiness = queue.readiness() as u8;
        if self.readiness.load(Relaxed) != readiness {
            self.readiness.store(readiness, Relaxed);
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("session", &self.session).finish_non_exhaustive()
    }
}
