//! The relay: copies bytes from a publisher to the subscribers and looks at none of them.
//!
//! It is what the broker's speed is measured against, so it is as good as copying through sockets gets: one thread for each
//! publisher, blocking, which reads a big block and writes it to each subscriber of its group in turn. A connection begins with a
//! [`Greeting`] that says its role and its group; the relay answers with the same bytes once it has taken the connection
//! in. Subscribers of a group connect before its publisher. The process ends when its standard input does, so that it never
//! outlives the load test that started it.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};

use crate::sync::lock;

/// Bytes of a block, unless `--block` says otherwise. Measured: 64 KiB to 512 KiB are within noise of one another.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;
/// Bytes of a [`Greeting`].
const GREETING_BYTES: usize = 8;

/// How the relay is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RelayArgs {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bytes read at once.
    #[arg(long, value_name = "BYTES", default_value_t = BLOCK_BYTES)]
    block: usize,
}

/// What a connection to the relay is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It sends.
    Publisher,
    /// It receives all that the publisher of its group sends.
    Subscriber,
}

/// The first bytes of a connection, and their answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// What the connection is for.
    pub(crate) role: Role,
    /// Which publisher goes to which subscribers.
    pub(crate) group: u32,
}

impl Greeting {
    fn to_bytes(self) -> [u8; GREETING_BYTES] {
        let role = match self.role {
            Role::Publisher => b'p',
            Role::Subscriber => b's',
        };
        let [a, b, c, d] = self.group.to_be_bytes();
        [b'r', b'l', b'y', role, a, b, c, d]
    }

    fn from_bytes(bytes: [u8; GREETING_BYTES]) -> Result<Self> {
        let role = match bytes {
            [b'r', b'l', b'y', b'p', ..] => Role::Publisher,
            [b'r', b'l', b'y', b's', ..] => Role::Subscriber,
            _ => bail!("not a greeting: {bytes:?}"),
        };
        let [.., a, b, c, d] = bytes;
        Ok(Self { role, group: u32::from_be_bytes([a, b, c, d]) })
    }

    /// Connects to the relay at `address` and waits until it has taken the connection in.
    pub(crate) fn connect(self, address: SocketAddr) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to the relay at {address}"))?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.to_bytes())?;
        let mut answer = [0; GREETING_BYTES];
        stream.read_exact(&mut answer).context("the relay does not answer")?;
        ensure!(answer == self.to_bytes(), "the relay answers {answer:?}");
        Ok(stream)
    }
}

/// Subscribers by group, until their publisher takes them.
type Groups = Arc<Mutex<HashMap<u32, Vec<TcpStream>>>>;

/// Runs the relay until standard input ends.
pub(crate) fn run(args: &RelayArgs) -> Result<()> {
    ensure!((1..=64 << 20).contains(&args.block), "--block is 1 to 67108864 bytes");
    let listener =
        TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("listening on {} (relay)", listener.local_addr()?);
    let block = args.block;
    std::thread::Builder::new().name("accept".into()).spawn(move || serve(&listener, block))?;
    let mut ignored = [0; 64];
    while std::io::stdin().read(&mut ignored).context("standard input broke")? > 0 {}
    Ok(())
}

/// Accepts connections for ever.
pub(crate) fn serve(listener: &TcpListener, block: usize) {
    let groups = Groups::default();
    for stream in listener.incoming() {
        let result = stream.map_err(anyhow::Error::from).and_then(|stream| take_in(stream, &groups, block));
        if let Err(error) = result {
            eprintln!("relay: {error:#}");
        }
    }
}

/// Reads the greeting; keeps a subscriber, starts a thread for a publisher.
fn take_in(mut stream: TcpStream, groups: &Groups, block: usize) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = [0; GREETING_BYTES];
    stream.read_exact(&mut bytes).context("no greeting")?;
    let greeting = Greeting::from_bytes(bytes)?;
    let mut groups = lock(groups);
    match greeting.role {
        Role::Subscriber => {
            stream.write_all(&bytes)?;
            groups.entry(greeting.group).or_default().push(stream);
        }
        Role::Publisher => {
            let Some(subscribers) = groups.remove(&greeting.group) else {
                bail!("group {} has no subscribers, or its publisher came before", greeting.group);
            };
            stream.write_all(&bytes)?;
            let name = format!("group {}", greeting.group);
            std::thread::Builder::new().name(name).spawn(move || copy(stream, subscribers, block))?;
        }
    }
    Ok(())
}

/// The work: a block in, the same block out to each.
fn copy(mut publisher: TcpStream, mut subscribers: Vec<TcpStream>, block: usize) {
    let mut buffer = vec![0; block];
    loop {
        let bytes = match publisher.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => buffer.get(..length).unwrap_or(&[]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return eprintln!("relay: a publisher broke: {error}"),
        };
        // A subscriber that went away takes no part any more; the load test sees its end of it.
        subscribers.retain_mut(|subscriber| subscriber.write_all(bytes).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_to_the_group_and_nowhere_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(&listener, 7));
        let connect = |role, group| Greeting { role, group }.connect(address).unwrap();
        let mut subscribers = [0, 0, 1].map(|group| connect(Role::Subscriber, group));
        for (group, text) in [(0, &b"to the first group"[..]), (1, b"to the second")] {
            let mut publisher = connect(Role::Publisher, group);
            publisher.write_all(text).unwrap();
        }
        let got = subscribers.each_mut().map(|subscriber| {
            let mut all = Vec::new();
            subscriber.read_to_end(&mut all).unwrap();
            all
        });
        assert_eq!(got, [&b"to the first group"[..], b"to the first group", b"to the second"]);
    }

    #[test]
    fn a_greeting_survives_its_bytes() {
        for role in [Role::Publisher, Role::Subscriber] {
            let greeting = Greeting { role, group: 0x0102_0304 };
            assert_eq!(Greeting::from_bytes(greeting.to_bytes()).unwrap(), greeting);
        }
        assert!(Greeting::from_bytes(*b"GET / HT").is_err());
    }
}
