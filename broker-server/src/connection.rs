//! One TCP connection: a reader task, which is the session, and a writer task, which goes on where publishers that write to the socket
//! themselves stop. The same for every protocol: what differs is behind [`client::Client`].

mod buffer;
mod client;
mod flusher;
mod link;
mod pace;
mod reader;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;

use broker_core::outbox::Link;
use broker_core::reason::CloseReason;
use broker_core::{Broker, NatsSession, Session};
use tokio::net::TcpStream;
use tracing::debug;

use self::buffer::BufferPool;
use self::client::Client;
pub(crate) use self::flusher::Flusher;
use self::link::SocketLink;
use crate::auth::Gate;
use crate::clock::Clock;
use crate::closed::ClosedSessions;
use crate::nats::NatsSettings;

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Native,
    Nats,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) broker: Arc<Broker>,
    pub(crate) clock: Clock,
    pub(crate) gate: Gate,
    pub(crate) auth_timeout_ms: u64,
    pub(crate) nats: NatsSettings,
    pub(crate) closed: ClosedSessions,
    pool: BufferPool,
}

impl Shared {
    pub(crate) fn new(
        broker: Arc<Broker>,
        clock: Clock,
        gate: Gate,
        auth_timeout_ms: u64,
        nats: NatsSettings,
    ) -> Self {
        let (closed, pool) = (ClosedSessions::default(), BufferPool::default());
        Shared { broker, clock, gate, auth_timeout_ms, nats, closed, pool }
    }
}

/// Serves a client until it goes, does something wrong, or the server ends its session. The figures of the session stand until
/// then, and are added to the broker's behind it.
/// `flusher` is that of the thread, if it has one.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    protocol: Protocol,
    stream: TcpStream,
    peer: SocketAddr,
    flusher: Option<Arc<Flusher>>,
) {
    match protocol {
        Protocol::Native => serve_as::<Session>(shared, stream, peer, flusher, None).await,
        Protocol::Nats => serve_as::<NatsSession>(shared, stream, peer, flusher, None).await,
    }
}

/// Tells a NATS client why it is not served. It has said nothing yet: in this protocol it is the server that speaks first.
pub(crate) async fn refuse_nats(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    reason: CloseReason,
) {
    serve_as::<NatsSession>(shared, stream, peer, None, Some(reason)).await;
}

async fn serve_as<C: Client>(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    flusher: Option<Arc<Flusher>>,
    refused: Option<CloseReason>,
) {
    let (read_half, write_half) = stream.into_split();
    let link = Arc::new(SocketLink::new(write_half, flusher));
    let mut session = C::begin(&shared, peer, Arc::clone(&link) as Arc<dyn Link>);
    let outbox = Arc::clone(session.outbox());
    let id = session.info().id;
    debug!(session = id, %peer, "connected");
    if let Some(reason) = refused {
        outbox.end(reason);
    }
    let writing = tokio::spawn(writer::run(Arc::clone(&link), Arc::clone(&outbox)));
    let reason = reader::run(&mut session, read_half, &link, &shared).await;
    // With its subscriptions, as it was until now.
    let info = Arc::clone(session.info());
    let subscriptions = info.subscriptions();
    session.end();
    outbox.end(reason);
    link.wake();
    // The writer ends when all is written or nothing can be; it never panics but by a bug, which is logged by the runtime.
    let _ = writing.await;
    let lost = outbox.abandon();
    let reason = outbox.ending().unwrap_or(CloseReason::Disconnected);
    debug!(session = id, %peer, %reason, lost, "disconnected");
    shared.closed.add(&info, subscriptions, reason, shared.clock.now());
}
