//! A plain, blocking session with a server of any protocol: connect, say hello, send commands, wait for answers.
//!
//! For what happens before and after a measurement. The measured messages go through `publish.rs` and `receive.rs`. Everything is
//! asked for together and confirmed by a ping at the end, which every server answers in turn; lbroker, which answers nothing, is
//! sent a marker that it delivers back.

use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::protocol::{Decoder, Filter, Got, Greeting, Terms, Wire};
use crate::signal;

/// How long an answer may take. Guessed; a broker under load answers within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may take to say its first words: longer means that it speaks something else.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a session that waits looks whether it has to: the user may have asked to stop. A guess.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Subscribes that are sent before their answers are waited for, so that neither side's socket fills up.
const SUBSCRIBES_AT_ONCE: usize = 256;
/// How long to wait for a marker before another one is sent.
const MARKER_EVERY: Duration = Duration::from_millis(500);

/// Numbers for the names of sessions, which MQTT and the markers want to be unique.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A connection whose server has said hello.
#[derive(Debug)]
pub(crate) struct Session {
    stream: TcpStream,
    wire: Wire,
    decoder: Decoder,
    /// What was read and not yet taken.
    received: Vec<u8>,
    greeting: Greeting,
    pings: u64,
    /// Unique in this process, and likely so on this machine.
    marker: String,
}

