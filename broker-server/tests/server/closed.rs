//! Sessions that have ended: they stay visible with their reason and figures.

use std::time::Duration;

use broker_server::{Limits, Policy};
use rmpv::Value;

use crate::support::*;

const CLOSED: &str = "!system/connections/closed";

/// The first table of closed sessions that `check` is content with.
async fn table_where(observer: &mut Client, mut check: impl FnMut(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let message = observer.message().await;
            let table = message.decoded();
            if message.topic == CLOSED && check(&table) {
                return table;
            }
        }
    };
    within(CLOSED, search).await
}

fn rows(table: &Value) -> &Vec<Value> {
    get(table, "rows").as_array().unwrap()
}

#[tokio::test]
async fn closed_sessions_stay_visible_with_their_reason_and_figures() {
    let server = start(|builder| builder.metrics_interval(Duration::from_millis(30))).await;
    let mut observer = Client::hello(&server).await;
    observer.subscribe(CLOSED).await;

    let mut polite = Client::plain(&server).await.introduced("polite").await;
    polite.subscribe("t").await;
    polite.publish("t", 1).await;
    assert_eq!(polite.message().await.number(), 1);
    let (id, local) = (polite.session(), polite.local.to_string());
    polite.send(&command("Close", vec![])).await;
    polite.incoming.rest().await;
    let (sent, got) = (polite.outgoing.bytes, polite.incoming.bytes);
    Client::plain(&server).await.leave().await;
    let mut rude = Client::plain(&server).await;
    rude.send(b"\xc1").await;
    rude.incoming.rest().await;

    let table = table_where(&mut observer, |table| count(table, "total") == 3).await;
    let rows = rows(&table);
    assert_eq!(rows.len(), 3);
    let mut reasons: Vec<_> = rows.iter().map(|row| get(row, "reason").as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["closed", "disconnected", "malformed"]);
    let closed: Vec<u64> = rows.iter().map(|row| count(row, "closed")).collect();
    assert!(closed.is_sorted_by(|one, other| one >= other), "the last one first: {closed:?}");
    let row = rows.iter().find(|row| count(row, "id") == id).unwrap();
    assert_eq!(get(row, "address").as_str(), Some(&*local));
    assert_eq!(get(row, "name").as_str(), Some("polite"));
    assert_eq!(get(row, "protocol").as_str(), Some("native"));
    assert_eq!(get(row, "detail").as_str(), Some("closed as asked"));
    assert_eq!((count(row, "messages_in"), count(row, "messages_out")), (1, 1));
    assert_eq!((count(row, "bytes_in"), count(row, "bytes_out")), (sent, got));
    assert_eq!((count(row, "subscriptions"), count(row, "lagged"), count(row, "lost")), (1, 0, 0));
    assert!(count(row, "age_ms") < 600_000);
    let nameless = rows.iter().filter(|row| get(row, "name").is_nil()).count();
    assert_eq!(nameless, 2, "nil without Hello");
}

#[tokio::test]
async fn a_thousand_closed_sessions_are_kept_and_all_are_counted() {
    let server = start(|builder| builder.metrics_interval(Duration::from_millis(100))).await;
    let mut observer = Client::hello(&server).await;
    observer.subscribe(CLOSED).await;
    for _ in 0..21 {
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(Client::plain(&server).await);
        }
        for client in clients {
            client.leave().await;
        }
    }
    let table = table_where(&mut observer, |table| count(table, "total") == 1_050).await;
    assert_eq!(rows(&table).len(), 1_000);
}

/// Cause: a publisher ended the session of a client that reads nothing while its writer waited for the socket, and told nobody. Effect: the
/// session lasted until its silence was noticed. Fix: the writer is woken for the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_too_slow_is_told_with_what_it_lost() {
    let limits = Limits { outbox_bytes_max: 256 << 10, policy: Policy::Disconnect, ..Limits::default() };
    let server = start(|builder| builder.limits(limits).metrics_interval(Duration::from_millis(30))).await;
    let mut observer = Client::hello(&server).await;
    observer.subscribe(CLOSED).await;
    let mut slow = Client::raw(address(&server), 32 << 10).await.introduced("slow").await;
    slow.subscribe("load").await;
    let mut publisher = Client::hello(&server).await;
    let load: Vec<u8> = (0..100).flat_map(|number| publish("load", &padded(number, 4_000))).collect();
    let mut sent = 0;
    while server.broker().session(slow.session()).is_some() && sent < 100_000 {
        publisher.send(&load).await;
        publisher.flush().await;
        sent += 100;
    }
    let id = slow.session();
    let by_id = |row: &&Value| count(row, "id") == id;
    let table = table_where(&mut observer, |table| rows(table).iter().any(|row| by_id(&row))).await;
    let row = rows(&table).iter().find(by_id).unwrap();
    assert_eq!(get(row, "reason").as_str(), Some("slow-consumer"));
    let (out, lagged, lost) = (count(row, "messages_out"), count(row, "lagged"), count(row, "lost"));
    assert!(lagged + lost > 0 && out + lagged + lost <= sent, "{row}");
}
