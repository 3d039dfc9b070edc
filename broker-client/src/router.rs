//! Which of a client's own subscriptions a message goes to.
//!
//! The server sends a message once per session, so the client matches again. Subscriptions with the same pattern are one
//! subscription at the server. Invariants: a subscription gets nothing before the server's first `Ok` for it; the cache of
//! routes holds only what the tree says now; each pattern here is in the tree, and has a subscription.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use broker_core::{
    Policy,
    glob_tree::{GlobTree, Pattern, Scratch},
    topic::SYSTEM_MARK,
    wire::native::{Meta, SubscribeOptions},
};
use tokio::sync::oneshot;

use crate::{Message, SubscribeError, queue::Queue};

/// How many topics the cache knows before it starts anew. A guess: a few hundred KiB.
const CACHED_TOPICS_MAX: usize = 4096;

/// The ids of subscriptions, never used twice in a process.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The subscriptions of one client, and the requests that wait for an answer.
pub(crate) struct Router {
    tree: GlobTree<Arc<str>>,
    scratch: Scratch,
    patterns: HashMap<Arc<str>, Entry>,
    cache: HashMap<Box<str>, Route>,
    /// The topic before, which is often the topic again.
    last: Option<(Box<str>, Route)>,
    /// Queues with staged messages.
    touched: Vec<Arc<Queue>>,
    /// `!inbox/<random>/`
    inbox: String,
    requests: HashMap<u64, oneshot::Sender<Message>>,
}

/// The queues that messages of one topic go to.
type Route = Arc<[Arc<Queue>]>;

/// How a subscribe ends.
pub(crate) type Subscribed = Result<(), SubscribeError>;

/// What the server is to be asked for, and on whose behalf.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) pattern: Arc<str>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) options: SubscribeOptions,
    pub(crate) ids: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    subscribers: Vec<Subscriber>,
}

/// One subscription as the router sees it.
#[derive(Debug)]
pub(crate) struct Subscriber {
    id: u64,
    /// `None` for the client's inbox.
    queue: Option<Arc<Queue>>,
    meta: bool,
    retained: bool,
    policy: Option<Policy>,
    group: Option<Arc<str>>,
    max_rate: Option<f64>,
    /// The server has answered once.
    confirmed: bool,
    waiter: Option<oneshot::Sender<Subscribed>>,
}

