//! Which thread runs next, at every lock and atomic of the broker: a schedule that follows from one number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use fastrand::Rng;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// What is known of the schedules while they run.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The number of the one that runs.
    pub(crate) current: AtomicU64,
    /// Steps at which there was a choice, in all of them.
    pub(crate) choices: AtomicU64,
}

/// Schedules with the numbers from one to another.
pub(crate) struct Chance {
    next: u64,
    end: u64,
    told: Arc<Told>,
    rng: Rng,
    style: Style,
    /// By the number of a thread; the least goes first.
    ranks: Vec<u64>,
}

/// Bugs differ in which schedules show them.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// All threads are alike at each step.
    Even,
    /// Whoever runs goes on, but for one step of so many.
    Sticky(u32),
    /// Whoever ranks first goes on as long as it can; at one step of so many it falls behind all others. Long delays of one thread, as in
    /// Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs".
    Ranks(u32),
}

impl Chance {
    /// The numbers from `first` to before `end`.
    pub(crate) fn new(first: u64, end: u64, told: Arc<Told>) -> Self {
        Chance { next: first, end, told, rng: Rng::with_seed(0), style: Style::Even, ranks: Vec::new() }
    }

    fn rank(&mut self, task: usize) -> u64 {
        while self.ranks.len() <= task {
            // Below the ranks of those that fell behind.
            let rank = self.rng.u64(..1 << 32);
            self.ranks.push(rank);
        }
        self.ranks[task]
    }
}

impl Scheduler for Chance {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.next >= self.end {
            return None;
        }
        self.told.current.store(self.next, SeqCst);
        self.rng = Rng::with_seed(self.next);
        self.style = match self.rng.u8(..8) {
            0 | 1 => Style::Even,
            2..=4 => Style::Sticky(1 << self.rng.u32(1..6)),
            _ => Style::Ranks(1 << self.rng.u32(2..10)),
        };
        self.ranks.clear();
        self.next += 1;
        Some(Schedule::new(self.next - 1))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if let [only] = runnable {
            return Some(only.id());
        }
        self.told.choices.fetch_add(1, SeqCst);
        let goes_on =
            current.filter(|current| !is_yielding && runnable.iter().any(|task| task.id() == *current));
        match (self.style, goes_on) {
            (Style::Sticky(steps), Some(current)) if self.rng.u32(..steps) > 0 => return Some(current),
            (Style::Ranks(steps), _) => {
                let falls_behind = is_yielding || self.rng.u32(..steps) == 0;
                if let Some(current) = current.filter(|_| falls_behind) {
                    let task = usize::from(current);
                    self.rank(task);
                    self.ranks[task] = self.ranks.iter().max().copied().unwrap_or(0).max(1 << 32) + 1;
                }
                return runnable
                    .iter()
                    .map(|task| task.id())
                    .min_by_key(|task| self.rank(usize::from(*task)));
            }
            _ => {}
        }
        Some(runnable[self.rng.usize(..runnable.len())].id())
    }

    fn next_u64(&mut self) -> u64 {
        self.rng.u64(..)
    }
}
