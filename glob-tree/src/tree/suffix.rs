//! The branches that are a star and a literal: `*.log`.
//!
//! Owns reading them, and a text, from their ends: then they are a radix tree like any other, whose branches end with a star.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::node::Ends;
use super::trie::{ROOT, Trie};
use super::walk::BYTES_PER_STEP;
use crate::pattern::code::{Branch, STAR};

/// Such a branch, read from its end: `gol.*`.
pub(super) struct Backwards(SmallVec<[u8; 64]>);

impl Backwards {
    pub(super) fn of(branch: Branch<'_>) -> Option<Self> {
        let suffix = branch.suffix()?;
        // A star in the end, because whatever stands before the suffix is as good as any other.
        Some(Self(suffix.iter().rev().copied().chain([STAR]).collect()))
    }

    pub(super) fn branch(&self) -> Branch<'_> {
        Branch { bytes: &self.0, classes: &[] }
    }
}

impl Trie {
    /// Calls `hit` with the pattern of every branch that ends `text`, if the trie is one of endings, from their last bytes to
    /// their first ones. Tells how many steps it took.
    pub(super) fn walk_back<F>(&self, text: &str, mut hit: F) -> u64
    where
        F: FnMut(u32) -> ControlFlow<()>,
    {
        if self.nodes.is_empty() {
            return 0;
        }
        let mut steps = 0;
        let mut left = text.as_bytes();
        let mut node = &self.nodes[ROOT];
        loop {
            steps += 1 + (node.label.len() / BYTES_PER_STEP) as u64;
            let enough = match node.ends() {
                Ends::None => ControlFlow::Continue(()),
                Ends::One(end) => hit(end.pattern()),
                Ends::Many(ends) => ends.iter().try_for_each(|end| {
                    steps += 1;
                    hit(end.pattern())
                }),
            };
            let Some((&last, _)) = left.split_last() else { return steps };
            let child = if enough.is_break() { None } else { node.next(last) };
            let Some(child) = child else { return steps };
            node = &self.nodes[child];
            let Some((rest, ending)) = left.split_at_checked(left.len().saturating_sub(node.label.len()))
            else {
                return steps;
            };
            if !ending.iter().rev().eq(node.label.iter()) {
                return steps + 1;
            }
            left = rest;
        }
    }
}
