//! `/connz`: connections, open and closed.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::net::SocketAddr;

use broker_core::Now;
use serde::Serialize;

use super::Monitor;
use super::query::{Pairs, Window, first, id, switch};
use super::subsz::SubscriptionRow;
use super::varz::uptime;
use crate::clock::rfc3339;
use crate::closed::Snapshot;

/// What the request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    window: Window,
    sort: Sort,
    state: State,
    subscriptions: Listed,
    /// Whether users are shown.
    auth: bool,
    id: Option<u64>,
    user: Option<String>,
}

/// Which connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    All,
}

/// Whether the subscriptions of a connection are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    No,
    Names,
    Details,
}

/// In which order: nats-server's, so the youngest comes first by uptime and the last to go by the time of its end. Only `idle` is what it says: how long a client has been
/// silent, the longest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Id,
    Start,
    Subscriptions,
    Pending,
    MessagesTo,
    MessagesFrom,
    BytesTo,
    BytesFrom,
    Last,
    Idle,
    Uptime,
    Stop,
    Reason,
}

impl Sort {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "cid" => Sort::Id,
            "start" => Sort::Start,
            "subs" => Sort::Subscriptions,
            "pending" => Sort::Pending,
            "msgs_to" => Sort::MessagesTo,
            "msgs_from" => Sort::MessagesFrom,
            "bytes_to" => Sort::BytesTo,
            "bytes_from" => Sort::BytesFrom,
            "last" => Sort::Last,
            "idle" => Sort::Idle,
            "uptime" => Sort::Uptime,
            "stop" => Sort::Stop,
            "reason" => Sort::Reason,
            _ => return None,
        })
    }

    fn compare(self, one: &Snapshot, other: &Snapshot, now: Now) -> Ordering {
        fn most_first<T: Ord>(key: impl Fn(&Snapshot) -> T, one: &Snapshot, other: &Snapshot) -> Ordering {
            Reverse(key(one)).cmp(&Reverse(key(other)))
        }
        let end = |session: &Snapshot| session.end.as_ref().map(|(end, _)| end.monotonic_ms);
        let reason =
            |session: &Snapshot| session.end.as_ref().map(|(_, reason)| reason.nats_name().to_owned());
        let order = match self {
            Sort::Id => Ordering::Equal,
            Sort::Start => one.started.monotonic_ms.cmp(&other.started.monotonic_ms),
            Sort::Subscriptions => most_first(|session| session.subscriptions, one, other),
            Sort::Pending => most_first(|session| session.queue_bytes, one, other),
            Sort::MessagesTo => most_first(|session| session.totals.messages_out, one, other),
            Sort::MessagesFrom => most_first(|session| session.totals.messages_in, one, other),
            Sort::BytesTo => most_first(|session| session.totals.payload_bytes_out, one, other),
            Sort::BytesFrom => most_first(|session| session.totals.payload_bytes_in, one, other),
            Sort::Last => most_first(|session| session.heard_monotonic_ms, one, other),
            Sort::Idle => most_first(|session| session.idle_ms(now), one, other),
            Sort::Uptime => one.age_ms(now).cmp(&other.age_ms(now)),
            Sort::Stop => end(other).cmp(&end(one)),
            Sort::Reason => reason(one).cmp(&reason(other)),
        };
        order.then(one.id.cmp(&other.id))
    }
}

