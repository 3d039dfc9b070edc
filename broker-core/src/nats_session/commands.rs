//! What clients say beside PUB and HPUB.

use std::sync::Arc;

use glob_tree::{Dialect, Pattern, Scratch};

use super::NatsSession;
use crate::auth::{Auth, Credentials};
use crate::outbox::{Frames, Parcel};
use crate::routing::{NatsDelivery, Subscription, SubscriptionOptions};
use crate::stats::ClientInfo;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::read;
use crate::wire::nats::{Command, NatsError, encode};

/// The newest version of the client's side of the protocol.
const CLIENT_PROTOCOL_MAX: i64 = 1;

/// The longest name, language and version that are kept of a client, in bytes.
const CLIENT_TEXT_BYTES_MAX: usize = 256;

/// Subscriptions that have ended are swept out when there are so many more than twice the others.
const SWEEP_MIN: usize = 64;

/// Not a number that a publisher's batch has.
const NO_BATCH: u64 = u64::MAX;

impl NatsSession {
    pub(super) fn execute(&mut self, command: Command<'_>) -> Result<(), NatsError> {
        if !self.auth.is_open() && !matches!(command, Command::Connect(_)) {
            return Err(NatsError::Unauthorized);
        }
        match command {
            Command::Connect(json) => self.connect(json)?,
            Command::Subscribe { subject, group, sid } => self.subscribe(subject, group, sid)?,
            Command::Unsubscribe { sid, max } => self.unsubscribe(sid, max.unwrap_or(0)),
            Command::Ping => self.answers.extend_from_slice(encode::PONG),
            // What was published was published where it was decoded.
            Command::Pong | Command::Nothing | Command::Publish(_) => {}
        }
        Ok(())
    }

    fn connect(&mut self, json: &[u8]) -> Result<(), NatsError> {
        self.connect.update(json)?;
        self.asks = true;
        // Set once: what a second CONNECT says of these is not shown.
        let _ = self.serving.info.client.set(ClientInfo {
            name: self.connect.name.as_deref().map(brief),
            lang: self.connect.lang.as_deref().map(brief),
            version: self.connect.version.as_deref().map(brief),
            user: self.connect.user.as_deref().map(brief),
        });
        if self.options.auth_required {
            let credentials = Credentials {
                user: self.connect.user.take(),
                password: self.connect.password.take(),
                token: self.connect.token.take(),
            };
            self.auth = Auth::Checking(credentials);
            self.serving.info.credentials_came();
            return Ok(());
        }
        self.connected();
        Ok(())
    }

    /// CONNECT was accepted.
    pub(super) fn connected(&mut self) {
        if !(0..=CLIENT_PROTOCOL_MAX).contains(&self.connect.protocol) {
            return self.refuse(NatsError::ClientProtocol(self.connect.protocol));
        }
        if self.connect.no_responders && !self.connect.headers {
            return self.refuse(NatsError::NoRespondersWithoutHeaders);
        }
        self.asks = self.connect.verbose || self.connect.pedantic;
        self.serving.publisher.set_echo(self.connect.echo);
        self.serving.info.introduced.store(true, Relaxed);
        if let Some(identity) = &self.serving.info.nats {
            identity.knows_info.store(self.connect.protocol >= 1, Relaxed);
        }
        self.answer_ok();
    }

    fn subscribe(&mut self, subject: &[u8], group: Option<&[u8]>, sid: &[u8]) -> Result<(), NatsError> {
        let wrong = || NatsError::Arguments { operation: "SUB" };
        let sid = std::str::from_utf8(sid).map_err(|_| wrong())?;
        let group = group.map(std::str::from_utf8).transpose().map_err(|_| wrong())?;
        self.sweep();
        let limit = self.options.subscriptions_max;
        if limit > 0 && self.serving.info.subscriptions() >= limit {
            return Err(NatsError::TooManySubscriptions { limit });
        }
        let limits = &self.serving.broker.limits().pattern;
        let pattern = std::str::from_utf8(subject)
            .ok()
            .filter(|subject| !subject.chars().any(char::is_control))
            .and_then(|subject| Pattern::parse(subject, Dialect::Subject, limits).ok())
            .ok_or(NatsError::InvalidSubject)?;
        let exists = self.subscriptions.get(sid).is_some_and(|known| is_open(known));
        if exists {
            // nats-server keeps the first one.
            self.answer_ok();
            return Ok(());
        }
        let policy =
            self.serving.broker.limits().topic_rules.policy(pattern.as_str()).unwrap_or(self.options.policy);
        let options = SubscriptionOptions { policy, group, ..SubscriptionOptions::default() };
        let subscription = Subscription::new(pattern, options).for_nats(
            sid,
            self.connect.headers,
            Arc::clone(&self.serving.info.subscriptions),
        );
        let subscription = Arc::new(subscription);
        self.subscriptions.insert(sid.into(), Arc::clone(&subscription));
        self.answer_ok();
        self.serving.subscribe(subscription, self.options.retained, &self.answers);
        self.answers.clear();
        Ok(())
    }

    fn unsubscribe(&mut self, sid: &[u8], max: u64) {
        let sid = std::str::from_utf8(sid).unwrap_or_default();
        if let Some(subscription) = self.subscriptions.get(sid) {
            // Nothing is being delivered while the bound is set.
            let goes_on = max > 0
                && self
                    .serving
                    .broker
                    .change_table(|_| subscription.nats.as_ref().is_some_and(|delivery| delivery.bound(max)));
            if !goes_on && let Some(subscription) = self.subscriptions.remove(sid) {
                self.serving.broker.end_subscriptions(&self.serving.outbox, std::iter::once(subscription));
            }
        }
        self.answer_ok();
    }

    /// Tells the client that nobody got its request, on the subscription of its own that the answer would have come by.
    pub(super) fn tell_unheard(&mut self, reply: &[u8]) {
        let Ok(topic) = std::str::from_utf8(reply) else { return };
        let broker = Arc::clone(&self.serving.broker);
        let (targets, _) = read(&broker.table).route(topic, None, &mut Scratch::default());
        let mut receivers = targets.nats.iter().flat_map(|nats| &nats.targets);
        let session = self.serving.info.id;
        // One that has had its last message stays in the table until the batch is over.
        let own =
            receivers.find(|target| target.outbox.session() == session && is_open(&target.subscription));
        let Some(own) = own else { return };
        let Some(delivery) = &own.subscription.nats else { return };
        self.push_answers();
        let mut frame = Vec::new();
        let headers = Some(encode::NO_RESPONDERS);
        encode::message(&mut frame, reply, delivery.sid.as_bytes(), None, headers, b"");
        self.serving.outbox.push(Frames::Owned(frame), &Parcel::retained(&own.subscription, 1), NO_BATCH);
        self.serving.said = true;
    }

    fn answer_ok(&mut self) {
        if self.connect.verbose {
            self.answers.extend_from_slice(encode::OK);
        }
    }

    /// Forgets subscriptions that have had their last message, when there are many of them.
    fn sweep(&mut self) {
        if self.subscriptions.len() > 2 * self.serving.info.subscriptions() + SWEEP_MIN {
            self.subscriptions.retain(|_, subscription| is_open(subscription));
        }
    }
}

fn is_open(subscription: &Subscription) -> bool {
    subscription.nats.as_ref().is_some_and(NatsDelivery::is_open)
}

fn brief(text: &str) -> String {
    let end = text.floor_char_boundary(CLIENT_TEXT_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}
