//! The obvious store: topics in a list, least recently published to first, with what is retained of them.

use broker_core::glob_tree::Pattern;

/// What is retained of a topic, and when it is due to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub value: Vec<u8>,
    pub due_ms: Option<u64>,
}

/// What a message does to what is retained of its topic.
#[derive(Debug, Clone)]
pub enum Effect {
    Nothing,
    Keep(Kept),
    /// Too large to keep.
    Forget,
    /// The topic goes as well.
    Clear,
}

/// Topics, least recently published to first, with what is retained of them.
#[derive(Debug, Default)]
pub struct Store {
    pub topics: Vec<(String, Option<Kept>)>,
    pub now_ms: u64,
    pub evicted: u64,
    pub expired: u64,
    pub cleared: u64,
    pub oversized: u64,
    pub messages_max: usize,
    pub bytes_max: usize,
}

impl Store {
    /// A batch: each topic with its last message that does something, in the order of the last messages of all.
    pub fn publish(&mut self, batch: &[(String, Effect)]) {
        let mut last: Vec<(&str, &Effect)> = Vec::new();
        for (topic, effect) in batch {
            let before = last.iter().position(|(name, _)| name == topic).map(|place| last.remove(place).1);
            let effect = if matches!(effect, Effect::Nothing) { before.unwrap_or(effect) } else { effect };
            last.push((topic, effect));
        }
        for (topic, effect) in last {
            let place = self.topics.iter().position(|(name, _)| name == topic);
            let kept = place.and_then(|place| self.topics.remove(place).1);
            match effect {
                Effect::Nothing => self.topics.push((topic.to_owned(), kept)),
                Effect::Keep(kept) => self.topics.push((topic.to_owned(), Some(kept.clone()))),
                Effect::Forget => {
                    self.oversized += 1;
                    self.topics.push((topic.to_owned(), None));
                }
                Effect::Clear => self.cleared += u64::from(kept.is_some_and(|kept| self.holds(&kept))),
            }
        }
        while self.topics.len() > self.messages_max || self.bytes() > self.bytes_max {
            self.topics.remove(0);
            self.evicted += 1;
        }
    }

    pub fn holds(&self, kept: &Kept) -> bool {
        kept.due_ms.is_none_or(|due_ms| self.now_ms < due_ms)
    }

    /// The topics go whose message has outlived its time.
    pub fn expire(&mut self) {
        let before = self.topics.len();
        let now_ms = self.now_ms;
        let holds = |kept: &Kept| kept.due_ms.is_none_or(|due_ms| now_ms < due_ms);
        self.topics.retain(|(_, kept)| kept.as_ref().is_none_or(holds));
        self.expired += (before - self.topics.len()) as u64;
    }

    /// The topics go that match and have a message that holds. Returns how many.
    pub fn clear(&mut self, pattern: &str) -> u64 {
        let pattern = Pattern::glob(pattern).unwrap();
        let before = self.topics.len();
        let now_ms = self.now_ms;
        let holds = |kept: &Kept| kept.due_ms.is_none_or(|due_ms| now_ms < due_ms);
        self.topics.retain(|(topic, kept)| !(kept.as_ref().is_some_and(holds) && pattern.matches(topic)));
        let cleared = (before - self.topics.len()) as u64;
        self.cleared += cleared;
        cleared
    }

    /// Names, and the messages `[topic, value]` as they stand on the wire.
    pub fn bytes(&self) -> usize {
        let message = |(topic, kept): &(String, Option<Kept>)| match kept {
            Some(kept) => 1 + if topic.len() < 32 { 1 } else { 2 } + topic.len() + kept.value.len(),
            None => 0,
        };
        self.topics.iter().map(|entry| entry.0.len() + message(entry)).sum()
    }
}