impl Options {
    /// What is wrong is said in nats-server's words.
    pub(super) fn read(pairs: &Pairs) -> Result<Self, String> {
        let name = first(pairs, "sort").unwrap_or("cid");
        let sort = Sort::read(name).ok_or_else(|| format!("invalid sorting option: {name}"))?;
        let auth = switch(pairs, "auth")?;
        let subscriptions = match first(pairs, "subs") {
            Some(text) if text.eq_ignore_ascii_case("detail") => Listed::Details,
            _ if switch(pairs, "subs")? => Listed::Names,
            _ => Listed::No,
        };
        let mut window = Window::read(pairs)?;
        let id = id(pairs, "cid")?;
        if id.is_some() {
            window = Window { offset: 0, limit: 1 };
        }
        let state = match first(pairs, "state").map(str::to_ascii_lowercase).as_deref() {
            None | Some("open") => State::Open,
            Some("closed") => State::Closed,
            Some("any" | "all") => State::All,
            Some(other) => return Err(format!("Error decoding state for {other}")),
        };
        if matches!(sort, Sort::Stop | Sort::Reason) && state != State::Closed {
            return Err(format!("sort by {name} only valid on closed connections"));
        }
        let user = first(pairs, "user").map(str::to_owned);
        Ok(Options { window, sort, state, subscriptions, auth, id, user })
    }
}

/// The page.
#[derive(Serialize)]
pub(super) struct Connz {
    server_id: String,
    now: String,
    num_connections: usize,
    total: usize,
    offset: usize,
    limit: usize,
    connections: Vec<Row>,
}

/// One connection.
#[derive(Serialize)]
struct Row {
    cid: u64,
    kind: &'static str,
    #[serde(rename = "type")]
    protocol: &'static str,
    ip: String,
    port: u16,
    start: String,
    last_activity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    uptime: String,
    idle: String,
    pending_bytes: usize,
    in_msgs: u64,
    out_msgs: u64,
    in_bytes: u64,
    out_bytes: u64,
    subscriptions: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    lang: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    authorized_user: String,
    lagged_msgs: u64,
    thinned_msgs: u64,
    slow: bool,
    /// The policy under which it is slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list_detail: Vec<SubscriptionRow>,
}

pub(super) fn page(monitor: &Monitor, options: &Options) -> Connz {
    let Monitor { shared, .. } = monitor;
    let now = monitor.now();
    let mut sessions = Vec::new();
    if options.state != State::Closed {
        sessions.extend(shared.broker.sessions().iter().map(|session| Snapshot::of(session)));
    }
    if options.state != State::Open {
        sessions.extend(shared.closed.list());
    }
    let total = sessions.len();
    sessions.retain(|session| {
        options.id.is_none_or(|id| session.id == id)
            && options.user.as_ref().is_none_or(|user| session.user == *user)
    });
    sessions.sort_by(|one, other| options.sort.compare(one, other, now));
    let Window { offset, limit } = options.window;
    let mut rows: Vec<Row> = sessions
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(|session| row(session, now, options.auth))
        .collect();
    if options.subscriptions != Listed::No {
        list_subscriptions(monitor, &mut rows, options.subscriptions == Listed::Details);
    }
    Connz {
        server_id: monitor.server_id(),
        now: rfc3339(now.unix_ms),
        num_connections: rows.len(),
        total,
        offset,
        limit,
        connections: rows,
    }
}

fn row(session: Snapshot, now: Now, auth: bool) -> Row {
    let address = session.address.parse::<SocketAddr>();
    let (stop, reason) = match &session.end {
        Some((end, reason)) => (Some(rfc3339(end.unix_ms)), Some(reason.nats_name())),
        None => (None, None),
    };
    Row {
        cid: session.id,
        kind: "Client",
        protocol: session.protocol,
        ip: address.as_ref().map_or_else(|_| session.address.clone(), |address| address.ip().to_string()),
        port: address.map_or(0, |address| address.port()),
        start: rfc3339(session.started.unix_ms),
        last_activity: rfc3339(session.heard_unix_ms()),
        stop,
        reason,
        uptime: uptime(session.age_ms(now)),
        idle: uptime(session.idle_ms(now)),
        pending_bytes: session.queue_bytes,
        in_msgs: session.totals.messages_in,
        out_msgs: session.totals.messages_out,
        in_bytes: session.totals.payload_bytes_in,
        out_bytes: session.totals.payload_bytes_out,
        subscriptions: session.subscriptions,
        name: session.name,
        lang: session.lang,
        version: session.version,
        lagged_msgs: session.totals.lagged,
        thinned_msgs: session.totals.thinned,
        slow: session.slow.is_some(),
        policy: session.slow.map(|slow| slow.policy.name()),
        authorized_user: if auth { session.user } else { String::new() },
        subscriptions_list: Vec::new(),
        subscriptions_list_detail: Vec::new(),
    }
}

