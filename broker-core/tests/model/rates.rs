//! `max_rate` beside retained messages and other subscriptions: the last value comes, and nothing older behind it.

use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};

use crate::client::Client;
use crate::policies::{at, broker, publish, publish_with, received, subscriber};

fn rated() -> SubscribeOptions {
    SubscribeOptions { max_rate: Some(1.0), ..SubscribeOptions::default() }
}

fn numbers(client: &mut Client) -> Vec<u64> {
    received(client).0.into_iter().map(|(_, number)| number).collect()
}

/// Cause: a message that did not go by the rate made the one that waited for its time needless, a retained one as well; but the one that waits may be newer, if
/// it was not to be retained. Effect: a second subscription cost the first one the last value. Found by the simulation. Fix: what is retained makes nothing
/// needless.
#[test]
fn a_retained_message_does_not_take_the_place_of_a_newer_one_that_waits() {
    let broker = broker(1 << 20);
    let mut publisher = Client::introduced(&broker);
    let mut client = subscriber(&broker, "t*", &rated());
    publish(&mut publisher, "t", 0, 0);
    publish(&mut publisher, "t", 1, 0);
    let unretained = PublishOptions { retain: Some(false), ..PublishOptions::default() };
    publish_with(&mut publisher, "t", 2, 0, &unretained);
    publisher.handle(usize::MAX);
    assert_eq!(numbers(&mut client), [0]);
    client.send(|out| encode::subscribe(out, "t", &SubscribeOptions::default()));
    client.handle(usize::MAX);
    assert_eq!(numbers(&mut client), [1], "what is retained");
    broker.release(at(5_000));
    assert_eq!(numbers(&mut client), [2], "the last value");
    assert_eq!(client.stats().thinned, 1);
}

/// Cause: a subscription that was replaced left what waited for its time behind. Effect: it came behind what the new subscription brought, and so behind what was
/// retained, though that may be newer where the new one is in a group. Fix: it goes when the subscription is replaced, as when it ends.
#[test]
fn what_waits_for_its_time_goes_when_its_subscription_is_replaced() {
    let broker = broker(1 << 20);
    let mut publisher = Client::introduced(&broker);
    let mut client = subscriber(&broker, "t", &rated());
    for number in 0..3 {
        publish(&mut publisher, "t", number, 0);
    }
    publisher.handle(usize::MAX);
    assert_eq!(numbers(&mut client), [0]);
    client.send(|out| encode::subscribe(out, "t", &SubscribeOptions::default()));
    client.handle(usize::MAX);
    assert_eq!(numbers(&mut client), [2, 2], "what waited, and then what is retained");
    broker.release(at(5_000));
    assert!(numbers(&mut client).is_empty());
}
