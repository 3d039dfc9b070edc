//! Rows as the broker told them, and of these the ones that are shown, in their order, with one of them selected.

use std::cmp::Ordering;

use super::cursor::Cursor;

/// A row that can be found again in the next table.
pub trait Row {
    /// What it keeps while it changes.
    fn id(&self) -> u64;
}

/// The rows of a table, sorted and filtered.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    /// The selected row.
    pub cursor: Cursor<u64>,
    rows: Vec<T>,
    /// Places in `rows`: made anew whenever these change, before anybody looks.
    shown: Vec<usize>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { cursor: Cursor::default(), rows: Vec::new(), shown: Vec::new() }
    }
}

impl<T: Row> List<T> {
    /// Other rows have come; [`settle`](List::settle) shows them.
    pub fn replace(&mut self, rows: Vec<T>) {
        self.rows = rows;
        self.shown.clear();
    }

    /// Gives the rows away, for those that replace them.
    pub fn take(&mut self) -> Vec<T> {
        self.shown.clear();
        std::mem::take(&mut self.rows)
    }

    /// Shows the rows that are `wanted`, in this order; those that are alike stay in the broker's. `page` is the number of rows on the screen.
    pub fn settle(&mut self, page: usize, wanted: impl Fn(&T) -> bool, order: impl Fn(&T, &T) -> Ordering) {
        let mut shown: Vec<(usize, &T)> =
            self.rows.iter().enumerate().filter(|(_, row)| wanted(row)).collect();
        shown.sort_by(|(_, one), (_, other)| order(one, other));
        self.shown = shown.into_iter().map(|(at, _)| at).collect();
        self.cursor.settle(&self.ids(), page);
    }

    /// Moves the selection.
    pub fn step(&mut self, steps: isize, page: usize) {
        self.cursor.step(steps, &self.ids(), page);
    }

    /// The rows that are shown, in their order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &T> {
        #[expect(clippy::indexing_slicing, reason = "made of these rows, and cleared when they change")]
        self.shown.iter().map(|at| &self.rows[*at])
    }

    /// All rows, in the broker's order.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&T> {
        self.rows.get(*self.shown.get(self.cursor.index())?)
    }

    fn ids(&self) -> Vec<u64> {
        self.shown().map(Row::id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for u64 {
        fn id(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn rows_are_filtered_sorted_and_selected() {
        let mut list = List::default();
        assert_eq!((list.shown().len(), list.selected()), (0, None));
        list.replace(vec![5, 2, 8, 3]);
        assert_eq!(list.shown().len(), 0, "not before it is settled");
        list.settle(10, |row| *row != 2, u64::cmp);
        list.step(1, 10);
        assert_eq!((list.shown().copied().collect(), list.selected()), (vec![3, 5, 8], Some(&5)));
        list.replace(vec![9, 5, 1]);
        list.settle(10, |_| true, |one, other| other.cmp(one));
        assert_eq!((list.shown().copied().collect(), list.selected()), (vec![9, 5, 1], Some(&5)));
        assert_eq!(list.rows(), [9, 5, 1]);
        assert_eq!((list.take().len(), list.shown().len()), (3, 0));
    }
}
