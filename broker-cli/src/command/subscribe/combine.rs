//! Several patterns as few that do not overlap, so that a message that matches several of them comes once.
//!
//! The broker sends a message once per session, but the client library hands it to each subscription that matches, and the broker
//! sends retained messages again for each. `{a/*,*/b}` is one subscription and has neither. Patterns that begin with `!` are put
//! together apart from the others, as `!{…,…}`: a pattern that begins with an alternative matches no system topic. The two
//! do not overlap.
//!
//! Does not check patterns: what comes out may be refused as too complex, and then each is subscribed to on its own.

/// One or two patterns that match what the given ones match together. `None` if one of them is not closed, so that it would change
/// its neighbours.
pub(crate) fn combine(patterns: &[String]) -> Option<Vec<String>> {
    let mut system = Vec::new();
    let mut others = Vec::new();
    for pattern in patterns {
        let part = alternative(pattern)?;
        match part.strip_prefix('!').or_else(|| part.strip_prefix("\\!")) {
            Some(rest) => system.push(rest.to_string()),
            None => others.push(part),
        }
    }
    let mut combined = Vec::new();
    match others.as_slice() {
        [] => {}
        // As it was given: a comma outside braces is itself.
        [_] => combined.extend(patterns.iter().find(|pattern| !is_system(pattern)).cloned()),
        _ => combined.push(format!("{{{}}}", others.join(","))),
    }
    match system.as_slice() {
        [] => {}
        [_] => combined.extend(patterns.iter().find(|pattern| is_system(pattern)).cloned()),
        _ => combined.push(format!("!{{{}}}", system.join(","))),
    }
    Some(combined)
}

fn is_system(pattern: &str) -> bool {
    pattern.starts_with('!') || pattern.starts_with("\\!")
}

/// The pattern as it is written inside braces. `None` if a class, a brace or an escape is not closed.
fn alternative(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut depth = 0_usize;
    while let Some(char) = chars.next() {
        match char {
            ',' | '}' if depth == 0 => out.push('\\'),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        out.push(char);
        match char {
            '\\' => out.push(chars.next()?),
            '[' => loop {
                let member = chars.next()?;
                out.push(member);
                match member {
                    ']' => break,
                    '\\' => out.push(chars.next()?),
                    _ => {}
                }
            },
            _ => {}
        }
    }
    (depth == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], expected: Option<&[&str]>) {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let combined = combine(&patterns);
        let combined: Option<Vec<&str>> =
            combined.as_ref().map(|patterns| patterns.iter().map(String::as_str).collect());
        assert_eq!(combined.as_deref(), expected);
    }

    #[test]
    fn one_pattern_stays_as_it_is() {
        check(&["a,b}"], Some(&["a,b}"]));
        check(&["!system/*"], Some(&["!system/*"]));
    }

    #[test]
    fn several_become_alternatives() {
        check(&["a/*", "*/b"], Some(&["{a/*,*/b}"]));
        check(&["{a,b}/c", "d"], Some(&["{{a,b}/c,d}"]));
    }

    #[test]
    fn system_topics_are_apart() {
        check(&["a", "!system/x"], Some(&["a", "!system/x"]));
        check(&["!system/x", "a", "\\!system/y", "!", "b"], Some(&["{a,b}", "!{system/x,system/y,}"]));
        check(&["{!system/x,c}", "d"], Some(&["{{!system/x,c},d}"]));
    }

    #[test]
    fn what_is_itself_outside_braces_stays_itself_inside() {
        check(&["a,b", "c}"], Some(&["{a\\,b,c\\}}"]));
        check(&["a\\,b\\}", "c"], Some(&["{a\\,b\\},c}"]));
        check(&["[,}\\]{]", "c"], Some(&["{[,}\\]{],c}"]));
    }

    #[test]
    fn what_is_not_closed_is_left_alone() {
        for open in ["a[", "a{b", "a\\", "a[\\]", "{a{b}"] {
            check(&[open, "b]"], None);
        }
    }
}
