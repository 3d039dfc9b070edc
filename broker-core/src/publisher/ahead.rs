//! Routes of messages that are still to come, where one message after another goes to a topic that was hardly seen.
//!
//! Such a message waits for memory at every step: the index, the subscription, its targets. Asked for together, many of them wait at the same
//! time. Owns when that pays, and the routes until their messages come. A guess: what is not asked for is forgotten at the end of the batch.

use std::sync::Arc;

use glob_tree::Scratch;
use smallvec::SmallVec;

use super::Batch;
use super::kept::range_in;
use crate::routing::Targets;
use crate::topic;

/// Routes that are asked for together. (Measured: see `SIDE_BY_SIDE` of the index.)
const TOGETHER: usize = 32;

/// So many messages in a row whose route was asked for, and the next ones will be like them. (Guessed.)
const IN_A_ROW_MIN: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Where each topic begins in the input, the last one first.
    starts: Vec<usize>,
    /// Its targets.
    routes: Vec<Arc<Targets>>,
    /// The number of the last message whose route was asked for.
    last: u64,
    /// How many before it were asked for as well, one after another.
    in_a_row: u64,
    scratch: Scratch,
}

impl Ahead {
    /// The targets of the topic of message `number`, and the steps that the index took. `behind` tells the topics of the messages behind it.
    pub(super) fn route<'a, I: Iterator<Item = &'a [u8]>>(
        &mut self,
        name: &str,
        number: u64,
        except: Option<u64>,
        batch: Batch<'a>,
        behind: impl FnOnce() -> I,
    ) -> (Arc<Targets>, u64) {
        self.in_a_row = if number == self.last + 1 { self.in_a_row + 1 } else { 0 };
        self.last = number;
        let start = range_in(batch.input, name.as_bytes()).map_or(usize::MAX, |range| range.start);
        if let Some(targets) = self.take(start) {
            return (targets, 0);
        }
        if self.in_a_row < IN_A_ROW_MIN {
            return batch.table.route(name, except, &mut self.scratch);
        }
        let bytes_max = batch.broker.limits().topic_bytes_max;
        let behind = behind().map_while(|name| topic::validate(name, bytes_max).ok());
        let names: SmallVec<[&str; TOGETHER]> = std::iter::once(name).chain(behind).take(TOGETHER).collect();
        let start_of =
            |name: &&str| range_in(batch.input, name.as_bytes()).map_or(usize::MAX, |range| range.start);
        self.forget();
        self.starts.extend(names.iter().map(start_of));
        let steps = batch.table.route_each(&names, except, &mut self.scratch, &mut self.routes);
        self.starts.reverse();
        self.routes.reverse();
        match self.take(start) {
            Some(targets) => (targets, steps),
            None => batch.table.route(name, except, &mut self.scratch),
        }
    }

    /// The route of the topic that begins at `start`, and forgets those before it.
    fn take(&mut self, start: usize) -> Option<Arc<Targets>> {
        while self.starts.last().is_some_and(|first| *first < start) {
            self.starts.pop();
            self.routes.pop();
        }
        if self.starts.last() != Some(&start) {
            return None;
        }
        self.starts.pop();
        self.routes.pop()
    }

    /// The batch ends: its input goes, and others may change the table.
    pub(super) fn forget(&mut self) {
        self.starts.clear();
        self.routes.clear();
    }
}
