//! What a client received, compared with what it is owed.

use super::ledger::{Debt, Ledger, Newest, Owed, Place};
use super::store::NEVER;
use super::{Message, Oracle, Promise, Rule, Share, TOPICS};
use crate::sim::effect::{Answer, Seen, SeenMeta, TRUE};
use crate::sim::wire;

/// What a message that waits for its time takes beside its frame, at the most.
const RATED_BYTES: usize = 256;

impl Oracle {
    /// A message arrived.
    pub(in crate::sim) fn received(&mut self, session: usize, seen: &Seen<'_>) {
        let Seen { place, topic, value, meta, taken_up_ms, .. } = *seen;
        let content = if place == 0 { wire::content_of(value) } else { value };
        let number = match wire::number_in(content) {
            None => self.next_empty(session, seen).unwrap_or(u64::MAX),
            Some(number) => number,
        };
        self.hear(|| {
            format!("message {number} of '{topic}' at {place}, meta {meta:?}, taken up at {taken_up_ms:?}")
        });
        let Some(message) = self.message(number).cloned() else {
            return self.fail(Promise::Order, format!("session {session} got a message that nobody wrote"));
        };
        let what = format!("session {session}, place {place}, message {number} of '{topic}'");
        let is_whole = message.empty.is_some() || content.len() == message.value_bytes.max(16);
        if TOPICS.get(message.topic) != Some(&topic) || !is_whole {
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
        if let Some(SeenMeta { time_ms, retained, ttl_ms }) = meta {
            self.checks.saw("a message came with meta");
            if time_ms != message.time_ms || !retained && ttl_ms != message.ttl_ms {
                let text = format!("{what}: {meta:?}, published at {}", message.time_ms);
                return self.fail(Promise::Order, text);
            }
        }
        let headers = ledger.headers;
        self.check_extras(seen, &message, headers, &what);
        self.note_answer(&message);
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        let was = ledger.newest.get(&(place, message.topic)).copied().unwrap_or_default();
        let has_debt = ledger.debts.iter().any(|debt| debt.is_seen(seen, number));
        let is_retained = if let Some(meta) = meta {
            meta.retained
        } else {
            // As a live one it would be late, or come with meta.
            let owed = ledger.owed.get(&(place, message.topic, message.sequence));
            has_debt && (message.sequence < was.sequence || owed.is_some_and(|owed| owed.meta))
        };
        if !is_retained && let Some(owed) = ledger.owed.remove(&(place, message.topic, message.sequence)) {
            if let Some(taken_up_ms) = taken_up_ms {
                self.check_times(session, place, &message, taken_up_ms, &what, &owed);
            }
            return self.received_live(session, (place, message.topic, message.sequence), &what, &owed, was);
        }
        // What a member may get both ways is taken for the retained one first, where it does not say what it is.
        let is_live = meta.is_some() && !is_retained;
        if has_debt && meta.is_none() && ledger.grouped {
            ledger.swapped.insert(number);
        }
        let is_owed = ledger.debts.iter().any(|debt| {
            // Where it may have come before, for the live one, this is that one, which has no such end.
            let is_over = !debt.is_either && taken_up_ms.is_some_and(|at_ms| debt.until_ms <= at_ms);
            debt.is_seen(seen, number) && debt.since >= was.sequence && !is_over
        });
        let shared = if is_owed && !is_live { None } else { self.take_share(session, place, number) };
        if let Some(rule) = shared {
            let (sequence, covers) = (message.sequence, was.covers.max(message.sequence));
            let again = Newest { sequence, number, was_retained: false, covers };
            let is_swapped = self.ledgers.get(session).is_some_and(|ledger| ledger.swapped.contains(&number));
            if message.sequence <= was.sequence && !was.was_retained && !is_swapped {
                return self.fail(Promise::Order, format!("{what}: a newer one was before it"));
            }
            self.checks.made(Promise::Order, rule);
            self.checks.saw("a message came by a group");
            self.with(session, |ledger| {
                ledger.received_in_group += 1;
                if again.sequence >= was.sequence {
                    ledger.newest.insert((place, message.topic), again);
                }
            });
            return;
        }
        self.received_retained(session, number, seen, &what, was);
    }

    /// The number of the message that a value without one is: the next one like it that is owed.
    fn next_empty(&mut self, session: usize, seen: &Seen<'_>) -> Option<u64> {
        let topic = TOPICS.iter().position(|topic| *topic == seen.topic)?;
        let ledger = self.ledgers.get_mut(session)?;
        let was = ledger.newest.get(&(seen.place, topic)).copied().unwrap_or_default();
        let is_like = |number: u64| {
            let message = usize::try_from(number).ok().and_then(|at| self.messages.get(at));
            message.is_some_and(|message| {
                let is_then = seen
                    .meta
                    .is_none_or(|meta| (meta.time_ms, meta.ttl_ms) == (message.time_ms, message.ttl_ms));
                is_then
                    && message.empty.is_some_and(|empty| {
                        seen.value == if seen.place == 0 { empty.value() } else { empty.payload() }
                    })
            })
        };
        let behind = (seen.place, topic, was.sequence + 1)..(seen.place, topic + 1, 0);
        let alike: Vec<&Owed> =
            ledger.owed.range(behind).map(|(_, owed)| owed).filter(|owed| is_like(owed.number)).collect();
        // One that is over is not taken for it as long as there is another one.
        let is_over = |owed: &&&Owed| seen.taken_up_ms.is_some_and(|at_ms| owed.until_ms <= at_ms);
        let next = alike.iter().find(|owed| !is_over(owed)).or(alike.first()).map(|owed| owed.number);
        let is_blurred = alike.len() > 1;
        ledger.blurred |= is_blurred;
        if next.is_some() {
            self.checks.saw("an empty message came");
        }
        next
    }

    /// A live message did not come too late, nor too soon.
    fn check_times(
        &mut self,
        session: usize,
        place: Place,
        message: &Message,
        taken_up_ms: u64,
        what: &str,
        owed: &Owed,
    ) {
        if message.until_ms <= taken_up_ms {
            let text = format!("{what}: it was sent at {taken_up_ms}, after its end, {}", message.until_ms);
            return self.fail(Promise::TimeToLive, text);
        }
        if message.until_ms != NEVER {
            self.checks.made(Promise::TimeToLive, owed.rule);
        }
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        // Where too much waits for its time, some of it goes sooner.
        let has_room = TOPICS.len() * (RATED_BYTES + ledger.largest) <= ledger.bound;
        // What waits when a subscription ends, or its session, goes at once.
        let goes_on = message.time_ms > ledger.changed_ms && !ledger.closing;
        let Some(per_second) = owed.max_rate.filter(|_| has_room && goes_on) else { return };
        match ledger.keeps_pace((place, message.topic), per_second, message.time_ms, taken_up_ms) {
            Err(text) => self.fail(Promise::Rate, format!("{what}: {text}")),
            Ok(false) => {}
            Ok(true) => {
                self.checks.made(Promise::Rate, owed.rule);
                if taken_up_ms > message.time_ms {
                    self.checks.saw("a message waited for its time");
                }
            }
        }
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
                taken_back = taken_back.or((gone.certain && !ledger.blurred).then_some(gone.number));
            }
        }
        // It may have been the retained one.
        let covers = was.covers.max(sequence).max(ledger.asked_at(place, owed.number));
        let newest = Newest { sequence, number: owed.number, was_retained: false, covers };
        ledger.newest.insert((place, topic), newest);
        if owed.rated {
            // What is taken for the retained one is this one then, which waited for its time.
            let is_it = |debt: &&mut Debt| debt.place == place && debt.number == owed.number;
            ledger.debts.iter_mut().filter(is_it).for_each(|debt| debt.is_either = true);
        }
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