impl Subscriber {
    /// A subscriber, and what tells how its subscribe ended.
    pub(crate) fn new(
        queue: Option<Arc<Queue>>,
        options: &crate::SubscribeOptions,
    ) -> (Self, oneshot::Receiver<Subscribed>) {
        let (waiter, waiting) = oneshot::channel();
        let subscriber = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            queue,
            meta: options.meta,
            retained: options.retained,
            policy: options.policy,
            group: options.group.as_deref().map(Arc::from),
            max_rate: options.max_rate,
            confirmed: false,
            waiter: Some(waiter),
        };
        (subscriber, waiting)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Router {
    /// `inbox` is the prefix of the topics on which answers to this client's requests come.
    pub(crate) fn new(inbox: String) -> Self {
        Self {
            tree: GlobTree::with_reserved(SYSTEM_MARK),
            scratch: Scratch::default(),
            patterns: HashMap::new(),
            cache: HashMap::new(),
            last: None,
            touched: Vec::new(),
            inbox,
            requests: HashMap::new(),
        }
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.patterns.values().map(|entry| entry.subscribers.len()).sum()
    }

    /// Adds a subscription. Returns what to ask the server for. An error if there is one to this pattern that is not of its group.
    pub(crate) fn add(&mut self, pattern: &Pattern, subscriber: Subscriber) -> Result<Ask, SubscribeError> {
        let (id, retained, group) = (subscriber.id, subscriber.retained, subscriber.group.clone());
        let text = match self.patterns.get_key_value(pattern.as_str()) {
            Some((text, entry)) if entry.group() != group.as_ref() => {
                let (pattern, group) = (text.to_string(), entry.group().map(ToString::to_string));
                return Err(SubscribeError::OtherGroup { pattern, group });
            }
            Some((text, _)) => Arc::clone(text),
            None => {
                let text = Arc::from(pattern.as_str());
                self.tree.insert(pattern, Arc::clone(&text));
                text
            }
        };
        let entry = self.patterns.entry(Arc::clone(&text)).or_insert_with(|| Entry::new(pattern));
        entry.subscribers.push(subscriber);
        // Others there may be have their retained messages.
        let options = SubscribeOptions { retained, ..entry.options() };
        Ok(Ask { pattern: text, group, options, ids: vec![id] })
    }

    /// Removes a subscription. True if it was there and the last one of its pattern.
    pub(crate) fn remove(&mut self, pattern: &str, id: u64) -> bool {
        self.take(pattern, &[id]);
        self.prune(pattern)
    }

    /// Everything that is subscribed to, to be asked for on a new connection.
    pub(crate) fn asks(&self) -> Vec<Ask> {
        let ask = |(text, entry): (&Arc<str>, &Entry)| Ask {
            pattern: Arc::clone(text),
            group: entry.group().cloned(),
            options: entry.options(),
            ids: entry.subscribers.iter().map(Subscriber::id).collect(),
        };
        self.patterns.iter().map(ask).collect()
    }

    /// The server said `Ok` to these subscriptions: from now on they get messages.
    pub(crate) fn confirm(&mut self, pattern: &str, ids: &[u64]) {
        let Some(entry) = self.patterns.get_mut(pattern) else { return };
        for subscriber in entry.subscribers.iter_mut().filter(|subscriber| ids.contains(&subscriber.id)) {
            subscriber.confirmed = true;
            if let Some(waiter) = subscriber.waiter.take() {
                // Who is gone has unsubscribed, or will in a moment.
                drop(waiter.send(Ok(())));
            }
        }
        self.forget_routes();
    }

    /// The server refused these subscriptions. True if one of them had stood before: its stream ends.
    pub(crate) fn refuse(&mut self, pattern: &str, ids: &[u64], error: &SubscribeError) -> bool {
        let mut lost = false;
        for subscriber in self.take(pattern, ids) {
            match subscriber.waiter {
                Some(waiter) => drop(waiter.send(Err(error.clone()))),
                None => lost = true,
            }
            if let Some(queue) = subscriber.queue {
                queue.end();
            }
        }
        self.prune(pattern);
        lost
    }

    /// Takes these subscriptions out of their pattern's entry, which may be left empty.
    fn take(&mut self, pattern: &str, ids: &[u64]) -> Vec<Subscriber> {
        let Some(entry) = self.patterns.get_mut(pattern) else { return Vec::new() };
        let taken = entry.subscribers.extract_if(.., |subscriber| ids.contains(&subscriber.id)).collect();
        self.forget_routes();
        taken
    }

    /// Removes a pattern that nobody subscribes to any more. True if it was one.
    fn prune(&mut self, pattern: &str) -> bool {
        let is_empty = self.patterns.get(pattern).is_some_and(|entry| entry.subscribers.is_empty());
        if is_empty && let Some((text, entry)) = self.patterns.remove_entry(pattern) {
            self.tree.remove(&entry.pattern, &text);
        }
        is_empty
    }

    /// Stages one message for each of its subscriptions.
    pub(crate) fn deliver(&mut self, topic: &str, value: &[u8], meta: Option<Meta>) {
        let meta = meta.map(Arc::new);
        if !self.requests.is_empty() {
            self.answer(topic, value, meta.as_ref());
        }
        let route = match &self.last {
            Some((last, route)) if **last == *topic => Arc::clone(route),
            _ => self.look_up(topic),
        };
        for queue in route.iter() {
            if queue.stage(topic, value, meta.as_ref()) {
                self.touched.push(Arc::clone(queue));
            }
        }
    }

    /// Makes staged messages visible. Returns each pattern whose subscription had to drop some, with how many.
    pub(crate) fn commit(&mut self) -> Vec<(Arc<str>, u64)> {
        let mut lagged = Vec::new();
        for queue in self.touched.drain(..) {
            let dropped = queue.commit();
            if dropped > 0 {
                lagged.push((Arc::clone(queue.pattern()), dropped));
            }
        }
        lagged
    }

    /// The server dropped messages of this pattern.
    pub(crate) fn missed_at_server(&self, pattern: &str, messages: u64) {
        let subscribers = self.patterns.get(pattern).into_iter().flat_map(|entry| &entry.subscribers);
        for queue in subscribers.filter_map(|subscriber| subscriber.queue.as_ref()) {
            queue.add_missed_at_server(messages);
        }
    }

    /// A place for the answer to request `number`: the topic to be answered to, and who gets the message.
    pub(crate) fn expect_answer(&mut self, number: u64) -> (String, oneshot::Receiver<Message>) {
        let (sender, receiver) = oneshot::channel();
        self.requests.insert(number, sender);
        (format!("{}{number}", self.inbox), receiver)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget_answer(&mut self, number: u64) {
        self.requests.remove(&number);
    }

    /// The pattern of all answers to this client.
    pub(crate) fn inbox_pattern(&self) -> String {
        format!("{}*", self.inbox)
    }

    /// The connection broke: requests under way are not answered any more.
    pub(crate) fn drop_requests(&mut self) {
        self.requests.clear();
    }

    /// The end: every stream ends, every request and every subscribe under way fails.
    pub(crate) fn close(&mut self) {
        self.requests.clear();
        self.forget_routes();
        self.tree = GlobTree::with_reserved(SYSTEM_MARK);
        for entry in mem::take(&mut self.patterns).into_values() {
            for queue in entry.subscribers.into_iter().filter_map(|subscriber| subscriber.queue) {
                queue.end();
            }
        }
    }

    /// Hands a message to the request that it answers, if it does.
    fn answer(&mut self, topic: &str, value: &[u8], meta: Option<&Arc<Meta>>) {
        let number = topic.strip_prefix(self.inbox.as_str()).and_then(|number| number.parse().ok());
        let sender = number.and_then(|number: u64| self.requests.remove(&number));
        if let Some(sender) = sender {
            // A request that was given up does not want its answer.
            drop(sender.send(Message::copied(topic, value, meta.cloned())));
        }
    }

    fn look_up(&mut self, topic: &str) -> Route {
        if let Some(route) = self.cache.get(topic) {
            let route = Arc::clone(route);
            self.last = Some((topic.into(), Arc::clone(&route)));
            return route;
        }
        let mut queues = Vec::new();
        let Self { tree, scratch, patterns, .. } = self;
        let _ = tree.matches(topic, scratch, |pattern| {
            let subscribers = patterns.get(pattern).into_iter().flat_map(|entry| &entry.subscribers);
            let confirmed = subscribers.filter(|subscriber| subscriber.confirmed);
            queues.extend(confirmed.filter_map(|subscriber| subscriber.queue.clone()));
        });
        let route: Route = queues.into();
        if self.cache.len() >= CACHED_TOPICS_MAX {
            self.cache.clear();
        }
        self.cache.insert(topic.into(), Arc::clone(&route));
        self.last = Some((topic.into(), Arc::clone(&route)));
        route
    }

    fn forget_routes(&mut self) {
        self.cache.clear();
        self.last = None;
    }
}

impl Entry {
    fn new(pattern: &Pattern) -> Self {
        Self { pattern: pattern.clone(), subscribers: Vec::new() }
    }

    /// The highest; none if one of them wants everything.
    fn max_rate(&self) -> Option<f64> {
        let rates = self.subscribers.iter().map(|subscriber| subscriber.max_rate);
        rates.reduce(|one, other| Some(one?.max(other?))).flatten()
    }

    /// That of all of them.
    fn group(&self) -> Option<&Arc<str>> {
        self.subscribers.first()?.group.as_ref()
    }

    /// What one subscription at the server must have to serve all of these: meta and retained messages if one wants them, the policy
    /// that was named last, and the highest rate.
    fn options(&self) -> SubscribeOptions {
        SubscribeOptions {
            id: None,
            meta: self.subscribers.iter().any(|subscriber| subscriber.meta),
            retained: self.subscribers.iter().any(|subscriber| subscriber.retained),
            policy: self.subscribers.iter().rev().find_map(|subscriber| subscriber.policy),
            max_rate: self.max_rate(),
        }
    }
}

#[cfg(test)]
mod tests;
