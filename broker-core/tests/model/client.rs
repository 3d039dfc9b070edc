//! A client and the owner of its connection in one, without a connection: does exactly what the contract of `Session` and `Outbox` asks of
//! an owner, and nothing out of kindness. A call that the broker owes and does not make leaves it stuck, and a test finds it so.

use std::collections::VecDeque;
use std::sync::Arc;

use broker_core::outbox::{Outbox, OutboxStats, WriterNext};
use broker_core::reason::CloseReason;
use broker_core::wire::native::{FrameScanner, Hello, WireLimits, encode};
use broker_core::{Broker, Next, Now, ServerName, Session};

use crate::socket::Socket;

/// See the head of this file.
pub struct Client {
    session: Option<Session>,
    pub outbox: Arc<Outbox>,
    pub socket: Arc<Socket>,
    /// Sent, not handled.
    input: Vec<u8>,
    /// The lengths of the frames in it.
    lengths: VecDeque<usize>,
    /// Of it, what the session has seen and left: it comes again.
    seen: usize,
    next: Next,
    /// The time that the session is told.
    pub now: Now,
    writer: WriterState,
    /// Received and read up to here.
    read: usize,
}

/// Where the writer's task would stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterState {
    /// Waits to be woken.
    Idle,
    /// Waits until the socket takes something, or to be woken.
    Blocked,
    /// Goes on at its next turn.
    More,
    Done,
}

impl Client {
    /// A connection just accepted.
    pub fn connect(broker: &Arc<Broker>) -> Self {
        let socket = Arc::new(Socket::open(usize::MAX));
        let link: Arc<Socket> = Arc::clone(&socket);
        let outbox = Arc::new(Outbox::new(broker.next_session(), broker.limits().outbox_bytes_max, link));
        let server = ServerName { name: "model", version: "0" };
        let session =
            Session::new(Arc::clone(broker), Arc::clone(&outbox), "model".to_owned(), server, Now::default());
        Client {
            session: Some(session),
            outbox,
            socket,
            input: Vec::new(),
            lengths: VecDeque::new(),
            seen: 0,
            next: Next::Read { needed: 0 },
            now: Now::default(),
            writer: WriterState::Idle,
            read: 0,
        }
    }

    /// One that says `Hello`, and has read the answer.
    pub fn introduced(broker: &Arc<Broker>) -> Self {
        let mut client = Client::connect(broker);
        client.send(|out| encode::hello(out, &Hello { version: 1, ..Hello::default() }));
        assert_eq!(client.handle(usize::MAX), 1);
        assert_eq!(client.receive().len(), 1, "a Welcome");
        client
    }

    /// Sends one frame. Nothing is done about it before [`Client::handle`].
    pub fn send(&mut self, frame: impl FnOnce(&mut Vec<u8>)) {
        let before = self.input.len();
        frame(&mut self.input);
        self.lengths.push_back(self.input.len() - before);
    }

    /// Brings up to `bytes` of what was sent to the session, if it waits for that. Returns how many frames it is done with.
    pub fn handle(&mut self, bytes: usize) -> usize {
        let Some(session) = &mut self.session else { return 0 };
        match self.next {
            Next::Room if !self.socket.take_room() => return 0,
            Next::Held { until_monotonic_ms }
                if !self.socket.take_room() && self.now.monotonic_ms < until_monotonic_ms =>
            {
                return 0;
            }
            _ => {}
        }
        let mut done = 0;
        let mut brought = bytes.max(self.seen).min(self.input.len());
        loop {
            let progress = session.handle(self.now, &self.input[..brought]);
            brought -= progress.consumed;
            self.input.drain(..progress.consumed);
            let mut consumed = progress.consumed;
            while let Some(&length) = self.lengths.front().filter(|&&length| length <= consumed) {
                consumed -= length;
                done += 1;
                self.lengths.pop_front();
            }
            assert_eq!(consumed, 0, "a part of a frame was consumed");
            self.seen = brought;
            self.next = progress.next;
            match self.next {
                Next::Turn => {}
                Next::End => {
                    self.end();
                    return done;
                }
                Next::Read { .. } | Next::Room | Next::Held { .. } | Next::Auth => return done,
            }
        }
    }

    /// Whether others hold it back.
    pub fn is_held(&self) -> bool {
        matches!(self.next, Next::Held { .. })
    }

    /// Frames that were sent and not handled.
    pub fn unhandled(&self) -> usize {
        self.lengths.len()
    }

    /// The writer's turn, if it has a reason to take one.
    pub fn write(&mut self, budget: usize) {
        let may = match self.writer {
            WriterState::Idle => self.socket.take_woken(),
            WriterState::Blocked => self.socket.take_woken() || self.socket.is_writable(),
            WriterState::More => true,
            WriterState::Done => false,
        };
        if !may {
            return;
        }
        self.writer = match self.outbox.write_as_owner(budget, |slices| self.socket.write(slices)) {
            WriterNext::Woken => WriterState::Idle,
            WriterNext::Writable | WriterNext::Farewell => WriterState::Blocked,
            WriterNext::Turn => WriterState::More,
            WriterNext::Close(_) => WriterState::Done,
        };
        if self.writer == WriterState::Done {
            // The connection is shut down, and the reader finds that.
            self.end();
        }
    }

    /// The client goes, or the server ends the connection.
    pub fn end(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.end();
            self.outbox.end(CloseReason::Disconnected);
            // `Session` is dropped: it is no longer in the broker's list.
            broker_core::outbox::Link::wake(&*self.socket);
        }
    }

    /// Nobody will write what waits.
    pub fn abandon(&mut self) -> u64 {
        self.end();
        self.writer = WriterState::Done;
        self.outbox.abandon()
    }

    /// Whether its subscriptions are in effect.
    pub fn is_served(&self) -> bool {
        self.session.is_some()
    }

    /// Whether nothing will be written any more.
    pub fn is_over(&self) -> bool {
        self.writer == WriterState::Done
    }

    /// The figures.
    pub fn stats(&self) -> OutboxStats {
        self.outbox.stats()
    }

    /// The whole frames that the client received since the last call. A torn one is left until its rest comes.
    pub fn receive(&mut self) -> Vec<Vec<u8>> {
        let bytes = self.socket.received(self.read);
        let mut scanner = FrameScanner::new(WireLimits::default());
        let (mut at, mut frames) = (0, Vec::new());
        while let Some(length) = scanner.scan(&bytes[at..]).expect("the server writes whole frames") {
            frames.push(bytes[at..at + length].to_vec());
            at += length;
        }
        self.read += at;
        frames
    }

    /// Received bytes of a frame that is not whole.
    pub fn torn_bytes(&self) -> usize {
        self.socket.received(self.read).len()
    }

    /// Lets everything happen that is due: the socket takes all there is, and the session goes on as long as it can.
    pub fn settle(&mut self) -> usize {
        self.socket.take(usize::MAX, usize::MAX);
        let mut done = 0;
        loop {
            let before = (self.socket.received_bytes(), self.input.len(), self.writer);
            self.write(usize::MAX);
            done += self.handle(usize::MAX);
            if before == (self.socket.received_bytes(), self.input.len(), self.writer)
                && self.writer != WriterState::More
            {
                return done;
            }
        }
    }
}
