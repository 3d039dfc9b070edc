//! What comes beside topic and value: reply addresses, headers, keys; and what is said of a request that nobody got.

use super::{Message, Oracle, Promise, TOPICS};
use crate::sim::effect::Seen;

/// What tells of such a request takes beside the topic: `HMSG`, a sid, the sizes, and the block.
const UNHEARD_BYTES: usize = 48;

impl Oracle {
    /// A message came with what it was published with, as its protocol has it.
    pub(super) fn check_extras(&mut self, seen: &Seen<'_>, message: &Message, headers: bool, what: &str) {
        let Some(found) = seen.extras else { return };
        let is_native = seen.place == 0;
        let wanted = if is_native { message.extras.clone() } else { message.extras.for_nats(headers) };
        if *found != wanted {
            return self.fail(Promise::Extras, format!("{what}: it came with {found:?}, not {wanted:?}"));
        }
        if wanted.is_empty() {
            return;
        }
        self.checks.made(Promise::Extras, None);
        let across = message.native != is_native;
        let is_retained = seen.meta.is_some_and(|meta| meta.retained);
        for (is_so, situation) in [
            (wanted.reply.is_some(), "a reply address came"),
            (wanted.reply.is_some() && across, "a reply address crossed protocols"),
            (!wanted.headers.is_empty(), "headers came"),
            (!wanted.headers.is_empty() && across, "headers crossed protocols"),
            (!wanted.headers.is_empty() && is_retained, "headers came with a retained message"),
            (wanted.reply.is_some() && is_retained, "a reply address came with a retained message"),
            (wanted.key.is_some(), "a key came"),
        ] {
            if is_so {
                self.checks.saw(situation);
            }
        }
    }

    /// A message arrived that answers another one.
    pub(super) fn note_answer(&mut self, message: &Message) {
        if message.answers {
            self.checks.saw("an answer came to a reply address");
        }
    }

    /// Nobody gets what this session published. Where it asked for an answer and wants to know, it is told where the answer would have come.
    pub(super) fn unheard(&mut self, session: usize, message: &Message) {
        let Some(reply) = &message.extras.reply else { return };
        let Some(topic) = TOPICS.iter().position(|topic| topic == reply) else { return };
        let Some(ledger) = self.ledgers.get_mut(session).filter(|ledger| ledger.no_responders) else {
            return;
        };
        let is_own = ledger.subscriptions.iter().any(|one| one.wish.group.is_none() && one.matches(reply));
        if is_own {
            let bytes = UNHEARD_BYTES + reply.len();
            ledger.largest = ledger.largest.max(bytes);
            ledger.retained_max += 1;
            ledger.unheard.push((topic, message.sequence));
            *self.pushed.entry(session).or_default() += bytes;
        }
    }

    /// It was told so.
    pub(in crate::sim) fn was_unheard(&mut self, session: usize, sid: u32, topic: &str) {
        self.hear(|| format!("that nobody got the request with the reply address '{topic}', at {sid}"));
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        ledger.received += 1;
        ledger.retained_received += 1;
        let is_it = |(at, _): &(usize, u64)| TOPICS.get(*at) == Some(&topic);
        let last = ledger.unheard.iter().rfind(|told| is_it(told)).copied();
        let (Some(first), Some((topic, sequence))) = (ledger.unheard.iter().position(is_it), last) else {
            let text = format!("session {session} was told of a request that was heard");
            return self.fail(Promise::Extras, text);
        };
        ledger.unheard.remove(first);
        // It is the newest of its topic as well, and takes the place of what waits: of those before it, too.
        let newest = ledger.newest.entry((sid, topic)).or_default();
        newest.covers = newest.covers.max(sequence);
        self.checks.saw("a request that nobody got was told so");
    }

    /// What it should have been told and was not, where it missed nothing.
    pub(super) fn check_unheard(&mut self, session: usize) {
        let bounded = self.bounded > 0;
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        // A subscription that has its last message counts as a receiver until the batch is over.
        if ledger.unheard.is_empty() || bounded || ledger.closing {
            return;
        }
        let topics: Vec<&str> =
            ledger.unheard.iter().filter_map(|(at, _)| TOPICS.get(*at).copied()).collect();
        let text = format!("session {session} was not told that nobody got its requests: {topics:?}");
        self.fail(Promise::Extras, text);
    }
}
