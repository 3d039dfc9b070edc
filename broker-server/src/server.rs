//! The server as a value: build it, start it, stop it.

mod builder;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker_core::Broker;
use broker_core::reason::CloseReason;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

pub use self::builder::{Builder, StartError};
use crate::auth;
use crate::config;
use crate::connection::Shared;
use crate::workers::Workers;

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
    native_address: Option<SocketAddr>,
    nats_address: Option<SocketAddr>,
    http_address: Option<SocketAddr>,
    drain_timeout: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Connections are accepted until this.
    accepting: CancellationToken,
    /// Kept to the end: dropping them ends what runs on them.
    _workers: Arc<Workers>,
}

impl Server {
    /// A server with the default settings, to change and to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens for the native protocol, if it does.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.native_address
    }

    /// Where it listens for the NATS protocol, if it does.
    pub fn nats_addr(&self) -> Option<SocketAddr> {
        self.nats_address
    }

    /// Where it serves its figures over HTTP, if it does.
    pub fn monitor_addr(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// The broker inside: its figures, and a way to publish in its name.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.shared.broker
    }

    /// Tasks that run for it: the listener, the metrics, and one for each connection. For tests of what is left behind.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Goes by other tokens and users from now on. Sessions that there are stay.
    pub fn set_auth(&self, auth: config::Auth) {
        auth::warn_of_plain_secrets(&auth);
        self.shared.gate.exchange(auth);
    }

    /// Empties the server without haste: accepts nothing more, tells the NATS clients that it goes, which makes them look for another one,
    /// waits for `grace`, and then ends the sessions that are left, evenly over `duration`. It returns when there is none; then [`Server::stop`]
    /// has nothing left to do.
    ///
    /// Cancel safe: dropped in the middle, no further session is ended, and none is accepted.
    pub async fn lame_duck(&self, grace: Duration, duration: Duration) {
        self.accepting.cancel();
        let broker = &self.shared.broker;
        broker.announce_lame_duck();
        info!("lame duck: {} sessions, {grace:?} until the first is closed", broker.connections());
        tokio::select! {
            () = sleep(grace) => {}
            () = self.is_empty() => return,
        }
        let sessions = broker.sessions();
        let pause = duration / u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
        let begun = Instant::now();
        for (number, session) in (1_u32..).zip(sessions) {
            session.end(CloseReason::ShuttingDown);
            // Not one pause after another: those that the system lengthens would add up.
            sleep_until(begun + pause * number).await;
        }
        // The last of them may still be reading.
        let _ = timeout(self.drain_timeout, self.is_empty()).await;
    }

    /// Waits until there is no session. There are no new ones when it is used.
    async fn is_empty(&self) {
        while self.shared.broker.connections() > 0 {
            sleep(LOOK_EVERY).await;
        }
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

/// How often a lame duck looks whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.broker.end_sessions(&CloseReason::ShuttingDown);
        self.shared.broker.abandon_sessions();
    }
}
