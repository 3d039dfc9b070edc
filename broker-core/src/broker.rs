//! What all sessions share: the routing table, the topics, the list of sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use glob_tree::Scratch;

use crate::Limits;
use crate::clock::CoarseClock;
use crate::message::Now;
use crate::outbox::{Outbox, SlowNews};
use crate::pending::Pending;
use crate::publisher::{Batch, Message, Publisher, flush_all};
use crate::reason::CloseReason;
use crate::routing::{RoutingTable, Subscription, Target};
use crate::stats::{SessionInfo, Totals};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, RwLock, lock, read, write};
use crate::topics::{TopicInfo, TopicStats, Topics};
use crate::wire::native::encode;

/// The state of a broker. Shared by all its sessions.
#[derive(Debug)]
pub struct Broker {
    limits: Limits,
    clock: Arc<CoarseClock>,
    pub(crate) table: RwLock<RoutingTable>,
    topics: Topics,
    sessions: Mutex<BTreeMap<u64, Arc<SessionInfo>>>,
    sessions_begun: AtomicU64,
    /// Where the choices among the members of groups begin.
    seed: u64,
    /// Why every session ends, once that is so.
    ending: OnceLock<CloseReason>,
    /// The figures of sessions that ended.
    ended: Mutex<Totals>,
    /// Outboxes in which messages wait for their time.
    pending: Pending,
    /// News of sessions that ended, for the next who asks.
    slow_news: Mutex<Vec<(Arc<SessionInfo>, SlowNews)>>,
}

impl Broker {
    /// A broker without sessions, whose choices among the members of a group can be foretold.
    pub fn new(limits: Limits) -> Self {
        Broker::seeded(limits, 0)
    }

    /// As [`Broker::new`], with a number from which the choices among the members of groups follow, and the order in which topics are gone
    /// through. Where clients may wish it ill it is one that they cannot guess.
    pub fn seeded(limits: Limits, seed: u64) -> Self {
        Broker {
            seed,
            topics: Topics::new(&limits, seed),
            limits,
            clock: Arc::default(),
            table: RwLock::new(RoutingTable::new()),
            sessions: Mutex::default(),
            sessions_begun: AtomicU64::new(0),
            ending: OnceLock::new(),
            ended: Mutex::default(),
            pending: Pending::default(),
            slow_news: Mutex::default(),
        }
    }

