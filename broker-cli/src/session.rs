//! What a command works with: the output, the connection, and what the connection tells beside messages.
//!
//! Owns how long things may take and what is said on standard error about lag and lost connections. Invariant: lag is always told,
//! at most once a second and pattern, with the right sum.

use std::{collections::BTreeMap, time::Duration};

use broker_client::{Backoff, Client, CloseReason, Event, Events, LaggedBy, Login, Options, State};
use tokio::{sync::watch, time::Instant};

use crate::{
    args::{Arguments, Global},
    exit::{Exit, Failure},
    print::{Notes, Output, text},
};

/// How long an answer may take if `--timeout` does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How long the goodbye may take at the end: a broker that is there answers at once.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Lag of one pattern is told at most so often.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// What is to be done when the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenLost {
    /// The command ends.
    End,
    /// Connect again and go on.
    Reconnect,
}

impl WhenLost {
    /// From the option `--reconnect`.
    pub(crate) fn from_option(reconnect: bool) -> Self {
        if reconnect { WhenLost::Reconnect } else { WhenLost::End }
    }
}

/// A command's surroundings.
pub(crate) struct Session {
    /// Standard output.
    pub out: Output,
    /// Standard error.
    pub notes: Notes,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    addr: String,
    login: Result<Option<Login>, Failure>,
    name: String,
    client: Option<Client>,
}

impl Session {
    /// The surroundings that the command line asks for; not connected yet.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let Global { addr, login, name, timeout, color, quiet, verbose } = &arguments.global;
        Session {
            out: Output::stdout(*color),
            notes: Notes::stderr(*color, *quiet, *verbose > 0),
            timeout: *timeout,
            addr: addr.clone(),
            login: login.login(),
            name: name.clone().unwrap_or_else(|| format!("broker-{}", arguments.command.name())),
            client: None,
        }
    }

    /// How long an answer may take.
    pub(crate) fn answer_timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT_DEFAULT)
    }

    /// Connects to the broker, for a command whose `--timeout` is about the broker's answers.
    ///
    /// # Errors
    /// There is none, or it does not answer in time.
    pub(crate) async fn connect(&mut self) -> Result<Connection, Failure> {
        self.connect_within(self.answer_timeout(), WhenLost::End).await
    }

    /// Connects to the broker, for a command whose `--timeout` is about messages: that begins when it listens.
    ///
    /// # Errors
    /// There is none, or it does not answer in time.
    pub(crate) async fn connect_to_listen(&mut self, when_lost: WhenLost) -> Result<Connection, Failure> {
        self.connect_within(self.answer_timeout().max(TIMEOUT_DEFAULT), when_lost).await
    }

    async fn connect_within(
        &mut self,
        timeout: Duration,
        when_lost: WhenLost,
    ) -> Result<Connection, Failure> {
        let options = Options::new()
            .name(&self.name)
            .connect_timeout(timeout)
            .request_timeout(self.answer_timeout())
            .close_timeout(CLOSE_TIMEOUT);
        let options = match when_lost {
            WhenLost::End => options.never_reconnect(),
            WhenLost::Reconnect => options.reconnect(Backoff::default()),
        };
        let options = match self.login.clone()? {
            Some(login) => options.login(login),
            None => options,
        };
        let client = Client::connect(&self.addr, options).await?;
        if let Some(server) = client.server() {
            let (program, version, session) = (&server.server, &server.version, server.session);
            self.notes
                .detail(format_args!("connected to {program} {version} at {}, session {session}", self.addr));
        }
        let (sender, closed) = watch::channel(None);
        tokio::spawn(tell(client.events(), self.notes, sender));
        self.client = Some(client.clone());
        Ok(Connection { client, closed })
    }

    /// The end: what is buffered goes out, the broker hears goodbye.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        if let Some(client) = self.client.filter(|client| client.state() == State::Connected)
            && let Err(error) = client.close().await
        {
            // What the command promised was confirmed before it came here.
            self.notes.detail(error);
        }
        flushed
    }
}

/// A connection that stands.
pub(crate) struct Connection {
    /// The client.
    pub client: Client,
    closed: watch::Receiver<Option<CloseReason>>,
}

impl Connection {
    /// Waits until the connection is closed for good, and says why.
    ///
    /// # Cancel safety
    /// It may be called again.
    pub(crate) async fn lost(&self) -> Failure {
        match self.closed.clone().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(reason)) => reason.clone().into(),
            // The task that tells ends with the connection only.
            _ => Failure::new(Exit::NoBroker, "connection lost"),
        }
    }
}

/// Tells people what the connection tells the program.
async fn tell(mut events: Events, notes: Notes, closed: watch::Sender<Option<CloseReason>>) {
    let mut lag = Lag::default();
    loop {
        let event = match lag.due {
            None => events.recv().await,
            Some(due) => {
                if let Ok(event) = tokio::time::timeout_at(due, events.recv()).await {
                    event
                } else {
                    lag.tell(notes);
                    continue;
                }
            }
        };
        match event {
            Some(Event::Lagged { pattern, missed, by }) => lag.add(pattern, missed, by, notes),
            Some(Event::Disconnected { error, .. }) => notes.warn(format_args!("connection lost: {error}")),
            Some(Event::Connected { reconnects, .. }) if reconnects > 0 => {
                notes.warn(
                    "connected again; what was published meanwhile was missed, except retained messages",
                );
            }
            Some(Event::Refused { code, text }) => {
                notes.warn(format_args!("the broker refused: {text} (code {code})"));
            }
            Some(Event::SubscriptionLost { pattern, code, text }) => {
                notes.warn(format_args!("the broker no longer accepts {pattern:?}: {text} (code {code})"));
            }
            Some(Event::Closed { reason }) => {
                lag.tell(notes);
                // Nobody waits for the end of a connection that was closed by this program.
                let _ = closed.send(Some(reason));
                return;
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// Messages that were missed and not yet told of.
#[derive(Default)]
struct Lag {
    missed: BTreeMap<(String, bool), u64>,
    /// When to tell the rest; `None` if nothing was told lately.
    due: Option<Instant>,
}

impl Lag {
    fn add(&mut self, pattern: String, missed: u64, by: LaggedBy, notes: Notes) {
        *self.missed.entry((pattern, by == LaggedBy::Server)).or_default() += missed;
        if self.due.is_none() {
            self.tell(notes);
        }
    }

    fn tell(&mut self, notes: Notes) {
        self.due = (!self.missed.is_empty()).then(|| Instant::now() + LAG_INTERVAL);
        for ((pattern, at_server), missed) in std::mem::take(&mut self.missed) {
            let by = if at_server { "the broker" } else { "this program" };
            let missed = text::count(missed, "message");
            notes.warn(format_args!(
                "missed {missed} of {pattern}: {by} dropped them, because the output is read too slowly"
            ));
        }
    }
}
