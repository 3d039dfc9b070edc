//! What the broker owes one session, and what the session has seen of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use broker_core::glob_tree::{Dialect, Pattern, PatternLimits};

use super::store::NEVER;
use crate::sim::effect::{Answer, ChosenBy, Seen, Wish};
use crate::sim::rule::Rule;

/// What a message takes of the bound beside its bytes where it waits alone.
const ALONE_BYTES: usize = 128;

/// What is said at the end at the most.
const FAREWELL_BYTES: usize = 300;

/// What a `Lagged` takes at the most.
const LAGGED_BYTES: usize = 48;

/// Where messages arrive: 0 for a native session, the sid for a subscription of NATS.
pub(super) type Place = u32;

/// A subscription in effect.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) wish: Wish,
    pub(super) pattern: Pattern,
    /// Messages until it ends, on NATS.
    pub(super) left: Option<u64>,
    /// Messages so far.
    pub(super) delivered: u64,
}

impl Owed {
    /// Whether it has an end.
    pub(super) fn is_mortal(&self) -> bool {
        self.until_ms != NEVER
    }
}

impl Subscription {
    pub(super) fn new(wish: Wish) -> Option<Self> {
        let dialect = if wish.sid == 0 { Dialect::Glob } else { Dialect::Subject };
        let pattern = Pattern::parse(wish.pattern, dialect, &PatternLimits::default()).ok()?;
        Some(Subscription { wish, pattern, left: None, delivered: 0 })
    }

    /// Whether it gets what is published to `topic`.
    pub(super) fn matches(&self, topic: &str) -> bool {
        let hidden = topic.starts_with('!') && self.pattern.begins_with_wildcard();
        !hidden && self.pattern.matches(topic)
    }
}

/// A message on its way to a session.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub(super) number: u64,
    /// The patterns that it may be counted for, and their policy if it is one.
    pub(super) patterns: Vec<&'static str>,
    pub(super) rule: Option<Rule>,
    pub(super) meta: bool,
    /// It may be thinned out, or come to its end while it waits.
    pub(super) rated: bool,
    pub(super) until_ms: u64,
    /// Messages a second, where it comes by one subscription that has such a rate.
    pub(super) max_rate: Option<u64>,
    /// There was room for it, and its policy never takes back what it took.
    pub(super) certain: bool,
}

/// A retained message that a new subscription is to get.
#[derive(Debug, Clone)]
pub(super) struct Debt {
    pub(super) place: Place,
    pub(super) number: u64,
    pub(super) meta: bool,
    pub(super) topic: usize,
    /// The topic's newest message when the subscription came.
    pub(super) since: u64,
    pub(super) rule: Rule,
    pub(super) until_ms: u64,
    /// When the subscription came.
    pub(super) begun_ms: u64,
    /// Its join is done.
    pub(super) due: bool,
    /// It held and was the newest until then.
    pub(super) certain: bool,
    /// The live message came, or this one for it: whichever comes yet may be the other.
    pub(super) is_either: bool,
    /// It may have come in the place of another one like it.
    pub(super) spared: bool,
}

impl Debt {
    /// Whether it may be this message.
    pub(super) fn is_seen(&self, seen: &Seen<'_>, number: u64) -> bool {
        (self.place, self.number, self.meta) == (seen.place, number, seen.meta.is_some())
    }

    /// Whether the message may say that it holds so long.
    pub(super) fn can_have_left(&self, ttl_ms: Option<u64>) -> bool {
        match ttl_ms {
            None => self.until_ms == NEVER,
            Some(ttl_ms) => self.until_ms != NEVER && (1..=self.until_ms - self.begun_ms).contains(&ttl_ms),
        }
    }
}

/// The newest message of a topic that arrived at a place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Newest {
    pub(super) sequence: u64,
    pub(super) number: u64,
    pub(super) was_retained: bool,
    /// The newest one that it came behind: a retained message comes behind all that was published before it was asked for, newer ones included that
    /// were not to be retained.
    pub(super) covers: u64,
}

