//! MQTT 3.1.1 at quality of service 0.

use super::{Said, Wire};

/// A connection of an MQTT client.
pub(super) struct Mqtt;

impl Wire for Mqtt {
    fn take(&mut self, bytes: &[u8]) -> Option<(usize, Said)> {
        let (&kind, rest) = bytes.split_first()?;
        let (size, digits) = remaining(rest)?;
        let body = rest.get(digits..digits + size)?;
        let said = match kind {
            0x10 => {
                assert_eq!(&body[..7], b"\x00\x04MQTT\x04", "3.1.1");
                Said::Hello { answer: vec![0x20, 2, 0, 0] }
            }
            0x82 => {
                let (pattern, behind) = string(&body[2..]);
                assert_eq!(behind, [0], "one topic filter, at quality 0");
                Said::Subscribe {
                    pattern: pattern.to_owned(),
                    answer: vec![0x90, 3, body[0], body[1], 0],
                    deliver: Box::new(publish),
                }
            }
            0x30 => {
                let (topic, payload) = string(body);
                Said::Publish { topic: topic.to_owned(), payload: payload.to_vec(), answer: Vec::new() }
            }
            0xc0 => Said::Chore { answer: vec![0xd0, 0] },
            0xe0 => Said::Chore { answer: Vec::new() },
            other => panic!("the load test has no reason to send a packet of type {other:#x}"),
        };
        Some((1 + digits + size, said))
    }

    fn ask(&self) -> Vec<u8> {
        unreachable!("a broker of MQTT never asks")
    }

    fn refuse(&self) -> Vec<u8> {
        // SUBACK with the code for a failure: MQTT 3.1.1 has no other word.
        vec![0x90, 3, 0, 1, 0x80]
    }
}

/// The remaining length, and how many bytes tell it.
fn remaining(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut size = 0;
    for (at, &digit) in bytes.iter().enumerate() {
        size |= usize::from(digit & 0x7f) << (7 * at);
        if digit < 0x80 {
            return Some((size, at + 1));
        }
    }
    None
}

/// A string with its length before it, and what stands behind.
fn string(bytes: &[u8]) -> (&str, &[u8]) {
    let size = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let (text, behind) = bytes[2..].split_at(size);
    (std::str::from_utf8(text).unwrap(), behind)
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x30];
    let mut size = 2 + topic.len() + payload.len();
    while size >= 0x80 {
        out.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    out.push(u8::try_from(size).unwrap());
    out.extend_from_slice(&u16::try_from(topic.len()).unwrap().to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(payload);
    out
}
