//! How a server is to run, and its start.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use broker_core::glob_tree::PatternLimits;
use broker_core::wire::native::{PORT, WireLimits};
use broker_core::{Broker, Limits};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::Server;
use crate::auth::{self, Gate};
use crate::clock::{Clock, millis};
use crate::config::{self, Config, Listen};
use crate::connection::{Protocol, Shared};
use crate::listener::{self, Acceptor};
use crate::metrics;
use crate::monitor::{self, Monitor};
use crate::nats::{self, NatsSettings};
use crate::release;
use crate::upkeep;
use crate::workers::Workers;

/// How a server is to run. Made by [`Server::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    listen: Option<Endpoint>,
    nats_listen: Option<Endpoint>,
    monitor: Option<Endpoint>,
    nats: config::Nats,
    auth: config::Auth,
    auth_timeout: Duration,
    limits: Limits,
    workers: usize,
    connections_max: usize,
    drain_timeout: Duration,
    metrics_interval: Duration,
}

/// Where to listen.
#[derive(Debug, Clone)]
struct Endpoint {
    address: String,
    /// A port that somebody else has is no error.
    if_free: bool,
}

impl Endpoint {
    fn at(address: impl Into<String>) -> Self {
        Endpoint { address: address.into(), if_free: false }
    }

    fn of(listen: &Listen) -> Option<Self> {
        match listen {
            Listen::Off => None,
            Listen::At(address) => Some(Endpoint::at(address.to_string())),
            Listen::IfFree(address) => Some(Endpoint { address: address.to_string(), if_free: true }),
        }
    }

    /// Listens there. Nothing if somebody else does, and that is no error.
    async fn bind(&self) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
        let bound = listener::bind(&self.address).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match bound {
            Ok(bound) => Ok(Some(bound)),
            Err(error) if self.if_free && error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(cause) => Err(StartError::Listen { address: self.address.clone(), cause }),
        }
    }
}

