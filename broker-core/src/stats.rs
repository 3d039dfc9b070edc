//! Counters: of each session, written by its reader once a batch, and summed by whoever asks.

use std::sync::{Arc, OnceLock};

use crate::message::Now;
use crate::nats_session::NatsIdentity;
use crate::outbox::{Outbox, SlowNews};
use crate::reason::CloseReason;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use crate::wire::native;
use crate::wire::nats;

/// In place of a time.
const NEVER: u64 = u64::MAX;

/// What is known of a session while it lasts.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its number, unique while the broker runs.
    pub id: u64,
    /// Where it comes from.
    pub address: String,
    /// The protocol that it speaks.
    pub protocol: &'static str,
    /// When it began.
    pub started: Now,
    pub(crate) client: OnceLock<ClientInfo>,
    /// What INFO says, on a session of the NATS protocol.
    pub(crate) nats: Option<NatsIdentity>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) commands: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) payload_bytes_in: AtomicU64,
    pub(crate) heard_monotonic_ms: AtomicU64,
    pub(crate) subscriptions: Arc<AtomicUsize>,
    /// It said `Hello`, and so answers a `Ping`.
    pub(crate) introduced: AtomicBool,
    /// When it was pinged, if that was since it was last heard.
    pinged_monotonic_ms: AtomicU64,
    /// How often since then.
    pings_out: AtomicU32,
    /// When it ends unless it has said who it is.
    pub(crate) auth_by_monotonic_ms: AtomicU64,
    /// It is not being read from, so its silence says nothing.
    pub(crate) held: AtomicBool,
}

/// What a client says of itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ClientInfo {
    pub(crate) name: Option<String>,
    pub(crate) lang: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) user: Option<String>,
}

/// The figures of a session, or of all together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Commands that were handled.
    pub commands: u64,
    /// Sessions that there have been.
    pub connections: u64,
    /// Messages published.
    pub messages_in: u64,
    /// Messages written to subscribers.
    pub messages_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Of the bytes read, values of messages, and on the NATS protocol their headers: what nats-server calls bytes.
    pub payload_bytes_in: u64,
    /// The same of what publishers handed to it, when they did so.
    pub payload_bytes_out: u64,
    /// Messages that subscribers missed.
    pub lagged: u64,
    /// Messages that waited for sessions when they ended.
    pub lost: u64,
    /// Messages that subscriptions with a `max_rate` did not want, because a newer one came.
    pub thinned: u64,
}

