//! The honest clients that a hostile one must not harm.

use std::net::SocketAddr;
use std::time::Duration;

use broker_core::wire::native::{Event, PublishOptions, encode};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::support::Peer;

/// How long a message may take. A message takes well below a millisecond; a broker that works for a hostile client
/// instead takes as long as that client likes.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(3);

/// A publisher and a subscriber at their work.
pub(crate) struct Honest {
    stop: oneshot::Sender<()>,
    pair: JoinHandle<Worst>,
}

/// What was the worst for them.
#[derive(Debug, Default)]
struct Worst {
    messages: u64,
    newcomers: u64,
    slowest: Duration,
}

impl Honest {
    pub(crate) async fn start(address: SocketAddr) -> Honest {
        let mut publisher = Peer::introduced(address).await;
        let mut subscriber = Peer::introduced(address).await;
        subscriber.subscribe("honest/*").await;
        exchange(&mut publisher, &mut subscriber, 0).await;
        let (stop, stopped) = oneshot::channel();
        let pair = tokio::spawn(work(address, publisher, subscriber, stopped));
        Honest { stop, pair }
    }

    /// Ends them. Every message has arrived in time. Returns the longest that one took.
    pub(crate) async fn finish(self) -> Duration {
        // It fails if the pair has failed, which is told by the next line.
        let _ = self.stop.send(());
        let worst = self.pair.await.expect("the honest pair came to harm");
        println!("the honest pair: {worst:?}");
        assert!(worst.messages > 0, "nothing is proved");
        worst.slowest
    }
}

async fn work(
    address: SocketAddr,
    mut publisher: Peer,
    mut subscriber: Peer,
    mut stopped: oneshot::Receiver<()>,
) -> Worst {
    let mut worst = Worst::default();
    let mut ticks = interval(Duration::from_millis(2));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        let begun = Instant::now();
        worst.messages += 1;
        exchange(&mut publisher, &mut subscriber, worst.messages).await;
        if worst.messages % 10 == 0 {
            // Somebody new comes, who is answered too.
            let newcomer = async {
                let mut newcomer = Peer::introduced(address).await;
                newcomer.subscribe("honest/new/*").await;
            };
            timeout(MESSAGE_DEADLINE, newcomer).await.expect("a subscribe is answered in time");
            worst.newcomers += 1;
        }
        worst.slowest = worst.slowest.max(begun.elapsed());
        ticks.tick().await;
    }
    worst
}

/// One message on a topic of its own, which arrives, as the next one and in time.
async fn exchange(publisher: &mut Peer, subscriber: &mut Peer, number: u64) {
    let topic = format!("honest/{}", number % 100);
    let mut value = vec![0xcf];
    value.extend(number.to_be_bytes());
    publisher.send(|out| encode::publish(out, &topic, &value, &PublishOptions::default())).await;
    let arrival = async {
        loop {
            let frame = subscriber.frame().await.expect("an honest subscriber is not closed");
            match Event::parse(&frame) {
                Ok(Event::Message(message)) => {
                    assert_eq!((message.topic, message.value), (topic.as_str(), &value[..]));
                    return;
                }
                // A subscriber that only listens is asked for a sign of life.
                Ok(Event::Ping) => subscriber.send(encode::pong).await,
                other => panic!("the honest subscriber was told {other:?}"),
            }
        }
    };
    timeout(MESSAGE_DEADLINE, arrival).await.expect("a message arrives in time");
}
