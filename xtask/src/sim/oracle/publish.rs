//! A message that was published: who is to get it, and who shares it.

use std::collections::BTreeMap;

use super::store::NEVER;
use super::{Oracle, Rule, Share, TOPICS, frame_bytes};

impl Oracle {
    /// Enters a message into the accounts of all that are to get it. Returns how many places that are.
    pub(super) fn publish(
        &mut self,
        publisher: usize,
        number: u64,
        retain: bool,
        ttl_ms: Option<u64>,
    ) -> u64 {
        let now_ms = self.now_ms;
        let Some(message) = usize::try_from(number).ok().and_then(|at| self.messages.get_mut(at)) else {
            return 0;
        };
        let Some(topic) = self.topics.get_mut(message.topic) else { return 0 };
        topic.sequence += 1;
        message.sequence = topic.sequence;
        message.time_ms = now_ms;
        message.ttl_ms = ttl_ms;
        message.until_ms = ttl_ms.map_or(NEVER, |ttl_ms| now_ms + ttl_ms);
        self.mortal |= ttl_ms.is_some();
        let message = message.clone();
        if self.store.touch(message.topic) {
            self.checks.saw("a topic that had gone came again");
        }
        if retain {
            let outcome = self.store.publish(number, &message, ttl_ms, now_ms);
            self.cleared_less(outcome.doubts);
            if outcome.cleared {
                self.checks.saw("a publish cleared its topic");
            }
        }
        let name = TOPICS.get(message.topic).copied().unwrap_or_default();
        let (mut receivers, mut pressed) = (0, false);
        let mut shares: BTreeMap<&'static str, Share> = BTreeMap::new();
        for (session, ledger) in self.ledgers.iter_mut().enumerate() {
            let own = ledger.claim(name, number, message.until_ms);
            for wish in ledger.subscriptions.iter().filter(|one| one.matches(name)).map(|one| &one.wish) {
                let Some(group) = wish.group else { continue };
                let share = shares.entry(group).or_default();
                share.idle |= ledger.native && !own.is_empty();
                share.members.push((session, wish.sid, wish.rule));
            }
            receivers += own.len() as u64;
            for (place, owed) in own {
                let bytes = frame_bytes(&message, name, place, owed.meta, ledger.headers);
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
                let bytes = frame_bytes(&message, name, *place, true, true);
                *self.pushed.entry(*session).or_default() += bytes;
                self.with_largest(*session, bytes);
            }
            self.shares.insert((number, group), share);
        }
        self.with(publisher, |ledger| ledger.pressed |= pressed);
        if receivers == 0 {
            self.unheard(publisher, &message);
        }
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
