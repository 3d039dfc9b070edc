//! What the broker owes one client, and what the client has seen of it.

use std::collections::{BTreeMap, VecDeque};

use broker_core::Policy;

use crate::numbered::Numbered;

/// See the head of this file.
#[derive(Debug)]
pub struct Account {
    pub introduced: bool,
    pub subscriptions: BTreeMap<&'static str, Policy>,
    /// Published to it and neither received nor known to be missed, in order.
    pub owed: VecDeque<Owed>,
    pub published: u64,
    pub received: u64,
    /// Left out before received ones.
    pub missed: u64,
    /// By `Lagged` since the last message: pattern and count.
    pub told: Vec<(String, u64)>,
    pub told_in_all: u64,
    /// Ids and, where known, results of the answers to come.
    pub answers: VecDeque<(u64, Option<u64>)>,
    pub goodbye: bool,
    pub failed: bool,
    telling: Telling,
}

/// A message on its way.
#[derive(Debug)]
pub struct Owed {
    pub topic: &'static str,
    pub message: Numbered,
    /// The patterns that it matched.
    pub matched: Vec<&'static str>,
}

/// What can be said of the order of messages, and of when a gap is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// All messages come in order, and each gap is told where it is.
    Exact,
    /// All messages come in order. A gap is told where it is or before.
    Early,
    /// The messages of a topic come in order. What was missed is told by the end.
    InAll,
}

/// How often a check could have failed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Checks {
    /// Messages received in order.
    pub received: u64,
    /// Messages missed and counted.
    pub missed: u64,
    /// Gaps that `Lagged` told.
    pub told: u64,
    /// Messages lost with their session.
    pub lost: u64,
    /// Looks at the bound of an outbox that held something.
    pub bounded: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// Times that a publisher was held back.
    pub held: u64,
    /// Messages that were thinned out.
    pub thinned: u64,
}

impl Checks {
    pub fn add(&mut self, other: Checks) {
        let Checks { received, missed, told, lost, bounded, ended, held, thinned } = other;
        self.received += received;
        self.missed += missed;
        self.told += told;
        self.lost += lost;
        self.bounded += bounded;
        self.ended += ended;
        self.held += held;
        self.thinned += thinned;
    }
}

impl Account {
    pub fn new(introduced: bool, telling: Telling) -> Self {
        Account {
            introduced,
            subscriptions: BTreeMap::new(),
            owed: VecDeque::new(),
            published: 0,
            received: 0,
            missed: 0,
            told: Vec::new(),
            told_in_all: 0,
            answers: VecDeque::new(),
            goodbye: false,
            failed: false,
            telling,
        }
    }

    /// A message came: what was owed before it was missed, and told.
    pub fn take(&mut self, topic: &str, message: Numbered, checks: &mut Checks) {
        let place = self.owed.iter().position(|owed| owed.message == message && owed.topic == topic);
        let place =
            place.unwrap_or_else(|| panic!("{message:?} on {topic} is not owed, or out of order: {self:?}"));
        self.received += 1;
        checks.received += 1;
        if self.telling == Telling::InAll {
            let owed = self.owed.drain(..=place).collect::<Vec<_>>();
            let (gap, others): (Vec<_>, Vec<_>) = owed.into_iter().partition(|owed| owed.topic == topic);
            self.missed += gap.len() as u64 - 1;
            others.into_iter().rev().for_each(|other| self.owed.push_front(other));
            checks.told += self.told.drain(..).count() as u64;
            return;
        }
        let gap: Vec<Owed> = self.owed.drain(..place).collect();
        self.owed.pop_front();
        self.missed += gap.len() as u64;
        if self.telling == Telling::Early {
            assert!(self.told_in_all >= self.missed, "Lagged before {message:?}: {self:?}");
            checks.told += self.told.drain(..).count() as u64;
            return;
        }
        let told: u64 = self.told.iter().map(|(_, missed)| missed).sum();
        assert_eq!(told, gap.len() as u64, "Lagged before {message:?}: {:?}", self.told);
        for (pattern, missed) in self.told.drain(..) {
            let matching = gap.iter().filter(|owed| owed.matched.contains(&pattern.as_str())).count() as u64;
            assert!(missed <= matching, "{missed} of {pattern}, of which {matching} matched");
            checks.told += 1;
        }
    }
}
