//! Sessions of the NATS protocol without a socket: what they say and what they do, together with sessions of the native protocol.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared by several test binaries")]

#[path = "nats/across.rs"]
mod across;
#[path = "nats/auth.rs"]
mod auth;
#[path = "model/client.rs"]
mod client;
#[path = "nats/groups.rs"]
mod groups;
#[path = "nats/liveness.rs"]
mod liveness;
#[path = "nats/model.rs"]
mod model;
#[path = "nats/peer.rs"]
mod peer;
#[path = "nats/pressure.rs"]
mod pressure;
#[path = "model/socket.rs"]
mod socket;
#[path = "nats/transcripts.rs"]
mod transcripts;
#[path = "nats/unsub.rs"]
mod unsub;
