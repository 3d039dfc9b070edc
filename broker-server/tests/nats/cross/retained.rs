//! The last message of each topic, which the native protocol has and NATS has not.

use std::time::Duration;

use rmpv::Value;

use crate::support::{Both, bin};

#[test]
fn what_nats_published_is_kept_for_native_subscribers() {
    let server = Both::start();
    let mut nats = server.nats();
    nats.send("PUB kept.a 3\r\nold\r\nPUB kept.a 3\r\nnew\r\nPUB kept.b 1\r\nb\r\n");
    nats.flush();
    let mut native = server.native();
    native.subscribe("kept.*", &[]);
    let mut came: Vec<(String, Value)> =
        (0..2).map(|_| native.message()).map(|message| (message.topic, message.value)).collect();
    came.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(came, [("kept.a".to_owned(), bin(b"new")), ("kept.b".to_owned(), bin(b"b"))]);
    assert_eq!(native.messages(), []);
}

#[test]
fn nats_subscribers_get_what_comes_and_nothing_older() {
    let server = Both::start();
    let (mut native, mut nats) = (server.native(), server.nats());
    native.publish("fresh.a", "old".into(), &[]);
    nats.send("PUB fresh.b 3\r\nold\r\n");
    nats.send("SUB fresh.* 1\r\n");
    nats.flush();
    native.publish("fresh.a", "new".into(), &[]);
    nats.expect("MSG fresh.a 1 3\r\nnew\r\n");
    nats.flush();
}

#[test]
fn nats_subscribers_get_them_where_that_is_set() {
    let settings = broker_server::config::Nats { retained: true, ..broker_server::config::Nats::default() };
    let server = Both::start_with(|builder| builder.nats_settings(settings));
    let (mut native, mut nats) = (server.native(), server.nats());
    native.publish("set.a", 0.5.into(), &[]);
    native.publish("set.b", "text".into(), &[]);
    nats.send("PUB set.c 3\r\nbin\r\n");
    nats.send("SUB set.* 1\r\n");
    let expected = ["MSG set.a 1 3\r\n0.5\r\n", "MSG set.b 1 4\r\ntext\r\n", "MSG set.c 1 3\r\nbin\r\n"];
    nats.read_until(|bytes| bytes.len() >= expected.iter().map(|message| message.len()).sum());
    let came = String::from_utf8(std::mem::take(&mut nats.buffer)).unwrap();
    assert_eq!(came.len(), expected.iter().map(|message| message.len()).sum::<usize>(), "{came}");
    assert!(expected.iter().all(|message| came.contains(message)), "{came}");
    nats.flush();
}

/// Answers to requests would fill the memory with topics that nobody asks for again.
#[test]
fn answers_are_not_kept() {
    let server = Both::start();
    let mut nats = server.nats();
    for number in 0..100 {
        nats.send(format!("PUB _INBOX.kept.{number} 1\r\nx\r\nPUB kept.question reply.{number} 1\r\nx\r\n"));
    }
    nats.flush();
    let names: Vec<_> =
        server.server.broker().recent_topics(1_000, 0).into_iter().map(|topic| topic.topic).collect();
    assert!(names.iter().all(|name| !name.starts_with("_INBOX")), "{names:?}");
    let mut native = server.native();
    native.subscribe("*", &[]);
    native.subscribe("_INBOX.*", &[]);
    assert_eq!(native.messages(), []);
}

/// Under every interleaving of publishes and a subscribe a native subscriber ends with the newest.
#[test]
fn a_subscriber_ends_with_the_newest() {
    let server = Both::start();
    let mut publisher = server.nats();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let publishing = std::thread::spawn({
        let stop = std::sync::Arc::clone(&stop);
        move || {
            let mut last = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                last += 1;
                publisher.send(format!("PUB newest.a {}\r\n{last}\r\n", last.to_string().len()));
                if last % 16 == 0 {
                    publisher.flush();
                }
            }
            publisher.flush();
            last
        }
    });
    let mut subscribers = Vec::new();
    for _ in 0..50 {
        let mut native = server.native();
        native.subscribe("newest.*", &[]);
        subscribers.push(native);
        std::thread::yield_now();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let last: u64 = publishing.join().unwrap();
    let number =
        |value: &Value| -> u64 { std::str::from_utf8(value.as_slice().unwrap()).unwrap().parse().unwrap() };
    for mut native in subscribers {
        let mut before = 0;
        while before < last {
            let came = number(&native.message().value);
            assert!(came > before, "{came} after {before}");
            before = came;
        }
    }
    assert!(last > 50, "{last} messages in so long a time as {:?}", Duration::from_secs(1));
}
