//! What the handles and the connection's task share about the way out: the buffer of frames, the answers that are
//! awaited, the state, and what was lost.
//!
//! Lock order: the router before the link. Nothing is awaited and no caller's code runs under the lock. Invariants:
//! `awaited` stands in the order of the frames that ask for the answers; each plain message that was accepted and that no
//! answer covers is counted once, in `awaited` or in `messages_since`; after `closed` is set nothing is accepted.

use std::{collections::VecDeque, sync::Arc};

use broker_core::{
    topic::TopicError,
    wire::native::{PublishOptions, SubscribeOptions, encode},
};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    CloseReason, FlushError, PublishError, ServerInfo, State, frames::Frames, router::Ask, value::check_depth,
};

/// The way out.
#[derive(Debug)]
pub(crate) struct Link {
    frames: Frames,
    /// Bytes that the task took and has not written yet.
    taken_bytes: usize,
    buffer_bytes_max: usize,
    awaited: VecDeque<Awaited>,
    /// Plain messages behind the last frame that asks for an answer.
    messages_since: u64,
    next_id: u64,
    /// The task sleeps and wants to be woken.
    idle: bool,
    pub(crate) state: State,
    pub(crate) server: ServerInfo,
    pub(crate) closing: Option<Closing>,
    pub(crate) closed: Option<Closed>,
    pub(crate) loss: Loss,
    pub(crate) messages_out: u64,
}

/// An answer that is awaited.
#[derive(Debug)]
struct Awaited {
    id: u64,
    /// Plain messages between the frame before that asks for an answer and this one: its answer covers them.
    messages: u64,
    by: Awaiter,
}

/// Who awaits an answer.
#[derive(Debug)]
pub(crate) enum Awaiter {
    /// A confirmed publish, a request, a clear or a flush.
    Call(oneshot::Sender<Answer>),
    /// These subscriptions of a pattern.
    Subscriptions(Arc<str>, Vec<u64>),
    /// The connection itself: a sign of life.
    Probe,
}

/// The answer to a call: the result if it is a number, or 0.
pub(crate) type Answer = Result<u64, Failure>;

/// Why a call got no `Ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused { code: u16, text: String },
    Disconnected,
    Closed(CloseReason),
}

/// That somebody asked for the end, and until when it may take.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    pub(crate) deadline: Instant,
}

/// The end.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) reason: CloseReason,
    pub(crate) unsent: u64,
    pub(crate) loss: Loss,
}

/// What was lost and what no flush has told of yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loss {
    pub(crate) unconfirmed: u64,
    pub(crate) refused: u64,
    /// Of the last one that was refused.
    pub(crate) code: u16,
    pub(crate) text: String,
}

/// Whether the buffer took something.
#[derive(Debug)]
pub(crate) enum Offer<T> {
    Taken(T),
    Full,
}

impl Link {
    pub(crate) fn new(buffer_bytes_max: usize, server: ServerInfo) -> Self {
        Self {
            frames: Frames::default(),
            taken_bytes: 0,
            buffer_bytes_max: buffer_bytes_max.max(1),
            awaited: VecDeque::new(),
            messages_since: 0,
            next_id: 1,
            idle: false,
            state: State::Connected,
            server,
            closing: None,
            closed: None,
            loss: Loss::default(),
            messages_out: 0,
        }
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.frames.len() + self.taken_bytes
    }

    pub(crate) fn is_full(&self) -> bool {
        self.buffered_bytes() >= self.buffer_bytes_max
    }

    /// Why nothing more is accepted, if so.
    pub(crate) fn end(&self) -> Option<CloseReason> {
        let closed = self.closed.as_ref().map(|closed| &closed.reason);
        closed.or(self.closing.as_ref().map(|closing| &closing.reason)).cloned()
    }

    /// Whether the task must be woken for what was appended. It is, once.
    pub(crate) fn take_wake(&mut self) -> bool {
        self.idle && !self.frames.is_empty() && std::mem::take(&mut self.idle)
    }

    /// Appends a plain message.
    pub(crate) fn offer_message(
        &mut self,
        topic: &str,
        value: &[u8],
        options: PublishOptions<'_>,
    ) -> Result<Offer<()>, PublishError> {
        let offer = self.push_message(topic, value, options)?;
        if let Offer::Taken(()) = offer {
            self.messages_since += 1;
        }
        Ok(offer)
    }

    /// Appends a message that asks for an answer.
    pub(crate) fn offer_confirmed(
        &mut self,
        topic: &str,
        value: &[u8],
        options: PublishOptions<'_>,
    ) -> Result<Offer<oneshot::Receiver<Answer>>, PublishError> {
        let options = PublishOptions { id: Some(self.next_id), ..options };
        Ok(match self.push_message(topic, value, options)? {
            Offer::Taken(()) => Offer::Taken(self.await_call()),
            Offer::Full => Offer::Full,
        })
    }

    fn push_message(
        &mut self,
        topic: &str,
        value: &[u8],
        options: PublishOptions<'_>,
    ) -> Result<Offer<()>, PublishError> {
        if let Some(reason) = self.end() {
            return Err(PublishError::Closed(reason));
        }
        if self.is_full() {
            return Ok(Offer::Full);
        }
        let topic_bytes_max = limit(self.server.topic_bytes_max);
        for name in [Some(topic), options.reply].into_iter().flatten() {
            if name.len() > topic_bytes_max {
                return Err(TopicError::TooLong { bytes: name.len(), limit: topic_bytes_max }.into());
            }
        }
        check_depth(value, limit(self.server.depth_max))?;
        let limit = limit(self.server.frame_bytes_max);
        let write = |out: &mut Vec<u8>| encode::publish(out, topic, value, &options);
        self.frames
            .push_message(limit, options.id.is_none(), write)
            .map_err(|bytes| PublishError::TooLarge { bytes, limit })?;
        self.messages_out += 1;
        Ok(Offer::Taken(()))
    }

