//! What a server says to a publisher: read as it comes and thrown away, unless it is an error or asks for an answer.
//!
//! A publisher waits for none of it: Redis answers every message with a number, and a server whose answers nobody reads stops to take
//! messages.

use std::io::{ErrorKind, Read};

use anyhow::{Context, Result, bail, ensure};

use super::{Decoder, Got, Wire};

/// Bytes read at once. Four times what Redis answers to a batch of the smallest messages.
const READ_BYTES: usize = 16 << 10;

/// What a server said to a publisher.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The answer that the server waits for; empty if it waits for none.
    pub(crate) pong: &'static [u8],
    /// How many pings it answered.
    pub(crate) answers: usize,
}

/// The reading half of a publisher's connection.
#[derive(Debug)]
pub(crate) struct Replies {
    wire: Wire,
    decoder: Decoder,
    /// Read and not yet understood: the beginning of a frame.
    partial: Vec<u8>,
}

impl Replies {
    /// For a connection that speaks `wire`, of which `partial` was read before.
    pub(crate) fn new(wire: Wire, partial: Vec<u8>) -> Self {
        Self { wire, decoder: Decoder::new(wire), partial }
    }

    /// Reads all there is.
    ///
    /// # Errors
    /// If the server refuses something, says what is no frame, or has closed the connection.
    pub(crate) fn drain(&mut self, stream: &mut impl Read) -> Result<Said> {
        let mut block = [0; READ_BYTES];
        let mut said = Said::default();
        loop {
            let bytes = match stream.read(&mut block) {
                Ok(0) => bail!("the server closed the connection{}", self.last_words()),
                Ok(length) => block.get(..length).unwrap_or(&[]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(said),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot read what the server answers"),
            };
            // Numbers and ends of lines, wherever they are cut: nothing else has to be known of them.
            let numbers = self.partial.is_empty()
                && self.wire == Wire::Redis
                && bytes.iter().all(|byte| matches!(byte, b':' | b'0'..=b'9' | b'\r' | b'\n'));
            if !numbers {
                self.take(bytes, &mut said)?;
            }
        }
    }

    /// Adds what the server says in `bytes`.
    fn take(&mut self, bytes: &[u8], said: &mut Said) -> Result<()> {
        self.partial.extend_from_slice(bytes);
        let mut rest = self.partial.as_slice();
        if self.wire == Wire::Redis {
            // The block before may have ended within a number.
            let at = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'\r' | b'\n'));
            rest = at.and_then(|at| rest.get(at..)).unwrap_or(&[]);
        }
        while let Some((got, length)) = self.decoder.next(rest)? {
            match got {
                Got::Refused(text) => bail!("the server refuses: {text}"),
                Got::Ping => said.pong = self.wire.pong(),
                Got::Answer(_) => said.answers += 1,
                _ => {}
            }
            ensure!(length > 0, "an empty frame");
            rest = rest.get(length..).unwrap_or(&[]);
        }
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.partial);
        if text.is_empty() { String::new() } else { format!("; it had said {text:?}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in pieces, then has nothing more, or ends.
    struct Pieces<'a> {
        pieces: Vec<&'a [u8]>,
        ends: bool,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.pieces.is_empty() {
                return if self.ends { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
            }
            let piece = self.pieces.remove(0);
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    #[track_caller]
    fn check(wire: Wire, bytes: &[u8], want: std::result::Result<&[u8], &str>) {
        for split in 1..bytes.len() {
            let (one, other) = bytes.split_at(split);
            let mut replies = Replies::new(wire, Vec::new());
            // In two reads of one turn, and of two turns.
            let got = replies.drain(&mut Pieces { pieces: vec![one, other], ends: false });
            let got = got.map(|said| said.pong);
            same(split, got, want);
            let mut replies = Replies::new(wire, Vec::new());
            let first = replies.drain(&mut Pieces { pieces: vec![one], ends: false });
            let second = replies.drain(&mut Pieces { pieces: vec![other], ends: false });
            let both = first.and_then(|first| Ok([first.pong, second?.pong].concat()));
            same(split, both.as_deref().map_err(|error| anyhow::anyhow!("{error:#}")), want);
        }
    }

    #[track_caller]
    fn same(split: usize, got: Result<&[u8]>, want: std::result::Result<&[u8], &str>) {
        match (got, want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "split at {split}"),
            (Err(got), Err(want)) => assert!(format!("{got:#}").contains(want), "{got:#}"),
            (got, want) => panic!("{got:?} where {want:?} is wanted, split at {split}"),
        }
    }

    #[test]
    fn the_numbers_of_redis_are_thrown_away() {
        check(Wire::Redis, b":1\r\n:100\r\n:0\r\n", Ok(b""));
        check(Wire::Redis, b":1\r\n-OOM no memory\r\n:1\r\n", Err("OOM no memory"));
        check(Wire::Redis, b":1\r\n!\r\n", Err("no redis frame"));
    }

    #[test]
    fn a_ping_is_to_be_answered() {
        check(Wire::Nats, b"+OK\r\nPING\r\n", Ok(b"PONG\r\n"));
        check(Wire::Nats, b"-ERR 'Maximum Payload Violation'\r\n", Err("Maximum Payload Violation"));
        check(Wire::Native, b"\x81\xa4Ping\x90", Ok(b"\x81\xa4Pong\x90"));
    }

    #[test]
    fn answers_are_counted_between_other_words() {
        let rows: [(Wire, &[u8]); 3] = [
            (Wire::Redis, b":1\r\n:1\r\n+PONG\r\n:10\r\n+PONG\r\n:1\r\n"),
            (Wire::Nats, b"PONG\r\nPING\r\nPONG\r\n"),
            (Wire::Mqtt, b"\xd0\x00\xd0\x00"),
        ];
        for (wire, bytes) in rows {
            for split in 1..bytes.len() {
                let (one, other) = bytes.split_at(split);
                let mut replies = Replies::new(wire, Vec::new());
                let mut count = |piece| {
                    let pieces = vec![piece];
                    replies.drain(&mut Pieces { pieces, ends: false }).unwrap().answers
                };
                assert_eq!(count(one) + count(other), 2, "{wire:?} split at {split}");
            }
        }
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let mut replies = Replies::new(Wire::Nats, b"-ERR 'unf".to_vec());
        let error = replies.drain(&mut Pieces { pieces: Vec::new(), ends: true }).unwrap_err();
        assert!(error.to_string().contains("unf"), "{error}");
    }
}
