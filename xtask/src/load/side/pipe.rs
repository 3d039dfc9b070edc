//! A connection that a side reads from as it likes: one read at a time, every whole frame in it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::load::protocol::{Decoder, Got, Wire};
use crate::load::session::Session;

/// Bytes asked for in one read.
const READ_BYTES: usize = 128 << 10;

/// What became of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes came.
    Some,
    /// None came within the read timeout.
    Idle,
    /// The server closed the connection, or broke it.
    Closed,
}

/// A connection whose server has said hello.
#[derive(Debug)]
pub(super) struct Pipe {
    stream: TcpStream,
    wire: Wire,
    decoder: Decoder,
    received: Vec<u8>,
    bytes_read: u64,
}

impl Pipe {
    /// Takes a session over. Reads wait for `timeout` at most.
    pub(super) fn new(session: Session, wire: Wire, timeout: Duration) -> Result<Self> {
        let (stream, received) = session.into_parts();
        stream.set_read_timeout(Some(timeout)).context("cannot set a timeout")?;
        stream.set_write_timeout(Some(Duration::from_secs(5))).context("cannot set a timeout")?;
        Ok(Self { stream, wire, decoder: Decoder::new(wire), received, bytes_read: 0 })
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Writes whole frames.
    pub(super) fn write(&mut self, frames: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(frames)
    }

    /// Asks the server for an answer that comes after everything that was asked before.
    pub(super) fn ping(&mut self, number: u64) -> std::io::Result<()> {
        let mut ping = Vec::new();
        self.wire.ping(&mut ping, number);
        self.write(&ping)
    }

    /// One read of `max` bytes at most; `take` gets what whole frames there are. A server that asks for a sign of life is answered.
    pub(super) fn read(&mut self, max: usize, mut take: impl FnMut(&Got<'_>)) -> Result<Reading> {
        let kept = self.received.len();
        self.received.resize(kept + max.min(READ_BYTES), 0);
        let read = self.stream.read(self.received.get_mut(kept..).unwrap_or(&mut []));
        self.received.truncate(kept + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(Reading::Closed),
            Ok(length) => self.bytes_read += length as u64,
            Err(error) => {
                return Ok(match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Reading::Idle,
                    _ => Reading::Closed,
                });
            }
        }
        let mut rest = self.received.as_slice();
        let mut pong = false;
        while let Some((got, length)) = self.decoder.next(rest)? {
            rest = rest.get(length..).unwrap_or(&[]);
            pong |= got == Got::Ping;
            take(&got);
        }
        let used = self.received.len() - rest.len();
        self.received.drain(..used);
        if pong && self.stream.write_all(self.wire.pong()).is_err() {
            return Ok(Reading::Closed);
        }
        Ok(Reading::Some)
    }
}
