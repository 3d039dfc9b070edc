//! The write half of a connection as its outbox sees it.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;

use broker_core::outbox::{Link, Outbox};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::flusher::Flusher;

/// What a publisher writes to somebody else's socket before it goes back to its own work.
const INLINE_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct SocketLink {
    half: OwnedWriteHalf,
    writer: Notify,
    room: Notify,
    /// Of its thread, if that has one.
    flusher: Option<Arc<Flusher>>,
}

impl SocketLink {
    pub(super) fn new(half: OwnedWriteHalf, flusher: Option<Arc<Flusher>>) -> Self {
        SocketLink { half, writer: Notify::new(), room: Notify::new(), flusher }
    }

    /// Writes what the socket takes at once.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => self.half.try_write(one),
            _ => self.half.try_write_vectored(slices),
        }
    }

    /// Waits until the socket takes something. Cancel safe.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.half.writable().await
    }

    /// Waits, in the writer's task, for [`Link::wake`]. Cancel safe.
    pub(super) async fn woken(&self) {
        self.writer.notified().await;
    }

    /// Waits, in the session's task, for [`Link::room`]. Cancel safe.
    pub(super) async fn roomy(&self) {
        self.room.notified().await;
    }

    /// Ends the connection in both directions, so that the reader comes to its end too.
    pub(super) fn shut_down(&self) {
        // It fails where the peer has ended it before: that is as good.
        let _ = socket2::SockRef::from(self.half.as_ref()).shutdown(Shutdown::Both);
        self.room();
    }
}

impl Link for SocketLink {
    fn flush_now(&self, outbox: &Outbox) {
        if outbox.write_as_publisher(INLINE_BYTES, |slices| self.try_write(slices)) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.writer.notify_one();
    }

    fn flush_soon(&self, outbox: &Arc<Outbox>) {
        match &self.flusher {
            Some(flusher) => flusher.add(outbox),
            None => self.wake(),
        }
    }

    fn room(&self) {
        self.room.notify_one();
    }
}
