//! RESP 2: arrays of bulk strings one way, pushes of subscriptions and numbers the other way.

use super::{Said, Wire, line};

/// A connection of a redis client.
#[derive(Default)]
pub(super) struct Redis {
    subscriptions: usize,
}

impl Wire for Redis {
    fn take(&mut self, bytes: &[u8]) -> Option<(usize, Said)> {
        let (words, length) = array(bytes)?;
        let name = String::from_utf8(words[0].to_vec()).unwrap().to_ascii_uppercase();
        let said = match (name.as_str(), &words[1..]) {
            ("PUBLISH", [topic, payload]) => Said::Publish {
                topic: String::from_utf8(topic.to_vec()).unwrap(),
                payload: payload.to_vec(),
                answer: b":1\r\n".to_vec(),
            },
            ("SUBSCRIBE" | "PSUBSCRIBE", [pattern]) => {
                self.subscriptions += 1;
                let kind = name.to_ascii_lowercase();
                let mut answer = array_of(&[kind.as_bytes(), pattern], 3);
                answer.extend_from_slice(format!(":{}\r\n", self.subscriptions).as_bytes());
                let by_pattern = (name == "PSUBSCRIBE").then(|| pattern.to_vec());
                Said::Subscribe {
                    pattern: String::from_utf8(pattern.to_vec()).unwrap(),
                    answer,
                    deliver: Box::new(move |topic, payload| match &by_pattern {
                        Some(pattern) => array_of(&[b"pmessage", pattern, topic.as_bytes(), payload], 4),
                        None => array_of(&[b"message", topic.as_bytes(), payload], 3),
                    }),
                }
            }
            ("PING", _) if self.subscriptions > 0 => Said::Chore { answer: array_of(&[b"pong", b""], 2) },
            ("PING", _) => Said::Chore { answer: b"+PONG\r\n".to_vec() },
            ("HELLO", _) => Said::Chore { answer: b"-ERR unknown command 'HELLO'\r\n".to_vec() },
            ("CLIENT" | "SELECT", _) => Said::Chore { answer: b"+OK\r\n".to_vec() },
            _ => panic!("the load test has no reason to say {name}"),
        };
        Some((length, said))
    }

    fn ask(&self) -> Vec<u8> {
        unreachable!("redis never asks")
    }

    fn refuse(&self) -> Vec<u8> {
        b"-ERR no such channel today\r\n".to_vec()
    }
}

/// An array of bulk strings, if it is whole.
fn array(bytes: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let (head, mut at) = line(bytes)?;
    let count: usize = head.strip_prefix('*').expect("an array").parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        let (head, length) = line(&bytes[at..])?;
        let size: usize = head.strip_prefix('$').expect("a bulk string").parse().unwrap();
        at += length;
        words.push(bytes.get(at..at + size)?);
        assert_eq!(bytes.get(at + size..at + size + 2)?, b"\r\n", "behind a bulk string");
        at += size + 2;
    }
    Some((words, at))
}

/// The head of an array of `count`, and its first elements.
fn array_of(first: &[&[u8]], count: usize) -> Vec<u8> {
    let mut out = format!("*{count}\r\n").into_bytes();
    for word in first {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}
