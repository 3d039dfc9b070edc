//! The client library of the broker.
//!
//! [`Client::connect`] gives a cheap handle; one task behind it owns the socket. It publishes, subscribes, asks and
//! answers, notices a dead server, reconnects with back-off and subscribes again. [`blocking`] is the same for
//! programs without async.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use broker_client::{Client, Options};
//!
//! let client = Client::connect("broker://127.0.0.1:36912", Options::default()).await?;
//! let mut weather = client.subscribe("weather/*").await?;
//! client.publish("weather/Oslo", &3.5).await?;
//! if let Some(message) = weather.recv().await {
//!     println!("{}: {}", message.topic(), message.decode::<f64>()?);
//! }
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - Delivery is at most once, in the order of each publisher and topic. Nothing is sent twice.
//! - A publish that returned `Ok` is sent, or counted: as *unconfirmed* when the connection broke under it, as *unsent* when the
//!   client was closed before it left, as *refused* when the server did not want it. [`Client::flush`] and
//!   [`Client::close`] say `Ok` only if there was none of it.
//! - Nothing grows without bound: not what waits to be sent ([`Options::buffer_bytes_max`]; then publishing waits), not what waits
//!   to be read ([`Options::subscription_messages_max`]; then the oldest goes and is counted), not the events.
//! - Nothing that a server sends makes the client panic; it is a [`ConnectionError::Protocol`] and a new connection.
//!
//! # Where things are
//!
//! `client` has the verbs, `link` the way out, `router` and `queue` the way in, `connection` the task between them and the
//! socket.

mod backoff;
pub mod blocking;
mod client;
mod connection;
mod error;
mod event;
mod login;
mod message;
mod options;
mod subscription;

mod address;
mod frames;
mod info;
mod link;
mod queue;
mod router;
mod shared;
mod sync;
mod value;

pub use backoff::Backoff;
pub use broker_core::{Policy, glob_tree::PatternError, topic::TopicError};
pub use client::Client;
pub use error::{
    ClearError, CloseError, CloseReason, ConnectError, ConnectionError, DecodeError, FlushError,
    PublishError, RequestError, SubscribeError,
};
pub use event::{Event, Events, LaggedBy};
pub use info::{ServerInfo, State, Stats};
pub use login::{Login, LoginError, Secret};
pub use message::{Message, Meta};
pub use options::{Options, PublishOptions, SubscribeOptions};
pub use subscription::Subscription;

/// The program in the project's README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
