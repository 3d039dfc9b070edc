//! A dashboard full of made-up data: weather stations and those who listen to them.
//!
//! Everything goes in through [`update`], as live data does, and nothing is random: the same call makes
//! the same model. Tests and pictures are made of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{
    Clock, ClosedRow, ConnectionRow, Msg, News, Seen, ServerNews, SlowRow, Table, TopicRow, TrafficNews,
};
use crate::model::{Model, ViewName};
use crate::update::update;

/// Seconds that the made-up broker ran while the dashboard watched.
pub const SECONDS: u64 = 150;
/// 2024-05-04 09:00:00 UTC: when the dashboard was started.
const STARTED_MS: u64 = 1_714_813_200_000;

const CITIES: [&str; 6] = ["berlin", "lisbon", "nairobi", "oslo", "quito", "são-paulo"];
const READINGS: [&str; 4] = ["humidity", "pressure", "temperature", "wind"];

/// A dashboard at `view` on a terminal of this size, after two and a half minutes of made-up data.
pub fn demo_model(view: ViewName, width: u16, height: u16) -> Model {
    let mut model = Model::new("127.0.0.1:36912");
    update(&mut model, Msg::Resize { width, height });
    model.view = view;
    update(&mut model, clock(0));
    let server = ServerNews {
        server: "broker-server".to_owned(),
        version: "0.1.0".to_owned(),
        pid: Some(4_711),
        listen: vec!["127.0.0.1:36912".to_owned()],
    };
    update(&mut model, Msg::Feed(vec![News::Connected { session: Some(3) }, News::Server(server)]));
    advance(&mut model, 0, SECONDS);
    model
}

/// Lets the made-up data of the seconds after `from` up to `to` come in.
pub fn advance(model: &mut Model, from: u64, to: u64) {
    for second in from + 1..=to {
        update(model, clock(second * 1_000));
        let mut news = metrics(second);
        news.push(News::Totals(totals(second)));
        news.push(News::Connections(connections(second)));
        news.push(News::Closed(closed(second)));
        if second == SECONDS - 12 {
            news.push(News::Slow(vec![recovered(second)]));
        }
        news.push(News::Topics(topics(second)));
        news.push(News::Traffic(traffic(&model.traffic.pattern, second)));
        let watched = model.topics.watched.as_ref().map(|watched| watched.topic.clone());
        news.extend(watched.map(|topic| News::Watched(vec![seen(&topic, second, 0)])));
        update(model, Msg::Feed(news));
    }
    update(model, clock(to * 1_000 + 400));
}

/// The same dashboard some seconds after its broker went away.
pub fn stale_model(view: ViewName, width: u16, height: u16) -> Model {
    let mut model = demo_model(view, width, height);
    let error = "connection closed by the server: shutting-down".to_owned();
    update(&mut model, Msg::Feed(vec![News::Disconnected { error }]));
    update(&mut model, clock(SECONDS * 1_000 + 12_400));
    model
}

fn clock(up_ms: u64) -> Msg {
    Msg::Clock(Clock { up: Duration::from_millis(up_ms), unix_ms: STARTED_MS + up_ms })
}

/// A smooth hill between 0 and 1 every `period` seconds.
fn wave(second: u64, period: f64) -> f64 {
    let turns = f64::from(u32::try_from(second).unwrap_or(u32::MAX)) / period;
    (1.0 - (turns * std::f64::consts::TAU).cos()) / 2.0
}

/// The same made-up noise between 0 and 1 for the same numbers.
fn noise(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(x >> 34).unwrap_or_default()) / f64::from(1_u32 << 30)
}

fn messages_in(second: u64) -> f64 {
    let burst = if (137..143).contains(&second) { 900.0 } else { 0.0 };
    (640.0 + 420.0 * wave(second, 47.0) + 120.0 * noise(second, 1) + burst).round()
}

fn lagged(second: u64) -> f64 {
    if (138..143).contains(&second) { (40.0 + 60.0 * noise(second, 2)).round() } else { 0.0 }
}

fn metrics(second: u64) -> Vec<News> {
    let messages_in = messages_in(second);
    let messages_out = (messages_in * 3.4 + 90.0 * noise(second, 3)).round();
    let figures = [
        ("commands", messages_in + 2.0),
        ("messages-in", messages_in),
        ("messages-out", messages_out),
        ("bytes-in", (messages_in * (48.0 + 30.0 * wave(second, 71.0))).round()),
        ("bytes-out", (messages_out * (46.0 + 30.0 * wave(second, 71.0))).round()),
        ("lagged", lagged(second)),
        ("slow-consumers", 1.0),
        ("connections", (9.0 + 3.0 * wave(second, 90.0)).round()),
        ("subscriptions", (31.0 + 9.0 * wave(second, 90.0)).round()),
        ("topics", 24.0 + f64::from(u32::from(second > 60))),
        ("retained-bytes", 1_734.0 + 80.0 * noise(second, 4)),
        ("retained-evicted", 0.0),
        ("outbox-bytes", (lagged(second) * 1_700.0 + 300.0 * noise(second, 5)).round()),
        ("memory", 9.4e6 + 2.2e6 * wave(second, 120.0)),
        ("cpu", 2.1 + 3.6 * wave(second, 47.0) + noise(second, 6)),
        ("uptime", 11_034.0 + f64::from(u32::try_from(second).unwrap_or_default())),
    ];
    figures.into_iter().map(|(name, value)| News::Metric { name: name.to_owned(), value }).collect()
}

