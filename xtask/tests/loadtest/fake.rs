//! A broker that does what its script says to the messages that pass through it, and counts.
//!
//! One thread accepts; each connection has one thread that reads and one that writes. Everything that is decided is decided under one lock,
//! in the order in which publishers are read. A subscriber's number is its place in the order of subscribing, a message's number its place
//! on its publisher's connection: the payload is not looked into, so that nothing here rests on how the load test fills it.

mod line;
mod script;
mod wire;

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use line::Line;
pub(crate) use script::{At, Deed, Did, Manner, Script, at, over};
pub(crate) use wire::Protocol;
use wire::{Deliver, Said, Wire};

/// A fake broker that listens.
pub(crate) struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    protocol: Protocol,
    script: Script,
    state: Mutex<State>,
    changed: Condvar,
    over: AtomicBool,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    subscribers: Vec<Subscriber>,
    did: Did,
    deaf: bool,
}

struct Subscriber {
    connection: usize,
    subscriptions: Vec<(String, Deliver)>,
    line: Arc<Line>,
    /// Frames that wait for later messages of a publisher's connection: the connection, the number that they follow, the frame.
    held: Vec<(usize, u64, Vec<u8>)>,
}

/// One client.
struct Connection {
    number: usize,
    wire: Box<dyn Wire>,
    line: Arc<Line>,
    published: u64,
}

impl Fake {
    /// Listens on a free port.
    pub(crate) fn start(protocol: Protocol, script: Script) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            protocol,
            script,
            state: Mutex::default(),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Fake { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until `check` holds for what it did so far; false if `limit` goes by before.
    pub(crate) fn wait_until(&self, limit: Duration, check: impl Fn(&Did) -> bool) -> bool {
        let state = self.shared.state.lock().unwrap();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, limit, |state| !check(&state.did)).unwrap();
        check(&state.did)
    }

    /// Ends it, and tells what it did. Panics if one of its threads did: the load test broke the protocol.
    pub(crate) fn finish(mut self) -> Did {
        self.end();
        let connections = std::mem::take(&mut *self.shared.connections.lock().unwrap());
        for connection in connections {
            connection.join().expect("the load test keeps to the protocol");
        }
        self.shared.state.lock().unwrap().did.clone()
    }

