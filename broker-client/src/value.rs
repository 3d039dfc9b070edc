//! Values to msgpack, in a buffer that a thread uses again.
//!
//! Structs become maps by field name. A caller's `Serialize` runs before any lock is taken: it may panic, and it may
//! publish.

use std::cell::Cell;

use broker_core::wire::native::{WireError, value_end};
use serde::{Serialize, Serializer};

use crate::PublishError;

/// A buffer that grew larger than this is given back to the allocator, in bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One encoded value. Dropping it leaves its buffer to the thread.
#[derive(Debug)]
pub(crate) struct Encoded(Vec<u8>);

impl Encoded {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, PublishError> {
        let mut encoded = Self(SPARE.take());
        encoded.0.clear();
        rmp_serde::encode::write_named(&mut encoded.0, value)
            .map_err(|error| PublishError::Encode(error.to_string()))?;
        Ok(encoded)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT_BYTES_MAX {
            SPARE.set(std::mem::take(&mut self.0));
        }
    }
}

/// Checks that `msgpack` is one value and nothing behind it. Its depth is checked where it is sent.
pub(crate) fn check_one(msgpack: &[u8]) -> Result<(), PublishError> {
    let fault = |text: String| Err(PublishError::NotOneValue(text));
    match value_end(msgpack, usize::MAX) {
        Ok(Some(end)) if end == msgpack.len() => Ok(()),
        Ok(Some(end)) => fault(format!("{} bytes follow the value", msgpack.len() - end)),
        Ok(None) => fault("the value is cut off".to_owned()),
        Err(error) => fault(error.to_string()),
    }
}

/// Checks that `value`, one value, is nested at most `limit` deep.
pub(crate) fn check_depth(value: &[u8], limit: usize) -> Result<(), PublishError> {
    // Each level takes a byte at the least: short values need no walk.
    if value.len() <= limit {
        return Ok(());
    }
    match value_end(value, limit) {
        Err(WireError::TooDeep { .. }) => Err(PublishError::TooDeep { limit }),
        _ => Ok(()),
    }
}

/// Bytes as a msgpack bin; serde's own rule for slices makes an array of numbers of them.
pub(crate) struct Bin<'a>(pub(crate) &'a [u8]);

impl Serialize for Bin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Reading {
        celsius: f64,
        station: &'static str,
    }

    #[test]
    fn structs_are_maps() {
        let encoded = Encoded::of(&Reading { celsius: 0.5, station: "x" }).expect("it serializes");
        assert_eq!(encoded.as_bytes(), b"\x82\xa7celsius\xcb\x3f\xe0\0\0\0\0\0\0\xa7station\xa1x");
    }

    #[test]
    fn the_buffer_is_clean_each_time() {
        drop(Encoded::of("a long text, the first time"));
        assert_eq!(Encoded::of(&true).expect("it serializes").as_bytes(), b"\xc3");
        assert_eq!(Encoded::of(&Bin(b"ab")).expect("it serializes").as_bytes(), b"\xc4\x02ab");
    }

    #[test]
    fn a_value_that_does_not_serialize_is_an_error() {
        struct Never;
        impl Serialize for Never {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        assert!(matches!(Encoded::of(&Never), Err(PublishError::Encode(text)) if text.contains("no")));
    }

    #[test]
    fn raw_values_are_exactly_one() {
        for (bytes, good) in [
            (&b"\xc0"[..], true),
            (b"\x92\x01\x02", true),
            (b"\xa3abc", true),
            (b"", false),
            (b"\xc0\xc0", false),
            (b"\x92\x01", false),
            (b"\xc1", false),
        ] {
            assert_eq!(check_one(bytes).is_ok(), good, "{bytes:x?}");
        }
    }

    #[test]
    fn depth_is_met_to_the_level() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xa3, b'a', b'b', b'c']].concat();
        assert_eq!(check_depth(&nested(5), 5), Ok(()));
        assert_eq!(check_depth(&nested(6), 5), Err(PublishError::TooDeep { limit: 5 }));
        assert_eq!(check_depth(&[0x91, 0x91, 0x90], 5), Ok(()));
    }
}
