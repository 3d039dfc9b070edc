//! Where a value ends: the one loop that looks at every frame.
//!
//! A counter for each open array or map is all the state there is, so nesting costs no stack, and a frame that arrives in pieces is
//! never looked at twice from its start. Nothing is allocated by an announced length.
//!
//! Format: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use smallvec::SmallVec;

use super::{WireError, WireLimits};

/// The map, the arguments and the pair around the value of a `Publish`.
const ENVELOPE_DEPTH: usize = 3;

/// What the first bytes of a value say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// Bytes of the marker and the length behind it.
    pub(crate) header: usize,
    /// Bytes of content that follow the header; those of children are not counted.
    pub(crate) content: usize,
    /// Values that follow inside this one; twice the entries of a map.
    pub(crate) children: u64,
}

/// The families of MessagePack values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nil,
    Bool,
    Unsigned,
    Signed,
    Float,
    Str,
    Bin,
    Array,
    Map,
    Ext,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Nil => "nil",
            Kind::Bool => "a bool",
            Kind::Unsigned | Kind::Signed => "an integer",
            Kind::Float => "a float",
            Kind::Str => "a str",
            Kind::Bin => "a bin",
            Kind::Array => "an array",
            Kind::Map => "a map",
            Kind::Ext => "an ext",
        }
    }
}

/// Reads the head of the value at the start of `bytes`; `None` where more bytes are needed for it.
///
/// # Errors
///
/// [`WireError::Reserved`], with offset 0.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, WireError> {
    let Some((&marker, rest)) = bytes.split_first() else { return Ok(None) };
    let fixed = |kind, content| Some(Head { kind, header: 1, content, children: 0 });
    let nested = |kind, header, children| Some(Head { kind, header, content: 0, children });
    let low = |mask: u8| usize::from(marker & mask);
    Ok(match marker {
        0x00..=0x7f => fixed(Kind::Unsigned, 0),
        0x80..=0x8f => nested(Kind::Map, 1, 2 * low(0x0f) as u64),
        0x90..=0x9f => nested(Kind::Array, 1, low(0x0f) as u64),
        0xa0..=0xbf => fixed(Kind::Str, low(0x1f)),
        0xc0 => fixed(Kind::Nil, 0),
        0xc1 => return Err(WireError::Reserved { offset: 0 }),
        0xc2 | 0xc3 => fixed(Kind::Bool, 0),
        0xc4 => sized::<1>(Kind::Bin, rest, 0),
        0xc5 => sized::<2>(Kind::Bin, rest, 0),
        0xc6 => sized::<4>(Kind::Bin, rest, 0),
        0xc7 => sized::<1>(Kind::Ext, rest, 1),
        0xc8 => sized::<2>(Kind::Ext, rest, 1),
        0xc9 => sized::<4>(Kind::Ext, rest, 1),
        0xca => fixed(Kind::Float, 4),
        0xcb => fixed(Kind::Float, 8),
        0xcc..=0xcf => fixed(Kind::Unsigned, 1 << (marker - 0xcc)),
        0xd0..=0xd3 => fixed(Kind::Signed, 1 << (marker - 0xd0)),
        0xd4..=0xd8 => fixed(Kind::Ext, 1 + (1 << (marker - 0xd4))),
        0xd9 => sized::<1>(Kind::Str, rest, 0),
        0xda => sized::<2>(Kind::Str, rest, 0),
        0xdb => sized::<4>(Kind::Str, rest, 0),
        0xdc => length::<2>(rest).and_then(|n| nested(Kind::Array, 3, u64::from(n))),
        0xdd => length::<4>(rest).and_then(|n| nested(Kind::Array, 5, u64::from(n))),
        0xde => length::<2>(rest).and_then(|n| nested(Kind::Map, 3, 2 * u64::from(n))),
        0xdf => length::<4>(rest).and_then(|n| nested(Kind::Map, 5, 2 * u64::from(n))),
        0xe0..=0xff => fixed(Kind::Signed, 0),
    })
}

/// A value whose length stands in the `N` bytes behind its marker, with `extra` bytes before the content.
#[inline]
fn sized<const N: usize>(kind: Kind, rest: &[u8], extra: usize) -> Option<Head> {
    let content = (length::<N>(rest)? as usize).saturating_add(extra);
    Some(Head { kind, header: 1 + N, content, children: 0 })
}

