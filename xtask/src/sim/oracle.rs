//! What should happen: an account of all effects in their order, from `docs/protocol.md` and the promises of the design, not from the broker's
//! code.

mod aside;
mod frame;
mod ledger;
mod login;
mod publish;
mod receive;
mod retained;
mod settle;
mod store;
mod subscribe;

use std::collections::BTreeMap;

use self::frame::frame_bytes;
use self::ledger::{Ledger, Place};
use self::store::{NEVER, Store};
use super::checks::Checks;
use super::config::{Config, NO_DEADLINE_MS, TOPICS};
use super::effect::{Answer, Effect, Empty, FALSE, NIL, TRUE};
use super::extras::Extras;
use super::operator::Operator;
use super::rule::{Promise, Rule};

/// In place of what retained messages take: a step that sends some shows nothing of the bound.
const UNKNOWN_BYTES: usize = usize::MAX / 1024;

/// A promise that was broken, and how.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) text: String,
}

/// What is known of a topic.
#[derive(Debug, Default)]
struct Topic {
    /// Messages so far.
    sequence: u64,
}

/// A message, by its number.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: usize,
    pub(super) native: bool,
    pub(super) value_bytes: usize,
    /// In place of a value that tells its number.
    pub(super) empty: Option<Empty>,
    pub(super) extras: Extras,
    /// It answers one that had a reply address.
    pub(super) answers: bool,
    /// Its place among those of its topic; 0 until it is published.
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    /// For how long it holds, and until when.
    pub(super) ttl_ms: Option<u64>,
    pub(super) until_ms: u64,
}

/// A message that goes to one member of a group.
#[derive(Debug, Default)]
struct Share {
    /// Sessions and places that may get it, with the pattern that counts it and its policy.
    members: Vec<(usize, Place, Rule)>,
    /// A member may have had it by other ways already, so that nobody gets it.
    idle: bool,
    /// Who has got it.
    taken: Option<(usize, Place)>,
}

impl Share {
    /// The policy of a member.
    fn rule(&self, member: (usize, Place)) -> Option<Rule> {
        self.members.iter().find(|(session, place, _)| (*session, *place) == member).map(|(.., rule)| *rule)
    }
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    topics: Vec<Topic>,
    store: Store,
    messages: Vec<Message>,
    ledgers: Vec<Ledger>,
    /// By message and group.
    shares: BTreeMap<(u64, &'static str), Share>,
    /// Subscriptions of NATS that were to end after so many messages.
    bounded: u64,
    /// Messages with an end were published.
    mortal: bool,
    /// A session has ended, with what it had in line.
    any_ended: bool,
    /// Subscribers hold publishers back for ever.
    patient: bool,
    operator: Option<Operator>,
    /// Bytes that the present step pushed to each session.
    pushed: BTreeMap<usize, usize>,
    pub(super) checks: Checks,
    pub(super) broken: Option<Broken>,
    now_ms: u64,
    /// What the broker was last told of the time.
    clock_ms: u64,
    /// What clients took in since the trace took it over, where somebody wants to see it.
    pub(super) heard: Option<Vec<String>>,
}

impl Oracle {
    /// With `shows` it says what clients take in.
    pub(super) fn new(config: &Config, shows: bool) -> Self {
        Oracle {
            patient: config.block_ms == NO_DEADLINE_MS,
            operator: Some(config.operator.clone()),
            heard: shows.then(Vec::new),
            topics: TOPICS.iter().map(|_| Topic::default()).collect(),
            store: Store::new(config),
            ..Oracle::default()
        }
    }

    /// It is so late; and that is what the broker knows of it.
    pub(super) fn set_time(&mut self, now_ms: u64, clock_ms: u64) {
        (self.now_ms, self.clock_ms) = (now_ms, clock_ms);
    }

    /// Notes what went wrong; the first thing counts.
    pub(super) fn fail(&mut self, promise: Promise, text: String) {
        self.broken.get_or_insert(Broken { promise, text });
    }

    /// A client took something in.
    fn hear(&mut self, what: impl FnOnce() -> String) {
        if let Some(heard) = &mut self.heard {
            heard.push(what());
        }
    }

    pub(super) fn begin_session(&mut self, native: bool, bound: usize) {
        self.ledgers.push(Ledger { native, bound, ..Ledger::default() });
    }

