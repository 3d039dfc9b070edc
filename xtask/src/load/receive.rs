//! A receiving thread: some subscribers, each with its socket, what it expects and what it got.
//!
//! The expected frames are recognised by their first bytes (`frame.rs`); everything else goes through the general scanner and event
//! parser of `broker-core`: events of the session, and messages in another encoding. What is neither is an error that ends the run.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::busy::Busy;
use super::latency::Latencies;
use super::series::Exchange;
use super::shared::Shared;
use super::subscriber::Subscriber;

/// Bytes asked for in one read. As the relay's block; a guess.
const READ_BYTES: usize = 256 << 10;
/// How often a thread looks whether the run is over while nothing arrives.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One subscriber and its socket.
#[derive(Debug)]
struct Link {
    stream: TcpStream,
    subscriber: Subscriber,
    /// The beginning of a frame that has not arrived whole.
    partial: Vec<u8>,
    /// The peer says no more: there is an end to be read.
    closed: bool,
}

/// The subscribers of one thread.
#[derive(Debug)]
pub(crate) struct ReceiveThread {
    index: usize,
    poll: Poll,
    links: Vec<Link>,
    buffer: Vec<u8>,
    delivered: u64,
    skipped: u64,
    latencies: Latencies,
    busy: Busy,
}

/// What a thread hands back.
#[derive(Debug)]
pub(crate) struct Received {
    /// Its subscribers, with their counts.
    pub(crate) subscribers: Vec<Subscriber>,
    /// How busy it was while measuring.
    pub(crate) busy: Busy,
    /// The p99 of each tenth of a second, nanoseconds.
    pub(crate) tenths: Vec<u64>,
}

impl ReceiveThread {
    /// Thread `index`, without subscribers yet; hands the latencies of full seconds to `exchange`.
    pub(crate) fn new(index: usize, exchange: &Arc<Exchange>) -> Result<Self> {
        Ok(Self {
            index,
            poll: Poll::new().context("cannot poll sockets")?,
            links: Vec::new(),
            buffer: vec![0; 2 * READ_BYTES],
            delivered: 0,
            skipped: 0,
            latencies: Latencies::new(Arc::clone(exchange)),
            busy: Busy::default(),
        })
    }

    /// Adds a connected subscriber; `partial` is what arrived behind the answer to its subscribe.
    pub(crate) fn add(
        &mut self,
        stream: std::net::TcpStream,
        partial: Vec<u8>,
        subscriber: Subscriber,
    ) -> Result<()> {
        stream.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        let mut stream = TcpStream::from_std(stream);
        let token = Token(self.links.len());
        self.poll
            .registry()
            .register(&mut stream, token, Interest::READABLE)
            .context("cannot poll a socket")?;
        self.links.push(Link { stream, subscriber, partial, closed: false });
        Ok(())
    }

    /// Receives until everything that was sent has come, or nothing comes any more.
    pub(crate) fn run(mut self, shared: &Shared) -> Result<Received> {
        self.latencies.measure(shared.measure_from, shared.until());
        let result = self.receive(shared);
        if result.is_err() {
            shared.abort();
        }
        result?;
        Ok(Received {
            tenths: self.latencies.finish(),
            subscribers: self.links.into_iter().map(|link| link.subscriber).collect(),
            busy: self.busy,
        })
    }

    fn receive(&mut self, shared: &Shared) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut ready: VecDeque<usize> = (0..self.links.len()).collect();
        let mut arrived = Instant::now();
        let mut looked = Instant::now();
        while !shared.is_aborted() {
            let timeout = if ready.is_empty() { LOOK_EVERY } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(error).context("cannot poll");
                }
                _ => {}
            }
            for event in &events {
                let index = event.token().0;
                ready.push_back(index);
                if let Some(link) = self.links.get_mut(index) {
                    link.closed |= event.is_read_closed();
                }
            }
            let idle = ready.is_empty();
            for _ in 0..ready.len() {
                if let Some(index) = ready.pop_front()
                    && self.read(index, shared)?
                {
                    ready.push_back(index);
                }
            }
            // Looking costs a pass over all pairs: not with every batch.
            if (idle || looked.elapsed() > LOOK_EVERY) && shared.all_published() {
                looked = Instant::now();
                if self.links.iter().all(|link| link.subscriber.is_complete()) {
                    return Ok(());
                }
            }
            let now = shared.clock.now();
            self.busy.look(now, shared);
            if idle {
                self.latencies.tick(now);
            }
            if !idle {
                arrived = Instant::now();
            } else if shared.all_published() && arrived.elapsed() > shared.drain {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One read and all whole frames in it. True if there may be more to read.
    fn read(&mut self, index: usize, shared: &Shared) -> Result<bool> {
        let Some(link) = self.links.get_mut(index) else { return Ok(false) };
        let kept = link.partial.len();
        if self.buffer.len() < kept + READ_BYTES {
            self.buffer.resize(2 * kept + READ_BYTES, 0);
        }
        let Some(space) = self.buffer.get_mut(kept..kept + READ_BYTES) else { return Ok(false) };
        let length = match link.stream.read(space) {
            Ok(0) => bail!("{} lost its connection: the peer closed it", link.subscriber.name()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => {
                return Err(error).context(format!("{} lost its connection", link.subscriber.name()));
            }
        };
        let now = shared.clock.now();
        if let Some(place) = self.buffer.get_mut(..kept) {
            place.copy_from_slice(&link.partial);
        }
        let bytes = self.buffer.get(..kept + length).unwrap_or(&[]);
        let before = (link.subscriber.delivered(), link.subscriber.skipped());
        let used = link.subscriber.take(bytes, now, &mut self.latencies)?;
        link.partial.clear();
        link.partial.extend_from_slice(bytes.get(used..).unwrap_or(&[]));
        link.subscriber.answer_ping(&mut link.stream)?;
        self.delivered += link.subscriber.delivered() - before.0;
        self.skipped += link.subscriber.skipped() - before.1;
        if let Some(counter) = shared.delivered.get(self.index) {
            counter.set(self.delivered, self.skipped);
        }
        // A short read has emptied the socket, on Linux, unless the end came with it; elsewhere only the next one says so.
        Ok(length == READ_BYTES || link.closed || !cfg!(target_os = "linux"))
    }
}
