//! Who gets a message: subscriptions, the table of them, and the targets of a topic.

mod group;
mod options;
mod subscription;
mod table;
mod targets;

pub(crate) use group::{Group, Member};
pub use options::SubscriptionOptions;
pub use subscription::Subscription;
pub(crate) use subscription::{NatsDelivery, Subscriber};
pub(crate) use table::{RoutingTable, Stamp};
pub(crate) use targets::{NatsTargets, Target, Targets};
