//! Frames behind each other, on their way to the socket.
//!
//! Plain messages outlive a connection: what was not handed to the socket is sent on the next one. All other frames belong to the
//! connection that they were written for. Invariant: the buffer holds whole frames only, and `bound` says, in order,
//! where those begin that do not outlive the connection.

use broker_core::wire::native::value_end;

/// A buffer of whole frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    bound: Vec<usize>,
}

impl Frames {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is still to be written when `written` bytes are.
    pub(crate) fn rest(&self, written: usize) -> &[u8] {
        self.bytes.get(written..).unwrap_or_default()
    }

    /// Appends one message, unless it is longer than `bytes_max`; then nothing is appended and its length is the error. A plain one outlives
    /// the connection.
    pub(crate) fn push_message(
        &mut self,
        bytes_max: usize,
        is_plain: bool,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), usize> {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        let len = self.bytes.len() - start;
        if len > bytes_max {
            self.bytes.truncate(start);
            return Err(len);
        }
        if !is_plain {
            self.bound.push(start);
        }
        Ok(())
    }

    /// Appends one frame of this connection alone.
    pub(crate) fn push_command(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.bound.push(self.bytes.len());
        encode(&mut self.bytes);
    }

    /// Appends the frames of another buffer.
    pub(crate) fn append(&mut self, other: &Frames) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.bound.extend(other.bound.iter().map(|at| start + at));
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bound.clear();
    }

    /// Gives memory back to the allocator that an empty buffer does not need.
    pub(crate) fn shrink(&mut self, bytes_max: usize) {
        if self.is_empty() && self.bytes.capacity() > bytes_max {
            *self = Self::default();
        }
    }

    /// The connection broke after the first `written` bytes: keeps the plain messages of which the socket did not take the last
    /// byte, and returns how many they are. The server cannot have handled one that it got in part.
    ///
    /// # Complexity
    ///
    /// Linear in the bytes; nothing if all were written.
    pub(crate) fn keep_unsent(&mut self, written: usize) -> u64 {
        let (mut kept, mut messages) = (Vec::new(), 0);
        let mut bound = self.bound.iter().peekable();
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..)
            && let Ok(Some(len)) = value_end(rest, usize::MAX)
        {
            let frame = rest.get(..len).unwrap_or_default();
            let is_bound = bound.next_if(|&&start| start == at).is_some();
            at += len;
            if !is_bound && at > written {
                messages += 1;
                kept.extend_from_slice(frame);
            }
        }
        debug_assert_eq!(at, self.bytes.len(), "the buffer holds whole frames");
        *self = Self { bytes: kept, bound: Vec::new() };
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};

    fn message(frames: &mut Frames, topic: &str) {
        let pushed = frames
            .push_message(1000, true, |out| encode::publish(out, topic, b"\xc0", &PublishOptions::default()));
        assert_eq!(pushed, Ok(()));
    }

    fn texts(frames: &Frames) -> String {
        String::from_utf8_lossy(frames.rest(0)).replace(|c: char| !c.is_ascii_alphanumeric(), "")
    }

    /// publish a, ping, publish b, pong, publish c.
    fn sample() -> (Frames, Vec<usize>) {
        let mut frames = Frames::default();
        let mut ends = Vec::new();
        message(&mut frames, "a");
        ends.push(frames.len());
        frames.push_command(|out| encode::ping(out, Some(1)));
        message(&mut frames, "b");
        ends.push(frames.len());
        frames.push_command(encode::pong);
        message(&mut frames, "c");
        ends.push(frames.len());
        (frames, ends)
    }

    #[test]
    fn only_whole_messages_count_as_handed_over() {
        let (frames, ends) = sample();
        let total = frames.len();
        for written in 0..=total {
            let (mut frames, _) = sample();
            let handed = ends.iter().filter(|&&end| end <= written).count();
            assert_eq!(frames.keep_unsent(written), 3 - handed as u64, "after {written} bytes");
            let expected: String = ["Publisha", "Publishb", "Publishc"][handed..].concat();
            assert_eq!(texts(&frames), expected, "after {written} bytes");
        }
    }

    #[test]
    fn what_is_kept_can_be_kept_again() {
        let (mut frames, _) = sample();
        frames.keep_unsent(0);
        let mut start = Frames::default();
        start.push_command(|out| encode::subscribe(out, "x", &SubscribeOptions::default()));
        start.append(&frames);
        start.push_command(encode::pong);
        assert_eq!(start.keep_unsent(0), 3);
        assert_eq!(texts(&start), "PublishaPublishbPublishc");
    }

    #[test]
    fn a_frame_over_the_limit_leaves_no_trace() {
        let mut frames = Frames::default();
        message(&mut frames, "a");
        let before = frames.len();
        let long = |out: &mut Vec<u8>| encode::publish(out, "long", b"\xc0", &PublishOptions::default());
        let refused = frames.push_message(10, false, long);
        assert!(matches!(refused, Err(bytes) if bytes > 10));
        assert_eq!(frames.len(), before);
        message(&mut frames, "b");
        assert_eq!(frames.keep_unsent(0), 2);
    }
}
