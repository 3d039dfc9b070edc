//! The client protocol of NATS: lines, and payloads behind them.

use super::{Said, Wire, line};

/// A connection of a NATS client.
pub(super) struct Nats;

impl Wire for Nats {
    fn welcome(&self) -> Vec<u8> {
        b"INFO {\"server_id\":\"FAKE\",\"version\":\"2.9.0\",\"headers\":true,\"max_payload\":8388608,\"proto\":1}\r\n".to_vec()
    }

    fn take(&mut self, bytes: &[u8]) -> Option<(usize, Said)> {
        let (text, length) = line(bytes)?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let said = match words[..] {
            ["CONNECT", ..] => {
                let verbose = text.replace(' ', "").contains("\"verbose\":true");
                Said::Hello { answer: if verbose { b"+OK\r\n".to_vec() } else { Vec::new() } }
            }
            ["PING"] => Said::Chore { answer: b"PONG\r\n".to_vec() },
            ["PONG"] => Said::Pong,
            ["SUB", subject, .., sid] => {
                let sid = sid.to_owned();
                Said::Subscribe {
                    pattern: subject.to_owned(),
                    answer: Vec::new(),
                    deliver: Box::new(move |subject, payload| message(subject, &sid, payload)),
                }
            }
            ["PUB", subject, .., size] => {
                let end = length + size.parse::<usize>().unwrap();
                let payload = bytes.get(length..end)?.to_vec();
                assert_eq!(bytes.get(end..end + 2)?, b"\r\n", "behind a payload");
                let said = Said::Publish { topic: subject.to_owned(), payload, answer: Vec::new() };
                return Some((end + 2, said));
            }
            _ => panic!("the load test has no reason to say {text:?}"),
        };
        Some((length, said))
    }

    fn ask(&self) -> Vec<u8> {
        b"PING\r\n".to_vec()
    }

    fn refuse(&self) -> Vec<u8> {
        b"-ERR 'no such subject today'\r\n".to_vec()
    }
}

fn message(subject: &str, sid: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("MSG {subject} {sid} {}\r\n", payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
    out
}
