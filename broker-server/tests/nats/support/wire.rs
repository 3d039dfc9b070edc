//! A connection that sends any bytes, and looks at any bytes that come back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::DEADLINE;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// What has come and was not looked at yet.
    pub(crate) buffer: Vec<u8>,
    ended: bool,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts");
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Wire { stream, buffer: Vec::new(), ended: false }
    }

    /// One that has read `INFO` and said `CONNECT`, and is served.
    pub(crate) fn ready(address: SocketAddr, options: &str) -> Wire {
        let mut wire = Wire::connect(address);
        assert!(wire.line().starts_with("INFO {"), "{:?}", wire.buffer);
        wire.send(format!("CONNECT {options}\r\n"));
        wire.flush();
        wire
    }

    /// Sends all of it.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes.as_ref()), "the server closed the connection");
    }

    /// False if the server has closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write_all(bytes) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(error) => panic!("writing: {error}"),
        }
    }

    /// Reads what comes within `limit`. False if nothing came: the time is over or the connection has ended.
    pub(crate) fn read_some(&mut self, limit: Duration) -> bool {
        if self.ended {
            return false;
        }
        self.stream.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).unwrap();
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.buffer.extend(&bytes[..count]);
                return true;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(error) => panic!("reading: {error}"),
        }
        false
    }

    /// Reads until `enough`, the end of the connection or the deadline. Returns whether it was enough.
    pub(crate) fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> bool {
        let end = Instant::now() + DEADLINE;
        while !enough(&self.buffer) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (!self.read_some(left) && self.ended) {
                return false;
            }
        }
        true
    }

    /// Whether the server has ended the connection. What came before is kept.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads to the end of the connection, which has to come. Returns what came before it.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.read_until(|_| false);
        assert!(self.ended, "the server closes the connection: {:?}", self.shown());
        std::mem::take(&mut self.buffer)
    }

    /// Says no more and waits until the server has ended the connection, and so forgotten what it was subscribed to. False if it
    /// does not.
    pub(crate) fn leave(mut self) -> bool {
        // Where the server was first, there is nothing left to shut down.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.read_until(|_| false);
        self.ended
    }

    /// The next line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let whole = |bytes: &[u8]| bytes.windows(2).any(|end| end == b"\r\n");
        assert!(self.read_until(whole), "a line, not {:?}", self.shown());
        let end = self.buffer.windows(2).position(|end| end == b"\r\n").unwrap();
        let line = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        self.buffer.drain(..end + 2);
        line
    }

    /// The next bytes, which have to be these.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        self.read_until(|bytes| bytes.len() >= expected.len());
        assert!(
            self.buffer.starts_with(expected),
            "{:?}, not {:?}",
            String::from_utf8_lossy(expected),
            self.shown()
        );
        self.buffer.drain(..expected.len());
    }

    /// Waits until the server has handled what was sent. Nothing else comes before the answer, but `+OK`.
    #[track_caller]
    pub(crate) fn flush(&mut self) {
        self.send("PING\r\n");
        loop {
            match self.line().as_str() {
                "PONG" => return,
                "+OK" => {}
                other => panic!("an answer to PING, not {other:?}"),
            }
        }
    }

    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}
