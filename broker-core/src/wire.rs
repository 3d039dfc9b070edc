//! Wire formats: bytes to commands and events, and back. Pure, incremental, and never recursive on what a peer sends.

pub(crate) mod convert;
pub mod native;
pub mod nats;