    /// What it allows.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A number for a new session; never given twice, never 0.
    pub fn next_session(&self) -> u64 {
        self.sessions_begun.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    pub(crate) fn add_session(&self, info: Arc<SessionInfo>) {
        let outbox = Arc::clone(&info.outbox);
        outbox.attach(&self.clock, self.limits.block_ms);
        lock(&self.sessions).insert(info.id, info);
        if let Some(reason) = self.ending.get() {
            outbox.end(reason.clone());
        }
    }

    pub(crate) fn remove_session(&self, info: &Arc<SessionInfo>) {
        lock(&self.ended).add(&info.totals());
        lock(&self.sessions).remove(&info.id);
        let news = info.outbox.take_last_slow_news();
        if !news.is_empty() {
            let mut kept = lock(&self.slow_news);
            kept.extend(news.into_iter().map(|news| (Arc::clone(info), news)));
            // Nobody asks for them: the oldest go.
            let too_many = kept.len().saturating_sub(SLOW_NEWS_MAX);
            kept.drain(..too_many);
        }
    }

    /// Puts subscriptions into effect or ends them, and raises the stamps of the topics that they name.
    pub(crate) fn change_table<T>(&self, change: impl FnOnce(&mut RoutingTable) -> T) -> T {
        change(&mut write(&self.table))
    }

    /// Raises the stamp of the topic that a subscription without a wildcard names. The table must be held for writing.
    pub(crate) fn raise(&self, subscription: &Subscription) {
        if let Some(topic) = subscription.pattern.literal().and_then(|name| self.topics.get(name)) {
            topic.raise();
        }
    }

    /// The sessions that there are, oldest first.
    pub fn sessions(&self) -> Vec<Arc<SessionInfo>> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// The session of this number, while it lasts.
    pub fn session(&self, id: u64) -> Option<Arc<SessionInfo>> {
        lock(&self.sessions).get(&id).cloned()
    }

    /// Asks silent sessions for a sign of life, and ends those that gave none: see [`Limits::idle_timeout_ms`] and
    /// [`NatsOptions`](crate::NatsOptions). Ends those that have not said in time who they are. Call it about once a second.
    pub fn check_silence(&self, now: Now) {
        self.clock.set(now);
        let idle_ms = self.limits.idle_timeout_ms;
        self.sessions().iter().for_each(|session| session.check_silence(now, idle_ms));
    }

    /// Sends what waits in the limiters of subscriptions with a `max_rate` and is due. Returns when the next is: call it again then.
    /// Units: monotonic milliseconds.
    pub fn release(&self, now: Now) -> Option<u64> {
        self.clock.set(now);
        let mut due = self.pending.pop_due(now.monotonic_ms);
        // A join must not find out between two of its steps that a newer message has gone: see `Join`.
        let table = read(&self.table);
        for outbox in &due {
            if let Some(due_ms) = outbox.release(now) {
                self.pending.push(due_ms, outbox);
            }
        }
        drop(table);
        flush_all(&mut due);
        self.pending.next_ms()
    }

    /// Has `hook` called whenever a message comes to wait that is due before all others, so that whoever calls [`Broker::release`] looks anew.
    /// Called without a lock held. The first one stands.
    pub fn on_pending(&self, hook: Box<dyn Fn() + Send + Sync>) {
        self.pending.set_hook(hook);
    }

    /// The sessions that became slow, recovered, or ended while they were slow, since the last call.
    pub fn take_slow_news(&self) -> Vec<(Arc<SessionInfo>, SlowNews)> {
        let of_session = |session: Arc<SessionInfo>| {
            let news = session.outbox.take_slow_news();
            news.into_iter().map(move |news| (Arc::clone(&session), news))
        };
        let mut news = std::mem::take(&mut *lock(&self.slow_news));
        news.extend(self.sessions().into_iter().flat_map(of_session));
        news
    }

    pub(crate) fn clock(&self) -> &Arc<CoarseClock> {
        &self.clock
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Tells the clients of the NATS protocol that the server is about to close, so that they look for another one.
    pub fn announce_lame_duck(&self) {
        self.sessions().iter().for_each(|session| session.announce_lame_duck());
    }

    /// Ends every session, for the same reason, and each one that begins from now on. What waits for them is still written.
    pub fn end_sessions(&self, reason: &CloseReason) {
        // The first reason stands.
        let _ = self.ending.set(reason.clone());
        for session in self.sessions() {
            session.announce_lame_duck();
            session.end(reason.clone());
        }
    }

    /// Gives up what waits for the sessions that there are. Returns how many messages are lost by it.
    pub fn abandon_sessions(&self) -> u64 {
        let abandon = |session: &Arc<SessionInfo>| {
            let lost = session.outbox.abandon();
            session.outbox.link().wake();
            lost
        };
        self.sessions().iter().map(abandon).sum()
    }

    /// How many sessions there are.
    pub fn connections(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        read(&self.table).len()
    }

    /// Calls `visit` with every subscription and the number of its session. No subscription changes meanwhile, and publishers go on.
    pub fn for_each_subscription(&self, visit: impl FnMut(u64, &Subscription)) {
        read(&self.table).for_each(visit);
    }

    /// How many changes of subscriptions there have been.
    pub fn table_changes(&self) -> u64 {
        read(&self.table).changes()
    }

    /// The figures since the start, of the sessions that ended and those that there are.
    pub fn totals(&self) -> Totals {
        // A session that ends meanwhile is missing or counted twice for one look; the next look is right.
        let mut totals = *lock(&self.ended);
        for session in self.sessions() {
            totals.add(&session.totals());
        }
        totals
    }

    /// The figures of the topics.
    pub fn topic_stats(&self) -> TopicStats {
        self.topics.stats()
    }

    /// Forgets retained messages that have outlived their time, some at a time. True if there may be more: then call it again, after others
    /// had their turn. Call it about once a second. None is sent after its time in any case.
    pub fn expire(&self, now: Now) -> bool {
        self.topics.expire(now.monotonic_ms)
    }

    /// The `most` topics that were published to last, newest first, with values of up to `value_bytes_max` bytes.
    pub fn recent_topics(&self, most: usize, value_bytes_max: usize) -> Vec<TopicInfo> {
        let mut topics = Vec::with_capacity(self.topics.stats().topics);
        self.topics.for_each(|topic| topics.push((topic.touched(), topic)));
        if topics.len() > most {
            topics.select_nth_unstable_by(most, |(one, _), (other, _)| other.cmp(one));
            topics.truncate(most);
        }
        topics.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        topics.into_iter().map(|(_, topic)| topic.info(value_bytes_max)).collect()
    }

    /// Whether a publish to `topic` would go to anybody.
    pub fn has_subscribers(&self, topic: &str) -> bool {
        !read(&self.table).route(topic, None, &mut Scratch::default()).0.is_empty()
    }

    /// Publishes in the server's own name, also to reserved topics. `value` is one MessagePack value. Returns the number of sessions that
    /// it goes to. [`Broker::flush`] sends it off.
    pub fn publish(
        &self,
        publisher: &mut Publisher,
        now: Now,
        topic: &str,
        value: &[u8],
        retain: bool,
    ) -> usize {
        let mut pair = Vec::with_capacity(topic.len() + value.len() + 8);
        encode::message(&mut pair, topic, value);
        let message =
            Message { topic: topic.as_bytes(), pair: &pair, value, meta: None, retain, clears: false };
        let table = read(&self.table);
        let batch = Batch { broker: self, table: &table, now, input: &pair };
        let receivers = publisher.publish(batch, &message, true).unwrap_or(0);
        publisher.commit(batch);
        receivers
    }

    /// Sends off what was published in the server's own name.
    pub fn flush(&self, publisher: &mut Publisher) {
        publisher.flush(self);
    }

    /// Removes subscriptions that have had their last message.
    pub(crate) fn end_targets(&self, targets: Vec<Target>) {
        for Target { outbox, subscription } in targets {
            self.end_subscriptions(&outbox, std::iter::once(subscription));
        }
    }

    /// Removes subscriptions of a session, some at a time, so that nobody waits long.
    pub(crate) fn end_subscriptions(
        &self,
        outbox: &Arc<Outbox>,
        subscriptions: impl Iterator<Item = Arc<Subscription>>,
    ) {
        let mut subscriptions = subscriptions.peekable();
        while subscriptions.peek().is_some() {
            let mut limited = Vec::new();
            self.change_table(|table| {
                for subscription in subscriptions.by_ref().take(CHANGES_AT_ONCE) {
                    // A session and a publisher may both come to end one.
                    if table.remove(outbox, &subscription) {
                        self.raise(&subscription);
                        limited.extend(subscription.max_rate.is_some().then_some(subscription));
                    }
                }
            });
            for ended in &limited {
                outbox.release_early(Some(ended));
            }
        }
    }
}

/// Subscriptions removed in one go: some hundred microseconds.
const CHANGES_AT_ONCE: usize = 256;

/// News of sessions that ended, which are kept until somebody asks.
const SLOW_NEWS_MAX: usize = 1_000;