fn totals(second: u64) -> BTreeMap<String, u64> {
    let figures = [
        ("commands", 8_204_118 + second * 860),
        ("connections", 214 + second / 30),
        ("messages-in", 8_203_774 + second * 858),
        ("messages-out", 27_892_406 + second * 2_917),
        ("bytes-in", 508_634_012 + second * 53_196),
        ("bytes-out", 1_617_759_548 + second * 169_186),
        ("lagged", 1_204 + (138..=second.min(142)).count() as u64 * 70),
    ];
    figures.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn connections(second: u64) -> Table<ConnectionRow> {
    /// name, messages in and out a second, subscriptions
    const CLIENTS: [(Option<&str>, u64, u64, u64); 9] = [
        (Some("weather stations"), 430, 0, 0),
        (Some("market feed"), 310, 0, 0),
        (Some("broker-tui"), 0, 18, 5),
        (Some("archive"), 0, 740, 1),
        (Some("alerts"), 3, 212, 4),
        (None, 0, 96, 2),
        (Some("map of são paulo"), 0, 61, 6),
        (Some("slow consumer"), 0, 24, 1),
        (None, 1, 0, 0),
    ];
    let row = |(id, (name, incoming, outgoing, subscriptions)): (u64, &(Option<&str>, u64, u64, u64))| {
        let slow = *name == Some("slow consumer");
        ConnectionRow {
            id,
            address: format!("192.168.7.{}:{}", 20 + id, 40_000 + id * 1_117),
            name: name.map(str::to_owned),
            protocol: "native".to_owned(),
            age_ms: (11_000 - id * 1_173 + second) * 1_000,
            subscriptions: *subscriptions,
            messages_in: 5_000 + incoming * second,
            messages_out: 9_000 + outgoing * second,
            bytes_in: 310_000 + incoming * second * 62,
            bytes_out: 522_000 + outgoing * second * 58,
            queue_bytes: if slow { 1_310_720 } else { u64::from(id == 4) * 812 },
            lagged: if slow { 1_204 + second * 7 } else { u64::from(id == 6) * 12 },
            thinned: u64::from(id == 3) * 31 * second,
            slow,
            slow_ms: u64::from(slow) * (41 + second) * 1_000,
            pattern: if slow { "weather/*".to_owned() } else { String::new() },
            policy: if slow { "drop-oldest".to_owned() } else { String::new() },
            missed: u64::from(slow) * (204 + second * 7),
        }
    };
    let rows: Vec<ConnectionRow> = (1..).zip(&CLIENTS).map(row).collect();
    Table { time_ms: Some(STARTED_MS + second * 1_000), total: rows.len() as u64, rows }
}

/// The session without a name that missed twelve messages has caught up.
fn recovered(second: u64) -> SlowRow {
    SlowRow {
        event: "recovered".to_owned(),
        session: 6,
        pattern: "market.*".to_owned(),
        policy: "skip".to_owned(),
        since: STARTED_MS + second * 1_000 - 900,
        until: Some(STARTED_MS + second * 1_000 - 300),
        missed: 12,
    }
}

fn closed(second: u64) -> Table<ClosedRow> {
    /// name, reason, detail, seconds before the dashboard's start, messages in and out, missed, lost
    type Session = (Option<&'static str>, &'static str, &'static str, u64, [u64; 4]);
    const SESSIONS: [Session; 6] = [
        (Some("broker-sub"), "closed", "closed as asked", 12, [0, 120, 0, 0]),
        (Some("phone of ana"), "slow-consumer", "too slow: the outbox is full", 95, [0, 80_412, 310, 2_048]),
        (None, "disconnected", "the client disconnected", 260, [1, 0, 0, 0]),
        (Some("scanner"), "malformed", "malformed: not a command", 900, [0, 0, 0, 0]),
        (Some("gateway 2"), "idle", "silent for longer than the idle timeout", 4_800, [31_007, 0, 0, 0]),
        (
            None,
            "cut-off",
            "the client disconnected after 12 bytes of an unfinished frame",
            9_001,
            [7, 0, 0, 0],
        ),
    ];
    let row = |(number, (name, reason, detail, before, counts)): (u64, &Session)| {
        let [messages_in, messages_out, lagged, lost] = *counts;
        ClosedRow {
            id: 190 - number,
            address: format!("192.168.7.{}:{}", 60 + number, 51_000 + number * 913),
            name: name.map(str::to_owned),
            protocol: if number == 2 { "nats" } else { "native" }.to_owned(),
            age_ms: (7 + number * 433) * 1_000,
            closed: STARTED_MS - before * 1_000,
            reason: (*reason).to_owned(),
            detail: (*detail).to_owned(),
            subscriptions: u64::from(messages_out > 0),
            messages_in,
            messages_out,
            bytes_in: messages_in * 62,
            bytes_out: messages_out * 58,
            lagged,
            lost,
            thinned: 0,
        }
    };
    let rows = (0..).zip(&SESSIONS).map(row).collect();
    Table { time_ms: Some(STARTED_MS + second * 1_000), total: 214, rows }
}

fn topics(second: u64) -> Table<TopicRow> {
    let mut rows = Vec::new();
    for (i, city) in (0..).zip(CITIES) {
        for (j, reading) in (0..).zip(READINGS) {
            let every = 1 + (i + j) % 3;
            rows.push(topic_row(format!("weather/{city}/{reading}"), 70 + i * 13 + j * 5, every, second));
        }
    }
    rows.push(topic_row("alerts/storm".to_owned(), 1, 40, second));
    rows.push(topic_row("market.eur.usd".to_owned(), 210, 1, second));
    rows.push(topic_row("market.btc.usd".to_owned(), 100, 1, second));
    rows.push(topic_row("firmware/image".to_owned(), 1, 3_000, second));
    rows.push(topic_row("hello".to_owned(), 1, 9_000, second));
    Table { time_ms: Some(STARTED_MS + second * 1_000), total: rows.len() as u64, rows }
}

fn topic_row(topic: String, rate: u64, every: u64, second: u64) -> TopicRow {
    let published = second / every;
    let seen = seen(&topic, second - second % every, 0);
    let messages = 1 + published * rate;
    TopicRow {
        messages,
        bytes: messages * seen.size as u64,
        size: seen.size as u64,
        age_ms: (second % every) * 1_000 + 120,
        value: (seen.size <= 64).then_some(seen.value),
        topic,
    }
}

fn traffic(pattern: &str, second: u64) -> TrafficNews {
    let message = |n: u64| {
        let pick = |count: usize, salt: u64| {
            usize::try_from(noise(second * 31 + n, salt).to_bits() >> 40).unwrap_or_default() % count
        };
        let city = CITIES.get(pick(CITIES.len(), 7)).copied().unwrap_or_default();
        let reading = READINGS.get(pick(READINGS.len(), 8)).copied().unwrap_or_default();
        let topic = if n == 3 { "market.eur.usd".to_owned() } else { format!("weather/{city}/{reading}") };
        seen(&topic, second, n)
    };
    TrafficNews {
        pattern: pattern.to_owned(),
        seen: (0..7).map(message).collect(),
        dropped: if (137..143).contains(&second) { 320 } else { 0 },
        missed: u64::from(second == 139) * 41,
    }
}

/// A message of a topic, as its publisher would make it.
fn seen(topic: &str, second: u64, n: u64) -> Seen {
    let salt = topic.bytes().map(u64::from).sum::<u64>();
    let round = |value: f64| (value * 10.0).round() / 10.0;
    let value = match topic.rsplit(['/', '.']).next().unwrap_or_default() {
        "temperature" => {
            serde_json::json!({ "celsius": round(14.0 + 9.0 * wave(second + salt, 80.0)), "station": salt % 40 })
        }
        "humidity" => serde_json::json!({ "percent": round(40.0 + 35.0 * wave(second + salt, 140.0)) }),
        "pressure" => serde_json::json!(round(1_004.0 + 14.0 * wave(second + salt, 300.0))),
        "wind" => {
            serde_json::json!({ "kmh": round(32.0 * noise(second, salt)), "from": "NW", "gust": second.is_multiple_of(4) })
        }
        "usd" => serde_json::json!({ "bid": 1.0842, "ask": 1.0843, "size": [250, 400] }),
        "storm" => {
            serde_json::json!("Oslo: gusts above 90 km/h expected after 18:00, stay away from the fjord")
        }
        "image" => serde_json::json!(vec![7; 4_000]),
        _ => serde_json::json!("world"),
    };
    let bytes = rmp_serde::to_vec(&value).unwrap_or_default();
    Seen {
        topic: topic.to_owned(),
        size: bytes.len(),
        value: bytes,
        time_ms: Some(STARTED_MS + second * 1_000 + n * 137),
        retained: second <= 1,
        headers: if n == 5 { vec![("unit".to_owned(), "metric".to_owned())] } else { Vec::new() },
        ..Seen::default()
    }
}
