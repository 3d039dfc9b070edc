//! The server's decoder: one command after another from a stream, with a short way for the commonest frame.

use super::skip::{FrameScanner, value_end};
use super::{Command, CommandError, Publish, WireLimits};

/// How nearly every `Publish` begins: a map of one, its name, an array of one, an array of two.
const PUBLISH_HEAD: &[u8; 11] = b"\x81\xa7Publish\x91\x92";

/// Decodes commands from a stream, however it is cut.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: WireLimits,
    scanner: FrameScanner,
    /// The scanner stands inside a frame, so the short way would look at its bytes again.
    inside: bool,
}

/// A command and how long its frame is.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    /// What was said, or why it cannot be understood.
    pub command: Result<Command<'a>, CommandError>,
    /// Bytes of the frame: where the next one begins.
    pub frame_bytes: usize,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: WireLimits) -> Self {
        Decoder { limits, scanner: FrameScanner::new(limits), inside: false }
    }

    /// The first command of `bytes`, which begin with its frame; `None` if it is not whole.
    ///
    /// After `None` the next call brings the same bytes with more behind them.
    ///
    /// # Errors
    ///
    /// The bytes are no frame: where the next one would begin is not known, and the connection cannot go on.
    #[inline]
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Decoded<'a>>, CommandError> {
        if let Some((publish, frame_bytes)) = self.next_plain(bytes) {
            return Ok(Some(Decoded { command: Ok(Command::Publish(publish)), frame_bytes }));
        }
        self.next_other(bytes)
    }

    /// How many bytes the frame under way takes at the least; 0 where nothing is known.
    pub fn needed(&self) -> usize {
        self.scanner.needed()
    }

    /// Whether a frame has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// The first command of `bytes` and how long its frame is, if it is a whole `Publish` in its shortest encoding and without options. Everything else,
    /// errors too, is for [`Decoder::next`].
    #[inline]
    pub fn next_plain<'a>(&self, bytes: &'a [u8]) -> Option<(Publish<'a>, usize)> {
        if self.inside {
            return None;
        }
        let rest = bytes.strip_prefix(PUBLISH_HEAD)?;
        let (topic, behind) = match rest.split_first()? {
            (marker @ 0xa0..=0xbf, behind) => behind.split_at_checked(usize::from(marker & 0x1f))?,
            (0xd9, behind) => {
                let (&length, behind) = behind.split_first()?;
                behind.split_at_checked(usize::from(length))?
            }
            _ => return None,
        };
        let value_bytes = value_end(behind, self.limits.depth_max).ok()??;
        let value = behind.get(..value_bytes)?;
        let frame_bytes = bytes.len() - behind.len() + value_bytes;
        if frame_bytes > self.limits.frame_bytes_max {
            return None;
        }
        // The pair begins at the last byte of the head, its array of two.
        let pair = bytes.get(PUBLISH_HEAD.len() - 1..frame_bytes)?;
        Some((Publish { pair, topic, value, meta: None }, frame_bytes))
    }

    /// As [`Decoder::next`], for what [`Decoder::next_plain`] has left.
    #[cold]
    #[inline(never)]
    pub(crate) fn next_other<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Decoded<'a>>, CommandError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        self.inside = true;
        let Some(frame_bytes) = self.scanner.scan(bytes)? else { return Ok(None) };
        self.inside = false;
        let frame = bytes.get(..frame_bytes).unwrap_or_default();
        Ok(Some(Decoded { command: Command::parse(frame), frame_bytes }))
    }
}
