//! What happened, as one number for all of it and, where a seed is replayed, as lines.

use std::collections::VecDeque;
use std::fmt;

/// The hash is FNV-1a: the same on every machine.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    /// The last lines, and how many are wanted.
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Trace {
    pub(super) fn new(lines_max: usize) -> Self {
        Trace { hash: OFFSET, lines: VecDeque::new(), lines_max }
    }

    /// Takes in numbers that tell what happened.
    pub(super) fn note(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(PRIME);
        }
    }

    /// Takes in bytes that went to a client.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) {
        if self.lines_max == 0 {
            return;
        }
        if self.lines.len() == self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_string());
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        Vec::from(self.lines)
    }
}
