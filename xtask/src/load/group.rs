//! What the members of a group got together: each message is for one of them, whichever the server chose.
//!
//! One [`Group`] keeps the books of all of them, so that a message that no member got is lost, and one that two got is doubled. Order is
//! promised to each member only, and checked for each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::tracker::{Counts, Expected, Tracker};
use crate::sync::lock;

/// The books of all members.
#[derive(Debug)]
pub(crate) struct Group {
    /// By publisher; `None` where none of its messages are for this group.
    publishers: Vec<Option<(Arc<Expected>, Mutex<Tracker>)>>,
    skipped: AtomicU64,
}

impl Group {
    /// Of members that are to get, together, what `expected` says of each publisher.
    pub(crate) fn new(expected: Vec<Option<Arc<Expected>>>) -> Self {
        let publisher = |expected: Arc<Expected>| {
            let tracker = Mutex::new(Tracker::new(&expected));
            (expected, tracker)
        };
        Self {
            publishers: expected.into_iter().map(|expected| expected.map(publisher)).collect(),
            skipped: AtomicU64::new(0),
        }
    }

    fn with<T>(&self, publisher: usize, look: impl FnOnce(&Expected, &mut Tracker) -> T) -> Option<T> {
        let (expected, tracker) = self.publishers.get(publisher)?.as_ref()?;
        Some(look(expected, &mut lock(tracker)))
    }
}

/// What one member got of one publisher.
#[derive(Debug, Clone, Default)]
struct Taken {
    /// One more than the highest number so far.
    next: u64,
    /// Not yet in the group's books.
    numbers: Vec<u64>,
}

/// One subscriber's part in a group.
#[derive(Debug)]
pub(crate) struct Member {
    group: Arc<Group>,
    /// This one reports what all of them got.
    reports: bool,
    taken: Vec<Taken>,
    reordered: u64,
}

impl Member {
    /// A member of `group`; one of them `reports`.
    pub(crate) fn new(group: Arc<Group>, reports: bool) -> Self {
        let taken = vec![Taken::default(); group.publishers.len()];
        Self { group, reports, taken, reordered: 0 }
    }

    /// Takes note of message `number` of `publisher`.
    pub(crate) fn note(&mut self, publisher: u16, number: u64) {
        if let Some(taken) = self.taken.get_mut(usize::from(publisher)) {
            self.reordered += u64::from(number < taken.next);
            taken.next = taken.next.max(number + 1);
            taken.numbers.push(number);
        }
    }

    /// Takes note of messages that the server left out.
    pub(crate) fn note_skipped(&self, missed: u64) {
        self.group.skipped.fetch_add(missed, Ordering::Relaxed);
    }

    /// Enters what was taken of `publisher` into the group's books, and tells the number that is expected next while nobody else can enter.
    pub(crate) fn enter(&mut self, publisher: u16, tell: impl FnOnce(u64)) {
        let publisher = usize::from(publisher);
        let Some(taken) = self.taken.get_mut(publisher) else { return };
        self.group.with(publisher, |expected, tracker| {
            for number in taken.numbers.drain(..) {
                tracker.note(expected, number);
            }
            tell(tracker.next());
        });
    }

    /// Whether the group has all of the first `sent` messages of `publisher`: another member may still be waiting for a lower one.
    pub(crate) fn is_complete(&self, publisher: usize, sent: u64) -> bool {
        self.group.with(publisher, |expected, tracker| tracker.missing(expected, sent) == 0).unwrap_or(true)
    }

    /// What this member has to report of the first `sent` messages of `publisher`: counts, expected, missing.
    pub(crate) fn books(&self, publisher: usize, sent: u64) -> (Counts, u64, u64) {
        if !self.reports {
            return Default::default();
        }
        let books = self.group.with(publisher, |expected, tracker| {
            // Out of order from one member to the other is no fault.
            let counts = Counts { reordered: 0, ..tracker.counts() };
            (counts, expected.count_below(sent), tracker.missing(expected, sent))
        });
        books.unwrap_or_default()
    }

    /// Messages that this member got out of order.
    pub(crate) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Messages that the server told some member it had left out, where this one reports them.
    pub(crate) fn skipped(&self) -> u64 {
        if self.reports { self.group.skipped.load(Ordering::Relaxed) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> [Member; 2] {
        let group = Arc::new(Group::new(vec![Expected::new(&[true]).map(Arc::new)]));
        [Member::new(Arc::clone(&group), true), Member::new(group, false)]
    }

    fn take(member: &mut Member, numbers: &[u64]) -> u64 {
        for &number in numbers {
            member.note(0, number);
        }
        let mut next = 0;
        member.enter(0, |expected_next| next = expected_next);
        next
    }

    #[test]
    fn what_one_of_them_got_is_not_missing() {
        let [mut a, mut b] = members();
        assert_eq!(take(&mut b, &[1, 3]), 4);
        assert!(!a.is_complete(0, 4));
        assert_eq!(take(&mut a, &[0, 2]), 4);
        assert!(a.is_complete(0, 4) && b.is_complete(0, 4));
        let (counts, expected, missing) = a.books(0, 4);
        assert_eq!(
            (counts.received, counts.duplicated, counts.reordered, expected, missing),
            (4, 0, 0, 4, 0)
        );
        assert_eq!(b.books(0, 4), Default::default());
        assert_eq!((a.reordered(), b.reordered()), (0, 0));
    }

    #[test]
    fn what_two_of_them_got_is_doubled_and_what_none_got_is_missing() {
        let [mut a, mut b] = members();
        take(&mut a, &[0, 1]);
        take(&mut b, &[1, 3]);
        let (counts, _, missing) = a.books(0, 4);
        assert_eq!((counts.received, counts.duplicated, missing), (3, 1, 1));
        b.note_skipped(1);
        assert_eq!((a.skipped(), b.skipped()), (1, 0));
    }

    #[test]
    fn each_member_gets_its_messages_in_order() {
        let [mut a, mut b] = members();
        take(&mut a, &[2, 1]);
        take(&mut b, &[0, 3]);
        assert_eq!((a.reordered(), b.reordered()), (1, 0));
    }
}
