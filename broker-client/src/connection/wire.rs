//! One connection: its socket, what comes in, what goes out, and when it counts as dead.
//!
//! Nothing here waits with a half-done step in hand: reads and writes take what the socket gives, and only then the task
//! sleeps, until either side is ready. So a peer that does not read never keeps its messages from being read. Invariant:
//! the first `written` bytes of `batch` were handed to the socket, and no other.

use std::{io, time::Duration};

use broker_core::wire::native::{FrameScanner, WireLimits};
use bytes::BytesMut;
use tokio::{
    net::TcpStream,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{ConnectionError, frames::Frames, link::Closing, shared::Shared, sync::lock};

/// Bytes that a read has room for. Measured by others: above 64 KiB a larger read gains little.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that are read and written before other tasks get their turn.
const TURN_BYTES: usize = 256 * 1024;

/// Empty buffers larger than this are given back, in bytes.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    pub(super) incoming: BytesMut,
    pub(super) scanner: FrameScanner,
    pub(super) batch: Frames,
    pub(super) written: usize,
    /// The socket took less than it was given: only then is its taking more a sign that the server lives.
    blocked: bool,
    heard_at: Instant,
    /// When the server was asked for a sign of life.
    probed_at: Option<Instant>,
    close_sent: bool,
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The server has handled everything and said goodbye because it was asked to.
    Done,
    /// The time for closing is over.
    Late,
    /// It broke.
    Broken(ConnectionError),
}

impl Wire {
    /// `incoming` is what came behind the `Welcome`.
    pub(crate) fn new(stream: TcpStream, incoming: BytesMut, limits: WireLimits) -> Self {
        Self {
            stream,
            incoming,
            scanner: FrameScanner::new(limits),
            batch: Frames::default(),
            written: 0,
            blocked: false,
            heard_at: Instant::now(),
            probed_at: None,
            close_sent: false,
        }
    }

    /// Moves bytes until the connection ends.
    pub(crate) async fn drive(&mut self, shared: &Shared) -> End {
        match self.turns(shared).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn turns(&mut self, shared: &Shared) -> Result<std::convert::Infallible, End> {
        let mut timer = std::pin::pin!(sleep_until(self.heard_at));
        // What came behind the Welcome.
        self.handle_incoming(shared)?;
        let mut since_yield = 0;
        loop {
            let moved = self.read(shared)? + self.write(shared)?;
            since_yield += moved;
            if moved > 0 {
                if since_yield >= TURN_BYTES {
                    since_yield = 0;
                    yield_now().await;
                }
                continue;
            }
            since_yield = 0;
            tokio::select! {
                ready = self.stream.readable() => ready.map_err(broken)?,
                ready = self.stream.writable(), if self.blocked => ready.map_err(broken)?,
                () = shared.wake.notified() => {
                    if let Some(Closing { deadline, .. }) = lock(&shared.link).closing
                        && deadline < timer.deadline()
                    {
                        timer.as_mut().reset(deadline);
                    }
                }
                () = timer.as_mut() => {
                    let next = self.on_timer(shared)?;
                    timer.as_mut().reset(next);
                }
            }
        }
    }

    /// Reads what there is, once, and handles every whole frame in it. Returns the number of bytes.
    fn read(&mut self, shared: &Shared) -> Result<usize, End> {
        self.incoming.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(End::Broken(ConnectionError::Ended)),
            Ok(bytes) => {
                shared.counters.bytes_in.add(bytes as u64);
                self.heard_at = Instant::now();
                self.probed_at = None;
                self.handle_incoming(shared)?;
                if self.incoming.is_empty() && self.incoming.capacity() > KEPT_BYTES_MAX {
                    self.incoming = BytesMut::new();
                }
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    /// Writes until the socket takes no more, there is no more, or others should have a turn. Returns the number of bytes.
    fn write(&mut self, shared: &Shared) -> Result<usize, End> {
        let mut total = 0;
        while total < TURN_BYTES {
            if self.written == self.batch.len() && !self.next_batch(shared) {
                break;
            }
            match self.stream.try_write(self.batch.rest(self.written)) {
                Ok(0) => return Err(End::Broken(ConnectionError::Ended)),
                Ok(bytes) => {
                    self.written += bytes;
                    total += bytes;
                    if std::mem::take(&mut self.blocked) {
                        self.heard_at = Instant::now();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(error) => return Err(self.last_words(shared, broken(error))),
            }
        }
        shared.counters.bytes_out.add(total as u64);
        Ok(total)
    }

    /// Takes what waits. When nothing will ever follow, takes leave.
    fn next_batch(&mut self, shared: &Shared) -> bool {
        self.written = 0;
        let mut link = lock(&shared.link);
        let mut some = link.next_batch(&mut self.batch);
        if !some && link.closing.is_some() && !self.close_sent {
            self.close_sent = true;
            self.batch.push_command(broker_core::wire::native::encode::close);
            some = true;
        }
        drop(link);
        shared.space.notify_waiters();
        some
    }

    /// The socket takes nothing any more. What the server said before may tell why.
    fn last_words(&mut self, shared: &Shared, end: End) -> End {
        loop {
            match self.read(shared) {
                Ok(0) => return end,
                Ok(_) => {}
                Err(told @ (End::Done | End::Broken(ConnectionError::Goodbye { .. }))) => return told,
                Err(_) => return end,
            }
        }
    }

    /// Whether the `Close` was handed over, so that a goodbye answers it.
    pub(super) fn has_taken_leave(&self) -> bool {
        self.close_sent
    }

    /// Looks after a silent server and an over-long close. Returns when to look again.
    fn on_timer(&mut self, shared: &Shared) -> Result<Instant, End> {
        // A zero interval would never let the task sleep.
        let interval = shared.options.ping_interval.max(Duration::from_millis(10));
        let now = Instant::now();
        let mut link = lock(&shared.link);
        let deadline = link.closing.as_ref().map(|closing| closing.deadline);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(End::Late);
        }
        let mut next = self.heard_at + interval;
        if next <= now {
            let probed_at = *self.probed_at.get_or_insert_with(|| {
                link.probe();
                now
            });
            next = probed_at.max(self.heard_at) + interval;
            if next <= now {
                return Err(End::Broken(ConnectionError::Silent { after: now - self.heard_at }));
            }
        } else {
            link.shrink(KEPT_BYTES_MAX);
            if self.written == self.batch.len() {
                self.batch.clear();
                self.batch.shrink(KEPT_BYTES_MAX);
                self.written = 0;
            }
        }
        Ok(deadline.map_or(next, |deadline| next.min(deadline)))
    }
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn broken(error: io::Error) -> End {
    End::Broken(ConnectionError::Io { kind: error.kind(), text: error.to_string() })
}
