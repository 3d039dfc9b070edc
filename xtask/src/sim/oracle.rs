//! What should happen: an account of all effects in their order, from `docs/protocol.md` and the promises of the design, not from the broker's
//! code.

mod ledger;
mod receive;
mod settle;

use std::collections::BTreeMap;

use self::ledger::{Debt, Ledger, Place, Subscription};
use super::checks::Checks;
use super::config::TOPICS;
use super::effect::{Answer, Effect, FALSE, NIL, TRUE, Wish};
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
    /// The message that it retains.
    retained: Option<u64>,
}

/// A message, by its number.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: usize,
    pub(super) native: bool,
    pub(super) value_bytes: usize,
    /// Its place among those of its topic; 0 until it is published.
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
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
    pub(super) patient: bool,
    /// Bytes that the present step pushed to each session.
    pushed: BTreeMap<usize, usize>,
    pub(super) checks: Checks,
    pub(super) broken: Option<Broken>,
    pub(super) now_ms: u64,
}

impl Oracle {
    pub(super) fn new(patient: bool) -> Self {
        Oracle { patient, topics: TOPICS.iter().map(|_| Topic::default()).collect(), ..Oracle::default() }
    }

    /// Notes what went wrong; the first thing counts.
    pub(super) fn fail(&mut self, promise: Promise, text: String) {
        self.broken.get_or_insert(Broken { promise, text });
    }

    pub(super) fn begin_session(&mut self, native: bool, bound: usize) {
        self.ledgers.push(Ledger { native, bound, ..Ledger::default() });
    }

    /// A number for a message that a client is about to write.
    pub(super) fn new_message(&mut self, topic: usize, native: bool, value_bytes: usize) -> u64 {
        self.messages.push(Message { topic, native, value_bytes, sequence: 0, time_ms: 0 });
        self.messages.len() as u64 - 1
    }

