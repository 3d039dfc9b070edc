//! A server in this process that speaks both protocols.

use std::net::SocketAddr;

use broker_server::{Builder, Server};
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

use super::{Native, Wire};

/// A server and the runtime that it runs on.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) server: Server,
    native: SocketAddr,
    nats: SocketAddr,
    _runtime: Runtime,
}

impl Both {
    pub(crate) fn start() -> Both {
        Both::start_with(|builder| builder)
    }

    pub(crate) fn start_with(change: impl FnOnce(Builder) -> Builder) -> Both {
        let runtime = RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let builder = change(Server::builder().listen("127.0.0.1:0").nats("127.0.0.1:0"));
        let server = runtime.block_on(builder.start()).expect("it starts");
        let (native, nats) = (server.local_addr().unwrap(), server.nats_addr().unwrap());
        Both { server, native, nats, _runtime: runtime }
    }

    pub(crate) fn native(&self) -> Native {
        Native::connect(self.native)
    }

    pub(crate) fn nats_address(&self) -> SocketAddr {
        self.nats
    }

    /// A NATS client that knows headers and wants to be told where nobody listens.
    pub(crate) fn nats(&self) -> Wire {
        Wire::ready(self.nats, r#"{"verbose":false,"headers":true,"no_responders":true}"#)
    }
}
