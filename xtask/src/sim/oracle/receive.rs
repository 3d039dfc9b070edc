//! What a client received, compared with what it is owed.

use super::ledger::{Ledger, Newest, Owed, Place};
use super::{Oracle, Promise, Rule, Share, TOPICS};
use crate::sim::effect::{Answer, TRUE};
use crate::sim::wire;

impl Oracle {
    /// A message arrived. `retained` and `time_ms` are from its meta, where it has one.
    pub(in crate::sim) fn received(
        &mut self,
        session: usize,
        place: Place,
        topic: &str,
        content: &[u8],
        meta: Option<(bool, u64)>,
    ) {
        let number = wire::number_in(content).unwrap_or(u64::MAX);
        let Some(message) = self.message(number).cloned() else {
            return self.fail(Promise::Order, format!("session {session} got a message that nobody wrote"));
        };
        let what = format!("session {session}, place {place}, message {number} of '{topic}'");
        if TOPICS.get(message.topic) != Some(&topic) || content.len() != message.value_bytes.max(16) {
            return self.fail(Promise::Order, format!("{what}: it was published otherwise"));
        }
        if message.sequence == 0 {
            return self.fail(Promise::Order, format!("{what}: it has not been published"));
        }
        self.checks.received += 1;
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        ledger.received += 1;
        if message.native == (place > 0) {
            self.checks.saw("a message crossed protocols");
        }
        if let Some((_, time_ms)) = meta {
            self.checks.saw("a message came with meta");
            if time_ms != message.time_ms {
                return self
                    .fail(Promise::Order, format!("{what}: its time is {time_ms}, not {}", message.time_ms));
            }
        }
        let was = ledger.newest.get(&(place, message.topic)).copied().unwrap_or_default();
        let is_retained = meta.is_some_and(|(retained, _)| retained);
        if !is_retained && let Some(owed) = ledger.owed.remove(&(place, message.topic, message.sequence)) {
            return self.received_live(session, (place, message.topic, message.sequence), &what, &owed, was);
        }
        // What a member may get both ways is taken for the retained one first, where it does not say what it is.
        let has_debt = ledger.debts.iter().any(|debt| debt.place == place && debt.number == number);
        let is_live = meta.is_some() && !is_retained;
        let shared = if has_debt && !is_live { None } else { self.take_share(session, place, number) };
        if let Some(rule) = shared {
            let again = Newest { sequence: message.sequence, number, was_retained: false };
            if message.sequence <= was.sequence && !was.was_retained {
                return self.fail(Promise::Order, format!("{what}: a newer one was before it"));
            }
            self.checks.made(Promise::Order, rule);
            self.checks.saw("a message came by a group");
            self.with(session, |ledger| {
                ledger.received_in_group += 1;
                ledger.newest.insert((place, message.topic), again);
            });
            return;
        }
        self.received_retained(session, place, number, &what, was);
    }

    fn received_live(
        &mut self,
        session: usize,
        key: (Place, usize, u64),
        what: &str,
        owed: &Owed,
        was: Newest,
    ) {
        let (place, topic, sequence) = key;
        if sequence < was.sequence || (sequence == was.sequence && !was.was_retained) {
            return self.fail(Promise::Order, format!("{what}: message {} was before it", was.number));
        }
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        // Those before it on this topic never come any more.
        let older = (place, topic, 0)..key;
        let gone: Vec<(Place, usize, u64)> = ledger.owed.range(older).map(|(key, _)| *key).collect();
        let mut taken_back = None;
        for key in gone {
            if let Some(gone) = ledger.owed.remove(&key) {
                ledger.miss(&gone);
                self.checks.missed += 1;
                taken_back = taken_back.or(gone.certain.then_some(gone.number));
            }
        }
        let newest = Newest { sequence, number: owed.number, was_retained: false };
        ledger.newest.insert((place, topic), newest);
        let late = late_lag(ledger, owed);
        let answered = waits_for_ok(ledger, owed);
        self.checks.made(Promise::Order, owed.rule);
        if let Some(number) = taken_back {
            return self.fail(
                Promise::Honesty,
                format!("{what}: message {number} was taken and dropped all the same, under drop-newest"),
            );
        }
        if let Some(text) = late {
            return self.fail(Promise::Honesty, format!("{what}: {text}"));
        }
        if answered {
            return self
                .fail(Promise::Visibility, format!("{what}: it came before the subscribe was answered"));
        }
        self.checks.made(Promise::Visibility, owed.rule);
    }