/// Everything about one session.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) native: bool,
    pub(super) introduced: bool,
    pub(super) bound: usize,
    pub(super) subscriptions: Vec<Subscription>,
    /// By place, topic and number on the topic.
    pub(super) owed: BTreeMap<(Place, usize, u64), Owed>,
    pub(super) newest: BTreeMap<(Place, usize), Newest>,
    pub(super) debts: Vec<Debt>,
    pub(super) answers: VecDeque<Answer>,
    /// Bytes that these answers take at the most.
    pub(super) answer_bytes: usize,
    /// The most that answers and events took.
    pub(super) control_most: usize,
    /// The most that stood in line.
    pub(super) held_most: usize,
    /// `Lagged`, by pattern.
    pub(super) told: BTreeMap<String, u64>,
    /// How many messages these were when the step began, and how many bytes of answers were to come then.
    pub(super) told_before: u64,
    pub(super) answer_bytes_before: usize,
    /// Known to be missed, by pattern, where only one can count it.
    pub(super) missed: BTreeMap<&'static str, u64>,
    /// The same where several can.
    pub(super) missed_any: u64,
    /// Messages of this step that `drop-newest` must not drop any more, if there was room for all of it.
    pub(super) fresh: Vec<(Place, usize, u64)>,
    /// Bytes of those that came in this step, though they may have been read.
    pub(super) step_bytes: usize,
    /// Of the messages that are known to be missed since the step began, those that had an end.
    pub(super) step_over: u64,
    /// Missed or thinned out.
    pub(super) missed_rated: u64,
    /// The largest frame that was sent to it.
    pub(super) largest: usize,
    /// Messages owed, but for those of groups.
    pub(super) total: u64,
    /// The last of them.
    pub(super) last: Option<u64>,
    pub(super) received: u64,
    /// Of these, for members of groups.
    pub(super) received_in_group: u64,
    /// Retained messages that were sent for sure, and those that may have been.
    pub(super) retained_min: u64,
    pub(super) retained_max: u64,
    pub(super) retained_received: u64,
    /// Patterns whose subscribe was answered, and those where no answer was asked for.
    pub(super) answered: BTreeSet<&'static str>,
    /// The last command was a subscribe.
    pub(super) joins: bool,
    /// Messages with an end were published to it.
    pub(super) mortal: bool,
    /// How many places its messages may ever have had.
    pub(super) places: usize,
    /// A subscription of it ever had a `max_rate`.
    pub(super) rated: bool,
    /// It published to somebody who may hold it back.
    pub(super) pressed: bool,
    /// It was ever in a group.
    pub(super) grouped: bool,
    /// Each policy that a subscription of it ever had.
    pub(super) rules: BTreeSet<Rule>,
    /// The same by pattern, with who chose it.
    pub(super) policies: BTreeMap<&'static str, BTreeSet<(Rule, ChosenBy)>>,
    /// On NATS: it knows headers, and wants to be told of requests that nobody got.
    pub(super) headers: bool,
    pub(super) no_responders: bool,
    /// Topics of replies to requests that nobody got, of which it is to be told; and which messages the requests were.
    pub(super) unheard: Vec<(usize, u64)>,
    /// It did not say who it is, or the wrong thing.
    pub(super) barred: bool,
    /// It has sent nonsense, or said `Close`: no answers are certain.
    pub(super) closing: bool,
    /// Its subscriptions have gone.
    pub(super) ended: bool,
    /// Times that the missed messages grew since nothing waited.
    pub(super) lags: usize,
    /// Subscriptions that ended since it was last told of everything.
    pub(super) ended_subscriptions: usize,
    /// When its subscriptions changed last.
    pub(super) changed_ms: u64,
    /// When the messages of a topic were published that came by a `max_rate` since then.
    pub(super) paces: BTreeMap<(Place, usize), Vec<u64>>,
    /// Messages without a number came, and others like them may have come instead: it is not known for which pattern which was missed.
    pub(super) blurred: bool,
    /// Messages that came and were taken for retained ones, though a group may have brought them: these may come yet, as if they were late.
    pub(super) swapped: BTreeSet<u64>,
    pub(super) goodbye: Option<String>,
}

impl Ledger {
    /// What had been published to its topic when this message was asked for last as a retained one, and has not come as that; 0 if it was not.
    pub(super) fn asked_at(&self, place: Place, number: u64) -> u64 {
        let alike = self.debts.iter().filter(|debt| debt.place == place && debt.number == number);
        alike.map(|debt| debt.since).max().unwrap_or(0)
    }

    /// The policy of all its subscriptions, if they had one.
    pub(super) fn rule(&self) -> Option<Rule> {
        let mut rules = self.rules.iter();
        rules.next().copied().filter(|_| rules.next().is_none())
    }

    pub(super) fn expect(&mut self, answer: Answer) {
        let bytes = match &answer {
            Answer::Welcome => 400,
            Answer::Ok { .. } | Answer::Cleared { .. } => 24,
            Answer::Err { .. } => 300,
            Answer::Pong => 10,
            Answer::NatsErr => 100,
        };
        self.answer_bytes += bytes;
        self.step_bytes += bytes;
        self.answers.push_back(answer);
    }

    /// What its subscriptions without a group have to do with a message: where it is to arrive, and as what.
    pub(super) fn claim(&mut self, topic: &str, number: u64, until_ms: u64) -> Vec<(Place, Owed)> {
        let mut own: Vec<(Place, Owed)> = Vec::new();
        let takes = |one: &&mut Subscription| one.wish.group.is_none() && one.matches(topic);
        for subscription in self.subscriptions.iter_mut().filter(takes) {
            subscription.delivered += 1;
            subscription.left = subscription.left.map(|left| left.saturating_sub(1));
            let wish = &subscription.wish;
            let rated = wish.max_rate.is_some();
            if let Some((_, owed)) = own.iter_mut().find(|(place, _)| *place == wish.sid) {
                owed.patterns.push(wish.pattern);
                owed.rule = owed.rule.filter(|rule| *rule == wish.rule);
                owed.meta |= wish.meta;
                owed.rated |= rated;
                owed.max_rate = None;
                continue;
            }
            let (patterns, rule) = (vec![wish.pattern], Some(wish.rule));
            let (meta, max_rate) = (wish.meta, wish.max_rate);
            let owed = Owed { number, patterns, rule, meta, rated, until_ms, max_rate, certain: false };
            own.push((wish.sid, owed));
        }
        own
    }