    /// A number for a message that a client is about to write.
    pub(super) fn new_message(&mut self, topic: usize, native: bool, value_bytes: usize) -> u64 {
        self.messages.push(Message {
            topic,
            native,
            value_bytes,
            empty: None,
            extras: Extras::default(),
            answers: false,
            sequence: 0,
            time_ms: 0,
            ttl_ms: None,
            until_ms: NEVER,
        });
        self.messages.len() as u64 - 1
    }

    /// Changes what was said of a message before it is written.
    pub(super) fn edit(&mut self, number: u64, edit: impl FnOnce(&mut Message)) {
        if let Some(message) = usize::try_from(number).ok().and_then(|at| self.messages.get_mut(at)) {
            edit(message);
        }
    }

    pub(super) fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(usize::try_from(number).ok()?)
    }

    /// A command of the session was handled.
    pub(super) fn apply(&mut self, session: usize, effect: &Effect) {
        self.go_on(session);
        if !matches!(effect, Effect::Publish { .. }) {
            // The messages before it were one batch, or several.
            self.keep_bounds();
        }
        let now_ms = self.now_ms;
        self.with(session, |ledger| ledger.joins = matches!(effect, Effect::Subscribe { .. }));
        match effect {
            Effect::Publish { number, retain, ttl_ms, id } => {
                let receivers = self.publish(session, *number, *retain, *ttl_ms);
                self.checks.published += 1;
                self.answer(session, *id, receivers);
            }
            Effect::Subscribe { wish, id } => self.subscribe(session, wish, *id),
            Effect::Unsubscribe { pattern, id } => {
                let Some(ledger) = self.ledgers.get_mut(session) else { return };
                let count = ledger.subscriptions.len();
                ledger.subscriptions.retain(|subscription| subscription.wish.pattern != *pattern);
                let found = ledger.subscriptions.len() < count;
                ledger.changed(now_ms, usize::from(found));
                self.answer(session, *id, if found { TRUE } else { FALSE });
            }
            Effect::Clear { pattern, id } => self.clear(session, pattern, *id),
            Effect::EndSid { sid, max } => self.end_sid(session, *sid, *max),
            Effect::Hello => self.with(session, |ledger| {
                ledger.introduced = true;
                ledger.expect(Answer::Welcome);
            }),
            Effect::Connect { headers, no_responders } => self.with(session, |ledger| {
                (ledger.headers, ledger.no_responders) = (*headers, *no_responders);
            }),
            Effect::Barred => self.with(session, |ledger| ledger.barred = true),
            Effect::Ping { id: Some(id) } => self.answer(session, Some(*id), NIL),
            Effect::Ping { id: None } => self.with(session, |ledger| ledger.expect(Answer::Pong)),
            Effect::Refused { code, id } => self.with(session, |ledger| {
                let answer =
                    if ledger.native { Answer::Err { id: *id, code: *code } } else { Answer::NatsErr };
                ledger.expect(answer);
            }),
        }
    }

    fn with(&mut self, session: usize, change: impl FnOnce(&mut Ledger)) {
        if let Some(ledger) = self.ledgers.get_mut(session) {
            change(ledger);
        }
    }

    fn answer(&mut self, session: usize, id: Option<u64>, result: u64) {
        if let Some(id) = id {
            self.with(session, |ledger| ledger.expect(Answer::Ok { id, result, subscribed: None }));
        }
    }

    /// Whether the last thing that the session did was to subscribe: then it may wait for room.
    pub(super) fn joins(&self, session: usize) -> bool {
        self.ledgers.get(session).is_some_and(|ledger| ledger.joins)
    }

    /// Whether it ever published to a subscription that may hold it back.
    pub(super) fn pressed(&self, session: usize) -> bool {
        self.ledgers.get(session).is_some_and(|ledger| ledger.pressed)
    }

    /// Whether all that waits for it waits under `block`, and for as long as it takes.
    pub(super) fn only_blocks(&self, session: usize) -> bool {
        !self.mortal && self.ledgers.get(session).and_then(Ledger::rule) == Some(Rule::Block)
    }

    /// Its subscriptions have gone.
    pub(super) fn end_session(&mut self, session: usize) {
        let now_ms = self.now_ms;
        self.with(session, |ledger| {
            // What waits for its time does not wait any more.
            ledger.changed(now_ms, ledger.subscriptions.len());
            ledger.subscriptions.clear();
            // A join that was not done sent what it sent.
            ledger.debts.iter_mut().for_each(|debt| debt.due = true);
            ledger.ended = true;
        });
        self.store.abandon_clear(session);
        self.any_ended = true;
    }

    pub(super) fn sent_nonsense(&mut self, session: usize) {
        self.with(session, |ledger| ledger.closing = true);
    }
}
