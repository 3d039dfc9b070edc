//! The task that reads, and is the session: everything a client's commands do is done here.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use broker_core::Next;
use broker_core::reason::CloseReason;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::coop::unconstrained;
use tokio::time::timeout;
use tracing::{Level, enabled, trace};

use super::Shared;
use super::buffer::ReadBuffer;
use super::client::Client;
use super::link::SocketLink;
use super::pace::Pace;

/// Reads in one turn: about a millisecond of work.
const READS_PER_TURN: u32 = 8;

/// Bytes of a read that are shown in a trace.
const TRACED_BYTES: usize = 256;

/// Reads and handles until the session ends. Returns why, where the outbox does not say it already.
pub(super) async fn run<C: Client>(
    session: &mut C,
    mut half: OwnedReadHalf,
    link: &SocketLink,
    shared: &Shared,
) -> CloseReason {
    let mut buffer = ReadBuffer::default();
    let mut next = Next::Read { needed: 0 };
    let mut reads = 0_u32;
    let mut pace = Pace::default();
    loop {
        // A client that always has more to say must not keep the others of this thread waiting.
        reads = reads.wrapping_add(1);
        if reads.is_multiple_of(READS_PER_TURN) {
            tokio::task::yield_now().await;
        }
        match next {
            Next::Read { needed } => match read(&mut half, &mut buffer, needed, shared).await {
                Ok(0) => return end_of_stream(&buffer),
                Ok(_) => {
                    session.info().heard(shared.clock.now());
                    trace_input(session, &buffer);
                }
                Err(error) => return CloseReason::Transport(error.to_string()),
            },
            Next::Turn => tokio::task::yield_now().await,
            Next::Room => {
                buffer.park(&shared.pool);
                link.roomy().await;
            }
            Next::Held { until_monotonic_ms } => {
                buffer.park(&shared.pool);
                let wait = until_monotonic_ms.saturating_sub(shared.clock.now().monotonic_ms);
                // Over or not: the session looks for itself.
                let _ = timeout(Duration::from_millis(wait), link.roomy()).await;
            }
            Next::Auth => authenticate(session, shared).await,
            Next::End => return CloseReason::Disconnected,
        }
        let progress = session.handle(shared.clock.now(), buffer.unhandled());
        buffer.consume(progress.consumed);
        pace.keep(&progress).await;
        next = progress.next;
    }
}

/// Finds out whether the client may be here. A wrong answer ends the session, when it is handled next.
async fn authenticate<C: Client>(session: &mut C, shared: &Shared) {
    let Some(credentials) = session.credentials().cloned() else { return };
    let admitted = shared.gate.admits(credentials).await;
    if admitted.is_none() {
        session.outbox().end(CloseReason::AuthTimeout);
    }
    session.authenticated(admitted.unwrap_or(false));
}

/// Shows what a client sent, to whoever asked for every detail.
fn trace_input<C: Client>(session: &C, buffer: &ReadBuffer) {
    if enabled!(Level::TRACE) {
        let info = session.info();
        trace!("{} - cid:{} - <<- [{}]", info.address, info.id, shown(buffer.unhandled()));
    }
}

/// The beginning of what was read, as text; nothing from a `CONNECT` or a `Hello` on, which hold passwords.
fn shown(input: &[u8]) -> String {
    let input = input.get(..TRACED_BYTES).unwrap_or(input);
    let behind = |word: &[u8]| {
        let at = input.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word));
        at.map(|at| at + word.len())
    };
    let ends = [behind(b"CONNECT"), behind(b"Hello")];
    let end = ends.into_iter().flatten().min().unwrap_or(input.len());
    input.get(..end).unwrap_or_default().escape_ascii().to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_shows_no_password() {
        assert_eq!(shown(b"PING\r\nconnect {\"pass\":\"x\"}\r\n"), r"PING\r\nconnect");
        assert_eq!(shown(b"\x81\xa5Hello\x91\x81\xa4auth\xa1x"), r"\x81\xa5Hello");
        assert_eq!(shown(b"PUB a 1\r\n\xff\r\n"), r"PUB a 1\r\n\xff\r\n");
        assert_eq!(shown(&[b'x'; 300]).len(), TRACED_BYTES);
    }
}
