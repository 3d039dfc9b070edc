//! What one subscriber got of one publisher: which numbers came, which are missing, which came twice or late.
//!
//! Pure. A publisher sends to the topics of its cycle in turn, and a subscriber expects those that its patterns match; so
//! [`Expected`] knows which numbers it is to get, and [`Tracker`] compares. Memory is bounded by [`GAPS_MAX`].

/// Runs of missing numbers that are remembered, so that a late message can be told from a second copy. A subscriber that
/// skipped more often than that has its late messages counted as duplicates. Guessed: 1.6 MB.
const GAPS_MAX: usize = 100_000;

/// Which of a publisher's messages a subscriber is to get.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// For each position in the publisher's cycle, how many positions it is to the next topic that matches; 0 where the topic itself
    /// does not match.
    steps: Vec<u64>,
    /// How many topics before each position match; one longer than the cycle.
    matching_before: Vec<u64>,
}

impl Expected {
    /// From which positions of the cycle match. `None` if none does.
    pub(crate) fn new(matching: &[bool]) -> Option<Self> {
        if !matching.contains(&true) {
            return None;
        }
        // From the end to the start, twice: on the first pass the last positions do not know what follows them yet.
        let mut steps = vec![0; matching.len()];
        let mut to_next = 0;
        for _ in 0..2 {
            for (step, &matches) in steps.iter_mut().zip(matching).rev() {
                to_next += 1;
                if matches {
                    *step = to_next;
                    to_next = 0;
                }
            }
        }
        let mut matching_before = vec![0];
        let mut before = 0;
        for &matches in matching {
            before += u64::from(matches);
            matching_before.push(before);
        }
        Some(Self { steps, matching_before })
    }

    /// How many of the numbers below `end` are expected.
    pub(crate) fn count_below(&self, end: u64) -> u64 {
        let cycle = self.steps.len() as u64;
        let at = |index: u64| {
            usize::try_from(index).ok().and_then(|i| self.matching_before.get(i)).copied().unwrap_or(0)
        };
        (end / cycle) * at(cycle) + at(end % cycle)
    }

    /// From an expected number to the next expected one; 0 if `number` is not expected.
    fn step(&self, number: u64) -> u64 {
        match self.steps.as_slice() {
            [step] => *step,
            steps => usize::try_from(number % steps.len() as u64)
                .ok()
                .and_then(|i| steps.get(i))
                .copied()
                .unwrap_or(0),
        }
    }

    /// The first expected number.
    fn first(&self) -> u64 {
        self.steps.iter().position(|&step| step > 0).unwrap_or(0) as u64
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that arrived, each once.
    pub(crate) received: u64,
    /// Messages that came although they had come before.
    pub(crate) duplicated: u64,
    /// Messages that came after one with a higher number.
    pub(crate) reordered: u64,
    /// Messages that this subscriber did not ask for, or whose bytes had changed.
    pub(crate) corrupt: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
    }
}

/// The state of one pair of publisher and subscriber.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// The number that is expected next: all below it came or are missing.
    next: u64,
    counts: Counts,
    /// Missing numbers below `next`, as ascending, disjoint runs from..to.
    gaps: Vec<(u64, u64)>,
}

impl Tracker {
    /// Nothing seen yet.
    pub(crate) fn new(expected: &Expected) -> Self {
        Self { next: expected.first(), counts: Counts::default(), gaps: Vec::new() }
    }

    /// Takes note of message `number`; false if it was not expected, or not any more.
    #[inline]
    pub(crate) fn note(&mut self, expected: &Expected, number: u64) -> bool {
        let step = expected.step(number);
        if number == self.next && step > 0 {
            self.counts.received += 1;
            self.next = number + step;
            true
        } else {
            self.note_unusual(number, step)
        }
    }

