//! `/varz`: the server as a whole.
//!
//! Bytes count what is on the wire, protocol and all, where nats-server counts payloads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::Monitor;
use crate::NATS_VERSION;
use crate::clock::rfc3339;
use crate::usage::memory_bytes;

/// A section that nats-server's page has, and that is empty there as long as nothing is set.
#[derive(Serialize)]
struct Unused {}

/// The page. Names and units are those of nats-server: durations in nanoseconds, but `auth_timeout` in seconds.
#[derive(Serialize)]
pub(super) struct Varz {
    server_id: String,
    server_name: String,
    version: &'static str,
    proto: u8,
    host: String,
    port: u16,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    auth_required: bool,
    max_connections: usize,
    max_subscriptions: usize,
    ping_interval: u64,
    ping_max: usize,
    http_host: String,
    http_port: u16,
    http_base_path: &'static str,
    https_port: u16,
    auth_timeout: f64,
    max_control_line: usize,
    max_payload: usize,
    max_pending: usize,
    cluster: Unused,
    gateway: Unused,
    leaf: Unused,
    mqtt: Unused,
    websocket: Unused,
    jetstream: Unused,
    start: String,
    now: String,
    uptime: String,
    mem: u64,
    cores: usize,
    gomaxprocs: usize,
    cpu: f64,
    connections: usize,
    total_connections: u64,
    routes: u64,
    remotes: u64,
    leafnodes: u64,
    in_msgs: u64,
    out_msgs: u64,
    /// As nats-server counts them: what is in messages, not what is around them.
    in_bytes: u64,
    out_bytes: u64,
    slow_consumers: u64,
    subscriptions: usize,
    http_req_stats: BTreeMap<&'static str, u64>,
    config_load_time: String,
    broker_version: &'static str,
    lagged_msgs: u64,
    thinned_msgs: u64,
    slow_sessions: usize,
    topics: usize,
    retained_bytes: usize,
}

pub(super) fn page(monitor: &Monitor) -> Varz {
    let Monitor { shared, nats, started, .. } = monitor;
    let (broker, now) = (&shared.broker, monitor.now());
    let (totals, topics) = (broker.totals(), broker.topic_stats());
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let host =
        |address: Option<SocketAddr>| address.map(|address| address.ip().to_string()).unwrap_or_default();
    let port = |address: Option<SocketAddr>| address.map_or(0, |address| address.port());
    Varz {
        server_id: monitor.server_id(),
        server_name: nats.server_name.clone(),
        version: NATS_VERSION,
        proto: 1,
        host: host(monitor.nats_address),
        port: port(monitor.nats_address),
        auth_required: shared.gate.is_closed(),
        max_connections: monitor.connections_max,
        max_subscriptions: broker.limits().subscriptions_max,
        ping_interval: u64::try_from(nats.ping_interval.as_nanos()).unwrap_or(u64::MAX),
        ping_max: nats.pings_out_max,
        http_host: host(monitor.http_address),
        http_port: port(monitor.http_address),
        http_base_path: "",
        https_port: 0,
        auth_timeout: Duration::from_millis(shared.auth_timeout_ms).as_secs_f64(),
        max_control_line: nats.control_line_bytes_max,
        max_payload: nats.payload_bytes_max,
        max_pending: nats.outbox_bytes_max,
        cluster: Unused {},
        gateway: Unused {},
        leaf: Unused {},
        mqtt: Unused {},
        websocket: Unused {},
        jetstream: Unused {},
        start: rfc3339(started.unix_ms),
        now: rfc3339(now.unix_ms),
        uptime: uptime(now.monotonic_ms.saturating_sub(started.monotonic_ms)),
        mem: memory_bytes(),
        cores,
        gomaxprocs: cores,
        cpu: monitor.cpu.percent(),
        connections: broker.connections(),
        total_connections: totals.connections,
        routes: 0,
        remotes: 0,
        leafnodes: 0,
        in_msgs: totals.messages_in,
        out_msgs: totals.messages_out,
        in_bytes: totals.payload_bytes_in,
        out_bytes: totals.payload_bytes_out,
        slow_consumers: shared.closed.slow(),
        subscriptions: broker.subscriptions(),
        http_req_stats: monitor.requests(),
        config_load_time: rfc3339(started.unix_ms),
        broker_version: crate::VERSION,
        lagged_msgs: totals.lagged,
        thinned_msgs: totals.thinned,
        slow_sessions: broker.sessions().iter().filter(|session| session.slow().is_some()).count(),
        topics: topics.topics,
        retained_bytes: topics.retained_bytes,
    }
}

/// A time as nats-server writes it: `1h2m3s`, the largest unit that is not 0 first, years at the most.
pub(super) fn uptime(millis: u64) -> String {
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let years = days / 365;
    let mut text = String::new();
    let mut part = |shown: bool, number: u64, unit: char| {
        if shown {
            text.push_str(&number.to_string());
            text.push(unit);
        }
    };
    part(years > 0, years, 'y');
    part(days > 0, days % 365, 'd');
    part(hours > 0, hours % 24, 'h');
    part(minutes > 0, minutes % 60, 'm');
    part(true, seconds % 60, 's');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes() {
        assert_eq!(uptime(999), "0s");
        assert_eq!(uptime(61_000), "1m1s");
        assert_eq!(uptime(3_600_000), "1h0m0s");
        assert_eq!(uptime(90_061_000), "1d1h1m1s");
        assert_eq!(uptime(366 * 86_400_000), "1y1d0h0m0s");
    }
}
