//! What clients do: what they write, and how fast they read. What they say in each protocol is in `native` and `nats`, how they begin in `login`,
//! and what they make of what arrives in `hear`.

mod hear;
mod login;
mod native;
mod nats;

use std::collections::VecDeque;

use fastrand::Rng;

use super::config::{Config, DISJOINT_GLOBS, GLOBS, GROUPS, TOPICS};
use super::effect::{Effect, Wish};
use super::oracle::Oracle;
use super::rule::Rule;
use super::socket::Tags;
use super::wire::{self, Options};

/// Bytes of the last messages.
const LAST_BYTES: usize = 20;

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Fast,
    Slow,
    Never,
}

pub(super) struct Client {
    native: bool,
    introduced: bool,
    begun: bool,
    /// On NATS: it said that it knows headers.
    headers: bool,
    /// Topics that somebody wants an answer at.
    asked: VecDeque<usize>,
    /// It does not say who it is where it has to, or the wrong thing.
    pub(super) barred: bool,
    pub(super) pace: Pace,
    /// Written, and not in the socket yet.
    pub(super) outgoing: VecDeque<u8>,
    /// Read, and not a whole frame yet.
    incoming: Vec<u8>,
    /// When what is in it was taken up to be written.
    tags: Tags,
    patterns: Vec<&'static str>,
    sids: Vec<u32>,
    next_id: u64,
    next_sid: u32,
    /// It writes no more: it has said something that ends its session.
    pub(super) finished: bool,
    /// It has gone: what it would have read counts, and no more comes.
    pub(super) gone: bool,
}

/// Where commands are written to.
struct Pen<'a> {
    frame: Vec<u8>,
    oracle: &'a mut Oracle,
    rng: &'a mut Rng,
    config: &'a Config,
}

impl Client {
    pub(super) fn new(native: bool) -> Self {
        Client {
            native,
            introduced: false,
            begun: false,
            headers: false,
            asked: VecDeque::new(),
            barred: false,
            pace: Pace::Fast,
            outgoing: VecDeque::new(),
            incoming: Vec::new(),
            tags: Tags::default(),
            patterns: Vec::new(),
            sids: Vec::new(),
            next_id: 1,
            next_sid: 1,
            finished: false,
            gone: false,
        }
    }

    /// Thinks of one command and writes it. Returns what it will do.
    pub(super) fn think(&mut self, rng: &mut Rng, config: &Config, oracle: &mut Oracle) -> Option<Effect> {
        if self.finished {
            return None;
        }
        let mut pen = Pen { frame: Vec::new(), oracle, rng, config };
        let effect = match (self.native, self.begun) {
            (_, false) if config.operator.auth_timeout_ms.is_some() => Some(self.log_in(&mut pen)),
            (true, false) if pen.rng.u32(..4) > 0 => Some(self.hello(&mut pen, None)),
            (false, false) => Some(self.connect(&mut pen, "")),
            (true, _) => self.native_command(&mut pen),
            (false, _) => self.nats_command(&mut pen),
        };
        self.begun = true;
        self.outgoing.extend(pen.frame);
        effect
    }

    /// Asks for all that is retained, and publishes one message to each topic.
    pub(super) fn last_words(&mut self, config: &Config, oracle: &mut Oracle) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut frame = Vec::new();
        if config.operator.auth_timeout_ms.is_some() {
            login::hello(&mut frame, Some(&login::right_token()));
            effects.push(Effect::Hello);
        }
        for pattern in ["*", "!*"] {
            wire::command(&mut frame, "Subscribe", Some(&wire::text(pattern)), &Options::new());
            let wish = Wish::plain(pattern, 0, &config.operator);
            effects.push(Effect::Subscribe { wish, id: None });
        }
        // Small, but where all that is kept is of one size.
        let bytes = match config.value_bytes.as_slice() {
            [one] => *one,
            _ => LAST_BYTES,
        };
        for (topic, name) in TOPICS.iter().enumerate() {
            let number = oracle.new_message(topic, true, bytes);
            let mut value = Vec::new();
            wire::bin(&mut value, wire::content(number, bytes).as_bytes());
            wire::command(&mut frame, "Publish", Some(&wire::pair(name, &value)), &Options::new());
            effects.push(Effect::Publish { number, retain: true, ttl_ms: None, id: None });
        }
        self.outgoing.extend(frame);
        effects
    }

    /// Whether it wrote something that ends its session.
    pub(super) fn sent_nonsense(&self) -> bool {
        self.finished && self.outgoing.is_empty()
    }
}

impl Pen<'_> {
    fn text(&mut self, text: &str) {
        self.frame.extend_from_slice(text.as_bytes());
    }

    /// What kind of command comes next.
    fn kind(&mut self) -> u32 {
        let most = if self.config.churn && self.rng.bool() { 8 } else { 40 };
        self.rng.u32(..most)
    }

    fn pattern(&mut self) -> &'static str {
        let patterns: &[&'static str] = if self.config.disjoint { &DISJOINT_GLOBS } else { &GLOBS };
        patterns.get(self.rng.usize(..patterns.len())).copied().unwrap_or("*")
    }

    fn topic(&mut self) -> usize {
        // Some topics are much busier than others.
        let most = if self.rng.bool() { 3 } else { TOPICS.len() };
        self.rng.usize(..most)
    }

    fn value_bytes(&mut self) -> usize {
        let sizes = &self.config.value_bytes;
        sizes.get(self.rng.usize(..sizes.len().max(1))).copied().unwrap_or(20)
    }

    fn rule(&mut self) -> Rule {
        let rules = &self.config.policies;
        rules.get(self.rng.usize(..rules.len().max(1))).copied().unwrap_or(Rule::Skip)
    }

    fn group(&mut self) -> Option<&'static str> {
        let is_in = self.config.groups && self.rng.bool();
        // Mostly the same, so that it has members.
        let number = usize::from(self.rng.u32(..4) == 0);
        GROUPS.get(number).copied().filter(|_| is_in)
    }
}
