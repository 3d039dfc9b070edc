//! What happened, as one number for all of it and, where a seed is replayed, as lines.

use std::collections::VecDeque;
use std::fmt;

/// Lines that a failure shows.
const LINES_MAX: usize = 60;

/// The hash is FNV-1a: the same on every machine.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    /// The last lines, where they are wanted.
    lines: Option<VecDeque<String>>,
}

impl Trace {
    pub(super) fn new(verbose: bool) -> Self {
        Trace { hash: OFFSET, lines: verbose.then(VecDeque::new) }
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
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line.to_string());
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.map(Vec::from).unwrap_or_default()
    }
}
