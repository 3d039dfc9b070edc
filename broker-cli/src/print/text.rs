//! Text for people: what may go to a terminal, lengths, sizes and ages.
//!
//! Invariant: what [`clean`] returns moves no cursor, rings no bell and turns no text around, whoever wrote it.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

/// True for a character that a terminal obeys or that changes how its neighbours are shown: controls (C0, DEL, C1), line and
/// paragraph separators, marks and overrides of direction, invisible tags.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with each unsafe character as `\u{…}`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// The first characters of a text, with `…` for what was left off; at most `chars_max` characters in all.
pub(crate) fn clip(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.chars().nth(chars_max).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    out.push('…');
    Cow::Owned(out)
}

/// A number of bytes with its unit: `17 B`, `1.5 KiB`.
pub(crate) fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Precision beyond 52 bits does not show in one decimal.
    #[allow(clippy::cast_precision_loss)]
    let mut amount = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // 1023.95 would be shown as 1024.0.
    while amount >= 1023.95 {
        let Some(next) = units.next() else { break };
        unit = Some(next);
        amount /= 1024.0;
    }
    format!("{amount:.1} {}", unit.unwrap_or(&""))
}

/// A number of things: `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// How long ago, in the largest unit that gives a whole number above 1: `0s`, `90s`, `5m`, `30h`, `4d`.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_text_stays_as_it_is() {
        assert!(matches!(clean("weather/Oslo ä 👨‍👩‍👧"), Cow::Borrowed("weather/Oslo ä 👨‍👩‍👧")));
    }

    #[test]
    fn an_unsafe_character_is_spelled_out() {
        for (text, expected) in [
            ("a\x1b]0;title\x07", "a\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\r\n", "\\u{d}\\u{a}"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
            ("\u{7f}", "\\u{7f}"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äö…");
        assert_eq!(clip("", 0), "");
        assert_eq!(clip("ab", 0), "…");
    }

    #[test]
    fn sizes_have_units() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (8 << 20, "8.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (1 << 40, "1.0 TiB"),
            (1 << 52, "4096.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(
            [0, 1, 2].map(|number| count(number, "message")),
            ["0 messages", "1 message", "2 messages"]
        );
    }

    #[test]
    fn ages_have_units() {
        for (seconds, expected) in
            [(0, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (172_800, "2d")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }
}
