//! What clients do: what they write, and how fast they read. What they make of what arrives is in `hear`.

mod hear;

use std::collections::VecDeque;

use fastrand::Rng;

use super::config::{Config, DISJOINT_GLOBS, GLOBS, GROUPS, SUBJECTS, TOPICS};
use super::effect::{Effect, Empty, Wish};
use super::oracle::Oracle;
use super::rule::Rule;
use super::socket::Tags;
use super::wire::{self, Options, Value};

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
            (true, false) if pen.rng.u32(..4) > 0 => Some(self.hello(&mut pen)),
            (false, false) => Some(connect(&mut pen)),
            (true, _) => self.native_command(&mut pen),
            (false, _) => self.nats_command(&mut pen),
        };
        self.begun = true;
        self.outgoing.extend(pen.frame);
        effect
    }

    fn hello(&mut self, pen: &mut Pen<'_>) -> Effect {
        self.introduced = true;
        let mut hello = vec![0x81];
        wire::str(&mut hello, "version");
        hello.push(1);
        wire::command(&mut pen.frame, "Hello", Some(&hello), &Options::new());
        Effect::Hello
    }

    fn id(&mut self, pen: &mut Pen<'_>, options: &mut Options, one_in: u32) -> Option<u64> {
        if !self.introduced || pen.rng.u32(..one_in) > 0 {
            return None;
        }
        self.next_id += 1;
        options.push(("id", Value::Number(self.next_id)));
        Some(self.next_id)
    }

    fn native_command(&mut self, pen: &mut Pen<'_>) -> Option<Effect> {
        let mut options = Options::new();
        match pen.kind() {
            0..=5 => Some(self.subscribe(pen)),
            6 | 7 if !self.patterns.is_empty() => {
                let at = pen.rng.usize(..self.patterns.len());
                let pattern = self.patterns.swap_remove(at);
                let id = self.id(pen, &mut options, 2);
                wire::command(&mut pen.frame, "Unsubscribe", Some(&wire::text(pattern)), &options);
                Some(Effect::Unsubscribe { pattern, id })
            }
            8 if self.introduced => {
                let id = self.id(pen, &mut options, 2);
                wire::command(&mut pen.frame, "Ping", None, &options);
                Some(Effect::Ping { id })
            }
            9 if self.introduced => Some(self.mistake(pen)),
            11 if self.introduced && pen.config.clears => {
                let pattern = pen.pattern();
                let id = self.id(pen, &mut options, 2);
                wire::command(&mut pen.frame, "Clear", Some(&wire::text(pattern)), &options);
                Some(Effect::Clear { pattern, id })
            }
            10 if pen.config.nonsense && pen.rng.u32(..10) == 0 => {
                self.nonsense(pen);
                None
            }
            _ => Some(self.publish(pen)),
        }
    }

    fn publish(&mut self, pen: &mut Pen<'_>) -> Effect {
        let topic = pen.topic();
        let clears = self.introduced && pen.config.clears && !pen.config.groups && pen.rng.u32(..8) == 0;
        let empty = Empty::ALL.get(pen.rng.usize(..3)).copied().filter(|_| clears);
        let bytes = pen.value_bytes();
        let number = pen.oracle.new_message(topic, true, bytes, empty);
        let content = wire::content(number, bytes);
        let mut value = Vec::new();
        match empty {
            Some(empty) => value.extend_from_slice(empty.value()),
            // As wide as what NATS payloads become, so that frames are of one size.
            None => wire::bin(&mut value, content.as_bytes()),
        }
        let mut options = Options::new();
        let id = self.id(pen, &mut options, 8);
        let mut retain = true;
        let mut ttl_ms = None;
        if self.introduced && pen.config.ttl && pen.rng.u32(..4) == 0 {
            let ms = pen.rng.u64(1..60);
            ttl_ms = Some(ms);
            options.push(("ttl", Value::Number(ms)));
        }
        if clears {
            options.push(("retain", Value::Flag(true)));
        } else if self.introduced && pen.rng.u32(..6) == 0 {
            retain = !pen.config.unretained || pen.rng.bool();
            options.push(("retain", Value::Flag(retain)));
        }
        let name = TOPICS.get(topic).copied().unwrap_or_default();
        wire::command(&mut pen.frame, "Publish", Some(&wire::pair(name, &value)), &options);
        Effect::Publish { number, retain, ttl_ms, id }
    }

    fn subscribe(&mut self, pen: &mut Pen<'_>) -> Effect {
        let pattern = pen.pattern();
        if !self.patterns.contains(&pattern) {
            self.patterns.push(pattern);
        }
        // Without options it is the broker's default.
        let mut wish = Wish::plain(pattern);
        let mut options = Options::new();
        let id = self.id(pen, &mut options, 2);
        if self.introduced {
            wish.rule = pen.rule();
            options.push(("policy", Value::Text(wish.rule.name().to_owned())));
            wish.meta = pen.rng.u32(..4) == 0;
            wish.retained = pen.config.retained && pen.rng.u32(..4) > 0;
            options.push(("retained", Value::Flag(wish.retained)));
            if wish.meta {
                options.push(("meta", Value::Flag(true)));
            }
            wish.group = pen.group();
            if let Some(group) = wish.group {
                options.push(("group", Value::Text(group.to_owned())));
            } else if pen.config.rates && pen.rng.bool() {
                let max_rate = pen.rng.u64(20..400);
                wish.max_rate = Some(max_rate);
                options.push(("max_rate", Value::Number(max_rate)));
            }
        }
        wire::command(&mut pen.frame, "Subscribe", Some(&wire::text(pattern)), &options);
        Effect::Subscribe { wish, id }
    }

    /// An error that does not close.
    fn mistake(&mut self, pen: &mut Pen<'_>) -> Effect {
        let mut options = Options::new();
        let id = self.id(pen, &mut options, 2);
        let (name, argument, code) = match pen.rng.u32(..4) {
            0 => ("Publish", wire::pair("!system/x", &[1]), 9),
            1 => ("Publish", wire::pair("", &[1]), 3),
            2 => ("Subscribe", wire::text("a["), 4),
            _ => ("Dance", wire::text("x"), 2),
        };
        wire::command(&mut pen.frame, name, Some(&argument), &options);
        Effect::Refused { code, id }
    }

    /// Something that is no frame, or no command.
    fn nonsense(&mut self, pen: &mut Pen<'_>) {
        self.finished = true;
        let nonsense: &[u8] = if self.native {
            [&b"\xc1"[..], b"\x93\x01\x02\x03", b"\x81\x01\x90"]
                .get(pen.rng.usize(..3))
                .copied()
                .unwrap_or(b"\xc1")
        } else {
            [&b"DANCE x\r\n"[..], b"PUB a.b 99999999999\r\n", b"PUB a.b 2\r\nxyz\r\n"]
                .get(pen.rng.usize(..3))
                .copied()
                .unwrap_or(b"DANCE\r\n")
        };
        pen.frame.extend_from_slice(nonsense);
    }

    fn nats_command(&mut self, pen: &mut Pen<'_>) -> Option<Effect> {
        match pen.kind() {
            0..=5 => {
                let subject = SUBJECTS.get(pen.rng.usize(..SUBJECTS.len())).copied().unwrap_or(">");
                let sid = self.next_sid;
                self.next_sid += 1;
                self.sids.push(sid);
                let group = pen.group();
                let between = group.map(|group| format!("{group} ")).unwrap_or_default();
                pen.text(&format!("SUB {subject} {between}{sid}\r\n"));
                let retained = pen.config.nats_retained;
                let rule = pen.config.nats_policy;
                let wish = Wish { pattern: subject, rule, meta: false, group, retained, max_rate: None, sid };
                Some(Effect::Subscribe { wish, id: None })
            }
            6..=8 if !self.sids.is_empty() => {
                let at = pen.rng.usize(..self.sids.len());
                let bounded = !pen.config.groups && !pen.config.nats_retained && pen.rng.bool();
                if bounded {
                    let sid = self.sids.get(at).copied().unwrap_or_default();
                    let max = pen.rng.u64(1..12);
                    pen.text(&format!("UNSUB {sid} {max}\r\n"));
                    return Some(Effect::EndSid { sid, max });
                }
                let sid = self.sids.swap_remove(at);
                pen.text(&format!("UNSUB {sid}\r\n"));
                Some(Effect::EndSid { sid, max: 0 })
            }
            9 => {
                pen.text("PING\r\n");
                Some(Effect::Ping { id: None })
            }
            10 => {
                pen.text("SUB a..b 9999\r\n");
                Some(Effect::Refused { code: 0, id: None })
            }
            11 if pen.config.nonsense && pen.rng.u32(..10) == 0 => {
                self.nonsense(pen);
                None
            }
            _ => {
                let topic = pen.topic();
                let bytes = pen.value_bytes();
                let number = pen.oracle.new_message(topic, false, bytes, None);
                let name = TOPICS.get(topic).copied().unwrap_or_default();
                pen.text(&format!("PUB {name} {bytes}\r\n{}\r\n", wire::content(number, bytes)));
                Some(Effect::Publish { number, retain: true, ttl_ms: None, id: None })
            }
        }
    }

    /// Asks for all that is retained, and publishes one small message to each topic.
    pub(super) fn last_words(&mut self, oracle: &mut Oracle) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut frame = Vec::new();
        for pattern in ["*", "!x.*"] {
            wire::command(&mut frame, "Subscribe", Some(&wire::text(pattern)), &Options::new());
            effects.push(Effect::Subscribe { wish: Wish::plain(pattern), id: None });
        }
        for (topic, name) in TOPICS.iter().enumerate() {
            let number = oracle.new_message(topic, true, LAST_BYTES, None);
            let mut value = Vec::new();
            wire::bin(&mut value, wire::content(number, LAST_BYTES).as_bytes());
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

fn connect(pen: &mut Pen<'_>) -> Effect {
    pen.text("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n");
    Effect::Nothing
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
