//! Those who answer: one for each requester, on a connection and a thread of its own, with the payload that it was asked with.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{Findings, Stage, Work};
use crate::load::peer::Target;
use crate::load::protocol::{Asked, Decoder, Filter, Wire};
use crate::load::scenario::Scenario;
use crate::load::session::Session;

/// Bytes asked for in one read.
const READ_BYTES: usize = 64 << 10;
/// How long a read waits before it is looked whether the run is over.
const READ_TIMEOUT: Duration = Duration::from_millis(50);
/// Most responders: each has a thread.
const RESPONDERS_MAX: usize = 1_000;

/// One of them.
#[derive(Debug)]
struct Responder {
    requests: TcpStream,
    /// Where its answers go out: the same connection, where the protocol allows that.
    answers: TcpStream,
    wire: Wire,
    decoder: Decoder,
    received: Vec<u8>,
}

impl Responder {
    fn new(target: Target, topic: &str) -> Result<Self> {
        let Target { wire, address, .. } = target;
        let mut session = Session::open(wire, address, "responder")?;
        let mut subscribe = Vec::new();
        wire.subscribe_to_requests(&mut subscribe, &Filter::new(wire, 1, topic)?)?;
        session.send(&subscribe)?;
        session.flush()?;
        let (requests, received) = session.into_parts();
        requests.set_read_timeout(Some(READ_TIMEOUT)).context("cannot set a timeout")?;
        let answers = if wire.shares_connection() {
            requests.try_clone().context("cannot share a socket")?
        } else {
            let (stream, _) = Session::open(wire, address, "responder's answers")?.into_parts();
            stream
        };
        Ok(Self { requests, answers, wire, decoder: Decoder::new(wire), received })
    }

    /// Answers until the run is over, and all that was asked before.
    fn run(&mut self, stage: &Stage) -> Result<()> {
        let mut out = Vec::new();
        let mut ignored = vec![0; READ_BYTES];
        while !stage.shared.is_over() {
            self.answer(&mut out)?;
            if !out.is_empty() {
                self.answers.write_all(&out).context("a responder cannot answer")?;
                out.clear();
            }
            if !self.wire.shares_connection() {
                self.read_confirmations(&mut ignored)?;
            }
            let kept = self.received.len();
            self.received.resize(kept + READ_BYTES, 0);
            let read = self.requests.read(self.received.get_mut(kept..).unwrap_or(&mut []));
            self.received.truncate(kept + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => bail!("the server closed the connection of a responder"),
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error).context("a responder lost its connection"),
            }
        }
        Ok(())
    }

    /// Appends the answers to every whole request that was read.
    fn answer(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let mut rest = self.received.as_slice();
        while let Some((asked, length)) = self.decoder.next_request(rest)? {
            rest = rest.get(length..).unwrap_or(&[]);
            match asked {
                Asked::Request { reply, payload } => self.wire.publish(out, &reply, payload)?,
                Asked::Ping => out.extend_from_slice(self.wire.pong()),
                Asked::Refused(text) => bail!("a responder is refused: {text}"),
                Asked::Other => {}
            }
        }
        let used = self.received.len() - rest.len();
        self.received.drain(..used);
        Ok(())
    }

    /// Where each publish is answered, somebody has to read that. Nobody needs it.
    fn read_confirmations(&mut self, ignored: &mut [u8]) -> Result<()> {
        self.answers.set_nonblocking(true)?;
        loop {
            match self.answers.read(ignored) {
                Ok(0) => bail!("the server closed the connection of a responder"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("a responder lost its connection"),
            }
        }
        Ok(self.answers.set_nonblocking(false)?)
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Responders(Vec<Responder>);

impl Responders {
    /// Connects and subscribes.
    pub(super) fn new(scenario: &Scenario, target: Target) -> Result<Self> {
        ensure!(scenario.requests.len() <= RESPONDERS_MAX, "--pairs is {RESPONDERS_MAX} at the most");
        Ok(Self(scenario.requests.iter().map(|topic| Responder::new(target, topic)).collect::<Result<_>>()?))
    }
}

impl Work for Responders {
    fn run(mut self: Box<Self>, stage: &Stage) -> Result<Findings> {
        let ends: Vec<Result<()>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                self.0.iter_mut().map(|responder| scope.spawn(move || responder.run(stage))).collect();
            let panicked = |_| Err(anyhow!("a responder panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        ends.into_iter().collect::<Result<()>>()?;
        Ok(Findings::default())
    }
}
