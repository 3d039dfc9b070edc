//! A NATS client and the owner of its connection in one, without a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use broker_core::outbox::{Flushed, Outbox, Writer};
use broker_core::reason::CloseReason;
use broker_core::{Broker, Credentials, NatsOptions, NatsSession, Next, Now, ServerName, SessionInfo};

use crate::socket::Socket;

/// See the head of this file.
pub struct Peer {
    pub session: Option<NatsSession>,
    pub outbox: Arc<Outbox>,
    pub socket: Arc<Socket>,
    pub next: Next,
    input: Vec<u8>,
    read: usize,
}

/// What waits for a session, in bytes.
pub const OUTBOX_BYTES_MAX: usize = 1 << 20;

/// CONNECT as libraries say it.
pub const QUIET: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1}\r\n";

/// CONNECT of a library that does without headers.
pub const BARE: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";

impl Peer {
    /// A connection just accepted, with the greeting not read yet.
    pub fn with_options(broker: &Arc<Broker>, options: NatsOptions) -> Self {
        Peer::bounded(broker, options, OUTBOX_BYTES_MAX)
    }

    /// As [`Peer::with_options`], for which so much may wait.
    pub fn bounded(broker: &Arc<Broker>, options: NatsOptions, outbox_bytes_max: usize) -> Self {
        let socket = Arc::new(Socket::open(usize::MAX));
        let link: Arc<Socket> = Arc::clone(&socket);
        let outbox = Arc::new(Outbox::nats(broker.next_session(), outbox_bytes_max, link));
        let address: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let server = ServerName { name: "model", version: "0" };
        let mut session = NatsSession::new(
            Arc::clone(broker),
            Arc::clone(&outbox),
            address,
            server,
            Arc::new(options),
            Now::default(),
        );
        session.greet();
        let next = Next::Read { needed: 0 };
        Peer { session: Some(session), outbox, socket, next, input: Vec::new(), read: 0 }
    }

    /// One that has read the greeting, and said nothing.
    pub fn new(broker: &Arc<Broker>) -> Self {
        let mut peer = Peer::with_options(broker, NatsOptions::default());
        let greeting = peer.receive();
        assert!(greeting.starts_with("INFO {") && greeting.ends_with("} \r\n"), "{greeting}");
        peer
    }

    /// One that said CONNECT.
    pub fn connected(broker: &Arc<Broker>, connect: &str) -> Self {
        let mut peer = Peer::new(broker);
        assert_eq!(peer.say(connect), "");
        peer
    }

    pub fn info(&self) -> Arc<SessionInfo> {
        Arc::clone(self.session.as_ref().expect("the session is there").info())
    }

    /// Sends so much, and returns what came back by then.
    pub fn say(&mut self, text: &str) -> String {
        self.say_bytes(text.as_bytes())
    }

    /// See [`Peer::say`].
    pub fn say_bytes(&mut self, bytes: &[u8]) -> String {
        self.input.extend_from_slice(bytes);
        self.go_on(Now::default());
        self.receive()
    }

    /// Brings what was not consumed to the session, as long as it has its turn.
    pub fn go_on(&mut self, now: Now) {
        let Some(session) = &mut self.session else { return };
        loop {
            let progress = session.handle(now, &self.input);
            self.input.drain(..progress.consumed);
            self.next = progress.next;
            match self.next {
                Next::Turn => {}
                Next::Room if self.socket.take_room() => {}
                Next::End => return self.end(),
                _ => return,
            }
        }
    }

    /// Answers the session's question after its credentials.
    pub fn answer_auth(&mut self, right: impl FnOnce(&Credentials) -> bool) -> String {
        let session = self.session.as_mut().expect("the session is there");
        let accepted = right(session.credentials().expect("it asks"));
        session.authenticated(accepted);
        self.go_on(Now::default());
        self.receive()
    }

    /// What came since the last call.
    pub fn receive(&mut self) -> String {
        // The writer's turn, if it was woken.
        let flushed = self.outbox.flush(Writer::Owner, usize::MAX, |slices| self.socket.write(slices));
        if matches!(flushed, Flushed::Drained) {
            self.end();
        }
        let bytes = self.socket.received(self.read);
        self.read += bytes.len();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The client goes, or the server ends the connection.
    pub fn end(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.end();
            self.outbox.end(CloseReason::Disconnected);
        }
    }

    /// Why the session ended, if it did.
    pub fn ending(&self) -> Option<CloseReason> {
        self.outbox.ending()
    }
}