    /// Appends a command that asks for an answer with the id that it is given. The answer covers everything before it.
    pub(crate) fn offer_call(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>, u64),
    ) -> Result<Offer<oneshot::Receiver<Answer>>, CloseReason> {
        if let Some(reason) = self.end() {
            return Err(reason);
        }
        if self.is_full() {
            return Ok(Offer::Full);
        }
        let id = self.next_id;
        self.frames.push_command(|out| encode(out, id));
        Ok(Offer::Taken(self.await_call()))
    }

    /// Appends a `Ping` whose answer covers everything before it.
    pub(crate) fn offer_flush(&mut self) -> Result<Offer<oneshot::Receiver<Answer>>, FlushError> {
        self.offer_call(|out, id| encode::ping(out, Some(id))).map_err(FlushError::Closed)
    }

    /// Appends a `Subscribe` that these subscriptions wait for.
    pub(crate) fn subscribe(&mut self, ask: Ask) {
        let options = SubscribeOptions { id: Some(self.next_id), ..ask.options };
        let group = ask.group.as_deref();
        self.frames.push_command(|out| encode::subscribe_in_group(out, &ask.pattern, group, &options));
        self.await_answer(Awaiter::Subscriptions(ask.pattern, ask.ids));
    }

    pub(crate) fn unsubscribe(&mut self, pattern: &str) {
        self.frames.push_command(|out| encode::unsubscribe(out, pattern, None));
    }

    pub(crate) fn pong(&mut self) {
        self.frames.push_command(encode::pong);
    }

    pub(crate) fn probe(&mut self) {
        let id = self.next_id;
        self.frames.push_command(|out| encode::ping(out, Some(id)));
        self.await_answer(Awaiter::Probe);
    }

    fn await_call(&mut self) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.await_answer(Awaiter::Call(sender));
        receiver
    }

    fn await_answer(&mut self, by: Awaiter) {
        let messages = std::mem::take(&mut self.messages_since);
        self.awaited.push_back(Awaited { id: self.next_id, messages, by });
        self.next_id += 1;
    }

    /// The server answered: who awaited it? `None` if nobody, which is against the protocol.
    pub(crate) fn answered(&mut self, id: u64) -> Option<Awaiter> {
        if self.awaited.front()?.id != id {
            return None;
        }
        self.awaited.pop_front().map(|awaited| awaited.by)
    }

    /// The task has written `batch`: gives it the next one. False if there is none; then the task will be woken.
    pub(crate) fn next_batch(&mut self, batch: &mut Frames) -> bool {
        batch.clear();
        std::mem::swap(batch, &mut self.frames);
        self.taken_bytes = batch.len();
        self.idle = batch.is_empty();
        !self.idle
    }

    /// Gives memory back that nothing waits in.
    pub(crate) fn shrink(&mut self, bytes_max: usize) {
        self.frames.shrink(bytes_max);
        if self.awaited.is_empty() {
            self.awaited.shrink_to(64);
        }
    }

    /// The connection broke after `written` bytes of `batch`. Keeps the plain messages that the socket did not take, fails the calls,
    /// and returns how many messages nobody can say the fate of.
    pub(crate) fn break_off(&mut self, batch: &mut Frames, written: usize) -> u64 {
        let awaited = std::mem::take(&mut self.awaited);
        let accepted = awaited.iter().map(|awaited| awaited.messages).sum::<u64>() + self.messages_since;
        let kept = batch.keep_unsent(written) + self.frames.keep_unsent(0);
        batch.append(&self.frames);
        self.frames = std::mem::take(batch);
        self.taken_bytes = 0;
        self.idle = false;
        self.messages_since = kept;
        let unconfirmed = accepted.saturating_sub(kept);
        self.loss.unconfirmed += unconfirmed;
        fail(awaited, &Failure::Disconnected);
        unconfirmed
    }

    /// A new connection stands: `first` goes before what waits, and its answers come first.
    pub(crate) fn begin(&mut self, server: ServerInfo, first: Vec<Ask>) {
        let waiting = (
            std::mem::take(&mut self.frames),
            std::mem::take(&mut self.awaited),
            std::mem::take(&mut self.messages_since),
        );
        for ask in first {
            self.subscribe(ask);
        }
        let (frames, awaited, messages_since) = waiting;
        self.frames.append(&frames);
        self.awaited.extend(awaited);
        self.messages_since = messages_since;
        self.server = server;
        self.state = State::Connected;
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.frames.is_empty()
    }

    /// The end. What still waits is dropped and counted.
    pub(crate) fn close(&mut self, reason: CloseReason) -> Closed {
        let unsent = self.frames.keep_unsent(0);
        self.frames = Frames::default();
        self.messages_since = 0;
        fail(std::mem::take(&mut self.awaited), &Failure::Closed(reason.clone()));
        self.state = State::Closed;
        let closed = Closed { reason, unsent, loss: std::mem::take(&mut self.loss) };
        self.closed = Some(closed.clone());
        closed
    }
}

impl From<Failure> for PublishError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { code, text } => Self::Refused { code, text },
            Failure::Disconnected => Self::Disconnected,
            Failure::Closed(reason) => Self::Closed(reason),
        }
    }
}

fn fail(awaited: VecDeque<Awaited>, failure: &Failure) {
    for awaited in awaited {
        if let Awaiter::Call(sender) = awaited.by {
            // Whoever gave up waiting does not want to know.
            drop(sender.send(Err(failure.clone())));
        }
    }
}

/// A limit that the server named, as a size in memory.
fn limit(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
