//! `/subsz`: subscriptions.
//!
//! nats-server tells figures of its cache here, which have nothing to stand for in this server and are left out.

use broker_core::Subscription;
use broker_core::glob_tree::Dialect;
use serde::Serialize;

use super::Monitor;
use super::query::{Pairs, Window, first, switch};
use crate::clock::rfc3339;

/// The account that everybody is in; nats-server's name for it.
const ACCOUNT: &str = "$G";

/// What the request asks for.
#[derive(Debug)]
pub(super) struct Options {
    window: Window,
    listed: bool,
    /// Only those that match this topic.
    topic: Option<String>,
}

impl Options {
    /// What is wrong is said in nats-server's words.
    pub(super) fn read(pairs: &Pairs) -> Result<Self, String> {
        let listed = switch(pairs, "subs")?;
        let window = Window::read(pairs)?;
        let topic = first(pairs, "test").map(str::to_owned);
        if let Some(topic) = topic.as_ref().filter(|topic| topic.contains(['*', '>'])) {
            return Err(format!("invalid test subject, must be valid publish subject: {topic}"));
        }
        Ok(Options { window, listed, topic })
    }
}

/// The page.
#[derive(Serialize)]
pub(super) struct Subsz {
    server_id: String,
    now: String,
    num_subscriptions: usize,
    #[serde(flatten)]
    listed: Option<List>,
}

#[derive(Serialize)]
struct List {
    total: usize,
    offset: usize,
    limit: usize,
    #[serde(rename = "subscriptions_list")]
    rows: Vec<SubscriptionRow>,
}

/// One subscription.
#[derive(Serialize)]
pub(super) struct SubscriptionRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'static str>,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qgroup: Option<String>,
    sid: String,
    msgs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    cid: u64,
    /// How the subject is to be read, where it is not a subject: this server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
}

impl SubscriptionRow {
    pub(super) fn new(account: Option<&'static str>, session: u64, subscription: &Subscription) -> Self {
        let subject = subscription.pattern.as_str().to_owned();
        SubscriptionRow {
            account,
            qgroup: subscription.group().map(str::to_owned),
            // A native subscription has no number: its pattern is its name.
            sid: subscription.sid().unwrap_or(&subject).to_owned(),
            msgs: subscription.delivered(),
            max: subscription.delivered_max(),
            cid: session,
            dialect: (subscription.pattern.dialect() == Dialect::Glob).then_some("glob"),
            subject,
        }
    }
}

pub(super) fn page(monitor: &Monitor, options: &Options) -> Subsz {
    let broker = &monitor.shared.broker;
    let listed = (options.listed || options.topic.is_some()).then(|| {
        let Window { offset, limit } = options.window;
        let (mut total, mut rows) = (0, Vec::new());
        broker.for_each_subscription(|session, subscription| {
            if options.topic.as_ref().is_none_or(|topic| subscription.pattern.matches(topic)) {
                if options.listed && (offset..offset.saturating_add(limit)).contains(&total) {
                    rows.push(SubscriptionRow::new(Some(ACCOUNT), session, subscription));
                }
                total += 1;
            }
        });
        List { total, offset, limit, rows }
    });
    Subsz {
        server_id: monitor.server_id(),
        now: rfc3339(monitor.now().unix_ms),
        num_subscriptions: broker.subscriptions(),
        listed,
    }
}
