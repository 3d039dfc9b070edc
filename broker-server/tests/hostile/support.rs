//! A raw client, the server to attack, and what the process holds.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker_core::wire::native::{Event, FrameScanner, Hello, SubscribeOptions, WireLimits, encode};
use broker_server::{Limits, Server};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Nothing here takes longer than this on a machine that is busy with other things too; what is stuck takes forever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Set in a process that was started for one test.
const ALONE: &str = "HOSTILE_ALONE";

static TURN: Mutex<()> = Mutex::const_new(());

/// A server of the test's own. No other test runs while it is there.
pub(crate) struct Victim {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    /// Where it speaks NATS.
    pub(crate) nats: SocketAddr,
    _turn: MutexGuard<'static, ()>,
}

impl Victim {
    pub(crate) async fn start(limits: Limits) -> Victim {
        let turn = TURN.lock().await;
        let builder = Server::builder().listen("127.0.0.1:0").nats("127.0.0.1:0").limits(limits);
        let server = builder.start().await.unwrap();
        let (address, nats) = (server.local_addr().unwrap(), server.nats_addr().unwrap());
        Victim { server, address, nats, _turn: turn }
    }

    /// As [`Victim::start`], for a test that bounds the memory: in a process of its own, because what earlier tests gave back would hide what
    /// this one takes. `test` is its whole name. `None` where the other process has done it.
    pub(crate) async fn start_alone(test: &'static str, limits: Limits) -> Option<Victim> {
        if std::env::var_os(ALONE).is_some() {
            return Some(Victim::start(limits).await);
        }
        let _turn = TURN.lock().await;
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(ALONE, "1");
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let (told, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{told}");
        assert!(output.status.success(), "{test}, in a process of its own: {errors}");
        assert!(told.contains("1 passed"), "there is no test {test}");
        None
    }

    pub(crate) fn connections(&self) -> usize {
        self.server.broker().connections()
    }

    /// Stops the server; whatever was done to it, it ends in time.
    pub(crate) async fn stop(self) {
        timeout(2 * DEADLINE, self.server.stop()).await.expect("the server stops");
    }

    /// As [`Victim::stop`], when all clients are gone, which they must be soon.
    #[track_caller]
    pub(crate) fn stop_when_left(self) -> impl Future<Output = ()> {
        let broker = Arc::clone(self.server.broker());
        let all_gone = eventually("all are gone", move || broker.connections() == 0);
        async move {
            all_gone.await;
            self.stop().await;
        }
    }
}

/// Looks again and again until `check` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        let mut looks = interval(Duration::from_millis(5));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !check() {
            assert!(begun.elapsed() < DEADLINE, "{caller}: not in time: {what}");
            looks.tick().await;
        }
    }
}

/// A connection that says what it likes.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    scanner: FrameScanner,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Codes of the errors that were told.
    pub(crate) errors: Vec<u16>,
    /// The reason of the `Goodbye`.
    pub(crate) goodbye: Option<String>,
    /// Messages and other events before it.
    pub(crate) others: usize,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Peer {
        let stream =
            timeout(DEADLINE, TcpStream::connect(address)).await.expect("in time").expect("accepted");
        stream.set_nodelay(true).unwrap();
        Peer { stream, buffer: Vec::new(), scanner: FrameScanner::new(WireLimits::default()) }
    }

    /// One that has said `Hello` and read the `Welcome`.
    pub(crate) async fn introduced(address: SocketAddr) -> Peer {
        let mut peer = Peer::connect(address).await;
        peer.send(|out| encode::hello(out, &Hello { version: 1, ..Hello::default() })).await;
        let welcome = peer.frame().await.expect("an answer");
        assert!(matches!(Event::parse(&welcome), Ok(Event::Welcome(_))), "{welcome:x?}");
        peer
    }

    pub(crate) async fn send(&mut self, frames: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frames(&mut bytes);
        self.write(&bytes).await.expect("the server reads");
    }

    /// Writes all of it, unless the server ends the connection.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(DEADLINE, self.stream.write_all(bytes)).await.expect("the server reads in time")
    }

    /// Subscribes, and waits for the answer.
    pub(crate) async fn subscribe(&mut self, pattern: &str) {
        let options = SubscribeOptions { id: Some(1), retained: false, ..SubscribeOptions::default() };
        self.send(|out| encode::subscribe(out, pattern, &options)).await;
        self.answer(1).await;
    }

    /// Sends a `Ping` and waits until it is answered: then everything before it is done.
    pub(crate) async fn flush(&mut self) {
        self.flush_within(DEADLINE).await;
    }

    /// As [`Peer::flush`], for what takes long.
    pub(crate) async fn flush_within(&mut self, limit: Duration) {
        self.send(|out| encode::ping(out, Some(u64::MAX))).await;
        let answered = async {
            while let Some(frame) = self.next_frame().await {
                if matches!(Event::parse(&frame), Ok(Event::Ok { id: u64::MAX, .. })) {
                    return;
                }
            }
            panic!("closed");
        };
        timeout(limit, answered).await.expect("everything is done in time");
    }

    /// Reads until the `Ok` of `id`. Returns the codes of the errors on the way.
    pub(crate) async fn answer(&mut self, id: u64) -> Vec<u16> {
        let mut errors = Vec::new();
        loop {
            let frame = self.frame().await.expect("an answer");
            match Event::parse(&frame).expect("an event") {
                Event::Ok { id: of, .. } if of == id => return errors,
                Event::Err { code, .. } => errors.push(code),
                _ => {}
            }
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Vec<u8>> {
        timeout(DEADLINE, self.next_frame()).await.expect("the server says something in time")
    }

    async fn next_frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(bytes) = self.scanner.scan(&self.buffer).expect("a server's frame") {
                return Some(self.buffer.drain(..bytes).collect());
            }
            // A reset ends the connection as well as a close does.
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Reads until the server ends the connection, which it has to.
    pub(crate) async fn end(mut self) -> End {
        let mut end = End { errors: Vec::new(), goodbye: None, others: 0 };
        while let Some(frame) = self.frame().await {
            assert_eq!(end.goodbye, None, "nothing comes behind Goodbye");
            match Event::parse(&frame).expect("an event") {
                Event::Err { code, .. } => end.errors.push(code),
                Event::Goodbye { reason, .. } => end.goodbye = Some(reason.to_owned()),
                _ => end.others += 1,
            }
        }
        end
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Memory that the process has in use. `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Asserts that no more than `most` bytes came to the memory since `before` was looked up. Both are looked up in this process, so what the
/// test itself holds counts too.
#[track_caller]
pub(crate) fn assert_growth(before: Option<u64>, most: u64) {
    if let (Some(before), Some(now)) = (before, resident_bytes()) {
        let grown = now.saturating_sub(before);
        println!("the memory grew by {} KiB", grown >> 10);
        assert!(grown <= most, "the memory grew by {grown} bytes, {most} are allowed");
    }
}

/// Open file handles of the process. 0 where the system does not tell.
pub(crate) fn open_handles() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Random numbers that are the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}
