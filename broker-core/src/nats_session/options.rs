//! What a NATS session is made with, and what it says of itself in INFO.

use core::net::SocketAddr;
use std::sync::Arc;

use crate::outbox::Policy;
use crate::session::ServerName;
use crate::sync::atomic::AtomicBool;
use crate::wire::nats::Info;

/// What the NATS listener allows and says. The defaults are nats-server's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, clippy::struct_excessive_bools)]
pub struct NatsOptions {
    /// A name for this run of the server that no other has.
    pub server_id: String,
    /// A name for people; empty for that of the program.
    pub server_name: String,
    /// The version that clients compare with what they need; empty for that of the program.
    pub version: String,
    /// Where the server listens.
    pub host: String,
    /// And on which port.
    pub port: u16,
    /// Where else clients can go.
    pub connect_urls: Vec<String>,
    /// CONNECT must say who the client is: see [`Next::Auth`](crate::Next::Auth).
    pub auth_required: bool,
    /// INFO says that the connection must go on in TLS.
    pub tls_required: bool,
    /// INFO says that it may.
    pub tls_available: bool,
    /// Bytes of a payload, headers included. Default 1 MiB.
    pub payload_bytes_max: usize,
    /// Bytes of a line. Default 4,096.
    pub control_line_bytes_max: usize,
    /// Subscriptions of one session; 0 for any number, the default.
    pub subscriptions_max: usize,
    /// What an outbox does at its bound. Default `disconnect`.
    pub policy: Policy,
    /// Whether a subscriber gets retained messages. Default false: NATS has none.
    pub retained: bool,
    /// Milliseconds of silence between two pings of the server; 0 for none. Default 120,000.
    pub ping_interval_ms: u64,
    /// Pings in a row that may be unanswered. Default 2.
    pub pings_out_max: u32,
    /// Milliseconds that a client has to say who it is. Default 2,000.
    pub auth_timeout_ms: u64,
}

impl Default for NatsOptions {
    fn default() -> Self {
        NatsOptions {
            server_id: String::new(),
            server_name: String::new(),
            version: String::new(),
            host: "127.0.0.1".to_owned(),
            port: crate::wire::nats::PORT,
            connect_urls: Vec::new(),
            auth_required: false,
            tls_required: false,
            tls_available: false,
            payload_bytes_max: 1 << 20,
            control_line_bytes_max: 4096,
            subscriptions_max: 0,
            policy: Policy::Disconnect,
            retained: false,
            ping_interval_ms: 120_000,
            pings_out_max: 2,
            auth_timeout_ms: 2000,
        }
    }
}

/// What others need to know of a NATS session to speak for it.
#[derive(Debug)]
pub(crate) struct NatsIdentity {
    pub(crate) options: Arc<NatsOptions>,
    pub(super) address: SocketAddr,
    pub(super) server: ServerName,
    /// The client can be sent INFO at any time.
    pub(crate) knows_info: AtomicBool,
}

impl NatsIdentity {
    /// Appends INFO for the session of this number.
    pub(crate) fn info(&self, session: u64, lame_duck: bool, out: &mut Vec<u8>) {
        let options = &*self.options;
        let info = Info {
            server_id: &options.server_id,
            server_name: or(&options.server_name, self.server.name),
            version: or(&options.version, self.server.version),
            proto: 1,
            host: &options.host,
            port: options.port,
            headers: true,
            auth_required: options.auth_required,
            tls_required: options.tls_required,
            tls_available: options.tls_available,
            max_payload: options.payload_bytes_max,
            client_id: session,
            client_ip: &self.address.ip().to_string(),
            connect_urls: &options.connect_urls,
            ldm: lame_duck,
        };
        info.encode(out);
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
