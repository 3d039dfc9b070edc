//! What a client of the native protocol says.

use super::{Client, Pen};
use crate::sim::config::TOPICS;
use crate::sim::effect::{ChosenBy, Effect, Empty, Wish};
use crate::sim::extras::Extras;
use crate::sim::wire::{self, Options, Value};

impl Client {
    fn id(&mut self, pen: &mut Pen<'_>, options: &mut Options, one_in: u32) -> Option<u64> {
        if !self.introduced || pen.rng.u32(..one_in) > 0 {
            return None;
        }
        self.next_id += 1;
        options.push(("id", Value::Number(self.next_id)));
        Some(self.next_id)
    }

    pub(super) fn native_command(&mut self, pen: &mut Pen<'_>) -> Option<Effect> {
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

    pub(super) fn publish(&mut self, pen: &mut Pen<'_>) -> Effect {
        let answered = self.asked.pop_front();
        let topic = answered.unwrap_or_else(|| pen.topic());
        let clears = self.introduced && pen.config.clears && !pen.config.groups && pen.rng.u32(..8) == 0;
        let empty = Empty::ALL.get(pen.rng.usize(..3)).copied().filter(|_| clears);
        let bytes = pen.value_bytes();
        let number = pen.oracle.new_message(topic, true, bytes);
        let content = wire::content(number, bytes);
        let mut value = Vec::new();
        match empty {
            Some(empty) => value.extend_from_slice(empty.value()),
            // As wide as what NATS payloads become, so that frames are of one size.
            None => wire::bin(&mut value, content.as_bytes()),
        }
        let mut options = Options::new();
        let id = self.id(pen, &mut options, 8);
        let mut ttl_ms = None;
        if self.introduced && pen.config.ttl && pen.rng.u32(..4) == 0 {
            let ms = pen.rng.u64(1..60);
            ttl_ms = Some(ms);
            options.push(("ttl", Value::Number(ms)));
        }
        let mut extras = Extras::default();
        if self.introduced && pen.config.adorned && empty.is_none() {
            extras = Extras::think(pen.rng, number, true, true);
            add_extras(&extras, &mut options);
        }
        // A request is not retained, unless it says so.
        let mut retain = extras.reply.is_none();
        if clears {
            retain = true;
            options.push(("retain", Value::Flag(true)));
        } else if self.introduced && pen.rng.u32(..if extras.reply.is_some() { 3 } else { 6 }) == 0 {
            retain = !pen.config.unretained || pen.rng.bool();
            options.push(("retain", Value::Flag(retain)));
        }
        pen.oracle.edit(number, |message| {
            (message.empty, message.extras, message.answers) = (empty, extras, answered.is_some());
        });
        let name = TOPICS.get(topic).copied().unwrap_or_default();
        wire::command(&mut pen.frame, "Publish", Some(&wire::pair(name, &value)), &options);
        Effect::Publish { number, retain, ttl_ms, id }
    }

    pub(super) fn subscribe(&mut self, pen: &mut Pen<'_>) -> Effect {
        let pattern = pen.pattern();
        if !self.patterns.contains(&pattern) {
            self.patterns.push(pattern);
        }
        // Without options it is what the operator says.
        let mut wish = Wish::plain(pattern, 0, &pen.config.operator);
        let mut options = Options::new();
        let id = self.id(pen, &mut options, 2);
        if self.introduced {
            if !pen.config.operator.says_policies() || pen.rng.bool() {
                (wish.rule, wish.chosen_by) = (pen.rule(), ChosenBy::Client);
                options.push(("policy", Value::Text(wish.rule.name().to_owned())));
            }
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
    pub(super) fn nonsense(&mut self, pen: &mut Pen<'_>) {
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
}

fn add_extras(extras: &Extras, options: &mut Options) {
    if let Some(reply) = &extras.reply {
        options.push(("reply", Value::Text(reply.clone())));
    }
    if !extras.headers.is_empty() {
        options.push(("headers", Value::Map(extras.headers.clone())));
    }
    if let Some(key) = &extras.key {
        options.push(("key", Value::Bin(key.clone())));
    }
}
