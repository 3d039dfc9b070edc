//! Who gets a message: subscriptions, the table of them, and the targets of a topic.

mod subscription;
mod table;
mod targets;

pub(crate) use subscription::Subscriber;
pub use subscription::Subscription;
pub(crate) use table::{RoutingTable, Stamp};
pub(crate) use targets::{Target, Targets};
