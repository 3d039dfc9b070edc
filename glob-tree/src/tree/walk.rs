//! The walk: every end in the trie whose branch matches a text.
//!
//! Owns the simulation of the trie as an automaton with many live states. Neither recursive nor exponential, because a
//! state is alive at most once:
//!
//! - Between two stars every element takes a number of characters that the text fixes (a token ends at the next dot), so a node
//!   is reached from one place of the star above it in one way only, and later places reach it later.
//! - A star, once reached, takes any number of characters: reached again, later, it has nothing to add. So the first time that the node
//!   before it is reached counts, and that node's mark keeps it from counting twice. One that is not below a star is reached
//!   once anyway, and has no mark.
//!
//! So each star is scanned once, from the first position at which it is reached to the end of the text, and what hangs below it up to
//! the next stars is followed from each position. What ends in a star or in a tail has matched as soon as it is reached.

use std::ops::ControlFlow;

use super::children::{ClassChild, Kind};
use super::node::{End, Ends, Node, Rest};
use super::scratch::{Frame, WalkScratch};
use super::slab::Slab;
use super::trie::{ROOT, Trie};
use crate::pattern::code::{ANY, OPCODES, STAR, TOKEN};

/// A step is also counted for each run of this many bytes of a label or a token, which the processor compares in one or two
/// instructions.
pub(super) const BYTES_PER_STEP: usize = 16;
/// A star's scan looks at this many bytes at once: as many as a mask has bits.
const SCAN_BYTES: usize = 64;

impl Trie {
    /// Calls `hit` with the pattern of every branch that matches, and tells how many steps it took. A pattern that comes twice
    /// has two branches that do.
    ///
    /// With `literal_start` the wildcards that begin a branch match nothing.
    pub(super) fn walk<F>(&self, text: &str, literal_start: bool, scratch: &mut WalkScratch, hit: F) -> u64
    where
        F: FnMut(u32) -> ControlFlow<()>,
    {
        if self.nodes.is_empty() {
            return 0;
        }
        scratch.begin(self.marks.slot_count());
        let mut walk = Walk { nodes: &self.nodes, text, bytes: text.as_bytes(), steps: 0, scratch, hit };
        // Whether the visitor had enough makes no difference here: it has what it wanted.
        let _enough: ControlFlow<()> = walk.run(literal_start);
        walk.steps
    }
}

struct Walk<'w, F> {
    nodes: &'w Slab<Node>,
    text: &'w str,
    bytes: &'w [u8],
    steps: u64,
    scratch: &'w mut WalkScratch,
    hit: F,
}

