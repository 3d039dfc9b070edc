//! A selected row in a list that changes under it.
//!
//! The selection is the row's key, not its number: rows come, go and change places every second, and the selection stays
//! on what the user chose. Until the user chose, it is the first row, whichever that is. If the chosen row goes, the one that took its place is selected.

/// A selection, and the first row on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K> {
    key: Option<K>,
    /// The user chose.
    chosen: bool,
    index: usize,
    offset: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { key: None, chosen: false, index: 0, offset: 0 }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// The selected key.
    pub fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// The selected row.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The first row on the screen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Goes to the first row and forgets what was selected.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Selects the row at `index`.
    pub fn select(&mut self, index: usize, keys: &[K], page: usize) {
        self.index = index.min(keys.len().saturating_sub(1));
        self.key = keys.get(self.index).cloned();
        self.scroll(keys.len(), page);
    }

    /// Moves by `steps` rows.
    pub fn step(&mut self, steps: isize, keys: &[K], page: usize) {
        self.chosen = true;
        self.select(self.index.saturating_add_signed(steps), keys, page);
    }

    /// The first `rows` rows are gone: what is on the screen stays where it is.
    pub fn rows_gone(&mut self, rows: usize) {
        if rows > self.index {
            self.key = None;
        }
        self.index = self.index.saturating_sub(rows);
        self.offset = self.offset.saturating_sub(rows);
    }

    /// The rows have changed: finds the selected one again.
    pub fn settle(&mut self, keys: &[K], page: usize) {
        if !self.chosen {
            return self.select(0, keys, page);
        }
        let found = self.key.as_ref().and_then(|key| keys.iter().position(|other| other == key));
        self.select(found.unwrap_or(self.index), keys, page);
    }

    /// Keeps the selection on the screen and the screen full.
    fn scroll(&mut self, rows: usize, page: usize) {
        let page = page.max(1);
        let lowest = (self.index + 1).saturating_sub(page);
        self.offset = self.offset.clamp(lowest, self.index).min(rows.saturating_sub(page));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_and_scrolls() {
        let keys: Vec<u32> = (0..10).collect();
        let mut cursor = Cursor::default();
        cursor.settle(&keys, 4);
        assert_eq!((cursor.key(), cursor.index(), cursor.offset()), (Some(&0), 0, 0));
        cursor.step(5, &keys, 4);
        assert_eq!((cursor.index(), cursor.offset()), (5, 2));
        cursor.step(-2, &keys, 4);
        assert_eq!((cursor.index(), cursor.offset()), (3, 2));
        cursor.step(isize::MAX, &keys, 4);
        assert_eq!((cursor.index(), cursor.offset()), (9, 6));
        cursor.step(isize::MIN, &keys, 4);
        assert_eq!((cursor.index(), cursor.offset()), (0, 0));
    }

    #[test]
    fn stays_on_what_was_chosen() {
        let mut cursor = Cursor::default();
        cursor.settle(&["a", "b", "c"], 10);
        cursor.settle(&["b", "c", "a"], 10);
        assert_eq!(cursor.key(), Some(&"b"), "nothing was chosen yet");
        cursor.step(2, &["a", "b", "c"], 10);
        cursor.settle(&["c", "x", "y"], 10);
        assert_eq!((cursor.key(), cursor.index()), (Some(&"c"), 0));
        cursor.settle(&["x", "y"], 10);
        assert_eq!((cursor.key(), cursor.index()), (Some(&"x"), 0));
        cursor.settle(&[], 10);
        assert_eq!((cursor.key(), cursor.index(), cursor.offset()), (None, 0, 0));
    }

    #[test]
    fn rows_that_go_at_the_top_do_not_move_the_screen() {
        let mut cursor = Cursor::default();
        let keys: Vec<u32> = (0..20).collect();
        cursor.step(12, &keys, 5);
        cursor.step(-2, &keys, 5);
        assert_eq!((cursor.index(), cursor.offset()), (10, 8));
        cursor.rows_gone(3);
        cursor.settle(&keys[3..], 5);
        assert_eq!((cursor.key(), cursor.index(), cursor.offset()), (Some(&10), 7, 5));
        cursor.rows_gone(9);
        cursor.settle(&keys[12..], 5);
        assert_eq!((cursor.key(), cursor.index(), cursor.offset()), (Some(&12), 0, 0));
    }

    #[test]
    fn a_shrinking_list_or_screen_keeps_the_selection_visible() {
        let keys: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        cursor.step(99, &keys, 20);
        cursor.settle(&keys[..30], 20);
        assert_eq!((cursor.index(), cursor.offset()), (29, 10));
        cursor.settle(&keys[..30], 0);
        assert_eq!(cursor.offset(), 29);
    }
}
