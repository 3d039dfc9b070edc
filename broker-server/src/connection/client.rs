//! What a connection asks of its session, whatever the protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use broker_core::outbox::{Link, Outbox};
use broker_core::{Credentials, NatsSession, Now, Progress, ServerName, Session, SessionInfo};

use super::Shared;
use crate::{NAME, VERSION};

/// A session of one protocol. Connections are generic over it, so that no message pays for the choice.
pub(super) trait Client: Send + 'static {
    /// A session that begins now, with what it says unasked in its outbox.
    fn begin(shared: &Shared, peer: SocketAddr, link: Arc<dyn Link>) -> Self;

    fn handle(&mut self, now: Now, input: &[u8]) -> Progress;
    fn info(&self) -> &Arc<SessionInfo>;
    fn outbox(&self) -> &Arc<Outbox>;
    fn credentials(&self) -> Option<&Credentials>;
    fn authenticated(&mut self, accepted: bool);
    fn end(&mut self);
}

const SERVER: ServerName = ServerName { name: NAME, version: VERSION };

impl Client for Session {
    fn begin(shared: &Shared, peer: SocketAddr, link: Arc<dyn Link>) -> Self {
        let broker = Arc::clone(&shared.broker);
        let outbox = Outbox::new(broker.next_session(), broker.limits().outbox_bytes_max, link);
        let mut session =
            Session::new(broker, Arc::new(outbox), peer.to_string(), SERVER, shared.clock.now());
        if shared.gate.is_closed() {
            session.require_auth(shared.auth_timeout_ms);
        }
        session
    }

    fn handle(&mut self, now: Now, input: &[u8]) -> Progress {
        Session::handle(self, now, input)
    }

    fn info(&self) -> &Arc<SessionInfo> {
        Session::info(self)
    }

    fn outbox(&self) -> &Arc<Outbox> {
        Session::outbox(self)
    }

    fn credentials(&self) -> Option<&Credentials> {
        Session::credentials(self)
    }

    fn authenticated(&mut self, accepted: bool) {
        Session::authenticated(self, accepted);
    }

    fn end(&mut self) {
        Session::end(self);
    }
}

impl Client for NatsSession {
    fn begin(shared: &Shared, peer: SocketAddr, link: Arc<dyn Link>) -> Self {
        let broker = Arc::clone(&shared.broker);
        let outbox = Outbox::nats(broker.next_session(), shared.nats.outbox_bytes_max, link);
        let options = shared.nats.options(shared.gate.is_closed());
        let mut session =
            NatsSession::new(broker, Arc::new(outbox), peer, SERVER, options, shared.clock.now());
        session.greet();
        session
    }

    fn handle(&mut self, now: Now, input: &[u8]) -> Progress {
        NatsSession::handle(self, now, input)
    }

    fn info(&self) -> &Arc<SessionInfo> {
        NatsSession::info(self)
    }

    fn outbox(&self) -> &Arc<Outbox> {
        NatsSession::outbox(self)
    }

    fn credentials(&self) -> Option<&Credentials> {
        NatsSession::credentials(self)
    }

    fn authenticated(&mut self, accepted: bool) {
        NatsSession::authenticated(self, accepted);
    }

    fn end(&mut self) {
        NatsSession::end(self);
    }
}
