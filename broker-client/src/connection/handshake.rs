//! From an address to a connection that is welcome: look-up, TCP, `Hello`, `Welcome`.
//!
//! Invariant: nothing is sent but the `Hello` until the server has answered it as a broker does.

use std::{io, net::SocketAddr, time::Duration};

use broker_core::{
    reason::ErrorCode,
    wire::native::{Event as ServerEvent, FrameScanner, Hello, VERSION, WireLimits, encode},
};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::wire::Wire;
use crate::{ConnectError, Login, Options, ServerInfo, address::Address};

/// The longest name that a `Hello` may give, in bytes; docs/protocol.md.
const NAME_BYTES_MAX: usize = 256;

/// The largest first frame that is listened to, in bytes. A `Welcome` has some 300.
const WELCOME_BYTES_MAX: usize = 16 * 1024;

/// What a frame may have beside the published one: the meta, and the longer way to write a header.
const META_BYTES_MAX: usize = 64 * 1024;

/// Makes a connection, within `limit`.
pub(crate) async fn open(
    address: &Address,
    options: &Options,
    limit: Duration,
) -> Result<(Wire, ServerInfo), ConnectError> {
    if options.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(ConnectError::Options("the client's name is longer than 256 bytes"));
    }
    let deadline = Instant::now() + limit;
    let timeout = |connected| ConnectError::Timeout { address: address.to_string(), after: limit, connected };
    let stream = timeout_at(deadline, connect(address)).await.map_err(|_| timeout(false))??;
    timeout_at(deadline, greet(stream, address, options)).await.map_err(|_| timeout(true))?
}

/// Tries each address of the host in turn. The error is that of the last one.
async fn connect(address: &Address) -> Result<TcpStream, ConnectError> {
    let resolve = |text: String| ConnectError::Resolve { host: address.host.clone(), text };
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let candidates: Vec<SocketAddr> = found.map_err(|error| resolve(error.to_string()))?.collect();
    let mut outcome = Err(resolve("the name has no address".to_owned()));
    for candidate in candidates {
        outcome = TcpStream::connect(candidate).await.map_err(|error| failed(address, &error));
        if outcome.is_ok() {
            break;
        }
    }
    let stream = outcome?;
    // Frames are collected here, not in the kernel. Where the system does not allow it, it is only slower.
    drop(stream.set_nodelay(true));
    Ok(stream)
}

async fn greet(
    mut stream: TcpStream,
    address: &Address,
    options: &Options,
) -> Result<(Wire, ServerInfo), ConnectError> {
    let mut hello = Vec::new();
    let auth = options.login.as_ref().map(Login::credentials);
    encode::hello(&mut hello, &Hello { version: VERSION, name: options.name.clone(), auth });
    // A server that says goodbye at once may have closed already: what it said counts, not that it does not listen.
    let sent = stream.write_all(&hello).await;
    let mut incoming = BytesMut::with_capacity(4096);
    let limits = WireLimits { frame_bytes_max: WELCOME_BYTES_MAX, ..WireLimits::default() };
    let mut scanner = FrameScanner::new(limits);
    let not_a_broker = |what: String| ConnectError::NotABroker { address: address.to_string(), what };
    let len = loop {
        match scanner.scan(&incoming) {
            Ok(Some(len)) => break len,
            Ok(None) => {}
            Err(error) => return Err(not_a_broker(format!("it answered: {error}"))),
        }
        match stream.read_buf(&mut incoming).await {
            Ok(0) => return Err(not_a_broker("it closed the connection without an answer".to_owned())),
            Ok(_) => {}
            Err(error) => return Err(failed(address, sent.as_ref().err().unwrap_or(&error))),
        }
    };
    let server = welcome(incoming.get(..len).unwrap_or_default()).map_err(|refusal| match refusal {
        Refusal::Told(ConnectError::Rejected { code, .. }) if code == ErrorCode::Unauthorized.number() => {
            unauthorized(options.login.as_ref())
        }
        Refusal::Told(error) => error,
        Refusal::Nonsense(what) => not_a_broker(what),
    })?;
    incoming.advance(len);
    Ok((Wire::new(stream, incoming, reading_limits(&server, options)), server))
}

/// Why the first frame is no `Welcome`.
enum Refusal {
    Told(ConnectError),
    Nonsense(String),
}

fn welcome(frame: &[u8]) -> Result<ServerInfo, Refusal> {
    match ServerEvent::parse(frame) {
        Ok(ServerEvent::Welcome(welcome)) => Ok(welcome.into()),
        Ok(ServerEvent::Goodbye { reason, detail }) => {
            Err(Refusal::Told(ConnectError::Goodbye { reason: reason.to_owned(), detail: detail.to_owned() }))
        }
        Ok(ServerEvent::Err { code, text, .. }) => {
            Err(Refusal::Told(ConnectError::Rejected { code, text: text.to_owned() }))
        }
        Ok(_) => Err(Refusal::Nonsense("its first word is not a welcome".to_owned())),
        Err(error) => Err(Refusal::Nonsense(format!("it answered: {error}"))),
    }
}

/// What the code of that name means to a client with this login.
fn unauthorized(login: Option<&Login>) -> ConnectError {
    match login {
        None => ConnectError::AuthRequired,
        Some(Login::Token(_)) => ConnectError::Unauthorized { user: None },
        Some(Login::User { name, .. }) => ConnectError::Unauthorized { user: Some(name.clone()) },
    }
}

/// How large and how deep a frame of this server may be: as it takes them itself, within what the program allows.
fn reading_limits(server: &ServerInfo, options: &Options) -> WireLimits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    WireLimits {
        frame_bytes_max: size(server.frame_bytes_max)
            .saturating_add(META_BYTES_MAX)
            .min(options.incoming_frame_bytes_max),
        depth_max: size(server.depth_max),
    }
}

fn failed(address: &Address, error: &io::Error) -> ConnectError {
    let address = address.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
        kind => ConnectError::Io { address, kind, text: error.to_string() },
    }
}
