//! A broker, connections and clients on one thread, under a scheduler that chance drives: one step after another, and steps of others in the
//! middle of a write, as on other threads.
//!
//! Everything follows from the seed. The time is virtual: it goes on when the scheduler says so.

mod finish;
mod steps;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use broker_core::outbox::OutboxStats;
use broker_core::{Broker, Now};
use fastrand::Rng;

use super::checks::Checks;
use super::config::{Config, TOPICS};
use super::effect::Effect;
use super::oracle::{Broken, Oracle};
use super::peer::{Peer, Stage};
use super::rule::Promise;
use super::trace::Trace;

/// Steps within steps.
const DEPTH_MAX: u32 = 2;

/// When the virtual time begins: any time will do that is not 0.
const START_MS: u64 = 1_000_000;

thread_local! {
    /// The world of this thread, for the sockets that are called from within the broker.
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

pub(super) struct World {
    config: Config,
    broker: Arc<Broker>,
    rng: RefCell<Rng>,
    now_ms: Cell<u64>,
    /// What the broker was last told of the time.
    clock_ms: Cell<u64>,
    peers: RefCell<Vec<Rc<Peer>>>,
    oracle: RefCell<Oracle>,
    trace: RefCell<Trace>,
    depth: Cell<u32>,
    /// Clients think of nothing new.
    ends: Cell<bool>,
    /// When the broker wants to release what waits for its time, and whether it said that it wants to sooner.
    due_ms: Cell<Option<u64>>,
    pending: Arc<AtomicBool>,
    /// The figures of all outboxes before the step.
    before: RefCell<Vec<OutboxStats>>,
}

/// How a seed went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) checks: Checks,
    pub(super) broken: Option<Broken>,
    pub(super) hash: u64,
    /// The last steps, where they were asked for.
    pub(super) lines: Vec<String>,
}

/// Runs the world of a seed to its end, and keeps so many of its last steps.
pub(super) fn run(seed: u64, lines: usize) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let config = Config::new(&mut rng);
    let steps = config.steps;
    let world = Rc::new(World {
        broker: Arc::new(Broker::seeded(config.limits(), rng.u64(..))),
        rng: RefCell::new(rng),
        now_ms: Cell::new(START_MS),
        clock_ms: Cell::new(0),
        peers: RefCell::default(),
        oracle: RefCell::new(Oracle::new(&config, lines > 0)),
        trace: RefCell::new(Trace::new(lines)),
        depth: Cell::new(0),
        ends: Cell::new(false),
        due_ms: Cell::new(None),
        pending: Arc::default(),
        before: RefCell::default(),
        config,
    });
    WORLD.with(|current| current.replace(Some(Rc::clone(&world))));
    world.begin();
    for _ in 0..steps {
        world.step();
        if world.is_broken() {
            break;
        }
    }
    if !world.is_broken() {
        world.finish();
    }
    WORLD.with(RefCell::take);
    world.outcome()
}

/// A step of somebody else, while a session or a writer is in the middle of a write.
pub(super) fn step_between() {
    let world = WORLD.with(|current| current.borrow().clone());
    if let Some(world) = world {
        world.step_between();
    }
}

/// The time as the broker knows it.
pub(super) fn clock_ms() -> u64 {
    WORLD.with(|current| current.borrow().as_ref().map_or(0, |world| world.clock_ms.get()))
}

/// The broker is told the time.
pub(super) fn set_clock(now: Now) {
    WORLD.with(|current| {
        if let Some(world) = &*current.borrow() {
            world.clock_ms.set(now.monotonic_ms);
        }
    });
}

/// Notes what a socket did.
pub(super) fn note_write(peer: usize, outcome: &io::Result<usize>) {
    let world = WORLD.with(|current| current.borrow().clone());
    if let Some(world) = world {
        let bytes = outcome.as_ref().map_or(u64::MAX, |bytes| *bytes as u64);
        world.note(format_args!("  the socket of {peer} takes {outcome:?}"), &[peer as u64, bytes]);
    }
}

impl World {
    fn begin(&self) {
        let pending = Arc::clone(&self.pending);
        self.broker.on_pending(Box::new(move || pending.store(true, Relaxed)));
        self.note(format_args!("{:?}", self.config), &[]);
        // Who connects is greeted, and meanwhile others go on.
        self.begin_step();
        for _ in 0..self.config.natives {
            self.connect(true);
        }
        for _ in 0..self.config.nats {
            self.connect(false);
        }
        self.end_step();
    }

    fn connect(&self, native: bool) {
        let number = self.peers.borrow().len();
        let seed = self.rng.borrow_mut().u64(..);
        let bound = if native { self.config.outbox_bytes_max } else { self.config.nats_outbox_bytes_max };
        self.oracle.borrow_mut().begin_session(native, bound);
        let peer = Peer::new(number, native, &self.broker, &self.config, seed, self.now());
        self.peers.borrow_mut().push(Rc::new(peer));
        self.note(format_args!("{number} connects, native: {native}"), &[number as u64, u64::from(native)]);
    }

    fn now(&self) -> Now {
        Now { unix_ms: self.now_ms.get(), monotonic_ms: self.now_ms.get() }
    }

    fn below(&self, bound: usize) -> usize {
        self.rng.borrow_mut().usize(..bound.max(1))
    }

    fn peer(&self, number: usize) -> Option<Rc<Peer>> {
        self.peers.borrow().get(number).cloned()
    }

    fn all(&self) -> Vec<Rc<Peer>> {
        self.peers.borrow().clone()
    }

    fn stats(&self) -> Vec<OutboxStats> {
        self.peers.borrow().iter().map(|peer| peer.outbox.stats()).collect()
    }

    fn is_broken(&self) -> bool {
        self.oracle.borrow().broken.is_some()
    }

    fn fail(&self, promise: Promise, text: String) {
        self.oracle.borrow_mut().fail(promise, text);
    }

    fn saw(&self, situation: &'static str) {
        self.oracle.borrow_mut().checks.saw(situation);
    }

    fn note(&self, line: std::fmt::Arguments<'_>, numbers: &[u64]) {
        let mut trace = self.trace.borrow_mut();
        trace.note(numbers);
        trace.line(line);
    }

    /// Tells the oracle which commands were handled since it looked last.
    fn sync(&self, peer: &Peer) {
        let commands = peer.info.totals().commands;
        self.oracle.borrow_mut().set_time(self.now_ms.get(), self.clock_ms.get());
        while peer.known.get() < commands {
            peer.known.set(peer.known.get() + 1);
            let Some(effect) = peer.effects.borrow_mut().pop_front() else { continue };
            let mut oracle = self.oracle.borrow_mut();
            let of = match effect {
                Effect::Publish { number, .. } => oracle.message(number).map(|message| message.topic),
                _ => None,
            };
            let topic = of.and_then(|at| TOPICS.get(at)).copied().unwrap_or_default();
            self.note(format_args!("  {} did {effect:?} {topic}", peer.number), &[]);
            oracle.apply(peer.number, &effect);
        }
        self.oracle.borrow_mut().keep_bounds();
        if peer.stage.get() == Stage::Open && peer.is_idle() {
            self.oracle.borrow_mut().go_on(peer.number);
        }
    }

    fn sync_all(&self) {
        for peer in self.all() {
            self.sync(&peer);
        }
    }

    fn outcome(&self) -> Outcome {
        let oracle = self.oracle.take();
        let trace = self.trace.replace(Trace::new(0));
        Outcome {
            checks: oracle.checks,
            broken: oracle.broken,
            hash: trace.hash(),
            lines: trace.into_lines(),
        }
    }
}
