//! Promise 2, visibility: once a subscribe is answered, every later publish is delivered to it.

use broker_server::Server;
use rmpv::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::*;

const ROUNDS: u64 = 1_200;

/// Publishers and subscribers that keep the caches of routes warm and wrong.
struct Churn {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Churn {
    fn start(server: &Server) -> Churn {
        let (stop, stopped) = watch::channel(false);
        let address = address(server);
        let mut tasks = Vec::new();
        for pattern in ["seen/*/topic", "seen/0/topic", "*/topic", "{seen,x}/1*"] {
            let stopped = stopped.clone();
            tasks.push(tokio::spawn(async move {
                let mut client = Client::raw(address, 0).await;
                let mut rounds = 0;
                while !*stopped.borrow() {
                    client.send(&[subscribe(pattern), unsubscribe(pattern)].concat()).await;
                    client.fence().await;
                    rounds += 1;
                }
                rounds
            }));
        }
        Churn { stop, tasks }
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        for task in self.tasks {
            assert!(task.await.unwrap() > 10, "it was busy meanwhile");
        }
    }
}

/// Subscribes on one connection; when it is answered, publishes on another; the message must arrive. `own` says what matches the
/// topic, none of it retained: only the live delivery counts.
async fn rounds(mut subscriber: Client, mut publisher: Client, lane: u64) {
    let topic = format!("seen/{lane}/topic");
    let patterns = [
        topic.clone(),
        format!("seen/{lane}/*"),
        format!("*/{lane}/topic"),
        format!("s[a-f]en/{lane}/t{{op,ip}}ic"),
    ];
    for round in 0..ROUNDS {
        let pattern = &patterns[usize::try_from(round % 4).unwrap()];
        if round % 3 == 0 {
            // Without an id: the answer to the ping after it does as well.
            subscriber
                .send(&command(
                    "Subscribe",
                    vec![pattern.as_str().into(), map(&[("retained", false.into())])],
                ))
                .await;
            subscriber.flush().await;
        } else {
            subscriber.subscribe_with(pattern, &[("retained", false.into())]).await;
        }
        if round % 2 == 0 {
            publisher.outgoing.publish(&topic, &uint(round)).await;
        } else {
            let went_to = publisher.publish_with(topic.as_str(), round, &[("retain", false.into())]).await;
            assert!(went_to >= 1, "round {round}: {pattern}");
        }
        assert_eq!(subscriber.message().await.number(), round, "{pattern}");
        assert!(subscriber.unsubscribe(pattern).await);
        publisher.outgoing.publish(&topic, &uint(u64::MAX)).await;
        publisher.flush().await;
        if round % 5 == 0 {
            assert_eq!(subscriber.fence().await, [], "nothing after the end of {pattern}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_2_visibility() {
    let server = server().await;
    let churn = Churn::start(&server);
    let mut lanes = Vec::new();
    for lane in 0..3 {
        let (subscriber, publisher) = (Client::hello(&server).await, Client::hello(&server).await);
        lanes.push(tokio::spawn(rounds(subscriber, publisher, lane)));
    }
    for lane in lanes {
        lane.await.unwrap();
    }
    churn.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_2_visibility_without_hello() {
    let server = server().await;
    let churn = Churn::start(&server);
    let mut subscriber = Client::plain(&server).await;
    let mut publisher = Client::plain(&server).await;
    for round in 0..500 {
        let topic = format!("seen/{}/topic", round % 2);
        let pattern = if round % 3 == 0 { "seen/*" } else { &topic };
        subscriber.send(&subscribe(pattern)).await;
        subscriber.fence().await;
        publisher.outgoing.publish(&topic, &uint(round)).await;
        while subscriber.message().await.number() != round {}
        subscriber.send(&unsubscribe(pattern)).await;
        subscriber.fence().await;
    }
    churn.end().await;
}

/// A publisher in full flight: from the answer on, nothing is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_2_visibility_of_a_publisher_in_full_flight() {
    let server = server().await;
    let (progress, seen) = watch::channel(0);
    let address = address(&server);
    let (stop, stopped) = watch::channel(false);
    let publishing = tokio::spawn(async move {
        let mut client = Client::raw(address, 0).await.introduced("publisher").await;
        let mut number = 0;
        while !*stopped.borrow() {
            let frames: Vec<u8> = (0..20).flat_map(|n| publish("flight/topic", &uint(number + n))).collect();
            client.send(&frames).await;
            client.flush().await;
            number += 20;
            progress.send(number).unwrap();
        }
    });
    let mut subscriber = Client::hello(&server).await;
    for round in 0..200 {
        let pattern = ["flight/topic", "flight/*"][round % 2];
        subscriber.subscribe_with(pattern, &[("retained", false.into())]).await;
        // All that the server had handled before the answer is below `handled`, all that it handles from then on is at least that
        // of the batch that was under way.
        let handled = *seen.borrow();
        let first = subscriber.message().await.number();
        assert!(first <= handled + 20, "the first is {first}, and {handled} were handled before");
        for number in first + 1..first + 30 {
            assert_eq!(subscriber.message().await.number(), number);
        }
        let ended = subscriber.ask("Unsubscribe", vec![pattern.into()], &[]).await;
        assert_eq!(ended, Ok(Value::from(true)));
        let left = subscriber.fence().await;
        for (message, number) in left.iter().zip(first + 30..) {
            assert_eq!(message.number(), number);
        }
    }
    stop.send(true).unwrap();
    publishing.await.unwrap();
}
