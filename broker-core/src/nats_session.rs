//! One client connection of the NATS protocol, without the connection: bytes in, effects on the broker, answers into the session's outbox.
//!
//! From outside it is like [`Session`](crate::Session): the owner brings what it read to [`NatsSession::handle`] and does what the answer
//! says. What differs: the server speaks first ([`NatsSession::greet`]), and each subscription of the client gets its own copy of a message.
//!
//! Words and choices are nats-server 2.9's: which mistakes close, and what is said of them.

mod commands;
mod options;

use core::net::SocketAddr;
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use self::options::NatsIdentity;
pub use self::options::NatsOptions;
use crate::auth::{Auth, Credentials};
use crate::broker::Broker;
use crate::message::Now;
use crate::outbox::Outbox;
use crate::publisher::{Batch, NatsMessage, Refused};
use crate::reason::CloseReason;
use crate::routing::Subscription;
use crate::serving::Serving;
use crate::session::{Next, Progress, ServerName};
use crate::stats::SessionInfo;
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed};
use crate::sync::read;
use crate::topic::{self, RESERVED_PREFIX};
use crate::wire::nats::{Command, Connect, Decoder, NatsError, NatsLimits, Plain, Publish, encode};

/// A session of the NATS protocol.
#[derive(Debug)]
pub struct NatsSession {
    serving: Serving,
    options: Arc<NatsOptions>,
    decoder: Decoder,
    /// What CONNECT said last.
    connect: Connect,
    /// Publishes are answered, or checked, or not allowed yet.
    asks: bool,
    /// By sid. Those that have had their last message stay until they are swept out.
    subscriptions: HashMap<Box<str>, Arc<Subscription>>,
    auth: Auth,
    /// Answers that are not in the outbox yet.
    answers: Vec<u8>,
}

