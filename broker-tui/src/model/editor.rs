//! A line that is being typed, with a cursor.
//!
//! Works in graphemes: one press of a key moves over or deletes what a reader sees as one character. Invariant: the
//! cursor stands on a grapheme boundary, and the text holds no control character and at most [`BYTES_MAX`] bytes.

use unicode_segmentation::UnicodeSegmentation;

use crate::message::Key;

/// The longest pattern that the broker takes.
pub const BYTES_MAX: usize = 1_024;

/// What a key did to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Something in it, or nothing.
    Editing,
    /// The line is finished.
    Done,
    /// Forget it.
    Cancelled,
}

/// The line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Editor {
    text: String,
    cursor: usize,
}

impl Editor {
    /// Starts with `text`, the cursor behind it.
    pub fn new(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor
    }

    /// What stands there.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// What stands at the cursor and behind it.
    pub fn behind(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    /// Types or pastes `text`; what does not fit, and control characters, are left out.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.text.len() + c.len_utf8() > BYTES_MAX {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        // A combining mark joins the character behind the cursor: stand behind what they became.
        while !self.text.grapheme_indices(true).any(|(at, _)| at == self.cursor)
            && self.cursor < self.text.len()
        {
            self.cursor += self.behind().chars().next().map_or(1, char::len_utf8);
        }
    }

    /// Obeys a key.
    pub fn key(&mut self, key: Key) -> Edit {
        match key {
            Key::Enter => return Edit::Done,
            Key::Esc | Key::Ctrl('g') => return Edit::Cancelled,
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Left | Key::Ctrl('b') => self.cursor = self.left(),
            Key::Right | Key::Ctrl('f') => self.cursor = self.right(),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Backspace | Key::Ctrl('h') => self.delete(self.left()),
            Key::Delete | Key::Ctrl('d') => {
                let end = self.right();
                self.text.replace_range(self.cursor..end, "");
            }
            Key::Ctrl('u') => self.delete(0),
            Key::Ctrl('k') => self.text.truncate(self.cursor),
            Key::Ctrl('w') => self.delete(self.word()),
            _ => {}
        }
        Edit::Editing
    }

    fn left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        self.cursor + self.behind().graphemes(true).next().map_or(0, str::len)
    }

    /// Where the word before the cursor begins; `/`, `.` and spaces part words.
    fn word(&self) -> usize {
        let is_gap = |c: char| matches!(c, '/' | '.' | ' ');
        let word = self.before().trim_end_matches(is_gap);
        word.rfind(is_gap).map_or(0, |at| at + 1)
    }

    /// Deletes from `start` to the cursor.
    fn delete(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `|` marks the cursor.
    #[track_caller]
    fn check(start: &str, keys: &[Key], expected: &str) {
        let (before, behind) = start.split_once('|').unwrap();
        let mut editor = Editor { text: format!("{before}{behind}"), cursor: before.len() };
        for key in keys {
            assert_eq!(editor.key(*key), Edit::Editing);
        }
        assert_eq!(format!("{}|{}", editor.before(), editor.behind()), expected);
    }

    #[test]
    fn keys() {
        check("|", &[Key::Char('a'), Key::Char('ü'), Key::Char('気')], "aü気|");
        check("ab|", &[Key::Left, Key::Char('x')], "ax|b");
        check("ab|", &[Key::Home, Key::Delete], "|b");
        check("a|b", &[Key::End, Key::Backspace], "a|");
        check("|ab", &[Key::Left, Key::Backspace], "|ab");
        check("ab|", &[Key::Right, Key::Delete], "ab|");
        check("ab|cd", &[Key::Ctrl('u')], "|cd");
        check("ab|cd", &[Key::Ctrl('k')], "ab|");
        check("weather/berlin/|", &[Key::Ctrl('w')], "weather/|");
        check("weather|", &[Key::Ctrl('w')], "|");
        check("a|", &[Key::PageUp, Key::Tab], "a|");
    }

    #[test]
    fn works_in_graphemes() {
        check("e\u{301}|", &[Key::Backspace], "|");
        check("気温|", &[Key::Left, Key::Left, Key::Delete], "|温");
        check("🇩🇪|", &[Key::Left], "|🇩🇪");
        check("e|", &[Key::Char('\u{301}'), Key::Left], "|e\u{301}");
        check("|\u{301}x", &[Key::Char('e')], "e\u{301}|x");
    }

    #[test]
    fn ends() {
        let mut editor = Editor::new("a");
        assert_eq!(editor.key(Key::Enter), Edit::Done);
        assert_eq!(editor.key(Key::Esc), Edit::Cancelled);
        assert_eq!(editor.key(Key::Ctrl('g')), Edit::Cancelled);
    }

    #[test]
    fn pasting_is_bounded_and_leaves_out_control_characters() {
        let mut editor = Editor::new("a\u{1b}[31m\nb");
        assert_eq!(editor.text(), "a[31mb");
        editor.insert(&"ü".repeat(5_000));
        assert!(editor.text().len() <= BYTES_MAX);
        assert_eq!(editor.behind(), "");
    }

    #[test]
    fn random_keys_keep_the_cursor_on_a_boundary() {
        let keys = [
            Key::Char('a'),
            Key::Char('気'),
            Key::Char('\u{301}'),
            Key::Char('🇩'),
            Key::Char('/'),
            Key::Left,
            Key::Right,
            Key::Backspace,
            Key::Delete,
            Key::Home,
            Key::End,
            Key::Ctrl('w'),
            Key::Ctrl('k'),
            Key::Ctrl('u'),
        ];
        let mut seed = 7_u64;
        let mut editor = Editor::default();
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            editor.key(keys[usize::try_from(seed >> 33).unwrap() % keys.len()]);
            assert!(editor.text.is_char_boundary(editor.cursor) && editor.cursor <= editor.text.len());
            if editor.text.len() > 60 {
                editor = Editor::default();
            }
        }
    }
}