    /// Whether the message may come to this member of a group; it does then. Who is a member of two may have had it by the other one.
    fn take_share(&mut self, session: usize, place: Place, number: u64) -> Option<Rule> {
        let range = (number, "")..(number + 1, "");
        let mut shares: Vec<&mut Share> = self.shares.range_mut(range).map(|(_, share)| share).collect();
        let me = (session, place);
        if let Some(free) = shares.iter_mut().find(|share| share.taken.is_none() && share.rule(me).is_some())
        {
            free.taken = Some(me);
            return free.rule(me);
        }
        for at in 0..shares.len() {
            let Some(other) =
                shares.get(at).filter(|share| share.rule(me).is_some()).and_then(|one| one.taken)
            else {
                continue;
            };
            let free = shares.iter_mut().find(|share| share.taken.is_none() && share.rule(other).is_some());
            if let Some(free) = free {
                free.taken = Some(other);
                let share = shares.get_mut(at)?;
                share.taken = Some(me);
                return share.rule(me);
            }
        }
        None
    }

    fn received_retained(&mut self, session: usize, place: Place, number: u64, what: &str, was: Newest) {
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        let found = ledger.debts.iter().position(|debt| debt.place == place && debt.number == number);
        let Some(debt) = found.map(|at| ledger.debts.remove(at)) else {
            return self
                .fail(Promise::Order, format!("{what}: it came again, or to somebody who is not owed it"));
        };
        ledger.retained_received += 1;
        let sequence = self.message(number).map_or(0, |message| message.sequence);
        if was.sequence > debt.since {
            return self.fail(
                Promise::State,
                format!("{what}: the retained message came behind message {}, which is newer", was.number),
            );
        }
        let newest = Newest { sequence: sequence.max(was.sequence), number, was_retained: true };
        self.with(session, |ledger| {
            ledger.newest.insert((place, debt.topic), newest);
        });
        self.checks.made(Promise::State, debt.rule);
        self.checks.saw("a retained message came");
    }

    /// `Lagged` arrived.
    pub(in crate::sim) fn told(&mut self, session: usize, pattern: &str, missed: u64) {
        self.checks.saw("Lagged was told");
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        if !ledger.introduced || missed == 0 {
            return self
                .fail(Promise::Honesty, format!("session {session} was told of {missed} for '{pattern}'"));
        }
        *ledger.told.entry(pattern.to_owned()).or_default() += missed;
    }

    /// An answer arrived; `subscribed` is not known to the client.
    pub(in crate::sim) fn answered(&mut self, session: usize, answer: &Answer) {
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        let expected = ledger.answers.pop_front();
        if ledger.answers.is_empty() {
            ledger.answer_bytes = 0;
        }
        if let Some(Answer::Ok { subscribed: Some(pattern), .. }) = &expected {
            ledger.answered.insert(pattern);
        }
        let is_it = match (&expected, answer) {
            (Some(Answer::Ok { id, result, .. }), Answer::Ok { id: got, result: told, .. }) => {
                // A subscription that has its last message counts until the batch is over.
                let is_count = *result < TRUE;
                id == got && (told == result || is_count && (*result..=result + self.bounded).contains(told))
            }
            (Some(expected), answer) => expected == answer,
            (None, _) => false,
        };
        let closing = ledger.closing;
        if let Answer::Ok { result, .. } = answer
            && *result < 1000
        {
            self.checks.saw("a publish was counted");
        }
        if !is_it && !closing {
            self.fail(
                Promise::Visibility,
                format!("session {session} was answered {answer:?} instead of {expected:?}"),
            );
        }
    }

    /// `-ERR` arrived: the answer to a mistake, or the last thing that is said.
    pub(in crate::sim) fn said_error(&mut self, session: usize, text: &str) {
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        if ledger.answers.front() == Some(&Answer::NatsErr) {
            self.answered(session, &Answer::NatsErr);
        } else {
            self.said_goodbye(session, text);
        }
    }

    /// The server said why it closes.
    pub(in crate::sim) fn said_goodbye(&mut self, session: usize, reason: &str) {
        self.with(session, |ledger| ledger.goodbye = Some(reason.to_owned()));
    }
}

/// What is wrong with what a session was told before this message, if something is.
fn late_lag(ledger: &Ledger, owed: &Owed) -> Option<String> {
    let [pattern] = owed.patterns.as_slice() else { return None };
    // Where one session has several policies, each tells its own at a place of its own; one that ends is told the rest at its end.
    if !ledger.introduced
        || !ledger.native
        || ledger.rule().is_none()
        || ledger.mortal
        || ledger.rated
        || ledger.ended
    {
        return None;
    }
    let missed = ledger.missed.get(pattern).copied().unwrap_or(0);
    let told = ledger.told.get(*pattern).copied().unwrap_or(0);
    (told < missed).then(|| format!("it came before Lagged: {missed} missed of '{pattern}', {told} told"))
}

/// Whether a message came by a subscription that was not answered first.
fn waits_for_ok(ledger: &Ledger, owed: &Owed) -> bool {
    matches!(owed.patterns.as_slice(), [pattern] if !ledger.answered.contains(pattern)) && ledger.native
}