/// Why the loop over publishes stopped.
enum Stop<'a> {
    /// No whole operation is left.
    Empty,
    /// Others wait.
    Spent,
    /// An operation that is not a publish.
    Command(Command<'a>),
    /// A mistake.
    Wrong(NatsError),
    /// A publish with this reply went nowhere, and the client wants to know.
    Unheard(&'a [u8]),
}

impl NatsSession {
    /// A session that begins now. Its outbox is one made by [`Outbox::nats`].
    pub fn new(
        broker: Arc<Broker>,
        outbox: Arc<Outbox>,
        address: SocketAddr,
        server: ServerName,
        options: Arc<NatsOptions>,
        now: Now,
    ) -> Self {
        let knows_info = AtomicBool::new(false);
        let identity = NatsIdentity { options: Arc::clone(&options), address, server, knows_info };
        let info = SessionInfo::new(Arc::clone(&outbox), address.to_string(), "nats", Some(identity), now);
        let limits = NatsLimits {
            control_line_bytes_max: options.control_line_bytes_max,
            payload_bytes_max: options.payload_bytes_max,
        };
        let mut auth = Auth::Open;
        if options.auth_required {
            auth = Auth::Required;
            info.expect_credentials(options.auth_timeout_ms);
        }
        NatsSession {
            serving: Serving::new(broker, outbox, info),
            decoder: Decoder::new(limits),
            options,
            connect: Connect::default(),
            asks: true,
            subscriptions: HashMap::new(),
            auth,
            answers: Vec::new(),
        }
    }

    /// Says INFO, which comes before anything else. Call it once.
    pub fn greet(&mut self) {
        if let Some(identity) = &self.serving.info.nats {
            identity.info(self.serving.info.id, false, &mut self.answers);
        }
        self.push_answers();
        self.serving.outbox.link().flush_now(&self.serving.outbox);
        self.serving.said = false;
    }

    /// What others see of it.
    pub fn info(&self) -> &Arc<SessionInfo> {
        &self.serving.info
    }

    /// Its outbox.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.serving.outbox
    }

    /// What the client says to be, while [`NatsSession::handle`] answers [`Next::Auth`].
    pub fn credentials(&self) -> Option<&Credentials> {
        self.auth.credentials()
    }

    /// Tells whether the credentials are right. Then call [`NatsSession::handle`] again.
    pub fn authenticated(&mut self, accepted: bool) {
        if self.auth.credentials().is_none() {
            return;
        }
        if accepted {
            self.auth = Auth::Open;
            self.serving.info.credentials_came();
            self.connected();
        } else {
            self.auth = Auth::Required;
            self.serving.outbox.end(CloseReason::Unauthorized);
        }
    }

    /// Handles the whole operations in `input` and flushes what they touched. Call it with what is left of the input when [`Next`] said other than
    /// `Read` and what it waited for has come.
    pub fn handle(&mut self, now: Now, input: &[u8]) -> Progress {
        let mut at = 0;
        self.serving.broker.clock().set(now);
        let next = self.handle_all(now, input, &mut at);
        self.push_answers();
        self.serving.finish(now, at, next)
    }

    /// Ends the session: its subscriptions go, its figures are added to the broker's. The outbox is the owner's to drain or abandon.
    pub fn end(&mut self) {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        self.serving.end(subscriptions.into_values());
    }

    fn handle_all(&mut self, now: Now, input: &[u8], at: &mut usize) -> Next {
        loop {
            let checks = self.auth.credentials().is_some();
            if let Some(next) = self.serving.waits(now, checks) {
                return next;
            }
            self.push_answers();
            if self.serving.is_congested() {
                return Next::Room;
            }
            match self.publish_all(now, input, at) {
                Stop::Empty => return Next::Read { needed: self.decoder.needed() },
                Stop::Spent => return Next::Turn,
                Stop::Unheard(reply) => self.tell_unheard(reply),
                Stop::Command(command) => {
                    if let Err(error) = self.execute(command) {
                        self.refuse(error);
                    }
                }
                Stop::Wrong(error) => self.refuse(error),
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
            if !self.asks
                && let Some(plain) = self.decoder.plain(rest, self.serving.publisher.last_topic())
            {
                *at += plain.frame_bytes;
                commands += 1;
                payload_bytes += plain.payload.len() as u64;
                match self.publish_plain(batch, &plain) {
                    Ok(()) => messages += 1,
                    Err(error) => break Stop::Wrong(error),
                }
                continue;
            }
            let decoded = match self.decoder.next(rest) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => break Stop::Empty,
                Err(error) => break Stop::Wrong(error),
            };
            *at += decoded.frame_bytes;
            commands += 1;
            let Command::Publish(publish) = decoded.command else { break Stop::Command(decoded.command) };
            payload_bytes += (publish.headers.map_or(0, <[u8]>::len) + publish.payload.len()) as u64;
            match self.publish(batch, &publish) {
                Ok(heard) => {
                    messages += 1;
                    if !heard
                        && self.connect.no_responders
                        && let Some(reply) = publish.reply
                    {
                        break Stop::Unheard(reply);
                    }
                }
                Err(error) => break Stop::Wrong(error),
            }
        };
        // What is said to a publish comes before the message itself, where the client subscribed to it.
        self.push_answers();
        self.serving.publisher.commit(batch);
        self.serving.info.commands.fetch_add(commands, Relaxed);
        self.serving.info.messages_in.fetch_add(messages, Relaxed);
        self.serving.info.payload_bytes_in.fetch_add(payload_bytes, Relaxed);
        stop
    }

    /// The shortest way: without a reply, headers, answers or checks.
    #[inline]
    fn publish_plain<'a>(&mut self, batch: Batch<'a>, plain: &Plain<'a>) -> Result<(), NatsError> {
        let Plain { subject, payload, tail, is_likely, .. } = *plain;
        let message = NatsMessage { subject, reply: None, headers: None, payload, tail };
        let published = if is_likely {
            self.serving.publisher.publish_again(batch, &message)
        } else {
            self.serving.publisher.publish(batch, &message, false)
        };
        published.map(drop).map_err(|refused| refused_error(&refused, subject))
    }

    /// Whether it goes to anybody.
    fn publish<'a>(&mut self, batch: Batch<'a>, publish: &Publish<'a>) -> Result<bool, NatsError> {
        let Publish { subject, reply, headers, payload, tail } = *publish;
        self.check(publish)?;
        let message = NatsMessage { subject, reply, headers, payload, tail };
        let published = self.serving.publisher.publish(batch, &message, false);
        published.map(|receivers| receivers > 0).map_err(|refused| refused_error(&refused, subject))
    }

    /// What not every publish needs: whether it may be, and what is said to it before it goes.
    fn check(&mut self, publish: &Publish<'_>) -> Result<(), NatsError> {
        if !self.auth.is_open() {
            return Err(NatsError::Unauthorized);
        }
        if publish.headers.is_some() && !self.connect.headers {
            return Err(NatsError::HeadersNotSupported);
        }
        if let Some(reply) = publish.reply {
            let limit = self.serving.broker.limits().topic_bytes_max;
            topic::validate(reply, limit).map_err(|_| NatsError::InvalidPublishSubject)?;
        }
        if self.connect.pedantic && !is_literal(publish.subject) {
            self.say_error(&NatsError::InvalidPublishSubject);
        }
        // nats-server says this before it looks where the message goes; not of what is refused.
        let is_reserved = publish.subject.starts_with(RESERVED_PREFIX.as_bytes());
        if self.connect.verbose && !is_reserved {
            self.answers.extend_from_slice(encode::OK);
        }
        Ok(())
    }

    /// Puts answers into the outbox. They are written at the end of the batch or before.
    fn push_answers(&mut self) {
        if !self.answers.is_empty() {
            self.serving.say(&self.answers);
            self.answers.clear();
        }
    }

    fn say_error(&mut self, error: &NatsError) {
        if let Some(text) = error.text() {
            encode::err(&mut self.answers, &text);
        }
    }

    /// Answers a mistake, and ends the session where nats-server does.
    fn refuse(&mut self, error: NatsError) {
        if error == NatsError::Unauthorized {
            self.serving.outbox.end(CloseReason::Unauthorized);
        } else if error.closes() {
            self.push_answers();
            self.serving.outbox.end(CloseReason::Nats(error));
        } else {
            self.say_error(&error);
        }
    }
}

impl Drop for NatsSession {
    /// A session that goes in whatever way leaves nothing behind.
    fn drop(&mut self) {
        self.end();
        self.serving.broker.remove_session(&self.serving.info);
    }
}

#[cold]
fn refused_error(refused: &Refused, subject: &[u8]) -> NatsError {
    match refused {
        Refused::Topic(_) => NatsError::InvalidPublishSubject,
        Refused::Reserved => NatsError::PublishNotPermitted(String::from_utf8_lossy(subject).into_owned()),
    }
}

/// Whether `subject` is one name as nats-server sees it: tokens between dots, none of them empty or a wildcard.
fn is_literal(subject: &[u8]) -> bool {
    subject.split(|&byte| byte == b'.').all(|token| !matches!(token, b"" | b"*" | b">"))
}