/// Adds the subscriptions of the connections that are shown: one look through all subscriptions that there are.
fn list_subscriptions(monitor: &Monitor, rows: &mut [Row], details: bool) {
    let mut shown: BTreeMap<u64, &mut Row> = rows.iter_mut().map(|row| (row.cid, row)).collect();
    monitor.shared.broker.for_each_subscription(|session, subscription| {
        let Some(row) = shown.get_mut(&session) else { return };
        if details {
            row.subscriptions_list_detail.push(SubscriptionRow::new(None, session, subscription));
        } else {
            row.subscriptions_list.push(subscription.pattern.as_str().to_owned());
        }
    });
}

#[cfg(test)]
mod tests {
    use broker_core::reason::CloseReason;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let pairs: Pairs = text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let options = Options::read(&pairs).map(|options| format!("{options:?}"));
        match (&options, expected) {
            (Ok(options), Ok(part)) => assert!(options.contains(part), "{text}: {options}"),
            (options, expected) => {
                assert_eq!(options.as_ref().map_err(String::as_str).err(), expected.err(), "{text}");
            }
        }
    }

    /// The wording is that of nats-server 2.9.10.
    #[test]
    fn requests() {
        check("", Ok("sort: Id, state: Open, subscriptions: No, auth: false, id: None, user: None"));
        check("subs=1", Ok("Names"));
        check("subs=Detail&auth=true", Ok("subscriptions: Details, auth: true"));
        check("state=CLOSED&sort=stop", Ok("sort: Stop, state: Closed"));
        check("cid=7&limit=100", Ok("limit: 1"));
        check("sort=foo", Err("invalid sorting option: foo"));
        check("sort=rtt", Err("invalid sorting option: rtt"));
        check("sort=stop", Err("sort by stop only valid on closed connections"));
        check("sort=reason&state=all", Err("sort by reason only valid on closed connections"));
        check("state=foo", Err("Error decoding state for foo"));
    }

    fn session(id: u64, from_ms: u64, heard_ms: u64, to_ms: u64) -> Snapshot {
        let at = |monotonic_ms| Now { unix_ms: monotonic_ms, monotonic_ms };
        Snapshot {
            id,
            protocol: "nats",
            address: String::new(),
            started: at(from_ms),
            heard_monotonic_ms: heard_ms,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            user: String::new(),
            queue_bytes: 0,
            subscriptions: 0,
            totals: broker_core::Totals::default(),
            slow: None,
            end: Some((at(to_ms), CloseReason::Closed)),
        }
    }

    #[test]
    fn orders() {
        #[track_caller]
        fn check(sessions: &[Snapshot], sort: Sort, now: Now, expected: [u64; 3]) {
            let mut sorted = sessions.to_vec();
            sorted.sort_by(|one, other| sort.compare(one, other, now));
            assert_eq!(sorted.iter().map(|session| session.id).collect::<Vec<_>>(), expected, "{sort:?}");
        }
        let now = Now { unix_ms: 1000, monotonic_ms: 1000 };
        let sessions = [session(1, 0, 10, 400), session(2, 100, 200, 300), session(3, 200, 450, 500)];
        check(&sessions, Sort::Id, now, [1, 2, 3]);
        check(&sessions, Sort::Start, now, [1, 2, 3]);
        check(&sessions, Sort::Last, now, [3, 2, 1]);
        check(&sessions, Sort::Idle, now, [1, 2, 3]);
        check(&sessions, Sort::Uptime, now, [2, 3, 1]);
        check(&sessions, Sort::Stop, now, [3, 1, 2]);
        check(&sessions, Sort::Pending, now, [1, 2, 3]);
    }
}