    /// Enters a message that takes so many bytes.
    pub(super) fn owe(&mut self, key: (Place, usize, u64), owed: Owed, bytes: usize) {
        self.largest = self.largest.max(bytes);
        if owed.rule == Some(Rule::DropNewest) && self.rule().is_some() && !self.rated && !owed.is_mortal() {
            self.fresh.push(key);
        }
        self.total += 1;
        self.mortal |= owed.is_mortal();
        self.last = Some(owed.number);
        self.owed.insert(key, owed);
    }

    /// Ends subscriptions that have had their last message. True if there was one.
    pub(super) fn end_bounded(&mut self) -> bool {
        let count = self.subscriptions.len();
        self.subscriptions.retain(|one| one.left != Some(0));
        self.subscriptions.len() < count
    }

    /// It never comes any more.
    pub(super) fn miss(&mut self, owed: &Owed) {
        self.step_over += u64::from(owed.is_mortal());
        match owed.patterns.as_slice() {
            _ if owed.rated => self.missed_rated += 1,
            [one] if !self.blurred => *self.missed.entry(one).or_default() += 1,
            _ => self.missed_any += 1,
        }
    }

    /// Its subscriptions changed: so many of them ended.
    pub(super) fn changed(&mut self, now_ms: u64, ended: usize) {
        self.changed_ms = now_ms;
        self.paces.clear();
        self.ended_subscriptions += ended;
    }

    /// Messages that it was told of as missed.
    pub(super) fn told_in_all(&self) -> u64 {
        self.told.values().sum()
    }

    /// Bytes of answers and events that may wait beside its messages, which missed so many, and so many of them in this step.
    pub(super) fn control_max(&self, lagged: u64, now: u64) -> usize {
        self.control_beside(self.answer_bytes, self.told_in_all(), lagged, now)
    }

    /// The same of what may have waited at any time in this step, though it may have been read since.
    pub(super) fn control_in_step(&self, lagged: u64, now: u64) -> usize {
        let answer_bytes = self.answer_bytes.max(self.answer_bytes_before);
        self.control_beside(answer_bytes, self.told_before, lagged, now)
    }

    fn control_beside(&self, answer_bytes: usize, told: u64, lagged: u64, now: u64) -> usize {
        let farewell = if self.closing || self.ended { FAREWELL_BYTES } else { 0 };
        let mut events = 0;
        if self.native && self.introduced {
            // One for each subscription, each time; and each tells of a message at the least.
            let untold = lagged.saturating_sub(told);
            let times = self.lags + 1 + usize::try_from(now).unwrap_or(usize::MAX / 1024);
            let each_time = times * (self.subscriptions.len() + self.ended_subscriptions).max(1);
            events = each_time.min(usize::try_from(untold).unwrap_or(usize::MAX));
        }
        answer_bytes + self.step_bytes + farewell + events * LAGGED_BYTES
    }

    /// A message came by a `max_rate`, and was taken up to be written then. Says what is wrong with that, or whether there was another one to compare
    /// it with.
    pub(super) fn keeps_pace(
        &mut self,
        (place, topic): (Place, usize),
        per_second: u64,
        published_ms: u64,
        taken_up_ms: u64,
    ) -> Result<bool, String> {
        let interval_us = 1_000_000_u64.div_ceil(per_second);
        let before = self.paces.entry((place, topic)).or_default();
        for (behind, first_ms) in before.iter().rev().enumerate() {
            let (messages, took_ms) = (behind as u64 + 1, taken_up_ms - first_ms.min(&taken_up_ms));
            if took_ms * 1000 < messages * interval_us {
                return Err(format!(
                    "{} messages came within {took_ms} ms, {per_second} a second",
                    messages + 1
                ));
            }
        }
        before.push(published_ms);
        Ok(before.len() > 1)
    }

    /// Messages that may have come to their end while they waited, up to this step.
    pub(super) fn over(&self, clock_ms: u64) -> u64 {
        let live = self.owed.values().filter(|owed| owed.until_ms <= clock_ms).count();
        let retained = self.debts.iter().filter(|debt| debt.until_ms <= clock_ms).count();
        (live + retained) as u64 + self.step_over
    }

    /// The most that one message takes of the bound.
    pub(super) fn largest(&self) -> usize {
        let alone = self.rated || self.mortal || self.rules.contains(&Rule::Conflate);
        self.largest + if alone { ALONE_BYTES } else { 0 }
    }

    pub(super) fn missed_in_all(&self) -> u64 {
        self.missed.values().sum::<u64>() + self.missed_any
    }
}
