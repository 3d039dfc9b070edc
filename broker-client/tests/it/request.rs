//! Requests and answers.

use std::time::Duration;

use broker_client::{Client, Message, PublishError, RequestError, SubscribeOptions};
use rmpv::Value;
use tokio::task::JoinHandle;

use crate::{
    fake::{Fake, Peer, get, quick, within},
    subscribe::subscribe,
};

fn ask(client: &Client, topic: &'static str) -> JoinHandle<Result<Message, RequestError>> {
    let client = client.clone();
    tokio::spawn(async move { client.request(topic, &1).await })
}

async fn outcome(pending: JoinHandle<Result<Message, RequestError>>) -> Result<u64, RequestError> {
    within(pending).await.expect("no panic").map(|message| message.decode().expect("a number"))
}

/// The inbox that the client subscribes to before its first request.
async fn grant_inbox(peer: &mut Peer) -> String {
    let arguments = peer.expect("Subscribe").await;
    let pattern = arguments[0].as_str().expect("a pattern").to_owned();
    assert!(pattern.starts_with("!inbox/") && pattern.ends_with("/*"), "{pattern}");
    assert_eq!(get(&arguments[1], "meta"), Value::Nil);
    peer.ok(&arguments[1], Value::Nil).await;
    pattern.trim_end_matches('*').to_owned()
}

/// The next request; says that it went to so many sessions. Returns where the answer goes.
async fn take_request(peer: &mut Peer, sessions: u64) -> String {
    let (_, _, options) = peer.published().await;
    peer.ok(&options, sessions.into()).await;
    get(&options, "reply").as_str().expect("a reply topic").to_owned()
}

#[tokio::test]
async fn an_answer_finds_its_request() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let first = ask(&client, "add");
    let inbox = grant_inbox(&mut peer).await;
    let reply_first = take_request(&mut peer, 1).await;
    // The second request needs no subscription of its own. Its answer comes first.
    let second = ask(&client, "add");
    let reply_second = take_request(&mut peer, 2).await;
    assert!(
        reply_first.starts_with(&inbox) && reply_second.starts_with(&inbox) && reply_first != reply_second
    );
    peer.message(&reply_second, 22).await;
    peer.message(&reply_first, 11).await;
    assert_eq!((outcome(first).await, outcome(second).await), (Ok(11), Ok(22)));

    // An answer may overtake the confirmation.
    let third = ask(&client, "add");
    let (_, _, options) = peer.published().await;
    peer.message(get(&options, "reply").as_str().expect("a topic"), 33).await;
    assert_eq!(outcome(third).await, Ok(33));
    peer.ok(&options, 1.into()).await;
    // A second answer to a request, and one to no request, go nowhere.
    peer.message(&reply_first, 12).await;
    peer.message(&format!("{inbox}no number"), 13).await;
    let (flushed, ()) = tokio::join!(within(client.flush()), peer.answer_flush());
    assert_eq!(flushed, Ok(()));
}

#[tokio::test]
async fn nobody_answers() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let pending = ask(&client, "add");
    grant_inbox(&mut peer).await;
    take_request(&mut peer, 0).await;
    assert_eq!(outcome(pending).await, Err(RequestError::NoResponders("add".to_owned())));
}

#[tokio::test]
async fn nobody_answers_in_time() {
    let after = Duration::from_millis(100);
    let (client, mut peer) = Fake::start().await.client(quick().request_timeout(after)).await;
    let pending = ask(&client, "add");
    grant_inbox(&mut peer).await;
    let reply = take_request(&mut peer, 1).await;
    assert_eq!(outcome(pending).await, Err(RequestError::Timeout { after }));
    // The late answer is nobody's; the next one is somebody's.
    peer.message(&reply, 1).await;
    let pending = ask(&client, "add");
    let reply = take_request(&mut peer, 1).await;
    peer.message(&reply, 2).await;
    assert_eq!(outcome(pending).await, Ok(2));
}

#[tokio::test]
async fn a_request_that_is_refused_or_cut_off_fails() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client(quick()).await;
    let pending = ask(&client, "add");
    grant_inbox(&mut peer).await;
    let (_, _, options) = peer.published().await;
    peer.refuse(&options, 9, "no").await;
    let refused = PublishError::Refused { code: 9, text: "no".to_owned() };
    assert_eq!(outcome(pending).await, Err(RequestError::Publish(refused)));

    // Whether the server has confirmed it or not.
    for confirm in [false, true] {
        let pending = ask(&client, "add");
        if confirm {
            take_request(&mut peer, 1).await;
        } else {
            peer.published().await;
        }
        drop(peer);
        assert_eq!(outcome(pending).await, Err(RequestError::Publish(PublishError::Disconnected)));
        peer = fake.accept(2).await;
        grant_inbox(&mut peer).await;
    }
}

#[tokio::test]
async fn a_first_request_that_is_dropped_does_not_harm_the_next() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let pending = ask(&client, "add");
    let arguments = peer.expect("Subscribe").await;
    pending.abort();
    peer.expect("Unsubscribe").await;
    peer.ok(&arguments[1], Value::Nil).await;
    let pending = ask(&client, "add");
    grant_inbox(&mut peer).await;
    let reply = take_request(&mut peer, 1).await;
    peer.message(&reply, 7).await;
    assert_eq!(outcome(pending).await, Ok(7));
}

#[tokio::test]
async fn a_responder_answers_where_it_is_told() {
    let (client, mut peer) = Fake::start().await.client(quick()).await;
    let (mut requests, _) = subscribe!(client, peer, "add", SubscribeOptions::new().meta(true));
    let meta = Value::Map(vec![("time".into(), 1.into()), ("reply".into(), "!inbox/x/1".into())]);
    peer.value(&Value::Array(vec!["add".into(), 40.into(), meta])).await;
    let request = within(requests.recv()).await.expect("a request");
    within(client.respond(&request, &42)).await.expect("it is sent");
    within(client.respond_raw(&request, b"\x2b")).await.expect("it is sent");
    for answer in [42, 43] {
        let (topic, value, _) = peer.published().await;
        assert_eq!((topic.as_str(), value), ("!inbox/x/1", Value::from(answer)));
    }
    peer.message("add", 1).await;
    let plain = within(requests.recv()).await.expect("a message");
    assert_eq!(within(client.respond(&plain, &1)).await, Err(PublishError::NoReplyTopic));
}
