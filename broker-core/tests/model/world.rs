//! Publishers, subscribers and sockets that do as they please, beside the obvious account of who is owed what.
//!
//! Everything happens on one thread, so the account knows the order of all effects. Subscriptions ask for no retained messages here: what a
//! session is owed is exactly what is published while a pattern of its matches.

use std::collections::VecDeque;
use std::sync::Arc;

use broker_core::glob_tree::Pattern;
use broker_core::wire::native::{Event, PublishOptions, SubscribeOptions, encode};
use broker_core::{Broker, Limits, Now, Policy};
use fastrand::Rng;

use crate::account::{Account, Checks, Owed, Telling};
use crate::client::Client;
use crate::numbered::Numbered;

const TOPICS: [&str; 6] = ["a/1", "a/2", "b/1", "b/2", "c", "!d"];
const PATTERNS: [&str; 8] = ["*", "a/*", "b/?", "c", "a/1", "{a,b}/2", "!*", "[ab]/1"];
const CLIENTS: usize = 5;
/// Bound of the outboxes: some ten messages.
const OUTBOX_BYTES_MAX: usize = 4096;
/// How long publishers are held back for a subscriber that takes nothing.
const BLOCK_MS: u64 = 500;

/// What a frame does when the session has handled it.
enum Effect {
    Publish { topic: &'static str, message: Numbered, id: Option<u64> },
    Subscribe { pattern: &'static str, policy: Policy, id: Option<u64> },
    Unsubscribe { pattern: &'static str, id: Option<u64> },
    Ping { id: u64 },
    Close,
}

/// See the head of this file.
pub struct World {
    rng: Rng,
    broker: Arc<Broker>,
    clients: Vec<Client>,
    accounts: Vec<Account>,
    effects: Vec<VecDeque<Effect>>,
    numbers: Vec<u64>,
    /// What subscribers may ask for.
    policies: &'static [Policy],
    /// Whether they may ask for a rate.
    limits_rates: bool,
    now_ms: u64,
    /// How often a check could have failed: a run that proves nothing is a failure.
    pub checks: Checks,
}

impl World {
    /// One in which subscribers ask for these policies, and perhaps for a rate.
    pub fn new(seed: u64, policies: &'static [Policy], limits_rates: bool) -> Self {
        let limits = Limits { outbox_bytes_max: OUTBOX_BYTES_MAX, block_ms: BLOCK_MS, ..Limits::default() };
        let broker = Arc::new(Broker::new(limits));
        let mut world = World {
            rng: Rng::with_seed(seed),
            broker,
            clients: Vec::new(),
            accounts: Vec::new(),
            effects: Vec::new(),
            numbers: vec![0; CLIENTS],
            policies,
            limits_rates,
            now_ms: 0,
            checks: Checks::default(),
        };
        for _ in 0..CLIENTS {
            let (client, account) = world.fresh();
            world.clients.push(client);
            world.accounts.push(account);
            world.effects.push(VecDeque::new());
        }
        for at in 0..CLIENTS {
            world.subscribe(at);
            world.handle(at, usize::MAX);
        }
        world
    }

    /// Four in five say `Hello`. The others cannot ask for no retained messages, and only publish.
    fn fresh(&mut self) -> (Client, Account) {
        let introduced = self.rng.u8(..5) > 0;
        let client =
            if introduced { Client::introduced(&self.broker) } else { Client::connect(&self.broker) };
        let telling = match self.policies {
            _ if self.limits_rates => Telling::InAll,
            [Policy::Block] => Telling::Early,
            [Policy::Skip | Policy::DropNewest | Policy::DropOldest | Policy::Disconnect] => Telling::Exact,
            _ => Telling::InAll,
        };
        (client, Account::new(introduced, telling))
    }

    /// One thing happens, and all that can be known is checked.
    pub fn step(&mut self) {
        let at = self.rng.usize(..CLIENTS);
        match self.rng.u8(..100) {
            0..35 => self.publish(at),
            35..43 => self.subscribe(at),
            43..48 => self.unsubscribe(at),
            48..52 => self.ping(at),
            52..66 => self.plug(at),
            66..82 => {
                let budget = [1, 100, 1 << 20][self.rng.usize(..3)];
                self.clients[at].write(budget);
            }
            82..96 => self.receive(at),
            96 => self.finish(at),
            _ => self.pass_time(),
        }
        let bytes = if self.rng.bool() { usize::MAX } else { self.rng.usize(..200) };
        self.handle(at, bytes);
        // What conflate has put off is taken apart for whoever looks: then it would never be so for long.
        if !self.policies.contains(&Policy::Conflate) || self.rng.u8(..8) == 0 {
            self.check_bounds();
        }
    }

    fn publish(&mut self, at: usize) {
        for _ in 0..self.rng.usize(1..6) {
            let topic = TOPICS[self.rng.usize(..TOPICS.len())];
            let padding = [0, 20, 300, 1000][self.rng.usize(..4)];
            let publisher = u32::try_from(at).unwrap();
            let message = Numbered { publisher, number: self.numbers[at], padding };
            self.numbers[at] += 1;
            let id = (self.accounts[at].introduced && self.rng.u8(..4) == 0).then_some(message.number);
            self.clients[at].send(|out| {
                encode::publish(
                    out,
                    topic,
                    &message.value(),
                    &PublishOptions { id, ..PublishOptions::default() },
                );
            });
            self.effects[at].push_back(Effect::Publish { topic, message, id });
        }
    }

    fn subscribe(&mut self, at: usize) {
        if !self.accounts[at].introduced {
            return;
        }
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        let policy = self.policies[self.rng.usize(..self.policies.len())];
        let rate = [0.5, 10.0, 200.0, 5000.0][self.rng.usize(..4)];
        let max_rate = (self.limits_rates && self.rng.u8(..3) > 0).then_some(rate);
        let id = self.rng.bool().then(|| self.rng.u64(..));
        let options = SubscribeOptions {
            id,
            policy: Some(policy),
            retained: false,
            meta: self.rng.u8(..4) == 0,
            max_rate,
        };
        self.clients[at].send(|out| encode::subscribe(out, pattern, &options));
        self.effects[at].push_back(Effect::Subscribe { pattern, policy, id });
    }

    fn unsubscribe(&mut self, at: usize) {
        let pattern = PATTERNS[self.rng.usize(..PATTERNS.len())];
        let id = (self.accounts[at].introduced && self.rng.bool()).then(|| self.rng.u64(..));
        self.clients[at].send(|out| encode::unsubscribe(out, pattern, id));
        self.effects[at].push_back(Effect::Unsubscribe { pattern, id });
    }

    fn ping(&mut self, at: usize) {
        if self.accounts[at].introduced {
            let id = self.rng.u64(..);
            self.clients[at].send(|out| encode::ping(out, Some(id)));
            self.effects[at].push_back(Effect::Ping { id });
        }
    }

    /// The socket takes some bytes, all, or none.
    fn plug(&mut self, at: usize) {
        let takes = [0, 1, 10, 500, 3000, usize::MAX][self.rng.usize(..6)];
        let piece = [1, 7, 100, usize::MAX][self.rng.usize(..4)];
        self.clients[at].socket.take(takes, piece);
    }

    fn pass_time(&mut self) {
        self.now_ms += [1, 7, 50, 600, 3000][self.rng.usize(..5)];
        self.release();
    }

    fn release(&mut self) -> Option<u64> {
        let now = Now { unix_ms: self.now_ms, monotonic_ms: self.now_ms };
        for client in &mut self.clients {
            client.now = now;
        }
        self.broker.release(now)
    }

    /// The client ends in one way or another, and another one takes its place.
    fn finish(&mut self, at: usize) {
        match self.rng.u8(..4) {
            0 if self.accounts[at].introduced => {
                self.clients[at].send(encode::close);
                self.effects[at].push_back(Effect::Close);
                self.handle(at, usize::MAX);
            }
            1 => {
                self.clients[at].socket.fail();
                self.accounts[at].failed = true;
            }
            2 => {
                self.receive(at);
                self.clients[at].abandon();
                self.accounts[at].failed = true;
            }
            _ => self.clients[at].end(),
        }
        self.close_account(at);
        let (client, account) = self.fresh();
        self.clients[at] = client;
        self.accounts[at] = account;
        self.effects[at].clear();
    }

    fn handle(&mut self, at: usize, bytes: usize) {
        let served = self.served();
        let done = self.clients[at].handle(bytes);
        self.take_effect(at, done, served);
        self.checks.held += u64::from(self.clients[at].is_held());
    }

    /// Whose subscriptions are in effect: the others are owed nothing more.
    fn served(&self) -> [bool; CLIENTS] {
        std::array::from_fn(|at| self.clients[at].is_served())
    }

    fn take_effect(&mut self, at: usize, done: usize, served: [bool; CLIENTS]) {
        for effect in self.effects[at].drain(..done).collect::<Vec<_>>() {
            match effect {
                Effect::Publish { topic, message, id } => {
                    let receivers = self.owe(topic, message, served);
                    if let Some(id) = id {
                        self.accounts[at].answers.push_back((id, Some(receivers)));
                    }
                }
                Effect::Subscribe { pattern, policy, id } => {
                    self.accounts[at].subscriptions.insert(pattern, policy);
                    self.accounts[at].answers.extend(id.map(|id| (id, None)));
                }
                Effect::Unsubscribe { pattern, id } => {
                    let found = self.accounts[at].subscriptions.remove(pattern).is_some();
                    self.accounts[at].answers.extend(id.map(|id| (id, Some(u64::from(found)))));
                }
                Effect::Ping { id } => self.accounts[at].answers.push_back((id, None)),
                Effect::Close => {}
            }
        }
    }

    /// Notes the message with everybody who is to get it. Returns how many that are.
    fn owe(&mut self, topic: &'static str, message: Numbered, served: [bool; CLIENTS]) -> u64 {
        let mut receivers = 0;
        for (account, _) in self.accounts.iter_mut().zip(served).filter(|(_, served)| *served) {
            let matched: Vec<&str> =
                account.subscriptions.keys().copied().filter(|pattern| matches(pattern, topic)).collect();
            if !matched.is_empty() {
                account.owed.push_back(Owed { topic, message, matched });
                account.published += 1;
                receivers += 1;
            }
        }
        receivers
    }

    fn receive(&mut self, at: usize) {
        for frame in self.clients[at].receive() {
            let account = &mut self.accounts[at];
            assert!(!account.goodbye, "a frame behind Goodbye");
            match Event::parse(&frame).expect("an event") {
                Event::Message(message) => {
                    account.take(message.topic, Numbered::parse(message.value), &mut self.checks);
                }
                Event::Lagged { pattern, missed } => {
                    assert!(missed > 0, "Lagged tells of nothing");
                    account.told.push((pattern.to_owned(), missed));
                    account.told_in_all += missed;
                }
                Event::Ok { id, result } => {
                    let (expected, number) = account.answers.pop_front().expect("an answer is owed");
                    assert_eq!(id, expected, "answers come in the order of the commands");
                    let result = match result {
                        [0xc0] => None,
                        [bool @ 0xc2..=0xc3] => Some(u64::from(*bool == 0xc3)),
                        [fix] => Some(u64::from(*fix)),
                        other => panic!("a result of {other:x?}"),
                    };
                    assert_eq!(result, number, "the result of {id}");
                }
                Event::Goodbye { .. } => account.goodbye = true,
                other => panic!("not expected: {other:?}"),
            }
        }
    }

    /// What waits is within the bound, but for answers and events, which are bounded by what was asked.
    fn check_bounds(&mut self) {
        for (client, account) in self.clients.iter().zip(&self.accounts) {
            let waiting = client.stats().waiting_bytes;
            let answers = account.answers.len() * 24;
            let events = 256 + PATTERNS.len() * 48;
            assert!(
                waiting <= OUTBOX_BYTES_MAX + answers + events,
                "{waiting} bytes wait, {answers} of answers"
            );
            self.checks.bounded += u64::from(waiting > 0);
        }
    }

    /// The client's session has ended or is to end now: what it was owed is received, missed or lost, to the last message.
    fn close_account(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.end();
        for _ in 0..64 {
            client.write(usize::MAX);
            client.socket.take(usize::MAX, usize::MAX);
        }
        assert!(client.is_over(), "what waits for a session that ends is written, or fails");
        client.abandon();
        self.receive(at);
        let (stats, account) = (self.clients[at].stats(), &self.accounts[at]);
        assert_eq!(
            stats.messages_out + stats.lagged + stats.lost + stats.thinned,
            account.published,
            "written, missed, lost and thinned out are all: {stats:?}"
        );
        assert_eq!((stats.waiting_bytes, stats.held_bytes), (0, 0));
        if !account.failed {
            assert_eq!(stats.messages_out, account.received, "what was written was received");
            assert_eq!(self.clients[at].torn_bytes(), 0, "no frame is torn");
            assert_eq!(account.goodbye, account.introduced, "Goodbye is the last frame");
            assert!(
                !account.introduced || account.told_in_all == stats.lagged,
                "told before Goodbye: {stats:?} {account:?}"
            );
        }
        self.checks.missed += stats.lagged;
        self.checks.lost += stats.lost;
        self.checks.thinned += stats.thinned;
        self.checks.ended += 1;
        // It owes nothing and is owed nothing.
        self.accounts[at].subscriptions.clear();
    }

    /// The end of the run: everybody reads everything.
    pub fn settle(&mut self) {
        // Who was held back by another goes on when that one has read, and may then be held back again.
        for at in (0..CLIENTS).cycle().take(100 * CLIENTS) {
            let served = self.served();
            let done = self.clients[at].settle();
            self.take_effect(at, done, served);
        }
        // What waits for its time comes.
        let mut due_ms = Some(0);
        for _ in 0..5 {
            self.now_ms += 10_000;
            due_ms = self.release();
        }
        assert_eq!(due_ms, None, "nothing waits for ever");
        for at in 0..CLIENTS {
            self.clients[at].settle();
            self.receive(at);
            let (client, stats) = (&self.clients[at], self.clients[at].stats());
            if client.is_served() {
                assert_eq!((client.unhandled(), stats.waiting_bytes), (0, 0), "nothing is stuck");
                assert!(self.accounts[at].answers.is_empty(), "every answer came");
            }
            self.close_account(at);
        }
        assert_eq!((self.broker.subscriptions(), self.broker.has_subscribers("a/1")), (0, false));
        self.clients.clear();
        assert_eq!(self.broker.connections(), 0);
    }
}

/// As the routing table has it: a wildcard first does not match a system topic.
fn matches(pattern: &str, topic: &str) -> bool {
    let pattern = Pattern::glob(pattern).expect("a pattern of the table above");
    pattern.matches(topic) && !(topic.starts_with('!') && pattern.begins_with_wildcard())
}
