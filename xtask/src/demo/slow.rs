//! The slow reader of the demo: a subscriber that takes far less than it is sent, so that the dashboard has a lag to show.
//!
//! A plain session, not the client library: that one always reads, and would miss messages on its own side instead.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker_core::wire::native::encode;

use super::Faults;
use crate::load::Session;

/// It reads so many bytes …
const READ_BYTES: usize = 32 << 10;
/// … that often: a twentieth of what the camera sends.
const READ_EVERY: Duration = Duration::from_millis(500);
/// It says something that often, or the server would take it for dead.
const SPEAK_EVERY: Duration = Duration::from_secs(10);

/// The running reader. Dropping it ends it.
#[derive(Debug)]
pub(super) struct SlowReader {
    stream: TcpStream,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowReader {
    /// Subscribes to the camera of the broker at `address`.
    pub(super) fn start(address: SocketAddr, faults: Faults) -> Result<Self> {
        let mut session = Session::connect(address, "slow reader")?;
        session.subscribe(&["camera/*".to_owned()])?;
        let (stream, _) = session.into_parts();
        let shared = stream.try_clone().context("cannot share a socket")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("slow reader".into()).spawn(move || {
            if let Err(error) = read(&stream)
                && !stopped.load(Ordering::SeqCst)
            {
                faults.add(format!("slow reader: {error}"));
            }
        })?;
        Ok(Self { stream: shared, stop, thread: Some(thread) })
    }
}

impl Drop for SlowReader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // An error means that it is closed already.
        self.stream.shutdown(Shutdown::Both).unwrap_or_default();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

/// Reads slowly until the socket is closed.
fn read(mut stream: &TcpStream) -> std::io::Result<()> {
    use std::io::Write;
    let mut pong = Vec::new();
    encode::pong(&mut pong);
    let mut block = vec![0; READ_BYTES];
    let mut spoke = Instant::now();
    loop {
        match stream.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if spoke.elapsed() > SPEAK_EVERY {
            stream.write_all(&pong)?;
            spoke = Instant::now();
        }
        std::thread::sleep(READ_EVERY);
    }
}
