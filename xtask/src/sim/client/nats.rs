//! What a client of NATS says.

use super::{Client, Pen};
use crate::sim::config::{SUBJECTS, TOPICS};
use crate::sim::effect::{Effect, Wish};
use crate::sim::extras::Extras;
use crate::sim::wire;

impl Client {
    pub(super) fn nats_command(&mut self, pen: &mut Pen<'_>) -> Option<Effect> {
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
                let wish = Wish { group, retained, ..Wish::plain(subject, sid, &pen.config.operator) };
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
            _ if pen.config.nats_publishes() => Some(self.nats_publish(pen)),
            _ => {
                pen.text("PING\r\n");
                Some(Effect::Ping { id: None })
            }
        }
    }

    pub(super) fn nats_publish(&mut self, pen: &mut Pen<'_>) -> Effect {
        let answered = self.asked.pop_front();
        let topic = answered.unwrap_or_else(|| pen.topic());
        let bytes = pen.value_bytes();
        let number = pen.oracle.new_message(topic, false, bytes);
        let mut extras = Extras::default();
        if pen.config.adorned {
            extras = Extras::think(pen.rng, number, false, self.headers);
        }
        let name = TOPICS.get(topic).copied().unwrap_or_default();
        let reply = extras.reply.as_ref().map(|reply| format!("{reply} ")).unwrap_or_default();
        let content = wire::content(number, bytes);
        match extras.block() {
            None => pen.text(&format!("PUB {name} {reply}{bytes}\r\n{content}\r\n")),
            Some(block) => {
                let (head, size) = (block.len(), block.len() + bytes);
                pen.text(&format!("HPUB {name} {reply}{head} {size}\r\n{block}{content}\r\n"));
            }
        }
        let retain = extras.reply.is_none();
        pen.oracle.edit(number, |message| {
            (message.extras, message.answers) = (extras, answered.is_some());
        });
        Effect::Publish { number, retain, ttl_ms: None, id: None }
    }
}
