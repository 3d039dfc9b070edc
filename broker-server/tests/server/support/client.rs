//! A client: a connection that can say `Hello`, ask and wait for the answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use broker_server::Server;
use rmpv::Value;
use tokio::net::TcpSocket;

use super::{
    Frame, Incoming, Message, Outgoing, address, answer, command, count, get, map, publish, subscribe,
    unsubscribe, within,
};

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    /// What the server answered to `Hello`.
    pub(crate) welcome: Value,
    pub(crate) local: SocketAddr,
}

/// Topics of fences begin with it. They are reply addresses, so that they leave no retained message behind.
pub(crate) const FENCE: &str = "_INBOX.fence.";

/// Ids and topics that no test uses twice.
static FRESH: AtomicU64 = AtomicU64::new(1 << 40);

impl Client {
    /// A connection whose system keeps about `receive_bytes` for it while it does not read; 0 for what the system likes.
    pub(crate) async fn raw(address: SocketAddr, receive_bytes: u32) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        if receive_bytes > 0 {
            socket.set_recv_buffer_size(receive_bytes).unwrap();
        }
        let stream = within("connecting", socket.connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        let (incoming, outgoing) = stream.into_split();
        Client {
            incoming: Incoming::new(incoming),
            outgoing: Outgoing::new(outgoing),
            welcome: Value::Nil,
            local,
        }
    }

    /// One that does not say `Hello`.
    pub(crate) async fn plain(server: &Server) -> Client {
        Client::raw(address(server), 0).await
    }

    /// One that has said `Hello`.
    pub(crate) async fn hello(server: &Server) -> Client {
        Client::plain(server).await.introduced("a test").await
    }

    /// Says `Hello`.
    pub(crate) async fn introduced(mut self, name: &str) -> Client {
        let hello = map(&[("version", 1.into()), ("name", name.into())]);
        self.send(&command("Hello", vec![hello])).await;
        self.welcome = self.incoming.event("Welcome").await.remove(0);
        self
    }

    pub(crate) fn session(&self) -> u64 {
        count(&self.welcome, "session")
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.outgoing.send(bytes).await;
    }

    pub(crate) async fn message(&mut self) -> Message {
        self.incoming.message().await
    }

    /// Sends a command with an id and waits for its answer. What comes before it is kept for later.
    pub(crate) async fn ask(
        &mut self,
        name: &str,
        mut arguments: Vec<Value>,
        options: &[(&str, Value)],
    ) -> Result<Value, u64> {
        let id = FRESH.fetch_add(1, Relaxed);
        let mut options = options.to_vec();
        options.push(("id", id.into()));
        arguments.push(map(&options));
        self.send(&command(name, arguments)).await;
        let mut before = VecDeque::new();
        let answered = loop {
            match self.incoming.next().await {
                Some(Frame::Event(name, arguments))
                    if Frame::Event(name.clone(), arguments.clone()).answers(id) =>
                {
                    break answer(&name, &arguments).1;
                }
                Some(frame) => before.push_back(frame),
                None => panic!("an answer to {name}, not the end of the connection"),
            }
        };
        before.append(&mut self.incoming.set_aside);
        self.incoming.set_aside = before;
        answered
    }

    pub(crate) async fn subscribe(&mut self, pattern: &str) {
        self.subscribe_with(pattern, &[]).await;
    }

    pub(crate) async fn subscribe_with(&mut self, pattern: &str, options: &[(&str, Value)]) {
        assert_eq!(self.ask("Subscribe", vec![pattern.into()], options).await, Ok(Value::Nil));
    }

    /// Whether there was such a subscription.
    pub(crate) async fn unsubscribe(&mut self, pattern: &str) -> bool {
        self.ask("Unsubscribe", vec![pattern.into()], &[]).await.unwrap().as_bool().unwrap()
    }

    /// The number of sessions that it went to.
    pub(crate) async fn publish(&mut self, topic: &str, value: impl Into<Value>) -> u64 {
        self.publish_with(topic, value, &[]).await
    }

    pub(crate) async fn publish_with(
        &mut self,
        topic: &str,
        value: impl Into<Value>,
        options: &[(&str, Value)],
    ) -> u64 {
        let pair = Value::Array(vec![topic.into(), value.into()]);
        self.ask("Publish", vec![pair], options).await.unwrap().as_u64().unwrap()
    }

    /// Waits until the server has handled all that was sent.
    pub(crate) async fn flush(&mut self) {
        assert_eq!(self.ask("Ping", vec![], &[]).await, Ok(Value::Nil));
    }

    /// What has come when all that was sent before is handled. For a client without `Hello`: it sends itself a message, and so
    /// shows that its connection is open and works.
    pub(crate) async fn fence(&mut self) -> Vec<Message> {
        let topic = format!("{FENCE}{}", FRESH.fetch_add(1, Relaxed));
        self.send(&[subscribe(&topic), publish(&topic, b"\xc0"), unsubscribe(&topic)].concat()).await;
        self.until(&topic).await
    }

    /// The messages before the next one of `topic`.
    pub(crate) async fn until(&mut self, topic: &str) -> Vec<Message> {
        let mut before = Vec::new();
        loop {
            let message = self.message().await;
            if message.topic == topic {
                return before;
            }
            before.push(message);
        }
    }

    /// The next message of `topic` that says that it was retained.
    pub(crate) async fn until_retained(&mut self, topic: &str) -> Message {
        loop {
            let message = self.message().await;
            if message.topic == topic
                && message.meta.as_ref().is_some_and(|meta| !get(meta, "retained").is_nil())
            {
                return message;
            }
        }
    }

    /// Ends its side of the connection.
    pub(crate) async fn finish(&mut self) {
        self.outgoing.finish().await;
    }

    /// Goes.
    pub(crate) async fn leave(mut self) {
        self.finish().await;
    }
}
