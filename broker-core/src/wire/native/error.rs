//! What can be wrong with bytes, before it is known what they were to mean.

use thiserror::Error;

/// A frame that cannot be read. Its connection cannot go on: where the next frame begins is not known, or not worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The byte `0xc1`, which MessagePack never uses.
    #[error("byte {offset} of the frame is 0xc1, which MessagePack never uses")]
    Reserved {
        /// Where it stands, counted from the start of the frame.
        offset: usize,
    },
    /// The frame is, or by its headers must become, longer than the limit.
    #[error("a frame of at least {needed} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes that the frame takes at the least.
        needed: u64,
        /// [`WireLimits::frame_bytes_max`](super::WireLimits::frame_bytes_max).
        limit: usize,
    },
    /// Arrays and maps are nested deeper than the limit.
    #[error("values nested deeper than {limit} levels")]
    TooDeep {
        /// [`WireLimits::depth_max`](super::WireLimits::depth_max).
        limit: usize,
    },
    /// MessagePack, but not what was expected at this place.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the protocol wants here.
        expected: &'static str,
        /// What kind of value is there.
        found: &'static str,
    },
    /// The value ends before its content does. A whole frame never has this: it is a part that was cut out wrongly.
    #[error("the value is cut off")]
    Truncated,
    /// A str that is not UTF-8.
    #[error("a str that is not UTF-8")]
    NotUtf8,
}
