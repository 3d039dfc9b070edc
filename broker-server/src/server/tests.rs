//! The server's own part in serving NATS clients: ports, who may come in, and how everybody is sent away. What the protocol says is tested in
//! `tests/nats`.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::{Config, Listen, Users};

/// For what takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// A NATS client, by hand.
struct Client(TcpStream);

impl Client {
    /// Connects and says `commands`.
    async fn new(server: &Server, commands: &str) -> Self {
        let mut stream = TcpStream::connect(server.nats_addr().unwrap()).await.unwrap();
        stream.write_all(commands.as_bytes()).await.unwrap();
        Client(stream)
    }

    /// Reads until `wanted` has come. Returns everything up to then.
    async fn reads(&mut self, wanted: &str) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&bytes).contains(wanted) {
                assert_ne!(self.0.read_buf(&mut bytes).await.unwrap(), 0, "the end came before {wanted:?}");
            }
        };
        let in_time = timeout(DEADLINE, read).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(in_time.is_ok(), "no {wanted:?}, but {text:?}");
        text
    }

    /// Reads to the end.
    async fn reads_all(&mut self) -> String {
        let mut text = String::new();
        timeout(DEADLINE, self.0.read_to_string(&mut text)).await.unwrap().unwrap();
        text
    }
}

fn builder() -> Builder {
    Server::builder().listen("127.0.0.1:0").nats("127.0.0.1:0")
}

fn users(users: &str) -> config::Auth {
    config::Auth { token: None, users: users.parse::<Users>().unwrap() }
}

/// Cause: another program on port 4222. Effect, without `if free`: a broker that nobody asked for NATS would not start.
#[tokio::test]
async fn a_default_port_in_use_is_no_error() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let start = async |listen: &str, nats: &str| {
        let mut config = Config { listen: listen.parse().unwrap(), workers: 1, ..Config::default() };
        config.nats.listen = nats.parse().unwrap();
        Server::builder().config(&config).start().await
    };
    let server = start("127.0.0.1:0", &format!("{taken} if free")).await.unwrap();
    assert!(server.local_addr().is_some() && server.nats_addr().is_none());
    server.stop().await;

    for (listen, nats) in [("127.0.0.1:0", taken.clone()), ("off", format!("{taken} if free"))] {
        let error = start(listen, &nats).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {taken}: the port is in use")), "{error}");
    }
    drop(other);
    let server = start("off", &format!("{taken} if free")).await.unwrap();
    assert_eq!(server.nats_addr().unwrap().to_string(), taken);
    server.stop().await;
}

#[test]
fn nothing_opens_the_port_of_nats_unasked() {
    let text = format!("{:?}", Server::builder());
    assert!(text.contains("nats_listen: None") && text.contains("monitor: None"), "{text}");
    assert_eq!(Config::default().nats.listen.to_string(), "127.0.0.1:4222 if free");
    assert!(matches!(Config::default().nats.listen, Listen::IfFree(_)));
}

#[tokio::test]
async fn who_is_a_stranger_is_sent_away() {
    let server = builder().auth(users("alice:a")).start().await.unwrap();
    let mut stranger = Client::new(&server, "CONNECT {\"user\":\"alice\",\"pass\":\"b\"}\r\nPING\r\n").await;
    let said = stranger.reads_all().await;
    assert!(said.contains("\"auth_required\":true"), "{said}");
    assert!(said.ends_with("-ERR 'Authorization Violation'\r\n"), "{said}");
    let closed = async {
        while server.shared.closed.list().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, closed).await.unwrap();
    let stranger = server.shared.closed.list().remove(0);
    assert_eq!(stranger.end.unwrap().1.nats_name(), "Authentication Failure");
    assert_eq!(stranger.user, "alice", "who it said to be");
    let mut alice = Client::new(&server, "CONNECT {\"user\":\"alice\",\"pass\":\"a\"}\r\nPING\r\n").await;
    alice.reads("+OK\r\nPONG\r\n").await;

    // Others from now on, also with a hash; who is in stays in.
    let hash = bcrypt::hash("b", 4).unwrap();
    server.set_auth(users(&format!("bob:{hash}")));
    Client::new(&server, "CONNECT {\"user\":\"alice\",\"pass\":\"a\"}\r\n").await.reads("-ERR ").await;
    Client::new(&server, "CONNECT {\"user\":\"bob\",\"pass\":\"b\"}\r\nPING\r\n").await.reads("PONG").await;
    alice.0.write_all(b"PING\r\n").await.unwrap();
    alice.reads("PONG").await;
    server.stop().await;
}

#[tokio::test]
async fn the_native_protocol_asks_as_well() {
    let server = builder().auth(users("alice:a")).start().await.unwrap();
    let mut lbroker = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    // {"Publish": [["t", nil]]}
    lbroker.write_all(b"\x81\xa7Publish\x91\x92\xa1t\xc0").await.unwrap();
    let mut said = Vec::new();
    timeout(DEADLINE, lbroker.read_to_end(&mut said)).await.unwrap().unwrap();
    assert_eq!(server.broker().topic_stats().topics, topics_of_the_server(&server), "nothing was published");
    server.stop().await;
}

/// Those that the server publishes itself.
fn topics_of_the_server(server: &Server) -> usize {
    let topics = server.broker().recent_topics(1_000, 0);
    topics.iter().filter(|topic| topic.topic.starts_with("!system/")).count()
}

#[tokio::test]
async fn one_client_too_many_is_told() {
    let server = builder().connections_max(1).start().await.unwrap();
    let mut first = Client::new(&server, "CONNECT {\"verbose\":false}\r\nPING\r\n").await;
    first.reads("PONG\r\n").await;
    let mut second = Client::new(&server, "").await;
    let said = second.reads_all().await;
    assert!(said.starts_with("INFO {"), "{said}");
    assert!(said.ends_with("-ERR 'maximum connections exceeded'\r\n"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn a_lame_duck_sends_everybody_away() {
    let server = builder().start().await.unwrap();
    let hello = "CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n";
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::new(&server, hello).await;
        client.reads("PONG\r\n").await;
        clients.push(client);
    }
    let address = server.nats_addr().unwrap();
    timeout(DEADLINE, server.lame_duck(Duration::from_millis(1), Duration::from_millis(30))).await.unwrap();
    for mut client in clients {
        let said = client.reads_all().await;
        assert!(said.contains("\"ldm\":true"), "{said}");
    }
    assert_eq!(server.broker().connections(), 0);
    let late = TcpStream::connect(address).await;
    assert!(late.is_err(), "nobody listens any more");
    let report = server.stop().await;
    assert_eq!((report.sessions, report.sessions_cut), (0, 0));
}
