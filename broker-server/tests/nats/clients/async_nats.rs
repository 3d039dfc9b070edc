//! async-nats, the client of the Rust world.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::{
    Client, ConnectOptions, Event, HeaderMap, Message, PublishErrorKind, RequestErrorKind, Subscriber,
};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{DEADLINE, Program, Running, programs};

async fn connect(server: &Running) -> Client {
    within(async_nats::connect(server.address.to_string())).await.unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(2 * DEADLINE, future).await.expect("in time")
}

/// Waits until the server has handled what the client said; its own `flush` waits for the socket alone.
async fn settle(client: &Client) {
    let inbox = client.new_inbox();
    let mut subscriber = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    next(&mut subscriber).await;
}

async fn next(subscriber: &mut Subscriber) -> Message {
    within(subscriber.next()).await.expect("a message, not the end")
}

/// A server of each kind that there is, with the settings of the scenario.
fn servers(scenario: &str) -> impl Iterator<Item = (Program, Running)> {
    let settings = super::settings(scenario);
    programs().into_iter().map(move |program| {
        let running = program.start(&[], &settings);
        (program, running)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_subscribe() {
    for (_, server) in servers("publish_subscribe") {
        let (a, b) = (connect(&server).await, connect(&server).await);
        let mut subscribers = Vec::new();
        for subject in ["rs.one.two", "rs.*.two", "rs.>"] {
            subscribers.push(a.subscribe(subject).await.unwrap());
        }
        let mut limited = a.subscribe("rs.one.two").await.unwrap();
        limited.unsubscribe_after(2).await.unwrap();
        settle(&a).await;
        let payloads = [b"hello".to_vec(), Vec::new(), (0..=255).collect(), "день".as_bytes().to_vec()];
        for payload in &payloads {
            b.publish("rs.one.two", payload.clone().into()).await.unwrap();
        }
        for subscriber in &mut subscribers {
            for payload in &payloads {
                let message = next(subscriber).await;
                assert_eq!((message.subject.as_str(), &message.payload[..]), ("rs.one.two", &payload[..]));
                assert_eq!((message.reply, message.headers), (None, None));
            }
        }
        for payload in &payloads[..2] {
            assert_eq!(next(&mut limited).await.payload, payload[..]);
        }
        assert!(within(limited.next()).await.is_none(), "two and no more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_groups() {
    for (_, server) in servers("queue_groups") {
        let publisher = connect(&server).await;
        let mut members = Vec::new();
        for _ in 0..3 {
            let client = connect(&server).await;
            let subscriber = client.queue_subscribe("rs.work", "workers".to_owned()).await.unwrap();
            settle(&client).await;
            members.push((client, subscriber));
        }
        for _ in 0..3000 {
            publisher.publish("rs.work", "x".into()).await.unwrap();
        }
        settle(&publisher).await;
        let mut counts = Vec::new();
        for (client, mut subscriber) in members {
            // What came before the drain is delivered before the end.
            client.drain().await.unwrap();
            let mut count = 0_i32;
            while within(subscriber.next()).await.is_some() {
                count += 1;
            }
            counts.push(count);
        }
        assert_eq!(counts.iter().sum::<i32>(), 3000, "{counts:?}");
        // Six standard deviations from a thousand.
        assert!(counts.iter().all(|count| (count - 1000).abs() < 155), "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests() {
    for (_, server) in servers("requests") {
        let (responder, client) = (connect(&server).await, connect(&server).await);
        let mut questions = responder.subscribe("rs.reverse").await.unwrap();
        settle(&responder).await;
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                let answer: Vec<u8> = question.payload.iter().rev().copied().collect();
                responder.publish(question.reply.unwrap(), answer.into()).await.unwrap();
            }
        });
        let ask = async |number: u32| {
            let answer = within(client.request("rs.reverse", format!("ab{number}").into())).await.unwrap();
            let expected: String = format!("ab{number}").chars().rev().collect();
            assert_eq!(answer.payload, expected.as_bytes());
        };
        for number in 0..100 {
            ask(number).await;
        }
        futures_util::future::join_all((1000..1100).map(ask)).await;
    }
}

#[tokio::test]
async fn no_responders() {
    for (_, server) in servers("no_responders") {
        let client = connect(&server).await;
        let error = within(client.request("rs.nobody", "?".into())).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::NoResponders);
    }
}

#[tokio::test]
async fn headers() {
    for (_, server) in servers("headers") {
        let (a, b) = (connect(&server).await, connect(&server).await);
        let mut subscriber = a.subscribe("rs.headers").await.unwrap();
        settle(&a).await;
        let mut sent = HeaderMap::new();
        sent.append("One", "1");
        sent.append("Many", "a");
        sent.append("Many", "b: c");
        b.publish_with_headers("rs.headers", sent.clone(), "body".into()).await.unwrap();
        b.publish_with_reply_and_headers("rs.headers", "rs.reply", sent.clone(), "".into()).await.unwrap();
        let message = next(&mut subscriber).await;
        assert_eq!((message.headers.as_ref(), &message.payload[..]), (Some(&sent), &b"body"[..]));
        let message = next(&mut subscriber).await;
        assert_eq!((message.headers.as_ref(), message.reply.as_deref()), (Some(&sent), Some("rs.reply")));
    }
}

#[tokio::test]
async fn drain() {
    for (_, server) in servers("drain") {
        let (a, b) = (connect(&server).await, connect(&server).await);
        let mut subscriber = a.subscribe("rs.drain").await.unwrap();
        settle(&a).await;
        for number in 0..200 {
            b.publish("rs.drain", number.to_string().into()).await.unwrap();
        }
        settle(&b).await;
        a.drain().await.unwrap();
        for number in 0..200 {
            assert_eq!(next(&mut subscriber).await.payload, number.to_string().as_bytes());
        }
        assert!(within(subscriber.next()).await.is_none(), "it ends");
    }
}

#[tokio::test]
async fn max_payload() {
    for (_, server) in servers("max_payload") {
        let client = connect(&server).await;
        let mut subscriber = client.subscribe("rs.large").await.unwrap();
        assert_eq!(client.server_info().max_payload, 64);
        let error = client.publish("rs.large", vec![0; 65].into()).await.unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
        client.publish("rs.large", vec![0; 64].into()).await.unwrap();
        assert_eq!(next(&mut subscriber).await.payload.len(), 64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_mebibytes() {
    for (_, server) in servers("eight_mebibytes") {
        let (a, b) = (connect(&server).await, connect(&server).await);
        let mut subscriber = a.subscribe("rs.bulk").await.unwrap();
        settle(&a).await;
        let payload =
            |number: u8| (0..65_536_u32).map(|at| (at * 31).to_le_bytes()[0] ^ number).collect::<Vec<u8>>();
        for number in 0..128 {
            b.publish("rs.bulk", payload(number).into()).await.unwrap();
        }
        for number in 0..128 {
            assert!(next(&mut subscriber).await.payload == payload(number), "message {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_subscriptions() {
    for (_, server) in servers("thousand_subscriptions") {
        let (a, b) = (connect(&server).await, connect(&server).await);
        let mut subscribers = HashMap::new();
        for number in 0..1000 {
            let subject = format!("rs.many.{number}");
            subscribers.insert(subject.clone(), a.subscribe(subject).await.unwrap());
        }
        settle(&a).await;
        for subject in subscribers.keys() {
            b.publish(subject.clone(), subject.clone().into()).await.unwrap();
        }
        for (subject, subscriber) in &mut subscribers {
            let message = next(subscriber).await;
            assert_eq!(
                (message.subject.as_str(), &message.payload[..]),
                (subject.as_str(), subject.as_bytes())
            );
        }
        for (_, mut subscriber) in subscribers {
            subscriber.unsubscribe().await.unwrap();
        }
        settle(&a).await;
        let error = within(b.request("rs.many.7", "".into())).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::NoResponders);
    }
}

/// The server is killed and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnect() {
    for (program, server) in servers("reconnect") {
        let (tell, mut told) = mpsc::unbounded_channel();
        let options = ConnectOptions::new()
            .reconnect_delay_callback(|_| Duration::from_millis(50))
            .event_callback(move |event| {
                // Nobody listens at the end of the test.
                let _ = tell.send(event);
                async {}
            });
        let address = server.address;
        let client = within(options.connect(address.to_string())).await.unwrap();
        let mut subscriber = client.subscribe("rs.again.*").await.unwrap();
        client.publish("rs.again.1", "before".into()).await.unwrap();
        assert_eq!(next(&mut subscriber).await.payload, "before");
        server.kill();
        let server = program.start_at(Some(address.port()), &[], &[]);
        let (mut gone, mut back) = (false, false);
        while !back {
            match within(told.recv()).await.expect("an event") {
                Event::Disconnected => gone = true,
                Event::Connected => back = gone,
                _ => {}
            }
        }
        client.publish("rs.again.2", "after".into()).await.unwrap();
        assert_eq!(next(&mut subscriber).await.payload, "after");
        drop(server);
    }
}