/// A connection that has said nothing yet.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)
        .with_context(|| format!("cannot connect to the server at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Session {
    /// A native session: connects, says `Hello` and waits for the `Welcome`.
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Result<Self> {
        Self::open(Wire::Native, address, name)
    }

    /// Connects, says hello in `wire` and waits until the server has answered, where it does.
    ///
    /// # Errors
    /// If nobody listens there, or somebody who speaks another protocol.
    pub(crate) fn open(wire: Wire, address: SocketAddr, name: &str) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}", std::process::id());
        let stream = connect(address)?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        let mut session = Self {
            stream,
            wire,
            decoder: Decoder::new(wire),
            received: Vec::new(),
            greeting: Greeting::default(),
            pings: 0,
            marker: format!("!loadtest/{unique}"),
        };
        let name = if wire == Wire::Mqtt { format!("{name} {unique}") } else { name.to_owned() };
        session
            .greet(&name)
            .with_context(|| format!("is the server at {address} one that speaks {}?", wire.name()))?;
        Ok(session)
    }

    fn greet(&mut self, name: &str) -> Result<()> {
        let mut hello = Vec::new();
        self.wire.hello(&mut hello, name)?;
        self.send(&hello)?;
        if matches!(self.wire, Wire::Native | Wire::Nats | Wire::Mqtt) {
            let mut greeting = Greeting::default();
            self.wait_for("greeting", GREETING_TIMEOUT, |got| {
                if let Got::Greeting(found) = got {
                    greeting = *found;
                }
                matches!(got, Got::Greeting(_))
            })?;
            ensure!(!greeting.needs_tls, "it wants TLS, which the load test does not speak");
            self.greeting = greeting;
        }
        // In these the greeting comes before the hello is judged, or there is none.
        if matches!(self.wire, Wire::Nats | Wire::Redis) { self.flush() } else { Ok(()) }
    }

    /// An error if the server takes no payloads of `size` bytes.
    pub(crate) fn check_payload(&self, size: usize) -> Result<()> {
        match self.greeting.payload_bytes_max {
            Some(max) if size as u64 > max => bail!("the server takes payloads of {max} bytes at most"),
            _ => Ok(()),
        }
    }

    /// What may wait for this session, where the server says so: bytes.
    pub(crate) fn outbox_bytes_max(&self) -> Option<u64> {
        self.greeting.outbox_bytes_max
    }

    /// Sends whole frames.
    pub(crate) fn send(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.write_all(frames).context("the server took no more bytes")
    }

    /// Subscribes to `patterns`, without their retained messages, and waits until all of that is done.
    pub(crate) fn subscribe(&mut self, patterns: &[String]) -> Result<()> {
        self.subscribe_to(&Filter::all(self.wire, patterns)?, Terms::default())
    }

    /// Subscribes to `filters` on these terms, and waits until all of that is done.
    pub(crate) fn subscribe_to(&mut self, filters: &[Filter], terms: Terms<'_>) -> Result<()> {
        self.send_all(filters, |wire, frames, filter| wire.subscribe(frames, filter, terms))
    }

    /// Takes subscribes back, and waits until that is done.
    pub(crate) fn unsubscribe_from(&mut self, filters: &[Filter]) -> Result<()> {
        self.send_all(filters, Wire::unsubscribe)
    }

    fn send_all(
        &mut self,
        filters: &[Filter],
        write: impl Fn(Wire, &mut Vec<u8>, &Filter) -> Result<()>,
    ) -> Result<()> {
        for filters in filters.chunks(SUBSCRIBES_AT_ONCE) {
            let mut frames = Vec::new();
            for filter in filters {
                write(self.wire, &mut frames, filter)?;
            }
            self.send(&frames)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Makes topics known by an empty message to each: lbroker loses messages that are published while it makes their topic.
    pub(crate) fn make_topics(&mut self, topics: &[String]) -> Result<()> {
        for topics in topics.chunks(SUBSCRIBES_AT_ONCE) {
            let mut frames = Vec::new();
            for topic in topics {
                self.wire.publish(&mut frames, &self.wire.topic(topic), &[])?;
            }
            self.send(&frames)?;
        }
        self.flush()
    }

    /// Waits until the server has handled everything that was sent. Messages that arrive meanwhile are dropped.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.wire == Wire::Lbroker {
            return self.wait_for_marker();
        }
        // Downwards: the numbers of other commands begin at 0.
        let number = u64::MAX - self.pings;
        self.pings += 1;
        let mut ping = Vec::new();
        self.wire.ping(&mut ping, number);
        self.send(&ping)?;
        let timeout = ANSWER_TIMEOUT;
        let numbered = self.wire == Wire::Native;
        self.wait_for("answer to a ping", timeout, |got| match got {
            Got::Answer(answer) => !numbered || *answer == number,
            _ => false,
        })
    }

    /// Publishes to a topic of its own, and subscribes to it, until a message arrives: what was sent before has been handled then.
    fn wait_for_marker(&mut self) -> Result<()> {
        let marker = self.marker.clone();
        let filter = Filter::new(self.wire, 0, &marker)?;
        let mut frames = Vec::new();
        self.pings += 1;
        let number = self.pings.to_le_bytes();
        self.wire.subscribe(&mut frames, &filter, Terms::default())?;
        self.wire.publish(&mut frames, &marker, &number)?;
        self.stream.set_read_timeout(Some(MARKER_EVERY))?;
        let started = Instant::now();
        loop {
            signal::check()?;
            self.send(&frames)?;
            let found = self.wait_for("sign of what was published", MARKER_EVERY, |got| {
                matches!(got, Got::Message { topic, payload } if *topic == marker && *payload == number)
            });
            match found {
                Err(_) if started.elapsed() < GREETING_TIMEOUT => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.stream.set_read_timeout(Some(LOOK_EVERY))?;
        let mut frames = Vec::new();
        self.wire.unsubscribe(&mut frames, &filter)?;
        self.send(&frames)
    }

    /// Subscribes to `pattern`, natively, and counts the retained messages that come.
    pub(crate) fn count_retained(&mut self, pattern: &str) -> Result<u64> {
        let mut frames = Vec::new();
        Wire::Lbroker.subscribe(&mut frames, &Filter::new(self.wire, 1, pattern)?, Terms::default())?;
        self.wire.ping(&mut frames, 0);
        self.send(&frames)?;
        let mut count = 0;
        // They stand in the outbox before the answer to the ping.
        self.wait_for("answer to a ping", ANSWER_TIMEOUT, |got| {
            count += u64::from(matches!(got, Got::Message { .. }));
            *got == Got::Answer(0)
        })?;
        Ok(count)
    }

    /// The socket, and what has arrived behind the last answer.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.received)
    }

    /// Reads up to what `is_it` accepts; messages before it are dropped. `what` is its name, without an article.
    fn wait_for(
        &mut self,
        what: &str,
        timeout: Duration,
        mut is_it: impl FnMut(&Got<'_>) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        let mut block = [0; 16 << 10];
        loop {
            let mut rest = self.received.as_slice();
            let (mut found, mut pong) = (false, false);
            while !found && let Some((got, length)) = self.decoder.next(rest)? {
                rest = rest.get(length..).unwrap_or(&[]);
                match got {
                    Got::Refused(text) => bail!("the server refuses: {text}"),
                    Got::Ping => pong = true,
                    got => found = is_it(&got),
                }
            }
            let used = self.received.len() - rest.len();
            self.received.drain(..used);
            if pong {
                self.stream.write_all(self.wire.pong()).context("the server took no more bytes")?;
            }
            if found {
                return Ok(());
            }
            ensure!(started.elapsed() < timeout, "no {what} from the server within {timeout:?}");
            signal::check()?;
            let length = match self.stream.read(&mut block) {
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => continue,
                length => length.with_context(|| format!("no {what} from the server"))?,
            };
            ensure!(length > 0, "no {what} from the server: it closed the connection");
            self.received.extend_from_slice(block.get(..length).unwrap_or(&[]));
        }
    }
}
