//! The task that reads, and is the session: everything a client's commands do is done here.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use broker_core::reason::CloseReason;
use broker_core::{Next, Session};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::coop::unconstrained;

use super::Shared;
use super::buffer::ReadBuffer;
use super::link::SocketLink;

/// Reads in one turn: about a millisecond of work.
const READS_PER_TURN: u32 = 8;

/// Reads and handles until the session ends. Returns why, where the outbox does not say it already.
pub(super) async fn run(
    session: &mut Session,
    mut half: OwnedReadHalf,
    link: &SocketLink,
    shared: &Shared,
) -> CloseReason {
    let mut buffer = ReadBuffer::default();
    let mut next = Next::Read { needed: 0 };
    let mut reads = 0_u32;
    loop {
        // A client that always has more to say must not keep the others of this thread waiting.
        reads = reads.wrapping_add(1);
        if reads.is_multiple_of(READS_PER_TURN) {
            tokio::task::yield_now().await;
        }
        match next {
            Next::Read { needed } => match read(&mut half, &mut buffer, needed, shared).await {
                Ok(0) => return end_of_stream(&buffer),
                Ok(_) => session.info().heard(shared.clock.now()),
                Err(error) => return CloseReason::Transport(error.to_string()),
            },
            Next::Turn => tokio::task::yield_now().await,
            Next::Room => {
                buffer.park(&shared.pool);
                link.roomy().await;
            }
            Next::End => return CloseReason::Disconnected,
        }
        let progress = session.handle(shared.clock.now(), buffer.unhandled());
        buffer.consume(progress.consumed);
        next = progress.next;
    }
}

/// Reads as much as there is and the buffer takes. While nothing is there, no buffer is held.
async fn read(
    half: &mut OwnedReadHalf,
    buffer: &mut ReadBuffer,
    needed: usize,
    shared: &Shared,
) -> io::Result<usize> {
    loop {
        // At once if the last read may have left something.
        if let Some(bytes) = poll_read(half, buffer.spare(&shared.pool, needed)).await? {
            return Ok(bytes);
        }
        buffer.park(&shared.pool);
        half.readable().await?;
    }
}

/// One try: `None` if nothing is there. Not counted by the runtime as this task's work, because it would answer a spent budget as if nothing
/// were there; [`READS_PER_TURN`] sees to the others.
async fn poll_read(half: &mut OwnedReadHalf, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut reading = pin!(unconstrained(half.read_buf(bytes)));
    poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(read.map(Some)),
        Poll::Pending => Poll::Ready(Ok(None)),
    })
    .await
}

fn end_of_stream(buffer: &ReadBuffer) -> CloseReason {
    match buffer.unhandled().len() {
        0 => CloseReason::Disconnected,
        bytes => CloseReason::CutOff { bytes },
    }
}
