//! What the fake broker does to the messages, and the books that it keeps of it.

use std::ops::Range;
use std::time::Duration;

/// What is done to one message on its way to one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Not forwarded.
    Drop,
    /// Forwarded twice in a row.
    Twice,
    /// Forwarded only after the so many messages that follow it.
    Later(u64),
    /// A copy is forwarded again after the so many messages that follow it.
    Again(u64),
    /// One byte of its payload is changed: so many from the start, under this mask.
    Damage(usize, u8),
    /// The last byte of its payload is gone.
    Shorten,
    /// Forwarded under another topic.
    Astray(&'static str),
    /// `Lagged` with this number is told before it.
    Tell(u64),
    /// A sign of life is asked for before it.
    Ask,
    /// It, and everything behind it, waits so long.
    Hold(Duration),
    /// It alone waits so long.
    Apart(Duration),
    /// Half of it is sent, and nothing after that, ever.
    HalfThenSilence,
    /// These bytes are sent in its place.
    Say(&'static [u8]),
    /// In its place the broker tells that it had to refuse something.
    Refuse,
    /// In its place the broker says goodbye and closes the connection.
    Goodbye,
    /// In its place the connection is closed.
    Close,
}

/// A deed, and the messages that it is done to.
#[derive(Debug, Clone)]
pub(crate) struct At {
    /// Numbers of a publisher's messages, from 0; those of every publisher.
    pub(crate) numbers: Range<u64>,
    /// The subscriber that it is done to, in the order of their subscribing; all of them otherwise.
    pub(crate) subscriber: Option<usize>,
    /// What is done.
    pub(crate) deed: Deed,
}

/// `deed` is done to message `number` for every subscriber.
pub(crate) fn at(number: u64, deed: Deed) -> At {
    over(number..number + 1, deed)
}

/// `deed` is done to each of the messages `numbers` for every subscriber.
pub(crate) fn over(numbers: Range<u64>, deed: Deed) -> At {
    At { numbers, subscriber: None, deed }
}

impl At {
    /// The same for one subscriber alone.
    pub(crate) fn only(self, subscriber: usize) -> At {
        At { subscriber: Some(subscriber), ..self }
    }

    fn applies(&self, number: u64, subscriber: usize) -> bool {
        self.numbers.contains(&number) && self.subscriber.is_none_or(|only| only == subscriber)
    }
}

/// How the broker receives a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Polite,
    /// Accepts the connection and says nothing.
    Silent,
    /// Closes the connection at once.
    Closes,
    /// Says something that is not of the protocol.
    Babbles,
    /// Answers a greeting with an error.
    RefusesHello,
    /// Answers a subscribe with an error.
    RefusesSubscribe,
    /// Says nothing more after the greeting.
    GoesMute,
}

/// Everything that a fake broker does.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// How it receives clients.
    pub(crate) manner: Manner,
    /// How long each message takes.
    pub(crate) delay: Duration,
    /// Before this message of a publisher nothing is read or written for so long.
    pub(crate) stall: Option<(u64, Duration)>,
    /// From this message on nothing is read any more.
    pub(crate) deaf_from: Option<u64>,
    /// Every frame is written in two pieces.
    pub(crate) in_pieces: bool,
    /// What is done to which messages.
    pub(crate) deeds: Vec<At>,
}

impl Script {
    /// Forwards everything at once and as it came.
    pub(crate) fn honest() -> Script {
        Script {
            manner: Manner::Polite,
            delay: Duration::ZERO,
            stall: None,
            deaf_from: None,
            in_pieces: false,
            deeds: Vec::new(),
        }
    }

    /// Does these deeds, and is honest otherwise.
    pub(crate) fn doing(deeds: impl IntoIterator<Item = At>) -> Script {
        Script { deeds: deeds.into_iter().collect(), ..Script::honest() }
    }

    /// Receives clients in this manner.
    pub(crate) fn receiving(manner: Manner) -> Script {
        Script { manner, ..Script::honest() }
    }

    /// The deeds that are to be done to a message for a subscriber.
    pub(crate) fn deeds_for(&self, number: u64, subscriber: usize) -> impl Iterator<Item = Deed> + '_ {
        self.deeds.iter().filter(move |at| at.applies(number, subscriber)).map(|at| at.deed)
    }
}

/// What a fake broker did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Did {
    /// Connections that it accepted.
    pub(crate) connections: u64,
    /// Messages that publishers sent to it.
    pub(crate) published: u64,
    /// Messages that it would have forwarded if it were honest, over all subscribers.
    pub(crate) matched: u64,
    /// Signs of life that it got when it asked.
    pub(crate) pongs: u64,
    /// Bytes of the first payload that it got.
    pub(crate) payload_bytes: usize,
}
