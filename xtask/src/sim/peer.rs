//! One connection on the server's side: a reader that is the session, and a writer, as `broker-server/src/connection/{reader,writer}.rs` have
//! them, one step at a time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use broker_core::outbox::{Link, Outbox, WriterNext};
use broker_core::reason::CloseReason;
use broker_core::{Broker, NatsSession, Next, Now, Progress, ServerName, Session, SessionInfo};

use super::client::Client;
use super::config::Config;
use super::effect::Effect;
use super::operator::Operator;
use super::socket::Socket;
use super::world;

const SERVER: ServerName = ServerName { name: "sim", version: "0" };

/// How long a client that reads nothing may keep its session from ending.
const FAREWELL_MS: u64 = 2000;

pub(super) struct Peer {
    pub(super) number: usize,
    pub(super) socket: Arc<Socket>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) info: Arc<SessionInfo>,
    server: RefCell<Server>,
    writer: Cell<WriterState>,
    turn_bytes: usize,
    pub(super) client: RefCell<Client>,
    /// What the commands that were written will do.
    pub(super) effects: RefCell<VecDeque<Effect>>,
    /// Commands whose effects the oracle knows.
    pub(super) known: Cell<u64>,
    /// Where it stands.
    pub(super) stage: Cell<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// The session has ended; the writer has not.
    Ending,
    Closed,
}

struct Server {
    session: Option<AnySession>,
    /// Read and not handled.
    buffer: Vec<u8>,
    next: Next,
}

enum AnySession {
    Native(Box<Session>),
    Nats(Box<NatsSession>),
}