impl<'w, F> Walk<'w, F>
where
    F: FnMut(u32) -> ControlFlow<()>,
{
    fn run(&mut self, literal_start: bool) -> ControlFlow<()> {
        if literal_start {
            self.follow_literal(&self.nodes[ROOT], 0);
        } else {
            self.reach(ROOT, 0)?;
        }
        self.drain()?;
        while let Some((star, from)) = self.scratch.stars.pop() {
            self.scan(star, from)?;
        }
        ControlFlow::Continue(())
    }

    /// Follows what is behind a star from every position that it can end at, the first one first.
    fn scan(&mut self, star: u32, from: usize) -> ControlFlow<()> {
        let node = &self.nodes[star];
        let classes = node.classes();
        let ways = node.ways();
        let mut firsts = ways.first_bytes();
        let mut start = from;
        for chunk in self.bytes.get(from..).unwrap_or_default().chunks(SCAN_BYTES) {
            self.steps += chunk.len() as u64;
            let mut candidates =
                if classes.is_empty() { firsts.positions(chunk) } else { all_positions(chunk) };
            while candidates != 0 {
                let position = start + candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if !classes.is_empty() {
                    self.follow_classes(classes, position);
                }
                let Some(&byte) = self.bytes.get(position) else { break };
                if let Some(child) = ways.get(byte)
                    && self.follow_label(child, position)
                {
                    if self.nodes[child].is_spent() {
                        // Reached again it would have nothing to add.
                        firsts.remove(byte);
                        if classes.is_empty() {
                            if firsts.is_empty() {
                                return self.drain();
                            }
                            candidates &= firsts.positions(chunk);
                        }
                    }
                } else if classes.is_empty() {
                    continue;
                }
                self.drain()?;
            }
            start += chunk.len();
        }
        ControlFlow::Continue(())
    }

    /// Follows what was reached until there is nothing left but stars. The innermost run goes first, so that every node is reached from
    /// the left to the right.
    fn drain(&mut self) -> ControlFlow<()> {
        loop {
            while let Some((node, position)) = self.scratch.reached.pop() {
                self.reach(node, position)?;
            }
            if self.scratch.frames.is_empty() {
                return ControlFlow::Continue(());
            }
            self.follow_frame();
        }
    }

    /// Takes the next step of the innermost run.
    fn follow_frame(&mut self) {
        let Some(frame) = self.scratch.frames.last_mut().filter(|frame| frame.next <= frame.end) else {
            self.scratch.frames.pop();
            return;
        };
        self.steps += 1;
        self.scratch.reached.push((frame.node, frame.next));
        let rest = self.bytes.get(frame.next..).unwrap_or_default();
        frame.next += match frame.separator {
            // Behind the next separator; past the end where there is none.
            Some(separator) => {
                let length = rest.iter().position(|&byte| byte == separator).unwrap_or(rest.len());
                self.steps += (length / BYTES_PER_STEP) as u64;
                1 + length
            }
            None => 1 + rest.iter().skip(1).take_while(|&&byte| is_continuation(byte)).count(),
        };
    }

    /// The text up to `position` leads to `node`: what ends here, and where does it go on?
    fn reach(&mut self, node: u32, position: usize) -> ControlFlow<()> {
        self.steps += 1;
        let node = &self.nodes[node];
        let at_end = position == self.bytes.len();
        let again = node.mark.get().is_some_and(|mark| !self.scratch.stamps.insert(mark));
        self.end(node, position, again)?;
        for (key, child) in node.few.ways().take_while(|way| way.0 >= OPCODES) {
            self.follow_element(key, child, position, again, at_end);
        }
        if let Some(children) = &node.children {
            for (key, child) in children.elements() {
                self.follow_element(key, child, position, again, at_end);
            }
            self.follow_classes(children.classes(), position);
        }
        self.follow_literal(node, position);
        ControlFlow::Continue(())
    }

    fn follow_element(&mut self, key: u8, child: u32, position: usize, again: bool, at_end: bool) {
        match key {
            STAR if again => {}
            STAR => self.scratch.stars.push((child, position)),
            TOKEN if !at_end => self.follow_token(child, position),
            ANY if !at_end => self.follow_any(child, position),
            _ => {}
        }
    }

    fn end(&mut self, node: &Node, position: usize, again: bool) -> ControlFlow<()> {
        let at_end = position == self.bytes.len();
        match node.ends() {
            Ends::None => ControlFlow::Continue(()),
            Ends::One(end) => self.hit_if(end, position, again),
            Ends::Many(ends) => {
                // Below a star a node is reached many times and ends once: none of the others may look at each end.
                let open = ends.last().is_some_and(|end| end.rest() != Rest::Nothing);
                if !at_end && (again || !open) {
                    return ControlFlow::Continue(());
                }
                ends.iter().try_for_each(|&end| self.hit_if(end, position, again))
            }
        }
    }

    fn hit_if(&mut self, end: End, position: usize, again: bool) -> ControlFlow<()> {
        self.steps += 1;
        let at_end = position == self.bytes.len();
        let matches = match end.rest() {
            Rest::Nothing => at_end,
            Rest::Anything => !again,
            Rest::Something => !at_end,
            Rest::Token => !at_end && position + self.token_bytes(position) == self.bytes.len(),
        };
        if matches { (self.hit)(end.pattern()) } else { ControlFlow::Continue(()) }
    }

    fn follow_literal(&mut self, node: &'w Node, position: usize) {
        let Some(&byte) = self.bytes.get(position) else { return };
        if let Some(child) = node.next(byte) {
            self.follow_label(child, position);
        }
    }

    /// Whether the child's label stands there.
    #[inline]
    fn follow_label(&mut self, child: u32, position: usize) -> bool {
        let label = &self.nodes[child].label;
        self.steps += 1 + (label.len() / BYTES_PER_STEP) as u64;
        let matches = label.stands_in(self.bytes, position);
        if matches {
            self.scratch.reached.push((child, position + label.len()));
        }
        matches
    }

    fn follow_any(&mut self, any: u32, position: usize) {
        let Some(found) = self.character(position) else { return };
        self.scratch.reached.push((any, position + found.len_utf8()));
    }

    fn follow_classes(&mut self, classes: &'w [ClassChild], position: usize) {
        // None in the middle of a character, where a star's scan passes too.
        if classes.is_empty() || !self.text.is_char_boundary(position) {
            return;
        }
        let found = self.character(position);
        self.steps += classes.len() as u64;
        for child in classes {
            match (child.kind, found) {
                (Kind::One, None) => {}
                (Kind::One, Some(found)) => {
                    let inside = if found.is_ascii() {
                        child.ascii >> u32::from(found) & 1 == 1
                    } else {
                        child.class.contains(found)
                    };
                    if inside {
                        self.scratch.reached.push((child.node, position + found.len_utf8()));
                    }
                }
                (Kind::Run, _) => self.begin_run(child, position),
                (Kind::Directories, _) => self.begin_directories(child, position),
            }
        }
    }

    /// Begins a run at a position, unless an earlier one went over it.
    fn begin_run(&mut self, child: &ClassChild, position: usize) {
        let Some(mark) = child.mark.get() else { return };
        let WalkScratch { run_ends, stamps, frames, .. } = &mut *self.scratch;
        let Some(run_end) = run_ends.get_mut(mark as usize) else { return };
        if !stamps.insert(mark) && position <= *run_end {
            return;
        }
        let rest = self.bytes.get(position..).unwrap_or_default();
        let separator = child.separator();
        let length = rest.iter().position(|&byte| byte == separator).unwrap_or(rest.len());
        self.steps += (length / BYTES_PER_STEP) as u64;
        *run_end = position + length;
        frames.push(Frame { node: child.node, next: position, end: *run_end, separator: None });
    }

    /// Begins directories at a position, unless earlier ones went over it: they pass all later positions behind separators, and are begun only there. (If
    /// they were not, a node would be reached behind where a run has been followed to already.)
    fn begin_directories(&mut self, child: &ClassChild, position: usize) {
        let Some(mark) = child.mark.get() else { return };
        let separator = child.separator();
        if self.scratch.stamps.insert(mark) {
            let (node, end) = (child.node, self.bytes.len());
            self.scratch.frames.push(Frame { node, next: position, end, separator: Some(separator) });
        }
        let before = position.checked_sub(1).and_then(|before| self.bytes.get(before));
        debug_assert!(before.is_none_or(|before| *before == separator), "a component begins there");
    }

    /// A token begins only where the pattern has its start or a dot, and takes all up to the next dot.
    fn follow_token(&mut self, token: u32, position: usize) {
        let length = self.token_bytes(position);
        if length > 0 {
            self.scratch.reached.push((token, position + length));
        }
    }

    /// What is left of the token at a position: all up to the next dot.
    fn token_bytes(&mut self, position: usize) -> usize {
        let rest = self.bytes.get(position..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'.').unwrap_or(rest.len());
        self.steps += (length / BYTES_PER_STEP) as u64;
        length
    }

    fn character(&self, position: usize) -> Option<char> {
        self.text.get(position..)?.chars().next()
    }
}

/// Whether the byte is not the first one of a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// A bit for each byte, the first byte's lowest.
fn all_positions(chunk: &[u8]) -> u64 {
    u64::MAX >> (SCAN_BYTES - chunk.len())
}