/// Binds where it is to listen at all.
async fn bind(endpoint: Option<&Endpoint>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    match endpoint {
        Some(endpoint) => endpoint.bind().await,
        None => Ok(None),
    }
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

impl Default for Builder {
    fn default() -> Self {
        let limits = config::Limits::default();
        Builder {
            listen: Some(Endpoint::at(format!("127.0.0.1:{PORT}"))),
            nats_listen: None,
            monitor: None,
            nats: config::Nats::default(),
            auth: config::Auth::default(),
            auth_timeout: limits.auth_timeout,
            limits: Limits::default(),
            workers: 0,
            connections_max: limits.connections_max,
            drain_timeout: config::Shutdown::default().drain_timeout,
            metrics_interval: config::Metrics::default().interval,
        }
    }
}

impl Builder {
    /// Listens for the native protocol on `address`, such as `127.0.0.1:36912` (the default) or `[::]:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(Endpoint::at(address));
        self
    }

    /// Does not listen for the native protocol.
    pub fn listen_off(mut self) -> Self {
        self.listen = None;
        self
    }

    /// Listens for the NATS protocol on `address`, too, such as `127.0.0.1:4222`. Without this it is not spoken.
    pub fn nats(mut self, address: impl Into<String>) -> Self {
        self.nats_listen = Some(Endpoint::at(address));
        self
    }

    /// What NATS clients may do and are told. Where it is spoken is for [`Builder::nats`] to say: its `listen` is not looked at.
    pub fn nats_settings(mut self, settings: config::Nats) -> Self {
        self.nats = settings;
        self
    }

    /// Serves figures over HTTP on `address`: `/varz`, `/connz`, `/subsz`, `/healthz`, with the field names of nats-server.
    pub fn monitor(mut self, address: impl Into<String>) -> Self {
        self.monitor = Some(Endpoint::at(address));
        self
    }

    /// Who may connect, whatever the protocol. By default everybody.
    pub fn auth(mut self, auth: config::Auth) -> Self {
        self.auth = auth;
        self
    }

    /// How long a client may take to say who it is, where it must. Default 2 s.
    pub fn auth_timeout(mut self, limit: Duration) -> Self {
        self.auth_timeout = limit;
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
        self.listen = Endpoint::of(&config.listen);
        self.nats_listen = Endpoint::of(&config.nats.listen);
        self.monitor = Endpoint::of(&config.monitor.listen);
        self.nats = config.nats.clone();
        self.auth = config.auth.clone();
        self.auth_timeout = config.limits.auth_timeout;
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
            block_ms: millis(config.outbox.block_timeout),
            retained_messages_max: config.retained.messages_max,
            retained_bytes_max: config.retained.bytes_max,
            retained_value_bytes_max: config.retained.value_bytes_max,
            topic_rules: config::core_rules(&config.topics),
            idle_timeout_ms: millis(config.limits.idle_timeout),
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
        auth::warn_of_plain_secrets(&self.auth);
        let native = bind(self.listen.as_ref()).await?;
        let nats = bind(self.nats_listen.as_ref()).await?;
        let http = bind(self.monitor.as_ref()).await?;
        self.tell_of_ports_in_use(native.is_some(), nats.is_some(), http.is_some())?;
        let address = |bound: &Option<(TcpListener, SocketAddr)>| bound.as_ref().map(|(_, address)| *address);
        let (native_address, nats_address, http_address) = (address(&native), address(&nats), address(&http));

        let workers = Arc::new(Workers::start(self.workers).map_err(|cause| StartError::Workers { cause })?);
        let auth_timeout_ms = millis(self.auth_timeout);
        let shared = Arc::new(Shared::new(
            Arc::new(Broker::seeded(self.limits.clone(), nats::random())),
            clock,
            Gate::new(self.auth.clone(), self.auth_timeout),
            auth_timeout_ms,
            NatsSettings::new(&self.nats, nats_address, self.limits.subscriptions_max, auth_timeout_ms),
        ));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let accepting = stop.child_token();
        let acceptor =
            Acceptor::new(Arc::clone(&shared), Arc::clone(&workers), self.connections_max, tasks.clone());
        for (bound, protocol) in [(native, Protocol::Native), (nats, Protocol::Nats)] {
            if let Some((listener, _)) = bound {
                tasks.spawn(listener::run(listener, protocol, acceptor.clone(), accepting.clone()));
            }
        }
        if let Some((listener, _)) = http {
            let monitor = Monitor::new(
                &shared,
                &self.nats,
                nats_address,
                http_address,
                self.connections_max,
                &accepting,
            );
            tasks.spawn(monitor::run(listener, Arc::new(monitor), tasks.clone(), stop.clone()));
        }
        let told =
            |name: &str, address: Option<SocketAddr>| address.map(|address| format!("{name} {address}"));
        let listen =
            [told("native", native_address), told("nats", nats_address), told("monitor", http_address)];
        let listen = listen.into_iter().flatten().collect();
        tasks.spawn(metrics::run(Arc::clone(&shared), listen, self.metrics_interval, stop.clone()));
        tasks.spawn(release::run(Arc::clone(&shared.broker), clock, stop.clone()));
        let period = self.metrics_interval.min(upkeep::PERIOD_MAX);
        tasks.spawn(upkeep::run(Arc::clone(&shared.broker), clock, period, stop.clone()));
        Ok(Server {
            shared,
            native_address,
            nats_address,
            http_address,
            drain_timeout: self.drain_timeout,
            tasks,
            stop,
            accepting,
            _workers: workers,
        })
    }

    /// Says which ports somebody else has, where that is no error: unless nothing else would be listened on.
    fn tell_of_ports_in_use(&self, native: bool, nats: bool, monitor: bool) -> Result<(), StartError> {
        let missed = [(&self.listen, native, "native"), (&self.nats_listen, nats, "NATS")];
        for (endpoint, bound, protocol) in missed {
            let Some(Endpoint { address, .. }) = endpoint.as_ref().filter(|_| !bound) else { continue };
            if !native && !nats {
                let cause = io::ErrorKind::AddrInUse.into();
                return Err(StartError::Listen { address: address.clone(), cause });
            }
            warn!("{address} is in use: started without the {protocol} protocol");
        }
        if let (Some(Endpoint { address, .. }), false) = (&self.monitor, monitor) {
            warn!("{address} is in use: started without monitoring");
        }
        Ok(())
    }
}
