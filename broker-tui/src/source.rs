//! The connection to the broker: what the model wants becomes subscriptions, what they bring becomes news.
//!
//! One [`Client`]; a task that keeps it and a task per subscription, all ended when the [`Source`] is dropped. Whatever
//! arrives goes into the bounded [`Inbox`]; no message waits for the screen.

pub mod decode;
pub mod inbox;

use std::sync::Arc;
use std::time::Duration;

use broker_client::{
    Backoff, Client, ConnectError, Event, LaggedBy, Login, Message, Options, Policy, SubscribeError,
    SubscribeOptions,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::message::News;
use crate::model::wants::{Wants, exactly};
use inbox::Inbox;

const METRICS: &str = "!system/metrics/*";
const TOTALS: &str = "!system/totals";
const SERVER: &str = "!system/server";
const CONNECTIONS: &str = "!system/connections";
const CLOSED: &str = "!system/connections/closed";
const SLOW: &str = "!system/events/slow-consumer";
const TOPICS: &str = "!system/topics";

/// Delays between attempts to connect: someone is looking at the screen, so not longer than this.
const BACKOFF: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(2), jitter: 0.2 };
/// The broker speaks every second, so this much silence is worth a question.
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a second the selected topic is drawn anew at the most, so that more of its values would be of no use.
const WATCHED_PER_SECOND: f64 = 16.0;
/// Messages and bytes that may wait in the client, ahead of the inbox.
const BUFFER_MESSAGES: usize = 4_096;
const BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The live connection of a dashboard.
#[derive(Debug)]
pub struct Source {
    inbox: Arc<Inbox>,
    wants: watch::Sender<Wants>,
    task: Task<ConnectError>,
}

/// Connects, once.
///
/// # Errors
///
/// Nothing listens there, what listens is not a broker, or it does not accept who this is.
pub async fn connect(address: &str, login: Option<&Login>) -> Result<Client, ConnectError> {
    let options = Options::new();
    let options = match login {
        Some(login) => options.login(login.clone()),
        None => options,
    };
    let options = options
        .name("broker-tui")
        .connect_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .reconnect(BACKOFF)
        .subscription_messages_max(BUFFER_MESSAGES)
        .subscription_bytes_max(BUFFER_BYTES);
    Client::connect(address, options).await
}

impl Source {
    /// Keeps a connection to `address`, with `client` as the first one if there is one already. Must be called within a
    /// tokio runtime.
    pub fn start(address: &str, login: Option<Login>, client: Option<Client>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let (wants, wanted) = watch::channel(Wants::default());
        let task = tokio::spawn(keep(address.to_owned(), login, client, Arc::clone(&inbox), wanted));
        Self { inbox, wants, task: Task(task) }
    }

    /// Says what is wanted from now on.
    pub fn want(&self, wants: Wants) {
        self.wants.send_if_modified(|old| {
            let changed = *old != wants;
            *old = wants;
            changed
        });
    }

    /// Waits until there is news.
    ///
    /// # Errors
    ///
    /// The address can never be connected to, or the broker does not accept who this is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            () = self.inbox.changed() => Ok(()),
            end = &mut self.task.0 => Err(end?.into()),
        }
    }

    /// The news since the last time.
    pub fn take(&self) -> Vec<News> {
        self.inbox.take()
    }
}

/// Connects again and again; returns only what makes that pointless.
async fn keep(
    address: String,
    login: Option<Login>,
    client: Option<Client>,
    inbox: Arc<Inbox>,
    mut wants: watch::Receiver<Wants>,
) -> ConnectError {
    let mut client = client;
    let mut attempt = 0;
    loop {
        let connected = match client.take() {
            Some(client) => Ok(client),
            None => connect(&address, login.as_ref()).await,
        };
        match connected {
            Ok(client) => {
                attempt = 0;
                serve(&client, &inbox, &mut wants).await;
            }
            Err(error) if is_final(&error) => return error,
            Err(error) => inbox.put(News::Disconnected { error: error.to_string() }),
        }
        tokio::time::sleep(BACKOFF.delay(attempt, 0.0)).await;
        attempt = attempt.saturating_add(1);
    }
}

/// Whether another attempt would end as this one.
fn is_final(error: &ConnectError) -> bool {
    use ConnectError::{Address, AuthRequired, Options, Unauthorized};
    matches!(error, Address { .. } | Options(_) | AuthRequired | Unauthorized { .. })
}

/// Serves the dashboard from one client, which reconnects by itself, until it is closed for good.
async fn serve(client: &Client, inbox: &Arc<Inbox>, wants: &mut watch::Receiver<Wants>) {
    tokio::select! {
        () = listen(client, inbox) => {}
        result = subscribe(client, inbox, wants) => {
            if let Err(error) = result {
                tracing::warn!(%error, "no more subscriptions");
                inbox.put(News::Disconnected { error: error.to_string() });
            }
        }
    }
}

