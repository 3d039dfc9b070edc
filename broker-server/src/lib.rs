//! The broker as a server: everything that touches the system. Listeners, connections, metrics, configuration, shutdown; what
//! is decided is decided in `broker-core`.
//!
//! The binary `broker-server` is a few lines around this library, and any program can embed it:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use broker_server::Server;
//!
//! let server = Server::builder().listen("127.0.0.1:0").start().await?;
//! println!("connect to {}", server.local_addr().expect("it listens"));
//! let report = server.stop().await;
//! assert_eq!(report.messages_lost, 0);
//! # Ok::<(), broker_server::StartError>(()) }).unwrap();
//! ```

pub mod args;
pub mod config;
pub mod logging;
pub mod nats_server;
pub mod signals;

mod auth;
mod clock;
mod closed;
mod connection;
mod listener;
mod metrics;
mod monitor;
mod nats;
mod release;
mod server;
mod sync;
mod upkeep;
mod usage;
mod workers;

pub use auth::hash_password;
pub use broker_core::{Limits, Policy, TopicRule, TopicRules, wire::native::WireLimits};
pub use nats::NATS_VERSION;
pub use server::{Builder, Report, Server, StartError};

/// The program's name, as it tells it to clients.
pub const NAME: &str = "broker-server";

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
