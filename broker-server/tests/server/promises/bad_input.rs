//! Promise 6: bad input ends at most its own connection, and never costs more than a bounded amount of memory and linear time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rmpv::Value;
use tokio::task::JoinHandle;

use crate::support::*;

/// Two clients that tell each other numbers all the time.
struct Conversation {
    said: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Conversation {
    fn start(address: SocketAddr) -> Conversation {
        let said = Arc::new(AtomicU64::new(0));
        Conversation { task: tokio::spawn(converse(address, Arc::clone(&said))), said }
    }

    /// They have not been disturbed, and they talk now.
    async fn goes_on(&self) {
        let before = self.said.load(Relaxed);
        eventually("they talk", || self.task.is_finished() || self.said.load(Relaxed) > before + 10).await;
        assert!(!self.task.is_finished(), "they are still there");
    }

    async fn end(self) {
        self.goes_on().await;
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

async fn converse(address: SocketAddr, said: Arc<AtomicU64>) {
    let mut one = Client::raw(address, 0).await;
    let mut other = Client::raw(address, 0).await.introduced("a good client").await;
    one.send(&subscribe("good/answer")).await;
    one.fence().await;
    other.subscribe("good/quest?on").await;
    for number in 0.. {
        one.outgoing.publish("good/question", &uint(number)).await;
        assert_eq!(other.message().await.number(), number);
        other.outgoing.publish("good/answer", &uint(number)).await;
        assert_eq!(one.message().await.number(), number);
        said.store(number, Relaxed);
    }
}

/// Good frames, to be spoilt. None subscribes to or publishes what the good clients talk about.
fn models() -> Vec<Vec<u8>> {
    let headers = map(&[("a", "b".into())]);
    vec![
        command("Hello", vec![map(&[("version", 1.into()), ("name", "evil".into())])]),
        subscribe("evil/*"),
        command(
            "Subscribe",
            vec!["evil/{a,b}[c-e]?".into(), map(&[("id", 1.into()), ("meta", true.into())])],
        ),
        unsubscribe("evil/*"),
        publish("evil/x", &encode(&Value::Array((0..50).map(Value::from).collect()))),
        publish_with("evil/y", "text", &[("id", 2.into()), ("headers", headers), ("key", "k".into())]),
        command("Ping", vec![map(&[("id", 3.into())])]),
    ]
}

fn below(rng: &mut Rng, limit: usize) -> usize {
    usize::try_from(rng.below(limit as u64)).unwrap()
}

/// Some of the models with some of their bytes changed, left out, doubled or cut off.
fn spoilt(rng: &mut Rng) -> Vec<u8> {
    let models = models();
    let mut bytes: Vec<u8> =
        (0..=below(rng, 5)).flat_map(|_| models[below(rng, models.len())].clone()).collect();
    for _ in 0..below(rng, 4) {
        let at = below(rng, bytes.len());
        let byte = u8::try_from(rng.below(256)).unwrap();
        match rng.below(4) {
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes.insert(at, byte),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    (0..=below(rng, 300)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect()
}

/// Writes `bytes` on a connection of its own, ends its side, and reads what comes until the server has closed its own: whole frames.
async fn attack(address: SocketAddr, hello: bool, bytes: &[u8]) {
    let mut client = Client::raw(address, 0).await;
    if hello {
        client = client.introduced("evil").await;
    }
    client.outgoing.try_send(bytes).await;
    client.finish().await;
    client.incoming.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_6_bad_input_ends_at_most_its_own_connection() {
    let server = server().await;
    let tasks_before = server.tasks();
    let good = Conversation::start(address(&server));
    let mut rng = Rng(20_261_121);
    for round in 0..600 {
        let bytes = if round % 5 == 0 { noise(&mut rng) } else { spoilt(&mut rng) };
        attack(address(&server), round % 2 == 0, &bytes).await;
        if round % 100 == 0 {
            good.goes_on().await;
        }
    }
    let deep = [&b"\x81\xa7Publish\x91\x92\xa1t"[..], &vec![0x91; 100_000]].concat();
    let maps = [&b"\x81\xa7Publish\x91\x92\xa1t"[..], &vec![0x81; 100_000]].concat();
    let header = |marker: u8| vec![marker, 0xff, 0xff, 0xff, 0xff];
    let mut fixed: Vec<Vec<u8>> = vec![deep, maps, vec![0x91; 100_000], vec![0x81; 100_000]];
    for marker in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
        fixed.push(header(marker));
        fixed.push([&b"\x81"[..], &header(marker)].concat());
        fixed.push([&b"\x81\xa7Publish\x91\x92\xa1t"[..], &header(marker)].concat());
        fixed.push([&b"\x81\xa7Publish\x91\x92"[..], &header(marker)].concat());
    }
    for bytes in &fixed {
        attack(address(&server), true, bytes).await;
        attack(address(&server), false, bytes).await;
    }
    good.end().await;
    eventually("nothing is left of them", || server.broker().connections() == 0).await;
    eventually("no task either", || server.tasks() == tasks_before).await;
    assert_eq!(server.broker().subscriptions(), 0);
}

/// A header alone is enough to refuse what it announces, and half of a frame that may become whole is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_6_half_frames_held_open_cost_nobody_anything() {
    let server = server().await;
    let good = Conversation::start(address(&server));
    let mut held = Vec::new();
    let value = encode(&Value::Binary(vec![7; 50_000]));
    let frame = publish("held", &value);
    for round in 0..50 {
        let mut client = Client::plain(&server).await;
        client.send(&frame[..=round * 900]).await;
        held.push(client);
    }
    good.goes_on().await;
    let mut witness = Client::plain(&server).await;
    witness.send(&subscribe("held")).await;
    witness.fence().await;
    for (round, client) in held.iter_mut().enumerate() {
        client.send(&frame[1 + round * 900..]).await;
        assert!(witness.message().await.value == value, "it became whole");
    }
    good.end().await;
}

/// Patterns that make a backtracking matcher exponential, and topics that make it pay.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_6_patterns_that_explode_elsewhere() {
    let server = server().await;
    let good = Conversation::start(address(&server));
    let mut client = Client::hello(&server).await;
    let mut subscribes = Vec::new();
    for number in 0..10_000 {
        subscribes.extend(subscribe(&format!("*a*a*a*b{number}")));
    }
    subscribes.extend(subscribe(&("*a".repeat(16) + "b")));
    subscribes.extend(subscribe(&"{a,aa}".repeat(6)));
    subscribes.extend(subscribe(&("?*".repeat(16) + "b")));
    client.send(&subscribes).await;
    client.flush().await;
    good.goes_on().await;
    let topic = "a".repeat(1024);
    for number in 0..20_u64 {
        assert_eq!(client.publish(&format!("{}{number}", &topic[..1000]), number).await, 0);
    }
    assert_eq!(client.publish(&format!("{}b7", &topic[..1000]), 1).await, 1);
    assert_eq!(client.message().await.number(), 1);
    good.end().await;
}
