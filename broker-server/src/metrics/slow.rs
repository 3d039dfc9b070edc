//! Who became slow, and who recovered or ended, as messages on `!system/events/slow-consumer`.

use broker_core::SessionInfo;
use broker_core::outbox::SlowNews;
use serde::Serialize;

pub(super) const TOPIC: &str = "!system/events/slow-consumer";

/// One message.
#[derive(Serialize)]
pub(super) struct SlowEvent<'a> {
    event: &'static str,
    session: u64,
    address: &'a str,
    name: Option<&'a str>,
    pattern: &'a str,
    policy: &'static str,
    /// Milliseconds since 1970.
    since: u64,
    until: Option<u64>,
    missed: u64,
    episodes: u64,
}

impl<'a> SlowEvent<'a> {
    pub(super) fn new(session: &'a SessionInfo, news: &'a SlowNews) -> Self {
        SlowEvent {
            event: news.change.name(),
            session: session.id,
            address: &session.address,
            name: session.name(),
            pattern: &news.pattern,
            policy: news.policy.name(),
            since: news.since_unix_ms,
            until: news.until_unix_ms,
            missed: news.missed,
            episodes: news.episodes,
        }
    }
}
