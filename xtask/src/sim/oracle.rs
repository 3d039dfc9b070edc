//! What should happen: an account of all effects in their order, from `docs/protocol.md` and the promises of the design, not from the broker's
//! code.

mod ledger;
mod publish;
mod receive;
mod settle;
mod store;

use std::collections::BTreeMap;

use broker_core::TopicInfo;

use self::ledger::{Debt, Ledger, Place, Subscription};
use self::store::{Kept, NEVER, Store};
use super::checks::Checks;
use super::config::{Config, NO_DEADLINE_MS, TOPICS};
use super::effect::{Answer, Effect, Empty, FALSE, NIL, TRUE, Wish};
use super::rule::{Promise, Rule};
use super::wire;

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
    pub(super) fn new_message(
        &mut self,
        topic: usize,
        native: bool,
        value_bytes: usize,
        empty: Option<Empty>,
    ) -> u64 {
        let (sequence, time_ms, ttl_ms, until_ms) = (0, 0, None, NEVER);
        self.messages.push(Message {
            topic,
            native,
            value_bytes,
            empty,
            sequence,
            time_ms,
            ttl_ms,
            until_ms,
        });
        self.messages.len() as u64 - 1
    }

    pub(super) fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(usize::try_from(number).ok()?)
    }

    /// A command of the session was handled.
    pub(super) fn apply(&mut self, session: usize, effect: &Effect) {
        self.go_on(session);
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
        let count = ledger.subscriptions.len();
        ledger.subscriptions.retain(|other| !is_same(other));
        ledger.changed(self.now_ms, count - ledger.subscriptions.len());
        ledger.grouped |= wish.group.is_some();
        ledger.rules.insert(wish.rule);
        ledger.places = ledger.places.max(1) + usize::from(!ledger.native);
        ledger.rated |= wish.max_rate.is_some();
        if wish.retained {
            for (number, topic) in self.topics.iter().enumerate() {
                let name = TOPICS.get(number).copied().unwrap_or_default();
                let kept = self.store.get(number, self.now_ms).filter(|_| subscription.matches(name));
                let Some(kept) = kept else { continue };
                ledger.retained_max += 1;
                subscription.delivered += 1;
                *self.pushed.entry(session).or_default() += UNKNOWN_BYTES;
                let message = usize::try_from(kept.number).ok().and_then(|at| self.messages.get(at));
                let bytes = message.map_or(0, |message| frame_bytes(message, name, wish.sid, wish.meta));
                ledger.largest = ledger.largest.max(bytes);
                ledger.mortal |= kept.until_ms != NEVER;
                self.mortal |= kept.until_ms != NEVER;
                ledger.debts.push(Debt {
                    place: wish.sid,
                    number: kept.number,
                    meta: wish.meta,
                    topic: number,
                    since: topic.sequence,
                    rule: wish.rule,
                    until_ms: kept.until_ms,
                    begun_ms: self.now_ms,
                    due: false,
                    certain: false,
                    is_either: false,
                    spared: false,
                });
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

    fn clear(&mut self, session: usize, pattern: &'static str, id: Option<u64>) {
        let Some(subscription) = Subscription::new(Wish::plain(pattern)) else { return };
        let topics: Vec<usize> = (0..TOPICS.len())
            .filter(|at| TOPICS.get(*at).is_some_and(|name| subscription.matches(name)))
            .collect();
        let (least, most, doubts) = self.store.begin_clear(session, &topics, self.now_ms);
        self.cleared_less(doubts);
        if let Some(id) = id {
            self.with(session, |ledger| ledger.expect(Answer::Cleared { id, least, most }));
        }
    }

    /// The `Clear` of these sessions may count a message less, each.
    fn cleared_less(&mut self, sessions: Vec<usize>) {
        for session in sessions {
            self.with(session, |ledger| {
                if let Some(Answer::Cleared { least, .. }) = ledger.answers.back_mut() {
                    *least = least.saturating_sub(1);
                }
            });
        }
    }

    /// The session has gone on from what it did last: a `Clear` is done, and all that a subscribe sends of retained messages is in its outbox.
    pub(super) fn go_on(&mut self, session: usize) {
        self.end_join(session);
        self.store.end_clear(session);
    }

    fn end_join(&mut self, session: usize) {
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        for debt in ledger.debts.iter_mut().filter(|debt| !debt.due) {
            debt.due = true;
            let is_quiet = self.topics.get(debt.topic).is_some_and(|topic| topic.sequence == debt.since);
            let is_it = |kept: &Kept| kept.number == debt.number && !kept.doubtful;
            let is_certain = is_quiet && self.store.get(debt.topic, self.now_ms).is_some_and(is_it);
            ledger.retained_min += u64::from(is_certain);
            debt.certain = is_certain && !debt.spared;
        }
    }

    /// What the broker says of its topics, where nothing is under way but a `Clear`.
    pub(super) fn check_retained(&mut self, known: &[TopicInfo]) {
        for (at, name) in TOPICS.iter().enumerate() {
            let info = known.iter().find(|info| info.topic == *name);
            let value = info.and_then(|info| info.value.as_deref());
            let found = value.map(|value| wire::number_in(wire::content_of(value)).unwrap_or(u64::MAX));
            let kept = self.store.get(at, self.now_ms);
            if kept.is_some_and(|kept| kept.doubtful) {
                continue;
            }
            let wanted = kept.map(|kept| kept.number);
            self.checks.made(Promise::Retained, None);
            if found != wanted {
                let text = format!("'{name}' retains message {found:?}, and should retain {wanted:?}");
                return self.fail(Promise::Retained, text);
            }
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

/// Bytes of a message as it is sent: exactly, but for those with meta, where it is a bound.
fn frame_bytes(message: &Message, topic: &str, place: Place, meta: bool) -> usize {
    let value = match message.empty {
        Some(empty) if place > 0 => empty.payload().len(),
        Some(empty) => return 2 + topic.len() + empty.value().len() + if meta { 64 } else { 0 },
        None => message.value_bytes,
    };
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
