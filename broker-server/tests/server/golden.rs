//! The golden frames of the native protocol, sent to a server that listens.

#[path = "../../../broker-core/tests/vectors/frames.rs"]
mod frames;

use frames::{NATIVE_FRAMES, NATIVE_TALK, Row, rows};
use rmpv::Value;
use serde_json::Value as Json;

use crate::support::*;

#[tokio::test]
async fn good_frames_leave_the_connection_open_and_work() {
    let server = server().await;
    for hello in [false, true] {
        let mut messages = 0;
        for row in rows(NATIVE_FRAMES, "good").iter().filter(|row| !row.is_from_server()) {
            let (what, frame) = (row.what(), &row.frame);
            let mut witness = Client::plain(&server).await;
            witness.send(&subscribe("*")).await;
            witness.fence().await;
            let mut client = Client::plain(&server).await;
            if hello {
                client = client.introduced(what).await;
            }
            client.send(frame).await;
            client.fence().await;
            let seen = witness.fence().await.into_iter().find(|message| !message.topic.starts_with(FENCE));
            if let Some(message) = seen {
                assert!(frame.ends_with(&message.value), "{what}: the bytes of the value");
                if let Some([topic, value]) =
                    row.json["value_json"]["Publish"][0].as_array().map(Vec::as_slice)
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
    for row in rows(NATIVE_FRAMES, "good") {
        let topics = match row.what() {
            "subscribe to a glob" => ["topic/a/b/pattern", "topic//pattern"],
            "subscribe to everything" | "subscribe with a map32 header and a str32 name" => ["x", "y/z"],
            _ => continue,
        };
        let mut client = Client::plain(&server).await;
        client
            .send(&[&row.frame[..], &publish(topics[0], &uint(1)), &publish(topics[1], &uint(2))].concat())
            .await;
        let seen = client.fence().await;
        for topic in topics {
            assert!(seen.iter().any(|message| message.topic == topic), "{}: {topic}", row.what());
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
    for row in rows(NATIVE_FRAMES, "good").iter().filter(|row| row.is_from_server()) {
        client.outgoing.publish("my-topic", elements(&row.frame).unwrap()[1]).await;
        assert_eq!(client.incoming.bytes_of_next().await.unwrap(), row.frame, "{}", row.what());
        checked += 1;
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

fn bad_rows() -> Vec<Row> {
    let mut rows = rows(NATIVE_FRAMES, "bad");
    assert_eq!(rows.len(), 10);
    let nested = rows.last_mut().unwrap();
    assert_eq!(nested.what(), "100000 nested arrays", "the last, cut off in the file");
    nested.frame.resize(nested.frame.len() + 100_000, 0x91);
    rows
}

#[tokio::test]
async fn bad_frames_after_hello_end_as_their_row_says() {
    let server = server().await;
    for row in bad_rows() {
        let what = row.what();
        let mut client = Client::hello(&server).await;
        // The server may have closed before the last byte of a frame that cannot be right any more.
        client.outgoing.try_send(&row.frame).await;
        let (code, goodbye) = match outcome(row.text("expect")) {
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
    for row in bad_rows() {
        let mut client = Client::plain(&server).await;
        client.outgoing.try_send(&row.frame).await;
        assert_eq!(client.incoming.rest().await, [], "{}", row.what());
    }
}

#[tokio::test]
async fn a_conversation_with_options_goes_as_it_is_written() {
    let server = server().await;
    let mut client = Client::plain(&server).await;
    let talk = rows(NATIVE_TALK, "talk");
    for row in &talk {
        let (what, frame) = (row.what(), &row.frame);
        if !row.is_from_server() {
            client.send(frame).await;
            continue;
        }
        let came = client.incoming.bytes_of_next().await.expect(what);
        let varies: Vec<&str> =
            row.json["varies"].as_array().into_iter().flatten().map(|key| key.as_str().unwrap()).collect();
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
