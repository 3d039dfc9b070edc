//! The NATS client protocol: text lines, some of them with a payload behind. `docs/protocol.md` says what of it the broker speaks.
//!
//! The decoder is for servers: it reads what clients send. The encoder writes what servers send. Both know nothing of sessions.

mod connect;
mod decode;
pub mod encode;
mod error;
mod headers;
mod info;

pub use connect::Connect;
pub(crate) use decode::Plain;
pub use decode::{Command, Decoded, Decoder, NatsLimits, Publish};
pub use encode::{Extent, message_extent};
pub use error::NatsError;
pub use headers::{headers_from_map, headers_to_map};
pub use info::Info;

/// The TCP port that the protocol uses by default.
pub const PORT: u16 = 4222;