    #[cold]
    fn note_unusual(&mut self, number: u64, step: u64) -> bool {
        if step == 0 {
            self.counts.corrupt += 1;
            return false;
        }
        if number > self.next {
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push((self.next, number));
            }
            self.next = number + step;
        } else if self.fill_gap(number, step) {
            self.counts.reordered += 1;
        } else {
            self.counts.duplicated += 1;
            return false;
        }
        self.counts.received += 1;
        true
    }

    /// Takes `number` out of the missing ones; false if it was not missing.
    fn fill_gap(&mut self, number: u64, step: u64) -> bool {
        let index = self.gaps.partition_point(|&(_, to)| to <= number);
        let Some(gap) = self.gaps.get_mut(index) else { return false };
        let (from, to) = *gap;
        if number < from {
            return false;
        }
        let after = number + step;
        match (from < number, after < to) {
            (true, true) => {
                *gap = (from, number);
                self.gaps.insert(index + 1, (after, to));
            }
            (true, false) => *gap = (from, number),
            (false, true) => *gap = (after, to),
            (false, false) => {
                self.gaps.remove(index);
            }
        }
        true
    }

    /// Counts a message of this publisher that had changed on the way.
    pub(crate) fn note_corrupt(&mut self) {
        self.counts.corrupt += 1;
    }

    /// The number that is expected next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// What was seen so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether every expected number below `sent` has come or been passed.
    pub(crate) fn is_past(&self, sent: u64) -> bool {
        self.next >= sent
    }

    /// How many of the publisher's first `sent` messages were expected and never came.
    pub(crate) fn missing(&self, expected: &Expected, sent: u64) -> u64 {
        expected.count_below(sent).saturating_sub(self.counts.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(matching: &[bool], arrivals: &[u64], sent: u64, want: (Counts, u64)) {
        let expected = Expected::new(matching).unwrap();
        let mut tracker = Tracker::new(&expected);
        for &number in arrivals {
            tracker.note(&expected, number);
        }
        assert_eq!((tracker.counts(), tracker.missing(&expected, sent)), want, "{matching:?} {arrivals:?}");
    }

    fn counts(received: u64, duplicated: u64, reordered: u64, corrupt: u64) -> Counts {
        Counts { received, duplicated, reordered, corrupt }
    }

    #[test]
    fn one_topic() {
        check(&[true], &[0, 1, 2, 3], 4, (counts(4, 0, 0, 0), 0));
        check(&[true], &[0, 1, 2], 4, (counts(3, 0, 0, 0), 1));
        check(&[true], &[0, 3, 4], 5, (counts(3, 0, 0, 0), 2));
        check(&[true], &[0, 1, 1, 0], 2, (counts(2, 2, 0, 0), 0));
        check(&[true], &[0, 4, 2, 5, 1, 3, 3], 6, (counts(6, 1, 3, 0), 0));
        check(&[true], &[], 3, (counts(0, 0, 0, 0), 3));
    }

    #[test]
    fn some_topics_of_a_cycle() {
        // Topics a, b, c in turn; a and c match: 0, 2, 3, 5, 6, 8, …
        let a_and_c = [true, false, true];
        check(&a_and_c, &[0, 2, 3, 5], 7, (counts(4, 0, 0, 0), 1));
        check(&a_and_c, &[0, 2, 3, 5, 6], 7, (counts(5, 0, 0, 0), 0));
        check(&a_and_c, &[0, 1, 2], 3, (counts(2, 0, 0, 1), 0));
        check(&a_and_c, &[0, 6, 3, 3, 2, 5], 8, (counts(5, 1, 3, 0), 0));
        check(&[false, true], &[1, 3], 5, (counts(2, 0, 0, 0), 0));
    }

    #[test]
    fn none_matches() {
        assert_eq!(Expected::new(&[false, false]), None);
        assert_eq!(Expected::new(&[]), None);
    }

    #[test]
    fn any_order_of_all_messages_is_neither_lost_nor_doubled() {
        let expected = Expected::new(&[true, true, false, true]).unwrap();
        let numbers: Vec<u64> = (0..40).filter(|n| n % 4 != 2).collect();
        for seed in 1..200_usize {
            let mut order = numbers.clone();
            let mut random = seed;
            for i in (1..order.len()).rev() {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                order.swap(i, (random >> 33) % (i + 1));
            }
            let mut tracker = Tracker::new(&expected);
            for &number in &order {
                tracker.note(&expected, number);
            }
            assert_eq!(tracker.missing(&expected, 40), 0, "seed {seed}");
            assert_eq!(tracker.counts().received, 30, "seed {seed}");
            assert_eq!(tracker.counts().duplicated, 0, "seed {seed}");
            assert!(tracker.gaps.is_empty(), "seed {seed}");
        }
    }
}
