//! One TCP connection: a reader task, which is the session, and a writer task, which goes on where publishers that write to the socket
//! themselves stop.

mod buffer;
mod link;
mod reader;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;

use broker_core::outbox::{Link, Outbox};
use broker_core::reason::CloseReason;
use broker_core::{Broker, ServerName, Session};
use tokio::net::TcpStream;
use tracing::debug;

use self::buffer::BufferPool;
use self::link::SocketLink;
use crate::clock::Clock;
use crate::{NAME, VERSION};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) broker: Arc<Broker>,
    pub(crate) clock: Clock,
    pool: BufferPool,
}

impl Shared {
    pub(crate) fn new(broker: Arc<Broker>, clock: Clock) -> Self {
        Shared { broker, clock, pool: BufferPool::default() }
    }
}

/// Serves a client until it goes, does something wrong, or the server ends its session. The figures of the session stand until
/// then, and are added to the broker's behind it.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let broker = Arc::clone(&shared.broker);
    let (read_half, write_half) = stream.into_split();
    let link = Arc::new(SocketLink::new(write_half));
    let bytes_max = broker.limits().outbox_bytes_max;
    let outbox = Arc::new(Outbox::new(broker.next_session(), bytes_max, Arc::clone(&link) as Arc<dyn Link>));
    let server = ServerName { name: NAME, version: VERSION };
    let mut session = Session::new(broker, Arc::clone(&outbox), peer.to_string(), server, shared.clock.now());
    let id = session.info().id;
    debug!(session = id, %peer, "connected");
    let writing = tokio::spawn(writer::run(Arc::clone(&link), Arc::clone(&outbox)));
    let reason = reader::run(&mut session, read_half, &link, &shared).await;
    session.end();
    outbox.end(reason);
    link.wake_writer();
    // The writer ends when all is written or nothing can be; it never panics but by a bug, which is logged by the runtime.
    let _ = writing.await;
    let lost = outbox.abandon();
    let reason = outbox.ending().unwrap_or(CloseReason::Disconnected);
    debug!(session = id, %peer, %reason, lost, "disconnected");
}
