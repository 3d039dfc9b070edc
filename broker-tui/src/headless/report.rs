//! The figures as one JSON document, and as text.

use serde_json::{Map, Value, json};

use crate::format::{number, text as clean_text, value};
use crate::model::Model;
use crate::model::connections::Connection;
use crate::model::topic::Topic;
use crate::view::overview::FIGURES;

/// Everything that is known, for scripts. Rates are per second; `null` is what the broker did not tell.
pub fn json(model: &Model) -> Value {
    let metrics: Map<String, Value> =
        model.metrics.told().map(|(name, value)| (name.to_owned(), figure(value))).collect();
    let totals: Map<String, Value> =
        model.metrics.all_totals().map(|(name, total)| (name.to_owned(), json!(total))).collect();
    let server = model.server.as_ref();
    json!({
        "address": model.address,
        "session": model.link.session,
        "server": server.map(|s| json!({ "server": s.server, "version": s.version, "pid": s.pid, "listen": s.listen })),
        "metrics": metrics,
        "totals": totals,
        "connections": {
            "total": model.connections.total,
            "rows": model.connections.list.rows().iter().map(connection).collect::<Vec<Value>>(),
        },
        "topics": {
            "total": model.topics.total,
            "rows": model.topics.rows().iter().map(topic).collect::<Vec<Value>>(),
        },
    })
}

/// The figures of the overview, one a line.
pub fn text(model: &Model) -> String {
    let mut lines = vec![format!("broker at {}", model.address)];
    if let Some(server) = &model.server {
        lines.push(format!("{:<15}{} {}", "Server", server.server, server.version));
    }
    for figure in FIGURES {
        let now = model
            .metrics
            .last(figure.name)
            .map_or_else(|| "not told".to_owned(), |value| figure.unit.text(value));
        let total = model.metrics.total(figure.name).filter(|_| figure.name != "connections");
        let total = total.map(|total| format!("{} in all", number::exact(total))).unwrap_or_default();
        lines.push(format!("{:<15}{now:<14}{total}", figure.title).trim_end().to_owned());
    }
    let busiest = model.topics.busiest("", 10);
    if !busiest.is_empty() {
        lines.push("\nBusiest topics".to_owned());
    }
    for topic in busiest {
        let rate = number::known(topic.rate(), number::per_second);
        let last = topic.row.value.as_deref().map(|bytes| value::line_text(bytes, 48)).unwrap_or_default();
        lines.push(
            format!("  {:<40} {rate:>10}  {last}", clean_text::fit(&topic.row.topic, 40))
                .trim_end()
                .to_owned(),
        );
    }
    lines.join("\n") + "\n"
}

/// Whole numbers without a point.
fn figure(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original on the same line")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "exactness is what is asked")]
    let is_whole = whole as f64 == value && whole.unsigned_abs() < 1 << 53;
    if is_whole { json!(whole) } else { json!(value) }
}

fn connection(connection: &Connection) -> Value {
    let row = &connection.row;
    let slow =
        json!({ "ms": row.slow_ms, "pattern": row.pattern, "policy": row.policy, "missed": row.missed });
    json!({
        "id": row.id,
        "address": row.address,
        "name": row.name,
        "protocol": row.protocol,
        "age_ms": row.age_ms,
        "subscriptions": row.subscriptions,
        "messages_in": row.messages_in,
        "messages_out": row.messages_out,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "queue_bytes": row.queue_bytes,
        "lagged": row.lagged,
        "thinned": row.thinned,
        "slow": row.slow.then_some(slow),
        "messages_in_rate": connection.messages_in(),
        "messages_out_rate": connection.messages_out(),
        "bytes_in_rate": connection.bytes_in(),
        "bytes_out_rate": connection.bytes_out(),
    })
}

fn topic(topic: &Topic) -> Value {
    let row = &topic.row;
    let mut out = json!({
        "topic": row.topic,
        "messages": row.messages,
        "bytes": row.bytes,
        "size": row.size,
        "age_ms": row.age_ms,
        "rate": topic.rate(),
        "bytes_rate": topic.bytes_rate(),
    });
    // A value that the broker did not tell is not there; null is a value.
    if let (Some(bytes), Value::Object(out)) = (&row.value, &mut out)
        && let Ok(value) = rmpv::decode::read_value(&mut bytes.as_slice())
    {
        out.insert("value".to_owned(), to_json(value));
    }
    out
}

/// What JSON cannot say: bytes become `{"bin": "hex"}`, extensions `{"ext": n, "bin": "hex"}`, keys that are not strings their text,
/// numbers that are not finite null.
fn to_json(value: rmpv::Value) -> Value {
    let hex = |bytes: &[u8]| clean_text::hex(bytes, "");
    match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => json!(value),
        rmpv::Value::Integer(n) => {
            n.as_u64().map(Value::from).or_else(|| n.as_i64().map(Value::from)).unwrap_or_default()
        }
        rmpv::Value::F32(n) => json!(n),
        rmpv::Value::F64(n) => json!(n),
        rmpv::Value::String(text) => json!(String::from_utf8_lossy(text.as_bytes())),
        rmpv::Value::Binary(bytes) => json!({ "bin": hex(&bytes) }),
        rmpv::Value::Ext(kind, bytes) => json!({ "ext": kind, "bin": hex(&bytes) }),
        rmpv::Value::Array(items) => Value::Array(items.into_iter().map(to_json).collect()),
        rmpv::Value::Map(entries) => {
            let key = |key: rmpv::Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            Value::Object(entries.into_iter().map(|(k, v)| (key(k), to_json(v))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::demo_model;
    use crate::model::ViewName;

    #[test]
    fn the_document_has_everything() {
        let json = json(&demo_model(ViewName::Overview, 200, 50));
        assert_eq!(json["metrics"]["topics"], 25);
        assert_eq!(json["totals"]["lagged"], 1_554);
        assert_eq!(json["server"]["pid"], 4_711);
        assert_eq!(json["connections"]["total"], 9);
        assert_eq!(json["connections"]["rows"][0]["messages_in_rate"], 430.0);
        let rows = json["topics"]["rows"].as_array().unwrap();
        let row = |topic: &str| rows.iter().find(|row| row["topic"] == topic).unwrap();
        assert_eq!(row("market.eur.usd")["value"]["size"], json!([250, 400]));
        assert_eq!(row("market.eur.usd")["rate"], 210.0);
        assert_eq!(row("firmware/image").get("value"), None);
    }

    #[test]
    fn the_text_is_readable() {
        let text = text(&demo_model(ViewName::Overview, 200, 50));
        assert!(text.contains("\nMessages in    790 /s        8,332,474 in all\n"), "{text}");
        assert!(text.contains("\nLag            0 /s          1,554 in all\n"), "{text}");
        let mut unknown = Model::new("x");
        unknown.metrics.metric(std::time::Duration::ZERO, "topics", 3.0);
        assert!(super::text(&unknown).contains("CPU            not told"));
    }

    #[test]
    fn what_json_cannot_say() {
        let map = rmpv::Value::Map(vec![
            (1.into(), rmpv::Value::Binary(vec![0xde, 0xad])),
            ("x".into(), f64::NAN.into()),
        ]);
        assert_eq!(to_json(map), json!({"1": {"bin": "dead"}, "x": null}));
        assert_eq!(to_json(rmpv::Value::Ext(3, vec![1])), json!({"ext": 3, "bin": "01"}));
        assert_eq!(to_json(u64::MAX.into()), json!(u64::MAX));
    }
}
