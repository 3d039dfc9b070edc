//! One template against one text, without a tree: all its combinations of alternatives at once.
//!
//! Owns the simulation of the template as an automaton whose states are the places in its code. Each is alive at most once for each
//! character of the text, so neither the number of combinations nor of stars multiplies anything.

use smallvec::SmallVec;

use super::code::{
    ANY, Branch, CLASS, CLOSE, COMMA, DIRECTORIES, GROUP_BYTES, NUMBER_BYTES, OPEN, RUN, STAR,
    literal_length, number,
};

/// States that are alive at once, and words of a set of all places, for which no memory is asked for. (Templates of the default
/// limits are shorter, unless they have hundreds of braces.)
const STATES: usize = 64;
const WORDS: usize = 64;
const WORD_BITS: usize = u64::BITS as usize;
/// Marks a state that is inside a directory, where nothing but the separator leads on. (Its bit among the places that were seen is
/// that of the opcode's first operand byte, which is no place of its own.)
const INSIDE: usize = 1 << (usize::BITS - 1);

/// Whether one of the template's combinations matches the whole of `text`. At most (length of the text) × (length of the template) steps.
pub(super) fn matches(template: Branch<'_>, text: &str) -> bool {
    // Most texts differ before the first choice.
    let prefix = literal_length(template.bytes);
    let Some(rest) = template.bytes.get(..prefix).and_then(|prefix| text.as_bytes().strip_prefix(prefix))
    else {
        return false;
    };
    let Some(rest) = text.get(text.len() - rest.len()..) else { return false };
    let mut states = States {
        code: template.bytes,
        seen: SmallVec::from_elem(0, template.bytes.len() / WORD_BITS + 1),
        alive: SmallVec::new(),
        pending: SmallVec::new(),
    };
    states.add(prefix);
    let mut before = SmallVec::<[usize; STATES]>::new();
    for found in rest.chars() {
        std::mem::swap(&mut before, &mut states.alive);
        states.alive.clear();
        states.seen.fill(0);
        for &at in &before {
            if at & INSIDE != 0 {
                states.go_on_inside(template, at & !INSIDE, found);
            } else if let Some(next) = step(template, at, found) {
                states.add(next);
            }
        }
        if states.alive.is_empty() {
            return false;
        }
    }
    states.has(template.bytes.len())
}

/// Where the state goes on `found`, if anywhere.
fn step(template: Branch<'_>, at: usize, found: char) -> Option<usize> {
    match *template.bytes.get(at)? {
        ANY => Some(at + 1),
        STAR => Some(at),
        RUN => {
            let class = template.classes.get(number(template.bytes, at + 1))?;
            class.contains(found).then_some(at)
        }
        CLASS => {
            let class = template.classes.get(number(template.bytes, at + 1))?;
            class.contains(found).then_some(at + 1 + NUMBER_BYTES)
        }
        _ => {
            let mut buffer = [0; 4];
            let bytes = found.encode_utf8(&mut buffer).as_bytes();
            template.bytes.get(at..)?.starts_with(bytes).then_some(at + bytes.len())
        }
    }
}

struct States<'p> {
    code: &'p [u8],
    /// The places that were added, one bit each.
    seen: SmallVec<[u64; WORDS]>,
    /// Those of them that wait for a character, and the end.
    alive: SmallVec<[usize; STATES]>,
    pending: SmallVec<[usize; STATES]>,
}

impl States<'_> {
    /// Adds a place, and all that are reached from it without a character.
    fn add(&mut self, at: usize) {
        self.pending.push(at);
        while let Some(at) = self.pending.pop() {
            if !self.see(at) {
                continue;
            }
            match self.code.get(at) {
                Some(&OPEN) => {
                    self.pending.push(at + GROUP_BYTES);
                    let mut end = number(self.code, at + 1 + 2 * NUMBER_BYTES);
                    while self.code.get(end) == Some(&COMMA) {
                        self.pending.push(end + GROUP_BYTES);
                        end = number(self.code, end + 1 + NUMBER_BYTES);
                    }
                }
                Some(&COMMA) => self.pending.push(number(self.code, at + 1 + 2 * NUMBER_BYTES)),
                Some(&CLOSE) => self.pending.push(at + 1),
                Some(&STAR) => {
                    self.alive.push(at);
                    self.pending.push(at + 1);
                }
                Some(&RUN) => {
                    self.alive.push(at);
                    self.pending.push(at + 1 + NUMBER_BYTES);
                }
                Some(&DIRECTORIES) => {
                    self.stay_inside(at);
                    self.pending.push(at + 1 + NUMBER_BYTES);
                }
                _ => self.alive.push(at),
            }
        }
    }

    fn go_on_inside(&mut self, template: Branch<'_>, at: usize, found: char) {
        let class = template.classes.get(number(template.bytes, at + 1));
        if class.is_some_and(|class| class.contains(found)) { self.stay_inside(at) } else { self.add(at) }
    }

    fn stay_inside(&mut self, at: usize) {
        if self.see(at + 1) {
            self.alive.push(at | INSIDE);
        }
    }

    /// Puts a place among those that were seen. Whether it was not.
    fn see(&mut self, at: usize) -> bool {
        let Some(word) = self.seen.get_mut(at / WORD_BITS) else { return false };
        let bit = 1 << (at % WORD_BITS);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn has(&self, at: usize) -> bool {
        self.seen.get(at / WORD_BITS).is_some_and(|word| word >> (at % WORD_BITS) & 1 == 1)
    }
}