impl SessionInfo {
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        address: String,
        protocol: &'static str,
        nats: Option<NatsIdentity>,
        now: Now,
    ) -> Self {
        SessionInfo {
            id: outbox.session(),
            address,
            protocol,
            started: now,
            client: OnceLock::new(),
            nats,
            outbox,
            commands: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            payload_bytes_in: AtomicU64::new(0),
            heard_monotonic_ms: AtomicU64::new(now.monotonic_ms),
            subscriptions: Arc::default(),
            introduced: AtomicBool::new(false),
            pinged_monotonic_ms: AtomicU64::new(NEVER),
            pings_out: AtomicU32::new(0),
            auth_by_monotonic_ms: AtomicU64::new(NEVER),
            held: AtomicBool::new(false),
        }
    }

    /// The name that it gave itself.
    pub fn name(&self) -> Option<&str> {
        self.client.get()?.name.as_deref()
    }

    /// The language of the client's library, on the NATS protocol.
    pub fn lang(&self) -> Option<&str> {
        self.client.get()?.lang.as_deref()
    }

    /// The version of the client's library, on the NATS protocol.
    pub fn version(&self) -> Option<&str> {
        self.client.get()?.version.as_deref()
    }

    /// The user that it said to be.
    pub fn user(&self) -> Option<&str> {
        self.client.get()?.user.as_deref()
    }

    /// When the client said something last.
    pub fn heard_monotonic_ms(&self) -> u64 {
        self.heard_monotonic_ms.load(Relaxed)
    }

    /// Ends the session. What waits for it is still written. The first reason stands.
    pub fn end(&self, reason: CloseReason) {
        self.outbox.end(reason);
        self.outbox.link().wake();
    }

    /// How many subscriptions it has.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.load(Relaxed)
    }

    /// Bytes that wait to be written to it.
    pub fn queue_bytes(&self) -> usize {
        self.outbox.stats().waiting_bytes
    }

    /// Since when it has been slow, why, and what it missed meanwhile; `None` if it keeps up.
    pub fn slow(&self) -> Option<SlowNews> {
        self.outbox.slow()
    }

    /// Notes that the client said something, if only a part of a frame.
    pub fn heard(&self, now: Now) {
        self.heard_monotonic_ms.store(now.monotonic_ms, Relaxed);
        self.pinged_monotonic_ms.store(NEVER, Relaxed);
        self.pings_out.store(0, Relaxed);
    }

    /// It has to say who it is within so many milliseconds from its start.
    pub(crate) fn expect_credentials(&self, within_ms: u64) {
        let by = self.started.monotonic_ms.saturating_add(within_ms);
        self.auth_by_monotonic_ms.store(by, Relaxed);
    }

    /// It has said who it is.
    pub(crate) fn credentials_came(&self) {
        self.auth_by_monotonic_ms.store(NEVER, Relaxed);
    }

    /// Ends the session if it has been silent for too long, and asks it for a sign of life before.
    pub(crate) fn check_silence(&self, now: Now, idle_ms: u64) {
        if now.monotonic_ms >= self.auth_by_monotonic_ms.load(Relaxed) {
            return self.end(CloseReason::AuthTimeout);
        }
        match &self.nats {
            Some(identity) => {
                self.check_pings(now, identity.options.ping_interval_ms, identity.options.pings_out_max);
            }
            None if idle_ms > 0 => self.check_idle(now, idle_ms),
            None => {}
        }
    }

    /// The way of the NATS protocol: a ping after every interval of silence, and the end when too many were not answered.
    fn check_pings(&self, now: Now, interval_ms: u64, pings_out_max: u32) {
        let heard_ms = self.heard_monotonic_ms.load(Relaxed);
        let since_ms = match self.pinged_monotonic_ms.load(Relaxed) {
            NEVER => heard_ms,
            pinged_ms => pinged_ms,
        };
        let waited_ms = now.monotonic_ms.saturating_sub(since_ms);
        if interval_ms == 0 || self.held.load(Relaxed) || waited_ms < interval_ms {
            return;
        }
        if self.pings_out.load(Relaxed) >= pings_out_max {
            return self.end(CloseReason::Stale);
        }
        self.pings_out.fetch_add(1, Relaxed);
        self.pinged_monotonic_ms.store(now.monotonic_ms, Relaxed);
        self.outbox.push_control(nats::encode::PING);
        self.outbox.link().wake();
    }

    /// The way of the native protocol: one ping after half of `idle_ms` of silence, and the end after all of it. One that did not say
    /// `Hello` cannot be asked, so it ends only if it has no subscription.
    fn check_idle(&self, now: Now, idle_ms: u64) {
        let silent_ms = now.monotonic_ms.saturating_sub(self.heard_monotonic_ms.load(Relaxed));
        if self.held.load(Relaxed) || silent_ms < idle_ms / 2 {
            return;
        }
        if !self.introduced.load(Relaxed) {
            if silent_ms >= idle_ms && self.subscriptions() == 0 {
                self.end(CloseReason::Idle);
            }
            return;
        }
        match self.pinged_monotonic_ms.load(Relaxed) {
            NEVER => {
                self.pinged_monotonic_ms.store(now.monotonic_ms, Relaxed);
                let mut frame = Vec::new();
                native::encode::ping(&mut frame, None);
                self.outbox.push_control(&frame);
                self.outbox.link().wake();
            }
            // However late the question came, there is time to answer it.
            pinged_ms if now.monotonic_ms.saturating_sub(pinged_ms) >= idle_ms / 2 => {
                self.end(CloseReason::Idle);
            }
            _ => {}
        }
    }

    /// Tells a client of the NATS protocol, if it can be told, that the server is about to close.
    pub(crate) fn announce_lame_duck(&self) {
        let Some(identity) = &self.nats else { return };
        if identity.knows_info.load(Relaxed) {
            let mut line = Vec::new();
            identity.info(self.id, true, &mut line);
            self.outbox.push_control(&line);
            self.outbox.link().wake();
        }
    }

    /// Its figures.
    pub fn totals(&self) -> Totals {
        let out = self.outbox.stats();
        Totals {
            commands: self.commands.load(Relaxed),
            connections: 1,
            messages_in: self.messages_in.load(Relaxed),
            messages_out: out.messages_out,
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: out.bytes_out,
            payload_bytes_in: self.payload_bytes_in.load(Relaxed),
            payload_bytes_out: out.payload_bytes_out,
            lagged: out.lagged,
            lost: out.lost,
            thinned: out.thinned,
        }
    }
}

impl Totals {
    /// Adds those of another.
    pub fn add(&mut self, other: &Totals) {
        self.commands += other.commands;
        self.connections += other.connections;
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.payload_bytes_in += other.payload_bytes_in;
        self.payload_bytes_out += other.payload_bytes_out;
        self.lagged += other.lagged;
        self.lost += other.lost;
        self.thinned += other.thinned;
    }
}
