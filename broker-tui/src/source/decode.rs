//! Messages of the broker about itself, as news.
//!
//! Keys that are missing are zero or absent, keys that are unknown are ignored: a broker of another version can be looked
//! at too.

use std::collections::BTreeMap;

use broker_client::Message;
use rmp_serde::decode::Error;
use serde::{Deserialize, Deserializer};

use crate::format::msgpack;
use crate::message::{ClosedRow, ConnectionRow, News, Seen, Table, TopicRow, VALUE_KEPT_MAX};

/// A message on a topic below `!system/`; `None` for one that the dashboard does not show.
///
/// # Errors
///
/// The value is not what the protocol says.
pub fn system(topic: &str, value: &[u8], time_ms: Option<u64>) -> Result<Option<News>, Error> {
    let Some(name) = topic.strip_prefix("!system/") else { return Ok(None) };
    Ok(Some(match name {
        "server" => News::Server(rmp_serde::from_slice(value)?),
        "totals" => News::Totals(rmp_serde::from_slice::<BTreeMap<String, u64>>(value)?),
        "connections" => {
            let WireTable::<ConnectionRow> { total, rows } = rmp_serde::from_slice(value)?;
            News::Connections(Table { time_ms, total, rows })
        }
        "connections/closed" => {
            let WireTable::<ClosedRow> { total, rows } = rmp_serde::from_slice(value)?;
            News::Closed(Table { time_ms, total, rows })
        }
        "events/slow-consumer" => News::Slow(vec![rmp_serde::from_slice(value)?]),
        "topics" => {
            let WireTable::<WireTopic> { total, rows } = rmp_serde::from_slice(value)?;
            News::Topics(Table { time_ms, total, rows: rows.into_iter().map(TopicRow::from).collect() })
        }
        _ => match (name.strip_prefix("metrics/"), msgpack::leading_number(value)) {
            (Some(name), Some((None, value))) => News::Metric { name: name.to_owned(), value },
            _ => return Ok(None),
        },
    }))
}

/// A message for the traffic view. Copies: what the client lent is part of a larger buffer.
pub fn seen(message: &Message) -> Seen {
    let value = message.value();
    let meta = message.meta();
    Seen {
        topic: message.topic().to_owned(),
        value: value.get(..value.len().min(VALUE_KEPT_MAX)).unwrap_or(value).to_vec(),
        size: value.len(),
        time_ms: meta.map(|meta| meta.time),
        retained: meta.is_some_and(|meta| meta.retained),
        reply: meta.and_then(|meta| meta.reply.clone()),
        key: meta.and_then(|meta| meta.key.clone()),
        headers: meta.map(|meta| meta.headers.clone().into_iter().collect()).unwrap_or_default(),
    }
}

#[derive(Deserialize)]
#[serde(bound = "R: Deserialize<'de>")]
struct WireTable<R> {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    rows: Vec<R>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireTopic {
    topic: String,
    messages: u64,
    bytes: u64,
    size: u64,
    age_ms: u64,
    /// A value of nil is there; a value that is too long is not.
    #[serde(deserialize_with = "present")]
    value: Option<rmpv::Value>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<rmpv::Value>, D::Error> {
    rmpv::Value::deserialize(deserializer).map(Some)
}

impl From<WireTopic> for TopicRow {
    fn from(row: WireTopic) -> Self {
        let value = row.value.and_then(|value| {
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &value).ok()?;
            Some(bytes)
        });
        let WireTopic { topic, messages, bytes, size, age_ms, .. } = row;
        Self { topic, messages, bytes, size, age_ms, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(topic: &str, value: &serde_json::Value) -> Option<News> {
        system(topic, &rmp_serde::to_vec(value).unwrap(), Some(7)).unwrap()
    }

    #[test]
    fn metrics_and_totals() {
        let Some(News::Metric { name, value }) = decode("!system/metrics/messages-in", &json!(12)) else {
            panic!()
        };
        assert_eq!((name.as_str(), value), ("messages-in", 12.0));
        assert!(decode("!system/metrics/x", &json!("text")).is_none());
        assert!(decode("other", &json!(1)).is_none());
        let Some(News::Totals(totals)) = decode("!system/totals", &json!({"lagged": 3})) else { panic!() };
        assert_eq!(totals.get("lagged"), Some(&3));
    }

    #[test]
    fn the_server() {
        let value =
            json!({"server": "b", "version": "1", "started": 5, "pid": 9, "listen": ["x:1"], "new key": 1});
        let Some(News::Server(server)) = decode("!system/server", &value) else { panic!() };
        assert_eq!((server.pid, server.listen), (Some(9), vec!["x:1".to_owned()]));
    }

    #[test]
    fn tables() {
        let rows = json!({"total": 5, "rows": [{"id": 1, "address": "a:1", "name": null, "queue_bytes": 9, "new": 1}]});
        let Some(News::Connections(table)) = decode("!system/connections", &rows) else { panic!() };
        assert_eq!(
            (table.time_ms, table.total, table.rows[0].queue_bytes, &table.rows[0].name),
            (Some(7), 5, 9, &None)
        );

        let rows = json!({"total": 3, "rows": [{"topic": "a", "value": null}, {"topic": "b"}, {"topic": "c", "value": {"x": [1]}}]});
        let Some(News::Topics(table)) = decode("!system/topics", &rows) else { panic!() };
        let values: Vec<_> = table.rows.into_iter().map(|row| row.value).collect();
        assert_eq!(values, [Some(vec![0xc0]), None, Some(rmp_serde::to_vec(&json!({"x": [1]})).unwrap())]);
    }

    #[test]
    fn slow_and_closed_sessions() {
        let row = json!({"id": 1, "slow": true, "slow_ms": 7, "pattern": "a", "policy": "skip", "missed": 3, "thinned": 4});
        let rows = json!({"total": 1, "rows": [row]});
        let Some(News::Connections(table)) = decode("!system/connections", &rows) else { panic!() };
        let row = &table.rows[0];
        assert_eq!((row.slow, row.slow_ms, row.missed, row.thinned), (true, 7, 3, 4));
        assert_eq!((row.pattern.as_str(), row.policy.as_str()), ("a", "skip"));

        let row =
            json!({"id": 1, "name": null, "reason": "idle", "detail": "silent", "closed": 9, "lost": 2});
        let rows = json!({"total": 5, "rows": [row]});
        let Some(News::Closed(table)) = decode("!system/connections/closed", &rows) else { panic!() };
        let row = &table.rows[0];
        assert_eq!((table.total, row.reason.as_str(), row.closed, row.lost), (5, "idle", 9, 2));

        let event =
            json!({"event": "recovered", "session": 3, "name": null, "since": 1, "until": 2, "missed": 9});
        let Some(News::Slow(events)) = decode("!system/events/slow-consumer", &event) else { panic!() };
        assert_eq!((events[0].session, events[0].until, events[0].missed), (3, Some(2), 9));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_an_error() {
        for name in
            ["server", "totals", "connections", "connections/closed", "events/slow-consumer", "topics"]
        {
            let topic = format!("!system/{name}");
            for value in [&[0xc1][..], &[0x92, 1], &[0xa1, b'x'], &[]] {
                assert!(system(&topic, value, None).is_err(), "{topic} {value:?}");
            }
        }
    }
}
