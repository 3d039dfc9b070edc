//! A connection without a socket: what `broker-server/src/connection` does, on shuttle's threads. Each waits for what the broker owes it and for nothing
//! else, and time does not pass: a call that does not come leaves all of them waiting, which shuttle takes for the failure that it is.

use std::io::{self, IoSlice};
use std::sync::Arc;

use broker_core::outbox::{Link, Outbox, OutboxStats, WriterNext};
use broker_core::reason::CloseReason;
use broker_core::wire::native::{Event, FrameScanner, Hello, WireLimits, encode};
use broker_core::{Broker, Next, Now, ServerName, Session};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread::{self, JoinHandle};

use crate::messages::Received;

/// What a publisher writes to somebody else's socket at once: less than what waits, so that something is left to the owner.
const INLINE_BYTES: usize = 48;

/// What the owner writes in one turn.
const TURN_BYTES: usize = 96;

/// A socket, as both of its ends see it, and the notes that its owner's tasks wait for.
#[derive(Default)]
pub(crate) struct Wire {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "what the tasks wait for is many small notes")]
struct State {
    /// Bytes that it takes before it blocks.
    takes: usize,
    /// The peer is gone: writes fail.
    broken: bool,
    /// It is shut down: nobody writes any more.
    over: bool,
    /// [`Link::wake`] was called.
    woken: bool,
    /// [`Link::room`] was called.
    room: bool,
    /// What the peer received.
    received: Vec<u8>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no check panics with this lock held")
    }

    /// Waits until `ready` takes something out of the state.
    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.state();
        loop {
            if let Some(found) = ready(&mut state) {
                return found;
            }
            state = self.changed.wait(state).expect("no check panics with this lock held");
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// One write, as a socket does it that does not block.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        assert!(!state.over, "a write to a socket that is shut down");
        assert!(slices.iter().any(|slice| !slice.is_empty()), "a write of nothing");
        if state.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.takes == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = state.received.len();
        for slice in slices {
            let bytes = slice.len().min(state.takes);
            state.received.extend_from_slice(&slice[..bytes]);
            state.takes -= bytes;
        }
        let bytes = state.received.len() - before;
        drop(state);
        self.changed.notify_all();
        Ok(bytes)
    }

    /// The peer takes so many bytes more.
    pub(crate) fn take(&self, bytes: usize) {
        self.change(|state| state.takes = state.takes.saturating_add(bytes));
    }

    /// The peer takes everything from now on.
    pub(crate) fn open(&self) {
        self.take(usize::MAX);
    }

    /// The peer is gone.
    pub(crate) fn break_off(&self) {
        self.change(|state| state.broken = true);
    }

    /// Waits until [`Link::room`] was called since the last time.
    pub(crate) fn roomy(&self) {
        self.wait(|state| std::mem::take(&mut state.room).then_some(()));
    }

    /// Everything that the peer received.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.state().received.clone()
    }

    /// The writer's task.
    fn write_out(&self, outbox: &Outbox) {
        let woken = |state: &mut State| std::mem::take(&mut state.woken);
        let writable = |state: &State| state.broken || state.takes > 0;
        loop {
            match outbox.write_as_owner(TURN_BYTES, |slices| self.try_write(slices)) {
                WriterNext::Woken => self.wait(|state| woken(state).then_some(())),
                WriterNext::Turn => thread::yield_now(),
                WriterNext::Writable => self.wait(|state| (writable(state) || woken(state)).then_some(())),
                // The time after which the server gives up does not come.
                WriterNext::Farewell => self.wait(|state| writable(state).then_some(())),
                WriterNext::Close(_) => break,
            }
        }
        self.change(|state| {
            state.over = true;
            state.room = true;
        });
    }
}

impl Link for Wire {
    fn flush_now(&self, outbox: &Outbox) {
        if outbox.write_as_publisher(INLINE_BYTES, |slices| self.try_write(slices)) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.change(|state| state.woken = true);
    }

    fn room(&self) {
        self.change(|state| state.room = true);
    }
}

/// The session of a connection, with its reader's side.
pub(crate) struct Connection {
    session: Session,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) now: Now,
    writer: Option<JoinHandle<()>>,
}

