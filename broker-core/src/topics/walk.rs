//! A walk over the topics that match a pattern, some at a time: nobody waits for it, however many topics there are.

use std::sync::Arc;

use glob_tree::Pattern;

use super::{Topic, Topics};
use crate::topic::is_hidden;

/// Topics that are taken from a shard at once: its lock is held for some microseconds.
const TAKEN_AT_ONCE: usize = 256;

/// Work of one [`Walk::advance`], in bytes of names times bytes of the pattern: a millisecond where each byte of a name is held against each
/// byte of the pattern, which is the worst that a pattern can do.
const WORK_MAX: usize = 1 << 20;

/// What a topic takes at the least, in the same measure: the way to it in memory.
const WORK_MIN: usize = 1 << 9;

#[derive(Debug)]
pub(crate) struct Walk {
    /// Where to go on: a shard and a place in it. `None` when all have been taken.
    at: Option<(usize, usize)>,
    /// Taken and not looked at.
    taken: Vec<Arc<Topic>>,
}

impl Walk {
    /// A walk over the topics that there are, and perhaps some that come meanwhile.
    pub(crate) fn new(topics: &Topics, pattern: &Pattern) -> Self {
        match pattern.literal() {
            Some(name) => Walk { at: None, taken: topics.get(name).into_iter().collect() },
            None => Walk { at: Some((0, 0)), taken: Vec::new() },
        }
    }

    /// Calls `visit` with the next topics that match, until it has had `most`, about a millisecond is over, or there are no more: then false.
    pub(crate) fn advance(
        &mut self,
        topics: &Topics,
        pattern: &Pattern,
        most: usize,
        mut visit: impl FnMut(Arc<Topic>),
    ) -> bool {
        let (mut visited, mut work) = (0, 0);
        loop {
            while let Some(topic) = self.taken.pop() {
                work += WORK_MIN.max(topic.name().len() * pattern.as_str().len());
                if !is_hidden(pattern, topic.name()) && pattern.matches(topic.name()) {
                    visit(topic);
                    visited += 1;
                }
                if visited == most || work >= WORK_MAX {
                    return true;
                }
            }
            let Some((shard, place)) = self.at else { return false };
            self.at = topics.part(shard, place, TAKEN_AT_ONCE, &mut self.taken);
        }
    }
}
