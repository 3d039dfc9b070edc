//! The two directions of a connection: frames as they come, bytes as they go. Every read and write has a deadline.

use std::collections::VecDeque;
use std::io;

use rmpv::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{decode, elements, publish, value_end, within};

/// A message as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    /// The bytes of the value.
    pub(crate) value: Vec<u8>,
    pub(crate) meta: Option<Value>,
}

impl Message {
    pub(crate) fn decoded(&self) -> Value {
        decode(&self.value)
    }

    /// The number that the value is, or begins with.
    pub(crate) fn number(&self) -> u64 {
        let value = self.decoded();
        value
            .as_u64()
            .or_else(|| value[0].as_u64())
            .unwrap_or_else(|| panic!("a numbered message, not {self:?}"))
    }
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Message(Message),
    Event(String, Vec<Value>),
}

impl Frame {
    fn parse(bytes: &[u8]) -> Frame {
        if let Some(parts) = elements(bytes) {
            assert!(matches!(parts.len(), 2 | 3), "a message of two or three elements: {bytes:x?}");
            return Frame::Message(Message {
                topic: decode(parts[0]).as_str().expect("a topic").to_owned(),
                value: parts[1].to_vec(),
                meta: parts.get(2).map(|meta| decode(meta)),
            });
        }
        let event = decode(bytes);
        let entries = event.as_map().unwrap_or_else(|| panic!("a message or an event, not {event}"));
        assert_eq!(entries.len(), 1, "an event is a map of one entry: {event}");
        let (name, arguments) = &entries[0];
        Frame::Event(name.as_str().unwrap().to_owned(), arguments.as_array().unwrap().clone())
    }

    /// Whether it is the answer to the command `id`.
    pub(crate) fn answers(&self, id: u64) -> bool {
        matches!(self, Frame::Event(name, arguments) if (name == "Ok" || name == "Err") && arguments[0] == id.into())
    }
}

/// What comes from the server.
#[derive(Debug)]
pub(crate) struct Incoming {
    socket: OwnedReadHalf,
    buffer: Vec<u8>,
    at: usize,
    pub(super) set_aside: VecDeque<Frame>,
    /// All that has come.
    pub(crate) bytes: u64,
}

impl Incoming {
    pub(super) fn new(socket: OwnedReadHalf) -> Incoming {
        Incoming { socket, buffer: Vec::new(), at: 0, set_aside: VecDeque::new(), bytes: 0 }
    }

    /// Reads more. False at the end of the connection.
    async fn more(&mut self) -> bool {
        if self.at > 1 << 20 || self.at == self.buffer.len() {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.reserve(64 << 10);
        match within("something from the server", self.socket.read_buf(&mut self.buffer)).await {
            Ok(bytes) => {
                self.bytes += bytes as u64;
                bytes > 0
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading: {error}"),
        }
    }

    /// The bytes of the next frame; `None` at the end of the connection.
    pub(crate) async fn bytes_of_next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = value_end(&self.buffer[self.at..]) {
                let frame = self.buffer[self.at..self.at + length].to_vec();
                self.at += length;
                return Some(frame);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        if let Some(frame) = self.set_aside.pop_front() {
            return Some(frame);
        }
        self.bytes_of_next().await.map(|bytes| Frame::parse(&bytes))
    }

    /// The next frame, which must be a message.
    pub(crate) async fn message(&mut self) -> Message {
        match self.next().await {
            Some(Frame::Message(message)) => message,
            other => panic!("a message, not {other:?}"),
        }
    }

    /// The next frame, which must be this event. Returns its arguments.
    pub(crate) async fn event(&mut self, expected: &str) -> Vec<Value> {
        match self.next().await {
            Some(Frame::Event(name, arguments)) if name == expected => arguments,
            other => panic!("the event {expected}, not {other:?}"),
        }
    }

    /// The next frame, which must be an answer: its id (nil or a number), and the result or the code.
    pub(crate) async fn answer(&mut self) -> (Value, Result<Value, u64>) {
        match self.next().await {
            Some(Frame::Event(name, arguments)) => answer(&name, &arguments),
            other => panic!("an answer, not {other:?}"),
        }
    }

    /// What comes before the end of the connection. A frame that is cut off at the end does not count.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// The connection ends here, between two frames.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.next().await, None, "nothing before the end");
        assert_eq!(self.buffer.len(), self.at, "no part of a frame before the end");
    }

    /// The next is `Goodbye`, then the connection ends. Returns the reason.
    pub(crate) async fn goodbye(&mut self) -> String {
        let arguments = self.event("Goodbye").await;
        let [reason, detail] = &arguments[..] else { panic!("a reason and a detail: {arguments:?}") };
        assert!(!detail.as_str().unwrap().is_empty(), "a sentence for people");
        self.closed().await;
        reason.as_str().unwrap().to_owned()
    }
}

pub(super) fn answer(name: &str, arguments: &[Value]) -> (Value, Result<Value, u64>) {
    match (name, arguments) {
        ("Ok", [id, result]) => (id.clone(), Ok(result.clone())),
        ("Err", [id, code, text]) => {
            assert!(!text.as_str().unwrap().is_empty(), "an error says what was wrong");
            (id.clone(), Err(code.as_u64().unwrap()))
        }
        other => panic!("an answer, not {other:?}"),
    }
}

/// What goes to the server.
#[derive(Debug)]
pub(crate) struct Outgoing {
    socket: OwnedWriteHalf,
    /// All that was written.
    pub(crate) bytes: u64,
}

impl Outgoing {
    pub(super) fn new(socket: OwnedWriteHalf) -> Outgoing {
        Outgoing { socket, bytes: 0 }
    }

    /// Ends this direction of the connection.
    pub(super) async fn finish(&mut self) {
        // The server may have gone already.
        let _ = self.socket.shutdown().await;
    }

    /// False if the server has closed the connection.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.bytes += bytes.len() as u64;
        within("writing to the server", self.socket.write_all(bytes)).await.is_ok()
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        assert!(self.try_send(bytes).await, "the server closed the connection");
    }

    pub(crate) async fn publish(&mut self, topic: &str, value: &[u8]) {
        self.send(&publish(topic, value)).await;
    }
}
