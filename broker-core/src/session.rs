//! One client connection, without the connection: bytes in, effects on the broker, answers into the session's outbox.
//!
//! The owner brings what it read to [`Session::handle`], in pieces of any size, and does what the answer says. A session that subscribes
//! is served no further until its retained messages are in its outbox, at the pace of the subscriber; so commands take effect in
//! their order.

mod commands;

use std::collections::HashMap;
use std::sync::Arc;

use crate::auth::{Auth, Credentials};
use crate::broker::Broker;
use crate::clearing::Clearing;
use crate::message::{MetaParts, Now};
use crate::outbox::Outbox;
use crate::publisher::{Batch, Message, Refused};
use crate::reason::{CloseReason, ErrorCode};
use crate::routing::Subscription;
use crate::serving::Serving;
use crate::stats::SessionInfo;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::read;
use crate::topic;
use crate::wire::native::{Command, CommandError, Decoder, Hello, Publish, encode, is_empty_value};

/// A session of the native protocol.
#[derive(Debug)]
pub struct Session {
    serving: Serving,
    decoder: Decoder,
    subscriptions: HashMap<String, Arc<Subscription>>,
    /// The client said `Hello`.
    introduced: bool,
    clearing: Option<Clearing>,
    server: ServerName,
    auth: Auth,
    /// A `Hello` that waits for its credentials to be checked.
    hello: Option<Hello>,
}

/// What `Welcome` says of the program.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs)]
pub struct ServerName {
    /// The program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// What [`Session::handle`] did and what the owner does next.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_structs)]
pub struct Progress {
    /// Bytes of the input that are done with. The rest comes again, with more behind it.
    pub consumed: usize,
    /// What the session waits for.
    pub next: Next,
    /// Outboxes that it put something into, and left to others to write.
    pub left: usize,
    /// It is sending retained messages, and has not sent all.
    pub joins: bool,
}

/// What a session waits for.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Next {
    /// More input. The frame that has begun takes so many bytes at the least; 0 if none has, or nothing is known.
    Read {
        /// See there.
        needed: usize,
    },
    /// Its turn: it has worked long enough, and others wait.
    Turn,
    /// Room in its own outbox, told by [`Link::room`](crate::outbox::Link::room).
    Room,
    /// That the outboxes of subscribers under the policy `block` take what it published, told by [`Link::room`](crate::outbox::Link::room) of
    /// its own link. At the time named, or at any time before, it may be handled as well.
    Held {
        /// See there.
        until_monotonic_ms: u64,
    },
    /// That its owner checks its credentials and tells the outcome.
    Auth,
    /// Nothing: it ends, for the reason that the outbox tells.
    End,
}

/// Why the loop over publishes stopped.
enum Stop<'a> {
    /// No whole frame is left.
    Empty,
    /// Others wait.
    Spent,
    /// A command that is not a publish, or not a command.
    Command(Result<Command<'a>, CommandError>),
    /// Bytes that are no frame.
    Broken(CommandError),
}

impl Session {
    /// A session that begins now.
    pub fn new(
        broker: Arc<Broker>,
        outbox: Arc<Outbox>,
        address: String,
        server: ServerName,
        now: Now,
    ) -> Self {
        let info = SessionInfo::new(Arc::clone(&outbox), address, "native", None, now);
        Session {
            decoder: Decoder::new(broker.limits().wire),
            serving: Serving::new(broker, outbox, info),
            subscriptions: HashMap::new(),
            introduced: false,
            clearing: None,
            server,
            auth: Auth::Open,
            hello: None,
        }
    }

    /// From now on the client has to say who it is in `Hello`, before all else and within so many milliseconds from its start.
    pub fn require_auth(&mut self, timeout_ms: u64) {
        self.auth = Auth::Required;
        self.serving.info.expect_credentials(timeout_ms);
    }

    /// What the client says to be, while [`Session::handle`] answers [`Next::Auth`].
    pub fn credentials(&self) -> Option<&Credentials> {
        self.auth.credentials()
    }

    /// Tells whether the credentials are right. Then call [`Session::handle`] again.
    pub fn authenticated(&mut self, accepted: bool) {
        let Some(hello) = self.hello.take() else { return };
        if accepted {
            self.auth = Auth::Open;
            self.welcome(hello);
        } else {
            self.auth = Auth::Required;
            let error = CommandError::new(ErrorCode::Unauthorized, None, "the credentials are not accepted");
            self.refuse(&CommandError { greets: true, ..error });
        }
    }

    /// What others see of it.
    pub fn info(&self) -> &Arc<SessionInfo> {
        &self.serving.info
    }

