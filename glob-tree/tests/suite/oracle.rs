//! The obvious matcher: the grammar read straight from the pattern's text, character by character, with recursion and
//! backtracking. Slow, and nothing in common with the crate but the meaning. For valid patterns only.

use glob_tree::{Dialect, Pattern};

/// Whether `pattern` matches the whole of `text`, in a tree with this reserved first character.
pub(crate) fn matches(pattern: &Pattern, text: &str, reserved: Option<char>) -> bool {
    let (pattern, dialect) = (pattern.as_str(), pattern.dialect());
    if reserved.is_some_and(|first| text.starts_with(first)) && begins_with_wildcard(pattern, dialect) {
        return false;
    }
    match dialect {
        Dialect::Subject => subject(&tokens(pattern), &tokens(text)),
        Dialect::Glob => glob(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>()),
        Dialect::Path(separator) => path(
            &pattern.chars().collect::<Vec<_>>(),
            &text.chars().collect::<Vec<_>>(),
            separator.get(),
            true,
        ),
    }
}

fn begins_with_wildcard(pattern: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Glob | Dialect::Path(_) => pattern.starts_with(['*', '?', '[', '{']),
        Dialect::Subject => pattern == "*" || pattern == ">" || pattern.starts_with("*."),
    }
}

fn tokens(text: &str) -> Vec<&str> {
    text.split('.').collect()
}

fn subject(pattern: &[&str], text: &[&str]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([">"], [_, ..]) => text != [""],
        (["*", pattern @ ..], [token, text @ ..]) => !token.is_empty() && subject(pattern, text),
        ([literal, pattern @ ..], [token, text @ ..]) => literal == token && subject(pattern, text),
        _ => false,
    }
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        '?' => !text.is_empty() && glob(rest, &text[1..]),
        '[' => {
            let end = class_end(pattern);
            !text.is_empty() && in_class(&pattern[1..end], text[0]) && glob(&pattern[end + 1..], &text[1..])
        }
        '{' => {
            let (alternatives, behind) = alternatives(pattern);
            alternatives.iter().any(|alternative| glob(&[alternative, behind].concat(), text))
        }
        '\\' => text.first() == Some(&rest[0]) && glob(&rest[1..], &text[1..]),
        _ => text.first() == Some(&first) && glob(rest, &text[1..]),
    }
}

/// Stands where a group of a path ended: what was in it is no neighbour of what is behind.
const GROUP_END: char = '\u{e000}';

/// `begins`: whether a component of the pattern does, so that `**` may be whole. In a group it does if it does before the group.
fn path(pattern: &[char], text: &[char], separator: char, begins: bool) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return text.is_empty() };
    let next = text.first().copied();
    match first {
        GROUP_END => path(rest, text, separator, false),
        '*' => {
            let behind = &pattern[pattern.iter().take_while(|found| **found == '*').count()..];
            let whole = begins && pattern.get(1) == Some(&'*');
            match behind.first() {
                Some(found) if whole && *found == separator => (0..=text.len()).any(|skipped| {
                    (skipped == 0 || text[skipped - 1] == separator)
                        && path(&behind[1..], &text[skipped..], separator, true)
                }),
                None | Some(&GROUP_END) if whole => {
                    (0..=text.len()).any(|skipped| path(behind, &text[skipped..], separator, false))
                }
                _ => {
                    let run = text.iter().take_while(|found| **found != separator).count();
                    (0..=run).any(|skipped| path(behind, &text[skipped..], separator, false))
                }
            }
        }
        '?' => next.is_some_and(|next| next != separator) && path(rest, &text[1..], separator, false),
        '[' => {
            let end = class_end(pattern);
            next.is_some_and(|next| next != separator && in_class(&pattern[1..end], next))
                && path(&pattern[end + 1..], &text[1..], separator, false)
        }
        '{' => {
            let (alternatives, behind) = alternatives(pattern);
            let written = |alternative: &&[char]| [*alternative, &[GROUP_END], behind].concat();
            alternatives.iter().any(|alternative| path(&written(alternative), text, separator, begins))
        }
        '\\' => next == Some(rest[0]) && path(&rest[1..], &text[1..], separator, rest[0] == separator),
        _ => next == Some(first) && path(rest, &text[1..], separator, first == separator),
    }
}

/// The index of the `]` of the class that `pattern` begins with.
fn class_end(pattern: &[char]) -> usize {
    let mut at = 1;
    while pattern[at] != ']' {
        at += if pattern[at] == '\\' { 2 } else { 1 };
    }
    at
}

fn in_class(class: &[char], found: char) -> bool {
    let negated = class[0] == '!';
    // Each character with whether it was escaped, which matters for `-` alone.
    let mut members = Vec::new();
    let mut at = usize::from(negated);
    while at < class.len() {
        let escaped = class[at] == '\\';
        at += usize::from(escaped);
        members.push((class[at], escaped));
        at += 1;
    }
    let mut inside = false;
    while let [(first, _), rest @ ..] = &members[..] {
        let (last, used) = match rest {
            [('-', false), (last, _), ..] => (last, 3),
            _ => (first, 1),
        };
        inside |= (*first..=*last).contains(&found);
        members = members[used..].to_vec();
    }
    inside != negated
}

/// The alternatives of the group that `pattern` begins with, and what stands behind it.
fn alternatives(pattern: &[char]) -> (Vec<&[char]>, &[char]) {
    let (mut found, mut start, mut depth, mut at) = (Vec::new(), 1, 0, 1);
    loop {
        match pattern[at] {
            '\\' => at += 1,
            '[' => at += class_end(&pattern[at..]),
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                found.push(&pattern[start..at]);
                return (found, &pattern[at + 1..]);
            }
            ',' if depth == 0 => {
                found.push(&pattern[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
}

#[test]
fn the_oracle_itself() {
    for (pattern, text, expected) in [
        ("a{b,{c,d}*}e", "acxe", true),
        ("a{b,{c,d}*}e", "abxe", false),
        ("[!a-c\\]]?", "dx", true),
        ("[!a-c\\]]?", "]x", false),
        ("*a*b", "xaxbab", true),
        ("*a*b", "xaxba", false),
        (r"\{a,b\}", "{a,b}", true),
        ("{[}],x}", "}", true),
    ] {
        assert_eq!(matches(&Pattern::glob(pattern).unwrap(), text, None), expected, "{pattern} on {text}");
    }
    for (pattern, text, expected) in [
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "a/xb", false),
        ("**/*.rs", "a/b/c.rs", true),
        ("*.rs", "a/b.rs", false),
        ("a**b", "ax/b", false),
        ("{**}/b", "b", false),
        ("{a/**/,}b", "a/x/b", true),
        ("a{**/}b", "ab", false),
        ("a/{**/,x}b", "a/y/z/b", true),
        ("a/**", "a/", true),
        ("a/**", "a", false),
    ] {
        assert_eq!(matches(&Pattern::path(pattern).unwrap(), text, None), expected, "{pattern} on {text}");
    }
}
