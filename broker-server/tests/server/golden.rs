//! The golden frames of the native protocol, sent to a server that listens.

use rmpv::Value;
use serde_json::Value as Json;

use crate::support::*;

const FRAMES: &str = include_str!("../../../broker-core/tests/vectors/native-frames.json");

/// One conversation, with the options and the answers of `Hello`.
const TALK: &str = include_str!("../../../broker-core/tests/vectors/native-talk.json");

fn vectors(group: &str) -> Vec<(String, Vec<u8>, Json)> {
    vectors_of(FRAMES, group)
}

fn vectors_of(text: &str, group: &str) -> Vec<(String, Vec<u8>, Json)> {
    let vectors: Json = serde_json::from_str(text).unwrap();
    let read = |vector: &Json| {
        let hex = vector["hex"].as_str().unwrap();
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(digits).collect();
        (vector["what"].as_str().unwrap().to_owned(), bytes, vector.clone())
    };
    vectors[group].as_array().unwrap().iter().map(read).collect()
}

#[tokio::test]
async fn good_frames_leave_the_connection_open_and_work() {
    let server = server().await;
    for hello in [false, true] {
        let mut messages = 0;
        for (what, frame, vector) in vectors("good") {
            if vector["direction"] != "client-to-server" {
                continue;
            }
            let mut witness = Client::plain(&server).await;
            witness.send(&subscribe("*")).await;
            witness.fence().await;
            let mut client = Client::plain(&server).await;
            if hello {
                client = client.introduced(&what).await;
            }
            client.send(&frame).await;
            client.fence().await;
            let seen = witness.fence().await.into_iter().find(|message| !message.topic.starts_with(FENCE));
            if let Some(message) = seen {
                assert!(frame.ends_with(&message.value), "{what}: the bytes of the value");
                if let Some([topic, value]) = vector["value_json"]["Publish"][0].as_array().map(Vec::as_slice)
                {
                    assert_eq!(message.topic, topic.as_str().unwrap(), "{what}");
                    assert_eq!(&rmp_serde::from_slice::<Json>(&message.value).unwrap(), value, "{what}");
                }
                messages += 1;
            }
        }
        assert_eq!(messages, 12, "all that publish");
    }
}

#[tokio::test]
async fn good_subscriptions_are_in_force() {
    let server = server().await;
    let mut checked = 0;
    for (what, frame, _) in vectors("good") {
        let topics = match what.as_str() {
            "subscribe to a glob" => ["topic/a/b/pattern", "topic//pattern"],
            "subscribe to everything" | "subscribe with a map32 header and a str32 name" => ["x", "y/z"],
            _ => continue,
        };
        let mut client = Client::plain(&server).await;
        client.send(&[frame, publish(topics[0], &uint(1)), publish(topics[1], &uint(2))].concat()).await;
        let seen = client.fence().await;
        for topic in topics {
            assert!(seen.iter().any(|message| message.topic == topic), "{what}: {topic}");
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[tokio::test]
async fn good_messages_are_what_the_server_writes() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    client.send(&subscribe("my-topic")).await;
    let mut checked = 0;
    for (what, expected, vector) in vectors("good") {
        if vector["direction"] == "server-to-client" {
            client.outgoing.publish("my-topic", elements(&expected).unwrap()[1]).await;
            assert_eq!(client.incoming.bytes_of_next().await.unwrap(), expected, "{what}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2);
}

/// What must happen to a client that said `Hello`.
enum Outcome {
    /// The connection ends with this error.
    Closes(u64, &'static str),
    /// This error, and the connection goes on.
    Stays(u64),
}

fn outcome(expect: &str) -> Outcome {
    match expect.split([':', ';']).next().unwrap() {
        "malformed" => Outcome::Closes(1, "malformed"),
        "unknown command" => Outcome::Stays(2),
        "invalid topic" => Outcome::Stays(3),
        "too large" | "no allocation by the announced count" | "hex is cut to 2000 levels" => {
            Outcome::Closes(5, "too-large")
        }
        other => panic!("no check for '{other}'"),
    }
}

fn bad_frames() -> Vec<(String, Vec<u8>, String)> {
    let mut frames: Vec<_> = vectors("bad")
        .into_iter()
        .map(|(what, bytes, vector)| (what, bytes, vector["expect"].as_str().unwrap().to_owned()))
        .collect();
    let (what, mut nested, expect) = frames.pop().unwrap();
    assert!(what == "100000 nested arrays", "the last, cut off in the file");
    nested.extend(vec![0x91; 100_000]);
    frames.push((what, nested, expect));
    assert_eq!(frames.len(), 10);
    frames
}

#[tokio::test]
async fn bad_frames_after_hello_end_as_their_vector_says() {
    let server = server().await;
    for (what, frame, expect) in bad_frames() {
        let mut client = Client::hello(&server).await;
        // The server may have closed before the last byte of a frame that cannot be right any more.
        client.outgoing.try_send(&frame).await;
        let (code, goodbye) = match outcome(&expect) {
            Outcome::Closes(code, reason) => (code, Some(reason)),
            Outcome::Stays(code) => (code, None),
        };
        let (id, error) = client.incoming.answer().await;
        assert_eq!((id.is_nil(), error), (true, Err(code)), "{what}");
        if let Some(reason) = goodbye {
            assert_eq!(client.incoming.goodbye().await, reason, "{what}");
        } else {
            client.subscribe("alive").await;
            assert_eq!(client.publish("alive", 1).await, 1, "{what}: goes on");
        }
    }
}

#[tokio::test]
async fn bad_frames_without_hello_close() {
    let server = server().await;
    for (what, frame, _) in bad_frames() {
        let mut client = Client::plain(&server).await;
        client.outgoing.try_send(&frame).await;
        assert_eq!(client.incoming.rest().await, [], "{what}");
    }
}

#[tokio::test]
async fn a_conversation_with_options_goes_as_it_is_written() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    let talk = vectors_of(TALK, "talk");
    for (what, frame, vector) in &talk {
        if vector["direction"] == "client-to-server" {
            client.send(frame).await;
            continue;
        }
        let came = client.incoming.bytes_of_next().await.expect(what);
        let varies: Vec<&str> =
            vector["varies"].as_array().into_iter().flatten().map(|key| key.as_str().unwrap()).collect();
        if varies.is_empty() {
            assert_eq!(came, *frame, "{what}: {}", decode(&came));
        }
        let [came, expected] = [&came, frame].map(|bytes| without(decode(bytes), &varies));
        assert_eq!(came, expected, "{what}");
    }
    assert!(talk.len() > 40, "{} frames", talk.len());
    client.incoming.closed().await;
}

/// The value without what is not the same each time: the values of these keys, and the `text` of an error or a farewell.
fn without(value: Value, varies: &[&str]) -> Value {
    match value {
        Value::Map(entries) => {
            let same = |(key, value): (Value, Value)| {
                let is_told = key.as_str().is_some_and(|key| varies.contains(&key));
                let value = if is_told { Value::Nil } else { without(value, varies) };
                (key, value)
            };
            Value::Map(entries.into_iter().map(same).collect())
        }
        Value::Array(mut elements) => {
            let last = elements.last_mut().filter(|last| last.is_str() && varies.contains(&"text"));
            if let Some(text) = last {
                *text = Value::Nil;
            }
            Value::Array(elements.into_iter().map(|element| without(element, varies)).collect())
        }
        other => other,
    }
}