    pub(super) fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(usize::try_from(number).ok()?)
    }

    /// A command of the session was handled.
    pub(super) fn apply(&mut self, session: usize, effect: &Effect) {
        self.end_join(session);
        self.with(session, |ledger| ledger.joins = matches!(effect, Effect::Subscribe { .. }));
        match effect {
            Effect::Publish { number, retain, ttl_ms, id } => {
                // What is retained with an end is retained by nobody yet: see the wishes of clients.
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
                self.answer(session, *id, if found { TRUE } else { FALSE });
            }
            Effect::EndSid { sid, max } => self.end_sid(session, *sid, *max),
            Effect::Hello => self.with(session, |ledger| {
                ledger.introduced = true;
                ledger.expect(Answer::Welcome);
            }),
            Effect::Ping { id: Some(id) } => self.answer(session, Some(*id), NIL),
            Effect::Ping { id: None } => self.with(session, |ledger| ledger.expect(Answer::Pong)),
            Effect::Refused { code, id } => self.with(session, |ledger| {
                let answer =
                    if ledger.native { Answer::Err { id: *id, code: *code } } else { Answer::NatsErr };
                ledger.expect(answer);
            }),
            Effect::Nothing => {}
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

    fn subscribe(&mut self, session: usize, wish: &Wish, id: Option<u64>) {
        let (Some(ledger), Some(mut subscription)) =
            (self.ledgers.get_mut(session), Subscription::new(wish.clone()))
        else {
            return;
        };
        if let Some(id) = id {
            ledger.expect(Answer::Ok { id, result: NIL, subscribed: Some(wish.pattern) });
        } else {
            ledger.answered.insert(wish.pattern);
        }
        let is_same = |other: &Subscription| {
            if wish.sid == 0 { other.wish.pattern == wish.pattern } else { other.wish.sid == wish.sid }
        };
        if ledger.subscriptions.iter().any(is_same) {
            self.checks.saw("a subscription was replaced");
        }
        ledger.subscriptions.retain(|other| !is_same(other));
        ledger.grouped |= wish.group.is_some();
        ledger.rules.insert(wish.rule);
        ledger.places = ledger.places.max(1) + usize::from(!ledger.native);
        ledger.rated |= wish.max_rate.is_some();
        if wish.retained {
            for (number, topic) in self.topics.iter().enumerate() {
                let name = TOPICS.get(number).copied().unwrap_or_default();
                let Some(retained) = topic.retained.filter(|_| subscription.matches(name)) else { continue };
                ledger.retained_max += 1;
                subscription.delivered += 1;
                *self.pushed.entry(session).or_default() += UNKNOWN_BYTES;
                let message = usize::try_from(retained).ok().and_then(|at| self.messages.get(at));
                let bytes = message.map_or(0, |message| frame_bytes(message, name, wish.sid, wish.meta));
                ledger.largest = ledger.largest.max(bytes);
                let (place, rule) = (wish.sid, wish.rule);
                let since = topic.sequence;
                ledger.debts.push(Debt { place, number: retained, topic: number, since, rule, due: false });
            }
        }
        ledger.subscriptions.push(subscription);
    }

    fn end_sid(&mut self, session: usize, sid: u32, max: u64) {
        self.bounded += u64::from(max > 0);
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        for subscription in ledger.subscriptions.iter_mut().filter(|one| one.wish.sid == sid) {
            subscription.left = Some(max.saturating_sub(subscription.delivered));
        }
        ledger.subscriptions.retain(|subscription| subscription.left != Some(0));
    }

    /// The session has gone on from a subscribe, so all that it sends of retained messages is in its outbox.
    pub(super) fn end_join(&mut self, session: usize) {
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        for debt in ledger.debts.iter_mut().filter(|debt| !debt.due) {
            debt.due = true;
            let is_still = self.topics.get(debt.topic).is_some_and(|topic| topic.sequence == debt.since);
            ledger.retained_min += u64::from(is_still);
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
        self.with(session, |ledger| {
            ledger.subscriptions.clear();
            // A join that was not done sent what it sent.
            ledger.debts.iter_mut().for_each(|debt| debt.due = true);
            ledger.ended = true;
        });
        self.any_ended = true;
    }

    pub(super) fn sent_nonsense(&mut self, session: usize) {
        self.with(session, |ledger| ledger.closing = true);
    }

    /// Enters a message into the accounts of all that are to get it. Returns how many places that are.
    fn publish(&mut self, publisher: usize, number: u64, retain: bool, ttl_ms: Option<u64>) -> u64 {
        let now_ms = self.now_ms;
        let Some(message) = usize::try_from(number).ok().and_then(|at| self.messages.get_mut(at)) else {
            return 0;
        };
        let Some(topic) = self.topics.get_mut(message.topic) else { return 0 };
        topic.sequence += 1;
        message.sequence = topic.sequence;
        message.time_ms = now_ms;
        self.mortal |= ttl_ms.is_some();
        if retain {
            topic.retained = Some(number);
        }
        let message = message.clone();
        let name = TOPICS.get(message.topic).copied().unwrap_or_default();
        let (mut receivers, mut pressed) = (0, false);
        let mut shares: BTreeMap<&'static str, Share> = BTreeMap::new();
        for (session, ledger) in self.ledgers.iter_mut().enumerate() {
            let own = ledger.claim(name, number, ttl_ms.is_some());
            for wish in ledger.subscriptions.iter().filter(|one| one.matches(name)).map(|one| &one.wish) {
                let Some(group) = wish.group else { continue };
                let share = shares.entry(group).or_default();
                share.idle |= ledger.native && !own.is_empty();
                share.members.push((session, wish.sid, wish.rule));
            }
            receivers += own.len() as u64;
            for (place, owed) in own {
                let bytes = frame_bytes(&message, name, place, owed.meta);
                *self.pushed.entry(session).or_default() += bytes;
                pressed |= owed.rule.is_none_or(|rule| rule == Rule::Block);
                ledger.owe((place, message.topic, message.sequence), owed, bytes);
            }
            if ledger.end_bounded() {
                self.checks.saw("a subscription of NATS had its last message");
            }
        }
        for (group, share) in Oracle::with_doubts(shares) {
            receivers += 1;
            for (session, place, rule) in &share.members {
                pressed |= *rule == Rule::Block;
                let bytes = frame_bytes(&message, name, *place, true);
                *self.pushed.entry(*session).or_default() += bytes;
                self.with_largest(*session, bytes);
            }
            self.shares.insert((number, group), share);
        }
        self.with(publisher, |ledger| ledger.pressed |= pressed);
        receivers
    }

    /// A session gets a message through one of its groups alone: then the other may have nobody.
    fn with_doubts(mut shares: BTreeMap<&'static str, Share>) -> BTreeMap<&'static str, Share> {
        let mut groups: BTreeMap<usize, u32> = BTreeMap::new();
        for share in shares.values() {
            let mut natives: Vec<usize> = share
                .members
                .iter()
                .filter(|(_, place, _)| *place == 0)
                .map(|(session, ..)| *session)
                .collect();
            natives.dedup();
            for session in natives {
                *groups.entry(session).or_default() += 1;
            }
        }
        for share in shares.values_mut() {
            share.idle |=
                share.members.iter().any(|(one, ..)| groups.get(one).is_some_and(|count| *count > 1));
        }
        shares
    }

    fn with_largest(&mut self, session: usize, bytes: usize) {
        self.with(session, |ledger| ledger.largest = ledger.largest.max(bytes));
    }
}

/// Bytes of a message as it is sent: exactly, but for those with meta, where it is a bound.
fn frame_bytes(message: &Message, topic: &str, place: Place, meta: bool) -> usize {
    let value = message.value_bytes;
    if place > 0 {
        let digits = |number: usize| number.to_string().len();
        // MSG, topic, sid, size, and the two line ends.
        return 4 + topic.len() + 1 + digits(place as usize) + 1 + digits(value) + 2 + value + 2;
    }
    // The header of a bin or a str; of a native value as clients here write it, too.
    let header = match value {
        0..=0xff => 2,
        _ => 3,
    };
    let rest = if meta { 64 } else { 0 };
    1 + 1 + topic.len() + header + value + rest
}
