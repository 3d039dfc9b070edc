//! Text from outside made fit for a terminal: cleaned, measured, cut.
//!
//! Invariant: what [`clean`] returns holds no control character and none that changes the direction or the
//! layout of what stands beside it, so a topic or a value can never move the cursor, recolour or reorder the screen.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Shows that something was cut.
pub const ELLIPSIS: &str = "…";

/// `text` with every character that a terminal would act on written as an escape (`\n`, `\u{1b}`).
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push_clean(&mut out, c);
    }
    Cow::Owned(out)
}

/// Appends `c`, escaped if a terminal would act on it.
pub fn push_clean(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_unsafe(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Whether a terminal may do something else with `c` than show it: control characters, line and paragraph
/// separators, marks of direction, invisible joiners and tags.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Bytes in hexadecimal, with `between` between them.
pub fn hex(bytes: &[u8], between: &str) -> String {
    let mut out = String::with_capacity(bytes.len() * (2 + between.len()));
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Columns that `text` takes on the screen.
pub fn width(text: &str) -> usize {
    // Grapheme by grapheme, as the screen buffer places them.
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// `text`, cleaned and at most `columns` wide; what is cut is marked with `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let text = clean(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    let mut out = take(&text, columns.saturating_sub(1)).to_owned();
    if columns > 0 {
        out.push_str(ELLIPSIS);
    }
    out
}

/// Like [`fit`], but keeps the end: what is left of a long topic says more than how it begins.
pub fn fit_end(text: &str, columns: usize) -> String {
    let text = clean(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    let mut room = columns.saturating_sub(1);
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        let Some(left) = room.checked_sub(width(grapheme)) else { break };
        room = left;
        start = at;
    }
    if columns == 0 { String::new() } else { format!("{ELLIPSIS}{}", text.get(start..).unwrap_or_default()) }
}

/// The longest beginning of `text` that is at most `columns` wide. Never cuts a grapheme.
pub fn take(text: &str, columns: usize) -> &str {
    let mut room = columns;
    for (at, grapheme) in text.grapheme_indices(true) {
        match room.checked_sub(width(grapheme)) {
            Some(left) => room = left,
            None => return text.get(..at).unwrap_or_default(),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, columns: usize, expected: &str) {
        let got = fit(text, columns);
        assert_eq!(got, expected);
        assert!(width(&got) <= columns, "{got:?} is wider than {columns}");
    }

    #[test]
    fn fits() {
        check("weather", 7, "weather");
        check("weather", 6, "weath…");
        check("weather", 1, "…");
        check("weather", 0, "");
        check("", 3, "");
        check("気温は高い", 10, "気温は高い");
        check("気温は高い", 9, "気温は高…");
        check("気温は高い", 4, "気…");
        check("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…");
    }

    #[test]
    fn fits_the_end() {
        assert_eq!(fit_end("weather/berlin/temperature", 12), "…temperature");
        assert_eq!(fit_end("short", 12), "short");
        assert_eq!(fit_end("気温は高い", 4), "…い");
        assert_eq!(fit_end("abc", 0), "");
    }

    #[test]
    fn cleans_everything_that_a_terminal_obeys() {
        assert_eq!(clean("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(clean("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(clean("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(clean("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(clean("plain ünïcode 気温"), "plain ünïcode 気温");
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            assert!(!clean(&c.to_string()).chars().any(is_unsafe), "{c:?}");
        }
    }
}
