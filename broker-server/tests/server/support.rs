//! What the chapters share: a server to talk to, a client made of a socket and nothing of the code under test, and waits that end.

mod client;
mod msgpack;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use broker_server::{Builder, Limits, Server};
use tokio::time::{Instant, sleep, timeout};

pub(crate) use client::*;
pub(crate) use msgpack::*;
pub(crate) use wire::*;

/// Longer than anything takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How often `eventually` looks.
const LOOK: Duration = Duration::from_millis(5);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// Looks again and again until `check` is content.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !check() {
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        // tidy: sleep: between two looks at the condition.
        sleep(LOOK).await;
    }
}

pub(crate) async fn start(change: impl FnOnce(Builder) -> Builder) -> Server {
    change(Server::builder().listen("127.0.0.1:0")).start().await.expect("it starts")
}

pub(crate) async fn server() -> Server {
    start(|builder| builder).await
}

pub(crate) async fn limited(limits: Limits) -> Server {
    start(|builder| builder.limits(limits)).await
}

pub(crate) fn address(server: &Server) -> SocketAddr {
    server.local_addr().expect("it listens")
}

/// Numbers that look random and are the same in every run (xorshift).
#[derive(Debug)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
