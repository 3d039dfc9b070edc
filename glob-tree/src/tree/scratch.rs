//! What a query needs besides the tree and the text, kept from one query to the next.
//!
//! Owns the memory of the walk and of "seen already in this query". A stamp counts only if it is this query's generation, so nothing is
//! cleared between queries, and one scratch serves any number of trees in any order.

use super::families::Place;

/// The memory of a query. Make one for each thread that asks, and use it for all queries of that thread, whatever the tree.
///
/// It grows with the largest query so far: eight bytes for each nested star and each pattern with alternatives of the tree (of paths, sixteen for
/// each way over a `*`), and
/// the states that were alive at once and the patterns that were found. After that a query allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) walk: WalkScratch,
    /// The patterns that were found; those with several branches perhaps more than once.
    pub(super) found: Vec<u32>,
    /// Those with several branches that were visited.
    pub(super) visited: Stamps,
    /// Where families of texts that are asked for together are looked for.
    pub(super) lookups: Vec<Lookup>,
}

/// A lookup that is prepared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup {
    /// The number of the text among those that are asked for together.
    pub(super) text: usize,
    pub(super) place: Place,
    /// Of the parent that ends there.
    pub(super) hash: u64,
}

/// What the walk over the trie needs.
#[derive(Debug, Default)]
pub(super) struct WalkScratch {
    /// Nodes that were reached, each with the position behind it.
    pub(super) reached: Vec<(u32, usize)>,
    /// Stars that were reached and not yet scanned, each with the position from which it runs.
    pub(super) stars: Vec<(u32, usize)>,
    /// The nested stars that were reached.
    pub(super) stamps: Stamps,
    /// Runs and directories of paths that are being followed, inner ones above outer ones.
    pub(super) frames: Vec<Frame>,
    /// Of each run, by its mark, the end of the last one that was followed.
    pub(super) run_ends: Vec<usize>,
}

/// A run or directories at the place to which they have been followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The node behind.
    pub(super) node: u32,
    /// The next position that leads to it.
    pub(super) next: usize,
    /// The last one, or of directories the end of the text.
    pub(super) end: usize,
    /// Of directories.
    pub(super) separator: Option<u8>,
}

/// A set of numbers that is emptied in one step.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// Of the query at hand; 64 bits, so that it never comes round.
    generation: u64,
    stamps: Vec<u64>,
}

impl WalkScratch {
    pub(super) fn begin(&mut self, marks: usize) {
        // A visitor that panicked may have left something behind.
        self.reached.clear();
        self.stars.clear();
        self.frames.clear();
        self.stamps.begin(marks);
        if self.run_ends.len() < marks {
            self.run_ends.resize(marks, 0);
        }
    }
}

impl Stamps {
    /// Empties the set and makes room for the numbers below `marks`.
    pub(super) fn begin(&mut self, marks: usize) {
        self.generation += 1;
        if self.stamps.len() < marks {
            self.stamps.resize(marks, 0);
        }
    }

    /// Puts a number into the set; whether it was not there yet.
    pub(super) fn insert(&mut self, mark: u32) -> bool {
        match self.stamps.get_mut(mark as usize) {
            Some(stamp) => std::mem::replace(stamp, self.generation) != self.generation,
            None => true,
        }
    }
}

#[cfg(test)]
impl Scratch {
    /// The capacity of everything in it.
    pub(super) fn capacity(&self) -> usize {
        let WalkScratch { reached, stars, stamps, frames, run_ends } = &self.walk;
        reached.capacity()
            + frames.capacity()
            + run_ends.capacity()
            + stars.capacity()
            + stamps.stamps.capacity()
            + self.visited.stamps.capacity()
            + self.found.capacity()
            + self.lookups.capacity()
    }
}
