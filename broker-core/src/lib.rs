//! Everything that decides in the broker: topics, wire formats, the routing table, retained messages, outboxes and their
//! policies, counters. It has no sockets, no files, no threads and no clock of its own: bytes and the time come in as arguments, bytes
//! and names of what to flush go out. `broker-server` adds the tasks, `broker-client` uses the wire formats.
//!
//! Locks are taken in this order: the routing table, a topic's shard, a topic, an order of topics, an outbox. No lock is held while a [`outbox::Link`] is
//! called.

mod auth;
mod broker;
mod clearing;
mod clock;
mod join;
mod limits;
mod message;
mod nats_session;
pub mod outbox;
mod pending;
mod publisher;
mod rate;
pub mod reason;
mod routing;
mod rules;
mod serving;
mod session;
mod stats;
mod sync;
pub mod topic;
mod topics;
pub mod wire;

pub use auth::Credentials;
pub use broker::Broker;
pub use glob_tree;
pub use limits::Limits;
pub use message::Now;
pub use nats_session::{NatsOptions, NatsSession};
pub use outbox::{Policy, SlowChange, SlowNews};
pub use publisher::Publisher;
pub use rate::MaxRate;
pub use routing::{Subscription, SubscriptionOptions};
pub use rules::{TopicRule, TopicRules};
pub use session::{Next, Progress, ServerName, Session};
pub use stats::{SessionInfo, Totals};
pub use topics::{TopicInfo, TopicStats};