    fn received_retained(&mut self, session: usize, number: u64, seen: &Seen<'_>, what: &str, was: Newest) {
        let Seen { place, meta, taken_up_ms, .. } = *seen;
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        // Where it was asked for again, the first one may have been left out because something newer came; and the one that was asked for first is
        // the first that may not come any more.
        let likely = |debt: &Debt| {
            let is_left = meta.is_none_or(|meta| debt.can_have_left(meta.ttl_ms));
            (!is_left, debt.since < was.sequence, debt.since, debt.is_either)
        };
        let is_it = |debt: &(usize, &Debt)| debt.1.is_seen(seen, number);
        let found =
            ledger.debts.iter().enumerate().filter(|debt| is_it(debt)).min_by_key(|(_, debt)| likely(debt));
        let found = found.map(|(at, _)| at);
        let Some(debt) = found.map(|at| ledger.debts.remove(at)) else {
            return self
                .fail(Promise::Order, format!("{what}: it came again, or to somebody who is not owed it"));
        };
        ledger.retained_received += 1;
        if debt.is_either {
            // It may have been another one just as well, and this one has come before, for the live one.
            let is_like = |other: &&mut Debt| other.is_seen(seen, number) && !other.is_either;
            if let Some(other) = ledger.debts.iter_mut().find(is_like) {
                other.is_either = true;
            }
        }
        if debt.due && !debt.certain {
            // Then it may have been another one just as well, which is left now.
            let other = ledger
                .debts
                .iter_mut()
                .find(|other| other.is_seen(seen, number) && !other.spared && (other.certain || !other.due));
            if let Some(other) = other {
                (other.spared, other.certain) = (true, false);
            }
        }
        let is_swapped = ledger.swapped.contains(&number);
        if !debt.is_either && taken_up_ms.is_some_and(|taken_up_ms| debt.until_ms <= taken_up_ms) {
            let text = format!(
                "{what}: it was sent as retained at {taken_up_ms:?}, after its end, {}",
                debt.until_ms
            );
            return self.fail(Promise::TimeToLive, text);
        }
        if let Some(meta) = meta.filter(|meta| !debt.can_have_left(meta.ttl_ms)) {
            let text = format!("{what}: {meta:?}, and it held from {} to {}", debt.begun_ms, debt.until_ms);
            return self.fail(Promise::TimeToLive, text);
        }
        if debt.until_ms != NEVER {
            self.checks.made(Promise::TimeToLive, debt.rule);
            self.checks.saw("a retained message with an end came");
        }
        let sequence = self.message(number).map_or(0, |message| message.sequence);
        if was.sequence > debt.since && !is_swapped {
            return self.fail(
                Promise::State,
                format!("{what}: the retained message came behind message {}, which is newer", was.number),
            );
        }
        let sequence = sequence.max(was.sequence);
        self.with(session, |ledger| {
            // It may have taken the place of one that was asked for earlier.
            let covers = was.covers.max(debt.since).max(ledger.asked_at(place, number));
            let newest = Newest { sequence, number, was_retained: true, covers };
            ledger.newest.insert((place, debt.topic), newest);
        });
        self.checks.made(Promise::State, debt.rule);
        self.checks.saw("a retained message came");
    }

    /// `Lagged` arrived.
    pub(in crate::sim) fn told(&mut self, session: usize, pattern: &str, missed: u64) {
        self.checks.saw("Lagged was told");
        self.hear(|| format!("Lagged {missed} of '{pattern}'"));
        let Some(ledger) = self.ledgers.get_mut(session) else { return };
        if !ledger.introduced || missed == 0 {
            return self
                .fail(Promise::Honesty, format!("session {session} was told of {missed} for '{pattern}'"));
        }
        *ledger.told.entry(pattern.to_owned()).or_default() += missed;
    }

    /// An answer arrived; `subscribed` is not known to the client.
    pub(in crate::sim) fn answered(&mut self, session: usize, answer: &Answer) {
        self.hear(|| format!("{answer:?}"));
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
            (Some(Answer::Cleared { id, least, most }), Answer::Ok { id: got, result, .. }) => {
                if *result > 0 {
                    self.checks.saw("Clear forgot messages");
                }
                id == got && (least..=most).contains(&result)
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
        || ledger.blurred
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
