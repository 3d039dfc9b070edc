//! Routes of messages that are still to come, where one message after another goes to a topic that was hardly seen.
//!
//! Such a message waits for memory at every step: the index, the subscription, its targets. Asked for together, many of them wait at the same
//! time. Owns when that pays, and the routes until their messages come. A guess: what is not asked for is forgotten at the end of the batch.

use std::sync::Arc;

use glob_tree::Scratch;
use smallvec::SmallVec;

use super::{Batch, Streak};
use crate::routing::Targets;
use crate::topic;

/// Routes that are asked for together. (Measured: see `SIDE_BY_SIDE` of the index.)
const TOGETHER: usize = 32;

/// So many messages in a row whose route was asked for, and the next ones will be like them. (Guessed.)
const IN_A_ROW_MIN: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Where each topic begins in memory, the last one first: they lie in the input, which stays as long as they are here.
    starts: Vec<usize>,
    /// Its targets.
    routes: Vec<Arc<Targets>>,
    /// Messages whose route was asked for.
    asked: Streak,
    scratch: Scratch,
}

impl Ahead {
    /// The targets of the topic of message `number`, and the steps that the index took. `behind` are the topics of the messages behind it.
    pub(super) fn route<'a>(
        &mut self,
        name: &'a str,
        number: u64,
        except: Option<u64>,
        batch: Batch<'a>,
        behind: impl Iterator<Item = &'a [u8]>,
    ) -> (Arc<Targets>, u64) {
        let in_a_row = self.asked.next(number);
        let (mut targets, mut steps) = (self.take(name), 0);
        if targets.is_none() && in_a_row >= IN_A_ROW_MIN {
            steps = self.ask(name, except, batch, behind);
            targets = self.take(name);
        }
        match targets {
            Some(targets) => (targets, steps),
            None => batch.table.route(name, except, &mut self.scratch),
        }
    }

    /// Asks for the routes of a topic and of those behind it. Returns the steps that the index took.
    fn ask<'a>(
        &mut self,
        name: &'a str,
        except: Option<u64>,
        batch: Batch<'a>,
        behind: impl Iterator<Item = &'a [u8]>,
    ) -> u64 {
        let bytes_max = batch.broker.limits().topic_bytes_max;
        let behind = behind.map_while(|name| topic::validate(name, bytes_max).ok());
        let names: SmallVec<[&str; TOGETHER]> = std::iter::once(name).chain(behind).take(TOGETHER).collect();
        self.forget();
        self.starts.extend(names.iter().rev().map(|name| start(name)));
        let steps = batch.table.route_each(&names, except, &mut self.scratch, &mut self.routes);
        self.routes.reverse();
        steps
    }

    /// The route of this topic, by its place in the input. Forgets those before it.
    fn take(&mut self, name: &str) -> Option<Arc<Targets>> {
        while self.starts.last().is_some_and(|first| *first < start(name)) {
            self.starts.pop();
            self.routes.pop();
        }
        self.starts.pop_if(|first| *first == start(name))?;
        self.routes.pop()
    }

    /// The batch ends: its input goes, and others may change the table.
    pub(super) fn forget(&mut self) {
        self.starts.clear();
        self.routes.clear();
    }
}

fn start(name: &str) -> usize {
    name.as_ptr().addr()
}
