//! The first 16 bytes of every payload: whose message it is, which one, when it was meant to be sent, and how much later it was.
//!
//! Both times are needed. A generator that is held up by a slow peer sends late; measured from when a message left, the peer would
//! look as fast as ever. So the *corrected* latency begins at the intended time, and the *raw* one, shown beside it, at the
//! hand-over to the socket.

/// Bytes of a [`Stamp`], and so of the smallest payload.
pub(crate) const STAMP_BYTES: usize = 16;
/// Bits of a message's number: 18 minutes at a billion messages a second.
const NUMBER_BITS: u32 = 40;
/// Bits of the intended time: 39 hours in nanoseconds.
const INTENDED_BITS: u32 = 47;
/// Nanoseconds of one unit of the send lag: fine enough beside the 40 us that a loopback connection takes.
const LAG_UNIT: u64 = 256;
/// The longest lag that is told, in units; 8.6 s. What is later counts as that.
const LAG_MAX: u64 = (1 << 25) - 1;

/// What a payload says of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publisher of the run, from 0.
    pub(crate) publisher: u16,
    /// Which of its messages, from 0; 40 bits.
    pub(crate) number: u64,
    /// When it was meant to be sent, nanoseconds on the run's clock; 47 bits.
    pub(crate) intended: u64,
    /// When it was handed to the socket, nanoseconds on the run's clock, down to 256 ns. Never before `intended`.
    pub(crate) sent: u64,
}

impl Stamp {
    /// The first bytes of the payload.
    pub(crate) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let lag = (self.sent.saturating_sub(self.intended) / LAG_UNIT).min(LAG_MAX);
        let who = self.number | (u64::from(self.publisher) << NUMBER_BITS);
        let when = u128::from(self.intended) | (u128::from(lag) << INTENDED_BITS);
        (u128::from(who) | (when << (NUMBER_BITS + u16::BITS))).to_le_bytes()
    }

    /// The stamp in the first bytes of a payload.
    #[expect(clippy::cast_possible_truncation, reason = "each part is cut out at its width")]
    pub(crate) fn from_bytes(bytes: [u8; STAMP_BYTES]) -> Self {
        let all = u128::from_le_bytes(bytes);
        let when = all >> (NUMBER_BITS + u16::BITS);
        let intended = (when as u64) & ((1 << INTENDED_BITS) - 1);
        let lag = (when >> INTENDED_BITS) as u64;
        Self {
            publisher: (all >> NUMBER_BITS) as u16,
            number: (all as u64) & ((1 << NUMBER_BITS) - 1),
            intended,
            sent: intended + lag * LAG_UNIT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stamp: Stamp, sent_seen: u64) {
        assert_eq!(Stamp::from_bytes(stamp.to_bytes()), Stamp { sent: sent_seen, ..stamp });
    }

    #[test]
    fn a_stamp_survives_its_bytes() {
        let (number_max, time_max) = ((1 << NUMBER_BITS) - 1, (1 << INTENDED_BITS) - 1);
        check(Stamp { publisher: 0, number: 0, intended: 0, sent: 0 }, 0);
        check(
            Stamp { publisher: u16::MAX, number: number_max, intended: time_max, sent: time_max },
            time_max,
        );
        check(Stamp { publisher: 7, number: 1_234_567_890, intended: 42, sent: 42 }, 42);
    }

    #[test]
    fn the_lag_is_told_down_to_its_unit_and_up_to_its_bound() {
        let stamp = |sent| Stamp { publisher: 3, number: 9, intended: 1_000_000, sent };
        check(stamp(1_000_000 + 255), 1_000_000);
        check(stamp(1_000_000 + 256), 1_000_256);
        check(stamp(1_000_000 + 5_000_000_000), 1_000_000 + 5_000_000_000 / 256 * 256);
        check(stamp(100_000_000_000), 1_000_000 + LAG_MAX * LAG_UNIT);
        // A clock that went back is no lag.
        check(stamp(0), 1_000_000);
    }
}
