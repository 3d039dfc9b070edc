//! What the server says of itself.

use serde::Serialize;

/// The content of INFO, with nats-server's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(clippy::exhaustive_structs, clippy::struct_excessive_bools)]
pub struct Info<'a> {
    /// The server's number, unique and new at each start.
    pub server_id: &'a str,
    /// Its name.
    pub server_name: &'a str,
    /// The version, which clients compare with what they need.
    pub version: &'a str,
    /// The version of the protocol: 1 has INFO at any time.
    pub proto: u32,
    /// Where it listens.
    pub host: &'a str,
    /// And on which port.
    pub port: u16,
    /// Whether it knows headers.
    pub headers: bool,
    /// Whether CONNECT must say who it is.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// Whether the connection must go on in TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// Whether it may.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_available: bool,
    /// Bytes that a payload may have.
    pub max_payload: usize,
    /// The session's number.
    pub client_id: u64,
    /// Where the client comes from.
    pub client_ip: &'a str,
    /// Other addresses of the server.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub connect_urls: &'a [String],
    /// The server is about to close.
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
}

// The signature that serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Info<'_> {
    /// Appends the line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"INFO ");
        let written = serde_json::to_writer(&mut *out, self);
        debug_assert!(written.is_ok(), "a struct of numbers and strings always serializes into a Vec");
        out.extend_from_slice(b" \r\n");
    }
}
