//! The end of a world: everybody reads, everything arrives, one more message to each topic does, and the books are closed.

use super::World;
use crate::sim::client::Pace;
use crate::sim::peer::Stage;
use crate::sim::rule::Promise;

/// Steps after which a world that does not come to rest is one that never will.
const REST_STEPS_MAX: u32 = 200_000;

impl World {
    pub(super) fn finish(&self) {
        self.note(format_args!("the end begins"), &[11]);
        self.ends.set(true);
        for peer in self.all() {
            peer.client.borrow_mut().pace = Pace::Fast;
        }
        self.rest();
        self.settle_open();
        if self.is_broken() {
            return;
        }
        // The broker has recovered, whoever was slow: what is published now arrives.
        self.tick();
        self.connect(true);
        self.last_words();
        self.rest();
        self.settle_open();
        self.tick();
        for peer in self.all() {
            peer.client.borrow_mut().gone = true;
            peer.socket.state().ended = true;
        }
        self.rest();
        if self.is_broken() {
            return;
        }
        let stats: Vec<_> = self.stats();
        self.oracle.borrow_mut().check_groups(&stats);
        let left = (self.broker.connections(), self.broker.subscriptions());
        if left != (0, 0) {
            let text = format!("{} sessions and {} subscriptions are left", left.0, left.1);
            self.fail(Promise::Isolation, text);
        }
        let totals = self.broker.totals();
        let sum =
            |figure: fn(&broker_core::outbox::OutboxStats) -> u64| stats.iter().map(figure).sum::<u64>();
        let wanted =
            [sum(|one| one.messages_out), sum(|one| one.lagged), sum(|one| one.lost), sum(|one| one.thinned)];
        if [totals.messages_out, totals.lagged, totals.lost, totals.thinned] != wanted {
            self.fail(Promise::Honesty, format!("the totals are {totals:?}, the sessions say {wanted:?}"));
        }
        let (mut cuts, mut refusals) = (0, 0);
        for peer in self.all() {
            cuts += peer.socket.state().cuts;
            refusals += peer.socket.state().refusals;
        }
        let topics = self.broker.topic_stats();
        if topics.expired > 0 {
            self.saw("a retained message came to its end");
        }
        if topics.evicted > 0 && self.config.operator.bytes_max < usize::MAX {
            self.saw("the store was bounded in bytes");
        }
        if topics.oversized > 0 {
            self.saw("a value was too large to be retained");
        }
        if cuts > 0 {
            self.saw("a socket took a part of a write");
        }
        if refusals > 0 {
            self.saw("a socket took nothing");
        }
    }

    /// Runs until nothing is left to do.
    fn rest(&self) {
        for _ in 0..REST_STEPS_MAX {
            self.begin_step();
            let ran = self.run_task();
            let moved = self.clients_go_on();
            self.end_step();
            if self.is_broken() {
                return;
            }
            if !ran && !moved && !self.pass_time() {
                return self.check_rest();
            }
        }
        self.fail(Promise::Isolation, "the world does not come to rest".to_owned());
    }

    /// Nobody can go on before some time has gone by: it does. False if nobody waits for that.
    fn pass_time(&self) -> bool {
        let waits = |peer: &std::rc::Rc<crate::sim::peer::Peer>| peer.held_until().or(peer.farewell_until());
        let next_ms = self.all().iter().filter_map(waits).chain(self.due_ms.get()).min();
        let Some(next_ms) = next_ms.filter(|next_ms| *next_ms > self.now_ms.get()) else { return false };
        self.note(format_args!("it is {next_ms}"), &[14, next_ms]);
        self.now_ms.set(next_ms);
        true
    }

    /// Clients read what there is and write what they began. False if there was nothing.
    fn clients_go_on(&self) -> bool {
        let mut moved = false;
        for peer in self.all() {
            let mut client = peer.client.borrow_mut();
            let mut state = peer.socket.state();
            moved |= !state.to_client.is_empty();
            let gone = client.gone || peer.stage.get() != Stage::Open;
            if !gone && !client.outgoing.is_empty() && state.room_to_server() > 0 {
                let taken = client.outgoing.len().min(state.room_to_server());
                state.to_server.extend(client.outgoing.drain(..taken));
                moved = true;
            }
            drop(state);
            drop(client);
            self.drain(&peer, usize::MAX);
        }
        moved
    }

    /// Nobody has anything to do: then nothing waits.
    fn check_rest(&self) {
        for peer in self.all() {
            if peer.stage.get() != Stage::Open {
                continue;
            }
            let stats = peer.outbox.stats();
            let waiting = stats.waiting_bytes + stats.held_bytes;
            if let Some(slow) = peer.info.slow() {
                let text = format!("session {} has caught up and is still slow: {slow:?}", peer.number);
                return self.fail(Promise::Isolation, text);
            }
            if waiting > 0 || !peer.is_idle() {
                let text = format!("session {} does not go on, with {waiting} bytes waiting", peer.number);
                return self.fail(Promise::Isolation, text);
            }
        }
    }

    /// Closes the books of the sessions that go on, as they stand.
    fn settle_open(&self) {
        for peer in self.all() {
            if peer.stage.get() != Stage::Open || self.is_broken() {
                continue;
            }
            let out = peer.outbox.stats();
            let mut oracle = self.oracle.borrow_mut();
            oracle.check_newest(peer.number, &out);
            oracle.settle(peer.number, &out, true);
        }
    }

    /// One more client asks for all that is retained, and then publishes to each topic.
    fn last_words(&self) {
        let number = self.peers.borrow().len() - 1;
        let Some(peer) = self.peer(number) else { return };
        let mut oracle = self.oracle.borrow_mut();
        let mut client = peer.client.borrow_mut();
        let effects = client.last_words(&self.config, &mut oracle);
        peer.effects.borrow_mut().extend(effects);
    }
}
