//! Subscriptions that begin and end, and topics that are cleared.

use super::ledger::{Debt, Subscription};
use super::store::NEVER;
use super::{Oracle, TOPICS, UNKNOWN_BYTES, frame_bytes};
use crate::sim::effect::{Answer, NIL, Wish};

impl Oracle {
    pub(super) fn subscribe(&mut self, session: usize, wish: &Wish, id: Option<u64>) {
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
        ledger.policies.entry(wish.pattern).or_default().insert((wish.rule, wish.chosen_by));
        ledger.places = ledger.places.max(1) + usize::from(!ledger.native);
        ledger.rated |= wish.max_rate.is_some();
        if wish.retained {
            for (number, topic) in self.topics.iter().enumerate() {
                let name = TOPICS.get(number).copied().unwrap_or_default();
                let kept = self.store.get(number, self.now_ms).filter(|_| subscription.matches(name));
                let Some(kept) = kept else {
                    if self.store.has_gone(number) && subscription.matches(name) {
                        self.checks.saw("a topic that had gone was asked for");
                    }
                    continue;
                };
                ledger.retained_max += 1;
                subscription.delivered += 1;
                *self.pushed.entry(session).or_default() += UNKNOWN_BYTES;
                let message = usize::try_from(kept.number).ok().and_then(|at| self.messages.get(at));
                let bytes = message
                    .map_or(0, |message| frame_bytes(message, name, wish.sid, wish.meta, ledger.headers));
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

    pub(super) fn end_sid(&mut self, session: usize, sid: u32, max: u64) {
        self.bounded += u64::from(max > 0);
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        for subscription in ledger.subscriptions.iter_mut().filter(|one| one.wish.sid == sid) {
            subscription.left = Some(max.saturating_sub(subscription.delivered));
        }
        ledger.subscriptions.retain(|subscription| subscription.left != Some(0));
    }

    pub(super) fn clear(&mut self, session: usize, pattern: &'static str, id: Option<u64>) {
        let operator = self.operator.as_ref();
        let wish = operator.map(|operator| Wish::plain(pattern, 0, operator));
        let Some(subscription) = wish.and_then(Subscription::new) else { return };
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
    pub(super) fn cleared_less(&mut self, sessions: Vec<usize>) {
        for session in sessions {
            self.with(session, |ledger| {
                if let Some(Answer::Cleared { least, .. }) = ledger.answers.back_mut() {
                    *least = least.saturating_sub(1);
                }
            });
        }
    }
}
