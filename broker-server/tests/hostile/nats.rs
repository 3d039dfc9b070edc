//! The port of the NATS protocol: the same promises, by other bytes.

mod floods;
mod lines;
mod payloads;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::DEADLINE;

/// How much is written at once of what has no end.
const CHUNK: usize = 64 << 10;

/// A connection that says what it likes to the NATS port.
struct Peer {
    stream: TcpStream,
    /// What has come.
    came: Vec<u8>,
}

impl Peer {
    /// One that has read the greeting.
    async fn connect(address: SocketAddr) -> Peer {
        let stream =
            timeout(DEADLINE, TcpStream::connect(address)).await.expect("in time").expect("accepted");
        stream.set_nodelay(true).unwrap();
        let mut peer = Peer { stream, came: Vec::new() };
        peer.until(b"\r\n").await;
        assert!(peer.came.starts_with(b"INFO {"), "{:?}", peer.came);
        peer.came.clear();
        peer
    }

    /// One that is not answered more than it asks.
    async fn quiet(address: SocketAddr) -> Peer {
        let mut peer = Peer::connect(address).await;
        peer.say("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n").await;
        peer
    }

    async fn say(&mut self, text: &str) {
        assert!(self.write(text.as_bytes()).await, "the server reads");
    }

    /// False if the server has ended the connection.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        timeout(DEADLINE, self.stream.write_all(bytes)).await.expect("the server reads in time").is_ok()
    }

    /// Reads more. False at the end of the connection.
    async fn more(&mut self) -> bool {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.came)).await;
        // A reset ends the connection as well as a close does.
        matches!(read.expect("the server says something in time"), Ok(1..))
    }

    /// Reads until `end` comes, and no further than that.
    async fn until(&mut self, end: &[u8]) {
        while !self.came.windows(end.len()).any(|window| window == end) {
            assert!(self.more().await, "closed after {:?}", String::from_utf8_lossy(&self.came));
        }
    }

    /// Waits until everything that was sent is handled. Returns what came before.
    async fn flush(&mut self) -> Vec<u8> {
        self.say("PING\r\n").await;
        self.until(b"PONG\r\n").await;
        std::mem::take(&mut self.came)
    }

    /// Reads until the server ends the connection, which it has to. Returns what it said.
    async fn end(mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.came).into_owned()
    }
}

/// One message from one NATS client to another, which arrives soon.
async fn exchange(address: SocketAddr) {
    let mut subscriber = Peer::quiet(address).await;
    subscriber.say("SUB honest.> 1\r\n").await;
    subscriber.flush().await;
    let mut publisher = Peer::quiet(address).await;
    publisher.say("PUB honest.pair 5\r\nhello\r\n").await;
    let arrival = subscriber.until(b"MSG honest.pair 1 5\r\nhello\r\n");
    timeout(Duration::from_secs(3), arrival).await.expect("a message arrives in time");
}