impl Connection {
    /// A connection whose client said `Hello` and has read the answer. Its socket takes nothing more, and nobody writes to it but publishers.
    pub(crate) fn new(broker: &Arc<Broker>) -> Self {
        let mut connection = Connection::silent(broker);
        connection.wire.open();
        connection.send(|out| encode::hello(out, &Hello { version: 1, ..Hello::default() }));
        let _ = connection.outbox.write_as_owner(usize::MAX, |slices| connection.wire.try_write(slices));
        *connection.wire.state() = State::default();
        connection
    }

    /// The same of a client that said nothing, and is told nothing but messages.
    pub(crate) fn silent(broker: &Arc<Broker>) -> Self {
        let wire = Arc::new(Wire::default());
        let link: Arc<Wire> = Arc::clone(&wire);
        let outbox = Outbox::new(broker.next_session(), broker.limits().outbox_bytes_max, link);
        let (outbox, now) = (Arc::new(outbox), Now::default());
        let server = ServerName { name: "schedules", version: "0" };
        let session = Session::new(Arc::clone(broker), Arc::clone(&outbox), String::new(), server, now);
        Connection { session, outbox, wire, now, writer: None }
    }

    /// From now on it has a writer's task.
    pub(crate) fn with_writer(mut self) -> Self {
        let (wire, outbox) = (Arc::clone(&self.wire), Arc::clone(&self.outbox));
        self.writer = Some(thread::spawn(move || wire.write_out(&outbox)));
        self
    }

    /// The session handles what its client sent, and goes on until it waits for more. False if it ended.
    pub(crate) fn send(&mut self, frames: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut input = Vec::new();
        frames(&mut input);
        let mut at = 0;
        loop {
            match self.handle(&input, &mut at) {
                Next::Room | Next::Held { .. } => self.wire.roomy(),
                next => return next != Next::End,
            }
        }
    }

    /// As [`Connection::send`], but comes back where it is held back.
    pub(crate) fn send_until_held(&mut self, frames: impl FnOnce(&mut Vec<u8>)) -> Next {
        let mut input = Vec::new();
        frames(&mut input);
        self.handle(&input, &mut 0)
    }

    /// The session handles `input` from `at` on, until it waits for something.
    fn handle(&mut self, input: &[u8], at: &mut usize) -> Next {
        loop {
            let progress = self.session.handle(self.now, &input[*at..]);
            *at += progress.consumed;
            match progress.next {
                Next::Turn => thread::yield_now(),
                Next::Auth => unreachable!("nobody asks for credentials"),
                next => return next,
            }
        }
    }

    /// The connection ends as the server ends one, and its writer with it. Returns the figures.
    pub(crate) fn close(mut self) -> OutboxStats {
        self.session.end();
        self.outbox.end(CloseReason::Closed);
        self.wire.wake();
        if let Some(writer) = self.writer.take() {
            writer.join().expect("the writer's task ends");
        }
        self.outbox.abandon();
        self.outbox.stats()
    }

    /// As [`Connection::close`]. Returns also what its peer received, which is in order.
    pub(crate) fn finish(self) -> (Received, OutboxStats) {
        let wire = Arc::clone(&self.wire);
        let stats = self.close();
        let received = Received::of(&wire.received());
        received.check_order();
        (received, stats)
    }

    /// Waits until the peer has received so many frames of which `counts` says yes.
    pub(crate) fn await_frames(&self, least: usize, counts: impl Fn(&Event<'_>) -> bool) {
        self.wire.wait(|state| {
            let mut found = 0;
            each_frame(&state.received, |event| found += usize::from(counts(&event)));
            (found >= least).then_some(())
        });
    }
}

/// Calls `visit` with every whole frame.
pub(crate) fn each_frame(bytes: &[u8], mut visit: impl FnMut(Event<'_>)) {
    let mut scanner = FrameScanner::new(WireLimits::default());
    let mut at = 0;
    while let Some(length) = scanner.scan(&bytes[at..]).expect("the broker writes whole frames") {
        visit(Event::parse(&bytes[at..at + length]).expect("an event"));
        at += length;
    }
}
