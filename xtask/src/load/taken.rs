//! How many messages a server has taken that nobody gets: a ping behind each batch, and its answers.
//!
//! A server handles what comes on one connection in turn, so the answer to a ping says that everything before it has been handled. The pings cost
//! every server alike: one for each write of up to 64 KiB.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::flow::Flow;
use super::protocol::Wire;
use super::subscriber::Books;
use super::tracker::Counts;

/// The only place in the flow of a publisher without subscribers.
const SLOT: usize = 0;

/// What the server of one publisher has taken.
#[derive(Debug)]
pub(crate) struct Taken {
    flow: Arc<Flow>,
    ping: Vec<u8>,
    /// What of the ping has yet to be written.
    pending: Range<usize>,
    /// For each ping that was not answered: how many messages went before it.
    asked: VecDeque<u64>,
    messages: u64,
}

impl Taken {
    /// Nothing yet. The publisher's `flow` has one place.
    pub(crate) fn new(wire: Wire, flow: Arc<Flow>) -> Self {
        let mut ping = Vec::new();
        wire.ping(&mut ping, 0);
        Self { flow, ping, pending: 0..0, asked: VecDeque::new(), messages: 0 }
    }

    /// Asks behind what was sent so far.
    pub(crate) fn ask(&mut self) {
        self.asked.push_back(self.flow.sent());
        self.pending = 0..self.ping.len();
    }

    /// What is to be written before anything else is.
    pub(crate) fn pending(&self) -> &[u8] {
        self.ping.get(self.pending.clone()).unwrap_or(&[])
    }

    /// So many bytes of it were written.
    pub(crate) fn written(&mut self, count: usize) {
        self.pending.start += count;
    }

    /// The server answered so many pings. Returns how many more messages it has taken.
    pub(crate) fn answered(&mut self, answers: usize) -> u64 {
        let Some(last) = self.asked.drain(..answers.min(self.asked.len())).next_back() else { return 0 };
        let more = last - self.messages;
        self.messages = last;
        self.flow.advance(SLOT, last);
        more
    }

    /// Whether every ping was answered.
    pub(crate) fn is_complete(&self) -> bool {
        self.asked.is_empty()
    }

    /// What became of the publisher's messages.
    pub(crate) fn books(&self) -> Books {
        let sent = self.flow.sent();
        let counts = Counts { received: self.messages, ..Counts::default() };
        Books { counts, expected: sent, missing: sent - self.messages, skipped: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token, Waker};

    #[test]
    fn an_answer_stands_for_everything_before_its_ping() {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let flow = Arc::new(Flow::new(1, waker));
        let mut taken = Taken::new(Wire::Nats, Arc::clone(&flow));
        assert_eq!(taken.pending(), b"");
        for sent in [10, 25, 30] {
            flow.set_sent(sent);
            taken.ask();
            taken.written(2);
            assert_eq!(taken.pending(), b"NG\r\n");
            taken.written(4);
            assert_eq!(taken.pending(), b"");
        }
        assert_eq!(taken.answered(2), 25);
        assert!(!taken.is_complete());
        assert_eq!((taken.books().expected, taken.books().missing), (30, 5));
        // One more than was asked for stands for nothing.
        assert_eq!(taken.answered(2), 5);
        assert!(taken.is_complete());
        assert_eq!(taken.answered(1), 0);
        assert_eq!(taken.books().counts.received, 30);
    }
}