/// What the client tells of its connection.
async fn listen(client: &Client, inbox: &Inbox) {
    let mut events = client.events();
    while let Some(event) = events.recv().await {
        tracing::debug!(?event, "event");
        match event {
            Event::Connected { session, .. } => inbox.put(News::Connected { session: Some(session) }),
            Event::Disconnected { error, .. } => inbox.put(News::Disconnected { error: error.to_string() }),
            Event::Closed { reason } => inbox.put(News::Disconnected { error: reason.to_string() }),
            Event::Lagged { pattern, missed, by } => inbox.lagged(&pattern, missed, by == LaggedBy::Client),
            Event::SubscriptionLost { pattern, text, .. } => {
                inbox.put(News::Refused { pattern, error: text });
            }
            _ => {}
        }
    }
}

/// The subscriptions beside those that always are.
#[derive(Default)]
struct Open {
    connections: Option<(Task<()>, Task<()>)>,
    closed: Option<Task<()>>,
    topics: Option<Task<()>>,
    tap: Option<(String, Task<()>)>,
    watch: Option<(String, Task<()>)>,
}

/// Keeps the subscriptions as they are wanted, until the client is closed or the dashboard is gone.
async fn subscribe(
    client: &Client,
    inbox: &Arc<Inbox>,
    wants: &mut watch::Receiver<Wants>,
) -> Result<(), SubscribeError> {
    let mut always = Vec::new();
    for pattern in [SERVER, TOTALS, METRICS] {
        always.push(open(client, inbox, pattern, state(), system_news).await?);
    }
    let mut opened = Open::default();
    loop {
        let wanted = wants.borrow_and_update().clone();
        opened.follow(client, inbox, wanted).await?;
        if wants.changed().await.is_err() {
            return Ok(());
        }
    }
}

impl Open {
    async fn follow(
        &mut self,
        client: &Client,
        inbox: &Arc<Inbox>,
        wants: Wants,
    ) -> Result<(), SubscribeError> {
        // What is not wanted any more goes before anything is waited for.
        self.connections.take_if(|_| !wants.connections);
        self.closed.take_if(|_| !wants.closed);
        self.topics.take_if(|_| !wants.topics);
        self.tap.take_if(|(pattern, _)| wants.tap.as_ref() != Some(pattern));
        self.watch.take_if(|(topic, _)| wants.watch.as_ref() != Some(topic));
        if wants.connections && self.connections.is_none() {
            // What becomes of each is worth more than its newest alone.
            let events = SubscribeOptions::new().policy(Policy::DropOldest);
            let events = open(client, inbox, SLOW, events, system_news).await?;
            self.connections = Some((open(client, inbox, CONNECTIONS, state(), system_news).await?, events));
        }
        if wants.closed && self.closed.is_none() {
            self.closed = Some(open(client, inbox, CLOSED, state(), system_news).await?);
        }
        if wants.topics && self.topics.is_none() {
            self.topics = Some(open(client, inbox, TOPICS, state(), system_news).await?);
        }
        if let Some(pattern) = wants.tap.filter(|_| self.tap.is_none()) {
            inbox.tap(&pattern);
            // A look at the traffic must not hold it up, whatever the broker does by default.
            let options = SubscribeOptions::new().policy(Policy::Skip);
            match open(client, inbox, &pattern, options, Inbox::tapped).await {
                Ok(task) => self.tap = Some((pattern, task)),
                Err(error @ SubscribeError::Closed(_)) => return Err(error),
                Err(error) => inbox.put(News::Refused { pattern, error: error.to_string() }),
            }
        }
        if let Some(topic) = wants.watch.filter(|_| self.watch.is_none()) {
            let options = state().max_rate(WATCHED_PER_SECOND);
            match open(client, inbox, &exactly(&topic), options, Inbox::watched).await {
                Ok(task) => self.watch = Some((topic, task)),
                Err(error @ SubscribeError::Closed(_)) => return Err(error),
                // The table still tells its value each second.
                Err(error) => tracing::warn!(%error, topic, "cannot watch"),
            }
        }
        Ok(())
    }
}

/// For topics of which only the newest message is of use.
fn state() -> SubscribeOptions {
    SubscribeOptions::new().policy(Policy::Conflate)
}

/// Subscribes, and hands on what comes.
async fn open(
    client: &Client,
    inbox: &Arc<Inbox>,
    pattern: &str,
    options: SubscribeOptions,
    deliver: fn(&Inbox, Message),
) -> Result<Task<()>, SubscribeError> {
    let mut subscription = client.subscribe_with(pattern, options.meta(true)).await?;
    let inbox = Arc::clone(inbox);
    Ok(Task(tokio::spawn(async move {
        while let Some(message) = subscription.recv().await {
            deliver(&inbox, message);
        }
    })))
}

#[expect(clippy::needless_pass_by_value, reason = "the same type as the other ways to deliver")]
fn system_news(inbox: &Inbox, message: Message) {
    let time_ms = message.meta().map(|meta| meta.time);
    match decode::system(message.topic(), message.value(), time_ms) {
        Ok(Some(news)) => inbox.put(news),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, topic = message.topic(), "not understood"),
    }
}
