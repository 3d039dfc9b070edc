//! Counters: of each session, written by its reader once a batch, and summed by whoever asks.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::message::Now;
use crate::outbox::Outbox;
use crate::reason::CloseReason;
use crate::wire::native::encode;

/// In place of a time.
pub(crate) const NOT_PINGED: u64 = u64::MAX;

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
    pub(crate) name: OnceLock<String>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) commands: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) heard_monotonic_ms: AtomicU64,
    pub(crate) subscriptions: AtomicUsize,
    /// It said `Hello`, and so answers a `Ping`.
    pub(crate) introduced: AtomicBool,
    /// When it was pinged, if that was since it was last heard.
    pub(crate) pinged_monotonic_ms: AtomicU64,
    /// It is not being read from, so its silence says nothing.
    pub(crate) held: AtomicBool,
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
    /// Messages that subscribers missed.
    pub lagged: u64,
    /// Messages that waited for sessions when they ended.
    pub lost: u64,
}

impl SessionInfo {
    /// The name that it gave itself.
    pub fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }

    /// How many subscriptions it has.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.load(Relaxed)
    }

    /// Bytes that wait to be written to it.
    pub fn queue_bytes(&self) -> usize {
        self.outbox.stats().waiting_bytes
    }

    /// Notes that the client said something, if only a part of a frame.
    pub fn heard(&self, now: Now) {
        self.heard_monotonic_ms.store(now.monotonic_ms, Relaxed);
        self.pinged_monotonic_ms.store(NOT_PINGED, Relaxed);
    }

    /// Asks for a sign of life after half of `idle_ms` of silence, and ends the session after all of it. One that did not say
    /// `Hello` cannot be asked, so it ends only if it has no subscription.
    pub(crate) fn check_silence(&self, now: Now, idle_ms: u64) {
        let silent_ms = now.monotonic_ms.saturating_sub(self.heard_monotonic_ms.load(Relaxed));
        if self.held.load(Relaxed) || silent_ms < idle_ms / 2 {
            return;
        }
        if !self.introduced.load(Relaxed) {
            if silent_ms >= idle_ms && self.subscriptions() == 0 {
                self.end_idle();
            }
            return;
        }
        match self.pinged_monotonic_ms.load(Relaxed) {
            NOT_PINGED => {
                self.pinged_monotonic_ms.store(now.monotonic_ms, Relaxed);
                let mut frame = Vec::new();
                encode::ping(&mut frame, None);
                self.outbox.push_control(&frame);
                self.outbox.link().wake();
            }
            // However late the question came, there is time to answer it.
            pinged_ms if now.monotonic_ms.saturating_sub(pinged_ms) >= idle_ms / 2 => self.end_idle(),
            _ => {}
        }
    }

    fn end_idle(&self) {
        self.outbox.end(CloseReason::Idle);
        self.outbox.link().wake();
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
            lagged: out.lagged,
            lost: out.lost,
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
        self.lagged += other.lagged;
        self.lost += other.lost;
    }
}
