//! One branch against one text, without a tree.
//!
//! Owns the algorithm with a single place to go back to: a later star makes an earlier one's choice final, because
//! what stands between them has matched as early as it could. Neither recursive nor exponential. It is not valid where
//! alternatives are: those are in `states`.

use super::code::{ANY, Branch, CLASS, NUMBER_BYTES, STAR, TAIL, TOKEN, number};

/// Whether the branch matches the whole of `text`. At most (length of the text) × (length of the branch) comparisons.
pub(super) fn matches(branch: Branch<'_>, text: &str) -> bool {
    let (mut at, mut position) = (0, 0);
    // What is behind the last star, and where the text for it begins.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match branch.bytes.get(at) {
            Some(&STAR) => {
                at += 1;
                if at == branch.bytes.len() {
                    return true;
                }
                retry = Some((at, position));
                continue;
            }
            Some(&element) => {
                if let Some((behind, next)) = consume(branch, element, at, text, position) {
                    (at, position) = (behind, next);
                    continue;
                }
            }
            None if position == text.len() => return true,
            None => {}
        }
        let Some((behind_star, from)) = retry else { return false };
        let Some(skipped) = character_at(text, from) else { return false };
        (at, position) = (behind_star, from + skipped.len_utf8());
        retry = Some((at, position));
    }
}

/// What comes behind the element or the byte of a literal at `at`, and behind its text, if that matches at `position`.
fn consume(
    branch: Branch<'_>,
    element: u8,
    at: usize,
    text: &str,
    position: usize,
) -> Option<(usize, usize)> {
    match element {
        ANY => Some((at + 1, position + character_at(text, position)?.len_utf8())),
        CLASS => {
            let class = branch.classes.get(number(branch.bytes, at + 1))?;
            let found = character_at(text, position).filter(|&found| class.contains(found))?;
            Some((at + 1 + NUMBER_BYTES, position + found.len_utf8()))
        }
        TOKEN => {
            let rest = text.get(position..)?;
            let length = rest.find('.').unwrap_or(rest.len());
            (length > 0).then_some((at + 1, position + length))
        }
        TAIL => (position < text.len()).then_some((at + 1, text.len())),
        byte => (text.as_bytes().get(position) == Some(&byte)).then_some((at + 1, position + 1)),
    }
}

fn character_at(text: &str, position: usize) -> Option<char> {
    text.get(position..)?.chars().next()
}
