//! What this server says of itself to NATS clients, and what it allows them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use broker_core::NatsOptions;

use crate::clock::millis;
use crate::config::Nats;

/// The nats-server whose protocol this is. Clients take what a server can do from it, so it must be one of theirs.
pub const NATS_VERSION: &str = "2.9.10";

/// Letters of base 32, of which the names of NATS servers consist.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Letters of a NATS server's identifier.
const SERVER_ID_LETTERS: usize = 56;

/// The options of every NATS session, of both sorts.
#[derive(Debug)]
pub(crate) struct NatsSettings {
    pub(crate) outbox_bytes_max: usize,
    open: Arc<NatsOptions>,
    closed: Arc<NatsOptions>,
}

impl NatsSettings {
    /// `address` is where it listens, if it does.
    pub(crate) fn new(
        config: &Nats,
        address: Option<SocketAddr>,
        subscriptions_max: usize,
        auth_timeout_ms: u64,
    ) -> Self {
        let options = |auth_required| {
            Arc::new(NatsOptions {
                server_name: config.server_name.clone(),
                version: NATS_VERSION.to_owned(),
                host: address.map(|address| address.ip().to_string()).unwrap_or_default(),
                port: address.map_or(0, |address| address.port()),
                auth_required,
                payload_bytes_max: config.payload_bytes_max,
                control_line_bytes_max: config.control_line_bytes_max,
                subscriptions_max,
                policy: config.outbox_policy,
                retained: config.retained,
                ping_interval_ms: millis(config.ping_interval),
                pings_out_max: u32::try_from(config.pings_out_max).unwrap_or(u32::MAX),
                auth_timeout_ms,
                server_id: String::new(),
                ..NatsOptions::default()
            })
        };
        let (mut open, mut closed) = (options(false), options(true));
        let server_id = server_id();
        for options in [&mut open, &mut closed] {
            Arc::make_mut(options).server_id.clone_from(&server_id);
        }
        NatsSettings { outbox_bytes_max: config.outbox_bytes_max, open, closed }
    }

    /// The options of a session that begins now.
    pub(crate) fn options(&self, auth_required: bool) -> Arc<NatsOptions> {
        Arc::clone(if auth_required { &self.closed } else { &self.open })
    }
}

/// An identifier that no other server has: like nats-server's, which is a public key, but only a random number.
fn server_id() -> String {
    let mut id = String::from("N");
    while id.len() < SERVER_ID_LETTERS {
        let mut bits = random();
        // 12 letters of 5 bits each.
        for _ in 0..12 {
            let letter = BASE32.get(usize::try_from(bits & 31).unwrap_or_default());
            id.extend(letter.map(|letter| char::from(*letter)));
            bits >>= 5;
        }
    }
    id.truncate(SERVER_ID_LETTERS);
    id
}

/// A number that nobody can foresee who does not look for it; not for keys.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_look_like_those_of_nats_server() {
        let (one, other) = (server_id(), server_id());
        assert_eq!(one.len(), 56);
        assert!(one.starts_with('N') && one.bytes().all(|letter| BASE32.contains(&letter)), "{one}");
        assert_ne!(one, other);
    }
}
