//! The protocols as the fake broker speaks them: what a client said, and the bytes of the answers. Just enough for a load test.

mod mqtt;
mod native;
mod nats;
mod redis;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// This project's own.
    Native,
    /// Of nats-server.
    Nats,
    /// RESP, of redis.
    Redis,
    /// MQTT 3.1.1.
    Mqtt,
}

/// Makes the frame of a message on a topic for one subscription.
pub(crate) type Deliver = Box<dyn Fn(&str, &[u8]) -> Vec<u8> + Send>;

/// What a client said, with the answer of a broker that does as it is told.
pub(crate) enum Said {
    /// It greets.
    Hello { answer: Vec<u8> },
    /// It subscribes.
    Subscribe { pattern: String, answer: Vec<u8>, deliver: Deliver },
    /// It publishes.
    Publish { topic: String, payload: Vec<u8>, answer: Vec<u8> },
    /// It gives a sign of life that was asked for.
    Pong,
    /// Anything else.
    Chore { answer: Vec<u8> },
}

/// One connection's protocol.
pub(crate) trait Wire: Send {
    /// What is said to a client before it says anything.
    fn welcome(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The first whole frame of `bytes`, and how long it is. Panics on what is none: the command under test sent it.
    fn take(&mut self, bytes: &[u8]) -> Option<(usize, Said)>;

    /// Asks for a sign of life.
    fn ask(&self) -> Vec<u8>;

    /// Refuses something.
    fn refuse(&self) -> Vec<u8>;

    /// The last words before the connection is closed.
    fn goodbye(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Tells how many messages were left out of a subscription. Only the native protocol can.
    fn lagged(&self, _missed: u64) -> Vec<u8> {
        unreachable!("this protocol has no word for it")
    }
}

impl Protocol {
    /// The protocol of a new connection.
    pub(crate) fn wire(self) -> Box<dyn Wire> {
        match self {
            Protocol::Native => Box::new(native::Native::new()),
            Protocol::Nats => Box::new(nats::Nats),
            Protocol::Redis => Box::new(redis::Redis::default()),
            Protocol::Mqtt => Box::new(mqtt::Mqtt),
        }
    }
}

/// Whether `pattern` names `topic`: the same text, or the same up to a wildcard, which is enough for what the load test subscribes to.
pub(crate) fn matches(pattern: &str, topic: &str) -> bool {
    match pattern.find(['*', '>', '#', '+']) {
        Some(at) => topic.starts_with(&pattern[..at]),
        None => pattern == topic,
    }
}

/// The first line of `bytes` up to CRLF, and its length with it.
fn line(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).unwrap(), end + 2))
}