/// A big-endian number of `N` bytes, 4 at the most.
#[inline]
fn length<const N: usize>(rest: &[u8]) -> Option<u32> {
    let bytes: &[u8; N] = rest.first_chunk()?;
    Some(bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// Finds the end of one frame after another in a stream, however the stream is cut.
///
/// # Examples
///
/// ```
/// use broker_core::wire::native::{FrameScanner, WireLimits};
///
/// let mut scanner = FrameScanner::new(WireLimits::default());
/// assert_eq!(scanner.scan(b"\x92\x01"), Ok(None)); // an array of two, of which one is there
/// assert_eq!(scanner.scan(b"\x92\x01\x02\xc0"), Ok(Some(3)));
/// assert_eq!(scanner.scan(b"\xc0"), Ok(Some(1))); // and the nil behind it
/// ```
#[derive(Debug, Clone)]
pub struct FrameScanner {
    limits: WireLimits,
    walk: Walk,
}

impl FrameScanner {
    /// A scanner at the start of a stream.
    pub fn new(limits: WireLimits) -> Self {
        FrameScanner { limits, walk: Walk::default() }
    }

    /// The length of the first frame of `bytes`, which begins with that frame; `None` if it is not whole.
    ///
    /// After `None` the next call brings the same bytes with more behind them; what was looked at is not looked at again. After
    /// `Some` the next call begins with the next frame.
    ///
    /// # Errors
    ///
    /// [`WireError::Reserved`], [`WireError::TooLarge`] as soon as a header announces it, [`WireError::TooDeep`]. The
    /// scanner is of no use after an error.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        let depth_max = self.limits.depth_max.saturating_add(ENVELOPE_DEPTH);
        match self.walk.advance(bytes, self.limits.frame_bytes_max, depth_max) {
            Ok(true) => {
                let end = self.walk.at;
                self.walk.reset();
                Ok(Some(end))
            }
            Ok(false) => Ok(None),
            Err(WireError::TooDeep { .. }) => Err(WireError::TooDeep { limit: self.limits.depth_max }),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the frame under way takes at the least, as far as its headers have told; 0 between frames.
    pub fn needed(&self) -> usize {
        self.walk.needed
    }
}

/// The end of the first value in `bytes`; `None` if it is not whole. `depth_max` bounds how deep arrays and maps may nest.
///
/// # Errors
///
/// [`WireError::Reserved`] and [`WireError::TooDeep`].
pub fn value_end(bytes: &[u8], depth_max: usize) -> Result<Option<usize>, WireError> {
    let first = head(bytes)?;
    if let Some(Head { header, content, children: 0, .. }) = first {
        // Most values are scalars and strings: no walk.
        let end = header.saturating_add(content);
        return Ok((end <= bytes.len()).then_some(end));
    }
    let mut walk = Walk::default();
    Ok(walk.advance(bytes, usize::MAX, depth_max)?.then_some(walk.at))
}

/// A walk over one value, depth first, that can stop anywhere and go on.
#[derive(Debug, Clone, Default)]
struct Walk {
    /// Everything before this offset is done with.
    at: usize,
    /// Bytes that the value takes at the least.
    needed: usize,
    /// For each open array or map, outermost first, how many values are still to come: never 0.
    open: SmallVec<[u64; 8]>,
}

impl Walk {
    /// True at the end of the value, which `at` then tells; false if `bytes` ends before.
    fn advance(&mut self, bytes: &[u8], bytes_max: usize, depth_max: usize) -> Result<bool, WireError> {
        loop {
            // A value takes a byte at the least, whichever that is: so the outcome does not depend on how much is there.
            too_large(self.at as u64 + 1, bytes_max)?;
            let rest = bytes.get(self.at..).unwrap_or_default();
            let head = match head(rest) {
                Ok(Some(head)) => head,
                Ok(None) => {
                    self.needed = self.at + rest.len() + 1;
                    return too_large(self.needed as u64, bytes_max).map(|()| false);
                }
                Err(_) => return Err(WireError::Reserved { offset: self.at }),
            };
            let end = (self.at as u64).saturating_add(head.header as u64).saturating_add(head.content as u64);
            // Each child takes a byte at the least.
            too_large(end.saturating_add(head.children), bytes_max)?;
            // An empty one is a level too: a reader that recurses enters it.
            if matches!(head.kind, Kind::Array | Kind::Map) && self.open.len() >= depth_max {
                return Err(WireError::TooDeep { limit: depth_max });
            }
            if head.children > 0 {
                self.open.push(head.children);
                self.at += head.header;
                continue;
            }
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            if end > bytes.len() {
                self.needed = end;
                return Ok(false);
            }
            self.at = end;
            if self.close() {
                return Ok(true);
            }
        }
    }

    /// One value is done: closes what it was the last of. True if that was all.
    fn close(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn reset(&mut self) {
        self.at = 0;
        self.needed = 0;
        self.open.clear();
        // A deeply nested frame is rare: its stack is not worth keeping.
        self.open.shrink_to_fit();
    }
}

fn too_large(needed: u64, limit: usize) -> Result<(), WireError> {
    if needed > limit as u64 { Err(WireError::TooLarge { needed, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_all(bytes: &[u8]) -> Result<Option<usize>, WireError> {
        FrameScanner::new(WireLimits::default()).scan(bytes)
    }

    #[track_caller]
    fn check(bytes: &[u8], end: usize) {
        assert_eq!(scan_all(bytes), Ok(Some(end)), "{bytes:x?}");
        assert_eq!(value_end(bytes, 128), Ok(Some(end)), "{bytes:x?}");
        for cut in 0..end {
            assert_eq!(scan_all(&bytes[..cut]), Ok(None), "a prefix of {cut} of {bytes:x?}");
            assert_eq!(value_end(&bytes[..cut], 128), Ok(None), "a prefix of {cut} of {bytes:x?}");
        }
        let mut byte_by_byte = FrameScanner::new(WireLimits::default());
        for cut in 0..end {
            assert_eq!(byte_by_byte.scan(&bytes[..cut]), Ok(None));
            assert!(byte_by_byte.needed() > cut && byte_by_byte.needed() <= end);
        }
        assert_eq!(byte_by_byte.scan(bytes), Ok(Some(end)));
    }

    #[test]
    fn every_marker_has_an_end() {
        for (bytes, end) in [
            (&b"\x00"[..], 1),
            (b"\x7f\x00", 1),
            (b"\x80", 1),
            (b"\x81\x01\x02", 3),
            (b"\x90\x90", 1),
            (b"\x92\x01\x02", 3),
            (b"\xa3abc", 4),
            (b"\xc0", 1),
            (b"\xc2", 1),
            (b"\xc3", 1),
            (b"\xc4\x02ab", 4),
            (b"\xc5\x00\x02ab", 5),
            (b"\xc6\x00\x00\x00\x02ab", 7),
            (b"\xc7\x01\x05a", 4),
            (b"\xc8\x00\x01\x05a", 5),
            (b"\xc9\x00\x00\x00\x01\x05a", 7),
            (b"\xca\x00\x00\x00\x00", 5),
            (b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", 9),
            (b"\xcc\xff", 2),
            (b"\xcd\xff\xff", 3),
            (b"\xce\xff\xff\xff\xff", 5),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9),
            (b"\xd0\xff", 2),
            (b"\xd1\xff\xff", 3),
            (b"\xd2\xff\xff\xff\xff", 5),
            (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9),
            (b"\xd4\x05a", 3),
            (b"\xd5\x05ab", 4),
            (b"\xd6\x05abcd", 6),
            (b"\xd7\x05abcdefgh", 10),
            (b"\xd8\x05abcdefghijklmnop", 18),
            (b"\xd9\x01a", 3),
            (b"\xda\x00\x01a", 4),
            (b"\xdb\x00\x00\x00\x01a", 6),
            (b"\xdc\x00\x02\x01\x02", 5),
            (b"\xdd\x00\x00\x00\x02\x01\x02", 7),
            (b"\xde\x00\x01\x01\x02", 5),
            (b"\xdf\x00\x00\x00\x01\x01\x02", 7),
            (b"\xe0", 1),
            (b"\xff", 1),
            (b"\x92\x92\x92\x90\x80\x91\xa1a\x01", 9),
        ] {
            check(bytes, end);
        }
    }

    #[test]
    fn announced_lengths_are_refused_at_once() {
        let limit = WireLimits::default().frame_bytes_max;
        for bytes in [
            &b"\x91\xc6\xff\xff\xff\xff"[..],
            b"\x91\xdb\xff\xff\xff\xff",
            b"\x91\xc9\xff\xff\xff\xff",
            b"\x91\xdd\xff\xff\xff\xff",
            b"\x91\xdf\xff\xff\xff\xff",
        ] {
            let refused = scan_all(bytes);
            assert!(
                matches!(refused, Err(WireError::TooLarge { limit: l, .. }) if l == limit),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_limit_is_met_to_the_byte() {
        let limits = WireLimits { frame_bytes_max: 10, depth_max: 8 };
        assert_eq!(FrameScanner::new(limits).scan(b"\xa9123456789"), Ok(Some(10)));
        let over = FrameScanner::new(limits).scan(b"\xaa");
        assert_eq!(over, Err(WireError::TooLarge { needed: 11, limit: 10 }));
    }

    #[test]
    fn nesting_costs_no_stack_and_ends_at_the_limit() {
        let deep = vec![0x91; 100_000];
        assert_eq!(scan_all(&deep), Err(WireError::TooDeep { limit: 128 }));
        let unbounded = WireLimits { depth_max: usize::MAX, ..WireLimits::default() };
        let mut whole = deep;
        whole.push(0xc0);
        assert_eq!(FrameScanner::new(unbounded).scan(&whole), Ok(Some(100_001)));
    }

    #[test]
    fn the_reserved_marker_is_found_where_it_stands() {
        assert_eq!(scan_all(b"\x92\x01\xc1"), Err(WireError::Reserved { offset: 2 }));
    }
}
