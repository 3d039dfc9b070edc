//! The task that writes what others left, and that ends the connection when its session ends.

use std::sync::Arc;
use std::time::Duration;

use broker_core::outbox::{Outbox, WriterNext};
use tokio::time::timeout;
use tracing::trace;

use super::link::SocketLink;

/// Written in one turn before other tasks get theirs: some 0.1 ms, where a subscriber that was far behind takes much at once.
const TURN_BYTES: usize = 256 << 10;

/// How long a client that reads nothing may keep its session from ending.
const FAREWELL: Duration = Duration::from_secs(2);

/// Writes until the session has ended and all is written, or the socket fails.
pub(super) async fn run(link: Arc<SocketLink>, outbox: Arc<Outbox>) {
    loop {
        match outbox.write_as_owner(TURN_BYTES, |slices| link.try_write(slices)) {
            WriterNext::Woken => link.woken().await,
            WriterNext::Turn => tokio::task::yield_now().await,
            WriterNext::Writable => {
                tokio::select! {
                    // It fails when the socket does, which the next write finds out.
                    _ = link.writable() => {}
                    () = link.woken() => {}
                }
            }
            WriterNext::Farewell => {
                if timeout(FAREWELL, link.writable()).await.is_err() {
                    break;
                }
            }
            WriterNext::Close(error) => {
                if let Some(error) = error {
                    trace!(session = outbox.session(), %error, "the socket failed");
                }
                break;
            }
        }
    }
    link.shut_down();
}