impl AnySession {
    /// Finds out whether the client may be here.
    fn authenticate(&mut self) {
        let credentials = match self {
            AnySession::Native(session) => session.credentials(),
            AnySession::Nats(session) => session.credentials(),
        };
        let Some(admitted) = credentials.map(Operator::admits) else { return };
        match self {
            AnySession::Native(session) => session.authenticated(admitted),
            AnySession::Nats(session) => session.authenticated(admitted),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterState {
    Ready,
    Writing,
    /// For somebody to wake it.
    Waits,
    /// For the socket, or for somebody to wake it.
    WaitsForSocket,
    /// For the socket, so long.
    Farewell {
        until_ms: u64,
    },
    Done,
}

/// What a step of the reader did.
pub(super) enum Read {
    /// Handled something: the session has the answer.
    Handled,
    /// The session has ended.
    Ended,
}

impl Peer {
    pub(super) fn new(
        number: usize,
        native: bool,
        broker: &Arc<Broker>,
        config: &Config,
        seed: u64,
        now: Now,
    ) -> Self {
        let socket = Arc::new(Socket::new(number, seed, config));
        let link: Arc<dyn Link> = Arc::clone(&socket) as Arc<dyn Link>;
        let id = broker.next_session();
        let outbox = Arc::new(if native {
            Outbox::new(id, config.outbox_bytes_max, link)
        } else {
            Outbox::nats(id, config.nats_outbox_bytes_max, link)
        });
        let session = if native {
            let address = format!("sim:{number}");
            let mut session = Session::new(Arc::clone(broker), Arc::clone(&outbox), address, SERVER, now);
            if let Some(timeout_ms) = config.operator.auth_timeout_ms {
                session.require_auth(timeout_ms);
            }
            AnySession::Native(Box::new(session))
        } else {
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1000));
            let options = Arc::new(config.nats_options());
            let mut session =
                NatsSession::new(Arc::clone(broker), Arc::clone(&outbox), address, SERVER, options, now);
            session.greet();
            AnySession::Nats(Box::new(session))
        };
        let info = match &session {
            AnySession::Native(session) => Arc::clone(session.info()),
            AnySession::Nats(session) => Arc::clone(session.info()),
        };
        let server = Server { session: Some(session), buffer: Vec::new(), next: Next::Read { needed: 0 } };
        Peer {
            number,
            socket,
            outbox,
            info,
            server: RefCell::new(server),
            writer: Cell::new(WriterState::Ready),
            turn_bytes: config.turn_bytes,
            client: RefCell::new(Client::new(native)),
            effects: RefCell::default(),
            known: Cell::new(0),
            stage: Cell::new(Stage::Open),
        }
    }

    /// Whether the reader has something to do.
    pub(super) fn can_read(&self, now_ms: u64) -> bool {
        if self.stage.get() != Stage::Open {
            return false;
        }
        // Its session is at work further up.
        let Ok(server) = self.server.try_borrow() else { return false };
        let state = self.socket.state();
        match server.next {
            Next::Read { .. } => !state.to_server.is_empty() || state.ended || state.broken || state.shut,
            Next::Turn | Next::End | Next::Auth => true,
            Next::Room => state.room_told,
            Next::Held { until_monotonic_ms } => state.room_told || now_ms >= until_monotonic_ms,
        }
    }

    /// Whether the session waits for its client to say something, and for nothing else.
    pub(super) fn is_idle(&self) -> bool {
        self.server.try_borrow().is_ok_and(|server| matches!(server.next, Next::Read { .. }))
    }

    /// Whether it waits for room in its own outbox.
    pub(super) fn waits_for_room(&self) -> bool {
        self.server.try_borrow().is_ok_and(|server| matches!(server.next, Next::Room))
    }

    /// Until when it is held back by subscribers, if it is.
    pub(super) fn held_until(&self) -> Option<u64> {
        match self.server.try_borrow().ok()?.next {
            Next::Held { until_monotonic_ms } => Some(until_monotonic_ms),
            _ => None,
        }
    }

    /// When the client has had its time to read the last of it, if that runs.
    pub(super) fn farewell_until(&self) -> Option<u64> {
        match self.writer.get() {
            WriterState::Farewell { until_ms } => Some(until_ms),
            _ => None,
        }
    }

    /// One step of the reader, which takes up to `most` bytes.
    pub(super) fn read(&self, now: Now, most: usize) -> Read {
        let Ok(mut server) = self.server.try_borrow_mut() else { return Read::Handled };
        let Server { session, buffer, next } = &mut *server;
        let Some(session) = session else { return Read::Handled };
        let ended = match next {
            Next::Read { .. } => self.take_input(buffer, most),
            Next::Room | Next::Held { .. } => {
                self.socket.state().room_told = false;
                None
            }
            Next::End => Some(CloseReason::Disconnected),
            Next::Turn | Next::Auth => None,
        };
        if let Some(reason) = ended {
            drop(server);
            self.end(reason);
            return Read::Ended;
        }
        if *next == Next::Auth {
            session.authenticate();
        }
        world::set_clock(now);
        let progress = match session {
            AnySession::Native(session) => session.handle(now, buffer),
            AnySession::Nats(session) => session.handle(now, buffer),
        };
        let Progress { consumed, next: then, .. } = progress;
        buffer.drain(..consumed.min(buffer.len()));
        *next = then;
        Read::Handled
    }

    /// Reads, or says why there will be nothing to read.
    fn take_input(&self, buffer: &mut Vec<u8>, most: usize) -> Option<CloseReason> {
        let mut state = self.socket.state();
        if state.to_server.is_empty() {
            return Some(match buffer.len() {
                _ if state.broken => CloseReason::Transport("reset".to_owned()),
                0 => CloseReason::Disconnected,
                bytes => CloseReason::CutOff { bytes },
            });
        }
        let taken = most.clamp(1, state.to_server.len());
        buffer.extend(state.to_server.drain(..taken));
        drop(state);
        self.info.heard(Now::default());
        None
    }

    fn end(&self, reason: CloseReason) {
        if let Ok(mut server) = self.server.try_borrow_mut() {
            match &mut server.session {
                Some(AnySession::Native(session)) => session.end(),
                Some(AnySession::Nats(session)) => session.end(),
                None => {}
            }
        }
        self.outbox.end(reason);
        self.socket.state().writer_woken = true;
        self.stage.set(Stage::Ending);
    }

    pub(super) fn can_write(&self, now_ms: u64) -> bool {
        let state = self.socket.state();
        let writable = state.room() > 0 || state.broken || state.shut;
        match self.writer.get() {
            WriterState::Ready => true,
            WriterState::Writing | WriterState::Done => false,
            WriterState::Waits => state.writer_woken,
            WriterState::WaitsForSocket => writable || state.writer_woken,
            WriterState::Farewell { until_ms } => writable || now_ms >= until_ms,
        }
    }

    /// Whether somebody is in the middle of a write of the writer's.
    pub(super) fn is_writing(&self) -> bool {
        self.writer.get() == WriterState::Writing
    }

    /// Whether nobody but the socket keeps the writer from going on.
    pub(super) fn waits_for_socket(&self) -> bool {
        matches!(self.writer.get(), WriterState::WaitsForSocket | WriterState::Farewell { .. })
    }

    /// One step of the writer.
    pub(super) fn write(&self, now_ms: u64) {
        match self.writer.get() {
            WriterState::Waits => self.socket.state().writer_woken = false,
            WriterState::WaitsForSocket => {
                let mut state = self.socket.state();
                if state.room() == 0 && !state.broken && !state.shut {
                    state.writer_woken = false;
                }
            }
            WriterState::Farewell { until_ms } if now_ms >= until_ms && self.socket.state().room() == 0 => {
                return self.finish();
            }
            _ => {}
        }
        self.writer.set(WriterState::Writing);
        match self.outbox.write_as_owner(self.turn_bytes, |slices| self.socket.try_write(slices)) {
            WriterNext::Woken => self.writer.set(WriterState::Waits),
            WriterNext::Turn => self.writer.set(WriterState::Ready),
            WriterNext::Farewell => {
                self.writer.set(WriterState::Farewell { until_ms: now_ms + FAREWELL_MS });
            }
            WriterNext::Writable => self.writer.set(WriterState::WaitsForSocket),
            WriterNext::Close(_) => self.finish(),
        }
    }

    fn finish(&self) {
        self.writer.set(WriterState::Done);
        let mut state = self.socket.state();
        state.shut = true;
        state.room_told = true;
    }

    /// Whether the writer has ended behind the session: what is left is to forget both.
    pub(super) fn can_close(&self) -> bool {
        self.stage.get() == Stage::Ending && self.writer.get() == WriterState::Done
    }

    /// Forgets the session.
    pub(super) fn close(&self) {
        self.outbox.abandon();
        self.stage.set(Stage::Closed);
        if let Ok(mut server) = self.server.try_borrow_mut() {
            drop(mem::take(&mut server.buffer));
            server.session = None;
        }
    }
}
