//! What stands in a message: the stamp, with `--checksum` a sum over all of it, and filler that the receiver checks.
//!
//! The same bytes whatever the protocol; the frames around them are `protocol.rs`'s. Nothing here allocates per message.

use anyhow::{Result, ensure};

use super::stamp::{STAMP_BYTES, Stamp};

/// Messages whose number is a multiple of this have their whole filler compared, the others its last 8 bytes: comparing all of
/// it would cost the generator more than the relay needs (measured at 128 B, 1 to 100). With a checksum, every byte of every message counts.
const FULL_CHECK_EVERY: u64 = 64;
/// Bytes of the checksum, behind the stamp.
const SUM_BYTES: usize = 8;
/// An odd number without a pattern: a multiplication by it loses nothing.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// The payloads of a run. All have the same size.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    size: usize,
    filler: Vec<u8>,
    /// The last eight bytes of a filler that is that long.
    tail: Option<[u8; 8]>,
    /// With checksums: that of the filler.
    filler_sum: Option<u64>,
}

impl Payload {
    /// Payloads of `size` bytes.
    ///
    /// # Errors
    /// If that is too small for the stamp, and the checksum if there is one.
    pub(crate) fn new(size: usize, checksum: bool) -> Result<Self> {
        let head = STAMP_BYTES + if checksum { SUM_BYTES } else { 0 };
        let what =
            if checksum { "its number, its times and its checksum" } else { "its number and its times" };
        ensure!(size >= head, "a payload has at least {head} bytes, for {what}; not {size}");
        #[expect(clippy::cast_possible_truncation, reason = "a pattern of bytes is wanted")]
        let filler: Vec<u8> = (head..size).map(|i| (i.wrapping_mul(31) >> 2) as u8 | 1).collect();
        let filler_sum = checksum.then(|| sum(MIX, &filler));
        Ok(Self { size, tail: filler.last_chunk().copied(), filler, filler_sum })
    }

    /// Bytes of a payload.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// A payload whose stamp is still zero.
    pub(crate) fn blank(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size - self.filler.len()];
        bytes.extend_from_slice(&self.filler);
        bytes
    }

    /// Puts a stamp, and the checksum that belongs to it, into a payload that was [`blank`](Self::blank).
    #[inline]
    pub(crate) fn stamp(&self, payload: &mut [u8], stamp: Stamp) {
        let Some((place, rest)) = payload.split_first_chunk_mut() else { return };
        *place = stamp.to_bytes();
        if let Some(filler_sum) = self.filler_sum
            && let Some(place) = rest.first_chunk_mut::<SUM_BYTES>()
        {
            *place = sum(filler_sum, &stamp.to_bytes()).to_le_bytes();
        }
    }

    /// The stamp of a received payload, and whether the rest of it is as it was sent. `None` if it is too short for one.
    #[inline]
    pub(crate) fn check(&self, payload: &[u8]) -> Option<(Stamp, bool)> {
        let (bytes, rest) = payload.split_first_chunk::<STAMP_BYTES>()?;
        let stamp = Stamp::from_bytes(*bytes);
        let intact = match (self.filler_sum, self.tail) {
            (Some(_), _) => self.sum_holds(bytes, rest),
            (None, Some(tail)) if !stamp.number.is_multiple_of(FULL_CHECK_EVERY) => {
                payload.len() == self.size && rest.last_chunk() == Some(&tail)
            }
            _ => rest == self.filler,
        };
        Some((stamp, intact))
    }

    fn sum_holds(&self, stamp: &[u8; STAMP_BYTES], rest: &[u8]) -> bool {
        rest.split_first_chunk::<SUM_BYTES>().is_some_and(|(told, filler)| {
            filler.len() == self.filler.len() && sum(sum(MIX, filler), stamp) == u64::from_le_bytes(*told)
        })
    }
}

/// A checksum of `bytes`, going on from `start`. One word at a time, each step reversible: two inputs of one length that differ
/// in a single word never have the same sum.
fn sum(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    let step = |sum: u64, word: [u8; 8]| (sum ^ u64::from_le_bytes(word)).wrapping_mul(MIX).rotate_left(29);
    step(words.iter().fold(start, |sum, &word| step(sum, word)), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u64) -> Stamp {
        Stamp { publisher: 9, number, intended: 500, sent: 500 }
    }

    #[test]
    fn what_was_stamped_is_found_again() {
        for checksum in [false, true] {
            for size in [24, 25, 31, 32, 100, 70_000] {
                let payload = Payload::new(size, checksum).unwrap();
                let mut bytes = payload.blank();
                for number in [0, 1, 63, 64] {
                    payload.stamp(&mut bytes, stamp(number));
                    assert_eq!(payload.check(&bytes), Some((stamp(number), true)), "{size} {checksum}");
                    assert_eq!(bytes.len(), size);
                }
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        // Without a checksum, in every 64th message and wherever its end has changed.
        let payload = Payload::new(100, false).unwrap();
        for (number, from) in [(64, 16), (65, 92)] {
            let mut bytes = payload.blank();
            payload.stamp(&mut bytes, stamp(number));
            for at in from..100 {
                bytes[at] ^= 0x40;
                assert_eq!(payload.check(&bytes), Some((stamp(number), false)), "byte {at}");
                bytes[at] ^= 0x40;
            }
        }
        // With one, in every message, the stamp included.
        let payload = Payload::new(100, true).unwrap();
        let mut bytes = payload.blank();
        payload.stamp(&mut bytes, stamp(65));
        for at in 0..100 {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(payload.check(&bytes).is_some_and(|(_, intact)| !intact), "byte {at}, bit {bit}");
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn a_payload_of_another_length_is_not_intact() {
        for checksum in [false, true] {
            let payload = Payload::new(100, checksum).unwrap();
            let mut bytes = payload.blank();
            payload.stamp(&mut bytes, stamp(3));
            bytes.insert(50, bytes[50]);
            assert!(payload.check(&bytes).is_some_and(|(_, intact)| !intact), "{checksum}");
            assert!(payload.check(&bytes[..99]).is_some_and(|(_, intact)| !intact), "{checksum}");
            assert_eq!(payload.check(&bytes[..15]), None);
        }
    }

    #[test]
    fn a_payload_has_room_for_what_it_carries() {
        assert!(Payload::new(15, false).is_err());
        assert!(Payload::new(16, false).is_ok());
        assert!(Payload::new(23, true).is_err());
        assert!(Payload::new(24, true).is_ok());
    }
}
