//! The task that owns a client's connection, for as long as there is one to have.
//!
//! It drives one [`Wire`] after another. Invariants: it ends with [`Shared::finish`], whatever happens, also if its runtime is
//! shut down under it; what a broken connection leaves behind is settled once, before the next one is tried.

mod handshake;
mod incoming;
mod wire;

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

pub(crate) use self::handshake::open;
use self::wire::End;
pub(crate) use self::wire::Wire;
use crate::{
    Backoff, CloseReason, ConnectError, ConnectionError, Event, State, link::Closing, shared::Shared,
    sync::lock,
};

/// Keeps the client connected until it is closed. The guard comes from outside: a task may be dropped before it ever ran.
pub(crate) async fn run(guard: Guard, first: Wire) {
    let shared = &*guard.0;
    let mut wire = first;
    // Attempts since a connection lasted.
    let mut attempt = 0;
    let reason = loop {
        let since = Instant::now();
        let end = wire.drive(shared).await;
        let error = match end {
            End::Done => break closing_reason(shared),
            End::Late => {
                settle(shared, &mut wire);
                break closing_reason(shared);
            }
            End::Broken(error) => error,
        };
        let next = settle(shared, &mut wire);
        // The socket is closed before anything else is tried.
        drop(wire);
        tell_disconnected(shared, &error, next.unconfirmed);
        if next.is_over {
            break closing_reason(shared);
        }
        let Some(backoff) = shared.options.reconnect else { break CloseReason::Lost(error) };
        if since.elapsed() >= backoff.max {
            attempt = 0;
        }
        match reconnect(shared, &backoff, &mut attempt).await {
            Ok(stands) => wire = stands,
            Err(reason) => break reason,
        }
    };
    shared.finish(reason);
}

/// Ends the client when the task does, also if it is dropped with its runtime.
pub(crate) struct Guard(pub(crate) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.finish(CloseReason::RuntimeStopped);
    }
}

/// What a broken connection leaves.
struct Settled {
    unconfirmed: u64,
    /// The client is closing and there is nothing left to send.
    is_over: bool,
}

/// Keeps what was not sent, fails what waited for an answer, counts what nobody knows the fate of.
fn settle(shared: &Shared, wire: &mut Wire) -> Settled {
    let mut router = lock(&shared.router);
    let mut link = lock(&shared.link);
    link.state = State::Reconnecting;
    let unconfirmed = link.break_off(&mut wire.batch, wire.written);
    router.drop_requests();
    shared.counters.unconfirmed.add(unconfirmed);
    Settled { unconfirmed, is_over: link.closing.is_some() && link.is_drained() }
}

fn tell_disconnected(shared: &Shared, error: &ConnectionError, unconfirmed: u64) {
    tracing::warn!(address = %shared.address, %error, unconfirmed, "connection lost");
    shared.hub.send(&Event::Disconnected { error: error.clone(), unconfirmed });
    // The buffer may have room now.
    shared.space.notify_waiters();
}

fn closing_reason(shared: &Shared) -> CloseReason {
    let closing = lock(&shared.link).closing.clone();
    closing.map_or(CloseReason::Requested, |Closing { reason, .. }| reason)
}

/// Tries until a connection stands, or there is a reason to give up.
async fn reconnect(shared: &Shared, backoff: &Backoff, attempt: &mut u32) -> Result<Wire, CloseReason> {
    let mut failed = 0_u32;
    loop {
        pause(shared, backoff, *attempt).await?;
        *attempt = attempt.saturating_add(1);
        match try_once(shared).await {
            Ok(wire) => return Ok(wire),
            Err(error) => {
                failed = failed.saturating_add(1);
                tracing::debug!(address = %shared.address, %error, failed, "cannot reconnect");
                if error.is_final() || shared.options.max_reconnects.is_some_and(|most| failed >= most) {
                    return Err(CloseReason::GaveUp { attempts: failed, last: Box::new(error) });
                }
            }
        }
    }
}

/// Waits before an attempt. An error if the client is closing and it is of no use, or too late, to go on.
async fn pause(shared: &Shared, backoff: &Backoff, attempt: u32) -> Result<(), CloseReason> {
    let until = Instant::now() + backoff.delay(attempt, fastrand::f64());
    loop {
        let mut wake_at = until;
        {
            let link = lock(&shared.link);
            if let Some(closing) = &link.closing {
                if link.is_drained() || closing.deadline <= Instant::now() {
                    return Err(closing.reason.clone());
                }
                wake_at = until.min(closing.deadline);
            }
        }
        if until <= Instant::now() {
            return Ok(());
        }
        tokio::select! {
            () = sleep_until(wake_at) => {}
            () = shared.wake.notified() => {}
        }
    }
}

/// One attempt. If it succeeds, everything that is subscribed to is asked for again, before what waits to be sent.
async fn try_once(shared: &Shared) -> Result<Wire, ConnectError> {
    let mut limit = shared.options.connect_timeout;
    let closing = lock(&shared.link).closing.clone();
    if let Some(Closing { deadline, .. }) = closing {
        limit = limit.min(deadline.saturating_duration_since(Instant::now()));
    }
    let (wire, server) = open(&shared.address, &shared.options, limit).await?;
    let session = server.session;
    {
        let router = lock(&shared.router);
        let mut link = lock(&shared.link);
        link.begin(server, router.asks());
    }
    shared.counters.reconnects.add(1);
    let reconnects = shared.counters.reconnects.get();
    tracing::info!(address = %shared.address, session, reconnects, "reconnected");
    shared.hub.send(&Event::Connected { session, reconnects });
    Ok(wire)
}
