//! The native protocol: MessagePack values one after another. `docs/protocol.md` is its specification.
//!
//! A frame is decoded in two steps, so that a frame in pieces costs no more than a whole one: [`FrameScanner`] finds where it
//! ends and remembers how far it got; then [`Command::parse`] or [`Event::parse`] reads the whole frame and borrows from it. Values
//! are opaque: nothing here ever builds one.

mod command;
mod decode;
pub mod encode;
mod error;
mod event;
mod options;
mod read;
mod skip;

pub use command::{Command, CommandError, Publish, PublishMeta, Subscribe};
pub use decode::{Decoded, Decoder};
pub use encode::{PublishOptions, SubscribeOptions};
pub use error::WireError;
pub use event::{Event, Hello, MessageRef, Meta, Welcome};
pub use options::TTL_MS_MAX;
pub use skip::{FrameScanner, value_end};

pub(crate) use read::{Reader, is_empty_value};
pub(crate) use skip::{Kind, head};

/// The version of the protocol that `Hello` asks for and `Welcome` confirms.
pub const VERSION: u32 = 1;

/// The TCP port that the native protocol uses by default; lbroker's.
pub const PORT: u16 = 36912;

/// What bounds a frame before anything is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireLimits {
    /// Bytes of one frame, headers included. Default 8 MiB.
    pub frame_bytes_max: usize,
    /// How deep arrays and maps may nest inside a value. Default 128, which common decoders can read by recursion.
    pub depth_max: usize,
}

impl Default for WireLimits {
    fn default() -> Self {
        WireLimits { frame_bytes_max: 8 << 20, depth_max: 128 }
    }
}
