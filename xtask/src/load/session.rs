//! A plain, blocking session with a broker: connect, say `Hello`, send commands, wait for answers.
//!
//! For what happens before and after a measurement. The measured messages go through `publish.rs` and `receive.rs`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use broker_core::wire::native::{Event, FrameScanner, Hello, SubscribeOptions, VERSION, WireLimits, encode};

/// How long an answer may take. Guessed; a broker under load answers within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Subscribes that are sent before their answers are waited for, so that neither side's socket fills up.
const SUBSCRIBES_AT_ONCE: usize = 256;

/// A connection that said `Hello`.
#[derive(Debug)]
pub(crate) struct Session {
    stream: TcpStream,
    scanner: FrameScanner,
    /// What was read and not yet taken.
    received: Vec<u8>,
}

/// A connection to a native listener that said nothing.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)
        .with_context(|| format!("cannot connect to the broker at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Session {
    /// Connects, says `Hello` and waits for the `Welcome`.
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Result<Self> {
        let stream = connect(address)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let scanner = FrameScanner::new(WireLimits::default());
        let mut session = Self { stream, scanner, received: Vec::new() };
        let mut hello = Vec::new();
        encode::hello(&mut hello, &Hello { version: VERSION, name: Some(name.to_owned()) });
        session.send(&hello)?;
        session.wait_for("Welcome", |event| matches!(event, Event::Welcome(_)))?;
        Ok(session)
    }

    /// Sends whole frames.
    pub(crate) fn send(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.write_all(frames).context("the broker took no more bytes")
    }

    /// Subscribes to `patterns`, without their retained messages, and waits for every answer.
    pub(crate) fn subscribe(&mut self, patterns: &[String]) -> Result<()> {
        for (chunk, patterns) in patterns.chunks(SUBSCRIBES_AT_ONCE).enumerate() {
            let mut frames = Vec::new();
            let first = (chunk * SUBSCRIBES_AT_ONCE) as u64;
            for (id, pattern) in (first..).zip(patterns) {
                let options =
                    SubscribeOptions { id: Some(id), retained: false, ..SubscribeOptions::default() };
                encode::subscribe(&mut frames, pattern, &options);
            }
            self.send(&frames)?;
            let last = first + patterns.len() as u64 - 1;
            self.wait_for("Ok", |event| matches!(event, Event::Ok { id, .. } if *id == last))?;
        }
        Ok(())
    }

    /// Waits until the broker has handled everything that was sent.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let mut ping = Vec::new();
        encode::ping(&mut ping, Some(u64::MAX));
        self.send(&ping)?;
        self.wait_for("Ok", |event| matches!(event, Event::Ok { id: u64::MAX, .. }))
    }

    /// Subscribes to `pattern` and counts the retained messages that come.
    pub(crate) fn count_retained(&mut self, pattern: &str) -> Result<u64> {
        let mut frames = Vec::new();
        encode::subscribe(&mut frames, pattern, &SubscribeOptions::default());
        encode::ping(&mut frames, Some(u64::MAX));
        self.send(&frames)?;
        let mut count = 0;
        // They stand in the outbox before the answer to the ping.
        self.wait_for("Ok", |event| match event {
            Event::Message(_) => {
                count += 1;
                false
            }
            event => matches!(event, Event::Ok { id: u64::MAX, .. }),
        })?;
        Ok(count)
    }

    /// The socket, and what has arrived behind the last answer.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.received)
    }

    /// Reads up to the event that `is_it` accepts; messages before it are dropped.
    fn wait_for(&mut self, what: &str, mut is_it: impl FnMut(&Event<'_>) -> bool) -> Result<()> {
        let started = Instant::now();
        let mut block = [0; 16 << 10];
        loop {
            let mut rest = self.received.as_slice();
            let mut found = false;
            while !found
                && let Some(length) = self.scanner.scan(rest).context("the broker sent a broken frame")?
            {
                let (frame, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                rest = behind;
                match Event::parse(frame).context("the broker sent a broken frame")? {
                    Event::Err { code, text, .. } => bail!("the broker refuses: error {code}: {text}"),
                    Event::Goodbye { reason, detail } => bail!("the broker says goodbye: {reason}: {detail}"),
                    event => found = is_it(&event),
                }
            }
            let used = self.received.len() - rest.len();
            self.received.drain(..used);
            if found {
                return Ok(());
            }
            ensure!(
                started.elapsed() < ANSWER_TIMEOUT,
                "no {what} from the broker within {ANSWER_TIMEOUT:?}"
            );
            let length =
                self.stream.read(&mut block).with_context(|| format!("no {what} from the broker"))?;
            ensure!(length > 0, "the broker closed the connection instead of sending {what}");
            self.received.extend_from_slice(block.get(..length).unwrap_or(&[]));
        }
    }
}
