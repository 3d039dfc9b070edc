//! The native protocol, as docs/protocol.md has it.

use broker_core::wire::native::{Command, Decoder, Welcome, WireLimits, encode};

use super::{Said, Wire};

/// MessagePack's nil: the result of a command that has none.
const NIL: &[u8] = &[0xc0];

/// A native connection.
pub(super) struct Native {
    decoder: Decoder,
}

impl Native {
    pub(super) fn new() -> Native {
        Native { decoder: Decoder::new(WireLimits { frame_bytes_max: 64 << 20, ..WireLimits::default() }) }
    }
}

impl Wire for Native {
    fn take(&mut self, bytes: &[u8]) -> Option<(usize, Said)> {
        let decoded = self.decoder.next(bytes).expect("a frame")?;
        let said = match decoded.command.expect("a command") {
            Command::Hello(_) => Said::Hello { answer: welcome() },
            Command::Subscribe(subscribe) => Said::Subscribe {
                pattern: subscribe.pattern.to_owned(),
                answer: ok(subscribe.id, NIL),
                deliver: Box::new(message),
            },
            Command::Publish(publish) => Said::Publish {
                topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                payload: content(publish.value).to_vec(),
                answer: ok(publish.meta.and_then(|meta| meta.id), &[1]),
            },
            Command::Unsubscribe { id, .. } => Said::Chore { answer: ok(id, &[0xc3]) },
            Command::Ping { id: None } => Said::Chore { answer: built(encode::pong) },
            Command::Ping { id } => Said::Chore { answer: ok(id, NIL) },
            Command::Pong => Said::Pong,
            other => panic!("the load test has no reason to say {other:?}"),
        };
        Some((decoded.frame_bytes, said))
    }

    fn ask(&self) -> Vec<u8> {
        built(|out| encode::ping(out, None))
    }

    fn refuse(&self) -> Vec<u8> {
        built(|out| encode::err(out, None, 3, "no such topic today"))
    }

    fn goodbye(&self) -> Vec<u8> {
        built(|out| encode::goodbye(out, "shutting-down", "it is late"))
    }

    fn lagged(&self, missed: u64) -> Vec<u8> {
        built(|out| encode::lagged(out, "load/*", missed))
    }
}

fn built(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    build(&mut out);
    out
}

fn ok(id: Option<u64>, result: &[u8]) -> Vec<u8> {
    id.map_or_else(Vec::new, |id| built(|out| encode::ok(out, id, result)))
}

fn welcome() -> Vec<u8> {
    let welcome =
        Welcome { server: "fake".to_owned(), protocol: 1, frame_bytes_max: 8 << 20, ..Welcome::default() };
    built(|out| encode::welcome(out, &welcome))
}

/// The content of a bin; a value of another type as it is.
fn content(value: &[u8]) -> &[u8] {
    match value[0] {
        0xc4 => &value[2..],
        0xc5 => &value[3..],
        0xc6 => &value[5..],
        _ => value,
    }
}

/// `[topic, payload as a bin]`
fn message(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut value = match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) => vec![0xc4, length],
        (_, Ok(length)) => [&[0xc5], &length.to_be_bytes()[..]].concat(),
        _ => [&[0xc6], &u32::try_from(payload.len()).unwrap().to_be_bytes()[..]].concat(),
    };
    value.extend_from_slice(payload);
    built(|out| encode::message(out, topic, &value))
}