    fn end(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts, which looks at the flag then.
        drop(TcpStream::connect(self.address));
        if accepting.join().is_err() {
            // It has said why.
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in listener.incoming().enumerate() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        shared.state.lock().unwrap().did.connections += 1;
        shared.changed.notify_all();
        let shared_here = Arc::clone(shared);
        let thread = std::thread::spawn(move || serve(&shared_here, number, stream));
        shared.connections.lock().unwrap().push(thread);
    }
}

fn serve(shared: &Shared, number: usize, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    // How often a thread that waits for its client looks whether the test is over.
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let line = Arc::new(Line::default());
    let writer = {
        let (stream, line) = (stream.try_clone().unwrap(), Arc::clone(&line));
        let in_pieces = shared.script.in_pieces;
        std::thread::spawn(move || line.write_to(stream, in_pieces))
    };
    let wire = shared.protocol.wire();
    match shared.script.manner {
        Manner::Closes => return line.close(),
        Manner::Babbles => line.send(b"\xc1\xc1 what is this? \xff\xff\r\n\r\n".to_vec()),
        Manner::Silent => {}
        _ => line.send(wire.welcome()),
    }
    let mut connection = Connection { number, wire, line: Arc::clone(&line), published: 0 };
    let (mut bytes, mut block) = (Vec::new(), vec![0; 256 << 10]);
    while !shared.over.load(Ordering::SeqCst) {
        shared.wait_while_deaf();
        match stream.read(&mut block) {
            Ok(0) => break,
            Ok(_) if matches!(shared.script.manner, Manner::Silent | Manner::Babbles) => {}
            Ok(length) => {
                bytes.extend_from_slice(&block[..length]);
                let used = shared.take(&mut connection, &bytes);
                bytes.drain(..used);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A command that ends with bytes unread resets its connections.
            Err(_) => break,
        }
    }
    line.close();
    writer.join().unwrap();
}

impl Shared {
    fn wait_while_deaf(&self) {
        let state = self.state.lock().unwrap();
        let waits = |state: &mut State| state.deaf && !self.over.load(Ordering::SeqCst);
        drop(self.changed.wait_while(state, waits).unwrap());
    }

    /// Does what every whole frame in `bytes` asks for; returns how many bytes that were.
    fn take(&self, connection: &mut Connection, bytes: &[u8]) -> usize {
        let mut used = 0;
        while let Some((length, said)) = connection.wire.take(&bytes[used..]) {
            used += length;
            match said {
                Said::Hello { .. } if self.script.manner == Manner::RefusesHello => {
                    connection.line.send(connection.wire.refuse());
                    connection.line.send(connection.wire.goodbye());
                    connection.line.close();
                }
                Said::Chore { .. } if self.script.manner == Manner::GoesMute => {}
                Said::Hello { answer } | Said::Chore { answer } => connection.line.send(answer),
                Said::Pong => self.state.lock().unwrap().did.pongs += 1,
                Said::Subscribe { pattern, answer, deliver } => match self.script.manner {
                    Manner::RefusesSubscribe => connection.line.send(connection.wire.refuse()),
                    Manner::GoesMute => {}
                    _ => {
                        self.state.lock().unwrap().subscribe(connection, pattern, deliver);
                        connection.line.send(answer);
                    }
                },
                Said::Publish { topic, payload, answer } => {
                    self.publish(connection, &topic, &payload);
                    connection.line.send(answer);
                }
            }
        }
        used
    }

    fn publish(&self, connection: &mut Connection, topic: &str, payload: &[u8]) {
        let mut state = self.state.lock().unwrap();
        let number = connection.published;
        connection.published += 1;
        if let Some((_, time)) = self.script.stall.filter(|&(from, _)| from == number) {
            // tidy: sleep: the stall itself, with the lock held: nobody is read meanwhile
            std::thread::sleep(time);
        }
        state.deaf |= self.script.deaf_from.is_some_and(|from| number >= from);
        let State { subscribers, did, .. } = &mut *state;
        did.published += 1;
        if did.payload_bytes == 0 {
            did.payload_bytes = payload.len();
        }
        for (index, subscriber) in subscribers.iter_mut().enumerate() {
            let of_topic = subscriber.subscriptions.iter().find(|(p, _)| wire::matches(p, topic));
            if let Some((_, deliver)) = of_topic {
                did.matched += 1;
                let deeds: Vec<Deed> = self.script.deeds_for(number, index).collect();
                let due = Instant::now() + self.script.delay;
                let line = Arc::clone(&subscriber.line);
                let held = &mut subscriber.held;
                let mut forward = Forward { connection, number, due, line: &line, held, deliver };
                forward.message(topic, payload.to_vec(), &deeds);
            }
            subscriber.release(connection.number, number);
        }
        self.changed.notify_all();
    }
}

impl State {
    fn subscribe(&mut self, connection: &Connection, pattern: String, deliver: Deliver) {
        let known = self.subscribers.iter_mut().find(|known| known.connection == connection.number);
        if let Some(known) = known {
            known.subscriptions.push((pattern, deliver));
        } else {
            self.subscribers.push(Subscriber {
                connection: connection.number,
                subscriptions: vec![(pattern, deliver)],
                line: Arc::clone(&connection.line),
                held: Vec::new(),
            });
        }
    }
}

impl Subscriber {
    /// Sends what waited for message `number` of a publisher's connection.
    fn release(&mut self, connection: usize, number: u64) {
        let line = &self.line;
        self.held.retain(|(of, after, frame)| {
            let due = *of == connection && *after <= number;
            if due {
                line.send(frame.clone());
            }
            !due
        });
    }
}

/// One message on its way to one subscriber.
struct Forward<'a> {
    connection: &'a Connection,
    number: u64,
    due: Instant,
    line: &'a Line,
    held: &'a mut Vec<(usize, u64, Vec<u8>)>,
    deliver: &'a Deliver,
}

impl Forward<'_> {
    fn message(&mut self, topic: &str, mut payload: Vec<u8>, deeds: &[Deed]) {
        let wire = &self.connection.wire;
        let (mut topic, mut times) = (topic, 1);
        for deed in deeds {
            match *deed {
                Deed::Drop => times = 0,
                Deed::Twice => times = 2,
                Deed::Damage(at, mask) => payload[at] ^= mask,
                Deed::Shorten => drop(payload.pop()),
                Deed::Astray(other) => topic = other,
                Deed::Hold(time) => self.due += time,
                Deed::Tell(missed) => self.send(wire.lagged(missed)),
                Deed::Ask => self.send(wire.ask()),
                Deed::Later(by) => {
                    times = 0;
                    self.hold(by, (self.deliver)(topic, &payload));
                }
                Deed::Apart(time) => {
                    times = 0;
                    self.line.send_apart(Instant::now() + time, (self.deliver)(topic, &payload));
                }
                Deed::Again(by) => self.hold(by, (self.deliver)(topic, &payload)),
                Deed::HalfThenSilence => {
                    let mut frame = (self.deliver)(topic, &payload);
                    frame.truncate(frame.len() / 2);
                    self.send(frame);
                    self.line.fall_silent();
                }
                Deed::Say(bytes) => {
                    times = 0;
                    self.send(bytes.to_vec());
                }
                Deed::Refuse => {
                    times = 0;
                    self.send(wire.refuse());
                }
                Deed::Goodbye => {
                    self.send(wire.goodbye());
                    self.line.close();
                }
                Deed::Close => self.line.close(),
            }
        }
        for _ in 0..times {
            self.send((self.deliver)(topic, &payload));
        }
    }

    fn send(&self, frame: Vec<u8>) {
        self.line.send_at(self.due, frame);
    }

    fn hold(&mut self, by: u64, frame: Vec<u8>) {
        self.held.push((self.connection.number, self.number + by, frame));
    }
}

/// Ends both directions; the client may have done so first.
fn hang_up(stream: &TcpStream) {
    stream.shutdown(Shutdown::Both).unwrap_or_default();
}
