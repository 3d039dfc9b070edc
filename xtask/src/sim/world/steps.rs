//! One step of the world, whoever takes it, and what must hold after it.

use std::cmp::min;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use broker_core::outbox::OutboxStats;
use broker_core::reason::CloseReason;

use super::{DEPTH_MAX, World, set_clock};
use crate::sim::client::Pace;
use crate::sim::config::TOPICS;
use crate::sim::peer::{Peer, Read, Stage};
use crate::sim::rule::Promise;

/// Something of the server's that can go on.
#[derive(Debug, Clone, Copy)]
enum Task {
    Reader(usize),
    Writer(usize),
    Close(usize),
    /// What waited for its time is sent.
    Release,
    /// The clock of the broker is set.
    Tick,
}

/// What a read takes at the most, now and then.
const SMALL_READ_BYTES: usize = 40;

/// Calls after which nothing more can be over: each does with many topics.
const EXPIRES_MAX: u32 = 4;

impl World {
    pub(super) fn step(&self) {
        self.begin_step();
        self.act();
        self.end_step();
        self.oracle.borrow_mut().checks.steps += 1;
    }

    pub(super) fn begin_step(&self) {
        self.before.replace(self.stats());
        self.oracle.borrow_mut().begin_step();
    }

    /// What must hold after a step.
    pub(super) fn end_step(&self) {
        self.sync_all();
        self.check();
    }

    fn act(&self) {
        match self.below(100) {
            0..=44 => {
                if !self.run_task() {
                    self.client_writes();
                }
            }
            45..=69 => self.client_writes(),
            70..=88 => self.client_reads(),
            89..=92 => {
                let ms = 1 + self.below(20) as u64;
                self.now_ms.set(self.now_ms.get() + ms);
                self.note(format_args!("{ms} ms go by"), &[ms]);
            }
            93..=95 => self.change_pace(),
            96 => self.run(Task::Tick),
            97 if self.peers.borrow().len() < self.config.peers_max => {
                let native = self.below(3) > 0;
                self.connect(native);
            }
            98 => self.vanish(),
            _ => {
                self.run_task();
            }
        }
    }

