//! Accepts connections of every protocol, up to a limit for all together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker_core::reason::CloseReason;
use broker_core::wire::native::{Command, Decoder, WireLimits, encode};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::connection::{self, Protocol, Shared};
use crate::workers::Workers;

/// Connections that the system keeps for us while we are busy.
const BACKLOG: u32 = 4096;

/// A peer that vanished without a word is noticed after about two of these.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// How long to wait when the system has no more handles.
const OUT_OF_HANDLES: Duration = Duration::from_millis(100);

/// How long a client beyond the limit may take to say `Hello`, so that it can be told, and how many are listened to at once.
const REFUSAL: Duration = Duration::from_millis(500);
const REFUSALS_MAX: usize = 64;

/// A `Hello` with the longest name, and some more.
const HELLO_BYTES: usize = 1024;

/// Binds the first address that `address` resolves to and that works.
pub(crate) async fn bind(address: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for resolved in lookup_host(address).await? {
        match bind_to(resolved) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows this would let another program take the port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What the listeners of all protocols have in common.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Arc<Workers>,
    /// For as many connections as there may be, whatever their protocol.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) refusals: Arc<Semaphore>,
    /// Each connection is a task of these.
    pub(crate) tasks: TaskTracker,
}

impl Acceptor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        workers: Arc<Workers>,
        connections_max: usize,
        tasks: TaskTracker,
    ) -> Self {
        // More than a semaphore can count is as good as no limit.
        let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Acceptor { shared, workers, places, refusals: Arc::new(Semaphore::new(REFUSALS_MAX)), tasks }
    }

    fn take(&self, protocol: Protocol, stream: TcpStream, peer: SocketAddr) {
        let shared = Arc::clone(&self.shared);
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.workers.serve(protocol, stream, peer, shared, &self.tasks, place);
        } else if let Ok(place) = Arc::clone(&self.refusals).try_acquire_owned() {
            debug!(%peer, "refused: too many connections");
            self.tasks.spawn(async move {
                match protocol {
                    // Whether the client hears it or not, it is refused.
                    Protocol::Native => drop(timeout(REFUSAL, refuse(stream)).await),
                    Protocol::Nats => {
                        connection::refuse_nats(shared, stream, peer, CloseReason::TooManyConnections).await;
                    }
                }
                drop(place);
            });
        }
    }
}

/// Serves those who speak `protocol`, until `stop`.
pub(crate) async fn run(
    listener: TcpListener,
    protocol: Protocol,
    acceptor: Acceptor,
    stop: CancellationToken,
) {
    accept_all(listener, stop, |stream, peer| acceptor.take(protocol, stream, peer)).await;
}

/// Accepts until `stop`, whatever goes wrong. What is accepted is set up and handed to `take`, which does not wait.
pub(crate) async fn accept_all(
    listener: TcpListener,
    stop: CancellationToken,
    mut take: impl FnMut(TcpStream, SocketAddr),
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The client went away already, or the system is out of handles: the next one may do better.
                let address = listener.local_addr().ok();
                warn!(%error, ?address, "a connection could not be accepted");
                sleep(OUT_OF_HANDLES).await;
                continue;
            }
        };
        if let Err(error) = set_up(&stream) {
            debug!(%peer, %error, "a connection could not be set up");
            continue;
        }
        take(stream, peer);
    }
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

/// Tells a client that says `Hello` why it is not served.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let mut commands = Decoder::new(WireLimits { frame_bytes_max: HELLO_BYTES, ..WireLimits::default() });
    let mut first = Vec::new();
    let said_hello = loop {
        match commands.next(&first) {
            Ok(Some(decoded)) => break matches!(decoded.command, Ok(Command::Hello(_))),
            Ok(None) => {}
            Err(_) => break false,
        }
        if stream.read_buf(&mut first).await? == 0 {
            break false;
        }
    };
    if said_hello {
        let reason = CloseReason::TooManyConnections;
        let mut goodbye = Vec::new();
        encode::goodbye(&mut goodbye, reason.name(), &reason.to_string());
        stream.write_all(&goodbye).await?;
        stream.shutdown().await?;
    }
    Ok(())
}
