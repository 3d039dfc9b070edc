//! Requests: a publish with a reply topic, and the answer that comes there.
//!
//! Invariant: a request that is over, for whatever reason, has no place among those that wait.

use broker_core::{
    glob_tree::{Dialect, Pattern, PatternLimits},
    wire::native::PublishOptions as WireOptions,
};
use tokio::time::timeout;

use super::{Client, settled};
use crate::{
    Message, PublishError, RequestError, SubscribeError, SubscribeOptions, shared::Shared,
    subscription::Registration, sync::lock,
};

impl Client {
    /// Sends a request that has been checked and waits for its answer.
    pub(super) async fn ask(&self, topic: &str, value: &[u8]) -> Result<Message, RequestError> {
        let after = self.handle.shared.options.request_timeout;
        match timeout(after, self.exchange(topic, value)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RequestError::Timeout { after }),
        }
    }

    async fn exchange(&self, topic: &str, value: &[u8]) -> Result<Message, RequestError> {
        let shared = &*self.handle.shared;
        self.handle.inbox.get_or_try_init(|| self.open_inbox()).await?;
        let number = shared.next_request();
        let _place = Place { shared, number };
        let (reply, mut answer) = lock(&shared.router).expect_answer(number);
        let options = WireOptions { reply: Some(&reply), ..WireOptions::default() };
        let confirmation = shared.send_confirmed(topic, value, options).await?;
        let answer = tokio::select! {
            // An answer may overtake the confirmation.
            biased;
            answer = &mut answer => answer,
            sessions = settled(confirmation) => match sessions.map_err(PublishError::from)? {
                0 => return Err(RequestError::NoResponders(topic.to_owned())),
                _ => answer.await,
            },
        };
        // All places are cleared when the connection breaks, and when the client is closed.
        answer.map_err(|_| {
            let reason = lock(&shared.link).closed.as_ref().map(|closed| closed.reason.clone());
            reason.map_or(PublishError::Disconnected, PublishError::Closed).into()
        })
    }

    async fn open_inbox(&self) -> Result<Registration, SubscribeError> {
        let shared = &self.handle.shared;
        let pattern = lock(&shared.router).inbox_pattern();
        let pattern = Pattern::parse(&pattern, Dialect::Glob, &PatternLimits::default())
            .map_err(SubscribeError::Pattern)?;
        let options = SubscribeOptions::new().retained(false);
        Registration::open(shared, &pattern, &options, None).await
    }
}

/// The place of a request among those that wait for an answer.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.shared.router).forget_answer(self.number);
    }
}