    /// A step of somebody else: see [`super::step_between`].
    pub(super) fn step_between(&self) {
        if self.depth.get() >= DEPTH_MAX || self.is_broken() {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        self.saw("a step in the middle of a write");
        self.sync_all();
        self.note(format_args!(" meanwhile"), &[1]);
        match self.below(10) {
            0..=5 => {
                self.run_task();
            }
            6 | 7 => self.client_writes(),
            _ => self.client_reads(),
        }
        self.note(format_args!(" back"), &[2]);
        self.depth.set(self.depth.get() - 1);
    }

    /// Lets one task of the server go on. False if none can.
    pub(super) fn run_task(&self) -> bool {
        let mut tasks = Vec::new();
        for peer in self.all() {
            if peer.can_read(self.now_ms.get()) {
                tasks.push(Task::Reader(peer.number));
            }
            if peer.can_write(self.now_ms.get()) {
                tasks.push(Task::Writer(peer.number));
            }
            if peer.can_close() {
                tasks.push(Task::Close(peer.number));
            }
        }
        if self.pending.load(Relaxed) || self.due_ms.get().is_some_and(|due_ms| due_ms <= self.now_ms.get()) {
            tasks.push(Task::Release);
        }
        let Some(task) = tasks.get(self.below(tasks.len())).copied() else { return false };
        self.run(task);
        true
    }

    fn run(&self, task: Task) {
        match task {
            Task::Reader(number) => self.read(number),
            Task::Writer(number) => {
                self.note(format_args!("writer {number}"), &[3, number as u64]);
                if let Some(peer) = self.peer(number) {
                    peer.write(self.now_ms.get());
                }
            }
            Task::Close(number) => self.close(number),
            Task::Release => {
                self.note(format_args!("what is due is sent"), &[12]);
                set_clock(self.now());
                self.pending.store(false, Relaxed);
                self.due_ms.set(self.broker.release(self.now()));
            }
            Task::Tick => {
                self.note(format_args!("the clock ticks"), &[13]);
                self.tick();
            }
        }
    }

    /// What the server does once a second.
    pub(super) fn tick(&self) {
        set_clock(self.now());
        self.broker.check_silence(self.now());
        if (0..EXPIRES_MAX).all(|_| self.broker.expire(self.now())) {
            self.fail(Promise::Retained, "there is always more that is over".to_owned());
        }
        self.sync_all();
        self.oracle.borrow_mut().expire();
        self.check_operator();
        let known = self.broker.recent_topics(TOPICS.len(), usize::MAX);
        self.oracle.borrow_mut().check_retained(&known);
    }

    /// Who is slow is so under the right policy, and who does not say who he is goes.
    fn check_operator(&self) {
        let mut oracle = self.oracle.borrow_mut();
        for (info, news) in self.broker.take_slow_news() {
            let peer = self.all().into_iter().find(|peer| peer.info.id == info.id);
            if let Some(peer) = peer {
                oracle.check_slow(peer.number, &news);
            }
        }
        let Some(timeout_ms) = self.config.operator.auth_timeout_ms else { return };
        for peer in self.all() {
            let is_late = self.now_ms.get() >= peer.info.started.monotonic_ms + timeout_ms;
            if peer.stage.get() == Stage::Open {
                let reason = peer.outbox.ending();
                oracle.check_login(peer.number, peer.known.get(), is_late, reason.as_ref());
            }
        }
    }

    fn read(&self, number: usize) {
        let most = if self.below(3) == 0 { 1 + self.below(SMALL_READ_BYTES) } else { usize::MAX };
        self.note(format_args!("reader {number}"), &[4, number as u64]);
        let Some(peer) = self.peer(number) else { return };
        if matches!(peer.read(self.now(), most), Read::Ended) {
            self.note(format_args!("{number} ends"), &[5]);
            self.sync(&peer);
            self.oracle.borrow_mut().end_session(number);
            return;
        }
        self.sync(&peer);
    }

    /// The last of a session: what its client has not read counts as read, and the books are closed.
    pub(super) fn close(&self, number: usize) {
        let Some(peer) = self.peer(number) else { return };
        self.note(format_args!("{number} is closed: {:?}", peer.outbox.ending()), &[6, number as u64]);
        peer.close();
        self.drain(&peer, usize::MAX);
        let out = peer.outbox.stats();
        let mut oracle = self.oracle.borrow_mut();
        oracle.settle(number, &out, false);
        if matches!(peer.outbox.ending(), Some(CloseReason::CutOff { .. })) {
            oracle.checks.saw("a frame was cut off");
        }
        oracle.check_disconnect(number, peer.outbox.ending().as_ref());
        let client = peer.client.borrow();
        if client.sent_nonsense() && client.barred {
            oracle.check_barred(number, peer.outbox.ending());
        } else if client.sent_nonsense() {
            oracle.check_nonsense(number, peer.outbox.ending());
        }
    }

    fn client_writes(&self) {
        let number = self.below(self.peers.borrow().len());
        let Some(peer) = self.peer(number) else { return };
        if peer.stage.get() != Stage::Open {
            return;
        }
        let mut client = peer.client.borrow_mut();
        if client.gone {
            return;
        }
        if client.outgoing.is_empty() && !self.ends.get() {
            let mut rng = self.rng.borrow_mut();
            let mut oracle = self.oracle.borrow_mut();
            for _ in 0..rng.usize(1..=self.config.burst) {
                let effect = client.think(&mut rng, &self.config, &mut oracle);
                peer.effects.borrow_mut().extend(effect);
            }
            if client.finished {
                oracle.sent_nonsense(number);
            }
        }
        let mut state = peer.socket.state();
        let most = min(client.outgoing.len(), state.room_to_server());
        let taken = if self.below(3) == 0 { self.below(most + 1) } else { most };
        state.to_server.extend(client.outgoing.drain(..taken));
        drop(state);
        self.note(format_args!("client {number} writes {taken}"), &[7, number as u64, taken as u64]);
    }

    fn client_reads(&self) {
        let number = self.below(self.peers.borrow().len());
        let Some(peer) = self.peer(number) else { return };
        let pace = peer.client.borrow().pace;
        let most = match pace {
            Pace::Fast => usize::MAX,
            Pace::Slow => 1 + self.below(60),
            Pace::Never => return,
        };
        self.drain(&peer, most);
    }

    /// The client reads so much of what there is.
    pub(super) fn drain(&self, peer: &Peer, most: usize) {
        let mut state = peer.socket.state();
        let taken = min(most, state.to_client.len());
        let bytes: Vec<u8> = state.to_client.drain(..taken).collect();
        let tags = state.tags.take(taken);
        drop(state);
        if taken == 0 {
            return;
        }
        self.note(format_args!("client {} reads {taken}", peer.number), &[8, peer.number as u64]);
        self.trace.borrow_mut().bytes(&bytes);
        let mut oracle = self.oracle.borrow_mut();
        peer.client.borrow_mut().take(&bytes, tags, peer.number, &mut oracle);
        for heard in oracle.heard.iter_mut().flat_map(|heard| heard.drain(..)) {
            self.note(format_args!("  {} got {heard}", peer.number), &[]);
        }
    }

    fn change_pace(&self) {
        let number = self.below(self.peers.borrow().len());
        let pace = [Pace::Fast, Pace::Fast, Pace::Slow, Pace::Never].get(self.below(4)).copied();
        if let (Some(peer), Some(pace)) = (self.peer(number), pace) {
            peer.client.borrow_mut().pace = pace;
            self.note(format_args!("client {number} reads {pace:?}"), &[9, number as u64, pace as u64]);
        }
    }

    /// A client goes, at any byte of what it had to say.
    fn vanish(&self) {
        let number = self.below(self.peers.borrow().len());
        let Some(peer) = self.peer(number) else { return };
        if peer.stage.get() != Stage::Open || peer.client.borrow().gone {
            return;
        }
        let politely = self.below(2) == 0;
        {
            let mut client = peer.client.borrow_mut();
            client.gone = true;
            // What ends its session may not come so far.
            client.finished &= client.outgoing.is_empty() && politely;
            let cut = self.below(client.outgoing.len() + 1);
            let mut state = peer.socket.state();
            let room = state.room_to_server();
            state.to_server.extend(client.outgoing.drain(..min(cut, room)));
            client.outgoing.clear();
            state.ended = true;
            if !politely {
                state.broken = true;
                let kept = self.below(state.to_server.len() + 1);
                state.to_server.truncate(kept);
            }
            self.saw("a client vanished");
        }
        self.note(format_args!("client {number} goes, politely: {politely}"), &[10, number as u64]);
    }

    pub(super) fn check(&self) {
        let after = self.stats();
        self.oracle.borrow_mut().check_store(&self.broker.topic_stats());
        self.oracle.borrow_mut().check_bounds(&self.before.borrow(), &after);
        for (peer, stats) in self.all().iter().zip(&after) {
            if peer.stage.get() == Stage::Open {
                self.check_held(peer, stats, &after);
                self.check_progress(peer, stats.waiting_bytes);
            }
        }
    }

    /// Publishers are held back by those alone that asked for it, and are told when there is room.
    fn check_held(&self, peer: &Rc<Peer>, stats: &OutboxStats, all: &[OutboxStats]) {
        let number = peer.number;
        let only_blocks = self.oracle.borrow().only_blocks(number);
        if only_blocks && stats.held_bytes > 0 && stats.waiting_bytes == 0 && !peer.is_writing() {
            let text = format!("publishers are held back for session {number}, where nothing waits");
            return self.fail(Promise::Isolation, text);
        }
        if peer.held_until().is_none() {
            return;
        }
        self.saw("a publisher was held back");
        if !self.oracle.borrow().pressed(number) {
            let text = format!("session {number} is held back though it published to nobody who wants that");
            return self.fail(Promise::Isolation, text);
        }
        // A writer that was woken tells it in its turn.
        let told =
            peer.can_read(self.now_ms.get()) || self.all().iter().any(|one| one.can_write(self.now_ms.get()));
        if !told && all.iter().all(|one| one.held_bytes == 0) {
            let text = format!("session {number} is held back, and nobody has anything in line");
            self.fail(Promise::Isolation, text);
        }
    }

    /// Nothing that waits is forgotten, and nobody is held up by others.
    fn check_progress(&self, peer: &Rc<Peer>, waiting_bytes: usize) {
        let number = peer.number;
        if waiting_bytes > 0 && !peer.can_write(self.now_ms.get()) && !peer.waits_for_socket() {
            let text = format!("{waiting_bytes} bytes wait for session {number}, and nobody will write them");
            return self.fail(Promise::Isolation, text);
        }
        if !peer.waits_for_room() {
            return;
        }
        if !self.oracle.borrow().joins(number) {
            let text = format!("session {number} is held up though it asked for no retained messages");
            return self.fail(Promise::Isolation, text);
        }
        self.saw("a join waited for room");
        let told = peer.can_read(self.now_ms.get()) || peer.can_write(self.now_ms.get());
        if waiting_bytes == 0 && !told && !peer.waits_for_socket() {
            let text = format!("session {number} waits for room that it has");
            self.fail(Promise::Isolation, text);
        }
    }
}