    /// Its outbox.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.serving.outbox
    }

    /// Handles the whole frames in `input` and flushes what they touched. Call it with an empty input when [`Next`] said other than
    /// `Read` and what it waited for has come.
    pub fn handle(&mut self, now: Now, input: &[u8]) -> Progress {
        let mut at = 0;
        self.serving.broker.clock().set(now);
        let next = self.handle_frames(now, input, &mut at);
        self.serving.finish(now, at, next)
    }

    /// Ends the session: its subscriptions go, its figures are added to the broker's. The outbox is the owner's to drain or abandon.
    pub fn end(&mut self) {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        self.serving.end(subscriptions.into_values());
    }

    fn handle_frames(&mut self, now: Now, input: &[u8], at: &mut usize) -> Next {
        loop {
            let checks = self.hello.is_some();
            if let Some(next) = self.serving.waits(now, checks) {
                return next;
            }
            if let Some(clearing) = &mut self.clearing {
                if clearing.advance(&self.serving.broker, now) {
                    return Next::Turn;
                }
                self.cleared();
            }
            if self.serving.is_congested() {
                return Next::Room;
            }
            match self.publish_all(now, input, at) {
                Stop::Empty => return Next::Read { needed: self.decoder.needed() },
                Stop::Spent => return Next::Turn,
                Stop::Command(command) => {
                    if let Err(error) = command.and_then(|command| self.execute(command)) {
                        self.refuse(&error);
                    }
                }
                Stop::Broken(error) => self.close(&error),
            }
        }
    }

    /// Publishes one message after another while nothing else comes, with the table held for reading all the while.
    fn publish_all<'a>(&mut self, now: Now, input: &'a [u8], at: &mut usize) -> Stop<'a> {
        let broker = Arc::clone(&self.serving.broker);
        let table = read(&broker.table);
        let batch = Batch { broker: &broker, table: &table, now, input };
        let (mut commands, mut messages, mut payload_bytes) = (0, 0, 0);
        let stop = loop {
            if self.serving.publisher.is_spent(batch) {
                break Stop::Spent;
            }
            let rest = input.get(*at..).unwrap_or_default();
            // The commonest frame goes a way of its own: what can hold any command is moved about at the cost of a fifth of a small message.
            let published = if let Some((publish, frame_bytes)) = self.decoder.next_plain(rest) {
                (*at, commands) = (*at + frame_bytes, commands + 1);
                payload_bytes += publish.value.len() as u64;
                self.publish(batch, &publish)
            } else {
                let decoded = match self.decoder.next_other(rest) {
                    Ok(Some(decoded)) => decoded,
                    Ok(None) => break Stop::Empty,
                    Err(error) => break Stop::Broken(error),
                };
                (*at, commands) = (*at + decoded.frame_bytes, commands + 1);
                let Ok(Command::Publish(publish)) = decoded.command else {
                    break Stop::Command(decoded.command);
                };
                payload_bytes += publish.value.len() as u64;
                self.publish(batch, &publish)
            };
            match published {
                Ok(()) => messages += 1,
                Err(error) => break Stop::Command(Err(error)),
            }
        };
        self.serving.publisher.commit(batch);
        self.serving.info.commands.fetch_add(commands, Relaxed);
        self.serving.info.messages_in.fetch_add(messages, Relaxed);
        self.serving.info.payload_bytes_in.fetch_add(payload_bytes, Relaxed);
        stop
    }

    #[inline]
    fn publish(&mut self, batch: Batch<'_>, publish: &Publish<'_>) -> Result<(), CommandError> {
        if publish.meta.is_some() || !self.auth.is_open() {
            return self.publish_with_options(batch, publish);
        }
        let Publish { pair, topic, value, .. } = *publish;
        let message = Message { topic, pair, value, meta: None, retain: true, clears: false };
        match self.serving.publisher.publish(batch, &message, false) {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused_error(&refused, None)),
        }
    }

    #[cold]
    fn publish_with_options(&mut self, batch: Batch<'_>, publish: &Publish<'_>) -> Result<(), CommandError> {
        self.need_auth()?;
        self.need_hello("options")?;
        let Publish { pair, topic, value, meta } = *publish;
        let options = meta.unwrap_or_default();
        let limit = self.serving.broker.limits().topic_bytes_max;
        let reply =
            options.reply.map(|reply| topic::validate(reply, limit)).transpose().map_err(|error| {
                CommandError::new(ErrorCode::InvalidTopic, options.id, format!("reply: {error}"))
            })?;
        let parts = MetaParts { reply, headers: options.headers, key: options.key, ttl_ms: options.ttl_ms };
        let retain = options.retain.unwrap_or(reply.is_none());
        // As in MQTT: an empty message that is to be retained.
        let clears = options.retain == Some(true) && is_empty_value(value);
        let message = Message { topic, pair, value, meta: Some(parts), retain, clears };
        let receivers = self
            .serving
            .publisher
            .publish(batch, &message, false)
            .map_err(|refused| refused_error(&refused, options.id))?;
        if let Some(id) = options.id {
            // The message goes first where the session gets it itself.
            self.serving.publisher.commit_run();
            let mut result = Vec::new();
            encode::unsigned(&mut result, receivers as u64);
            self.answer(id, &result);
        }
        Ok(())
    }

    fn answer(&mut self, id: u64, result: &[u8]) {
        self.say(|out| encode::ok(out, id, result));
    }

    /// As [`Serving::say`], for one frame.
    fn say(&mut self, frame: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        frame(&mut out);
        self.serving.say(&out);
    }

    /// Answers an error. Without `Hello`, and where the protocol says so, it ends the session.
    fn refuse(&mut self, error: &CommandError) {
        if error.greets {
            self.serving.outbox.tell();
        }
        if self.introduced || error.greets {
            self.say(|out| encode::err(out, error.id, error.code.number(), &error.text));
        }
        if !self.introduced || error.code.closes() {
            self.serving.outbox.end(CloseReason::Protocol(error.code, error.text.clone()));
        }
    }

    /// As [`Session::refuse`], where the stream cannot go on whatever the error.
    fn close(&mut self, error: &CommandError) {
        self.refuse(error);
        self.serving.outbox.end(CloseReason::Protocol(error.code, error.text.clone()));
    }
}

impl Drop for Session {
    /// A session that goes in whatever way leaves nothing behind.
    fn drop(&mut self) {
        self.end();
        self.serving.broker.remove_session(&self.serving.info);
    }
}

fn refused_error(refused: &Refused, id: Option<u64>) -> CommandError {
    match refused {
        Refused::Topic(error) => CommandError::new(ErrorCode::InvalidTopic, id, error.to_string()),
        Refused::Reserved => {
            let text = format!("only the server publishes below '{}'", topic::RESERVED_PREFIX);
            CommandError::new(ErrorCode::ReservedTopic, id, text)
        }
    }
}
