//! A server that says what a test tells it to, in frames made and read by another msgpack library than the client's.

use std::{future::Future, io::Cursor, time::Duration};

use broker_client::{Backoff, Client, Event, Events, Message, Options, Subscription};
use rmpv::{Value, decode::read_value, encode::write_value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Nothing in these tests takes as long if it works.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let outcome = timeout(PATIENCE, future).await;
        outcome.unwrap_or_else(|_| panic!("nothing happened in {PATIENCE:?} at {caller}"))
    }
}

/// Asks again and again until it is so.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let asked = timeout(PATIENCE, async {
        while !check() {
            tokio::task::yield_now().await;
        }
    });
    assert!(asked.await.is_ok(), "after {PATIENCE:?} still not: {what}");
}

/// Options that make a test quick.
pub(crate) fn quick() -> Options {
    let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(20), jitter: 0.0 };
    Options::new().reconnect(backoff).close_timeout(Duration::from_secs(10))
}

/// A listener that accepts one client after another.
pub(crate) struct Fake {
    listener: TcpListener,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    pub(crate) fn url(&self) -> String {
        format!("broker://{}", self.listener.local_addr().expect("it is bound"))
    }

    /// A connection on which nothing was said yet.
    pub(crate) async fn accept_silently(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.expect("a connection");
        Peer { stream, incoming: Vec::new() }
    }

    /// A connection that is welcome.
    pub(crate) async fn accept(&self, session: u64) -> Peer {
        self.accept_with(session, &[]).await
    }

    /// A connection that is welcome, to a server with other limits.
    pub(crate) async fn accept_with(&self, session: u64, limits: &[(&str, u64)]) -> Peer {
        let mut peer = self.accept_silently().await;
        peer.expect("Hello").await;
        peer.welcome(session, limits).await;
        peer
    }

    /// A client and its connection.
    pub(crate) async fn client(&self, options: Options) -> (Client, Peer) {
        let url = self.url();
        let (client, peer) = tokio::join!(within(Client::connect(&url, options)), self.accept(1));
        (client.expect("the fake welcomes"), peer)
    }
}

/// The content of a `Welcome`.
fn welcome(session: u64, limits: &[(&str, u64)]) -> Value {
    let limit = |name: &str, default: u64| {
        let given = limits.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        (name.into(), given.unwrap_or(default).into())
    };
    Value::Map(vec![
        ("server".into(), "fake".into()),
        ("version".into(), "9.9".into()),
        ("protocol".into(), 1.into()),
        ("session".into(), session.into()),
        limit("frame_bytes_max", 8 << 20),
        limit("topic_bytes_max", 1024),
        limit("pattern_bytes_max", 1024),
        limit("subscriptions_max", 1000),
        limit("depth_max", 128),
        limit("outbox_bytes_max", 8 << 20),
        limit("idle_timeout_ms", 0),
        ("of a later version".into(), Value::Nil),
    ])
}

/// One connection, seen from the server.
pub(crate) struct Peer {
    stream: TcpStream,
    incoming: Vec<u8>,
}

impl Peer {
    pub(crate) async fn welcome(&mut self, session: u64, limits: &[(&str, u64)]) {
        self.event("Welcome", vec![welcome(session, limits)]).await;
    }

    /// The next frame; `None` if the client closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        within(async {
            loop {
                let mut cursor = Cursor::new(&self.incoming);
                if let Ok(value) = read_value(&mut cursor) {
                    let len = usize::try_from(cursor.position()).expect("it fits");
                    self.incoming.drain(..len);
                    return Some(value);
                }
                if self.stream.read_buf(&mut self.incoming).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        })
        .await
    }

    /// The next command and its arguments.
    pub(crate) async fn command(&mut self) -> (String, Vec<Value>) {
        let frame = self.frame().await.expect("a command, not the end");
        let Value::Map(mut entries) = frame else { panic!("no map: {frame}") };
        assert_eq!(entries.len(), 1, "a command is a map of one entry");
        let (name, arguments) = entries.remove(0);
        let Value::Array(arguments) = arguments else { panic!("no array of arguments: {arguments}") };
        (name.as_str().expect("a name").to_owned(), arguments)
    }

    /// The next command, which must be this one; its arguments.
    #[track_caller]
    pub(crate) fn expect<'a>(&'a mut self, name: &'a str) -> impl Future<Output = Vec<Value>> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let (found, arguments) = self.command().await;
            assert_eq!(found, name, "at {caller}; its arguments are {arguments:?}");
            arguments
        }
    }

    /// The next command, which must be a `Subscribe` to this pattern; says `Ok`. Returns its options.
    pub(crate) async fn grant(&mut self, pattern: &str) -> Value {
        let arguments = self.expect("Subscribe").await;
        assert_eq!(arguments[0].as_str(), Some(pattern));
        let options = arguments[1].clone();
        self.ok(&options, Value::Nil).await;
        options
    }

    /// The next command, which must be a `Publish`: topic, value, options.
    pub(crate) async fn published(&mut self) -> (String, Value, Value) {
        let arguments = self.expect("Publish").await;
        let pair = arguments[0].as_array().expect("a pair");
        assert_eq!(pair.len(), 2);
        let options = arguments.get(1).cloned().unwrap_or(Value::Map(Vec::new()));
        (pair[0].as_str().expect("a topic").to_owned(), pair[1].clone(), options)
    }

    /// Answers the command with these options.
    pub(crate) async fn ok(&mut self, options: &Value, result: Value) {
        self.event("Ok", vec![get(options, "id"), result]).await;
    }

    /// Refuses the command with these options.
    pub(crate) async fn refuse(&mut self, options: &Value, code: u16, text: &str) {
        self.event("Err", vec![get(options, "id"), code.into(), text.into()]).await;
    }

    /// Answers a flush.
    pub(crate) async fn answer_flush(&mut self) {
        let arguments = self.expect("Ping").await;
        self.ok(&arguments[0], Value::Nil).await;
    }

    pub(crate) async fn event(&mut self, name: &str, arguments: Vec<Value>) {
        self.value(&Value::Map(vec![(name.into(), Value::Array(arguments))])).await;
    }

    pub(crate) async fn message(&mut self, topic: &str, value: impl Into<Value>) {
        self.value(&Value::Array(vec![topic.into(), value.into()])).await;
    }

    pub(crate) async fn value(&mut self, value: &Value) {
        self.bytes(&bytes_of(value)).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("the client reads");
    }

    /// Waits for the `Close` and says goodbye.
    pub(crate) async fn part(mut self) {
        self.expect("Close").await;
        self.event("Goodbye", vec!["closed".into(), "as asked".into()]).await;
    }
}

/// A value in msgpack.
pub(crate) fn bytes_of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(&mut bytes, value).expect("a Vec takes everything");
    bytes
}

/// An entry of a map; nil if there is none.
pub(crate) fn get(map: &Value, key: &str) -> Value {
    let entries = map.as_map().expect("a map");
    entries.iter().find(|(name, _)| name.as_str() == Some(key)).map_or(Value::Nil, |(_, value)| value.clone())
}

/// The next message, which must come: its topic and its value as a number.
pub(crate) async fn next(subscription: &mut Subscription) -> (String, u64) {
    let message: Message = within(subscription.recv()).await.expect("a message, not the end");
    (message.topic().to_owned(), message.decode().expect("a number"))
}

/// The next event that `pick` takes; others are passed over.
pub(crate) async fn event<T>(events: &mut Events, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    within(async {
        loop {
            let event = events.recv().await.expect("the event that is waited for, not the end");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    })
    .await
}
