//! What is retained while time goes by: joins and clears that end, topics that go, and what the broker says of its topics.

use broker_core::{TopicInfo, TopicStats};

use super::store::Kept;
use super::{Oracle, Promise, TOPICS};
use crate::sim::wire;

impl Oracle {
    /// The session has gone on from what it did last: a `Clear` is done, and all that a subscribe sends of retained messages is in its outbox.
    pub(in crate::sim) fn go_on(&mut self, session: usize) {
        self.end_join(session);
        self.store.end_clear(session);
    }

    pub(super) fn end_join(&mut self, session: usize) {
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
    pub(in crate::sim) fn check_retained(&mut self, known: &[TopicInfo]) {
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

    /// What was published until now is in: the broker keeps to its bounds.
    pub(in crate::sim) fn keep_bounds(&mut self) {
        for topic in self.store.keep_bounds() {
            self.checks.saw("a topic went at the bound");
            let name = TOPICS.get(topic).copied().unwrap_or_default();
            let mut subscriptions = self.ledgers.iter().flat_map(|ledger| &ledger.subscriptions);
            if subscriptions.any(|subscription| subscription.matches(name)) {
                self.checks.saw("a topic with subscribers went at the bound");
            }
            let is_on_its_way = |ledger: &super::Ledger| {
                ledger.debts.iter().any(|debt| debt.topic == topic && !debt.due && !ledger.ended)
            };
            if self.ledgers.iter().any(is_on_its_way) {
                self.checks.saw("a topic went at the bound during a join");
            }
        }
    }

    /// What is over has been looked for.
    pub(in crate::sim) fn expire(&mut self) {
        self.store.expire(self.now_ms);
    }

    /// Compares what the broker says of how much it keeps.
    pub(in crate::sim) fn check_store(&mut self, stats: &TopicStats) {
        if let Some(text) = self.store.differs(stats) {
            self.fail(Promise::Retained, text);
        }
    }
}
