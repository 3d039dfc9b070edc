//! The server as a value: build it, start it, stop it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use broker_core::glob_tree::PatternLimits;
use broker_core::reason::CloseReason;
use broker_core::wire::native::{PORT, WireLimits};
use broker_core::{Broker, Limits};
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{Config, Listen};
use crate::connection::Shared;
use crate::workers::Workers;
use crate::{listener, metrics};

/// How a server is to run. Made by [`Server::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    listen: Option<String>,
    limits: Limits,
    workers: usize,
    connections_max: usize,
    drain_timeout: Duration,
    metrics_interval: Duration,
}

/// Why a server did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", told(cause, address))]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The threads that serve connections cannot be started.
    #[error("cannot start the worker threads: {cause}")]
    Workers {
        /// What the system said.
        cause: io::Error,
    },
}

/// What the system said, and what to do about it.
fn told(error: &io::Error, address: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.rsplit(':').next().unwrap_or(address);
            format!(
                "the port is in use (is a broker running already? another port is '--listen 127.0.0.1:PORT'; 'ss -ltnp sport = :{port}' tells who has it)"
            )
        }
        io::ErrorKind::PermissionDenied => format!("{error} (ports below 1024 are the system's)"),
        _ => error.to_string(),
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Sessions that there were when it was told to stop.
    pub sessions: usize,
    /// Sessions that had not ended when the drain timeout was over.
    pub sessions_cut: usize,
    /// Messages that waited for subscribers and were not written.
    pub messages_lost: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { sessions, sessions_cut, messages_lost } = self;
        write!(f, "{sessions} sessions ended, {sessions_cut} of them cut off; {messages_lost} messages lost")
    }
}

/// A running broker. Dropping it stops it at once, without draining.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
    drain_timeout: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Kept to the end: dropping them ends what runs on them.
    _workers: Arc<Workers>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            listen: Some(format!("127.0.0.1:{PORT}")),
            limits: Limits::default(),
            workers: 0,
            connections_max: 65_536,
            drain_timeout: Duration::from_secs(5),
            metrics_interval: Duration::from_secs(1),
        }
    }
}

impl Builder {
    /// Listens for the native protocol on `address`, such as `127.0.0.1:36912` (the default) or `[::]:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Does not listen for the native protocol.
    pub fn listen_off(mut self) -> Self {
        self.listen = None;
        self
    }

    /// What clients may do and how much is kept for them.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Threads that serve connections, each with a runtime of its own; the fastest way to run. With 0, the default, connections are tasks
    /// of the runtime that the server is started in.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }

    /// Connections at a time; a client beyond them is told and refused. Default 65,536.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// How long [`Server::stop`] waits for what is still to be written. Default 5 s.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }

    /// How often the server publishes its metrics. Default 1 s.
    pub fn metrics_interval(mut self, period: Duration) -> Self {
        self.metrics_interval = period;
        self
    }

    /// Takes everything over from a configuration that was loaded.
    pub fn config(mut self, config: &Config) -> Self {
        self.listen = match &config.listen {
            Listen::Off => None,
            Listen::At(address) => Some(address.to_string()),
        };
        self.workers = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        };
        self.connections_max = config.limits.connections_max;
        self.drain_timeout = config.shutdown.drain_timeout;
        self.metrics_interval = config.metrics.interval;
        self.limits = Limits {
            wire: WireLimits {
                frame_bytes_max: config.limits.frame_bytes_max,
                depth_max: config.limits.depth_max,
            },
            topic_bytes_max: config.limits.topic_bytes_max,
            pattern: PatternLimits {
                bytes_max: config.limits.pattern_bytes_max,
                stars_max: config.limits.pattern_stars_max,
                alternatives_max: config.limits.pattern_alternatives_max,
            },
            subscriptions_max: config.limits.subscriptions_max,
            outbox_bytes_max: config.outbox.bytes_max,
            policy: config.outbox.policy,
            retained_messages_max: config.retained.messages_max,
            retained_bytes_max: config.retained.bytes_max,
            idle_timeout_ms: u64::try_from(config.limits.idle_timeout.as_millis()).unwrap_or(u64::MAX),
        };
        self
    }

    /// Starts to listen. It runs in tasks of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError::Listen`] where the address is in use, not ours, or no address; [`StartError::Workers`] where the system gives no
    /// more threads.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn start(self) -> Result<Server, StartError> {
        let clock = Clock::start();
        let shared = Arc::new(Shared::new(Arc::new(Broker::new(self.limits)), clock));
        let workers = Arc::new(Workers::start(self.workers).map_err(|cause| StartError::Workers { cause })?);
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let mut address = None;
        if let Some(asked) = self.listen {
            let failed = |cause| StartError::Listen { address: asked.clone(), cause };
            let listener = listener::bind(&asked).await.map_err(failed)?;
            address = Some(listener.local_addr().map_err(failed)?);
            tasks.spawn(listener::run(
                listener,
                Arc::clone(&shared),
                Arc::clone(&workers),
                self.connections_max,
                tasks.clone(),
                stop.clone(),
            ));
        }
        let listen = address.iter().map(|address| format!("native {address}")).collect();
        let broker = Arc::clone(&shared.broker);
        tasks.spawn(metrics::run(broker, clock, listen, self.metrics_interval, stop.clone()));
        Ok(Server { shared, address, drain_timeout: self.drain_timeout, tasks, stop, _workers: workers })
    }
}

impl Server {
    /// A server with the default settings, to change and to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens for the native protocol, if it does.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The broker inside: its figures, and a way to publish in its name.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.shared.broker
    }

    /// Tasks that run for it: the listener, the metrics, and one for each connection. For tests of what is left behind.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Stops: accepts nothing more, says `Goodbye`, writes what waits until the drain timeout, and tells what was lost.
    ///
    /// Cancel safe: dropped in the middle, it stops at once.
    pub async fn stop(self) -> Report {
        self.stop.cancel();
        self.tasks.close();
        let broker = Arc::clone(&self.shared.broker);
        let sessions = broker.connections();
        let lost_before = broker.totals().lost;
        broker.end_sessions(&CloseReason::ShuttingDown);
        let mut sessions_cut = 0;
        if timeout(self.drain_timeout, self.tasks.wait()).await.is_err() {
            sessions_cut = broker.connections();
            broker.abandon_sessions();
            // What is abandoned ends as soon as its tasks are run.
            let _ = timeout(ABANDONED, self.tasks.wait()).await;
        }
        Report { sessions, sessions_cut, messages_lost: broker.totals().lost.saturating_sub(lost_before) }
    }
}

/// How long abandoned sessions may take to notice.
const ABANDONED: Duration = Duration::from_secs(1);

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.broker.end_sessions(&CloseReason::ShuttingDown);
        self.shared.broker.abandon_sessions();
    }
}
