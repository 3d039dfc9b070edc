//! What native clients say beside `Publish`.

use std::sync::Arc;

use glob_tree::{Dialect, Pattern};

use super::Session;
use crate::auth::Auth;
use crate::clearing::Clearing;
use crate::reason::{CloseReason, ErrorCode};
use crate::routing::{Subscription, SubscriptionOptions};
use crate::stats::ClientInfo;
use crate::sync::atomic::Ordering::Relaxed;
use crate::wire::native::{Command, CommandError, Hello, Subscribe, VERSION, Welcome, encode};

const NIL: &[u8] = b"\xc0";
const FALSE: &[u8] = b"\xc2";
const TRUE: &[u8] = b"\xc3";

impl Session {
    pub(super) fn execute(&mut self, command: Command<'_>) -> Result<(), CommandError> {
        if !matches!(command, Command::Hello(_)) {
            self.need_auth()?;
        }
        match command {
            Command::Subscribe(subscribe) => self.subscribe(&subscribe)?,
            Command::Unsubscribe { pattern, id } => self.unsubscribe(pattern, id)?,
            Command::Clear { pattern, id } => self.clear(pattern, id)?,
            Command::Hello(hello) => self.hello(hello)?,
            Command::Ping { id } => {
                self.need_hello("Ping")?;
                match id {
                    Some(id) => self.answer(id, NIL),
                    None => self.say(encode::pong),
                }
            }
            Command::Pong => self.need_hello("Pong")?,
            Command::Close => {
                self.need_hello("Close")?;
                self.serving.outbox.end(CloseReason::Closed);
            }
            // Published where it was decoded.
            Command::Publish(_) => {}
        }
        Ok(())
    }

    fn hello(&mut self, hello: Hello) -> Result<(), CommandError> {
        if self.introduced {
            return Err(CommandError::new(ErrorCode::UnexpectedHello, None, "a session says Hello once"));
        }
        if self.auth == Auth::Required {
            let Some(credentials) = hello.auth.clone() else {
                let error = CommandError::new(ErrorCode::Unauthorized, None, "Hello needs 'auth' here");
                return Err(CommandError { greets: true, ..error });
            };
            self.serving.info.credentials_came();
            self.auth = Auth::Checking(credentials);
            self.hello = Some(hello);
            return Ok(());
        }
        self.welcome(hello);
        Ok(())
    }

    pub(super) fn welcome(&mut self, hello: Hello) {
        self.introduced = true;
        self.serving.info.introduced.store(true, Relaxed);
        self.serving.outbox.tell();
        // Set once: a second Hello was refused above.
        let user = hello.auth.and_then(|auth| auth.user);
        let _ = self.serving.info.client.set(ClientInfo { name: hello.name, user, ..ClientInfo::default() });
        let broker = Arc::clone(&self.serving.broker);
        let limits = broker.limits();
        let welcome = Welcome {
            server: self.server.name.to_owned(),
            version: self.server.version.to_owned(),
            protocol: VERSION,
            session: self.serving.info.id,
            frame_bytes_max: limits.wire.frame_bytes_max as u64,
            topic_bytes_max: limits.topic_bytes_max as u64,
            pattern_bytes_max: limits.pattern.bytes_max as u64,
            subscriptions_max: limits.subscriptions_max as u64,
            depth_max: limits.wire.depth_max as u64,
            outbox_bytes_max: limits.outbox_bytes_max as u64,
            policy: limits.policy.name().to_owned(),
            block_ms: limits.block_ms,
            idle_timeout_ms: limits.idle_timeout_ms,
        };
        self.say(|out| encode::welcome(out, &welcome));
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>) -> Result<(), CommandError> {
        if subscribe.has_options {
            self.need_hello("options")?;
        }
        let pattern = self.pattern(subscribe.pattern, subscribe.id)?;
        let limits = self.serving.broker.limits();
        if !self.subscriptions.contains_key(subscribe.pattern)
            && self.subscriptions.len() >= limits.subscriptions_max
        {
            let text = format!("this session has {} subscriptions, the limit", limits.subscriptions_max);
            return Err(CommandError::new(ErrorCode::TooManySubscriptions, subscribe.id, text));
        }
        let by_rule = || limits.topic_rules.policy(subscribe.pattern);
        let options = SubscriptionOptions {
            policy: subscribe.policy.or_else(by_rule).unwrap_or(limits.policy),
            meta: subscribe.meta,
            group: subscribe.group,
            max_rate: subscribe.max_rate,
        };
        let subscription = Arc::new(Subscription::new(pattern, options));
        let before = self.subscriptions.insert(subscribe.pattern.to_owned(), Arc::clone(&subscription));
        self.serving.info.subscriptions.store(self.subscriptions.len(), Relaxed);
        let mut answer = Vec::new();
        if let Some(id) = subscribe.id {
            encode::ok(&mut answer, id, NIL);
        }
        self.serving.subscribe(subscription, subscribe.retained, &answer);
        if before.as_ref().is_some_and(|before| before.max_rate.is_some()) {
            // It has ended: what waits for its time goes, before anything that the new one brings.
            self.serving.outbox.release_early(before.as_ref());
            self.serving.said = true;
        }
        Ok(())
    }

    fn unsubscribe(&mut self, pattern: &str, id: Option<u64>) -> Result<(), CommandError> {
        if id.is_some() {
            self.need_hello("options")?;
        }
        let removed = self.subscriptions.remove(pattern);
        let found = removed.is_some();
        self.serving.info.subscriptions.store(self.subscriptions.len(), Relaxed);
        // What waited for its time goes before the answer.
        self.serving.said |= removed.as_ref().is_some_and(|removed| removed.max_rate.is_some());
        self.serving.broker.end_subscriptions(&self.serving.outbox, removed.into_iter());
        if let Some(id) = id {
            self.answer(id, if found { TRUE } else { FALSE });
        }
        Ok(())
    }

    fn pattern(&self, text: &str, id: Option<u64>) -> Result<Pattern, CommandError> {
        let error = |text: String| CommandError::new(ErrorCode::InvalidPattern, id, text);
        if text.is_empty() {
            return Err(error("the pattern is empty".to_owned()));
        }
        if text.chars().any(char::is_control) {
            return Err(error("the pattern holds a control character".to_owned()));
        }
        let limits = &self.serving.broker.limits().pattern;
        Pattern::parse(text, Dialect::Glob, limits).map_err(|wrong| error(wrong.to_string()))
    }

    fn clear(&mut self, pattern: &str, id: Option<u64>) -> Result<(), CommandError> {
        self.need_hello("Clear")?;
        let pattern = self.pattern(pattern, id)?;
        self.clearing = Some(Clearing::new(&self.serving.broker, pattern, id));
        Ok(())
    }

    /// The topics are done with that a `Clear` was about.
    pub(super) fn cleared(&mut self) {
        let Some(clearing) = self.clearing.take() else { return };
        if let Some(id) = clearing.id() {
            let mut result = Vec::new();
            encode::unsigned(&mut result, clearing.cleared());
            self.answer(id, &result);
        }
    }

    pub(super) fn need_auth(&self) -> Result<(), CommandError> {
        if self.auth.is_open() {
            return Ok(());
        }
        Err(CommandError::new(ErrorCode::Unauthorized, None, "this server wants a Hello with 'auth' first"))
    }

    pub(super) fn need_hello(&self, what: &str) -> Result<(), CommandError> {
        if self.introduced {
            return Ok(());
        }
        Err(CommandError::new(ErrorCode::HelloRequired, None, format!("{what} need a Hello first")))
    }
}
